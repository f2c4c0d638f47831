"""A load that rises step by step: when it must rise no more.

A pure fold over events. It says so once, as `load.capped`: when an objective is broken at a step,
or when the generator was too slow at two steps in a row, so that higher ones would show nothing.
What each step showed is judged after the fact, by `load/breakpoint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gameday.kpi.breakpoint import Stair, stairs_of
from gameday.kpi.generator import saturated
from gameday.kpi.rising import broken_already
from gameday.model.criteria import Criterion
from gameday.model.event import Event, Phase
from gameday.model.scenario import LoadSpec
from gameday.model.window import Tick, tick_from_json

#: How long after a step its last requests may still end, on top of the timeout.
_SETTLE_MS = 2_000


class RisingLoad:
    """Watches the steps of *load* with the conditions of the fault phase. A `Fold`.

    `slack_ms` is how late the generator may be. Does nothing for any other load.
    """

    def __init__(self, load: LoadSpec, criteria: Sequence[Criterion], *, slack_ms: float) -> None:
        self._stairs, self._criteria = stairs_of(load), tuple(criteria)
        self._timeout_ms, self._slack_ms = load.timeout_ms, slack_ms
        self._begun_ms: int | None = None
        self._ticks: list[Tick] = []
        self._newest: dict[str, Tick] = {}
        self._late: set[int] = set()  # steps at which the generator was too slow
        self._over = not self._stairs

    def see(self, event: Event) -> Iterable[Event]:
        """React to one event."""
        match event.kind:
            case "load.start" if event.phase is Phase.OK and self._begun_ms is None:
                first = event.data.get("first_second")
                self._begun_ms = first * 1000 if isinstance(first, int) else None
            case "run.phase" if event.subject in ("recovery", "end"):
                self._over = True
            case "stop.tripped" | "load.stop":
                self._over = True
            case "load.worker" if event.data.get("state") == "lost":
                self._newest.pop(event.subject, None)  # the others are not kept waiting
            case "load.window" if not self._over:
                return self._window(tick_from_json(event.data))
        return ()

    def tick(self, now_ms: int) -> Iterable[Event]:
        """Nothing happens by time alone."""
        del now_ms
        return ()

    def _window(self, tick: Tick) -> list[Event]:
        self._ticks.append(tick)
        self._newest[tick.worker] = tick
        if self._begun_ms is None:
            return []
        seen_ms = min((t.second + 1) * 1000 for t in self._newest.values())
        for stair in self._stairs:
            first_ms, last_ms = self._begun_ms + stair.begin_ms, self._begun_ms + stair.end_ms
            if first_ms < seen_ms <= last_ms + self._timeout_ms + _SETTLE_MS:
                capped = self._look(stair, first_ms, last_ms, seen_ms)
                if capped is not None:
                    self._over = True
                    return [capped]
        return []

    def _look(self, stair: Stair, first_ms: int, last_ms: int, seen_ms: int) -> Event | None:
        inside = [t for t in self._ticks if first_ms <= t.second * 1000 < last_ms]
        late = saturated(inside, self._slack_ms)
        for criterion in self._criteria:
            found = broken_already(
                criterion,
                self._ticks,
                self._newest.values(),
                first_ms=first_ms,
                last_ms=last_ms,
                seen_ms=seen_ms,
                timeout_ms=self._timeout_ms,
            )
            if found is not None:
                bad, whole = found
                reason = f"`{criterion.text}` is broken at {stair.per_s:g}/s"
                reason += f": {bad} of at most {whole:.0f} requests are bad"
                return _capped(stair, reason, late, objective=criterion.text)
        if not late or seen_ms < last_ms:
            return None
        self._late.add(stair.number)
        if stair.number - 1 not in self._late:
            return None
        return _capped(stair, f"at {stair.per_s:g}/s, and the step before", late)


def _capped(stair: Stair, reason: str, late: str, *, objective: str = "") -> Event:
    if late:
        reason = f"the generator was too slow ({late}): {reason}"
    data = {
        "by": "generator" if late else "service",
        "step": stair.number,
        "per_s": stair.per_s,
        "reason": reason,
        "objective": objective,
    }
    return Event(kind="load.capped", subject="load", data=data)
