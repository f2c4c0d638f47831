"""Expectations as questions with a number, and which class and severity a failure has."""

from __future__ import annotations

import pytest

from gameday.model.finding_record import FindingClass, FindingSeverity
from gameday.programme.finding_class import CLASSES, SEVERITIES, usual_severity
from gameday.programme.observed import Demand, demand_of


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("fault: p50 < 500ms", Demand(question="fault: p50 <", limit=500)),
        ("fault: checkout p95 < 1s", Demand(question="fault: checkout p95 <", limit=1000)),
        ("fault: errors <= 5%", Demand(question="fault: errors <", limit=0.05)),
        ("fault: goodput > 90%", Demand(question="fault: goodput >", limit=0.9, least=False)),
        ("recovery: steady within 4s", Demand(question="recovery: steady within", limit=4000)),
        (
            "PaymentsSlow{severity=page} fires within 1 min",
            Demand(question="PaymentsSlow{severity=page} fires within", limit=60_000),
        ),
        (
            "BackSlow resolves within 2 min 5 s",
            Demand(question="BackSlow resolves within", limit=125_000),
        ),
        (
            "BackSlow is delivered to pager within 600 ms",
            Demand(question="BackSlow is delivered to pager within", limit=600),
        ),
        (
            "the objectives hold at 150/s",
            Demand(question="the objectives hold at", limit=150, least=False),
        ),
        (
            "no other alert with severity=page fires",
            Demand(question="no other alert with severity=page fires"),
        ),
        ("`ledger`: afterwards lost is 0", Demand(question="`ledger`: afterwards lost is 0")),
        ("answers within reason", Demand(question="answers within reason")),
    ],
)
def test_an_expectation_is_a_question_and_a_number(text: str, demand: Demand) -> None:
    assert demand_of(text) == demand


def test_every_check_of_an_expectation_has_a_class() -> None:
    from gameday.checks import CHECKS

    ours = {name for name in CHECKS if name.partition("/")[0] in {"slo", "alert", "runbook"}}

    assert ours <= set(CLASSES)
    assert set(CLASSES) <= set(CHECKS)


@pytest.mark.parametrize(
    ("kind", "tier", "severity"),
    [
        ("detection_gap", 0, "critical"),
        ("detection_gap", 1, "critical"),
        ("detection_gap", 2, "high"),
        ("detection_gap", None, "high"),
        ("resilience_defect", 1, "high"),
        ("alert_noise", 3, "low"),
    ],
)
def test_severity_is_that_of_the_class_and_the_tier(
    kind: str, tier: int | None, severity: str
) -> None:
    assert usual_severity(FindingClass(kind), tier) is FindingSeverity(severity)


def test_every_class_has_a_severity() -> None:
    assert set(SEVERITIES) == set(FindingClass)
