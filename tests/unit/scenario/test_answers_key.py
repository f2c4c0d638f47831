"""`expect.answers` as it is written: its targets, its step in the plan, its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.app.planview import show_plan
from gameday.scenario.compile import compile_plan
from gameday.scenario.planfile import dump_plan, load_plan
from tests.unit.scenario.samples import SCENARIO, a_project, a_scenario, changed
from tests.unit.scenario.test_lint import lints

ORDERS: dict[str, Any] = {"get": "/ledger?settle=1", "json": {"lost": 0, "all[0].id": None}}
#: What is wrong with it -> what is written.
WRONG: dict[str, dict[str, Any]] = {
    "value/empty": {"json": {}},
    "value/match": {"json": {"lost[": 0}},
    "value/path": {"get": "ledger"},
    "value/duration": {"within": "2m"},
    "target/unknown": {"target": "shpo"},
    "target/no-url": {"target": "payments"},
    "document/missing-key": {"json": ...},
}


def written(**changes: Any) -> dict[str, Any]:
    orders = {**ORDERS, **changes}
    orders = {key: value for key, value in orders.items() if value is not ...}
    return changed(SCENARIO, "expect.answers", {"orders": orders})


def test_it_is_asked_of_the_target_of_the_load_unless_another_is_named() -> None:
    assert not lints(written())
    (asked,) = a_scenario(written()).expect.answers
    assert (asked.target, asked.within_ms) == ("shop", 10_000)
    assert asked.wanted == "lost is 0, all[0].id is null"
    assert not lints(written(target="shop", within="60s"))


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_said_where_it_stands(code: str, tmp_path: Path) -> None:
    data = written(**WRONG[code])
    found = [one for one in lints(data, a_project(tmp_path)) if one.code == code]
    assert len(found) == 1
    assert found[0].mark is not None


@pytest.mark.parametrize("path", ["ledger", "//evil.example.org/x", "/a b", "/a#b", "/ä", ""])
def test_only_a_path_of_the_target_can_be_asked(path: str) -> None:
    assert lints(written(get=path))


def test_it_is_a_step_after_the_load_that_is_done_also_after_a_stop(tmp_path: Path) -> None:
    without = compile_plan(a_scenario(SCENARIO), a_project(tmp_path), environment="local", seed=0)
    plan = compile_plan(a_scenario(written()), a_project(tmp_path), environment="local", seed=0)
    (step,) = (s for s in plan.schedule.steps if s.verb == "answer.ask")
    assert (step.subject, step.always, step.required) == ("orders", True, False)
    assert {t.kind for when in step.when for t in when.all_of} == {"load.stop"}
    assert plan.schedule.limits.deadline_ms - without.schedule.limits.deadline_ms == step.limit_ms
    assert load_plan(dump_plan(plan)) == plan
    line = "afterwards GET /ledger?settle=1 of shop within 10 s: lost is 0, all[0].id is null"
    assert line in show_plan(plan)


def test_a_control_run_asks_too(tmp_path: Path) -> None:
    plan = compile_plan(
        a_scenario(written()), a_project(tmp_path), environment="local", seed=0, control=True
    )
    assert [one.name for one in plan.scenario.expect.answers] == ["orders"]
