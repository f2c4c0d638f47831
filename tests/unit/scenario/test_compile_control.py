"""The plan of a control run: everything but the faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.kpi.comparable import comparable_key
from gameday.model.event import Event, Timeline
from gameday.model.plan import Plan
from gameday.scenario.compile import compile_plan
from gameday.scenario.control import control_of
from gameday.scenario.planfile import dump_plan, load_plan
from tests.unit.scenario.samples import a_project, a_scenario


@pytest.fixture
def usual(tmp_path: Path) -> Plan:
    return compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=7)


@pytest.fixture
def control(tmp_path: Path) -> Plan:
    return compile_plan(
        a_scenario(), a_project(tmp_path), environment="local", seed=7, control=True
    )


def test_no_fault_is_prepared_injected_or_undone(usual: Plan, control: Plan) -> None:
    without = [s.id for s in usual.schedule.steps if not s.verb.startswith(("fault.", "runbook."))]

    assert [s.id for s in control.schedule.steps] == without
    waited = {t.kind for s in control.schedule.steps for w in s.when for t in w.all_of}
    assert not {kind for kind in waited if kind.startswith("fault.")}
    assert control.scenario.faults == ()
    assert control.scenario.control is not None
    assert control.scenario.control.faults == ("late", "gone")


def test_the_load_and_the_lengths_are_the_same(usual: Plan, control: Plan) -> None:
    assert control.scenario.load == usual.scenario.load
    steps = {s.id: s for s in control.schedule.steps}
    ends = [s.when[0].delay_ms for s in usual.schedule.steps if s.verb == "fault.revert"]
    assert steps["run.phase:recovery"].when[0].delay_ms == max(ends)
    same = {s.id: s for s in usual.schedule.steps}
    for name in ("target.open:shop", "load.start:load", "run.phase:baseline", "run.phase:end"):
        assert [w.delay_ms for w in steps[name].when] == [w.delay_ms for w in same[name].when]


def test_only_the_objectives_of_the_baseline_are_expected(usual: Plan, control: Plan) -> None:
    expect, baseline = control.scenario.expect, usual.scenario.expect.baseline

    assert baseline
    assert (expect.baseline, expect.fault, expect.recovery) == (baseline, baseline, baseline)
    assert (expect.alerts, expect.quiet, expect.tolerate, expect.runbooks) == ((), (), (), ())
    assert control.runbooks == ()


def test_it_is_compared_with_no_usual_run(usual: Plan, control: Plan) -> None:
    parts = {"toxiproxy": None, "load": "locust", "alerts": ["builtin"]}
    journal = Timeline([Event(seq=0, at_ms=0, kind="run.parts", subject="parts", data=parts)])

    assert comparable_key(usual, journal) != comparable_key(control, journal)


def test_it_comes_back_from_its_file(control: Plan) -> None:
    assert load_plan(dump_plan(control)) == control


def test_where_nothing_would_be_broken_there_is_none(usual: Plan, control: Plan) -> None:
    with pytest.raises(UsageError, match="has no faults"):
        control_of(control.scenario, usual.environment)
