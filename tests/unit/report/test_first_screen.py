"""What the first screen of a page says, beyond what its sample runs show."""

from __future__ import annotations

from dataclasses import replace

from test_reports_golden import RUNS, report_of

from gameday.model.verdict import Outcome
from gameday.report import answer


def test_a_next_step_that_two_failures_share_is_told_once() -> None:
    report = report_of(RUNS["failed"]())
    failed = next(f for f in report.expectations if f.outcome is Outcome.FAIL)
    both = tuple(
        replace(failed, check=check, subject="fault")
        for check in ("slo/criterion", "load/teardown")
    )
    steps = [step.text for step in answer.next_steps(replace(report, expectations=both))]

    assert steps[0] == "see where shop lost its users in the fault phase, then mend that"
    assert [step.partition(":")[0] for step in steps[1:]] == ["run it again after each change"]
