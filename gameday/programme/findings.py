"""What may become of a finding: a pure state machine. Each change is one more entry.

    open -> assigned -> in_progress -> fix_claimed -> verified
    any of the first four -> risk_accepted | superseded | wont_fix

`verified` is said by runs, and of what no run can show by an observer of a drill. A failure after
it opens the finding again (`regressed`), one after a claim sends it back to work (`refuted`), an
acceptance ends with its last day (`expired`).
Each function takes the record and the time (`now`, with a time zone) and returns the record after.
"""

from __future__ import annotations

import datetime

from gameday.model.finding_record import (
    ACTIVE,
    EntryKind,
    Evidence,
    FindingRecord,
    FindingSeverity,
    FindingsPolicy,
    FindingState,
)
from gameday.programme.finding_entry import (
    TransitionError,
    as_of,
    due_day,
    is_later,
    moment,
    not_now,
    reason_of,
    role_of,
    today,
    with_entry,
)
from gameday.programme.finding_verify import proofs_of
from gameday.programme.observed import Observation
from gameday.programme.strength import weaker

State, Kind = FindingState, EntryKind


def failed(
    record: FindingRecord, seen: Observation, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    """The same failed in one more run. A run that is known already changes nothing."""
    record = as_of(record, now, policy)
    if seen.evidence.run in record.runs:
        return record
    what, state = _after_failure(record, seen.evidence)
    opened = state is State.OPEN and record.state is not State.OPEN
    return with_entry(
        record,
        what,
        state,
        at=now,
        why=seen.evidence.summary,
        run=seen.evidence.run,
        due=due_day(now, record.severity, policy) if opened else None,
        evidence=seen.evidence,
    )


def _after_failure(record: FindingRecord, failure: Evidence) -> tuple[EntryKind, FindingState]:
    if record.state is State.FIX_CLAIMED and is_later(failure.started, record.claimed_at):
        return Kind.REFUTED, State.IN_PROGRESS
    if record.state is State.VERIFIED:
        begun = moment(failure.started)
        later = [proof for proof in proofs_of(record) if moment(proof.started) >= begun]
        if not later:
            return Kind.REGRESSED, State.OPEN
        if all(weaker(failure, proof) for proof in later):
            return Kind.REFUTED, State.OPEN  # what passed after it was not as hard
    return Kind.SEEN_AGAIN, record.state


def assigned(
    record: FindingRecord,
    *,
    role: str,
    team: str = "",
    severity: FindingSeverity | None = None,
    why: str = "",
    now: datetime.datetime,
    policy: FindingsPolicy,
) -> FindingRecord:
    """Somebody's: its owner team's, or another *team*'s. Takes up again what was put aside."""
    record = as_of(record, now, policy)
    if record.state is State.VERIFIED:
        raise not_now(record, "assign", "it is opened again by a run that fails")
    team = role_of(team) if team else record.owner_team
    if not team:
        raise TransitionError(f"`{record.id}` has no owner team; name one with `--team`")
    back = record.state not in ACTIVE
    worse = severity is not None and severity is not record.severity
    renewed = back or worse
    return with_entry(
        record,
        Kind.ASSIGNED,
        State.ASSIGNED,
        at=now,
        role=role_of(role),
        why=why,
        owner_team=team,
        severity=severity if worse else None,
        due=due_day(now if back else moment(record.opened_at), severity or record.severity, policy)
        if renewed
        else None,
    )


def started(
    record: FindingRecord, *, role: str, why: str = "", now: datetime.datetime,
    policy: FindingsPolicy,
) -> FindingRecord:  # fmt: skip
    """Work on it has begun."""
    record = as_of(record, now, policy)
    if record.state is not State.ASSIGNED:
        raise not_now(record, "start", f"first `gameday findings assign {record.id}`")
    return with_entry(record, Kind.STARTED, State.IN_PROGRESS, at=now, role=role_of(role), why=why)


def claimed(
    record: FindingRecord, *, role: str, why: str, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    """A fix is in place, as far as its team knows. Only runs that start from now on verify it."""
    record = as_of(record, now, policy)
    if record.state is not State.IN_PROGRESS:
        raise not_now(record, "claim", f"first `gameday findings start {record.id}`")
    return with_entry(
        record, Kind.CLAIMED, State.FIX_CLAIMED, at=now, role=role_of(role), why=reason_of(why)
    )


def accepted(
    record: FindingRecord,
    *,
    role: str,
    until: datetime.date,
    why: str,
    now: datetime.datetime,
    policy: FindingsPolicy,
) -> FindingRecord:
    """The risk is accepted by a *role* that may, until a day after which it is open again."""
    record = _aside(record, "accept", now, policy)
    if role not in policy.approvers:
        roles = ", ".join(f"`{one}`" for one in policy.approvers)
        raise TransitionError(f"`{role}` may not accept a risk; these may: {roles}")
    last = today(now) + datetime.timedelta(days=policy.longest_days)
    if not today(now) <= until <= last:
        raise TransitionError(
            f"`{until}` is not possible; a risk is accepted until a day from today to {last}"
        )
    return with_entry(
        record, Kind.ACCEPTED, State.RISK_ACCEPTED,
        at=now, role=role_of(role), why=reason_of(why), until=until.isoformat(),
    )  # fmt: skip


def superseded(
    record: FindingRecord, by: FindingRecord, *, role: str, why: str = "",
    now: datetime.datetime, policy: FindingsPolicy,
) -> FindingRecord:  # fmt: skip
    """Another finding stands for it now. Raises where that one is put aside itself."""
    record = _aside(record, "supersede", now, policy)
    if by.id == record.id:
        raise TransitionError(f"`{record.id}` cannot stand for itself")
    if by.state is State.SUPERSEDED:
        raise TransitionError(f"`{by.id}` is superseded itself; name the one that stands for it")
    return with_entry(
        record, Kind.SUPERSEDED, State.SUPERSEDED, at=now, role=role_of(role), why=why, by=by.id
    )


def refused(
    record: FindingRecord, *, role: str, why: str, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    """Nothing will be done about it, and why."""
    record = _aside(record, "wont-fix", now, policy)
    return with_entry(
        record, Kind.WONT_FIX, State.WONT_FIX, at=now, role=role_of(role), why=reason_of(why)
    )


def _aside(
    record: FindingRecord, verb: str, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    record = as_of(record, now, policy)
    if record.state not in ACTIVE:
        raise not_now(record, verb, f"`gameday findings assign {record.id}` takes it up again")
    return record
