"""The scenarios that come along: each is whole, has its page and its runbook, and can be copied."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from gameday.app.check import PlanRequest, make_plan
from gameday.app.library import (
    Entry,
    copy_command,
    library,
    list_command,
    scenario_folder,
    show_command,
)
from gameday.app.planview import show_plan
from gameday.app.runbook_lint import LintRequest, run_lint
from gameday.errors import UsageError
from gameday.model.plan import Plan
from gameday.model.runbook import Level
from gameday.scenario.api import check

ROOT = Path(__file__).parents[3]
ENTRIES = library()
NAMES = [one.name for one in ENTRIES]
SMOKE = {"S01", "S02", "S04", "S07", "S08", "S11"}
GAMEDAY = {"S03", "S05", "S06", "S09", "S10", "S12", "S13", "S14", "S15", "S16"}
#: All runs of the pack together, the start of the shop and the reading of alerts aside.
SMOKE_PACK_S = 300
SECTIONS = (
    "What it teaches",
    "What it does",
    "What a failing run looks like",
    "How to repair it",
)


def plan_of(name: str, profile: str | None) -> Plan:
    folder = scenario_folder()
    return make_plan(
        PlanRequest(path=folder / f"{name}.yaml", project=folder / "gameday.yaml", profile=profile)
    )


def test_the_packs_are_complete_and_short() -> None:
    smoke = [one for one in ENTRIES if "smoke" in one.tags]
    assert {one.number for one in smoke if one.number} == SMOKE
    assert all(one.number for one in smoke)
    assert {one.number for one in ENTRIES if "gameday" in one.tags and one.number} == GAMEDAY
    assert all(("smoke" in one.tags) != ("gameday" in one.tags) for one in ENTRIES)
    assert sum(one.seconds for one in ENTRIES if "smoke" in one.tags) < SMOKE_PACK_S
    numbers = [one.number for one in ENTRIES if one.number]
    assert len(numbers) == len(set(numbers))


def test_nothing_is_wrong_with_any_of_them() -> None:
    found = check([scenario_folder()]).diagnostics
    assert {one.code for one in found} <= {"target/unused"}, found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", [None, "smoke"])
def test_its_plan_says_what_is_believed_and_when_it_ends(name: str, profile: str | None) -> None:
    plan = plan_of(name, profile)
    scenario = plan.scenario
    assert scenario.id == name
    assert 200 < len(scenario.hypothesis) < 900
    assert scenario.hypothesis.startswith("When ")
    assert scenario.stop_when
    assert scenario.expect.quiet
    assert scenario.expect.runbooks
    (orders,) = scenario.expect.answers
    assert {"lost": 0, "duplicate": 0}.items() <= orders.json.items()
    assert scenario.hypothesis in " ".join(show_plan(plan).split())
    for alert in scenario.expect.alerts:
        assert alert.resolves_within_ms
        assert alert.receiver == ("pager" if alert.labels["severity"] == "page" else "tickets")
        assert (scenario_folder() / str(alert.runbook)).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_needs_where_not_every_machine_has_it(name: str) -> None:
    scenario = plan_of(name, None).scenario
    families = {fault.action.family for fault in scenario.faults if fault.action}

    assert ("docker" in scenario.needs) is ("container" in families)
    assert ("libfaketime" in scenario.needs) is ("clock" in families)
    assert ("docker" in scenario.tags) is ("docker" in scenario.needs)


@pytest.mark.parametrize("name", NAMES)
def test_its_page_says_what_it_teaches_and_how_to_repair(name: str) -> None:
    text = (ROOT / "docs" / "scenarios" / f"{name}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(SECTIONS)
    assert f"gameday demo --scenario {name}" in text
    assert f"../../scenarios/{name}.yaml" in text
    assert "On the naive shop: " in text
    number = next(one.number for one in ENTRIES if one.name == name)
    assert text.startswith("# ")
    assert not number or f"({number})" in text.splitlines()[0]


def test_each_page_is_that_of_a_scenario_and_each_has_its_line() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "scenarios").glob("*.md")}
    assert pages == {*NAMES, "README"}
    index = (ROOT / "docs" / "scenarios" / "README.md").read_text(encoding="utf-8")
    assert all(f"]({name}.md)" in index for name in NAMES)


def test_they_are_listed_by_tag(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_command(["smoke"], as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["number"] for line in lines if line["number"]} == SMOKE
    assert list_command([], as_json=False) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(ENTRIES) + 1
    partial = next(row for row in rows if "payments-partial" in row)
    assert partial.startswith("S09 ")
    assert partial.endswith("the embedded Toxiproxy")
    with pytest.raises(UsageError, match="there are cache, "):
        list_command(["nope"], as_json=False)


def test_one_is_shown_by_name_and_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    show_command("S07")
    by_number = capsys.readouterr().out
    show_command("pool-exhausted")
    assert capsys.readouterr().out == by_number
    assert by_number == (scenario_folder() / "pool-exhausted.yaml").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="there is no scenario `pool`; there are "):
        show_command("pool")


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_a_copy_passes_the_check_where_it_is(entry: Entry, tmp_path: Path) -> None:
    copy_command(entry.number or entry.name, tmp_path / "mine", force=False)
    result = check([tmp_path / "mine" / f"{entry.name}.yaml"])
    assert result.diagnostics == ()
    assert all((tmp_path / "mine" / book).is_file() for book in entry.runbooks)


def test_a_copy_overwrites_nothing_that_is_somebodys(tmp_path: Path) -> None:
    copy_command("payments-slow", tmp_path, force=False)
    copy_command("payments-slow", tmp_path, force=False)  # the same again is no trouble
    mine = tmp_path / "payments-slow.yaml"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already and is another; nothing was copied"):
        copy_command("payments-slow", tmp_path, force=False)
    assert mine.read_text(encoding="utf-8") == "mine"
    copy_command("payments-slow", tmp_path, force=True)
    assert mine.read_text(encoding="utf-8") != "mine"


def test_a_copy_keeps_the_project_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "gameday.yaml"
    project.write_text("gameday: 1\n", encoding="utf-8")
    copy_command("cache-cold", tmp_path, force=False)
    assert project.read_text(encoding="utf-8") == "gameday: 1\n"
    assert [p.name for p in (tmp_path / "runbooks").iterdir()] == ["cache-cold.md"]
    assert "was there and stays" in capsys.readouterr().out


def test_no_runbook_has_a_finding_but_that_no_run_has_proven_it() -> None:
    request = LintRequest(paths=(scenario_folder(),), project=scenario_folder() / "gameday.yaml")
    found = run_lint(request, today=date(2026, 6, 1)).findings
    assert {one.code for one in found if one.level is not Level.NOTE} == set(), found
