"""The rendered reports, byte for byte. `GAMEDAY_UPDATE=1` writes them anew; read the diff."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from checks_support import (
    FAULT_S,
    RECOVERY_S,
    cell,
    change,
    cut,
    drop,
    good_run,
    plan,
    proxy_at,
    tick,
    timeline,
)

from gameday.checks import judge
from gameday.model.event import Event, Phase, Timeline
from gameday.model.report import Report
from gameday.model.window import Tick
from gameday.report import render_all, schema, write_all
from gameday.report.build import build
from gameday.report.postmortem import draft_of

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "reports"
SCHEMA = ROOT / "gameday" / "report" / "result.schema.json"


def naive(second: int) -> Tick:
    if FAULT_S < second < RECOVERY_S:
        slow = cell(second, "checkout", 20, 1620)
        lost = cell(second, "checkout", 5, 5000, "timeout")
        return tick(second, [cell(second, "browse", 75, 12), slow, lost])
    return tick(second)


def stopped(*, off: bool = True) -> Timeline:
    """Stopped by a signal in the fault phase; the fault went out with the second try, or never."""
    events = list(timeline(good_run(), cut(20_050)))
    subject = "up{job=payments} < 1 for 5s"
    reason = f"`{subject}`: 0 is below 1, for 5 s"
    gone = {"read_back": True, "confirmed_ms": 21_310}
    done = (Phase.OK, gone) if off else (Phase.UNKNOWN, {"error": "no answer"})
    status, dirty = "stopped", [] if off else ["slow"]
    new = Event(kind="fault.revert", subject="slow", phase=Phase.STARTED)
    more = [
        Event(kind="signal.sample", subject=subject, data={"ok": True, "bad": True, "value": 0}),
        Event(kind="stop.tripped", subject=subject, data={"reason": reason, "status": status}),
        replace(new, data={"attempt": 1}),
        replace(new, phase=Phase.FAILED, data={"error": "refused"}),
        replace(new, data={"attempt": 2}),
        replace(new, phase=done[0], data=done[1]),
        Event(kind="target.close", subject="payments", phase=Phase.STARTED),
        Event(kind="target.close", subject="payments", phase=Phase.OK, data={"read_back": True}),
        Event(kind="run.closed", subject="r1", data={"status": status, "dirty": dirty}),
    ]
    times = (20_100, 20_110, 20_120, 20_150, 20_400, 21_330, 22_000, 22_010, 23_000)
    for at_ms, event in zip(times, more, strict=True):
        seq = len(events)
        ended = event.phase not in (Phase.STARTED, Phase.NOTED)
        cause = seq - 1 if ended else None
        events.append(replace(event, seq=seq, at_ms=at_ms, cause=cause))
    return Timeline(events)


RUNS: dict[str, Callable[[], Timeline]] = {
    "passed": lambda: timeline(good_run()),
    "failed": lambda: timeline(good_run(ticks=naive, alerts=False)),
    "invalid": lambda: timeline(good_run(ticks=naive, proxy=lambda s: proxy_at(s, per_s=9))),
    "dirty": lambda: timeline(
        good_run(), drop("fault.revert"), change("run.closed", status="stopped", dirty=["slow"])
    ),
    "stopped": stopped,
    "incomplete": lambda: timeline(good_run(), cut(20_000)),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_reports_are_as_committed(name: str) -> None:
    run = RUNS[name]()
    report = report_of(run)
    for file, text in render_all(report, draft_of(run, report)).items():
        path = GOLDEN / name / file
        if os.environ.get("GAMEDAY_UPDATE") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")

        assert text == path.read_text(encoding="utf-8"), f"{path}: see GAMEDAY_UPDATE=1"


@pytest.mark.parametrize("name", RUNS)
def test_result_json_keeps_to_the_published_schema(name: str) -> None:
    value = json.loads(render_all(report_of(RUNS[name]()))["result.json"])

    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(value)
    assert value["schema"] == 1


def test_the_published_schema_is_the_one_of_this_version() -> None:
    if os.environ.get("GAMEDAY_UPDATE") == "1":
        SCHEMA.write_text(schema.render(), encoding="utf-8")

    assert SCHEMA.read_text(encoding="utf-8") == schema.render()


def test_the_schema_refuses_what_is_not_a_result() -> None:
    value = json.loads(render_all(report_of(RUNS["passed"]()))["result.json"])
    value["verdict"]["outcome"] = "fine"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema.json_schema()).validate(value)


def test_the_page_of_the_schema_names_every_field() -> None:
    page = ROOT / "docs" / "result-schema.md"
    text = _page()
    if os.environ.get("GAMEDAY_UPDATE") == "1":
        page.write_text(text, encoding="utf-8")

    assert page.read_text(encoding="utf-8") == text


def _page() -> str:
    lines = [
        "# `result.json`",
        "",
        "One file a run, for machines: everything that `report.md` says, field by field.",
        "`schema` is the version of this page, 1.",
        "Within a version fields may be added; none is renamed, removed or given another meaning.",
        "`gameday schema result` prints the JSON Schema, `gameday/report/result.schema.json`.",
        "A number that is not known is `null`, never 0.",
        "`gameday judge RUN --json` prints it; `gameday report RUN` writes it again.",
    ]
    for name, what, rows in schema.tables():
        lines += ["", f"## {name}", "", what, "", "| field | type | meaning |", "|---|---|---|"]
        lines += [f"| `{field}` | {kind} | {doc} |" for field, kind, doc in rows]
    return "\n".join(lines) + "\n"


def test_junit_has_one_case_an_expectation_and_agrees_with_the_verdict() -> None:
    for name, run in RUNS.items():
        report = report_of(run())
        suite = ET.fromstring(render_all(report)["junit.xml"])[0]
        cases = suite.findall("testcase")
        of_expectations = [c for c in cases if c.attrib["classname"].endswith(".expectation")]

        assert len(of_expectations) == len(report.expectations)
        assert int(suite.attrib["tests"]) == len(cases)
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            found = [c for c in cases if c.find(tag) is not None]
            assert len(found) == int(suite.attrib[count]), (name, tag)
        green = not suite.findall(".//failure") and not suite.findall(".//error")
        assert green == (report.verdict.exit_code == 0), name


def test_text_from_outside_cannot_break_a_report() -> None:
    evil = "<script>alert(1)</script> | x\x00\x1b[31m ]]> & \ud800"
    run = timeline(good_run(), change("run.parts", load=evil, toxiproxy={"kind": evil}))
    report = report_of(run)
    report = replace(report, scenario=replace(report.scenario, title=evil, service=evil))
    texts = render_all(report)
    assert all(text.encode("utf-8") for text in texts.values())

    assert ET.fromstring(texts["junit.xml"]) is not None
    assert "<script" not in texts["report.md"]
    assert "\x1b" not in texts["summary.txt"] + texts["report.md"]


def test_every_line_of_the_summary_fits_a_terminal() -> None:
    for name, run in RUNS.items():
        text = render_all(report_of(run()))["summary.txt"]

        assert max(len(line) for line in text.split("\n")) <= 80, name
        assert text.split("\n")[0].split()[0] in ("PASS", "FAIL", "INCONCLUSIVE", "NOT")


def test_what_may_be_broken_comes_before_all_else() -> None:
    texts = render_all(report_of(RUNS["dirty"]()))

    assert "gameday recover r1" in texts["summary.txt"].split("ok  ")[0]
    assert texts["report.md"].index("gameday recover r1") < texts["report.md"].index("What held")
    assert '"proxy": "payments"' in texts["report.md"]


def test_a_stop_is_told_on_top_with_the_time_to_safe() -> None:
    texts = render_all(report_of(stopped()))
    why = "0 is below 1, for 5 s"
    safe = "1.2 s after the stop: the fault confirmed off"

    top = texts["report.md"].split("\n\nScenario ")[0]
    assert top.count(why) == 1, "told once"
    assert f"Safe {safe}" in top
    assert "1.19 s (2 tries)" in texts["report.md"].split(">What was broken<")[1]
    head = texts["summary.txt"].split("ok  ")[0]
    assert why in head
    assert safe in head
    suite = ET.fromstring(texts["junit.xml"])[0]
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}
    assert properties["time_to_safe_ms"] == "1200"
    assert properties["slow.undo_ms"] == "1190"
    assert properties["stopped_by"] == "up{job=payments} < 1 for 5s"
    assert safe in (suite.find("./testcase/error").text or "")  # type: ignore[union-attr]
    assert json.loads(texts["result.json"])["safety"]["time_to_safe_ms"] == 1200


def test_a_stop_that_did_not_come_clean_still_says_why_it_was_stopped() -> None:
    texts = render_all(report_of(stopped(off=False)))

    tops = (texts["report.md"].split("\n\nScenario ")[0], texts["summary.txt"].split("ok  ")[0])
    for text in tops:
        assert "0 is below 1, for 5 s" in " ".join(text.split())
        assert "ot shown to be safe within 2.89 s of the stop" in " ".join(text.split())
    assert "time_to_safe_ms" in texts["junit.xml"]
    assert "censored at 2890 ms" in texts["junit.xml"]


def test_a_run_that_nothing_could_have_stopped_says_so() -> None:
    blind = Event(at_ms=15_000, kind="stop.blind", subject="lag > 3", data={"since_ms": 10_000})
    run = Timeline([*timeline(good_run()), blind])

    assert any("`lag > 3` could not be read from 10.0 s" in n for n in report_of(run).notes)


def test_what_would_flatter_an_alert_is_said_of_the_result() -> None:
    warnings = ["alert Errors: errors of before are still in its window", "something else"]
    event = Event(
        at_ms=0, kind="preflight.passed", subject="preflight", data={"warnings": warnings}
    )
    notes = report_of(Timeline([event, *timeline(good_run())])).notes

    assert [n for n in notes if n.startswith("before the run")] == [
        f"before the run: {warnings[0]}"
    ]


def test_samples_of_signals_are_no_news() -> None:
    assert "signal" not in render_all(report_of(stopped()))["report.md"].split(">Timeline<")[1]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_all(tmp_path, report_of(RUNS["passed"]()))
    before = {path.name: path.read_bytes() for path in first}
    again = write_all(tmp_path, report_of(RUNS["passed"]()))

    assert {path.name: path.read_bytes() for path in again} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(before)


def test_a_journal_that_makes_no_sense_still_gets_a_report() -> None:
    """The verdict and what is dirty are told, though a part of the report cannot be made."""
    report = report_of(timeline(good_run(), change("load.window", cells="nonsense")))

    assert report.verdict.exit_code == 70
    assert any("bug of ours" in note for note in report.notes)
    assert render_all(report)["report.md"]


def report_of(run: Timeline) -> Report:
    setup: Any = plan()
    return build(setup, run, judge(setup, run))
