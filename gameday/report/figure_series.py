"""What the load saw, cut down to what a figure can show: bins of seconds, cells of latency.

Adaptive, so that an hour at 100 requests a second stays small: the longer the run, the wider the
bins, and the more cells there would be, the coarser they are. What was chosen stands beside the
numbers, and the figure says it. A bin without any tick is a gap and has no number. Pure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gameday.kpi.burn import BurnRate
from gameday.kpi.spans import windows_of
from gameday.kpi.stats import ticks_of
from gameday.model.event import Timeline
from gameday.model.histogram import add, count, measurable, midpoint_us, quantile_ms
from gameday.model.plan import Plan
from gameday.model.window import Tick

#: Widths of a bin that people can read off, in seconds.
WIDTHS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
BINS_MAX = 240
#: Cells in each power of ten of latency, from fine to coarse.
PER_DECADE = (16, 10, 8, 5, 3)
CELLS_MAX = 6_000
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
#: A percentile is drawn in at least so many windows, or not at all.
WINDOWS_LEAST = 8
#: Below this a latency is drawn at this (ms), as a log scale has no zero.
LEAST_MS = 0.1
KINDS = ("ok", "failed", "edge")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """So many requests of one kind that were meant to start in one bin, of about one latency."""

    at_ms: int
    index: int  # latency from 10 ** (index / per_decade) ms
    kind: str  # ok, failed or edge
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileWindow:
    """One percentile of the good answers of one window; None (withheld) if they are too few."""

    name: str
    start_ms: int
    end_ms: int
    value_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBin:
    """The load in one bin; None where nothing was told of it. Rates are a second."""

    at_ms: int
    asked: float | None  # visits that were due
    ended: float | None  # requests, good or not, by their intended start
    good: float | None
    in_flight: int | None  # the most in the bin
    oldest_ms: int | None  # the most in the bin


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnPoint:
    """How many times too fast one objective's error budget burned; None if not known."""

    at_ms: int
    slo: str
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Everything that a figure draws of the load, and how it was cut down."""

    end_ms: int
    bin_ms: int
    per_decade: int
    n: int  # requests in the heat map
    heat: tuple[HeatCell, ...]
    quantiles: tuple[QuantileWindow, ...]
    window_ms: Mapping[str, int]  # of each percentile that is drawn
    bins: tuple[LoadBin, ...]
    burn: tuple[BurnPoint, ...]
    gaps: tuple[tuple[int, int], ...]  # [from, to) without a word of the load


def series_of(plan: Plan, timeline: Timeline) -> Series:
    """The load of a run, cut down."""
    seconds = _seconds(ticks_of(timeline))
    end_ms = max(1000, math.ceil(timeline.end_ms / 1000) * 1000)
    bin_s = width_s(end_ms // 1000, BINS_MAX)
    per_second = _Requests(tick for ticks in seconds.values() for tick in ticks)
    per_decade, heat = _heat(per_second, bin_s)
    edges = sorted(
        {0, end_ms, *(e for w in windows_of(timeline).values() for e in (w.start_ms, w.end_ms))}
    )
    windows, window_ms = _quantiles(per_second, edges, bin_s)
    return Series(
        end_ms=end_ms,
        bin_ms=bin_s * 1000,
        per_decade=per_decade,
        n=sum(cell.n for cell in heat),
        heat=heat,
        quantiles=windows,
        window_ms=window_ms,
        bins=tuple(_bins(seconds, per_second, bin_s)),
        burn=tuple(_burn(plan, seconds, bin_s)),
        gaps=tuple(_gaps(seconds)),
    )


def width_s(seconds: int, most: int) -> int:
    """The narrowest width that cuts *seconds* into at most *most* bins."""
    for width in WIDTHS_S:
        if seconds <= width * most:
            return width
    return math.ceil(seconds / most / 3600) * 3600


class _Requests:
    """Requests by the second of their intended start."""

    def __init__(self, ticks: Iterable[Tick]) -> None:
        self.good: dict[int, dict[int, int]] = {}
        self.other: dict[str, dict[int, dict[int, int]]] = {"failed": {}, "edge": {}}
        for tick in ticks:
            for cell in tick.cells:
                kind = "edge" if cell.edge else "ok" if cell.good else "failed"
                place = self.good if kind == "ok" else self.other[kind]
                add(place.setdefault(cell.second, {}), cell.response)

    def of(self, kind: str) -> Mapping[int, Mapping[int, int]]:
        """Second -> histogram of the requests of one kind."""
        return self.good if kind == "ok" else self.other[kind]

    def n(self, kind: str, second: int) -> int:
        """How many of one kind were meant to start in *second*."""
        return count(self.of(kind).get(second, {}))


def _seconds(ticks: Iterable[Tick]) -> dict[int, list[Tick]]:
    found: dict[int, list[Tick]] = {}
    for tick in ticks:
        found.setdefault(tick.second, []).append(tick)
    return found


def _heat(requests: _Requests, bin_s: int) -> tuple[int, tuple[HeatCell, ...]]:
    """As fine as the most that is drawn allows."""
    for per_decade in PER_DECADE:
        cells: dict[tuple[int, int, str], int] = {}
        for kind in KINDS:
            for second, histogram in requests.of(kind).items():
                at_ms = second // bin_s * bin_s * 1000
                for bucket, n in histogram.items():
                    key = (at_ms, _index(bucket, per_decade), kind)
                    cells[key] = cells.get(key, 0) + n
        if len(cells) <= CELLS_MAX or per_decade == PER_DECADE[-1]:
            break
    return per_decade, tuple(
        HeatCell(at_ms=at_ms, index=index, kind=kind, n=n)
        for (at_ms, index, kind), n in sorted(cells.items())
    )


def _index(bucket: int, per_decade: int) -> int:
    ms = max(LEAST_MS, midpoint_us(bucket) / 1000)
    return math.floor(math.log10(ms) * per_decade + 1e-9)


def _quantiles(
    requests: _Requests, edges: Sequence[int], bin_s: int
) -> tuple[tuple[QuantileWindow, ...], Mapping[str, int]]:
    """Each percentile in windows that hold enough good answers, cut at the edges of phases."""
    counts = [count(histogram) for histogram in requests.good.values()]
    typical = statistics.median(counts) if counts else 0
    found: list[QuantileWindow] = []
    chosen: dict[str, int] = {}
    seconds = max(1, edges[-1] // 1000)
    for name, q in QUANTILES.items():
        fit = (w for w in WIDTHS_S if w >= bin_s and measurable(int(typical * w), q))
        window_s = next(fit, 0)
        if not window_s or (window_s > bin_s and window_s * WINDOWS_LEAST > seconds):
            continue
        chosen[name] = window_s * 1000
        found += _windows(requests, edges, name, window_s)
    return tuple(found), chosen


def _windows(
    requests: _Requests, edges: Sequence[int], name: str, window_s: int
) -> Iterable[QuantileWindow]:
    q = QUANTILES[name]
    for first, last in pairwise(edges):
        for start in range(first // 1000, math.ceil(last / 1000), window_s):
            end = min(start + window_s, math.ceil(last / 1000))
            merged: dict[int, int] = {}
            for second in range(start, end):
                add(merged, requests.good.get(second, {}))
            value = quantile_ms(merged, q) if measurable(count(merged), q) else None
            yield QuantileWindow(
                name=name, start_ms=start * 1000, end_ms=end * 1000, value_ms=value
            )


def _bins(
    seconds: Mapping[int, Sequence[Tick]], requests: _Requests, bin_s: int
) -> Iterable[LoadBin]:
    if not seconds:
        return
    asked = _asked(seconds)
    for start in range(min(seconds) // bin_s * bin_s, max(seconds) + 1, bin_s):
        told = [s for s in range(start, start + bin_s) if s in seconds]
        if not told:
            yield LoadBin(
                at_ms=start * 1000,
                asked=None,
                ended=None,
                good=None,
                in_flight=None,
                oldest_ms=None,
            )
            continue
        good = sum(requests.n("ok", s) for s in told)
        bad = sum(requests.n("failed", s) + requests.n("edge", s) for s in told)
        due = [asked[s] for s in told if s in asked]
        yield LoadBin(
            at_ms=start * 1000,
            asked=sum(due) / len(due) if due else None,
            ended=(good + bad) / len(told),
            good=good / len(told),
            in_flight=max(sum(t.in_flight for t in seconds[s]) for s in told),
            oldest_ms=max(t.oldest_ms for s in told for t in seconds[s]),
        )


def _asked(seconds: Mapping[int, Sequence[Tick]]) -> dict[int, float]:
    """Visits due in each second, from what each worker asked for so far; none in a closed load."""
    so_far: dict[str, int] = {}
    found: dict[int, float] = {}
    for second in sorted(seconds):
        before = dict(so_far)
        so_far.update((tick.worker, tick.asked) for tick in seconds[second])
        if second - 1 in seconds or not before:
            found[second] = sum(so_far[w] - before.get(w, 0) for w in so_far)
    return found if any(so_far.values()) else {}


def _burn(plan: Plan, seconds: Mapping[int, list[Tick]], bin_s: int) -> Iterable[BurnPoint]:
    """The long window of each objective, at the end of each bin."""
    if not seconds:
        return
    overdue_ms = max(1, plan.scenario.load.timeout_ms // 2)
    for slo in plan.service.slos:
        rate = BurnRate(slo, overdue_ms=overdue_ms)
        for second in range(min(seconds), max(seconds) + 1):
            burn = rate.feed(seconds.get(second, ()), second)
            if (second + 1) % bin_s == 0:
                known = burn.long if second in seconds else None
                yield BurnPoint(at_ms=(second + 1) * 1000, slo=slo.name, rate=known)


def _gaps(seconds: Mapping[int, object]) -> Iterable[tuple[int, int]]:
    """Stretches between the first and the last second of which no worker told anything."""
    known = sorted(seconds)
    for before, after in pairwise(known):
        if after > before + 1:
            yield (before + 1) * 1000, after * 1000
