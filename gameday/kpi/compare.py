"""A run against its last valid runs: what changed by more than such runs differ anyway.

The observation is the run, not the request: requests of one run share its machine, its caches and
its minute, so their number says little about how far the next run may lie away. For each phase,
subject and metric two intervals of the change are made, and **the wider one counts on each side**:

- between runs: the prediction interval for one new observation from k earlier ones, Student's t
  with k-1 degrees of freedom (Hahn and Meeker, Statistical Intervals, 1991, chapter 4), on the
  logarithm of p95 and on the share of failures. The spread of the earlier runs holds what differs
  between runs and what is chance within each; a new run with fewer samples gets more.
- within runs: as if only chance within each run existed. p95 by its order statistics (Conover,
  Practical Nonparametric Statistics, 3.2) and the width of a histogram's bucket; shares of failures
  by Newcombe's interval (1998). It keeps earlier runs that were alike by luck, or without a single
  failure, from making every difference look real.

All numbers of a run are looked at together, so each gets an equal part of the chance to miss
(Bonferroni): without a change, all intervals of a run hold with a probability of 1 - `FALSE_ALARMS`
and half of the misses are on the side that is called worse, as far as the runs before are a fair
picture of how runs differ. `tests/unit/kpi/test_compare.py` counts it on drawn runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, variance
from typing import Literal, TypeAlias

from gameday.kpi.stats import INTERVAL_Z
from gameday.kpi.student import normal_quantile, share_difference, t_quantile
from gameday.model.report import Change, Compared, Comparison

#: With fewer earlier runs, what they differ by is not known.
RUNS_MIN = 5
#: More are not looked at: the service of last month is another one.
RUNS_MAX = 10
#: Requests that each run needs for a share of failures: one of 200 is `WORTH["errors"]`.
REQUESTS_MIN = 200
#: The chance that any interval of a run without a change misses, on either side.
FALSE_ALARMS = 0.05
#: A smaller change is never called one: p95 as a share of itself, errors as a difference of shares.
WORTH: Mapping[str, float] = {"p95": 0.1, "errors": 0.005}

#: Standard deviation of rounding to a bucket of the histogram, as a share of the value.
_ROUNDING = 1 / 128 / math.sqrt(12)
#: No change of p95 is shown as more than e^20-fold.
_LOG_MAX = 20.0

Metric: TypeAlias = Literal["p95", "errors"]
METRICS: tuple[Metric, ...] = ("p95", "errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one run says of one subject in one phase. The p95s are None where withheld."""

    phase: str
    subject: str
    complete: bool
    n: int
    bad: int
    p95_ms: float | None
    p95_low_ms: float | None  # 95 % interval by order statistics
    p95_high_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A valid run of the same kind."""

    run_id: str
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The earlier runs, newest first; `left_out` counts those that could not be used, by reason."""

    runs: tuple[EarlierRun, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One number of this run and the same number of earlier ones."""

    metric: Metric
    now: Seen
    before: tuple[Seen, ...]


def not_compared(why: str, runs: Iterable[str] = ()) -> Comparison:
    """A comparison that could not be made."""
    return Comparison(
        change=Change.NOT_COMPARED,
        why=why,
        runs=tuple(runs),
        false_alarms=FALSE_ALARMS,
        coverage=None,
        numbers=(),
    )


def compare(now: Sequence[Seen], history: History) -> Comparison:
    """Each number of this run against the same number of the earlier runs. Pure."""
    used = history.runs[:RUNS_MAX]
    names = tuple(run.run_id for run in used)
    if len(used) < RUNS_MIN:
        return not_compared(_too_few(len(used), history.left_out), names)
    pairs = [_pair(metric, seen, used) for seen in now for metric in METRICS]
    whys = [_lacking(pair) for pair in pairs]
    compared = whys.count("")
    if compared == 0:
        return not_compared(next(iter(whys), "no phase was reached"), names)
    tail = FALSE_ALARMS / 2 / compared
    rows = tuple(
        _empty(pair, why) if why else _compared(pair, tail)
        for pair, why in zip(pairs, whys, strict=True)
    )
    missing = len(pairs) - compared
    return Comparison(
        change=_overall(rows),
        why=f"{missing} of {len(pairs)} numbers could not be compared" if missing else "",
        runs=names,
        false_alarms=FALSE_ALARMS,
        coverage=1 - 2 * tail,
        numbers=rows,
    )


def _overall(rows: Iterable[Compared]) -> Change:
    changes = {row.change for row in rows}
    order = (Change.WORSE, Change.BETTER, Change.NOT_SHOWN)
    return next(change for change in order if change in changes)


def _too_few(found: int, left_out: Mapping[str, int]) -> str:
    like = "no earlier valid run is" if found == 0 else f"{found} earlier valid runs are"
    like = "1 earlier valid run is" if found == 1 else like
    more = ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()) if n)
    return f"{like} like this one, {RUNS_MIN} are needed" + (f" (left out: {more})" if more else "")


def _pair(metric: Metric, now: Seen, runs: Iterable[EarlierRun]) -> _Pair:
    """The earlier runs that have what is asked."""
    same = [
        seen
        for run in runs
        for seen in run.seen
        if (seen.phase, seen.subject) == (now.phase, now.subject)
    ]
    return _Pair(
        metric=metric, now=now, before=tuple(seen for seen in same if not _unfit(metric, seen))
    )


def _unfit(metric: Metric, seen: Seen) -> str:
    """Why this number of one run says nothing; empty if it does."""
    if not seen.complete:
        return "the phase was cut short"
    if metric == "errors":
        few = seen.n < REQUESTS_MIN
        return f"only {seen.n} requests; {REQUESTS_MIN} are needed" if few else ""
    if not seen.p95_ms or not seen.p95_low_ms or not seen.p95_high_ms:
        return f"only {seen.n - seen.bad} good answers; p95 needs 200"
    return ""


def _lacking(pair: _Pair) -> str:
    why = _unfit(pair.metric, pair.now)
    if not why and len(pair.before) < RUNS_MIN:
        why = f"{len(pair.before)} earlier runs have enough samples of it, {RUNS_MIN} are needed"
    return why


def _compared(pair: _Pair, tail: float) -> Compared:
    return _p95(pair, tail) if pair.metric == "p95" else _errors(pair, tail)


def _p95(pair: _Pair, tail: float) -> Compared:
    """On the logarithm: a machine that is a tenth slower is so for 10 ms and for 1 s."""
    logs = [math.log(seen.p95_ms or 1) for seen in pair.before]
    chance = fmean(_log_variance(seen) for seen in pair.before)
    centre = fmean(logs)
    change = math.log(pair.now.p95_ms or 1) - centre
    between = _between(logs, chance, pair, tail)
    chance_of_both = _log_variance(pair.now) + chance / len(logs)
    half = max(between, normal_quantile(tail) * math.sqrt(chance_of_both))
    return _row(
        pair,
        now=pair.now.p95_ms,
        before=math.exp(centre),
        change=fold(change),
        low=fold(change - half),
        high=fold(change + half),
    )


def _errors(pair: _Pair, tail: float) -> Compared:
    """Failures as counts, on a scale on which their spread is the same for few and for many."""
    shares = [seen.bad / seen.n for seen in pair.before]
    requests = fmean(seen.n for seen in pair.before)
    scale = _Scale.of([share * requests for share in shares])
    values = [scale.to(share * requests) for share in shares]
    between = _between(values, 0.25, pair, tail)
    least = scale.back(fmean(values) - between) / requests
    most = scale.back(fmean(values) + between) / requests
    now, centre = pair.now.bad / pair.now.n, fmean(shares)
    pooled = sum(seen.bad for seen in pair.before), sum(seen.n for seen in pair.before)
    low, high = share_difference((pair.now.bad, pair.now.n), pooled, normal_quantile(tail))
    return _row(
        pair,
        now=now,
        before=centre,
        change=now - centre,
        low=max(-1.0, min(low, now - most)),
        high=min(1.0, max(high, now - least)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Counts whose variance is mean + extra * mean^2, on a scale with an even variance.

    Anscombe, Biometrika 35:246 (1948). Without *extra* that is the square root, with much of it the
    logarithm: where runs differ by factors, one with many failures is no proof of a change.
    """

    extra: float

    @classmethod
    def of(cls, counts: Sequence[float]) -> _Scale:
        """With the extra variance that *counts* show."""
        mean = fmean(counts)
        extra = (variance(counts) - mean) / mean**2 if mean else 0.0
        return cls(extra=max(extra, 1e-9))

    def to(self, counted: float) -> float:
        """The value on the scale."""
        return math.asinh(math.sqrt(self.extra * counted)) / math.sqrt(self.extra)

    def back(self, value: float) -> float:
        """The count again; values below the scale mean none."""
        angle = min(_LOG_MAX, max(0.0, value) * math.sqrt(self.extra))
        return math.sinh(angle) ** 2 / self.extra


def _between(values: Sequence[float], chance: float, pair: _Pair, tail: float) -> float:
    """Half of the prediction interval; *chance* is the mean variance within each run.

    A new run with fewer requests than the earlier ones had is less exact than they were.
    """
    spread = variance(values)
    requests = fmean(seen.n for seen in pair.before)
    new = spread + chance * max(0.0, requests / pair.now.n - 1)
    return t_quantile(tail, len(values) - 1) * math.sqrt(new + spread / len(values))


def _log_variance(seen: Seen) -> float:
    return log_variance(seen.p95_low_ms or 1, seen.p95_high_ms or 1)


def log_variance(low_ms: float, high_ms: float) -> float:
    """Variance of the logarithm of a percentile with this 95 % interval, and of its bucket."""
    return float((math.log(high_ms / low_ms) / (2 * INTERVAL_Z)) ** 2 + _ROUNDING**2)


def fold(log: float) -> float:
    """A change of a logarithm as a share of what was: 0.3 is 30 % more."""
    return math.exp(max(-_LOG_MAX, min(_LOG_MAX, log))) - 1


def word_of(change: float, low: float, high: float, *, share: bool) -> Change:
    """What a change with its interval shows; it has to be worth a word too."""
    worth = WORTH["errors" if share else "p95"]
    if low > 0 and change >= worth:
        return Change.WORSE
    if high < 0 and change <= (-worth if share else -worth / (1 + worth)):
        return Change.BETTER
    return Change.NOT_SHOWN


def _row(
    pair: _Pair, *, now: float | None, before: float, change: float, low: float, high: float
) -> Compared:
    found = word_of(change, low, high, share=pair.metric == "errors")
    return Compared(
        phase=pair.now.phase,
        subject=pair.now.subject,
        metric=pair.metric,
        change=found,
        now=now,
        before=before,
        by=change,
        by_low=low,
        by_high=high,
        n=pair.now.n,
        runs=len(pair.before),
        n_least=min(seen.n for seen in pair.before),
        why="",
    )


def _empty(pair: _Pair, why: str) -> Compared:
    return Compared(
        phase=pair.now.phase,
        subject=pair.now.subject,
        metric=pair.metric,
        change=Change.NOT_COMPARED,
        now=None,
        before=None,
        by=None,
        by_low=None,
        by_high=None,
        n=pair.now.n,
        runs=len(pair.before),
        n_least=min((seen.n for seen in pair.before), default=0),
        why=why,
    )
