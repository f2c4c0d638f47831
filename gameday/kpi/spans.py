"""When each phase and each fault began and ended, in run time, cut from the journal.

Phases are cut after the fact on whole seconds of the load: a second belongs to a phase only if all
of it does. A mark is noted a few milliseconds after the whole second on which it was due, so a
start up to `MARK_LATE_MS` after a whole second means that second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan

JUDGED = ("baseline", "fault", "recovery")
MARK_LATE_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One phase: whole seconds of run time, [start_ms, end_ms). May be empty.

    `complete` says that the phase ended as planned: the mark of the next one is in the journal.
    """

    name: str
    start_ms: int
    end_ms: int
    complete: bool
    evidence: tuple[int, ...] = ()

    @property
    def seconds(self) -> int:
        """How many whole seconds it holds."""
        return max(0, self.end_ms - self.start_ms) // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpan:
    """One fault's life in run time. None: did not happen, or could not be shown.

    A fault took effect somewhere between `asked_ms` and `on_ms` (read back); so for the end.
    """

    id: str
    target: str
    asked_ms: int | None = None
    on_ms: int | None = None
    off_asked_ms: int | None = None
    off_ms: int | None = None
    stages_ms: tuple[int, ...] = ()  # when each strength was confirmed, the first one first
    evidence: tuple[int, ...] = ()

    @property
    def on_error_ms(self) -> int | None:
        """How much earlier than `on_ms` the fault may have been in place."""
        return None if self.on_ms is None else self.on_ms - (self.asked_ms or self.on_ms)

    @property
    def off_error_ms(self) -> int | None:
        """How much earlier than `off_ms` the fault may have been gone."""
        return None if self.off_ms is None else self.off_ms - (self.off_asked_ms or self.off_ms)


def windows_of(timeline: Timeline) -> Mapping[str, Window]:
    """The phases that were entered, by name, in order."""
    marks: list[Event] = []
    for event in timeline.of("run.phase"):
        if all(event.subject != seen.subject for seen in marks):
            marks.append(event)
    found: dict[str, Window] = {}
    for mark, after in zip_longest(marks, marks[1:]):
        if mark.subject == "end":
            continue
        start_ms = _start(mark.at_ms)
        end_ms = _end(timeline, mark, after)
        found[mark.subject] = Window(
            name=mark.subject,
            start_ms=start_ms,
            end_ms=max(start_ms, end_ms),
            complete=after is not None,
            evidence=(mark.seq,) if after is None else (mark.seq, after.seq),
        )
    return found


def faults_of(plan: Plan, timeline: Timeline) -> tuple[FaultSpan, ...]:
    """The life of each fault of the plan, in its order."""
    return tuple(_span(timeline, fault.id, fault.target) for fault in plan.scenario.faults)


def all_off_ms(faults: Iterable[FaultSpan]) -> int | None:
    """When the last fault was confirmed off; None while one of them is not, or without any."""
    offs = [fault.off_ms for fault in faults]
    known = [off for off in offs if off is not None]
    return max(known) if known and len(known) == len(offs) else None


def origin_wall_ms(timeline: Timeline) -> int:
    """The wall time of run time 0. Raises `ValueError` on a journal without `run.opened`."""
    opened = timeline.first("run.opened")
    if opened is None:
        raise ValueError("the journal has no `run.opened`")
    return int(opened.data["origin_wall_ms"])


def offset_ms(timeline: Timeline, source: str) -> float:
    """How far the clock of *source* is ahead of ours; 0 when it was never measured."""
    measured = timeline.last("clock.offset", source)
    if measured is not None:
        return float(measured.data["offset_ms"])
    read = timeline.last("alert.read", source, phase=Phase.OK)
    return float(read.data.get("offset_ms") or 0) if read is not None else 0.0


def run_ms(timeline: Timeline, wall_ms: float, source: str | None = None) -> int:
    """Run time of a wall time on the clock of *source*, or on our own."""
    offset = 0.0 if source is None else offset_ms(timeline, source)
    return round(wall_ms - offset) - origin_wall_ms(timeline)


def _start(at_ms: int) -> int:
    whole, late = divmod(at_ms, 1000)
    return (whole if late <= MARK_LATE_MS else whole + 1) * 1000


def _end(timeline: Timeline, mark: Event, after: Event | None) -> int:
    """The fault phase ends when the last fault is asked off; the others with the next mark."""
    end_ms = timeline.end_ms if after is None else after.at_ms
    stop = timeline.first("stop.tripped")
    if after is None and stop is not None:
        end_ms = min(end_ms, max(stop.at_ms, mark.at_ms))
    if mark.subject == "fault":
        asked = [e.at_ms for e in timeline.of("fault.revert") if e.phase is Phase.STARTED]
        first_tries = [
            e.at_ms
            for e in timeline.of("fault.revert")
            if e.phase is Phase.STARTED and int(e.data.get("attempt", 1)) <= 1
        ]
        inside = [at for at in (first_tries or asked) if mark.at_ms <= at <= end_ms]
        end_ms = max(inside) if inside and after is not None else end_ms
    return end_ms // 1000 * 1000


def _span(timeline: Timeline, fault: str, target: str) -> FaultSpan:
    asked = timeline.first("fault.inject", fault, phase=Phase.STARTED)
    on = timeline.first("fault.inject", fault, phase=Phase.OK)
    off = timeline.last("fault.revert", fault, phase=Phase.OK)
    if off is not None and off.data.get("read_back") is not True:
        off = None
    off_asked = timeline.first("fault.revert", fault, phase=Phase.STARTED)
    return FaultSpan(
        id=fault,
        target=target,
        asked_ms=None if asked is None else asked.at_ms,
        on_ms=None if on is None else _confirmed(on),
        off_asked_ms=None if off_asked is None else off_asked.at_ms,
        off_ms=None if off is None else _confirmed(off),
        stages_ms=tuple(_confirmed(e) for e in _once_each_stage(timeline, fault)),
        evidence=tuple(e.seq for e in (asked, on, off_asked, off) if e is not None),
    )


def _once_each_stage(timeline: Timeline, fault: str) -> list[Event]:
    """The first confirmation of each strength."""
    found: dict[int, Event] = {}
    for event in timeline.of("fault.inject", fault):
        if event.phase is Phase.OK:
            found.setdefault(int(event.data.get("stage", 0)), event)
    return list(found.values())


def _confirmed(event: Event) -> int:
    return int(event.data.get("confirmed_ms", event.at_ms))
