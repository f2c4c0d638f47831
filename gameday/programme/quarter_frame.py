"""The runs of a quarter and of the one before, and how a number is made of them and compared."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gameday.kpi.alert_numbers import wilson
from gameday.kpi.survival import Watched, quantile
from gameday.model.quarter import RunSeen, Stratum
from gameday.model.quarter_report import Number, Paired, Trend
from gameday.programme.quarter_period import Period

MEASURED, CENSORED, NOT_MEASURED = "measured", "censored", "not_measured"
#: Fewer cases on either side say nothing of a change.
TREND_LEAST = 5
DAY_S = 86_400

#: What a run says about a share: how many of how many.
Counted = Callable[[RunSeen], tuple[int, int]]
#: Durations that a run says something of.
Timed = Callable[[RunSeen], Iterable[Watched]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a report of a quarter looks at. `now` and `before` end in the quarters, oldest first."""

    period: Period
    as_of: datetime.datetime
    every: tuple[RunSeen, ...]  # all that ended until `as_of`
    now: tuple[RunSeen, ...]
    before: tuple[RunSeen, ...]

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """All environments and kinds of runs of this quarter."""
        return tuple(sorted({run.stratum for run in self.now}))


def frame_of(runs: Iterable[RunSeen], period: Period, as_of: datetime.datetime) -> Frame:
    """The frame. A run counts in the quarter in which it ended."""
    ended = sorted((moment(run.ended), run.run, run) for run in runs)
    known = [(at, run) for at, _, run in ended if at <= as_of]
    return Frame(
        period=period,
        as_of=as_of,
        every=tuple(run for _, run in known),
        now=tuple(run for at, run in known if period.has(at)),
        before=tuple(run for at, run in known if period.before.has(at)),
    )


def was_due(due: datetime.datetime, period: Period, as_of: datetime.datetime) -> bool:
    """Whether the last second before *due* is over, in *period*: midnight ends the day before."""
    last = due - datetime.timedelta(seconds=1)
    return period.has(last) and last <= as_of


def moment(text: str) -> datetime.datetime:
    """The time that a text of the index has."""
    return datetime.datetime.fromisoformat(text)


def days_since(text: str, now: datetime.datetime) -> int:
    """Whole days."""
    return int((now - moment(text)).total_seconds() // DAY_S)


def of_stratum(runs: Iterable[RunSeen], stratum: Stratum) -> tuple[RunSeen, ...]:
    """Those of it, the valid ones alone."""
    return tuple(run for run in runs if run.stratum == stratum and run.valid)


def grouped(
    runs: Iterable[RunSeen], names: Callable[[RunSeen], str]
) -> Iterator[tuple[str, tuple[RunSeen, ...]]]:
    """The runs of each name, in order of the names."""
    found: dict[str, list[RunSeen]] = {}
    for run in runs:
        found.setdefault(names(run), []).append(run)
    for name in sorted(found):
        yield name, tuple(found[name])


def share(
    name: str,
    k: int,
    n: int,
    *,
    stratum: Stratum | None = None,
    subject: str = "",
    target: str = "",
    text: str = "",
    paired: Paired | None = None,
) -> Number:
    """A share with Wilson's interval; without cases it is not measured."""
    low, high = wilson(k, n) if n else (None, None)
    return Number(
        name=name, subject=subject, unit="share", k=k, n=n, low=low, high=high,
        environment=stratum.environment if stratum else "",
        kind=stratum.kind.value if stratum else "",
        state=MEASURED if n else NOT_MEASURED,
        value=k / n if n else None,
        target=target, text=text, paired=paired,
    )  # fmt: skip


def plain(
    name: str,
    value: float | None,
    n: int,
    unit: str,
    *,
    stratum: Stratum | None = None,
    subject: str = "",
    target: str = "",
    text: str = "",
) -> Number:
    """A count, a sum or a largest value; None: not measured."""
    return Number(
        name=name, subject=subject, unit=unit, value=value, n=n, target=target, text=text,
        environment=stratum.environment if stratum else "",
        kind=stratum.kind.value if stratum else "",
        state=NOT_MEASURED if value is None else MEASURED,
    )  # fmt: skip


def lasting(
    name: str,
    durations: Sequence[Watched],
    q: float,
    *,
    stratum: Stratum | None = None,
    subject: str = "",
    unit: str = "ms",
    target: str = "",
    text: str = "",
) -> Number:
    """A quantile of durations, what was not seen to end counted as such."""
    found = quantile(durations, q)
    state = MEASURED if found.value is not None else CENSORED if found.n else NOT_MEASURED
    return Number(
        name=name, subject=subject, unit=unit, state=state, value=found.value, n=found.n,
        k=found.ended, low=found.low, high=found.high,
        beyond=found.beyond if state == CENSORED else None,
        environment=stratum.environment if stratum else "",
        kind=stratum.kind.value if stratum else "",
        target=target, text=text,
    )  # fmt: skip


def counted(runs: Iterable[RunSeen], count: Counted) -> tuple[int, int]:
    """*count* over all *runs*."""
    k = n = 0
    for run in runs:
        more_k, more_n = count(run)
        k, n = k + more_k, n + more_n
    return k, n


def timed(runs: Iterable[RunSeen], durations: Timed) -> list[Watched]:
    """All durations of *runs*."""
    return [one for run in runs for one in durations(run)]


def paired(
    now: Sequence[RunSeen], before: Sequence[RunSeen], count: Counted, *, up: bool = True
) -> Paired | None:
    """The share over the scenarios that both quarters have; None without one. *up*: more is better.

    A change is said only with enough cases on both sides, and where the intervals do not touch.
    """
    sides = [{name: counted(of, count) for name, of in grouped(runs, _drill)} for runs in
             (now, before)]  # fmt: skip
    both = [name for name in sides[0] if sides[0][name][1] and sides[1].get(name, (0, 0))[1]]
    if not both:
        return None
    (now_k, now_n), (before_k, before_n) = (
        (sum(side[name][0] for name in both), sum(side[name][1] for name in both)) for side in sides
    )
    return Paired(
        pairs=len(both), now_k=now_k, now_n=now_n, before_k=before_k, before_n=before_n,
        trend=trend_of((now_k, now_n), (before_k, before_n), up=up),
    )  # fmt: skip


def paired_once(now: tuple[int, int], before: tuple[int, int], *, up: bool = True) -> Paired | None:
    """The share of all of both quarters, `k` of `n`; None where the one before has no case."""
    if not before[1]:
        return None
    return Paired(
        pairs=1, now_k=now[0], now_n=now[1], before_k=before[0], before_n=before[1],
        trend=trend_of(now, before, up=up),
    )  # fmt: skip


def trend_of(now: tuple[int, int], before: tuple[int, int], *, up: bool) -> Trend:
    """Whether *now* is another share than *before*."""
    if min(now[1], before[1]) < TREND_LEAST:
        return Trend.TOO_FEW
    (low, high), (low_before, high_before) = wilson(*now), wilson(*before)
    if low > high_before:
        return Trend.BETTER if up else Trend.WORSE
    if high < low_before:
        return Trend.WORSE if up else Trend.BETTER
    return Trend.NOT_SHOWN


def _drill(run: RunSeen) -> str:
    return run.drill
