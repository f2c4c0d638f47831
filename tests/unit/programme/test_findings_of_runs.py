"""What whole runs say of their expectations, and how hard they tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    LATENCY,
    RECOVERY_S,
    cell,
    change,
    cut,
    drop,
    good_run,
    plan,
    proxy_at,
    tick,
    timeline,
)

from gameday.checks import judge
from gameday.model.event import Timeline
from gameday.model.finding_record import FindingClass, FindingSeverity
from gameday.model.plan import Plan
from gameday.model.project import Service
from gameday.model.scenario import ActionSpec, FaultSpec, Stage, ToxicSpec
from gameday.model.shape import Stretch
from gameday.model.verdict import Outcome, RunStatus
from gameday.model.window import Tick
from gameday.programme.observed import Observation, failure_mode_of, observations
from gameday.report.build import build


def naive(second: int) -> Tick:
    if FAULT_S < second < RECOVERY_S:
        slow = cell(second, "checkout", 20, 1620)
        lost = cell(second, "checkout", 5, 5000, "timeout")
        return tick(second, [cell(second, "browse", 75, 12), slow, lost])
    return tick(second)


def seen(
    run: Timeline, setup: Plan | None = None, reached: Mapping[str, int] | None = None
) -> tuple[Observation, ...]:
    made = setup or plan()
    return observations(made, build(made, run, judge(made, run)), reached or {"slow": 1})


def failures(rows: tuple[Observation, ...]) -> dict[str, Observation]:
    return {one.expectation: one for one in rows if one.outcome is Outcome.FAIL}


def test_a_good_run_passes_all_that_it_asks() -> None:
    rows = seen(timeline(good_run()))

    assert {one.outcome for one in rows} <= {Outcome.PASS, Outcome.SKIP}
    assert {one.unfit for one in rows} == {""}
    assert not any(one.stopped for one in rows)


@pytest.mark.parametrize(
    ("tier", "gap", "defect"),
    [(0, "critical", "high"), (2, "high", "medium"), (None, "high", "medium")],
)
def test_a_failed_run_says_what_is_wrong_and_how_bad(
    tier: int | None, gap: str, defect: str
) -> None:
    setup = replace(plan(), service=Service(name="shop", tier=tier))

    found = failures(seen(timeline(good_run(ticks=naive, alerts=False)), setup))

    slow = found["slo/criterion fault: checkout p95 <"]
    missed = found["alert/fired PaymentsSlow{severity=page} fires within"]
    assert (slow.kind, slow.severity) == (FindingClass.RESILIENCE_DEFECT, FindingSeverity(defect))
    assert (missed.kind, missed.severity) == (FindingClass.DETECTION_GAP, FindingSeverity(gap))
    assert slow.failure_mode == "payments.latency"
    assert slow.owner_team == "team-checkout"
    assert slow.evidence.limit == 1_000
    assert slow.evidence.profile == "smoke"
    assert (slow.evidence.load_model, slow.evidence.load_peak) == ("open", 100.0)
    assert slow.evidence.started
    (fault,) = slow.evidence.faults
    assert (fault.target, fault.kind, fault.length_ms) == ("payments", "latency", 20_000)
    assert fault.strengths[0]["stream"] == "downstream"
    assert fault.strengths[0]["latency"] == 800


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (timeline(good_run(ticks=naive, proxy=lambda s: proxy_at(s, per_s=9))), "not valid"),
        (timeline(good_run(ticks=naive), cut(20_000)), "not"),
        (
            timeline(
                good_run(ticks=naive),
                drop("fault.revert"),
                change("run.closed", status="stopped", dirty=["slow"]),
            ),
            "could not be shown to be gone",
        ),
    ],
    ids=["invalid", "incomplete", "dirty"],
)
def test_a_run_that_could_not_show_anything_raises_and_verifies_nothing(
    run: Timeline, why: str
) -> None:
    rows = seen(run)

    assert rows
    assert all(why in one.unfit for one in rows), {one.unfit for one in rows}


def test_a_stopped_run_is_known_as_one() -> None:
    made, run = plan(), timeline(good_run(ticks=naive))
    report = build(made, run, judge(made, run))
    stopped = replace(report, verdict=replace(report.verdict, status=RunStatus.STOPPED))

    rows = observations(made, stopped, {})

    assert all(one.stopped and not one.unfit for one in rows)


def strengths(fault: FaultSpec, reached: int = 1) -> tuple[Mapping[str, Any], ...]:
    rows = seen(timeline(good_run()), plan(faults=(fault,)), {fault.id: reached})
    return rows[0].evidence.faults[0].strengths


def test_what_was_not_given_is_told_with_its_default() -> None:
    toxic = ToxicSpec(type="http_status", attributes={"status": 503})

    assert strengths(replace(LATENCY, toxic=toxic)) == (
        {
            "body": "", "method": "", "path": "", "share": 1.0, "status": 503,
            "stream": "downstream", "toxicity": 1.0,
        },
    )  # fmt: skip
    action = ActionSpec(family="container", type="kill")
    assert strengths(FaultSpec(id="slow", target="payments", action=action)) == (
        {"signal": "KILL"},
    )
    assert strengths(FaultSpec(id="slow", target="payments", down=True)) == ({},)


def test_of_calls_only_their_hash_is_kept() -> None:
    def calls(word: str) -> Mapping[str, Any]:
        options = {"inject": {"run": ["stop", word], "timeout_ms": 5_000}}
        action = ActionSpec(family="command", type="command", options=options)
        return strengths(FaultSpec(id="slow", target="payments", action=action))[0]

    assert calls("secret") == calls("secret")
    assert calls("secret") != calls("other")
    assert "secret" not in str(calls("secret"))


def test_a_stage_counts_if_it_was_reached() -> None:
    stage = Stage(toxic=replace(_toxic(), attributes={"latency": 2_000}), after_ms=5_000)
    fault = replace(LATENCY, stages=(stage,))

    assert [one["latency"] for one in strengths(fault, 1)] == [800]
    assert [one["latency"] for one in strengths(fault, 2)] == [800, 2_000]


def _toxic() -> ToxicSpec:
    assert LATENCY.toxic is not None
    return LATENCY.toxic


@pytest.mark.parametrize(
    ("changes", "model", "peak"),
    [
        ({"arrivals_per_s": None, "users": 20}, "closed", 20.0),
        (
            {
                "arrivals_per_s": None,
                "shape": (
                    Stretch(from_per_s=10, to_per_s=300, length_ms=5_000),
                    Stretch(from_per_s=50, to_per_s=50),
                ),
            },
            "open",
            300.0,
        ),
    ],
)
def test_the_load_is_told_by_its_peak(changes: dict[str, Any], model: str, peak: float) -> None:
    setup = plan()
    load = replace(setup.scenario.load, **changes)
    setup = replace(setup, scenario=replace(setup.scenario, load=load))

    evidence = seen(timeline(good_run()), setup)[0].evidence

    assert (evidence.load_model, evidence.load_peak) == (model, peak)


def test_the_failure_mode_names_each_fault_once() -> None:
    other = replace(LATENCY, id="other", target="inventory")

    assert failure_mode_of(plan(faults=(LATENCY, LATENCY))) == "payments.latency"
    assert failure_mode_of(plan(faults=(LATENCY, other))) == "inventory.latency+payments.latency"
    assert failure_mode_of(plan(faults=())) == "load"
