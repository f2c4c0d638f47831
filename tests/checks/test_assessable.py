"""What a source cannot say makes a question about it inconclusive, never a pass or a failure."""

from __future__ import annotations

from typing import Any

import pytest
from checks_support import ORIGIN, Journal, expectations, plan, timeline

from gameday.checks.assessable import assessed
from gameday.checks.case import Case
from gameday.kpi.assess import not_assessable
from gameday.model.project import AlertingSpec
from gameday.model.scenario import AlertExpectation
from gameday.model.sources import SourceSpec
from gameday.model.verdict import Finding, Outcome

ALL = ("firing", "ended", "delivered", "labels")


def spec(name: str, **more: Any) -> SourceSpec:
    return SourceSpec(name=name, url="http://127.0.0.1:1", map={"started": "x"}, **more)


def case(can: tuple[str, ...], **expected: Any) -> Case:
    """A run that read the source `vendor`, which is the receiver too."""
    alert = AlertExpectation(alert="Slow", fires_within_ms=5_000, **expected)
    journal = Journal()
    read = {"episodes": [], "rules": [], "can": list(can), "judged": True, "history": True}
    wall = {"until_wall_ms": ORIGIN + 100_000, "offset_ms": 0.0, "error_ms": 500.0, "gaps": []}
    journal.act(100_000, "alert.read", "vendor", **read, **wall)
    made = plan(expect=expectations(alerts=(alert,)))
    place = AlertingSpec(http_json=(spec("vendor"),))
    from dataclasses import replace

    made = replace(made, environment=replace(made.environment, alerting=place))
    return Case(made, timeline(journal))


def finding(check: str, subject: str = "Slow", outcome: Outcome = Outcome.PASS) -> Finding:
    return Finding(
        check=check, subject=subject, outcome=outcome, summary="as it was", expectation="x"
    )


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize(
    ("check", "subject", "lacks", "expected"),
    [
        ("alert/fired", "Slow", "labels", {"labels": {"severity": "page"}}),
        ("alert/resolved", "Slow", "ended", {}),
        ("alert/delivered", "Slow", "delivered", {"receiver": "vendor"}),
        ("alert/quiet", "severity=page", "labels", {}),
    ],
)
def test_what_it_lacks_is_not_assessable(
    check: str, subject: str, lacks: str, expected: Any, outcome: Outcome
) -> None:
    can = tuple(name for name in ALL if name != lacks)
    found = assessed(case(can, **expected), finding(check, subject, outcome))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "not assessable: `vendor` cannot say" in found.summary
    if check != "alert/delivered":
        same = assessed(case(ALL, **expected), finding(check, subject, outcome))
        assert (same.outcome, same.summary) == (outcome, "as it was")


def test_without_labels_in_the_expectation_none_are_needed() -> None:
    assert assessed(case(("firing",)), finding("alert/fired")).outcome is Outcome.PASS
    quiet = finding("alert/quiet", "alertname=Noise")
    assert assessed(case(("firing",)), quiet).outcome is Outcome.PASS


def test_other_answers_stay() -> None:
    for outcome in (Outcome.SKIP, Outcome.INCONCLUSIVE):
        one = finding("alert/resolved", outcome=outcome)
        assert assessed(case(()), one) is one
    assert assessed(case(()), finding("slo/steady")).outcome is Outcome.PASS


def test_sources_that_tell_nothing_can_say_all() -> None:
    journal = Journal()
    journal.act(100, "alert.read", "prometheus", matrix=[])
    assert not_assessable(timeline(journal), "prometheus", ["labels"]) == ""
