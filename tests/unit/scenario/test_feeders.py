"""CSV files of `data` are looked at before a run, and read when it begins; no plan holds them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from gameday.app.check import PlanRequest, load_of, make_plan
from gameday.app.stored import without_secrets
from gameday.errors import RefusedError, ScenarioError
from gameday.scenario.planfile import dump_plan, load_plan
from tests.unit.scenario.samples import SCENARIO, changed, text_of, write_project

USERS = 'name,password\r\nanna,s3cr3t-of-anna\r\n"o\'neil, b",größe\r\n'


def plan_with(folder: Path, data: Any, *, path: str = "/{{ user }}") -> Any:
    write_project(folder)
    load = {
        "target": "shop",
        "arrivals": "100/s",
        "journeys": {"checkout": {"steps": [{"get": path, "name": "user"}]}},
        "data": data,
    }
    file = folder / "s.yaml"
    file.write_text(text_of(changed(SCENARIO, "load", load)), encoding="utf-8")
    return make_plan(PlanRequest(path=file))


def said(folder: Path, data: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        plan_with(folder, data)
    return [f"{one.code}: {one.summary}" for one in caught.value.diagnostics]


def test_columns_are_read_when_the_load_is_made_ready(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("\ufeff" + USERS, encoding="utf-8", newline="")
    data = {
        "user": {"csv": "users.csv", "column": "name"},
        "password": {"csv": "users.csv", "column": "password", "pick": "random"},
    }
    plan = plan_with(tmp_path, data)
    loaded = load_of(plan).data
    assert loaded["user"].values == ("anna", "o'neil, b")
    assert loaded["password"].values == ("s3cr3t-of-anna", "größe")
    text = dump_plan(without_secrets(plan))
    assert "anna" not in text
    assert load_plan(text).scenario.load.data["password"].pick == "random"

    (tmp_path / "users.csv").unlink()
    with pytest.raises(RefusedError, match=r"there is no file `users\.csv`"):
        load_of(plan)


@pytest.mark.parametrize(
    ("content", "summary"),
    [
        (None, "there is no file `u.csv`"),
        (b"", "`u.csv` has no column `name`"),
        (b"name\n", "`u.csv` has no rows"),
        (b"id,name\n1,a\n2\n", "row 3 of `u.csv` has no `name`"),
        (b'name\n"a\n', "`u.csv` is not CSV: unexpected end of data"),
        (b"name\n\xff\n", "`u.csv` is not UTF-8"),
        (b"name\n" + b"a\n" * 524_288, "`u.csv` is larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_feed_is_said(
    tmp_path: Path, content: bytes | None, summary: str
) -> None:
    if content is not None:
        (tmp_path / "u.csv").write_bytes(content)
    data = {"user": {"csv": "u.csv", "column": "name"}}
    assert said(tmp_path, data) == [f"load/data: {summary}"]


def test_files_are_inside_the_project(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "u.csv").write_text("name\na\n")
    outside = {"user": {"csv": "../u.csv", "column": "name"}}
    assert said(folder, outside) == ["path/outside: `../u.csv` is outside of the project's folder"]
    (folder / "link.csv").symlink_to(tmp_path / "u.csv")
    linked = {"user": {"csv": "link.csv", "column": "name"}}
    assert said(folder, linked) == ["load/data: `link.csv` leads out of the project"]


def test_unique_needs_a_row_for_each_visit(tmp_path: Path) -> None:
    data = {"user": {"csv": "u.csv", "column": "name", "pick": "unique"}}
    (tmp_path / "u.csv").write_text("name\n" + "a\n" * 100)
    (found,) = said(tmp_path, data)
    assert found.startswith("load/data: the 100 rows of `u.csv` are not enough for ")
    needed = int(found.split()[-2])
    (tmp_path / "u.csv").write_text("name\n" + "a\n" * needed)
    assert plan_with(tmp_path, data).scenario.load.data["user"].pick == "unique"


def test_what_is_drawn_must_be_in_data(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("name\na\n")
    assert said(tmp_path, {"usr": {"csv": "u.csv", "column": "name"}}) == [
        "load/value: there is no value `user` at this step"
    ]


def plan_that_sends(folder: Path, name: str) -> Any:
    write_project(folder)
    step = {"post": "/", "name": "user", "files": {"photo": name}, "form": {"a": "b"}}
    journeys = {"checkout": {"steps": [step]}}
    load = {"target": "shop", "arrivals": "100/s", "journeys": journeys}
    file = folder / "s.yaml"
    file.write_text(text_of(changed(SCENARIO, "load", load)), encoding="utf-8")
    return make_plan(PlanRequest(path=file))


def test_files_to_send_are_read_when_the_load_is_made_ready(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"\x00cat")
    plan = plan_that_sends(tmp_path, "cat.png")
    (step,) = load_of(plan).journeys[0].steps
    assert step.files["photo"].content == base64.b64encode(b"\x00cat").decode()
    assert step.files["photo"].content not in dump_plan(without_secrets(plan))

    (tmp_path / "cat.png").unlink()
    with pytest.raises(RefusedError, match=r"there is no file `cat\.png`"):
        load_of(plan)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dog.png", "there is no file `dog.png`"),
        ("../cat.png", "`../cat.png` is outside of the project's folder"),
        ("large", "the `files` of all steps are more than 512 KiB"),
    ],
)
def test_files_that_cannot_be_sent_are_said(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "large").write_bytes(b"x" * 524_289)
    with pytest.raises(ScenarioError) as caught:
        plan_that_sends(tmp_path, name)
    assert [one.summary for one in caught.value.diagnostics] == [said]
