"""answer/right: what a service was asked once the load had stopped, and how that was taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import expectations, good_run, plan, timeline

from gameday.checks import answer_right, judge
from gameday.checks.case import Case
from gameday.model.answers import AnswerExpectation
from gameday.model.event import Phase
from gameday.model.verdict import ExitCode, Outcome

ASKED = AnswerExpectation(
    name="orders",
    target="shop",
    path="/ledger",
    json={"lost": 0, "duplicate": 0},
    within_ms=5_000,
)
GOOD = {"right": True, "values": {"lost": 0, "duplicate": 0}}
BAD = {"right": False, "values": {"lost": 0, "duplicate": 7}}
ROWS: dict[str, tuple[Outcome, str, dict[str, Any] | None]] = {
    "right": (Outcome.PASS, "`orders`: lost was 0, duplicate was 0", GOOD),
    "wrong": (
        Outcome.FAIL,
        "`orders`: lost was 0, duplicate was 7, wanted: lost is 0, duplicate is 0",
        BAD,
    ),
    "no answer": (
        Outcome.INCONCLUSIVE,
        "`orders` could not be asked: nobody there",
        {"phase": Phase.FAILED, "error": "nobody there"},
    ),
    "never asked": (Outcome.INCONCLUSIVE, "`orders` was never asked", None),
}


def case_of(said: dict[str, Any] | None) -> Case:
    journal = good_run()
    if said is not None:
        journal.act(48_500, "answer.ask", "orders", **said)
    return Case(plan(expect=expectations(answers=(ASKED,))), timeline(journal))


@pytest.mark.parametrize("name", ROWS)
def test_an_answer(name: str) -> None:
    outcome, words, said = ROWS[name]
    (found,) = answer_right.check(case_of(said))
    assert (found.outcome, found.summary) == (outcome, words)
    assert not found.validity
    assert bool(found.evidence) is (said is not None)


def test_a_wrong_answer_fails_a_run_that_was_fast_and_without_errors() -> None:
    right, wrong = (judge(c.plan, c.timeline) for c in (case_of(GOOD), case_of(BAD)))
    assert right.exit_code is ExitCode.PASS, right.reason
    assert wrong.exit_code is ExitCode.FAIL
    assert "duplicate was 7" in wrong.reason


def test_a_run_that_asks_nothing_has_no_such_finding() -> None:
    case = case_of(GOOD)
    scenario = replace(case.plan.scenario, expect=expectations())
    assert not list(answer_right.check(Case(replace(case.plan, scenario=scenario), case.timeline)))
