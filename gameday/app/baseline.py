"""Whether the baseline held: asked once, before anything is injected.

A fault on a service that is already in trouble shows nothing and hurts people. So the answer here
is a gate: if it is no, nothing is injected and the run is invalid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gameday.kpi.stats import cells_between, measure, stats
from gameday.model.plan import Plan
from gameday.model.window import Tick

#: The share of asked arrivals that must have been taken up by a user in time.
STARTED_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The gate's answer. `values` is for the journal, `reasons` is empty if it held."""

    values: tuple[Mapping[str, Any], ...]
    reasons: tuple[str, ...]


def look(
    plan: Plan, ticks: Sequence[Tick], *, start_ms: int, end_ms: int, firing: Sequence[str]
) -> Baseline:
    """Judge the stretch [start_ms, end_ms) of run time; *firing* are alerts that fire now."""
    cells = cells_between(ticks, start_ms, end_ms)
    values: list[Mapping[str, Any]] = []
    reasons: list[str] = []
    if not cells:
        reasons.append("the load made no request that could be judged")
    for criterion in plan.scenario.expect.baseline:
        found = measure(criterion, stats(cells, criterion.subject))
        values.append({"criterion": criterion.text, "value": found.value, "n": found.n})
        if found.value is None:
            reasons.append(f"`{criterion.text}` cannot be measured: {found.why}")
        elif not criterion.holds(found.value):
            shown = criterion.show(found.value)
            reasons.append(f"`{criterion.text}` does not hold: it is {shown} (n = {found.n})")
    reasons += _undelivered(ticks, start_ms, end_ms)
    expected = {expectation.alert for expectation in plan.scenario.expect.alerts}
    reasons += [
        f"alert `{name}` is firing already, so it could not tell us anything"
        for name in sorted(set(firing) & expected)
    ]
    return Baseline(values=tuple(values), reasons=tuple(reasons))


def _undelivered(ticks: Sequence[Tick], start_ms: int, end_ms: int) -> list[str]:
    inside = [t for t in ticks if start_ms <= t.second * 1000 < end_ms]
    if not inside:
        return ["no second of the load was seen"]
    asked = started = 0
    for worker in {t.worker for t in inside}:
        own = [t for t in inside if t.worker == worker]
        asked += own[-1].asked - own[0].asked
        started += own[-1].started - own[0].started
    if asked and started < STARTED_SHARE * asked:
        return [
            f"the load could not be delivered: {started} of {asked} arrivals were taken up in time"
        ]
    return []
