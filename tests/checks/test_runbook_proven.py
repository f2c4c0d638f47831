"""runbook/proven: one run per row, each with the word that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import FAULT_S, Journal, alert, cell, good_run, plan, tick, timeline

from gameday.checks.case import Case
from gameday.checks.runbook_proven import check
from gameday.model.proof import RunbookProof, RunbookStep
from gameday.model.verdict import Finding, Outcome
from gameday.model.window import Tick

PATH = "runbooks/slow.md"
CURED_S = 21
Change = Mapping[tuple[str, str], Mapping[str, Any] | None]


def step(phase: str, name: str = "", **more: Any) -> RunbookStep:
    return RunbookStep(name=name or phase, phase=phase, line=1, text="x", shell="bash", **more)


BOOK = RunbookProof(
    path=PATH,
    fault="slow",
    alerts=("PaymentsSlow",),
    within_ms=10_000,
    steps=(
        step("diagnose"),
        step("mitigate", mutates=True),
        step("verify"),
        step("rollback", mutates=True),
    ),
)
#: Arm and step -> when, and what was answered.
STORY: Mapping[tuple[str, str], tuple[int, Mapping[str, Any]]] = {
    ("baseline", "diagnose"): (5_000, {"passed": False}),
    ("fault", "diagnose"): (19_100, {"passed": True}),
    ("mitigate", "mitigate"): (20_200, {"passed": True}),
    ("verify", "verify"): (20_300, {"passed": True}),
    ("rollback", "rollback"): (33_300, {"passed": True}),
    ("after", "diagnose"): (48_100, {"passed": False}),
    ("after", "verify"): (48_200, {"passed": True}),
}


def load(cured_s: int) -> Callable[[int], Tick]:
    """Slow answers while the fault is in, until it is cured."""

    def ticks(second: int) -> Tick:
        if FAULT_S <= second < cured_s:
            return tick(second, [cell(second, "checkout", 100, 820)])
        return tick(second, [cell(second, "browse", 75, 12), cell(second, "checkout", 25, 35)])

    return ticks


def judged(
    change: Change | None = None,
    *,
    cured_s: int = CURED_S,
    resolved_ms: int | None = 24_000,
    mitigated: bool = True,
    book: RunbookProof = BOOK,
    run_runbooks: bool = True,
    alerts: bool = True,
    ends: Mapping[tuple[str, str], int] | None = None,
) -> Finding:
    journal: Journal = good_run(ticks=load(cured_s), alerts=False)
    labels = {"severity": "page"}
    if alerts:
        alert(journal, "alert.pending", 15_000, "PaymentsSlow", labels)
        alert(journal, "alert.firing", 19_000, "PaymentsSlow", labels)
    if alerts and resolved_ms is not None:
        alert(journal, "alert.resolved", resolved_ms, "PaymentsSlow", labels)
    others = [key for key in change or {} if key not in STORY]
    story = {**STORY, **{key: (33_100 + 10 * n, {}) for n, key in enumerate(others)}}
    for (arm, name), (at_ms, answer) in story.items():
        facts = (change or {}).get((arm, name), answer)
        took_ms = (ends or {}).get((arm, name), at_ms + 40) - at_ms
        if facts is not None:
            begin = {"arm": arm, "name": name}
            journal.act(
                at_ms,
                "runbook.step",
                PATH,
                begin=begin,
                took_ms=took_ms,
                arm=arm,
                name=name,
                **facts,
            )
    journal.act(20_400, "runbook.watch", PATH, took_ms=10_000, mitigated=mitigated)
    made = replace(plan(), runbooks=(book,), run_runbooks=run_runbooks)
    return next(iter(check(Case(made, timeline(journal)))))


def said(finding: Finding) -> tuple[str, Outcome]:
    return finding.facts["verdict"], finding.outcome


FAILED = {"passed": False, "why": "exit code 1"}
UNKNOWN = {"passed": None, "why": "nobody answered within 1 s"}
SKIPPED = {"skipped": "left out"}


def test_all_of_it_is_proven_and_timed() -> None:
    found = judged()

    assert said(found) == ("proven", Outcome.PASS), found.summary
    assert found.facts["steady_after_ms"] == 800
    assert found.facts["resolved_after_ms"] == 3_800
    assert [row["arm"] for row in found.facts["steps"]] == [arm for arm, _ in STORY]


@pytest.mark.parametrize(
    ("change", "word", "outcome"),
    [
        ({("baseline", "diagnose"): {"passed": True}}, "non_discriminating", Outcome.FAIL),
        ({("fault", "diagnose"): FAILED}, "non_discriminating", Outcome.FAIL),
        (
            {("baseline", "diagnose"): {"passed": False, "exit": 127}},
            "not_executable",
            Outcome.FAIL,
        ),
        ({("fault", "diagnose"): None}, "not_assessable", Outcome.INCONCLUSIVE),
        ({("fault", "diagnose"): UNKNOWN}, "not_assessable", Outcome.INCONCLUSIVE),
        ({("mitigate", "mitigate"): FAILED}, "mitigation_ineffective", Outcome.FAIL),
        ({("mitigate", "mitigate"): UNKNOWN}, "not_assessable", Outcome.INCONCLUSIVE),
        ({("verify", "verify"): FAILED}, "mitigation_ineffective", Outcome.FAIL),
        ({("verify", "verify"): SKIPPED}, "not_assessable", Outcome.INCONCLUSIVE),
        ({("rollback", "rollback"): FAILED}, "not_rolled_back", Outcome.FAIL),
        ({("rollback", "rollback"): SKIPPED}, "not_rolled_back", Outcome.FAIL),
        ({("rollback", "rollback"): None}, "not_rolled_back", Outcome.FAIL),
        (
            {("undo", "rollback"): {"passed": True}, ("rollback", "rollback"): SKIPPED},
            "proven",
            Outcome.PASS,
        ),
        ({("after", "diagnose"): {"passed": True}}, "not_rolled_back", Outcome.FAIL),
        ({("after", "verify"): FAILED}, "not_rolled_back", Outcome.FAIL),
        ({("after", "verify"): None}, "not_assessable", Outcome.INCONCLUSIVE),
        ({("after", "diagnose"): SKIPPED}, "not_assessable", Outcome.INCONCLUSIVE),
        (
            {("after", "verify"): None, ("after", "diagnose"): None},
            "not_assessable",
            Outcome.INCONCLUSIVE,
        ),
    ],
)
def test_what_the_steps_say(change: Change, word: str, outcome: Outcome) -> None:
    found = judged(change)

    assert said(found) == (word, outcome), found.summary


@pytest.mark.parametrize("late", [("mitigate", "mitigate"), ("verify", "verify")])
def test_what_ended_after_the_fault_was_out_shows_nothing(late: tuple[str, str]) -> None:
    book = replace(BOOK, within_ms=20_000)

    found = judged(book=book, ends={late: 33_500})

    assert said(found) == ("not_assessable", Outcome.INCONCLUSIVE), found.summary
    assert f"`{late[1]}` ended after the fault was taken out" in found.summary


def test_what_did_not_help_is_not_excused_by_a_late_verification() -> None:
    found = judged(
        cured_s=33, resolved_ms=36_000, mitigated=False, ends={("verify", "verify"): 33_500}
    )

    assert said(found) == ("mitigation_ineffective", Outcome.FAIL), found.summary


NEVER = dict.fromkeys(STORY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (NEVER, "did not come to it"),
        ({**NEVER, ("baseline", "diagnose"): SKIPPED}, "left out"),
        ({**NEVER, ("baseline", "diagnose"): {"passed": False}}, "did not come to it"),
    ],
)
def test_a_run_that_never_came_to_the_diagnosis_says_nothing(change: Change, why: str) -> None:
    found = judged(change)

    assert said(found) == ("not_assessable", Outcome.INCONCLUSIVE), found.summary
    assert why in found.summary


def test_a_diagnosis_of_which_a_part_was_not_asked_may_still_tell() -> None:
    book = replace(BOOK, steps=(step("diagnose", "more"), *BOOK.steps))
    story: Change = {
        ("baseline", "more"): {"passed": False},
        ("fault", "diagnose"): {"passed": False},
        ("fault", "more"): {"skipped": "the run was stopped"},
    }

    found = judged(story, book=book)

    assert said(found) == ("not_assessable", Outcome.INCONCLUSIVE), found.summary
    assert "`more`" in found.summary


@pytest.mark.parametrize("word", ["mitigation_ineffective", "not_rolled_back"])
def test_what_may_still_be_changed_is_named(word: str) -> None:
    story: dict[tuple[str, str], Mapping[str, Any] | None] = {("rollback", "rollback"): SKIPPED}
    if word == "mitigation_ineffective":
        story["mitigate", "mitigate"] = FAILED

    found = judged(story)

    assert found.facts["verdict"] == word
    note = "what its mitigation changed may still be in: `rollback` did not succeed"
    assert note in found.facts["notes"]


def test_of_a_mitigation_that_was_never_begun_nothing_is_left() -> None:
    nothing = dict.fromkeys(
        (("mitigate", "mitigate"), ("verify", "verify"), ("rollback", "rollback")), SKIPPED
    )

    assert judged(nothing, run_runbooks=False).facts["notes"] == []


def test_a_mitigation_without_any_rollback_is_noted() -> None:
    steps = tuple(replace(s, mutates=False) for s in BOOK.steps if s.phase != "rollback")

    found = judged({("rollback", "rollback"): None}, book=replace(BOOK, steps=steps))

    assert said(found) == ("proven", Outcome.PASS)
    assert found.facts["notes"] == ["what its mitigation changed has no step that rolls it back"]


def test_a_load_that_recovers_only_when_the_fault_is_out_was_not_cured() -> None:
    found = judged(cured_s=33, resolved_ms=36_000, mitigated=False)

    assert said(found) == ("mitigation_ineffective", Outcome.FAIL), found.summary


def test_an_alert_that_does_not_resolve_was_not_cured() -> None:
    found = judged(resolved_ms=36_000, mitigated=False)

    assert said(found) == ("mitigation_ineffective", Outcome.FAIL)
    assert "`PaymentsSlow` did not resolve" in found.summary


def test_what_helps_after_its_time_is_too_slow() -> None:
    book = replace(BOOK, within_ms=2_000)

    assert said(judged(book=book)) == ("too_slow", Outcome.FAIL)


def test_a_service_that_was_well_shows_nothing() -> None:
    found = judged(cured_s=FAULT_S, alerts=False)

    assert said(found) == ("not_assessable", Outcome.INCONCLUSIVE)
    assert "neither load nor alert" in found.summary


def test_without_the_option_it_only_diagnoses() -> None:
    nothing = dict.fromkeys(
        (("mitigate", "mitigate"), ("verify", "verify"), ("rollback", "rollback")), SKIPPED
    )

    found = judged(nothing, run_runbooks=False)

    assert said(found) == ("diagnoses_only", Outcome.INCONCLUSIVE)


def test_a_runbook_without_a_mitigation_that_can_be_run_fails() -> None:
    book = replace(BOOK, steps=(step("diagnose"),))

    assert said(judged(book=book)) == ("diagnoses_only", Outcome.FAIL)


@pytest.mark.parametrize(
    ("said", "limit_ms", "after_ms", "note"),
    [
        # the diagnosis with the fault in begins at 19.1 s, the call ends at 33.14 s
        ({"passed": True, "answered": "done"}, 14_000, 14_040, "too late: it says 14 s"),
        ({"passed": True, "answered": "changed"}, 14_100, 14_040, "in time: it says 14.1 s"),
        ({"passed": True, "exit": 0}, 14_100, 14_040, "in time"),  # a script may call, too
        (UNKNOWN, 14_000, None, "it was not escalated, although it says after 14 s: `call`"),
        (UNKNOWN, None, None, "it was not escalated: `call`: nobody answered within 1 s"),
        (SKIPPED, 14_000, None, ""),
        ({"passed": True}, None, 14_040, ""),
    ],
)
def test_escalation_is_timed_against_the_limit_of_the_runbook(
    said: Mapping[str, Any], limit_ms: int | None, after_ms: int | None, note: str
) -> None:
    steps = (*BOOK.steps, step("escalate", "call"))
    book = replace(BOOK, steps=steps, escalate_after_ms=limit_ms)
    facts = judged({("escalate", "call"): said}, book=book).facts

    assert (facts["escalated_after_ms"], facts["escalate_within_ms"]) == (after_ms, limit_ms)
    told = [text for text in facts["notes"] if "escalated" in text]
    assert len(told) == bool(note)
    assert all(note in text for text in told)


def test_what_people_did_is_said() -> None:
    steps = tuple(
        replace(one, manual=True) if one.phase == "mitigate" else one for one in BOOK.steps
    )

    found = judged(
        {("mitigate", "mitigate"): {"passed": True, "answered": "done"}},
        book=replace(BOOK, steps=steps),
    )

    assert said(found) == ("manual", Outcome.PASS)


@pytest.mark.parametrize(
    ("name", "word", "outcome"),
    [
        ("unsafe", "unsafe", Outcome.FAIL),
        ("problem", "not_executable", Outcome.FAIL),
        ("blocked", "not_assessable", Outcome.INCONCLUSIVE),
    ],
)
def test_what_is_against_it_before_the_run(name: str, word: str, outcome: Outcome) -> None:
    found = judged(book=replace(BOOK, **{name: "why"}))

    assert said(found) == (word, outcome)
    assert found.facts["steps"] == []
