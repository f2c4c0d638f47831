"""Findings over a quarter: how they flow, how old they are, and whether due dates were kept."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gameday.kpi.survival import Watched
from gameday.model.finding_record import ACTIVE, EntryKind, FindingSeverity, FindingState
from gameday.model.quarter import Change, FindingSeen
from gameday.model.quarter_report import Exposure, Number, Paired
from gameday.programme.quarter_frame import (
    DAY_S,
    Frame,
    lasting,
    moment,
    plain,
    share,
    trend_of,
)
from gameday.programme.quarter_period import Period

_OPENED = (EntryKind.RAISED, EntryKind.REGRESSED, EntryKind.REFUTED, EntryKind.EXPIRED)
_AGAIN = (EntryKind.SEEN_AGAIN, EntryKind.REGRESSED, EntryKind.REFUTED)
_HEAVY = (FindingSeverity.CRITICAL, FindingSeverity.HIGH)
#: What is counted day by day, and by which changes.
FLOW: Mapping[str, tuple[EntryKind, ...]] = {
    "opened": (EntryKind.RAISED,),
    "claimed": (EntryKind.CLAIMED,),
    "verified": (EntryKind.VERIFIED,),
    "regressed": (EntryKind.REGRESSED,),
}
SEVERITIES = tuple(one.value for one in FindingSeverity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One finding as it stood at some moment."""

    finding: FindingSeen
    state: FindingState
    severity: FindingSeverity
    owner: str
    due: datetime.date
    opened: datetime.datetime
    until: str
    changes: tuple[Change, ...]

    @property
    def is_active(self) -> bool:
        """Whether somebody has something to do."""
        return self.state in ACTIVE

    def age_days(self, now: datetime.datetime) -> int:
        """Since it was opened, or opened again."""
        return int((now - self.opened).total_seconds() // DAY_S)


def standing(finding: FindingSeen, at: datetime.datetime) -> Standing | None:
    """How *finding* stood at *at*; None if it was not there yet.

    A risk that is accepted until a day before *at* is accepted no longer, whether or not anybody
    has noticed.
    """
    known = tuple(one for one in finding.changes if moment(one.at) <= at)
    if not known:
        return None
    opened = [o for o in known if o.what in _OPENED and o.state == FindingState.OPEN]
    state = FindingState(known[-1].state)
    until = _last(known, "until") if state is FindingState.RISK_ACCEPTED else ""
    if until and at.date() > datetime.date.fromisoformat(until):
        state = FindingState.OPEN
    return Standing(
        finding=finding,
        state=state,
        severity=FindingSeverity(_last(known, "severity")),
        owner=_last(known, "owner"),
        due=datetime.date.fromisoformat(_last(known, "due")),
        opened=moment(opened[-1].at if opened else known[0].at),
        until=until,
        changes=known,
    )


def _last(changes: Sequence[Change], name: str) -> str:
    return next((str(v) for c in reversed(changes) if (v := getattr(c, name)) is not None), "")


def all_standing(findings: Sequence[FindingSeen], at: datetime.datetime) -> tuple[Standing, ...]:
    """Those that were there at *at*, the worst first."""
    found = [one for one in (standing(finding, at) for finding in findings) if one is not None]
    found.sort(key=lambda one: (SEVERITIES.index(one.severity), one.due, one.finding.id))
    return tuple(found)


def finding_numbers(findings: Sequence[FindingSeen], frame: Frame) -> Iterator[Number]:
    """All of them, over all services."""
    now = all_standing(findings, frame.as_of)
    active = [one for one in now if one.is_active]
    yield from _counts(now, frame)
    yield from _repeats(now, frame.period)
    yield from _sla(findings, frame)
    heavy = sum(one.severity in _HEAVY for one in active)
    yield plain("exposure", float(heavy), len(active), "count",
                text="open findings that are critical or high, with no accepted risk")  # fmt: skip
    for severity in FindingSeverity:
        ages = [float(one.age_days(frame.as_of)) for one in active if one.severity is severity]
        subject = f"severity:{severity.value}"
        seen = [Watched(value=age, ended=True) for age in ages]
        yield lasting("open_age_median", seen, 0.5, subject=subject, unit="days",
                      text="age of what is open")  # fmt: skip
        yield plain("open_age_max", max(ages, default=None), len(ages), "days", subject=subject,
                    text="the oldest that is open")  # fmt: skip
    waits = list(_verification(now, frame))
    yield lasting("verification_lag_median", waits, 0.5, unit="days",
                  text="from a claimed fix to a run that proved it")  # fmt: skip


def _counts(now: Sequence[Standing], frame: Frame) -> Iterator[Number]:
    for name, kinds in FLOW.items():
        n = sum(one.what in kinds for s in now for one in _within(s.changes, frame.period))
        yield plain(f"findings_{name}", float(n), len(now), "count",
                    text=f"times that a finding was {name} in the quarter")  # fmt: skip
    n = sum(one.is_active for one in now)
    yield plain("findings_open", float(n), len(now), "count", text="open at the end")


def _repeats(now: Sequence[Standing], period: Period) -> Iterator[Number]:
    """A finding that failed in the quarter is a repeat if it had been seen before."""
    failed = k = 0
    words: dict[str, int] = dict.fromkeys(_REPEATS, 0)
    for one in now:
        raised = [c for c in _within(one.changes, period) if c.what == EntryKind.RAISED]
        again = [c for c in _within(one.changes, period) if c.what in _AGAIN]
        if not raised and not again:
            continue
        failed += 1
        if again:
            k += 1
            words[_worst(again)] += 1
    yield share("repeat_rate", k, failed,
                text="findings that failed in the quarter and had been seen before")  # fmt: skip
    for word, count in words.items():
        target = "0" if word == "after_verified" else ""
        yield plain(f"repeats_{word}", float(count), failed, "count", target=target,
                    text=_REPEATS[word])  # fmt: skip


_REPEATS = {
    "after_verified": "failed again after the fix was verified",
    "under_accepted_risk": "failed again while the risk was accepted",
    "while_open": "failed again while nobody had fixed it",
}


def _worst(again: Sequence[Change]) -> str:
    if any(one.what == EntryKind.REGRESSED for one in again):
        return "after_verified"
    accepted = any(one.state == FindingState.RISK_ACCEPTED for one in again)
    return "under_accepted_risk" if accepted else "while_open"


def _sla(findings: Sequence[FindingSeen], frame: Frame) -> Iterator[Number]:
    """Of what was due in the quarter and not put aside: verified, and claimed, by the due date."""
    text = "of what was due in the quarter, by its due date"
    due = [one for f in findings for one in dues_in(f, frame.period, frame.as_of)]
    before = [one for f in findings for one in dues_in(f, frame.period.before, frame.as_of)]
    for severity in (None, *FindingSeverity):
        now = [one for one in due if severity in (None, one.severity)]
        then = [one for one in before if severity in (None, one.severity)]
        subject = "" if severity is None else f"severity:{severity.value}"
        for name, states, words, target in _SLAS:
            k, k_then = (sum(one.state in states for one in of) for of in (now, then))
            yield share(
                name, k, len(now), subject=subject, target=target, text=f"{words}, {text}",
                paired=_against((k, len(now)), (k_then, len(then))),
            )  # fmt: skip


_SLAS = (
    ("verified_on_time", (FindingState.VERIFIED,), "fixes that were verified", "≥ 90 %"),
    (
        "claimed_on_time",
        (FindingState.VERIFIED, FindingState.FIX_CLAIMED),
        "fixes that were claimed or verified",
        "",
    ),
)


def _against(now: tuple[int, int], before: tuple[int, int]) -> Paired | None:
    """What was due in each quarter; None where nothing was due before."""
    if not before[1]:
        return None
    return Paired(pairs=1, now_k=now[0], now_n=now[1], before_k=before[0], before_n=before[1],
                  trend=trend_of(now, before, up=True))  # fmt: skip


def dues_in(finding: FindingSeen, period: Period, as_of: datetime.datetime) -> Iterator[Standing]:
    """How *finding* stood at the end of each due day that was in *period* and is over.

    A day does not count if the finding was put aside by then (risk accepted, superseded, won't
    fix), or had been given another date.
    """
    now = standing(finding, as_of)
    for day in sorted({one.due for one in now.changes if one.due} if now else ()):
        end = _day_after(datetime.date.fromisoformat(day))
        if not period.has(end - _MOMENT) or end - _MOMENT > as_of + _ROUNDED:
            continue
        then = standing(finding, end - _MOMENT)
        if then is None or then.due.isoformat() != day:
            continue
        if then.is_active or then.state is FindingState.VERIFIED:
            yield then


#: A day is over at its last second.
_ROUNDED = datetime.timedelta(seconds=1)
_MOMENT = datetime.timedelta(microseconds=1)


def _day_after(day: datetime.date) -> datetime.datetime:
    later = day + datetime.timedelta(days=1)
    return datetime.datetime.combine(later, datetime.time(), datetime.UTC)


def _verification(now: Sequence[Standing], frame: Frame) -> Iterator[Watched]:
    """Claims made in the quarter: in days until verified; refuted or waiting is not ended."""
    for one in now:
        claimed: datetime.datetime | None = None
        for change in one.changes:
            at = moment(change.at)
            if change.what == EntryKind.CLAIMED:
                claimed = at
            elif claimed is not None and change.what in (EntryKind.VERIFIED, EntryKind.REFUTED):
                if frame.period.has(claimed):
                    ended = change.what == EntryKind.VERIFIED
                    yield Watched(value=_days(at - claimed), ended=ended)
                claimed = None
        if claimed is not None and frame.period.has(claimed):
            yield Watched(value=_days(frame.as_of - claimed), ended=False)


def _days(span: datetime.timedelta) -> float:
    return round(span.total_seconds() / DAY_S, 3)


def _within(changes: Sequence[Change], period: Period) -> list[Change]:
    return [one for one in changes if period.has(moment(one.at))]


def flow_of(findings: Sequence[FindingSeen], frame: Frame) -> tuple[tuple[str, str, int], ...]:
    """Cumulative from the quarter's first day: day, step, count; a row for each day to `as_of`."""
    days: dict[str, dict[str, int]] = {}
    for finding in findings:
        for change in finding.changes:
            at = moment(change.at)
            if not frame.period.has(at) or at > frame.as_of:
                continue
            step = next((name for name, kinds in FLOW.items() if change.what in kinds), "")
            if step:
                of_day = days.setdefault(at.date().isoformat(), dict.fromkeys(FLOW, 0))
                of_day[step] += 1
    last = min(frame.as_of, frame.period.end - _MOMENT).date()
    day, sums, rows = frame.period.start.date(), dict.fromkeys(FLOW, 0), []
    while day <= last:
        for step, n in days.get(day.isoformat(), {}).items():
            sums[step] += n
        rows += [(day.isoformat(), step, n) for step, n in sums.items()]
        day += datetime.timedelta(days=1)
    return tuple(rows)


def exposures(
    now: Sequence[Standing], tiers: Mapping[str, int], at: datetime.datetime
) -> tuple[Exposure, ...]:
    """What is open, critical or high first; services of a higher tier before others."""
    active = [one for one in now if one.is_active]
    active.sort(
        key=lambda one: (
            SEVERITIES.index(one.severity), tiers.get(one.finding.service, 9), one.due,
            one.finding.id,
        )
    )  # fmt: skip
    return tuple(
        Exposure(
            id=one.finding.id,
            title=one.finding.title,
            service=one.finding.service,
            tier=tiers.get(one.finding.service),
            severity=one.severity.value,
            owner=one.owner,
            due=one.due.isoformat(),
            overdue=one.due < at.date(),
            age_days=one.age_days(at),
        )
        for one in active
    )
