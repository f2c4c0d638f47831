"""What the first screen of a page says, beyond what its sample runs show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from test_reports_golden import RUNS, report_of

from gameday.model.verdict import Outcome
from gameday.report import answer
from gameday.report.html import prose


def test_a_next_step_that_two_failures_share_is_told_once() -> None:
    report = report_of(RUNS["failed"]())
    failed = next(f for f in report.expectations if f.outcome is Outcome.FAIL)
    both = tuple(
        replace(failed, check=check, subject="fault")
        for check in ("slo/criterion", "load/teardown")
    )
    steps = [step.text for step in answer.next_steps(replace(report, expectations=both))]

    why = "find why requests of shop failed or came late in the fault phase, and mend that"
    assert steps[0] == why
    assert [step.partition(":")[0] for step in steps[1:]] == ["run it again after each change"]


def steps_of(*failures: tuple[str, str, dict[str, Any]]) -> list[str]:
    """The next steps of a run in which these checks failed, but for the one to run it again."""
    report = report_of(RUNS["failed"]())
    one = next(f for f in report.expectations if f.outcome is Outcome.FAIL)
    made = tuple(replace(one, check=c, subject=s, facts=f, summary="x") for c, s, f in failures)
    return [step.text for step in answer.next_steps(replace(report, expectations=made))][:-1]


def test_a_step_names_what_has_to_be_mended_and_does_not_tell_it_again() -> None:
    other = {"alerts": ["CheckoutSlow", "CacheCold", "Burn", "Disk"]}

    assert steps_of(
        ("alert/fired", "PaymentsSlow", {}), ("alert/delivered", "PaymentsSlow", {})
    ) == ["mend the alert `PaymentsSlow` (missed)"]
    assert steps_of(("alert/fired", "A", {}), ("alert/quiet", "severity=page", other)) == [
        "mend the alert `A`",
        "see why `CheckoutSlow`, `CacheCold`, `Burn` and 1 more fired, then mend it or expect it",
    ]
    assert steps_of(("answer/right", "orders", {}), ("answer/right", "stock", {})) == [
        "put right what shop answered: `orders`, `stock`"
    ]
    assert steps_of(("runbook/linked", "A", {})) == ["mend the runbook: x"]


def test_a_line_is_not_spent_on_saying_that_there_is_one_more() -> None:
    report = report_of(RUNS["failed"]())
    failed = next(f for f in report.expectations if f.outcome is Outcome.FAIL)
    told = {}
    for count in (3, 4, 5):
        many = tuple(replace(failed, summary=f"failure {n}") for n in range(count))
        told[count] = [line.text for line in answer.what_failed(replace(report, expectations=many))]

    assert told[3] == ["failure 0", "failure 1", "failure 2"]
    assert told[4] == [*told[3], "failure 3"]
    assert told[5] == [*told[3], "and 2 more"]


def test_nothing_is_said_to_have_held_in_a_run_that_is_not_clean() -> None:
    report = report_of(RUNS["passed"]())
    assert answer.what_failed(report)[0].text.startswith("nothing: all ")
    verdict = replace(report.verdict, outcome=Outcome.INCONCLUSIVE, clean=False)

    (line,) = answer.what_failed(replace(report, verdict=verdict))

    assert line.text == "nothing, but the run proves nothing"


def test_an_option_stays_in_one_piece_and_stays_text() -> None:
    found = prose("do `gameday run <b> --profile smoke`")

    assert found == (
        'do <code>gameday run &lt;b&gt; <span class="word">--profile</span> smoke</code>'
    )
    assert prose("`--a<i>`") == '<code><span class="word">--a&lt;i&gt;</span></code>'
