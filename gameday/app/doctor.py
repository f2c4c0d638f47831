"""`doctor`: what is reachable, which versions, what a run would use, and whether traffic passes.

Read-only: it asks, and sends each journey of a scenario's load once. Nothing is injected, no proxy
is created or changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gameday.app.check import PlanRequest, expand, make_plan
from gameday.app.places import needs_toxiproxy
from gameday.app.sources import CLOCK_MS, clock_problem, http_sources
from gameday.app.traffic import passing
from gameday.app.upstreams import look_upstream
from gameday.errors import GamedayError, UsageError
from gameday.model.plan import Plan
from gameday.model.verdict import ExitCode

T = TypeVar("T")
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

    With *source* only at that alert source. Raises UsageError where scenarios are named too.
    """
    if source is not None and paths:
        raise UsageError(
            f"`--source {source}` looks at that source alone; name no scenario with it"
        )
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
    yield from alerting_lines(plans)
    for plan in plans:
        if not needs_toxiproxy(plan):
            yield from _places(plan)
            continue
        upstreams = look_upstream(plan)
        for name, why in upstreams.silent.items():
            yield Line(subject=name, ok=False if upstreams.certain else None, text=why)
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
    faults = plan.scenario.faults if plan else ()
    uses = any(fault.action and fault.action.family == "container" for fault in faults)
    if plan is None or not uses:
        yield Line(subject="docker", ok=None, text="these scenarios break no container")
        return
    from gameday.adapters.docker.engine import Engine

    docker = plan.environment.docker

    def look() -> str:
        with Engine(docker.url, within_s=5.0) as engine:
            return f"{engine.info().get('ServerVersion', 'unknown')} at {engine.url}"

    yield _asked("docker", look)


class Health(Protocol):
    """What a look at a source of alerts shows."""

    @property
    def text(self) -> str:
        """One line for people."""

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The names of its rules that are in error."""

    @property
    def offset_ms(self) -> float | None:
        """How far its clock is ahead of ours, if that is known."""

    @property
    def error_ms(self) -> float | None:
        """How much that may be off."""


def seen(name: str, health: Health, *, allowed_ms: float = CLOCK_MS) -> Iterator[Line]:
    """A source that answered: what it shows, its rules in error, and a clock that is off."""
    yield Line(subject=name, ok=True, text=health.text)
    if health.broken_rules:
        text = f"in error: {', '.join(health.broken_rules)}"
        yield Line(subject="rules", ok=None, text=text)
    yield from clock_line(name, health, allowed_ms=allowed_ms)


def clock_line(name: str, health: Health, *, allowed_ms: float = CLOCK_MS) -> Iterator[Line]:
    """Nothing, unless no run can be judged by that clock."""
    off = clock_problem(health.offset_ms, health.error_ms, allowed_ms=allowed_ms)
    if off:
        text = f"that of `{name}` is {off}; no run can be judged by it"
        yield Line(subject="clock", ok=False, text=text)


def alerting_lines(plans: list[Plan]) -> Iterator[Line]:
    """Each way in which alerts are told, once."""
    done: list[tuple[object, str]] = []
    for plan in plans:
        place = (plan.environment.alerting, plan.directory)
        if place not in done and plan.environment.alerting.names:
            done.append(place)
            yield from _alerting(plan)
    without = [plan for plan in plans if not plan.environment.alerting.names]
    if without:
        found = dict.fromkeys(alert.name for plan in without for alert in plan.builtin_alerts)
        names = ", ".join(found) or "none declared"
        yield Line(subject="alerts", ok=True, text=f"built in: {names}")


def _alerting(plan: Plan) -> Iterator[Line]:
    alerting, allowed_ms = plan.environment.alerting, CLOCK_MS
    if alerting.prometheus_url:
        from gameday.adapters.prometheus import PrometheusSource

        prometheus = yield from _answer(
            "prometheus", PrometheusSource(alerting.prometheus_url).check
        )
        if prometheus is not None:
            allowed_ms = max(CLOCK_MS, prometheus.interval_ms)
            yield from seen("prometheus", prometheus, allowed_ms=allowed_ms)
    if alerting.alertmanager_url:
        from gameday.adapters.alertmanager import AlertmanagerSource

        there = yield from _answer(
            "alertmanager", AlertmanagerSource(alerting.alertmanager_url).check
        )
        if there is not None:
            yield from seen("alertmanager", there, allowed_ms=allowed_ms)
    for name, source in http_sources(plan).items():
        health = yield from _answer(name, source.check)
        if health is not None:
            yield from seen(name, health)


def _answer(name: str, check: Callable[[], T]) -> Generator[Line, None, T | None]:
    """What a source says of itself; or the line that it does not, and None."""
    try:
        return check()
    except GamedayError as error:
        yield Line(subject=name, ok=False, text=str(error))
        return None


def _asked(subject: str, ask: Callable[[], Any]) -> Line:
    try:
        return Line(subject=subject, ok=True, text=str(ask()))
    except GamedayError as error:
        return Line(subject=subject, ok=False, text=str(error))
