"""Which events of the journal a sentence of the postmortem rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gameday.kpi.spans import windows_of
from gameday.model.event import Event, Timeline
from gameday.model.verdict import Finding

_TELLS = {
    "acknowledged": ("human.ack", "alert.acknowledged"),
    "runbook_opened": ("runbook.opened", "human.step"),
}


class Cites:
    """Numbers of events that exist in one journal; never a number that does not."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._known = {event.seq for event in timeline}
        ends = sorted(self._known)
        self.whole = tuple(dict.fromkeys((ends[0], ends[-1]))) if ends else ()
        closed = timeline.last("run.closed")
        self.end = self.whole[-1:] if closed is None else (closed.seq,)
        stop = timeline.first("stop.tripped")
        self.stop = () if stop is None else (stop.seq,)

    def tidy(self, seqs: Iterable[int]) -> tuple[int, ...]:
        """*seqs* in order, each once, those that exist."""
        return tuple(sorted({seq for seq in seqs if seq in self._known}))

    def of(self, kinds: Sequence[str], subject: str | None = None) -> tuple[int, ...]:
        """All events of these kinds, optionally about one subject."""
        return self.tidy(e.seq for kind in kinds for e in self.timeline.of(kind, subject))

    def findings(self, found: Iterable[Finding]) -> tuple[int, ...]:
        """What checks named as their evidence; that something was not there is in all of it."""
        return self.tidy(seq for one in found for seq in one.evidence) or self.whole

    def phase(self, name: str) -> tuple[int, ...]:
        """The marks of a phase, and the first and the last word of the load in it."""
        window = windows_of(self.timeline).get(name)
        if window is None:
            return self.whole
        inside = [
            event
            for event in self.timeline.of("load.window")
            if window.start_ms <= _second_ms(event) < window.end_ms
        ]
        return self.tidy([*window.evidence, *(e.seq for e in (*inside[:1], *inside[-1:]))])

    def load_at(self, at_ms: int) -> tuple[int, ...]:
        """What the load told of the second in which *at_ms* lies."""
        windows = self.timeline.of("load.window")
        return tuple(e.seq for e in windows if 0 <= at_ms - _second_ms(e) < 1000)

    def told(self, rung: str, source: str, at_ms: int) -> tuple[int, ...]:
        """The event that told of what people did: the nearest one, or the reading of its source."""
        read = self.timeline.last("alert.read", source)
        if read is not None:
            return (read.seq,)
        events = [e for kind in _TELLS.get(rung, ()) for e in self.timeline.of(kind)]
        if not events:
            return self.whole
        return (min(events, key=lambda e: abs(e.at_ms - at_ms)).seq,)


def _second_ms(event: Event) -> int:
    second = event.data.get("second")
    return second * 1000 if isinstance(second, int) else -1
