"""`doctor`: what is reachable, which versions, what a run would use, and whether traffic passes.

Read-only: it asks, and sends each journey of a scenario's load once. Nothing is injected, no proxy
is created or changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gameday.app.check import PlanRequest, expand, make_plan
from gameday.app.places import needs_toxiproxy
from gameday.app.sources import http_sources
from gameday.app.traffic import passing
from gameday.errors import GamedayError
from gameday.model.plan import Plan
from gameday.model.verdict import ExitCode

PACKAGES = ("locust", "toxiproxy-python", "docker", "pyyaml", "pytest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at. `ok` None means: not needed, or cannot be said."""

    subject: str
    ok: bool | None
    text: str


def doctor_command(
    paths: list[Path],
    *,
    project: Path | None,
    environment: str | None,
    as_json: bool,
    source: str | None = None,
) -> ExitCode:
    """Look at everything a run would need, and say so; 3 when something does not answer.

    With *source* only at that alert source.
    """
    lines = look(paths, project=project, environment=environment)
    if source is not None:
        from gameday.app.doctor_source import look_at_source

        lines = look_at_source(source, project=project, environment=environment)
    ok = True
    for line in lines:
        ok = ok and line.ok is not False
        if as_json:
            sys.stdout.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")
        else:
            mark = {True: "ok ", False: "NO ", None: "-  "}[line.ok]
            sys.stdout.write(f"{mark} {line.subject:<22} {line.text}\n")
        sys.stdout.flush()
    return ExitCode.PASS if ok else ExitCode.INCONCLUSIVE


def look(paths: list[Path], *, project: Path | None, environment: str | None) -> Iterable[Line]:
    """Every line, as soon as it is known."""
    yield from _packages()
    if not paths:
        yield from _servers(None)
        yield Line(
            subject="scenario",
            ok=None,
            text="none given; `gameday doctor SCENARIO` also looks at its targets and traffic",
        )
        return
    plans = [
        make_plan(PlanRequest(path=path, project=project, environment=environment))
        for path in expand(paths)
    ]
    yield from _servers(plans[0])
    yield from _alerting(plans[0])
    for plan in plans:
        if not needs_toxiproxy(plan):
            yield from _places(plan)
            continue
        for seen in passing(plan):
            yield Line(subject=seen.subject, ok=seen.ok, text=seen.text)


def _places(plan: Plan) -> Iterable[Line]:
    """What a run would look at, where no proxy is on the way."""
    from gameday.app.preflight import look_around

    found = look_around(plan, reports=Path("reports"))
    for ok, lines in ((True, found.looked_at), (None, found.warnings), (False, found.problems)):
        for line in lines:
            subject, _, text = line.partition(": ")
            yield Line(subject=subject, ok=ok, text=text)


def _packages() -> Iterable[Line]:
    yield Line(subject="python", ok=True, text=sys.version.split()[0])
    for name in PACKAGES:
        try:
            yield Line(subject=name, ok=True, text=version(name))
        except PackageNotFoundError:
            text = "is not installed; install gameday again"
            yield Line(subject=name, ok=False, text=text)


def _servers(plan: Plan | None) -> Iterable[Line]:
    from gameday.adapters.toxiproxy.server import what_would_be_used

    given = plan.environment.toxiproxy_url if plan else None
    yield _asked("toxiproxy", lambda: what_would_be_used(given))
    uses = plan is not None and any(t.container for t in plan.environment.targets.values())
    if plan is None or not uses:
        yield Line(subject="docker", ok=None, text="no target of these scenarios is a container")
        return
    from gameday.adapters.docker.engine import Engine

    docker = plan.environment.docker

    def look() -> str:
        with Engine(docker.url, within_s=5.0) as engine:
            return f"{engine.info().get('ServerVersion', 'unknown')} at {engine.url}"

    yield _asked("docker", look)


def _alerting(plan: Plan) -> Iterable[Line]:
    alerting = plan.environment.alerting
    if alerting.prometheus_url:
        from gameday.adapters.prometheus import PrometheusSource

        prometheus = PrometheusSource(alerting.prometheus_url)
        yield _asked("prometheus", lambda: prometheus.check().text)
    if alerting.alertmanager_url:
        from gameday.adapters.alertmanager import AlertmanagerSource

        alertmanager = AlertmanagerSource(alerting.alertmanager_url)
        yield _asked("alertmanager", lambda: alertmanager.check().text)
    for name, source in http_sources(plan).items():
        yield _asked(name, lambda one=source: one.check().text)  # type: ignore[misc]
    if not alerting.names:
        names = ", ".join(a.name for a in plan.builtin_alerts) or "none declared"
        yield Line(subject="alerts", ok=True, text=f"built in: {names}")


def _asked(subject: str, ask: Callable[[], Any]) -> Line:
    try:
        return Line(subject=subject, ok=True, text=str(ask()))
    except GamedayError as error:
        return Line(subject=subject, ok=False, text=str(error))
