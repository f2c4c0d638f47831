"""The life of a finding: what leads where, what is refused, what only runs may say."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest
from findings_support import POLICY, at, claimed_fix, evidence, fault, seen

from gameday.model.finding_record import (
    EntryKind,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingState,
    continues,
)
from gameday.model.verdict import Outcome
from gameday.programme import findings
from gameday.programme.finding_entry import TransitionError, as_of
from gameday.programme.finding_raise import ByHand, added, raised
from gameday.programme.finding_verify import checked
from gameday.report.finding_text import age_days, is_overdue, render_list, render_one

State = FindingState
Change = Callable[[FindingRecord], FindingRecord]
ROLE = {"role": "team-checkout", "now": at(5), "policy": POLICY}


def verified(record: FindingRecord | None = None, *, run_on: float = 4) -> FindingRecord:
    done = checked(record or claimed_fix(), [seen("run-ok", run_on, fails=False)], at(5), POLICY)
    assert done.verified, done.reasons
    return done.record


CHANGES: dict[str, Change] = {
    "assign": lambda r: findings.assigned(r, **ROLE),
    "start": lambda r: findings.started(r, **ROLE),
    "claim": lambda r: findings.claimed(r, why="fixed", **ROLE),
    "accept": lambda r: findings.accepted(
        r, **{**ROLE, "role": "approver"}, why="rare", until=datetime.date(2026, 11, 1)
    ),
    "supersede": lambda r: findings.superseded(
        r, raised(replace(seen("x", 0), failure_mode="other"), at(0), POLICY), **ROLE
    ),
    "wont-fix": lambda r: findings.refused(r, why="going away", **ROLE),
}
OPEN = raised(seen("run-0", 0), at(0), POLICY)
ASSIGNED = findings.assigned(OPEN, role="owner", now=at(1), policy=POLICY)
STATES = {
    "open": OPEN,
    "assigned": ASSIGNED,
    "in_progress": findings.started(ASSIGNED, role="owner", now=at(2), policy=POLICY),
    "fix_claimed": claimed_fix(),
    "verified": verified(),
    "risk_accepted": CHANGES["accept"](OPEN),
    "superseded": CHANGES["supersede"](OPEN),
    "wont_fix": CHANGES["wont-fix"](OPEN),
}
ASIDE = {"accept": "risk_accepted", "supersede": "superseded", "wont-fix": "wont_fix"}
#: state -> change -> state after; what is not here is refused.
ALLOWED: dict[str, dict[str, str]] = {
    "open": {"assign": "assigned", **ASIDE},
    "assigned": {"assign": "assigned", "start": "in_progress", **ASIDE},
    "in_progress": {"assign": "assigned", "claim": "fix_claimed", **ASIDE},
    "fix_claimed": {"assign": "assigned", **ASIDE},
    "verified": {},
    "risk_accepted": {"assign": "assigned"},
    "superseded": {"assign": "assigned"},
    "wont_fix": {"assign": "assigned"},
}


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("state", sorted(STATES))
def test_every_change_in_every_state(state: str, change: str) -> None:
    before = STATES[state]
    assert before.state.value == state
    if change not in ALLOWED[state]:
        with pytest.raises(TransitionError, match=before.id):
            CHANGES[change](before)
        return

    after = CHANGES[change](before)

    assert after.state.value == ALLOWED[state][change]
    assert continues(before, after)
    assert len(after.entries) == len(before.entries) + 1
    assert after.entries[-1].role in ("team-checkout", "approver")


def test_a_finding_is_raised_with_what_is_known_of_it() -> None:
    assert OPEN.fingerprint == (
        "shop/payments.latency/slo/criterion fault: p95 </resilience_defect"
    )
    assert OPEN.id == raised(seen("another-run", 9), at(9), POLICY).id
    assert OPEN.severity is FindingSeverity.HIGH
    assert OPEN.owner_team == "team-checkout"
    assert OPEN.due == "2026-10-31"
    assert OPEN.entries[0].role == "gameday"
    assert OPEN.entries[0].run == "run-0"


@pytest.mark.parametrize(
    ("severity", "due"),
    [("critical", "2026-10-08"), ("high", "2026-10-31"), ("medium", "2026-12-30"),
     ("low", "2027-03-30")],
)  # fmt: skip
def test_the_day_by_which_it_is_due_is_the_policys(severity: str, due: str) -> None:
    one = replace(seen("run-0", 0), severity=FindingSeverity(severity))

    assert raised(one, at(0), POLICY).due == due


def test_a_run_counts_once() -> None:
    again = findings.failed(OPEN, seen("run-0", 0), at(1), POLICY)

    assert again == OPEN


def test_a_failure_while_it_is_open_is_counted_and_changes_nothing_else() -> None:
    again = findings.failed(ASSIGNED, seen("run-1", 2), at(2), POLICY)

    assert again.state is State.ASSIGNED
    assert (again.recurrences, again.regressions) == (1, 0)
    assert again.due == ASSIGNED.due


def test_a_passing_equal_run_after_the_claim_verifies() -> None:
    after = verified()

    assert after.state is State.VERIFIED
    assert after.verified_by == "run-ok"
    assert after.entries[-1].role == "gameday"
    assert after.entries[-1].evidence is not None


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (seen("r", 4, fails=True), "did not pass"),
        (replace(seen("r", 4, fails=False), outcome=Outcome.INCONCLUSIVE), "did not pass"),
        (replace(seen("r", 4, fails=False), outcome=Outcome.SKIP), "did not pass"),
        (replace(seen("r", 4, fails=False), unfit="it was not valid: x"), "not valid"),
        (replace(seen("r", 4, fails=False), stopped=True), "stopped before its end"),
        (seen("r", 2.9, fails=False), "before the claim"),
        (seen("r", 3, fails=False), "before the claim"),
        (seen("r", 4, fails=False, faults=(fault(latency=200),)), "`latency`"),
        (seen("r", 4, fails=False, environment_kind="ci"), "kind `ci`"),
        (seen("r", 4, fails=False, limit=5_000.0), "asked for less"),
        (seen("r", 4, fails=False, scenario="other"), "not `payments-slow`"),
        (replace(seen("r", 4, fails=False), expectation="slo/steady recovery"), "did not ask"),
    ],
)  # fmt: skip
def test_nothing_less_verifies(run, reason: str) -> None:  # type: ignore[no-untyped-def]
    before = claimed_fix()

    done = checked(before, [run], at(5), POLICY)

    assert not done.verified
    assert done.record == before
    assert reason in done.reasons[0]


@pytest.mark.parametrize("state", sorted(set(STATES) - {"fix_claimed"}))
def test_only_a_claimed_fix_can_be_verified(state: str) -> None:
    done = checked(STATES[state], [seen("r", 4, fails=False)], at(5), POLICY)

    assert not done.verified
    assert done.record == STATES[state]
    assert "not fix claimed" in done.reasons[0]


def test_of_one_question_asked_twice_the_harder_one_has_to_pass() -> None:
    hard = seen("r", 4, fails=True, limit=1_000.0)
    soft = seen("r", 4, fails=False, limit=2_000.0)

    assert not checked(claimed_fix(), [soft, hard], at(5), POLICY).verified
    assert not checked(claimed_fix(), [hard, soft], at(5), POLICY).verified
    passed = replace(hard, outcome=Outcome.PASS)
    assert checked(claimed_fix(), [soft, passed], at(5), POLICY).verified


def test_all_that_it_failed_has_to_hold() -> None:
    """Failed in staging, then in another scenario: both have to pass, in any order."""
    record = raised(seen("run-0", 0), at(0), POLICY)
    record = findings.failed(record, seen("run-1", 0.5, scenario="both-slow"), at(0.5), POLICY)
    record = findings.assigned(record, role="owner", now=at(1), policy=POLICY)
    record = findings.started(record, role="owner", now=at(2), policy=POLICY)
    record = findings.claimed(record, role="owner", why="x", now=at(3), policy=POLICY)

    first = checked(record, [seen("run-2", 4, fails=False)], at(4), POLICY)
    twice = checked(first.record, [seen("run-2", 4, fails=False)], at(4), POLICY)
    second = checked(
        first.record, [seen("run-3", 5, fails=False, scenario="both-slow")], at(5), POLICY
    )

    assert not first.verified
    assert "run-1" in first.reasons[0]
    assert first.record.entries[-1].what is EntryKind.PROVEN_IN_PART
    assert twice.record == first.record
    assert second.verified


def test_what_was_proven_before_a_new_claim_does_not_count() -> None:
    record = findings.failed(claimed_fix(), seen("run-1", 2, scenario="both-slow"), at(3.1), POLICY)
    partly = checked(record, [seen("run-2", 4, fails=False)], at(4), POLICY).record
    refuted = findings.failed(partly, seen("run-3", 5), at(5), POLICY)
    assert refuted.state is State.IN_PROGRESS
    again = findings.claimed(refuted, role="owner", why="x", now=at(6), policy=POLICY)

    done = checked(again, [seen("run-4", 7, fails=False, scenario="both-slow")], at(7), POLICY)

    assert not done.verified


def test_a_failure_after_it_was_verified_opens_it_again() -> None:
    after = findings.failed(verified(), seen("run-2", 8), at(8), POLICY)

    assert after.state is State.OPEN
    assert after.entries[-1].what is EntryKind.REGRESSED
    assert after.regressions == 1
    assert after.due == "2026-11-08"
    assert age_days(after, at(10).date()) == 2


def test_a_weaker_run_may_open_it_again_and_the_old_one_still_has_to_pass() -> None:
    weak = seen("run-2", 8, environment_kind="ci", faults=(fault(latency=100),))
    record = findings.failed(verified(), weak, at(8), POLICY)
    for change in ("assign", "start", "claim"):
        record = CHANGES[change](record)
    passes = seen("run-3", 9, fails=False, environment_kind="ci", faults=(fault(latency=100),))

    assert not checked(record, [passes], at(9), POLICY).verified
    assert checked(record, [seen("run-4", 9, fails=False)], at(9), POLICY).verified


def test_a_failure_older_than_its_proof_is_counted_and_leaves_it_verified() -> None:
    after = findings.failed(verified(run_on=4), seen("run-late", 3.5), at(8), POLICY)

    assert after.state is State.VERIFIED
    assert after.recurrences == 1


def test_a_failure_older_and_harder_than_its_proof_opens_it_again() -> None:
    hard = seen("run-late", 3.5, faults=(fault(latency=2_000),))

    after = findings.failed(verified(run_on=4), hard, at(8), POLICY)

    assert after.state is State.OPEN
    assert after.entries[-1].what is EntryKind.REFUTED


def test_a_failure_newer_than_the_only_proof_that_fits_it_opens_it_again() -> None:
    """Of two proofs the younger one is of another scenario: it says nothing of this failure."""
    record = raised(seen("run-0", 0), at(0), POLICY)
    record = findings.failed(record, seen("run-1", 0.5, scenario="both-slow"), at(0.5), POLICY)
    record = findings.assigned(record, role="owner", now=at(1), policy=POLICY)
    record = findings.started(record, role="owner", now=at(2), policy=POLICY)
    record = findings.claimed(record, role="owner", why="x", now=at(3), policy=POLICY)
    record = checked(record, [seen("run-2", 4, fails=False)], at(6), POLICY).record
    other = seen("run-3", 6, fails=False, scenario="both-slow")
    record = checked(record, [other], at(6), POLICY).record
    assert record.state is State.VERIFIED

    after = findings.failed(record, seen("run-4", 5), at(7), POLICY)
    older = findings.failed(record, seen("run-4", 3.5), at(7), POLICY)
    same = findings.failed(record, seen("run-4", 5, scenario="both-slow"), at(7), POLICY)

    assert (after.state, after.entries[-1].what) == (State.OPEN, EntryKind.REFUTED)
    assert (older.state, older.entries[-1].what) == (State.VERIFIED, EntryKind.SEEN_AGAIN)
    assert (same.state, same.entries[-1].what) == (State.VERIFIED, EntryKind.SEEN_AGAIN)


def test_a_failure_after_the_claim_refutes_it_and_one_before_does_not() -> None:
    refuted = findings.failed(claimed_fix(), seen("run-1", 4), at(4), POLICY)
    before = findings.failed(claimed_fix(), seen("run-1", 2), at(4), POLICY)

    assert (refuted.state, before.state) == (State.IN_PROGRESS, State.FIX_CLAIMED)
    assert (refuted.recurrences, before.recurrences) == (1, 1)


def test_an_accepted_risk_is_open_again_after_its_last_day() -> None:
    record = findings.accepted(
        OPEN, role="business-owner", until=datetime.date(2026, 10, 20), why="rare",
        now=at(1), policy=POLICY,
    )  # fmt: skip
    last = datetime.datetime(2026, 10, 20, 23, 59, tzinfo=datetime.UTC)

    assert as_of(record, last, POLICY) == record
    after = as_of(record, last + datetime.timedelta(minutes=1), POLICY)

    assert after.state is State.OPEN
    assert after.entries[-1].what is EntryKind.EXPIRED
    assert after.due == "2026-11-20"
    assert record.accepted_until == "2026-10-20"
    assert after.accepted_until == ""


def test_a_failure_under_an_accepted_risk_is_counted_as_such() -> None:
    after = findings.failed(CHANGES["accept"](OPEN), seen("run-1", 6), at(6), POLICY)

    assert after.state is State.RISK_ACCEPTED
    assert after.under_accepted_risk == 1
    assert after.accepted_until == "2026-11-01"


@pytest.mark.parametrize(
    ("role", "until", "message"),
    [
        ("team-checkout", "2026-11-01", "may not accept"),
        ("approver", "2026-09-30", "not possible"),
        ("approver", "2027-12-31", "not possible"),
    ],
)
def test_who_may_accept_and_until_when(role: str, until: str, message: str) -> None:
    with pytest.raises(TransitionError, match=message):
        findings.accepted(
            OPEN, role=role, until=datetime.date.fromisoformat(until), why="rare",
            now=at(1), policy=POLICY,
        )  # fmt: skip


@pytest.mark.parametrize("role", ["John Doe", "jd@example.org", "", "Owner"])
def test_people_have_no_place_in_it(role: str) -> None:
    with pytest.raises(TransitionError, match="name no people"):
        findings.assigned(OPEN, role=role, now=at(1), policy=POLICY)


def test_a_reason_is_needed() -> None:
    with pytest.raises(TransitionError, match="a reason is needed"):
        findings.refused(OPEN, role="owner", why=" ", now=at(1), policy=POLICY)


def test_it_cannot_stand_for_itself() -> None:
    with pytest.raises(TransitionError, match="for itself"):
        findings.superseded(OPEN, OPEN, role="owner", now=at(1), policy=POLICY)


def test_a_changed_severity_changes_the_day_from_when_it_was_opened() -> None:
    after = findings.assigned(
        OPEN, role="owner", severity=FindingSeverity.CRITICAL, now=at(3), policy=POLICY
    )

    assert (after.severity, after.due) == (FindingSeverity.CRITICAL, "2026-10-08")


def by_hand(scenario: str = "", kind: str = "local") -> FindingRecord:
    given = ByHand(
        title="nobody found the runbook",
        service="shop",
        failure_mode="payments.latency",
        expectation="slo/criterion fault: p95 < 1s",
        kind=FindingClass.RESILIENCE_DEFECT,
        severity=FindingSeverity.LOW,
        owner_team="team-checkout",
        scenario=scenario,
        environment_kind=kind,
    )
    return added(given, role="scribe", why="seen in the debrief", now=at(0), policy=POLICY)


def test_by_hand_and_by_a_run_are_one_finding() -> None:
    assert by_hand().id == OPEN.id


@pytest.mark.parametrize(
    ("scenario", "kind", "fine"),
    [("", "local", False), ("payments-slow", "local", True), ("payments-slow", "production", False),
     ("other", "local", False)],
)  # fmt: skip
def test_what_was_raised_by_hand_is_verified_by_a_run_of_its_scenario(
    scenario: str, kind: str, fine: bool
) -> None:
    record = by_hand(scenario, kind)
    for change in ("assign", "start", "claim"):
        record = CHANGES[change](record)

    done = checked(record, [seen("run-1", 6, fails=False)], at(7), POLICY)

    assert done.verified is fine


def test_the_list_says_age_day_and_what_is_overdue() -> None:
    late = at(40).date()
    text = render_list([OPEN, verified()], late, "x")

    assert is_overdue(OPEN, late)
    assert not is_overdue(verified(), late)
    assert "40d" in text
    assert "2026-10-31!" in text
    assert "2 findings, 1 overdue" in text
    assert render_list([], late, "x") == "no findings in `x`\n"


def test_one_finding_is_shown_with_all_that_happened_to_it() -> None:
    text = render_one(findings.failed(verified(), seen("run-2", 8), at(8), POLICY), at(9).date())

    for said in ("raised", "assigned", "started", "claimed", "verified", "regressed", "run-2"):
        assert said in text
    assert "a timeout of 600 ms" in text


def test_evidence_of_a_failure_is_kept() -> None:
    assert OPEN.failures == (evidence("run-0", 0),)
