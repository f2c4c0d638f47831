"""`doctor --source X`: whether one alert source of the project can be read, and what it can say.

Read-only. Needs no scenario: it is for whoever sets up the credentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gameday.app.doctor import Line, clock_line, seen
from gameday.app.projects import project_here
from gameday.app.sources import CLOCK_MS, explained
from gameday.errors import CannotSeeError, GamedayError, UsageError
from gameday.model.project import AlertingSpec, Environment, Project


def look_at_source(name: str, *, project: Path | None, environment: str | None) -> Iterator[Line]:
    """Every line, as soon as it is known. Raises UsageError when there is no such source."""
    _, found = project_here(project)
    place = _place(name, found, environment)
    try:
        yield from _lines(name, place, Path(found.directory))
    except GamedayError as error:
        yield Line(subject=name, ok=False, text=explained(error))


def _lines(name: str, place: Environment, base: Path) -> Iterator[Line]:
    alerting = place.alerting
    if name == "prometheus":
        from gameday.adapters.prometheus import PrometheusSource

        prometheus = PrometheusSource(alerting.prometheus_url or "").check()
        yield from seen(name, prometheus, allowed_ms=max(CLOCK_MS, prometheus.interval_ms))
        yield Line(subject="cannot judge", ok=None, text="that it reached people")
        return
    if name == "alertmanager":
        from gameday.adapters.alertmanager import AlertmanagerSource

        alertmanager = AlertmanagerSource(alerting.alertmanager_url or "").check()
        yield from seen(name, alertmanager, allowed_ms=_allowed_ms(alerting))
        yield Line(subject="cannot judge", ok=None, text="when an alert fired, or when it ended")
        return
    from gameday.adapters.sources.source import HttpJsonSource

    spec = next(source for source in alerting.http_json if source.name == name)
    health = HttpJsonSource(spec, base=base).check()
    yield Line(subject=name, ok=True, text=health.text)
    yield from clock_line(name, health)
    for subject, text in health.lines:
        unsure = subject == "cannot judge" or (subject == "rules" and health.broken_rules)
        yield Line(subject=subject, ok=None if unsure else True, text=text)


def _allowed_ms(alerting: AlertingSpec) -> float:
    """How far the clock of Alertmanager may be off: as far as the rules of Prometheus allow."""
    if alerting.prometheus_url is None:
        return CLOCK_MS
    from gameday.adapters.prometheus import PrometheusSource

    try:
        return max(CLOCK_MS, PrometheusSource(alerting.prometheus_url).check().interval_ms)
    except CannotSeeError:
        return CLOCK_MS


def _place(name: str, project: Project, environment: str | None) -> Environment:
    """The environment that is meant: the one given, or the only one with this source."""
    from gameday.scenario.suggest import did_you_mean

    places = project.environments
    if environment is not None:
        if environment not in places:
            hint = did_you_mean(environment, places)
            raise UsageError(f"there is no environment `{environment}`; {hint}")
        places = {environment: places[environment]}
    having = [place for place in places.values() if name in place.alerting.names]
    if not having:
        known = sorted({known for place in places.values() for known in place.alerting.names})
        hint = did_you_mean(name, known) if known else "there is none"
        raise UsageError(f"there is no alert source `{name}` in `{project.file}`; {hint}")
    if len(having) > 1:
        names = ", ".join(f"`{place.name}`" for place in having)
        raise UsageError(f"`{name}` is a source of {names}; say which one with `--env`")
    return having[0]
