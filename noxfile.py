"""Everything a contributor or CI runs. `nox` alone runs the fast gates; `nox -l` lists all."""

from __future__ import annotations

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
    session.run(
        "python", "-m", "pytest", "-m", "slow or not slow",
        *session.posargs,
        env={"GAMEDAY_REQUIRE_REAL": "1", "HYPOTHESIS_PROFILE": "long"},
    )  # fmt: skip


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Ratios, printed; nothing here fails on a slow machine."""
    session.install("-e.[demo,test]")
    for name in ("cli_start", "check_speed", "proxy_overhead", "load_overhead", "wedge"):
        session.run("python", f"benchmarks/{name}.py")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build a wheel, install it alone, and check that it starts."""
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", "dist")
    session.run("bash", "-c", "pip install --force-reinstall dist/*.whl", external=True)
    session.run("gameday", "--version")
    session.run("gameday", "schema", silent=True)
