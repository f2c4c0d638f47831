"""How a finding begins: raised from an expectation that failed in a run, or by hand."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from gameday.model.finding_record import (
    OURSELVES,
    Entry,
    EntryKind,
    Evidence,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingsPolicy,
    FindingState,
    fingerprint_of,
    id_of,
)
from gameday.programme.finding_entry import due_day, role_of, stamp
from gameday.programme.observed import Demand, Observation, demand_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """A finding that somebody noticed. With a `scenario`, a passing run of it can verify it.

    For that `expectation` has to be what runs ask: the name of the check, and the expectation as it
    is written, such as `slo/criterion fault: p95 < 1s`.
    """

    title: str
    service: str
    failure_mode: str
    expectation: str
    kind: FindingClass
    severity: FindingSeverity
    owner_team: str = ""
    scenario: str = ""
    environment_kind: str = "local"


def raised(seen: Observation, now: datetime.datetime, policy: FindingsPolicy) -> FindingRecord:
    """A new finding, from an expectation that failed in a run."""
    return FindingRecord(
        id=seen.id,
        title=f"`{seen.evidence.expectation}` does not hold",
        service=seen.service,
        failure_mode=seen.failure_mode,
        expectation=seen.expectation,
        kind=seen.kind,
        entries=(
            Entry(
                at=stamp(now),
                what=EntryKind.RAISED,
                state=FindingState.OPEN,
                role=OURSELVES,
                why=seen.evidence.summary,
                run=seen.evidence.run,
                severity=seen.severity,
                owner_team=seen.owner_team or None,
                due=due_day(now, seen.severity, policy),
                evidence=seen.evidence,
            ),
        ),
    )


def added(
    given: ByHand, *, role: str, why: str, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    """A new finding, by hand."""
    check, _, text = given.expectation.partition(" ")
    known = "/" in check  # as runs call it: the check, and the text of the expectation
    demand = demand_of(text) if known else Demand(question=given.expectation)
    expectation = f"{check} {demand.question}" if known else demand.question
    fingerprint = fingerprint_of(given.service, given.failure_mode, expectation, given.kind)
    evidence = None
    if given.scenario:
        evidence = Evidence(
            scenario=given.scenario,
            check=check if known else "",
            expectation=text if known else given.expectation,
            limit=demand.limit,
            least=demand.least,
            environment_kind=given.environment_kind,
        )
    return FindingRecord(
        id=id_of(fingerprint),
        title=given.title,
        service=given.service,
        failure_mode=given.failure_mode,
        expectation=expectation,
        kind=given.kind,
        entries=(
            Entry(
                at=stamp(now),
                what=EntryKind.RAISED,
                state=FindingState.OPEN,
                role=role_of(role),
                why=why,
                severity=given.severity,
                owner_team=role_of(given.owner_team) if given.owner_team else None,
                due=due_day(now, given.severity, policy),
                evidence=evidence,
            ),
        ),
    )
