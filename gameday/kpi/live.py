"""Judging a criterion while the load runs, each second, on a sliding window.

Used by stop conditions and by the built-in alerts, so both mean the same by the same words. What
counts in a window is what *completed* in it, and what is still under way at its end: a request
older than `overdue_ms` counts as failed (a black hole completes nothing, and must not look
healthy), and its age so far takes part in the percentiles. Edge requests never count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from gameday.kpi.stats import matches
from gameday.model.criteria import Criterion, MetricKind
from gameday.model.histogram import add, count, midpoint_us, quantile_ms
from gameday.model.window import Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The criterion's value at the end of one second; None without any request to judge."""

    second: int
    value: float | None
    n: int
    true: bool | None  # None: cannot be said
    held_ms: int  # for how long it has been true without a break, up to and including this second


class LiveCriterion:
    """Folds ticks of all workers into readings of one criterion. Not thread-safe."""

    def __init__(self, criterion: Criterion, *, overdue_ms: int) -> None:
        self.criterion = criterion
        self._overdue_us = overdue_ms * 1000
        self._ticks: deque[Tick] = deque()
        self._true_since: int | None = None

    def feed(self, ticks: Iterable[Tick], second: int) -> Reading:
        """The reading for *second*, given that second's ticks (one a worker)."""
        now = list(ticks)
        self._ticks.extend(now)
        first = second - max(1, self.criterion.over_ms // 1000) + 1
        while self._ticks and self._ticks[0].second < first:
            self._ticks.popleft()
        value, n = self._value(now)
        true = None if value is None else self.criterion.holds(value)
        if true:
            self._true_since = second if self._true_since is None else self._true_since
        else:
            self._true_since = None
        held_ms = 0 if self._true_since is None else (second - self._true_since + 1) * 1000
        return Reading(second=second, value=value, n=n, true=true, held_ms=held_ms)

    def _value(self, now: list[Tick]) -> tuple[float | None, int]:
        good: dict[int, int] = {}
        bad_n = self._add_completed(good)
        good_n = count(good)
        for pending in (cell for tick in now for cell in tick.open):
            if matches(pending.journey, pending.name, self.criterion.subject):
                ages = pending.ages.items()
                late = {b: k for b, k in ages if midpoint_us(b) >= self._overdue_us}
                bad_n += count(late)
                add(good, late)
        if self.criterion.kind is MetricKind.LATENCY:
            return quantile_ms(good, self.criterion.quantile or 0.0), count(good)
        n = good_n + bad_n
        if n == 0:
            return None, 0
        return (bad_n / n if self.criterion.metric == "errors" else good_n / n), n

    def _add_completed(self, good: dict[int, int]) -> int:
        bad_n = 0
        for cell in (cell for tick in self._ticks for cell in tick.cells):
            if cell.edge or not matches(cell.journey, cell.name, self.criterion.subject):
                continue
            if cell.good:
                add(good, cell.response)
            else:
                bad_n += count(cell.response)
        return bad_n
