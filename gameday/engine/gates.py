"""Gates that open by themselves: when the load shows that the next stage of a fault may come.

A pure fold over events. A condition is looked at from the first whole second after the stage before
was confirmed; when it has held for its time the gate is opened, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gameday.kpi.live import LiveCriterion
from gameday.kpi.seconds import WholeSeconds
from gameday.model.criteria import Criterion
from gameday.model.event import Event, Phase
from gameday.model.window import Tick, tick_from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Opens `gate` when `criterion` holds after stage `number - 1` of `fault` was confirmed."""

    gate: str
    fault: str
    number: int
    criterion: Criterion


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A condition that is being looked at, from a second on."""

    condition: Condition
    live: LiveCriterion
    from_second: int


class ConditionGates:
    """Watches the conditions of all stages of a run. A `Fold`.

    A second is judged when a later one has begun and all workers have told of it. `overdue_ms` is
    the age from which a request under way counts as failed.
    """

    def __init__(self, conditions: Sequence[Condition], *, overdue_ms: int) -> None:
        self._waiting = list(conditions)
        self._watched: list[_Watched] = []
        self._seconds = WholeSeconds()
        self._overdue_ms = overdue_ms

    def see(self, event: Event) -> Iterable[Event]:
        """React to one event."""
        match event.kind:
            case "fault.inject" if event.phase is Phase.OK:
                self._begin(event)
            case "fault.revert" if event.phase is Phase.STARTED:
                self._watched = [w for w in self._watched if w.condition.fault != event.subject]
                self._waiting = [c for c in self._waiting if c.fault != event.subject]
            case "load.window" if self._watched or self._waiting:
                return self._window(tick_from_json(event.data))
        return ()

    def tick(self, now_ms: int) -> Iterable[Event]:
        """Nothing happens by time alone."""
        del now_ms
        return ()

    def _begin(self, event: Event) -> None:
        number = int(event.data.get("stage", 0)) + 1
        due = [c for c in self._waiting if (c.fault, c.number) == (event.subject, number)]
        self._waiting = [c for c in self._waiting if c not in due]
        first = -(-event.at_ms // 1000)
        for condition in due:
            live = LiveCriterion(condition.criterion, overdue_ms=self._overdue_ms)
            self._watched.append(_Watched(condition=condition, live=live, from_second=first))

    def _window(self, tick: Tick) -> list[Event]:
        opened: list[Event] = []
        for second, ticks in self._seconds.feed(tick):
            for watched in [w for w in self._watched if second >= w.from_second]:
                opened += self._judge(watched, ticks, second)
        return opened

    def _judge(self, watched: _Watched, ticks: list[Tick], second: int) -> list[Event]:
        criterion = watched.condition.criterion
        reading = watched.live.feed(ticks, second)
        if not reading.true or reading.held_ms < max(criterion.for_ms, 1000):
            return []
        self._watched.remove(watched)
        data = {"by": "condition", "text": criterion.text, "value": reading.value, "n": reading.n}
        return [Event(kind="gate.opened", subject=watched.condition.gate, data=data)]
