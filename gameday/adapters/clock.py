"""The clock of a run: wall time that is read once and counted on by the monotonic clock.

A wall clock may be stepped in the middle of a run (NTP, a suspended machine). Run time never is:
it is the monotonic clock counted from `origin_wall_ms`, a whole second of wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

#: Says what time it is, in wall ms since the epoch.
NowWallMs: TypeAlias = Callable[[], int]

_NS_PER_MS = 1_000_000


def wall_ms() -> int:
    """The machine's own wall time, in ms since the epoch."""
    return time.time_ns() // _NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClock:
    """Run time and its wall time. Before the origin run time is negative."""

    origin_wall_ms: int
    origin_mono_ns: int

    @classmethod
    def start(cls, *, lead_ms: int = 0) -> RunClock:
        """A clock whose origin is the first whole second at least *lead_ms* from now."""
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        second_ns = 1000 * _NS_PER_MS
        origin_ns = -(-(wall_ns + lead_ms * _NS_PER_MS) // second_ns) * second_ns
        return cls(
            origin_wall_ms=origin_ns // _NS_PER_MS,
            origin_mono_ns=mono_ns + (origin_ns - wall_ns),
        )

    def now_ms(self) -> int:
        """Run time now."""
        return (time.monotonic_ns() - self.origin_mono_ns) // _NS_PER_MS

    def now_wall_ms(self) -> int:
        """The wall time that belongs to the run time now; steps of the wall clock do not show."""
        return self.origin_wall_ms + self.now_ms()

    def stepped_ms(self) -> int:
        """How far the machine's wall clock has moved against this one since the start."""
        return wall_ms() - self.now_wall_ms()
