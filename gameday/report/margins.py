"""How close each stop condition came to stopping the run."""

from __future__ import annotations

from collections.abc import Iterable

from gameday.kpi.live import LiveCriterion
from gameday.kpi.stats import ticks_of
from gameday.model.criteria import Criterion
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.units import format_ms
from gameday.model.window import Tick
from gameday.report.figure_lanes import clock


def margin_cells(plan: Plan, timeline: Timeline) -> list[tuple[str, ...]]:
    """A row a condition: what it is, the value nearest to its limit, when, how long it held."""
    seconds: dict[int, list[Tick]] = {}
    for tick in ticks_of(timeline):
        seconds.setdefault(tick.second, []).append(tick)
    overdue_ms = max(1, plan.scenario.load.timeout_ms // 2)
    rows = [_row(one, seconds, overdue_ms) for one in plan.scenario.stop_when]
    return [*rows, *_signals(timeline)]


def _row(one: Criterion, seconds: dict[int, list[Tick]], overdue_ms: int) -> tuple[str, ...]:
    fold = LiveCriterion(one, overdue_ms=overdue_ms)
    worst: tuple[float, int] | None = None
    held_ms = 0
    rising = one.op.startswith(">")
    for second in sorted(seconds):
        reading = fold.feed(seconds[second], second)
        held_ms = max(held_ms, reading.held_ms)
        if reading.value is None:
            continue
        if worst is None or (reading.value - worst[0]) * (1 if rising else -1) > 0:
            worst = (reading.value, second)
    if worst is None:
        return (f"`{one.text}`", "never measured", "", "")
    held = f"{format_ms(held_ms)} of {format_ms(one.for_ms)}" if one.for_ms else format_ms(held_ms)
    return (f"`{one.text}`", one.show(worst[0]), clock((worst[1] + 1) * 1000), held)


def _signals(timeline: Timeline) -> Iterable[tuple[str, ...]]:
    """Signals from outside the load: the last value, and how often one said stop."""
    for subject in dict.fromkeys(e.subject for e in timeline.of("signal.sample")):
        found = timeline.of("signal.sample", subject)
        values = [e.data["value"] for e in found if e.data.get("value") is not None]
        bad = sum(bool(e.data.get("bad")) for e in found)
        last = f"{values[-1]}" if values else "never read"
        yield (f"`{subject}`", f"last {last}", "", f"said stop {bad} of {len(found)} times")
