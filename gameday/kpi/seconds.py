"""Whole seconds of the load, put together from the ticks of all its workers. Pure."""

from __future__ import annotations

from gameday.model.window import Tick

#: A worker whose tick is this much behind the newest second is not waited for any more.
STRAGGLER_S = 1
#: A worker that has told of nothing for so many seconds is not expected any more.
FORGET_S = 5


class WholeSeconds:
    """Gives each second out once, in order, when every worker has told of it.

    A worker that is late is waited for until a second after the next has been told of by another;
    what it says afterwards is left out.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, dict[str, Tick]] = {}
        self._latest: dict[str, Tick] = {}
        self._given: int | None = None

    def feed(self, tick: Tick) -> list[tuple[int, list[Tick]]]:
        """Take one tick; the seconds that are whole now, each with its ticks."""
        before = self._latest.get(tick.worker)
        if before is None or tick.second > before.second:
            self._latest[tick.worker] = tick
        if self._given is not None and tick.second <= self._given:
            return []
        self._waiting.setdefault(tick.second, {})[tick.worker] = tick
        newest = max(t.second for t in self._latest.values())
        expected = {w for w, t in self._latest.items() if newest - t.second < FORGET_S}
        found: list[tuple[int, list[Tick]]] = []
        for second in sorted(self._waiting):
            whole = expected <= self._waiting[second].keys()
            # with one worker alone, others may not have been heard of yet: its next tick decides
            if second == newest or (not whole and newest - second <= STRAGGLER_S):
                break
            found.append((second, list(self._waiting.pop(second).values())))
            self._given = second
        return found

    def now(self) -> list[Tick]:
        """The newest tick of each worker that is there."""
        newest = max((t.second for t in self._latest.values()), default=0)
        return [t for t in self._latest.values() if newest - t.second <= STRAGGLER_S]
