"""What is said of an alert before a run, and in which words."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.kpi.foresee import Foreseen, Interval, Route, Rule
from gameday.model.runbook import Level
from gameday.model.units import format_ms

__all__ = ["Finding", "Level", "floor_words", "span_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know. `certain`: whatever the fault does. `wait_ms`: waiting so long helps.

    An error: the expectation cannot be met as things are. A note changes nothing.
    """

    code: str
    level: Level
    text: str
    certain: bool = False
    wait_ms: int = 0


def span_words(interval: Interval) -> str:
    """`1.2 s to 3.2 s after the fault`."""
    earliest, latest = format_ms(round(interval.earliest_ms)), format_ms(round(interval.latest_ms))
    return f"{earliest} to {latest} after the fault"


def floor_words(at_ms: float, best: Foreseen, rule: Rule, route: Route | None) -> str:
    """`cannot be faster than 96 s: 15 s scrape, 60 s `for`, 20 s group wait`."""
    parts = []
    if best.window_ms >= 1:
        parts.append(f"{format_ms(round(best.window_ms))} scrape and window")
    if best.hold_ms:
        hold = f"{format_ms(round(best.hold_ms))} `for`"
        if best.hold_ms != rule.for_ms:
            every = format_ms(round(rule.evaluation_ms))
            hold += f" ({format_ms(round(rule.for_ms))}, in whole evaluations of {every})"
        parts.append(hold)
    if route is not None and not route.group_is_there and route.group_wait_ms:
        parts.append(f"{format_ms(round(route.group_wait_ms))} group wait")
    return f"cannot be faster than {format_ms(round(at_ms))}: {', '.join(parts)}"
