"""How far the monotonic clock of another host is from ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Questions of one measurement, at least.
SAMPLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question: when it was sent and its answer arrived (our clock), and what theirs said."""

    sent_ns: int
    theirs_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Their clock minus ours, and how wrong that may be at most."""

    offset_ns: int
    error_ns: int

    def theirs(self, ours_ns: int) -> int:
        """What their clock shows when ours shows *ours_ns*."""
        return ours_ns + self.offset_ns

    def ours(self, theirs_ns: int) -> int:
        """What our clock shows when theirs shows *theirs_ns*."""
        return theirs_ns - self.offset_ns

    def facts(self) -> dict[str, float]:
        """In ms, for the journal."""
        return {
            "offset_ms": round(self.offset_ns / 1e6, 3),
            "error_ms": round(self.error_ns / 1e6, 3),
        }


def measured(samples: Iterable[Asked]) -> Offset:
    """The offset by the question with the shortest round trip; half of that is the error.

    Raises ValueError without any.
    """
    best = min(samples, key=lambda one: one.received_ns - one.sent_ns, default=None)
    if best is None:
        raise ValueError("a clock is measured by asking it")
    trip_ns = best.received_ns - best.sent_ns
    offset_ns = best.theirs_ns - (best.sent_ns + best.received_ns) // 2
    return Offset(offset_ns=offset_ns, error_ns=(trip_ns + 1) // 2)
