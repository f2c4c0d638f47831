"""Run time: whole milliseconds on the monotonic clock, counted from a whole second of wall time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, Self

_SECOND_NS = 1_000_000_000


class Clock(Protocol):
    """Milliseconds since the origin of the run; never goes back; negative before the origin."""

    def now_ms(self) -> int:
        """Now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClock:
    """The clock of a run. Multiples of 1000 are whole seconds of wall time, and of the load.

    `origin_wall_ms` is the wall time of the origin since the epoch, `origin_mono_ns` its reading of
    CLOCK_MONOTONIC, which all processes of a machine share.
    """

    origin_wall_ms: int
    origin_mono_ns: int

    @classmethod
    def start(cls, *, lead_ms: int = 0) -> Self:
        """A clock whose origin is the first whole second at least *lead_ms* from now."""
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        mono_ns = (before_ns + time.monotonic_ns()) // 2
        earliest_ns = wall_ns + lead_ms * 1_000_000
        origin_ns = -(-earliest_ns // _SECOND_NS) * _SECOND_NS
        return cls(
            origin_wall_ms=origin_ns // 1_000_000,
            origin_mono_ns=mono_ns + origin_ns - wall_ns,
        )

    @classmethod
    def resume(cls, *, origin_wall_ms: int) -> Self:
        """The clock of a run that another process began, by the wall clock (sentinel, recovery)."""
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        return cls(
            origin_wall_ms=origin_wall_ms,
            origin_mono_ns=mono_ns - (wall_ns - origin_wall_ms * 1_000_000),
        )

    def now_ms(self) -> int:
        """Run time now."""
        return (time.monotonic_ns() - self.origin_mono_ns) // 1_000_000

    def wall_ms(self, now_ms: int) -> int:
        """The wall time of a moment of the run, in milliseconds since the epoch."""
        return self.origin_wall_ms + now_ms
