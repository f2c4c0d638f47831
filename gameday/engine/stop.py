"""Stop conditions: when something shows that the damage is too large, or shows nothing any more.

A pure fold over events. Here are the conditions on the load; those on endpoints, queries and alerts
are in `gameday.engine.signals`. Several workers send a `load.window` each second; a second is
judged when all workers that are known have sent theirs, or a second later without the slow ones,
whose ticks then count in the second in which they arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gameday.engine.signals import SILENCE_MS, SignalConditions
from gameday.kpi.live import LiveCriterion, Reading
from gameday.model.criteria import Criterion
from gameday.model.event import Event, Phase
from gameday.model.scenario import StopSignal
from gameday.model.units import format_ms
from gameday.model.verdict import RunStatus
from gameday.model.window import Tick, tick_from_json

__all__ = ["SILENCE_MS", "Margin", "StopConditions"]

#: A worker whose tick is this much behind the newest second is not waited for.
_STRAGGLER_S = 1
#: A worker that has sent nothing for so many seconds is no longer expected.
_FORGET_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a stop condition is from tripping, for the live view."""

    text: str
    limit: float
    for_ms: int
    reading: Reading | None = None


class StopConditions:
    """Watches all stop conditions of a run. A `Fold`; any thread may call `readings`.

    With *lenient* (environments of the kinds `local` and `ci`) a load that is silent, and a signal
    that cannot be read, are only noted, as `stop.blind`; elsewhere they stop the run as invalid. A
    load that died always does: it could not have been stopped. `overdue_ms` is the age from which a
    request under way counts as failed. *alert_sources* must be readable for the `alert` signals.
    """

    def __init__(
        self,
        criteria: Sequence[Criterion],
        *,
        overdue_ms: int,
        lenient: bool,
        signals: Sequence[StopSignal] = (),
        alert_sources: Sequence[str] = (),
    ) -> None:
        self._signals = SignalConditions(signals, alert_sources=alert_sources, lenient=lenient)
        self._live = tuple(LiveCriterion(c, overdue_ms=overdue_ms) for c in criteria)
        self._lenient = lenient
        self._tripped: set[str] = set()
        self._margins = tuple(Margin(text=c.text, limit=c.limit, for_ms=c.for_ms) for c in criteria)
        self._ticks: dict[int, dict[str, Tick]] = {}  # of seconds not judged yet
        self._late: list[Tick] = []
        self._workers: dict[str, int] = {}  # the last second of each worker
        self._judged: int | None = None
        self._heard_ms: int | None = None  # while the load should run: when it was last heard
        self._blind = False
        self._ended = False

    def readings(self) -> tuple[Margin, ...]:
        """The last reading of each condition, in the order of the plan."""
        return self._margins

    def see(self, event: Event) -> list[Event]:
        """React to one event."""
        found = self._signals.see(event)
        match event.kind:
            case "load.window":
                return self._window(event)
            case "load.start" if event.phase is Phase.OK and not self._ended:
                self._heard_ms = event.at_ms
            case "load.stop" if event.phase is Phase.STARTED:
                self._ended, self._heard_ms = True, None
                self._signals.end()
            case "load.lost" if not self._ended:
                self._ended, self._heard_ms = True, None
                why = event.data.get("why") or "the load generator is gone"
                return [_trip("signal", RunStatus.INVALID, f"the load was lost: {why}")]
        return found

    def tick(self, now_ms: int) -> list[Event]:
        """Notice silence, and what has held for long enough."""
        return [*self._signals.tick(now_ms), *self._silence(now_ms)]

    def _silence(self, now_ms: int) -> list[Event]:
        if self._heard_ms is None or self._blind or now_ms - self._heard_ms < SILENCE_MS:
            return []
        self._blind = True
        if self._lenient:
            return [Event(kind="stop.blind", subject="load", data={"since_ms": self._heard_ms})]
        silent = format_ms(now_ms - self._heard_ms)
        reason = f"the load has not been heard from for {silent}, so nothing could stop the run"
        return [_trip("signal", RunStatus.INVALID, reason)]

    def _window(self, event: Event) -> list[Event]:
        if self._heard_ms is not None:
            self._heard_ms, self._blind = event.at_ms, False
        tick = tick_from_json(event.data)
        self._workers[tick.worker] = max(tick.second, self._workers.get(tick.worker, tick.second))
        if self._judged is not None and tick.second <= self._judged:
            self._late.append(tick)
            return []
        self._ticks.setdefault(tick.second, {})[tick.worker] = tick
        newest = max(self._workers.values())
        tripped: list[Event] = []
        for second in sorted(self._ticks):
            if newest - second <= _STRAGGLER_S and not self._all_sent(second, newest):
                break
            tripped += self._judge(second)
        return [] if self._ended else tripped  # a load that is being stopped proves nothing

    def _all_sent(self, second: int, newest: int) -> bool:
        expected = {w for w, last in self._workers.items() if newest - last < _FORGET_S}
        return expected <= self._ticks[second].keys()

    def _judge(self, second: int) -> list[Event]:
        # What a late tick says of requests under way is old news; what completed still counts.
        late = [replace(t, second=second, open=()) for t in self._late]
        ticks = [*self._ticks.pop(second).values(), *late]
        self._late, self._judged = [], second
        margins: list[Margin] = []
        tripped: list[Event] = []
        for live, margin in zip(self._live, self._margins, strict=True):
            reading = live.feed(ticks, second)
            margins.append(replace(margin, reading=reading))
            tripped += self._check(live.criterion, reading)
        self._margins = tuple(margins)
        return tripped

    def _check(self, criterion: Criterion, reading: Reading) -> Iterable[Event]:
        if not reading.true or reading.value is None or reading.held_ms < criterion.for_ms:
            return []
        if criterion.text in self._tripped:
            return []
        self._tripped.add(criterion.text)
        reason = f"`{criterion.text}`: {criterion.show(reading.value)} of {reading.n} requests"
        if criterion.quantile is not None:
            reason = f"`{criterion.text}`: {criterion.show(reading.value)}, n = {reading.n}"
        if criterion.for_ms:
            reason += f", for {format_ms(reading.held_ms)}"
        event = _trip(criterion.text, RunStatus.STOPPED, reason)
        data = {**event.data, "value": reading.value, "n": reading.n, "second": reading.second}
        return [replace(event, data=data)]


def _trip(subject: str, status: RunStatus, reason: str) -> Event:
    data = {"reason": reason, "status": status.value}
    return Event(kind="stop.tripped", subject=subject, data=data)
