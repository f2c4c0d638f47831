"""Rules about alerts that nobody expects: those that must be quiet, and those that may fire."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.scope import Scope


def quiet_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """No alert is expected and must be quiet."""
    expected = {alert.alert: alert for alert in scope.scenario.expect.alerts}
    for position, labels in enumerate(scope.scenario.expect.quiet):
        path = ("expect", "quiet", position)
        if not labels:
            yield scope.marks.problem(
                "value/empty",
                path,
                "`{}` names no alert that must be quiet",
                "name a label, for example `{severity: page}`",
            )
        alert = expected.get(labels.get("alertname", ""))
        if alert is not None and all(
            labels.get(name, value) == value for name, value in alert.labels.items()
        ):
            yield scope.marks.problem(
                "alert/quiet-expected",
                (*path, "alertname"),
                f"`{alert.alert}` is expected to fire and must be quiet",
                "remove it from `quiet`; expected alerts are always excepted from it",
            )


def tolerated_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """A matcher without labels tolerates everything, and then nothing is noise."""
    for position, labels in enumerate(scope.scenario.expect.tolerate):
        if not labels:
            yield scope.marks.problem(
                "value/empty",
                ("expect", "tolerate", position),
                "`{}` tolerates every alert",
                "name a label, for example `{alertname: CacheMissesHigh}`",
            )
