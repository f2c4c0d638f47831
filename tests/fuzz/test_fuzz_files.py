"""Whatever is in a scenario or project file: a plan, or diagnostics that say what and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuzz_dice import Dice
from fuzz_projects import project, write_around
from fuzz_runs import fuzz, parts
from fuzz_scenarios import scenario
from fuzz_text import document, plainly
from fuzz_told import check_told

from gameday.app.planview import show_plan
from gameday.errors import ScenarioError
from gameday.model.diagnostics import has_errors
from gameday.model.plan import Plan
from gameday.report.describe import describe
from gameday.scenario.api import check, plan_for
from gameday.scenario.build import profiles_of
from gameday.scenario.load import load_file
from gameday.scenario.planfile import dump_plan, load_plan

POOL = 8
Record = Callable[[str, object], None]


def folders(base: Path) -> list[Path]:
    """Project folders, each with another project and a scenario of it, all of them right."""
    made = []
    for seed in range(POOL):
        folder = base / f"project-{seed}"
        write_around(folder)
        for name, data in (
            ("gameday.yaml", project(Dice.seeded(seed))),
            ("scenario.yaml", scenario(Dice.seeded(seed))),
        ):
            (folder / name).write_text(plainly(data), encoding="utf-8")
        made.append(folder)
    return made


def look_at(dice: Dice, folder: Path) -> bool:
    """Check and plan the two files of a folder; whether they became a plan."""
    paths = [folder / "gameday.yaml", folder / "scenario.yaml"]
    found = check(paths).diagnostics
    check_told(found, paths)
    names = [None, *profiles_of(load_file(paths[1]))]
    profile = dice.pick(names)
    refused: ScenarioError | None = None
    try:
        plan = plan_for(paths[1], profile=profile, seed=dice.number(0, 2**63 - 1))
    except ScenarioError as error:
        refused = error
    if refused is not None:
        assert has_errors(found), refused
        assert has_errors(refused.diagnostics)
        check_told(refused.diagnostics, paths)
        return False
    check_plan(plan)
    return not has_errors(found)


def check_plan(plan: Plan) -> None:
    """A plan comes back from its file, and can be shown in full."""
    text = dump_plan(plan)
    again = load_plan(text)
    assert again == plan
    assert dump_plan(again) == text
    assert "nothing was touched" in show_plan(plan)
    for fault in plan.scenario.faults:
        assert describe(fault).strip()


def test_what_is_made_to_be_right_is_right(tmp_path: Path) -> None:
    for folder in folders(tmp_path):
        found = check([folder]).diagnostics
        assert not has_errors(found), [one for one in found if one.severity == "error"]
        assert look_at(Dice.seeded(1), folder)


@parts("scenarios")
def test_any_scenario_file(part: int, tmp_path: Path, record_property: Record) -> None:
    pool = folders(tmp_path)

    def one(dice: Dice) -> bool:
        folder = dice.pick(pool)
        (folder / "scenario.yaml").write_bytes(document(dice, scenario(dice)))
        return look_at(dice, folder)

    fuzz("scenarios", one, record_property)


@parts("projects")
def test_any_project_file(part: int, tmp_path: Path, record_property: Record) -> None:
    pool = folders(tmp_path)

    def one(dice: Dice) -> bool:
        folder = dice.pick(pool)
        (folder / "gameday.yaml").write_bytes(document(dice, project(dice)))
        return look_at(dice, folder)

    fuzz("projects", one, record_property)
