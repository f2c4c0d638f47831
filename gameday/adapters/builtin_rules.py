"""The rules of the built-in alerts: pending, firing and resolved, second by second. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gameday.kpi.burn import FACTOR, LONG_S, REFERENCE_LABEL, REFERENCES, SHORT_S, BurnRate
from gameday.kpi.live import LiveCriterion
from gameday.model.criteria import Criterion
from gameday.model.project import BuiltinAlert, Slo
from gameday.model.units import format_ratio
from gameday.model.window import Tick

#: A firing alert resolves when its condition has not held for so many seconds on end.
RESOLVE_S = 3
#: The receiver of the burn-rate alerts.
RECEIVER = "gameday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert's new state, `pending`, `firing` or `resolved`, and the value that made it so."""

    was: str  # "" for none
    to: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a condition says of one second; `true` is None when it cannot be said."""

    true: bool | None
    held_ms: int
    value: float | None


class Condition(Protocol):
    """Something that can be true at the end of a second."""

    def feed(self, ticks: Sequence[Tick], second: int) -> Said:
        """Take one second's ticks."""
        ...


@dataclass(slots=True, kw_only=True)
class Rule:
    """One alert and its state. Not thread-safe."""

    name: str
    when: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    receiver: str
    condition: Condition
    for_ms: int = 0
    can_fire: bool = True
    state: str = ""
    started_wall_ms: int = 0  # kept by whoever notifies
    _false_s: int = field(default=0)

    def feed(self, ticks: Sequence[Tick], second: int) -> Change | None:
        """What has changed at the end of *second*, given its ticks. Call it for every second."""
        said = self.condition.feed(ticks, second)
        if self.state == "firing":
            # Nothing seen is no recovery: only a second known to be good counts.
            self._false_s = self._false_s + 1 if said.true is False else 0
            to = "" if self._false_s >= RESOLVE_S else "firing"
        elif not said.true:
            to = ""
        else:
            to = "firing" if said.held_ms >= self.for_ms else "pending"
        was, self.state = self.state, to
        if was == to:
            return None
        if to == "firing":
            self._false_s = 0
        return Change(was=was, to=to or "resolved", value=said.value)

    def row(self) -> dict[str, Any]:
        """The rule, for the journal."""
        return {
            "name": self.name,
            "when": self.when,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "runbook": self.annotations.get("runbook_url"),
            "receiver": self.receiver,
            "duration": self.for_ms / 1000,
            "interval": 1,
            "can_fire": self.can_fire,
        }


class _ByCriterion:
    def __init__(self, criterion: Criterion, overdue_ms: int) -> None:
        self._live = LiveCriterion(criterion, overdue_ms=overdue_ms)

    def feed(self, ticks: Sequence[Tick], second: int) -> Said:
        reading = self._live.feed(ticks, second)
        return Said(true=reading.true, held_ms=reading.held_ms, value=reading.value)


class _ByBurn:
    def __init__(self, burn: BurnRate) -> None:
        self._burn = burn

    def feed(self, ticks: Sequence[Tick], second: int) -> Said:
        burn = self._burn.feed(ticks, second)
        return Said(true=burn.true, held_ms=0, value=burn.short)


def named_rules(alerts: Sequence[BuiltinAlert], *, overdue_ms: int) -> tuple[Rule, ...]:
    """The alerts that the project file names, each with its criterion."""
    return tuple(
        Rule(
            name=alert.name,
            when=alert.when.text,
            labels={**alert.labels, "alertname": alert.name},
            annotations=_annotations(alert.runbook, alert.when.text),
            receiver=alert.receiver,
            condition=_ByCriterion(alert.when, overdue_ms),
            for_ms=alert.when.for_ms,
        )
        for alert in alerts
    )


def burn_rules(slos: Sequence[Slo], *, overdue_ms: int, service: str = "") -> tuple[Rule, ...]:
    """`SLOFastBurnAvailability` or `SLOFastBurnLatency` for each objective, by label `slo`."""
    rules = []
    for slo in slos:
        burn = BurnRate(slo, overdue_ms=overdue_ms)
        name = REFERENCES[0] if slo.latency_ms is None else REFERENCES[1]
        labels = {"alertname": name, "severity": "page", REFERENCE_LABEL: slo.name}
        late = "" if slo.latency_ms is None else f" or slower than {slo.latency_ms} ms"
        when = (
            f"failed{late}: budget of {format_ratio(1 - slo.share)} burns "
            f">= {FACTOR:g} times over {LONG_S} s and {SHORT_S} s"
        )
        rules.append(
            Rule(
                name=name,
                when=when,
                labels=labels | ({"service": service} if service else {}),
                annotations=_annotations(None, when),
                receiver=RECEIVER,
                condition=_ByBurn(burn),
                can_fire=burn.can_fire,
            )
        )
    return tuple(rules)


def _annotations(runbook: str | None, summary: str) -> dict[str, str]:
    return {"summary": summary} | ({"runbook_url": runbook} if runbook else {})
