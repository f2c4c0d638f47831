"""Rules about stages and about stop conditions on something else than the load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import StopSignal
from gameday.model.units import format_ms
from gameday.scenario.rules_project import known_alerts
from gameday.scenario.scope import Scope, rule
from gameday.scenario.suggest import did_you_mean


def stages_come(scope: Scope) -> Iterator[Diagnostic]:
    """The times of the stages of a fault fit into its length."""
    for position, fault in enumerate(scope.scenario.faults):
        length_ms, at_ms = scope.fault_length_ms(position), 0
        for number, stage in enumerate(fault.stages):
            at_ms += stage.after_ms or 0
            if stage.after_ms is not None and 0 < length_ms <= at_ms:
                yield scope.marks.problem(
                    "stage/cannot-come",
                    ("faults", position, "stages", number, "after"),
                    f"this stage would come {format_ms(at_ms)} after the fault, "
                    f"which is in for {format_ms(length_ms)} only",
                    "lengthen the fault, or let the stages come sooner",
                )


def signals_are_readable(scope: Scope) -> Iterator[Diagnostic]:
    """The environment can read every signal."""
    if scope.project is None or scope.environment is None:
        return
    alerting = scope.environment.alerting
    if alerting.prometheus_url is not None:
        return
    builtin = not alerting.names
    known = known_alerts(scope.project, scope.scenario.service) if builtin else {}
    for position, signal in scope.stop_signals():
        name = signal.name or ""
        if signal.kind == "promql":
            yield scope.marks.problem(
                "stop/unreadable",
                ("stop_when", position, "promql"),
                f"the environment `{scope.environment.name}` has no Prometheus to ask",
                'add `alerts: {prometheus: {url: "http://…"}}` to it',
            )
        elif signal.kind == "alert" and alerting.says_firing:
            continue
        elif signal.kind == "alert" and name not in known:
            yield scope.marks.problem(
                "stop/unreadable",
                ("stop_when", position, "alert"),
                f"the environment `{scope.environment.name}` has no alert `{name}`",
                did_you_mean(name, known, what="in `gameday.yaml` there is"),
            )
        elif signal.kind == "alert" and not any(
            signal.labels.items() <= one.labels.items() for one in known[name]
        ):
            yield scope.marks.problem(
                "stop/unreadable",
                ("stop_when", position, "labels"),
                f"the built-in alert `{name}` never has these labels",
                "write labels that it has in `gameday.yaml`, or leave them out",
            )


def signals_spare_expected_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """An alert that the fault should set off does not end the run."""
    for position, signal in scope.stop_signals():
        if any(
            alert.alert == signal.name and _together(signal, alert.labels)
            for alert in scope.scenario.expect.alerts
        ):
            yield scope.marks.problem(
                "stop/expected-alert",
                ("stop_when", position, "alert"),
                f"`{signal.name}` is expected to fire, and would end the run",
                "remove one of the two, or give them labels that differ",
            )


def _together(signal: StopSignal, labels: Mapping[str, str]) -> bool:
    """Whether one alert could have both sets of labels."""
    return all(labels.get(name, value) == value for name, value in signal.labels.items())


RULES = (
    rule(stages_come, "stage/cannot-come", needs=("faults", "phases")),
    rule(signals_are_readable, "stop/unreadable", needs=("stop_when", "service"), linked=True),
    rule(
        signals_spare_expected_alerts,
        "stop/expected-alert",
        needs=("stop_when", "expect.alerts"),
    ),
)
