"""Plans of days: what is read, and that parser and JSON Schema agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gameday.model.day import ItemKind
from gameday.scenario.api import check, scenario_files
from gameday.scenario.days import DayReading, read_day, read_day_document
from gameday.scenario.load import load_text
from gameday.scenario.schema import day_schema
from gameday.scenario.sniff import is_day_file, is_scenario_file

LIBRARY = Path(__file__).parents[3] / "scenarios"
SCHEMA = jsonschema.Draft202012Validator(day_schema())
STEP = {"name": "restore", "run": ["./restore.sh"]}
DRILL = {"rto": "10m", "steps": [STEP], "checks": [STEP]}
TABLETOP = {"cards": [{"at": "0s", "inject": "x"}]}


def plan(**changes: Any) -> dict[str, Any]:
    made = {
        "gameday": 1,
        "day": "d",
        "title": "t",
        "objective": "o",
        "roles": ["owner", "coordinator", "responder", "commander"],
        "items": [{"scenario": "slow.yaml"}],
    }
    made.update(changes)
    return {key: value for key, value in made.items() if value is not None}


def text_of(data: dict[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in data.items())


def read(data: dict[str, Any]) -> DayReading:
    return read_day_document(load_text(text_of(data), "day.yaml"), base=Path.cwd())


def test_everything_is_read() -> None:
    day = read(
        plan(
            window={"from": "2026-12-01 09:00", "to": "2026-12-01 12:00", "timezone": "Asia/Tokyo"},
            debrief={"weekend": "fri-sat", "within": 4},
            knows=["owner"],
            items=[
                {"scenario": "a/slow.yaml", "profile": "smoke"},
                {"tabletop": TABLETOP},
                {"drill": {**DRILL, "rpo": "5m", "newest": STEP, "what": "failover"}},
            ],
        )
    ).day

    assert day is not None
    assert [one.id for one in day.items] == ["slow", "tabletop-2", "drill-3"]
    assert [one.kind for one in day.items] == list(ItemKind)
    assert day.window is not None
    assert day.window.start.isoformat() == "2026-12-01T09:00:00+09:00"
    assert day.debrief.weekend == (4, 5)
    assert day.blind
    assert day.items[2].drill is not None
    assert len(day.items[2].drill.commands) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [{"id": "x"}]},
        {"items": [{"scenario": "x.yaml", "tabletop": TABLETOP}]},
        {"items": [{"tabletop": {"cards": []}}]},
        {"items": [{"drill": {**DRILL, "checks": []}}]},
        {"items": [{"drill": {**DRILL, "rpo": "5m"}}]},
        {"items": [{"drill": {**DRILL, "steps": [{"name": "x", "run": []}]}}]},
        {"items": [{"scenario": "x.yaml", "unknown": 1}]},
        {"window": {"from": "9:00", "to": "12:00"}},
        {"roles": ["king"]},
        {"objective": None},
        {"evidence": {"keep": "3 years"}},
        {"gameday": 2},
    ],
)
def test_parser_and_schema_refuse_the_same(changes: dict[str, Any]) -> None:
    data = plan(**changes)

    assert read(data).day is None
    assert list(SCHEMA.iter_errors(data)) != []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"items": [{"scenario": "x.yaml"}, {"scenario": "y/x.yaml"}]}, "day/item"),
        ({"items": [{"tabletop": TABLETOP, "profile": "smoke"}]}, "day/item"),
        ({"knows": ["responder"]}, "day/roles"),
        ({"knows": ["liaison"]}, "day/roles"),
        ({"abort": {"who": ["liaison"]}}, "day/roles"),
        ({"debrief": {"weekend": "mon-sun"}}, "day/debrief"),
        ({"window": {"from": "2026-12-01 09:00", "to": "2026-12-31 09:00"}}, "day/window"),
        ({"window": {"from": "2026-02-30 09:00", "to": "2026-12-31 09:00"}}, "value/date"),
    ],
)
def test_what_parts_say_about_each_other(changes: dict[str, Any], code: str) -> None:
    reading = read(plan(**changes))

    assert {found.code for found in reading.diagnostics} == {code}
    assert all(found.mark is not None and found.hint for found in reading.diagnostics)


def test_the_files_that_come_along_are_plans_and_no_scenarios() -> None:
    files = sorted((LIBRARY / "days").glob("*.yaml"))
    assert files
    for file in files:
        assert is_day_file(file)
        assert not is_scenario_file(file)
        assert read_day(file, base=LIBRARY).day is not None
        assert list(SCHEMA.iter_errors(yaml.safe_load(file.read_text()))) == []
    assert not set(files) & set(scenario_files([LIBRARY]))

    found = check([LIBRARY / "days"])
    assert found.diagnostics == ()
    assert found.days == len(files)


def test_programs_of_a_drill_have_to_be_allowed_and_its_place_known(tmp_path: Path) -> None:
    (tmp_path / "gameday.yaml").write_text("gameday: 1\nenvironments: {local: {}}\nservices: {}\n")
    file = tmp_path / "day.yaml"
    file.write_text(text_of(plan(items=[{"drill": DRILL}])))
    assert {d.code for d in check([file]).diagnostics} == {"command/not-allowed"}

    file.write_text(text_of(plan(items=[{"drill": DRILL}], environment="lcoal")))
    (found,) = check([file]).diagnostics
    assert found.code == "project/unknown-environment"
    assert found.hint == "did you mean `local`?"


def test_a_scenario_with_errors_is_told_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "gameday.yaml").write_text("gameday: 1\nenvironments: {local: {}}\nservices: {}\n")
    (tmp_path / "slow.yaml").write_text("gameday: 1\nid: slow\n")
    file = tmp_path / "day.yaml"
    file.write_text(text_of(plan()))

    found = [d for d in check([file]).diagnostics if d.code == "day/scenario"]
    assert len(found) == 1
    assert "slow.yaml" in found[0].summary
    assert found[0].mark is not None
    assert "`" in found[0].hint
