"""`needs` as it is written: its words, its place in the plan, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from gameday.app.planview import show_plan
from gameday.model.needs import NEEDS
from gameday.scenario.compile import compile_plan
from gameday.scenario.planfile import dump_plan, load_plan
from gameday.scenario.schema import scenario_schema
from tests.unit.scenario.samples import SCENARIO, a_project, a_scenario, changed, lints

NEEDY = changed(SCENARIO, "needs", ["docker", "libfaketime", "docker"])


def test_it_goes_into_the_plan_once_and_is_told(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    plan = compile_plan(a_scenario(NEEDY), project, environment="local", seed=0)

    assert load_plan(dump_plan(plan)).scenario.needs == ("docker", "libfaketime")
    assert "needs      docker (a Docker engine that answers); libfaketime" in show_plan(plan)
    bare = compile_plan(a_scenario(SCENARIO), project, environment="local", seed=0)
    assert bare.scenario.needs == ()
    assert "needs " not in show_plan(bare)


def test_a_plan_of_before_it_needs_nothing(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    plan = compile_plan(a_scenario(SCENARIO), project, environment="local", seed=0)
    old = dump_plan(plan).replace('"needs":[],', "")

    assert old != dump_plan(plan)
    assert load_plan(old) == plan


def test_a_word_that_is_not_known_is_refused_with_those_that_are() -> None:
    (found,) = lints(changed(SCENARIO, "needs", ["doker"]))

    assert found.code == "value/choice"
    assert "docker" in found.hint
    assert found.mark is not None


def test_the_schema_knows_the_words() -> None:
    assert scenario_schema()["properties"]["needs"]["items"]["enum"] == sorted(NEEDS)
