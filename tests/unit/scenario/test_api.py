"""Checking many files: which are found, what is said of a whole project, and one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.errors import ScenarioError
from gameday.scenario.api import check, plan_for, scenario_files
from gameday.scenario.starter import starter_files
from tests.unit.scenario.samples import PROJECT, SCENARIO, changed, text_of, write_project

LIBRARY = Path(__file__).parents[3] / "scenarios"


def write(path: Path, data: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(data), encoding="utf-8")
    return path


def codes(*paths: Path, **options: Any) -> list[str]:
    return [found.code for found in check(list(paths), **options).diagnostics]


def test_the_library_has_no_errors() -> None:
    result = check([LIBRARY])
    assert [d for d in result.diagnostics if d.code != "target/unused"] == []
    assert len(result.scenarios) == len(list(LIBRARY.glob("*.yaml"))) - 1


def test_the_starter_passes_without_a_word(tmp_path: Path) -> None:
    for name, text in starter_files().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    result = check([tmp_path])
    assert result.diagnostics == ()
    assert [scenario.id for scenario in result.scenarios] == ["first"]
    assert plan_for(tmp_path / "scenarios/first.yaml", profile="smoke").scenario.profile == "smoke"


def test_directories_are_searched_for_our_files_only(tmp_path: Path) -> None:
    write_project(tmp_path)
    one = write(tmp_path / "a.yaml", SCENARIO)
    two = write(tmp_path / "deep/er/b.yml", changed(SCENARIO, "id", "b"))
    (tmp_path / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
    (tmp_path / "rules.yaml").write_text("groups: [\n", encoding="utf-8")
    write(tmp_path / ".hidden/c.yaml", SCENARIO)
    write(tmp_path / "reports/run-1/scenario.yaml", SCENARIO)
    (tmp_path / "reports/run-1/journal.jsonl").write_text("", encoding="utf-8")
    assert scenario_files([tmp_path, one]) == [one, two]
    result = check([tmp_path])
    assert result.diagnostics == ()
    assert sorted(scenario.id for scenario in result.scenarios) == ["b", "slow"]


def test_a_broken_file_of_ours_is_not_overlooked(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "a.yaml").write_text("gameday: 1\nid: [\n", encoding="utf-8")
    assert codes(tmp_path) == ["yaml/syntax"]


def test_each_profile_is_checked_and_named(tmp_path: Path) -> None:
    write_project(tmp_path)
    over = {"phases": {"fault": "40s"}, "expect": {"fault": ["errors < 100%"]}}
    path = write(tmp_path / "a.yaml", changed(SCENARIO, "profiles.quick", over))
    result = check([path])
    assert [d.code for d in result.diagnostics] == ["expect/cannot-fail"]
    assert result.diagnostics[0].summary.endswith(", in the profile `quick`")
    assert result.scenarios == ()
    assert codes(path, all_profiles=False) == []
    assert codes(path, profile="smoke") == []
    assert codes(path, profile="quick") == ["expect/cannot-fail"]
    assert codes(path, profile="quik") == ["profile/unknown"]


def test_a_problem_of_all_profiles_is_told_once(tmp_path: Path) -> None:
    write_project(tmp_path)
    path = write(tmp_path / "a.yaml", changed(SCENARIO, "stop_when", []))
    assert codes(path) == ["scenario/no-stop-condition"]


def test_ids_are_unique_within_a_project(tmp_path: Path) -> None:
    write_project(tmp_path)
    write(tmp_path / "a.yaml", SCENARIO)
    write(tmp_path / "b.yaml", SCENARIO)
    (tmp_path / "other").mkdir()
    write_project(tmp_path / "other")
    write(tmp_path / "other/c.yaml", SCENARIO)
    assert codes(tmp_path) == ["scenario/duplicate-id"]
    assert codes(tmp_path / "a.yaml", tmp_path / "a.yaml") == []


def test_unused_targets_are_named_when_the_whole_project_is_checked(tmp_path: Path) -> None:
    write_project(tmp_path, changed(PROJECT, "environments.local.targets.spare", {}))
    path = write(tmp_path / "scenarios/a.yaml", SCENARIO)
    assert codes(tmp_path) == ["target/unused"]
    assert codes(path) == []
    assert codes(tmp_path / "scenarios") == []


def test_the_environment_is_local_or_the_only_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", SCENARIO)
    only = {"ci": PROJECT["environments"]["local"]}
    write_project(tmp_path, changed(PROJECT, "environments", only))
    assert plan_for(path).environment.name == "ci"
    several = {**only, "staging": {"targets": {}}}
    write_project(tmp_path, changed(PROJECT, "environments", several))
    assert codes(path) == ["project/choose-environment"]
    assert codes(path, environment="ci") == []
    assert plan_for(path, environment="ci").environment.name == "ci"
    assert "target/unknown" in codes(path, environment="staging")


def test_a_project_may_lie_anywhere_when_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a/a.yaml", SCENARIO)
    (tmp_path / "b").mkdir()
    project = write_project(tmp_path / "b")
    assert codes(path) == ["project/not-found"]
    assert codes(path, project=project) == []
    assert plan_for(path, project=project).directory == str((tmp_path / "b").resolve())
    assert codes(path, project=tmp_path / "none.yaml") == ["file/unreadable"]


def test_problems_of_project_and_scenario_come_together(tmp_path: Path) -> None:
    write_project(tmp_path, changed(PROJECT, "alerts.CheckoutSlow.when", "x"))
    path = write(tmp_path / "a.yaml", changed(SCENARIO, "load.arrivals", 5))
    assert set(codes(path)) == {"value/rate", "criterion/syntax"}
    with pytest.raises(ScenarioError) as refused:
        plan_for(path)
    assert {d.code for d in refused.value.diagnostics} == {"value/rate", "criterion/syntax"}
    assert all(d.mark is not None for d in refused.value.diagnostics)


def test_a_plan_says_all_that_is_wrong_with_its_places(tmp_path: Path) -> None:
    write_project(tmp_path)
    data = changed(changed(SCENARIO, "stop_when", []), "faults.1.target", "rediss")
    with pytest.raises(ScenarioError) as refused:
        plan_for(write(tmp_path / "a.yaml", data))
    assert [d.code for d in refused.value.diagnostics] == [
        "target/unknown",
        "scenario/no-stop-condition",
    ]
    with pytest.raises(ScenarioError):
        plan_for(tmp_path / "missing.yaml")


def test_paths_are_shown_from_where_people_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path)
    path = write(tmp_path / "x/a.yaml", changed(SCENARIO, "load.arrivals", 5))
    monkeypatch.chdir(tmp_path)
    shown = {d.mark.file for d in check([path, Path("x/a.yaml")]).diagnostics if d.mark}
    assert shown == {"x/a.yaml"}
