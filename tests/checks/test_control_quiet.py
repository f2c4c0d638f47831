"""In a control run every alert that fires is a false one, and the verdict says what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import BASELINE_S, ORIGIN, change, good_run, plan, timeline

from gameday.checks import judge
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import ControlSpec, Expectations
from gameday.model.verdict import Outcome
from gameday.report.build import build
from gameday.report.console import render


def control_plan() -> Plan:
    made = plan()
    holds = made.scenario.expect.baseline
    expect = Expectations(baseline=holds, fault=holds, recovery=holds)
    spec = ControlSpec(faults=("slow",), proxies=("payments",))
    return replace(made, scenario=replace(made.scenario, faults=(), expect=expect, control=spec))


def without_fault(events: list[Event]) -> list[Event]:
    """A good run as it would have been: no fault, no alert."""
    gone = ("fault.", "alert.firing", "alert.pending", "alert.resolved", "alert.delivered")
    return [e for e in events if not e.kind.startswith(gone)]


def control_run(*firings: tuple[str, int], **labels: str) -> Timeline:
    def fired(events: list[Event]) -> list[Event]:
        found = list(events)
        for name, at_ms in firings:
            data: dict[str, Any] = {
                "source": "builtin", "labels": {"alertname": name, **labels}, "annotations": {},
                "at_wall_ms": next(e for e in events if e.kind == "run.opened").data[
                    "origin_wall_ms"
                ] + at_ms,
            }  # fmt: skip
            found.append(Event(seq=900, at_ms=at_ms, kind="alert.firing", subject=name, data=data))
        return sorted(found, key=lambda e: e.at_ms)

    return timeline(good_run(), without_fault, fired)


def test_a_quiet_one_passes_and_says_what_it_was() -> None:
    made, seen = control_plan(), control_run()

    verdict = judge(made, seen)

    quiet = [f for f in verdict.findings if f.check == "control/quiet"]
    assert [(f.outcome, f.summary) for f in quiet] == [
        (Outcome.PASS, "no alert fired without a fault")
    ]
    assert verdict.reason.startswith("control run, no fault was injected: ")


def test_every_alert_that_fires_is_named_expected_or_not() -> None:
    made = control_plan()
    seen = control_run(("PaymentsSlow", 15_000), ("Noise", 20_000), severity="page")

    verdict = judge(made, seen)

    failed = [f.subject for f in verdict.findings if f.outcome is Outcome.FAIL]
    assert {"PaymentsSlow", "Noise"} <= set(failed)
    report = build(made, seen, verdict)
    assert report.control is True
    numbers = {n.name: n.value for n in report.alert_numbers}
    assert numbers == {"false_pages": 2.0}
    assert render(report).startswith("CONTROL RUN: ")


def test_one_that_fired_before_the_load_is_not_its_fault() -> None:
    made, seen = control_plan(), control_run(("Old", -20))

    verdict = judge(made, seen)

    assert [f.outcome for f in verdict.findings if f.check == "control/quiet"] == [Outcome.PASS]
    assert {n.value for n in build(made, seen, verdict).alert_numbers} == {0.0}


def late_load(seconds: int, blind_ms: int) -> Timeline:
    """The load's first second is *seconds*; its alerts saw nothing before *blind_ms*."""
    late = change("load.start", phase=Phase.OK, first_second=seconds)
    gaps = [[ORIGIN - 1_000, ORIGIN + blind_ms]]
    blind = change("alert.read", phase=Phase.OK, gaps=gaps)
    return timeline(good_run(), without_fault, late, blind)


@pytest.mark.parametrize(
    ("blind_ms", "outcome"), [(6_000, Outcome.PASS), (6_001, Outcome.INCONCLUSIVE)]
)
def test_a_load_that_took_long_to_begin_hides_no_alert_of_its_own(
    blind_ms: int, outcome: Outcome
) -> None:
    findings = judge(control_plan(), late_load(6, blind_ms)).findings

    assert [f.outcome for f in findings if f.check == "control/quiet"] == [outcome]


def test_one_that_was_cut_short_proves_nothing() -> None:
    seen = control_run()
    short = Timeline([e for e in seen if e.at_ms < BASELINE_S * 1000])

    findings = judge(control_plan(), short).findings

    assert [f.outcome for f in findings if f.check == "control/quiet"] == [Outcome.INCONCLUSIVE]


def test_a_usual_run_is_not_asked() -> None:
    found = judge(plan(), timeline(good_run()))

    assert "control/quiet" not in {f.check for f in found.findings}
    assert build(plan(), timeline(good_run()), found).control is False
