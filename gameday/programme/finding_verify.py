"""Whether a run verifies a claimed fix; `finding_observe` is for what no run can show."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from gameday.model.finding_record import (
    EntryKind,
    Evidence,
    FindingRecord,
    FindingsPolicy,
    FindingState,
)
from gameday.model.verdict import Outcome
from gameday.programme.finding_entry import as_of, is_later, state_words, with_entry
from gameday.programme.observed import Observation
from gameday.programme.strength import weaker

State, Kind = FindingState, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a run meant for a claimed fix: the record after, and why it is not verified, if so."""

    record: FindingRecord
    reasons: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the run, with those before it, verified the fix."""
        return not self.reasons and self.record.state is State.VERIFIED


def checked(
    record: FindingRecord,
    seen: Iterable[Observation],
    now: datetime.datetime,
    policy: FindingsPolicy,
) -> Checked:
    """Whether a run, whose observations these are, verifies a claimed fix.

    All that it ever failed has to be shown to hold since the claim, by this run or with others.
    """
    record = as_of(record, now, policy)
    if record.state is not State.FIX_CLAIMED:
        return Checked(
            record=record, reasons=(f"it is {state_words(record.state)}, not fix claimed",)
        )
    if not record.failures:
        why = "it was raised by hand without a scenario, so no run can show that it holds; an "
        why += "observer of a drill can: `gameday findings observe`"
        return Checked(record=record, reasons=(why,))
    asked = [one for one in seen if one.expectation == record.expectation]
    if not asked:
        return Checked(record=record, reasons=(f"it did not ask: {record.expectation}",))
    tried = [(one, _why_not(record, one)) for one in asked]
    good = next((one.evidence for one, why in tried if not why), None)
    if good is None or any(one.outcome is Outcome.FAIL for one in asked):
        return Checked(record=record, reasons=next(why for _, why in reversed(tried) if why))
    return _proven(record, good, now)


def _why_not(record: FindingRecord, seen: Observation) -> tuple[str, ...]:
    """Why one observation shows nothing for a claimed fix."""
    if seen.outcome is not Outcome.PASS:
        return (f"it did not pass: {seen.evidence.summary or seen.outcome.value}",)
    if seen.unfit or seen.stopped:
        return (seen.unfit or "it was stopped before its end",)
    if not is_later(seen.evidence.started, record.claimed_at):
        return (f"it began at {seen.evidence.started}, before the claim at {record.claimed_at}",)
    each = [weaker(failure, seen.evidence) for failure in record.failures]
    return () if not all(each) else min(each, key=len)


def _proven(record: FindingRecord, good: Evidence, now: datetime.datetime) -> Checked:
    proofs = (*proofs_of(record), good)
    left = [
        failure
        for failure in record.failures
        if not any(not weaker(failure, proof) for proof in proofs)
    ]
    if not left:
        return Checked(
            record=with_entry(
                record, Kind.VERIFIED, State.VERIFIED,
                at=now, why=good.summary, run=good.run, evidence=good,
            )
        )  # fmt: skip
    if good not in proofs[:-1]:
        record = with_entry(
            record, Kind.PROVEN_IN_PART, State.FIX_CLAIMED,
            at=now, why=good.summary, run=good.run, evidence=good,
        )  # fmt: skip
    why = min((weaker(left[0], proof) for proof in proofs), key=len)
    failure = f"it also failed in `{left[0].run or left[0].scenario}`"
    return Checked(record=record, reasons=(f"{failure}, and that is not shown yet: {why[0]}",))


def proofs_of(record: FindingRecord) -> tuple[Evidence, ...]:
    """What passed since the fix was last claimed."""
    found: list[Evidence] = []
    for entry in reversed(record.entries):
        if entry.what is Kind.CLAIMED:
            break
        if entry.what in (Kind.PROVEN_IN_PART, Kind.VERIFIED) and entry.evidence is not None:
            found.append(entry.evidence)
    return tuple(reversed(found))
