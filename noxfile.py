"""Everything a contributor or CI runs. `nox` alone runs the fast gates; `nox -l` lists all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]


@nox.session
def tests(session: nox.Session) -> None:
    """The test command of the README."""
    session.install("-e.[demo,test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint rules, types."""
    session.install("-e.[demo,test,lint]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")


@nox.session(default=False)
def full(session: nox.Session) -> None:
    """Everything, with the long matrices and real servers required."""
    session.install("-e.[demo,test]")
    env = {
        "GAMEDAY_REQUIRE_REAL": "1", "HYPOTHESIS_PROFILE": "long", "GAMEDAY_OFF_WITHIN_S": "5"
    }  # fmt: skip
    with docker_engine(session) as engine:
        session.run(
            "python", "-m", "pytest", "-m", "slow or not slow",
            *session.posargs,
            env={**env, **engine},
        )  # fmt: skip


@contextmanager
def docker_engine(session: nox.Session) -> Iterator[dict[str, str]]:
    """A private Docker engine, unless one is named already; gone afterwards."""
    given = os.environ.get("GAMEDAY_TEST_DOCKER")
    if given:
        yield {"GAMEDAY_TEST_DOCKER": given}
        return
    with tempfile.TemporaryDirectory(prefix="gdnox", dir="/tmp") as folder:
        session.run(".ci/docker-engine", "start", folder, external=True)
        try:
            yield {"GAMEDAY_TEST_DOCKER": f"unix://{folder}/docker.sock"}
        finally:
            session.run(".ci/docker-engine", "stop", folder, external=True)


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Ratios, printed; nothing here fails on a slow machine."""
    session.install("-e.[demo,test]")
    for name in (
        "cli_start", "check_speed", "proxy_overhead", "load_capacity", "plugin_cost", "stall",
        "wedge", "compare_shop", "report_hour", "quarter_year", "console_viewers",
    ):  # fmt: skip
        session.run("python", f"benchmarks/{name}.py", success_codes=[0, 1])


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The docs as a site, in `site/`; a page, link or anchor that leads nowhere is a failure."""
    session.install("-e.[docs]")
    env = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", *session.posargs, env=env)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build a wheel, install it alone, and check that it starts."""
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", "dist")
    session.run("bash", "-c", "pip install --force-reinstall dist/*.whl", external=True)
    session.run("gameday", "--version")
    session.run("gameday", "schema", silent=True)
