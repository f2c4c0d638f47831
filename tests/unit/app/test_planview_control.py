"""What a plan says of a control run, and of the proof of the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gameday.app.planview import show_plan
from gameday.scenario.compile import compile_plan
from tests.unit.scenario.samples import a_project, a_scenario


@pytest.mark.parametrize(("kind", "free"), [("staging", True), ("production", False)])
def test_a_control_run_says_what_it_leaves_out(tmp_path: Path, kind: str, *, free: bool) -> None:
    project = a_project(tmp_path)
    plan = compile_plan(a_scenario(), project, environment="local", seed=1, control=True)

    text = show_plan(replace(plan, environment=replace(plan.environment, kind=kind)))

    assert "nothing is broken: a control run, without late, gone" in text
    assert ("no approval is asked for" in text) is free
    assert "no alert fires; seen by the built-in alerts" in text
    assert "fault late" not in text


def test_the_proof_comes_first(tmp_path: Path) -> None:
    plan = compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=1)
    alerting = replace(plan.environment.alerting, proof="watchdog")

    lines = show_plan(
        replace(plan, environment=replace(plan.environment, alerting=alerting))
    ).splitlines()

    assert lines[lines.index("in order:") + 1].strip() == (
        "that alerts get through is proven (watchdog), or it ends"
    )
    assert "is proven (" not in show_plan(plan)
