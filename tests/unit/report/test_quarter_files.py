"""The files of a quarter: nothing from outside becomes markup, formula or a request."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quarter_support import NOW, make_year

from gameday.model.quarter import History
from gameday.model.quarter_report import Dot, Quarter, Sheet
from gameday.programme.quarter_build import quarter_of
from gameday.programme.quarter_imports import read_drills
from gameday.programme.quarter_period import Period
from gameday.programme.quarter_register import finding_seen
from gameday.programme.quarter_run import run_seen
from gameday.report.drawing import DrawingError, pictures
from gameday.report.quarter_figure import figures, strip
from gameday.report.quarter_files import render_csv, render_json, write_quarter
from gameday.report.quarter_markdown import render
from gameday.report.quarter_text import value_text

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def history() -> History:
    year = make_year(runs=80, services=4, findings=12)
    runs = tuple(run_seen(r, p) for r, p in zip(year.results, year.plans, strict=True))
    return History(
        runs=runs,
        findings=tuple(finding_seen(one) for one in year.findings),
        drills=read_drills(year.drills, "d.csv"),
    )


@pytest.fixture(scope="module")
def quarter(history: History) -> Quarter:
    return quarter_of(history, Period(year=2026, quarter=4), NOW)


def no_figures(_specs: Mapping[str, Any]) -> Mapping[str, str]:
    raise DrawingError("no engine here")


def test_all_files_are_written_also_without_figures(quarter: Quarter, tmp_path: Path) -> None:
    written = {path.name for path in write_quarter(tmp_path, quarter, draw=no_figures)}
    assert {"report.html", "report.md", "quarter.json", "kpis.csv", "runs.csv"} <= written
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The figures could not be drawn: No engine here." in page
    assert "2026Q4" in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_text_from_outside_is_text(history: History, tmp_path: Path) -> None:
    runs = tuple(replace(run, service=EVIL, title=EVIL, reason=EVIL) for run in history.runs[-20:])
    findings = tuple(replace(f, title=EVIL, service=EVIL) for f in history.findings or ())
    bad = quarter_of(
        History(runs=runs, findings=findings, unread=(EVIL,)), Period(year=2026, quarter=4), NOW
    )
    write_quarter(tmp_path, bad, draw=no_figures)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1, "our own alone"
    assert "&lt;script&gt;" in page
    assert "<script>" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_figure_with_names_from_outside_stays_a_figure() -> None:
    dots = [
        Dot(group="g", scenario=EVIL, run=EVIL, ms=4_000, seen=True, within_ms=9_000, current=True)
    ]
    svg = pictures({"a": strip(dots), "b": strip(dots)})
    assert "<script" not in svg["a"]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in svg.values()]
    assert ids[0].isdisjoint(ids[1]), "several pictures stand in one page"


def test_a_miss_is_hollow_and_stands_behind_everything() -> None:
    dots = [
        Dot(group="g", scenario="s", run="a", ms=4_000, seen=True, within_ms=9_000, current=True),
        Dot(group="g", scenario="s", run="b", ms=2_000, seen=False, within_ms=9_000, current=True),
        Dot(group="g", scenario="s", run="c", ms=50_000, seen=True, within_ms=9_000, current=False),
    ]
    points = strip(dots)["layer"][1]
    values = {row["text"].partition(":")[0]: row for row in points["data"]["values"]}
    assert values["b"]["what"] == "missed"
    assert values["b"]["ms"] > 50_000
    scale = points["encoding"]["fill"]["scale"]
    fills = dict(zip(scale["domain"], scale["range"], strict=True))
    assert fills["missed"].endswith("00"), "nothing but its edge"
    assert not fills["detected"].endswith("00")
    assert values["c"]["what"] == "detected last quarter"


def test_every_environment_and_kind_has_its_own_figures(quarter: Quarter) -> None:
    made = figures(quarter)
    groups = {f"{m.environment}-{m.kind}" for m in quarter.maps}
    assert {name.partition("-")[2] for name in made if name.startswith("strip-")} <= groups
    assert "flow" in made


def test_a_cell_is_no_formula_and_unknown_is_empty() -> None:
    sheet = Sheet(name="x", title="x", columns=("a", "b", "c", "d"),
                  rows=(("=1+1", None, -3, True), ("a,b\n\"c\"", 0.5, "@x", False)))  # fmt: skip
    rows = list(csv.reader(io.StringIO(render_csv(sheet))))
    assert rows[1:] == [["'=1+1", "", "-3", "yes"], ['a,b "c"', "0.5", "'@x", "no"]]


def test_json_has_every_number_and_no_table_twice(quarter: Quarter) -> None:
    value = json.loads(render_json(quarter))
    assert len(value["numbers"]) == len(quarter.numbers)
    assert {one["name"] for one in value["sheets"]}.isdisjoint({"kpis", "coverage", "detections"})
    unknown = [n for n in value["numbers"] if n["state"] == "not_measured"]
    assert unknown
    assert all(n["value"] is None for n in unknown)


def test_what_is_not_measured_is_never_told_as_a_number(quarter: Quarter) -> None:
    for number in quarter.numbers:
        text = value_text(number)
        if number.state == "not_measured":
            assert text == "❔ not measured"
        elif number.state == "censored":
            assert text.startswith("not reached, > ")
        elif number.unit == "share":
            assert text.startswith(f"{number.k} of {number.n} = ")


def test_markdown_has_the_same_sections(quarter: Quarter) -> None:
    text = render(quarter)
    for title in ("Coverage", "Detection", "Alert outcomes", "Restored how", "Runbooks",
                  "Findings", "Objectives", "Programme and safety", "What to test next",
                  "Method and limits"):  # fmt: skip
        assert f"\n## {title}\n" in text
