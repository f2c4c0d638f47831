"""How a load is shared among workers, so that all of them together do what one would. Pure.

Every worker walks through the same schedule and the same turns, and takes arrival k only if k mod
`of` is its `index`. Nothing has to be agreed upon while the load runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gameday.adapters.locust.pacing import Schedule, Turns
from gameday.model.scenario import LoadSpec
from gameday.model.shape import peak_per_s

#: Arrivals a second that one process can be trusted with on one core: of generated journeys, and of
#: a locustfile (whose users may be `HttpUser`).
GENERATED_PER_S, LOCUSTFILE_PER_S = 4_000, 500
#: A cycle of turns that is longer is not kept, but walked through.
_LONGEST_CYCLE = 10_000
#: Which row of each source of data an arrival gets; None where there is no row left.
Rows = Mapping[tuple[str, str], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of one worker: number `index` of `of`."""

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise ValueError(f"share {self.index} of {self.of}")

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> Share:
        """The share in a `prepare`; the whole if it has none. Raises ValueError."""
        if raw is None:
            return cls()
        index, of = raw.get("index"), raw.get("of")
        if type(index) is not int or type(of) is not int:
            raise ValueError(f"no share: {raw!r:.80}")
        return cls(index=index, of=of)

    def users(self, n: int) -> int:
        """Its part of *n* users; what cannot be divided goes to the first, one each."""
        return n // self.of + (self.index < n % self.of)


class Arrivals:
    """The arrivals of one share, one after the other: `due_ns`, `journey`, `rows`.

    *rows* is asked for every arrival, also for those of the others, so that data stays in step.
    """

    def __init__(
        self,
        schedule: Schedule,
        weights: Sequence[float],
        share: Share,
        rows: Callable[[int], Rows] | None = None,
    ) -> None:
        self._schedule, self._of, self._rows_of = schedule, share.of, rows
        self._turns = Turns(weights)
        self._cycle = _cycle(weights) if rows is None else ()
        self._number = 0
        self.journey = 0
        self.rows: Rows | None = None
        self._turn()
        self._go(share.index)

    @property
    def due_ns(self) -> int:
        """When the present one is due."""
        return self._schedule.due_ns

    def advance(self) -> None:
        """Go on to the next one."""
        self._go(self._of)

    def change(self, per_s: float, at_ns: int) -> None:
        """Another rate from *at_ns* on, which must be the same for all shares."""
        self._schedule.change(per_s, at_ns)

    def _go(self, steps: int) -> None:
        if not steps:
            return
        self._schedule.advance(steps)
        self._number += steps
        if self._cycle:
            self.journey = self._cycle[self._number % len(self._cycle)]
            return
        for _ in range(steps):
            self._turn()

    def _turn(self) -> None:
        self.journey = self._turns.next()
        if self._rows_of is not None:
            self.rows = self._rows_of(self.journey)


def _cycle(weights: Sequence[float]) -> tuple[int, ...]:
    """The turns up to where they begin again; empty where they do not, or too late."""
    if any(weight != int(weight) for weight in weights) or sum(weights) > _LONGEST_CYCLE:
        return ()
    turns = Turns(weights)
    return tuple(turns.next() for _ in range(int(sum(weights))))


def processes_for(spec: LoadSpec) -> int:
    """How many processes the load is made in, by the file and the rate alone, never the machine."""
    if spec.processes != AUTO:
        return spec.processes
    if not spec.rates:
        return 1
    one = LOCUSTFILE_PER_S if spec.locustfile else GENERATED_PER_S
    return max(1, math.ceil(peak_per_s(spec.rates) / one))


def processes_here(spec: LoadSpec, cores: int) -> int:
    """How many processes on a machine with *cores*: `auto` leaves one core to the others."""
    wanted = processes_for(spec)
    return wanted if spec.processes != AUTO else min(wanted, max(1, cores - 1))


#: What `processes: auto` is in a specification.
AUTO = 0
