"""One change of a finding: what every entry needs, and what is the same for all of them."""

from __future__ import annotations

import datetime
from dataclasses import replace

from gameday.model.finding_record import (
    OURSELVES,
    ROLE,
    Entry,
    EntryKind,
    Evidence,
    FindingRecord,
    FindingSeverity,
    FindingsPolicy,
    FindingState,
)


class TransitionError(Exception):
    """What was asked is not possible as the finding stands. The message says what would be."""


def stamp(now: datetime.datetime) -> str:
    """The time of an entry, in UTC and to the millisecond."""
    utc = now.astimezone(datetime.UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"


def moment(text: str) -> datetime.datetime:
    """The time that an entry or a run has."""
    return datetime.datetime.fromisoformat(text)


def as_of(record: FindingRecord, now: datetime.datetime, policy: FindingsPolicy) -> FindingRecord:
    """The record as it stands now: opened again if the risk is accepted no longer."""
    until = record.accepted_until
    if not until or today(now) <= datetime.date.fromisoformat(until):
        return record
    ended = datetime.datetime.combine(
        datetime.date.fromisoformat(until) + datetime.timedelta(days=1),
        datetime.time(),
        datetime.UTC,
    )
    return with_entry(
        record,
        EntryKind.EXPIRED,
        FindingState.OPEN,
        at=ended,
        why=f"the risk was accepted until {until}",
        due=due_day(ended, record.severity, policy),
    )


def with_entry(
    record: FindingRecord,
    what: EntryKind,
    state: FindingState,
    *,
    at: datetime.datetime,
    role: str = OURSELVES,
    why: str = "",
    run: str = "",
    severity: FindingSeverity | None = None,
    owner_team: str | None = None,
    due: str | None = None,
    until: str | None = None,
    by: str | None = None,
    evidence: Evidence | None = None,
) -> FindingRecord:
    """*record* with one more entry."""
    entry = Entry(
        at=stamp(at), what=what, state=state, role=role, why=why, run=run, severity=severity,
        owner_team=owner_team, due=due, until=until, by=by, evidence=evidence,
    )  # fmt: skip
    return replace(record, entries=(*record.entries, entry))


def not_now(record: FindingRecord, verb: str, instead: str) -> TransitionError:
    """That *verb* is not possible as the finding stands, and what to do."""
    return TransitionError(
        f"`{record.id}` is {state_words(record.state)}, so `{verb}` is not possible; {instead}"
    )


def state_words(state: FindingState) -> str:
    """For people."""
    return state.value.replace("_", " ")


def role_of(text: str) -> str:
    """*text*, if it can be a role or a team."""
    if ROLE.fullmatch(text) is None:
        raise TransitionError(
            f"`{text}` is no role or team; write small letters, digits, `-`, `_` and `.`, such as "
            "`service-owner`; findings name no people"
        )
    return text


def reason_of(why: str) -> str:
    """*why*, if it says anything."""
    if not why.strip():
        raise TransitionError("a reason is needed; say it with `--why`")
    return why.strip()


def is_later(run_started: str, than: str) -> bool:
    """Whether a run that began at *run_started* began after *than*."""
    return bool(run_started) and bool(than) and moment(run_started) > moment(than)


def today(now: datetime.datetime) -> datetime.date:
    """The day in UTC."""
    return now.astimezone(datetime.UTC).date()


def due_day(now: datetime.datetime, severity: FindingSeverity, policy: FindingsPolicy) -> str:
    """The day by which a finding of this severity should be verified."""
    return (today(now) + datetime.timedelta(days=policy.due_days[severity])).isoformat()
