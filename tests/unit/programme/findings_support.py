"""Observations and records for tests of the findings register."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from gameday.model.finding_record import (
    Evidence,
    FaultStrength,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingsPolicy,
)
from gameday.model.verdict import Outcome
from gameday.programme import findings
from gameday.programme.finding_raise import raised
from gameday.programme.observed import Observation

POLICY = FindingsPolicy()
DAY_0 = datetime.datetime(2026, 10, 1, 9, tzinfo=datetime.UTC)
LATENCY = {"stream": "downstream", "toxicity": 1.0, "latency": 800, "jitter": 0}


def at(days: float) -> datetime.datetime:
    return DAY_0 + datetime.timedelta(days=days)


def fault(**options: Any) -> FaultStrength:
    return FaultStrength(
        target="payments", kind="latency", strengths=({**LATENCY, **options},), length_ms=60_000
    )


def evidence(run: str, day: float, **more: Any) -> Evidence:
    usual = Evidence(
        run=run,
        started=at(day).isoformat().replace("+00:00", "Z"),
        scenario="payments-slow",
        check="slo/criterion",
        expectation="fault: p95 < 1s",
        limit=1000.0,
        summary="p95 was 2 s",
        environment="staging",
        environment_kind="staging",
        faults=(fault(),),
        fault_ms=60_000,
        load_model="open",
        load_peak=100.0,
    )
    return replace(usual, **more)


def seen(run: str, day: float, *, fails: bool = True, **more: Any) -> Observation:
    return Observation(
        service="shop",
        failure_mode="payments.latency",
        expectation="slo/criterion fault: p95 <",
        kind=FindingClass.RESILIENCE_DEFECT,
        severity=FindingSeverity.HIGH,
        owner_team="team-checkout",
        outcome=Outcome.FAIL if fails else Outcome.PASS,
        evidence=evidence(run, day, **more),
    )


def claimed_fix(first: Observation | None = None, claimed_on: float = 3) -> FindingRecord:
    """A finding whose fix is claimed on day 3 (raised on day 0)."""
    record = raised(first or seen("run-0", 0), at(0), POLICY)
    record = findings.assigned(record, role="owner", now=at(1), policy=POLICY)
    record = findings.started(record, role="team-checkout", now=at(2), policy=POLICY)
    return findings.claimed(
        record, role="team-checkout", why="a timeout of 600 ms", now=at(claimed_on), policy=POLICY
    )
