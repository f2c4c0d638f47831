"""Multi-window burn rate of an error budget, on the load's own seconds. Pure.

The rule of the SRE Workbook for paging: the budget burns at least 14.4 times too fast, in a long
window (so that it matters) *and* in a short one (so that it still goes on). A month's budget is
judged there over 1 h and 5 min; a run lasts minutes, so both windows are scaled down: 60 s and 5 s.

With an objective of 99.9 % the alert fires when more than 1.44 % of requests are bad in both. The
scaled windows hold fewer requests, so a window with fewer than `LEAST` says nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from gameday.model.histogram import Histogram, count, midpoint_us
from gameday.model.project import Slo
from gameday.model.window import Tick

#: The built-in alerts that are made of this: for objectives of availability and of latency.
REFERENCES = ("SLOFastBurnAvailability", "SLOFastBurnLatency")
#: Their label with the name of the objective.
REFERENCE_LABEL = "slo"
FACTOR = 14.4
LONG_S = 60
SHORT_S = 5
#: Requests that the short window needs before its ratio means anything.
LEAST = 10
#: An objective of 100 % leaves no budget to divide by; it is judged as 99.9999 %.
LEAST_BUDGET = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the budget burns at the end of one second: 1 is exactly as fast as allowed.

    `long` and `short` are None when a window holds too few requests; then `true` is None too.
    """

    second: int
    long: float | None
    short: float | None
    n: int  # requests in the long window
    true: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Second:
    second: int
    good: int
    bad: int


class BurnRate:
    """Folds ticks of all workers into the burn rate of one objective. Not thread-safe."""

    def __init__(
        self,
        slo: Slo,
        *,
        overdue_ms: int,
        factor: float = FACTOR,
        long_s: int = LONG_S,
        short_s: int = SHORT_S,
    ) -> None:
        self.slo = slo
        self.factor = factor
        self._long_s = long_s
        self._short_s = short_s
        self._overdue_us = overdue_ms * 1000
        self._seconds: deque[_Second] = deque()

    @property
    def can_fire(self) -> bool:
        """Whether even a total outage burns fast enough; an objective of 90 % never does."""
        return self.factor * (1 - self.slo.share) <= 1

    def feed(self, ticks: Iterable[Tick], second: int) -> Burn:
        """The burn rate at the end of *second*, given that second's ticks (one a worker)."""
        now = list(ticks)
        good = bad = 0
        for tick in now:
            for cell in tick.cells:
                if cell.edge:
                    continue
                in_time = self._in_time(cell.response) if cell.good else 0
                good += in_time
                bad += count(cell.response) - in_time
        self._seconds.append(_Second(second=second, good=good, bad=bad))
        while self._seconds[0].second <= second - self._long_s:
            self._seconds.popleft()
        overdue = sum(self._overdue(cell.ages) for tick in now for cell in tick.open)
        long, n = self._burn(second, self._long_s, overdue)
        short, short_n = self._burn(second, self._short_s, overdue)
        if long is None or short is None or short_n < LEAST:
            return Burn(second=second, long=None, short=None, n=n, true=None)
        true = long >= self.factor and short >= self.factor
        return Burn(second=second, long=long, short=short, n=n, true=true)

    def _in_time(self, response: Histogram) -> int:
        if self.slo.latency_ms is None:
            return count(response)
        return sum(n for b, n in response.items() if midpoint_us(b) <= self.slo.latency_ms * 1000)

    def _overdue(self, ages: Histogram) -> int:
        """Requests under way that are bad already: too late for the objective, or overdue."""
        limit_us = self._overdue_us
        if self.slo.latency_ms is not None:
            limit_us = min(limit_us, self.slo.latency_ms * 1000)
        return sum(n for b, n in ages.items() if midpoint_us(b) > limit_us)

    def _burn(self, second: int, window_s: int, overdue: int) -> tuple[float | None, int]:
        inside = [s for s in self._seconds if s.second > second - window_s]
        bad = sum(s.bad for s in inside) + overdue
        n = bad + sum(s.good for s in inside)
        if n == 0:
            return None, n
        return bad / n / max(1 - self.slo.share, LEAST_BUDGET), n
