"""Which of several pieces of evidence decides, and how old it may be.

What passed counts while it is fresh. What failed counts until something passed after it, however
old it is: a failure is not mended by time. Smoke runs, and runs that did not tell their version,
are kept apart: what they failed stands against a launch, but what they passed does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from gameday.model.readiness import Cited, ReadyState
from gameday.model.readiness_evidence import SMOKE, Record, RunSeen
from gameday.model.readiness_policy import ReadyPolicy, ReadyRule
from gameday.model.units import format_ms
from gameday.model.verdict import RunStatus

#: What is listed of the evidence of one row.
_CITED_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What evidence has to be: of which version, as of when, by which rule."""

    rule: ReadyRule
    policy: ReadyPolicy
    version: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One piece of evidence: whether it is good, and in words.

    `unused` says why it says nothing, `apart` why it cannot count for what it passed; both are
    empty for usual evidence. `doubt` is why what passed before it does not count any more. Evidence
    of one `lane` takes turns: the last of them holds.
    """

    at: datetime
    good: bool
    text: str
    cited: Cited
    lane: str = ""
    apart: str = ""
    unused: str = ""
    doubt: str = ""

    @property
    def rank(self) -> tuple[datetime, bool]:
        """By time; of two at once the bad one is the later."""
        return self.at, not self.good


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What the evidence says as a whole."""

    state: ReadyState
    reason: str
    evidence: tuple[Cited, ...] = ()
    until: datetime | None = None


def pick(seen: Iterable[Seen], ask: Ask, *, nothing: str) -> Picked:
    """The answer; *nothing* is the reason where there is no evidence at all."""
    found = sorted((one for one in seen if one.at <= ask.now), key=lambda one: one.rank)
    used = [one for one in found if not one.unused and not one.doubt]
    passed = next((one for one in reversed(used) if one.good and not one.apart), None)
    last = {one.lane: one for one in used}
    against = [
        one for one in last.values() if not one.good and (passed is None or one.at >= passed.at)
    ]
    if against:
        worst = max(against, key=lambda one: one.rank)
        return Picked(state=ReadyState.NOT_MET, reason=worst.text, evidence=_cited(against))
    doubts = [one for one in found if one.doubt and passed is not None and one.at >= passed.at]
    if doubts:
        return Picked(
            state=ReadyState.NOT_MEASURED, reason=doubts[-1].doubt, evidence=_cited(doubts)
        )
    if passed is None:
        return Picked(
            state=ReadyState.NOT_MEASURED, reason=_why_not(found, nothing), evidence=_cited(found)
        )
    return _fresh(passed, ask)


def _fresh(passed: Seen, ask: Ask) -> Picked:
    days = ask.rule.fresh_days
    until = None if days is None else passed.at + timedelta(days=days)
    if until is not None and until < ask.now:
        age = (ask.now - passed.at).days
        return Picked(
            state=ReadyState.NOT_MEASURED,
            reason=f"stale: {passed.text}, but that is {age} days ago, and {days} are allowed",
            evidence=_cited([passed]),
        )
    return Picked(state=ReadyState.MET, reason=passed.text, evidence=_cited([passed]), until=until)


def _why_not(found: list[Seen], nothing: str) -> str:
    """Why nothing counts: what speaks of the newest evidence that comes nearest."""
    apart = next((one for one in reversed(found) if one.good and one.apart), None)
    if apart is not None:
        return f"{apart.text}, but {apart.apart}"
    unused = next((one for one in reversed(found) if one.unused or one.doubt), None)
    return nothing if unused is None else f"{nothing}; {unused.unused or unused.doubt}"


def _cited(seen: Iterable[Seen]) -> tuple[Cited, ...]:
    newest = sorted(seen, key=lambda one: one.rank, reverse=True)
    return tuple(one.cited for one in newest[:_CITED_MAX])


def seen_run(
    run: RunSeen,
    ask: Ask,
    *,
    good: bool | None,
    text: str,
    unused: str = "",
    doubts: bool = True,
) -> Seen:
    """A run as evidence; *good* is None if it says nothing, and *unused* why.

    With *doubts* one that was stopped, or is dirty, casts doubt on what passed before it.
    """
    counts = ask.rule.version.counts(ask.version, run.version)
    smoke = run.profile == SMOKE
    why, doubtful = unused if good is None else "", False
    if run.kind not in ask.policy.environments:
        why = f"run `{run.id}` was in `{run.environment}`, and runs in {run.kind} say nothing here"
    elif counts is False:
        why = f"run `{run.id}` tested version {run.version}"
    else:
        doubtful = doubts and good is None and (not run.clean or run.status is RunStatus.STOPPED)
    return Seen(
        at=run.ended,
        good=bool(good),
        text=text,
        cited=cited_run(run, ask.now),
        lane=f"{'smoke' if smoke else 'run'} {'' if counts else 'version not told'}",
        apart=_apart(counts, smoke=smoke and not ask.rule.smoke),
        unused="" if doubtful else why,
        doubt=f"{why}, after what passed" if doubtful else "",
    )


def _apart(counts: bool | None, *, smoke: bool) -> str:
    if counts is None:
        return "that run did not tell which version it tested (`--service-version`)"
    return "that was a smoke run, and those do not count here" if smoke else ""


def useless(run: RunSeen) -> str:
    """Why a run cannot show that something holds; empty if it can."""
    if not run.clean:
        return f"run `{run.id}` could not show that its faults are gone"
    if run.status is not RunStatus.COMPLETED:
        return f"run `{run.id}` was {run.status.value}"
    return "" if run.sound else f"run `{run.id}` was not valid: {run.reason}"


def seen_record(record: Record, ask: Ask) -> Seen:
    """A drill as evidence: good from the morning of its day, bad until the end of it."""
    slow = (
        record.took_ms is not None
        and record.within_ms is not None
        and record.took_ms > record.within_ms
    )
    good = record.passed and not slow
    took = f" in {format_ms(record.took_ms)}" if record.took_ms is not None else ""
    what = "passed" if record.passed else "failed"
    more = f", and {format_ms(record.within_ms or 0)} were allowed" if slow else ""
    unused = ""
    if record.kind and record.kind not in ask.policy.environments:
        unused = (
            f"a drill was in `{record.environment}`, and drills in {record.kind} say nothing here"
        )
    day = record.at or datetime.combine(record.on, time.min, UTC)
    late = record.at or datetime.combine(record.on, time.max, UTC)
    return Seen(
        at=day if good else min(late, max(ask.now, day)),
        good=good,
        text=f"a drill {what}{took} on {record.on.isoformat()}, seen by {record.role}{more}",
        cited=Cited(
            what=f"record: {record.evidence}",
            where=record.where,
            at=day.strftime("%Y-%m-%dT%H:%M:%SZ"),
            age_days=max(0, (ask.now - day).days),
            environment="",
        ),
        lane="record",
        unused=unused,
        doubt="" if unused else record.doubt,
    )


def cited_run(run: RunSeen, now: datetime) -> Cited:
    """A run as it is listed."""
    return Cited(
        what=f"run {run.id}",
        where=run.where,
        at=run.ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        age_days=max(0, (now - run.ended).days),
        environment=run.environment,
    )


def of_scenario(runs: Iterable[RunSeen], scenario: str) -> Iterator[RunSeen]:
    """The runs of one scenario, with its faults."""
    return (run for run in runs if run.scenario == scenario and not run.control)
