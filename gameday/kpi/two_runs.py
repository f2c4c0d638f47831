"""Two runs over each other: p50, p95, p99 and errors of each phase and journey, with intervals.

The intervals are those within runs of `gameday.kpi.compare`: as if only chance within each of the
two existed. What two runs differ by anyway cannot be seen from two, so a change that is shown here
may be the machine's. All numbers are looked at together, as there (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameday.kpi.compare import FALSE_ALARMS, REQUESTS_MIN, fold, log_variance, word_of
from gameday.kpi.spans import JUDGED, windows_of
from gameday.kpi.stats import Stats, cells_between, needed, stats, ticks_of
from gameday.kpi.student import normal_quantile, share_difference
from gameday.model.event import Timeline
from gameday.model.report import Change, Compared

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
METRICS = ("errors", *QUANTILES)
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What the load saw of one subject in one phase of one run."""

    phase: str
    subject: str
    seconds: int
    complete: bool
    found: Stats


def stretches_of(timeline: Timeline) -> tuple[Stretch, ...]:
    """All requests first, then each journey where there are several; a phase each."""
    ticks = ticks_of(timeline)
    made: list[Stretch] = []
    for phase in JUDGED:
        window = windows_of(timeline).get(phase)
        if window is None:
            continue
        cells = cells_between(ticks, window.start_ms, window.end_ms)
        names = sorted({cell.journey for cell in cells})
        for subject in (ALL, *(names if len(names) > 1 else ())):
            found = stats(cells, None if subject == ALL else subject)
            made.append(
                Stretch(
                    phase=phase,
                    subject=subject,
                    seconds=window.seconds,
                    complete=window.complete,
                    found=found,
                )
            )
    return tuple(made)


def compare_two(before: Sequence[Stretch], now: Sequence[Stretch]) -> tuple[Compared, ...]:
    """Each number of *now* against the same of *before*; what only one of them has is told so."""
    known = {(one.phase, one.subject): one for one in before}
    pairs = [
        (one, known.get((one.phase, one.subject)), metric) for one in now for metric in METRICS
    ]
    whys = [_lacking(*pair) for pair in pairs]
    tail = FALSE_ALARMS / 2 / max(1, whys.count(""))
    return tuple(
        _row(one, was, metric, tail, why)
        for (one, was, metric), why in zip(pairs, whys, strict=True)
    )


def _lacking(now: Stretch, before: Stretch | None, metric: str) -> str:
    """Why this number cannot be compared; empty if it can."""
    if before is None:
        return "the run before has none of it"
    runs = (("before", before), ("after", now))
    cut = next((word for word, one in runs if not one.complete), "")
    if cut:
        return f"the phase was cut short in the run {cut}"
    for word, one in runs:
        if metric == "errors" and one.found.n < REQUESTS_MIN:
            return f"only {one.found.n} requests in the run {word}; {REQUESTS_MIN} are needed"
        if metric != "errors" and not _interval(one, metric):
            least = needed(QUANTILES[metric])
            return f"only {one.found.good} good answers in the run {word}; {metric} needs {least}"
    return ""


def _interval(one: Stretch, metric: str) -> tuple[float, float] | None:
    found = one.found.percentile_interval_ms(QUANTILES[metric])
    return found if found is not None and found[0] > 0 else None


def _value(one: Stretch | None, metric: str) -> float | None:
    if one is None:
        return None
    if metric == "errors":
        return one.found.error_ratio
    return one.found.percentile_ms(QUANTILES[metric])


def _change(now: Stretch, before: Stretch, metric: str, tail: float) -> tuple[float, float, float]:
    """The change and both ends of its interval."""
    z = normal_quantile(tail)
    if metric == "errors":
        a, b = now.found, before.found
        low, high = share_difference((a.n - a.good, a.n), (b.n - b.good, b.n), z)
        return (a.error_ratio or 0) - (b.error_ratio or 0), low, high
    ends = (_interval(now, metric) or (1, 1), _interval(before, metric) or (1, 1))
    half = z * math.sqrt(sum(log_variance(*one) for one in ends))
    log = math.log((_value(now, metric) or 1) / (_value(before, metric) or 1))
    return fold(log), fold(log - half), fold(log + half)


def _row(now: Stretch, before: Stretch | None, metric: str, tail: float, why: str) -> Compared:
    by = low = high = None
    change = Change.NOT_COMPARED
    if before is not None and not why:
        by, low, high = _change(now, before, metric, tail)
        change = word_of(by, low, high, share=metric == "errors")
    return Compared(
        phase=now.phase,
        subject=now.subject,
        metric=metric,
        change=change,
        now=_value(now, metric),
        before=_value(before, metric),
        by=by,
        by_low=low,
        by_high=high,
        n=now.found.n,
        runs=0 if before is None else 1,
        n_least=0 if before is None else before.found.n,
        why=why,
    )
