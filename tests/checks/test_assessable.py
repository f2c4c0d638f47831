"""What a source cannot say makes a question about it inconclusive, never a pass or a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import ORIGIN, Journal, expectations, good_run, plan, timeline

from gameday.checks import alert_fired, alert_resolved
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
    made = replace(made, environment=replace(made.environment, alerting=place))
    return Case(made, timeline(journal))


def finding(check: str, subject: str = "Slow", outcome: Outcome = Outcome.PASS) -> Finding:
    return Finding(
        check=check, subject=subject, outcome=outcome, summary="as it was", expectation="x"
    )


def assess(one: Case, found: Finding) -> Finding:
    """Of the only alert that is expected."""
    return assessed(one, found, None if found.check == "alert/quiet" else one.alerts[0])


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
    found = assess(case(can, **expected), finding(check, subject, outcome))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "not assessable: `vendor` cannot say" in found.summary
    if check != "alert/delivered":
        same = assess(case(ALL, **expected), finding(check, subject, outcome))
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


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("check", [alert_fired.check, alert_resolved.check])
def test_of_two_with_one_name_each_is_asked_for_what_it_needs(check: Any, swapped: bool) -> None:
    """One expects labels, which the source cannot tell; the other one does not."""
    one = case(tuple(name for name in ALL if name != "labels"), resolves_within_ms=5_000)
    (bare,) = one.alerts
    alerts = (bare, replace(bare, labels={"severity": "page"}))
    alerts = alerts[::-1] if swapped else alerts
    made = replace(
        one.plan, scenario=replace(one.plan.scenario, expect=expectations(alerts=alerts))
    )
    journal = good_run(alerts=False)
    at = {"firing_wall_ms": ORIGIN + 16_000, "ended_wall_ms": ORIGIN + 36_000}
    more = {"pending_wall_ms": None, "acknowledged_wall_ms": None, "annotations": {}, "states": []}
    error = {"error_ms": 500, "end_error_ms": 500}
    episode = {"id": "1", "alert": "Slow", "labels": {"severity": "page"}, **at, **more, **error}
    read = {"episodes": [episode], "rules": [], "can": [n for n in ALL if n != "labels"]}
    wall = {"until_wall_ms": ORIGIN + 100_000, "offset_ms": 0.0, "error_ms": 500.0, "gaps": []}
    journal.act(60_000, "alert.read", "vendor", judged=True, history=True, **read, **wall)

    found = {
        bool(e.labels): f for e, f in zip(alerts, check(Case(made, timeline(journal))), strict=True)
    }

    assert found[False].outcome is Outcome.PASS, found[False]
    assert found[True].outcome is Outcome.INCONCLUSIVE, found[True]
    assert "not assessable" in found[True].summary
