"""Readiness: situations of evidence, each with its word; and what may never make one better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.model.alerting import AlertWord
from gameday.model.project import Slo
from gameday.model.proof import ProofWord
from gameday.model.readiness import Readiness
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyState as State
from gameday.model.readiness import ReadyWord as Word
from gameday.model.readiness_evidence import (
    BaselineSeen,
    BudgetNow,
    CapacitySeen,
    ReadyEvidence,
    ReadyService,
    RunbookNow,
)
from gameday.model.readiness_policy import USUAL_TIERS, ReadyPolicy, SameVersion
from gameday.model.verdict import Outcome, RunStatus
from tests.readiness_support import (
    NOW,
    alert,
    answer,
    changed,
    days_ago,
    evidence,
    finding,
    part,
    proof,
    record,
    run,
    runs,
    service,
    waiver,
    with_run,
)

SLOW, DOWN = "dependency-slow", "dependency-down"
FAIL, STOPPED = Outcome.FAIL, RunStatus.STOPPED
Case = Callable[[], Readiness]


def with_rule(tier: int, item: Item, **more: object) -> ReadyPolicy:
    rules = USUAL_TIERS[tier]
    changed_rules = {**rules, item: replace(rules[item], **more)}  # type: ignore[arg-type]
    return ReadyPolicy(tiers={**USUAL_TIERS, tier: changed_rules})


def on(found: ReadyEvidence, **of: object) -> Case:
    return lambda: answer(service(**of), found)


def tier_0(found: ReadyEvidence | None = None, **of: object) -> Case:
    """Tier 0 with its further scenario and its tabletop."""
    modes = service().modes
    more = replace(modes[SLOW], name="instance-killed", scenario="instance-killed")
    more = replace(more, alert="instance-killed-alert")
    killed = run("instance-killed")
    found = found or evidence()
    values = {
        "tier": 0,
        "modes": {**modes, "instance-killed": more},
        "records": (*service().records, record(Item.TABLETOP, 100)),
        **of,
    }
    return on(replace(found, runs=(*found.runs, killed)), **values)


def tier_2(*only: str, **more: object) -> Case:
    """Tier 2 with smoke runs of the required scenarios alone."""
    smoke = tuple(
        replace(one, profile="smoke") if one.scenario in (only or (SLOW, DOWN)) else one
        for one in runs()
        if one.scenario in (SLOW, DOWN, "bad-deploy", "breakpoint")
    )
    modes = {name: service().modes[name] for name in (SLOW, DOWN)}
    found = evidence(runs=smoke, budget=None, **more)
    return on(found, tier=2, modes=modes, peak_per_s=None, records=())


def smoke_only(scenario: str) -> ReadyEvidence:
    return with_run(scenario, profile="smoke")


def waived(item: Item, found: ReadyEvidence, **more: object) -> ReadyEvidence:
    return replace(found, waivers=(waiver(item, **more),))


NO_RESTORE = {"records": (record(Item.ESCALATION),)}
GO, IF, NO, UNKNOWN = Word.GO, Word.CONDITIONS, Word.NO_GO, Word.NOT_ENOUGH
MET, NOT_MET, BLIND = State.MET, State.NOT_MET, State.NOT_MEASURED
NOT_ASKED, LEAVE = State.NOT_APPLICABLE, State.WAIVED
S, A, C, R = Item.SCENARIOS, Item.ALERTS, Item.CAPACITY, Item.ROLLBACK

#: name, what is known, item, its state, the answer
SITUATIONS: list[tuple[str, Case, Item, State, Word]] = [
    ("everything shown", on(evidence()), S, MET, GO),
    ("nothing at all", on(evidence(runs=())), S, BLIND, UNKNOWN),
    ("only drills and papers", on(evidence(runs=())), Item.RESTORE, MET, UNKNOWN),
    # how old
    ("last day that counts", on(with_run(SLOW, ended=days_ago(90))), S, MET, GO),
    ("stale scenario", on(with_run(SLOW, ended=days_ago(91))), S, BLIND, UNKNOWN),
    ("stale alert", on(with_run(SLOW, ended=days_ago(91))), A, BLIND, UNKNOWN),
    ("stale breakpoint", on(with_run("breakpoint", ended=days_ago(31))), C, BLIND, UNKNOWN),
    ("stale restore", on(evidence(), records=(record(Item.RESTORE, 91), record(Item.ESCALATION))),
     Item.RESTORE, BLIND, UNKNOWN),
    ("stale budget", on(evidence(budget=BudgetNow(left=0.6, where="f", at=days_ago(2)))),
     Item.BUDGET, BLIND, UNKNOWN),
    ("old failure is no better for its age", on(with_run(SLOW, outcome=FAIL, ended=days_ago(400))),
     S, NOT_MET, NO),
    # which version
    ("another major version", on(with_run(SLOW, version="1.9.0")), S, BLIND, UNKNOWN),
    ("the same major version", on(with_run(SLOW, version="v2.0.0")), S, MET, GO),
    ("version not told", on(with_run(SLOW, version="")), S, BLIND, UNKNOWN),
    ("failure of another version", on(evidence(runs=(*runs(), run(SLOW, 0.5, outcome=FAIL,
     version="1.9.0")))), S, MET, GO),
    ("failure, version not told", on(evidence(runs=(*runs(), run(SLOW, 0.5, outcome=FAIL,
     version="")))), S, NOT_MET, NO),
    ("the very version is asked", lambda: answer(on=with_run(SLOW, version="2.4.0"),
     policy=with_rule(1, S, version=SameVersion.SAME)), S, BLIND, UNKNOWN),
    # which run
    ("smoke only", on(smoke_only(SLOW)), S, BLIND, UNKNOWN),
    ("smoke only, alert", on(smoke_only(SLOW)), A, BLIND, UNKNOWN),
    ("smoke failed after the run", on(evidence(runs=(*runs(), run(SLOW, 0.5, profile="smoke",
     outcome=FAIL)))), S, NOT_MET, NO),
    ("smoke passed after a failure", on(with_run(SLOW, run(SLOW, 2, outcome=FAIL),
     run(SLOW, 1, profile="smoke"))), S, NOT_MET, NO),
    ("failed", on(with_run(SLOW, outcome=FAIL)), S, NOT_MET, NO),
    ("failed, then passed", on(with_run(SLOW, run(SLOW, 2, outcome=FAIL), run(SLOW))), S, MET, GO),
    ("passed, then failed", on(with_run(SLOW, run(SLOW, 2), run(SLOW, outcome=FAIL))),
     S, NOT_MET, NO),
    ("inconclusive", on(with_run(SLOW, outcome=Outcome.INCONCLUSIVE)), S, BLIND, UNKNOWN),
    ("invalid", on(with_run(SLOW, status=RunStatus.INVALID)), S, BLIND, UNKNOWN),
    ("bite not shown", on(with_run(SLOW, sound=False)), S, BLIND, UNKNOWN),
    ("dirty", on(with_run(SLOW, clean=False)), S, BLIND, UNKNOWN),
    ("dirty after it passed", on(evidence(runs=(*runs(), run(SLOW, 0.5, clean=False)))),
     S, BLIND, UNKNOWN),
    ("stopped", on(with_run(SLOW, status=STOPPED, outcome=Outcome.INCONCLUSIVE)),
     S, BLIND, UNKNOWN),
    ("stopped after it passed", on(evidence(runs=(*runs(), run(SLOW, 0.5, status=STOPPED,
     outcome=Outcome.INCONCLUSIVE)))), S, BLIND, UNKNOWN),
    ("stopped with a failure", on(with_run(SLOW, status=STOPPED, outcome=FAIL)), S, NOT_MET, NO),
    ("a stop does not hide a failure", on(with_run(SLOW, run(SLOW, 2, outcome=FAIL), run(SLOW,
     status=STOPPED, outcome=Outcome.INCONCLUSIVE))), S, NOT_MET, NO),
    ("interrupted", on(with_run(SLOW, status=RunStatus.INTERRUPTED)), S, BLIND, UNKNOWN),
    ("control run", on(with_run(SLOW, control=True)), S, BLIND, UNKNOWN),
    ("in the future", on(with_run(SLOW, ended=days_ago(-1))), S, BLIND, UNKNOWN),
    ("in an environment that does not count",
     lambda: answer(on=with_run(SLOW, kind="local", environment="local"),
                    policy=ReadyPolicy(environments=("staging", "production"))), S, BLIND, UNKNOWN),
    ("no scenario for a required mode",
     on(evidence(), modes={SLOW: service().modes[SLOW]}), S, BLIND, UNKNOWN),
    ("alerts asked of no failure mode at all", lambda: answer(service(tier=2, modes={}),
     evidence(), policy=with_rule(2, A, required=True)), A, BLIND, UNKNOWN),
    ("a mode that does not apply", on(with_run(SLOW, run("another")), modes=changed(
     service().modes, SLOW, scenario="", alert="", within_ms=None, not_applicable="no such call")),
     S, MET, GO),
    # alerts
    ("alert never tested", on(with_run(SLOW, alerts=())), A, BLIND, UNKNOWN),
    ("alert missed", on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert", AlertWord.MISSED, None),))),
     A, NOT_MET, NO),
    ("alert late", on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert", AlertWord.LATE, 70_000),))),
     A, NOT_MET, NO),
    ("later than the service allows",
     on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert", after_ms=61_000),))), A, NOT_MET, NO),
    ("alert could not be seen",
     on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert", AlertWord.INCONCLUSIVE, None),))),
     A, BLIND, UNKNOWN),
    ("it was firing already",
     on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert", AlertWord.ALREADY_FIRING, None),))),
     A, BLIND, UNKNOWN),
    ("one of two faults was missed", on(with_run(SLOW, alerts=(alert(f"{SLOW}-alert"),
     alert(f"{SLOW}-alert", AlertWord.MISSED, None)))), A, NOT_MET, NO),
    ("no alert expected", on(with_run(SLOW, alerts=()), modes=changed(service().modes, SLOW,
     alert="", within_ms=None, no_alert="it is absorbed")), A, MET, GO),
    ("alert caught though the run failed", on(with_run(SLOW, outcome=FAIL)), A, MET, NO),
    # objectives
    ("no objective", on(evidence(), slos=()), Item.SLO, NOT_MET, NO),
    ("availability too low", on(evidence(runs=tuple(replace(one, baseline=BaselineSeen(n=2000,
     good=1990, complete=True, p99_ms=100.0)) for one in runs()))), Item.SLO, NOT_MET, NO),
    ("too slow", on(evidence(runs=tuple(replace(one, baseline=BaselineSeen(n=2000, good=2000,
     complete=True, p99_ms=700.0)) for one in runs()))), Item.SLO, NOT_MET, NO),
    ("too few requests for the percentile", on(evidence(runs=tuple(replace(one,
     baseline=BaselineSeen(n=1000, good=1000, complete=True, p95_ms=80.0)) for one in runs()))),
     Item.SLO, BLIND, UNKNOWN),
    ("too few requests for the share", on(evidence(runs=tuple(replace(one,
     baseline=BaselineSeen(n=50, good=50, complete=True)) for one in runs())),
     slos=(Slo(name="availability", share=0.999),)), Item.SLO, BLIND, UNKNOWN),
    ("few requests show what did not hold", on(evidence(runs=tuple(replace(one,
     baseline=BaselineSeen(n=50, good=40, complete=True)) for one in runs())),
     slos=(Slo(name="availability", share=0.999),)), Item.SLO, NOT_MET, NO),
    ("just enough requests for the share", on(evidence(runs=tuple(replace(one,
     baseline=BaselineSeen(n=1000, good=1000, complete=True)) for one in runs())),
     slos=(Slo(name="availability", share=0.999),)), Item.SLO, MET, GO),
    ("baseline cut short", on(evidence(runs=tuple(replace(one, baseline=BaselineSeen(n=9, good=9,
     complete=False)) for one in runs()))), Item.SLO, BLIND, UNKNOWN),
    ("a stopped run says nothing against baselines", on(evidence(runs=(*runs(), run("cache-cold",
     0.5, status=STOPPED, outcome=Outcome.INCONCLUSIVE)))), Item.SLO, MET, GO),
    # capacity
    ("headroom too small", lambda: answer(policy=with_rule(1, C, headroom=1.5)), C, NOT_MET, NO),
    ("peak not carried", on(with_run("breakpoint", capacity=CapacitySeen(highest_per_s=90.0,
     broke_per_s=100.0))), C, NOT_MET, NO),
    ("tried up to less", on(with_run("breakpoint", capacity=CapacitySeen(highest_per_s=130.0,
     broke_per_s=None))), C, BLIND, UNKNOWN),
    ("peak not said", on(evidence(), peak_per_s=None), C, BLIND, UNKNOWN),
    ("never searched", on(with_run("breakpoint", capacity=None)), C, BLIND, UNKNOWN),
    # runbooks
    ("runbook gone", on(evidence(runbooks={})), Item.RUNBOOK_COVERAGE, NOT_MET, NO),
    ("one of ten without a runbook", on(evidence(), alerts={**service().alerts,
     f"{SLOW}-alert": ""}), Item.RUNBOOK_COVERAGE, MET, GO),
    ("two of ten without a runbook", on(evidence(), alerts={**service().alerts,
     f"{SLOW}-alert": "", f"{DOWN}-alert": ""}), Item.RUNBOOK_COVERAGE, NOT_MET, NO),
    ("alerts that page are not named", on(evidence(), alerts={}), Item.RUNBOOK_COVERAGE,
     BLIND, UNKNOWN),
    ("nobody followed a runbook", on(evidence(runs=tuple(replace(one, proofs=())
     for one in runs()))), Item.RUNBOOK_PROOF, BLIND, UNKNOWN),
    ("runbooks changed since", on(evidence(runs=tuple(replace(one, proofs=tuple(replace(p,
     content_sha256="then") for p in one.proofs)) for one in runs()))), Item.RUNBOOK_PROOF,
     BLIND, UNKNOWN),
    ("runbooks did not help", on(evidence(runs=tuple(replace(one, proofs=tuple(replace(p,
     word=ProofWord.INEFFECTIVE) for p in one.proofs)) for one in runs()))), Item.RUNBOOK_PROOF,
     NOT_MET, NO),
    # rollback, drills
    ("rollback never rehearsed", on(evidence(runs=tuple(r for r in runs()
     if r.scenario != "bad-deploy"))), R, BLIND, UNKNOWN),
    ("how long the rollback took is not known", on(with_run("bad-deploy", undone_ms=None)),
     R, BLIND, UNKNOWN),
    ("rollback too slow", lambda: answer(policy=with_rule(1, R, within_ms=1_000)), R, NOT_MET, NO),
    ("no restore test", on(evidence(), **NO_RESTORE), Item.RESTORE, BLIND, UNKNOWN),
    ("restore failed", on(evidence(), records=(record(Item.RESTORE, 20), record(Item.RESTORE, 5,
     passed=False), record(Item.ESCALATION))), Item.RESTORE, NOT_MET, NO),
    ("restore took too long", on(evidence(), records=(record(Item.RESTORE, took_ms=4_000_000,
     within_ms=3_600_000), record(Item.ESCALATION))), Item.RESTORE, NOT_MET, NO),
    ("restore does not apply", on(evidence(), not_applicable={Item.RESTORE: "it keeps nothing"},
     **NO_RESTORE), Item.RESTORE, NOT_ASKED, GO),
    ("objectives always apply", on(evidence(), slos=(), not_applicable={Item.SLO: "no"}),
     Item.SLO, NOT_MET, NO),
    ("escalated in a run", on(with_run(SLOW, proofs=(replace(proof("x"), escalated_ms=3_000,
     escalate_within_ms=5_000),)), records=(record(Item.RESTORE),)), Item.ESCALATION, MET, GO),
    ("escalated too late", on(with_run(SLOW, proofs=(replace(proof("x"), escalated_ms=6_000,
     escalate_within_ms=5_000),)), records=(record(Item.RESTORE),)), Item.ESCALATION, NOT_MET, NO),
    # findings
    ("critical finding", on(evidence(findings=(finding(),))), Item.FINDINGS, NOT_MET, NO),
    ("finding of medium weight", on(evidence(findings=(finding("medium"),))), Item.FINDINGS,
     MET, GO),
    ("finding verified", on(evidence(findings=(finding(state="verified"),))), Item.FINDINGS,
     MET, GO),
    ("finding reopened", on(evidence(findings=(finding(state="open", regressed=True),))),
     Item.FINDINGS, NOT_MET, NO),
    ("fix claimed, not verified", on(evidence(findings=(finding(state="fix_claimed"),))),
     Item.FINDINGS, NOT_MET, NO),
    ("risk accepted", on(evidence(findings=(finding(state="risk_accepted", approver="approver",
     accepted_until=date(2026, 11, 20)),))), Item.FINDINGS, LEAVE, IF),
    ("acceptance expired", on(evidence(findings=(finding(state="risk_accepted", approver="approver",
     accepted_until=date(2026, 11, 19)),))), Item.FINDINGS, NOT_MET, NO),
    ("acceptance by nobody", on(evidence(findings=(finding(state="risk_accepted",
     accepted_until=date(2027, 1, 1)),))), Item.FINDINGS, NOT_MET, NO),
    ("will not be fixed", on(evidence(findings=(finding(state="wont_fix"),))), Item.FINDINGS,
     NOT_MET, NO),
    ("no register", on(evidence(findings=None)), Item.FINDINGS, BLIND, UNKNOWN),
    # budget
    ("budget spent", on(evidence(budget=BudgetNow(left=-0.1, where="f", at=NOW))), Item.BUDGET,
     NOT_MET, NO),
    ("budget below the floor", on(evidence(budget=BudgetNow(left=0.2, where="f", at=NOW))),
     Item.BUDGET, NOT_MET, NO),
    ("budget unreadable", on(evidence(budget=None)), Item.BUDGET, BLIND, UNKNOWN),
    # waivers
    ("waived", on(waived(Item.RESTORE, evidence()), **NO_RESTORE), Item.RESTORE, LEAVE, IF),
    ("waived on its last day", on(waived(Item.RESTORE, evidence(), expires=date(2026, 11, 20)),
     **NO_RESTORE), Item.RESTORE, LEAVE, IF),
    ("waiver expired", on(waived(Item.RESTORE, evidence(), expires=date(2026, 11, 19)),
     **NO_RESTORE), Item.RESTORE, BLIND, UNKNOWN),
    ("waiver without approver", on(waived(Item.RESTORE, evidence(), approver=""), **NO_RESTORE),
     Item.RESTORE, BLIND, UNKNOWN),
    ("waiver by a role that may not", on(waived(Item.RESTORE, evidence(), approver="developer"),
     **NO_RESTORE), Item.RESTORE, BLIND, UNKNOWN),
    ("waiver by its owner", on(waived(Item.RESTORE, evidence(), owner="approver",
     approver="approver"), **NO_RESTORE), Item.RESTORE, BLIND, UNKNOWN),
    ("waiver of another version", on(waived(Item.RESTORE, evidence(), version="2.4.0"),
     **NO_RESTORE), Item.RESTORE, BLIND, UNKNOWN),
    ("waiver of another item", on(waived(Item.TABLETOP, evidence()), **NO_RESTORE),
     Item.RESTORE, BLIND, UNKNOWN),
    ("one failure mode waived", on(waived(S, with_run(SLOW, alerts=(alert(f"{SLOW}-alert"),),
     outcome=FAIL), subject=SLOW)), S, LEAVE, IF),
    ("another failure mode waived", on(waived(S, with_run(SLOW, outcome=FAIL), subject=DOWN)),
     S, NOT_MET, NO),
    ("a waiver of what is met changes nothing", on(waived(S, evidence())), S, MET, GO),
    # tiers
    ("tier 0, all shown", tier_0(), Item.TABLETOP, MET, GO),
    ("tier 0 needs a tabletop", tier_0(records=service().records), Item.TABLETOP, BLIND, UNKNOWN),
    ("tier 0 accepts no risk", tier_0(evidence(findings=(finding(state="risk_accepted",
     approver="approver", accepted_until=date(2027, 1, 1)),))), Item.FINDINGS, NOT_MET, NO),
    ("tier 1 needs no tabletop", on(evidence()), Item.TABLETOP, NOT_ASKED, GO),
    ("tier 2 takes smoke runs", tier_2(), S, MET, GO),
    ("tier 2 asks no alerts", tier_2(), A, NOT_ASKED, GO),
    ("tier 2 too wants a rollback", lambda: answer(service(tier=2, rollback="", modes={}),
     evidence(budget=None)), R, BLIND, UNKNOWN),
    ("tier 4 is like tier 2", lambda: answer(service(tier=4, records=())), Item.RESTORE,
     NOT_ASKED, GO),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "item", "state", "word"),
    [row[1:] for row in SITUATIONS],
    ids=[r[0] for r in SITUATIONS],
)
def test_each_situation_has_its_word(case: Case, item: Item, state: State, word: Word) -> None:
    found = case()

    assert part(found, item).state is state, part(found, item).reason
    assert found.answer is word, found.reason
    assert (found.valid_until != "") == (word in (GO, IF))
    assert bool(found.conditions) == (word is IF)
    assert bool(found.changes) == (word in (NO, UNKNOWN))


def test_the_table_is_long_and_its_names_are_unique() -> None:
    assert len(SITUATIONS) >= 40
    assert len({row[0] for row in SITUATIONS}) == len(SITUATIONS)
    assert {row[2] for row in SITUATIONS} == set(Item)


def test_what_would_change_the_answer_names_the_command() -> None:
    found = answer(on=with_run(SLOW, ended=days_ago(91)))

    (change,) = [c for c in found.changes if c.command]
    assert change.command == f"gameday run scenarios/{SLOW}.yaml --service-version 2.4.1"
    assert change.about == (f"alerts/{SLOW}", f"scenarios/{SLOW}")


def test_a_waiver_of_a_row_that_is_not_there_is_told() -> None:
    found = answer(on=waived(S, with_run(SLOW, outcome=FAIL), subject="dependency-slw"))

    (void,) = found.void_waivers
    assert "there is no `dependency-slw`" in void.why
    assert found.answer is NO


def test_a_go_ends_when_its_first_evidence_does() -> None:
    old = with_run(SLOW, ended=days_ago(89))

    found = answer(on=replace(old, budget=None), policy=with_rule(1, Item.BUDGET, required=False))

    assert found.valid_until == "2026-11-21T12:00:00Z"


def test_dependencies_that_nothing_broke_are_told() -> None:
    found = answer(service(dependencies=("payments", "redis")))

    assert "dependencies that no valid run has broken: redis" in found.notes


ORDER = [NO, UNKNOWN, IF, GO]


def rank(found: Readiness) -> int:
    return ORDER.index(found.answer)


def good(found: ReadyEvidence) -> list[int]:
    """Runs in which nothing was bad: taking away what is bad may well make an answer better."""
    kept = (Outcome.PASS, RunStatus.COMPLETED)
    return [
        n for n, one in enumerate(found.runs) if (one.outcome, one.status) == kept and one.clean
    ]


kinds = st.sampled_from(["good", "good", "good", "smoke", "untold", "other", "bad", "stopped"])
scenarios = st.sampled_from([SLOW, DOWN, "breakpoint", "bad-deploy"])
MORE: dict[str, dict[str, object]] = {
    "good": {},
    "smoke": {"profile": "smoke"},
    "untold": {"version": ""},
    "other": {"version": "1.0.0"},
    "bad": {"outcome": FAIL},
    "stopped": {"status": STOPPED, "outcome": Outcome.INCONCLUSIVE},
}


@st.composite
def known(draw: st.DrawFn) -> tuple[ReadyService, ReadyEvidence]:
    """A service with some history, some of it bad, and some leave."""
    history = list(runs()) if draw(st.booleans()) else [r for r in runs() if r.scenario != SLOW]
    for _ in range(draw(st.integers(0, 4))):
        scenario = draw(scenarios)
        usual = next(one for one in runs() if one.scenario == scenario)
        more = MORE[draw(kinds)]
        days = draw(st.integers(0, 100))
        history.append(replace(usual, id=f"r{len(history)}", ended=days_ago(days), **more))  # type: ignore[arg-type]
    of = service(
        records=tuple(
            record(item, draw(st.integers(0, 95)), passed=draw(st.integers(0, 3)) > 0)
            for item in draw(st.lists(st.sampled_from([Item.RESTORE, Item.ESCALATION]), max_size=4))
        )
    )
    leave = tuple(
        waiver(item, expires=NOW.date() + timedelta(days=draw(st.integers(-2, 60))))
        for item in draw(st.lists(st.sampled_from([S, Item.RESTORE, Item.ESCALATION]), max_size=2))
    )
    accepted = finding(
        state="risk_accepted", approver="approver",
        accepted_until=NOW.date() + timedelta(days=draw(st.integers(0, 30))),
    )  # fmt: skip
    findings = (accepted,) if draw(st.booleans()) else ()
    return of, evidence(runs=tuple(history), waivers=leave, findings=findings)


@given(known(), st.data())
@settings(max_examples=150, deadline=None)
def test_taking_evidence_away_never_makes_it_better(
    case: tuple[ReadyService, ReadyEvidence], data: st.DataObject
) -> None:
    of, found = case
    before, shown = rank(answer(of, found)), good(found)
    without: list[tuple[ReadyService, ReadyEvidence]] = [
        (of, replace(found, findings=None)),
        (of, replace(found, budget=None)),
        (of, replace(found, waivers=())),
        (of, replace(found, runbooks={})),
        (of, replace(found, runs=tuple(r for n, r in enumerate(found.runs) if n not in shown))),
        (replace(of, records=tuple(r for r in of.records if not r.passed)), found),
    ]
    if shown:
        gone = data.draw(st.sampled_from(shown))
        kept = tuple(one for n, one in enumerate(found.runs) if n != gone)
        without.append((of, replace(found, runs=kept)))
    for fewer_of, fewer in without:
        assert rank(answer(fewer_of, fewer)) <= before


@given(known(), st.integers(1, 24 * 400))
@settings(max_examples=150, deadline=None)
def test_growing_older_never_makes_it_better(
    case: tuple[ReadyService, ReadyEvidence], hours: int
) -> None:
    of, found = case

    later = replace(found, now=NOW + timedelta(hours=hours))

    assert rank(answer(of, later)) <= rank(answer(of, found))


@given(known())
@settings(max_examples=100, deadline=None)
def test_go_needs_every_item_met_and_a_run(case: tuple[ReadyService, ReadyEvidence]) -> None:
    found = answer(*case)

    states = {one.state for one in found.items}
    if found.answer is GO:
        assert states <= {MET, NOT_ASKED}
        assert found.runs_counted > 0
    if BLIND in states or NOT_MET in states:
        assert found.answer in (NO, UNKNOWN)


def test_a_runbook_that_is_no_use_is_not_covered() -> None:
    path = f"runbooks/{SLOW}.md"
    books = {**evidence().runbooks, path: RunbookNow(path=path, problem="it is L0")}

    row = next(r for r in part(answer(on=evidence(runbooks=books)), Item.RUNBOOK_COVERAGE).rows
               if r.subject == f"{SLOW}-alert")  # fmt: skip

    assert row.state is NOT_MET
    assert row.command == f"gameday runbook lint {path}"
