"""Which earlier runs a run is compared with, and that judging reads its own directory alone."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import change, criteria, cut, expectations, good_run, plan, tick, timeline

from gameday.app.history import OTHER, UNFIT, UNREADABLE, keep_history, read_history
from gameday.app.judge import judge_run, write_reports
from gameday.app.rundir import RunDir
from gameday.journal import Journal
from gameday.kpi.comparable import comparable_key
from gameday.kpi.compare import RUNS_MAX, RUNS_MIN
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Change
from gameday.model.window import Tick
from gameday.scenario.planfile import dump_plan


def slower(second: int) -> Tick:
    """Everything answers 40 % later."""
    usual = tick(second)
    cells = [
        replace(cell, response={b + 60: n for b, n in cell.response.items()})
        for cell in usual.cells
    ]
    return replace(usual, cells=tuple(cells))


def write_run(
    reports: Path, number: int, made: Plan | None = None, run: Timeline | None = None
) -> RunDir:
    """A run directory as a run leaves it, reports and all."""
    made = made or plan()
    path = reports / f"20260101T0000{number:02d}Z-{made.scenario.id}-ab{number:02d}"
    path.mkdir(parents=True)
    where = RunDir(path=path)
    where.plan.write_text(dump_plan(made), encoding="utf-8")
    with Journal.open(where.journal) as journal:
        for event in run or timeline(good_run()):
            journal.append(
                replace(event, subject=where.run_id) if event.kind == "run.opened" else event
            )
    keep_history(where)
    write_reports(where)
    return where


def result(where: RunDir) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((where.path / "result.json").read_text())
    return found


def test_a_run_is_compared_with_the_valid_runs_before_it(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, number) for number in range(RUNS_MIN + 1)]

    *before, last = [result(run)["comparison"] for run in runs]
    assert {found["change"] for found in before} == {"not_compared"}
    assert last["change"] == "no_change_shown"
    assert last["runs"] == [run.run_id for run in reversed(runs[:-1])]
    assert "no earlier valid run is like this one" in result(runs[0])["comparison"]["why"]


def test_a_slower_run_is_told_everywhere_and_has_the_same_verdict(tmp_path: Path) -> None:
    for number in range(RUNS_MIN):
        write_run(tmp_path, number)

    where = write_run(tmp_path, RUNS_MIN, run=timeline(good_run(ticks=slower)))

    found = result(where)
    assert found["comparison"]["change"] == "worse"
    worse = [row for row in found["comparison"]["numbers"] if row["change"] == "worse"]
    assert {row["metric"] for row in worse} == {"p95"}
    assert all(row["by_low"] > 0 for row in worse)
    assert found["verdict"]["outcome"] == "pass"
    assert found["verdict"]["exit_code"] == 0
    assert f"worse than {RUNS_MIN} earlier runs: baseline all p95 +" in (
        " ".join((where.path / "summary.txt").read_text().split())
    )
    assert "| **worse** | baseline | all | p95 |" in (where.path / "report.md").read_text()
    junit = (where.path / "junit.xml").read_text()
    assert 'name="baseline.all.p95_change" value="worse: +' in junit


def test_judging_reads_the_run_directory_alone(tmp_path: Path) -> None:
    for number in range(5):
        where = write_run(tmp_path / "reports", number)
    names = ("result.json", "report.md", "postmortem.md", "junit.xml", "summary.txt")
    before = {name: (where.path / name).read_bytes() for name in names}
    alone = tmp_path / "elsewhere" / where.run_id
    shutil.copytree(where.path, alone)
    shutil.rmtree(tmp_path / "reports")

    write_reports(RunDir(path=alone))

    assert {name: (alone / name).read_bytes() for name in names} == before


def test_at_most_ten_runs_and_the_newest_are_stored(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, number) for number in range(RUNS_MAX + 2)]

    found = read_history(runs[-1])

    assert found is not None
    assert [run.run_id for run in found.runs] == [run.run_id for run in runs[-2:0:-1]]


def test_later_runs_are_no_history(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, number) for number in range(4)]

    keep_history(runs[1])

    found = read_history(runs[1])
    assert found is not None
    assert [run.run_id for run in found.runs] == [runs[0].run_id]


LEFT_OUT: dict[str, tuple[Callable[[Path], object], str]] = {
    "more load": (lambda p: write_run(p, 0, plan(rate=200)), OTHER),
    "another Toxiproxy": (
        lambda p: write_run(
            p, 0, run=timeline(good_run(), change("run.parts", toxiproxy={"kind": "real"}))
        ),
        OTHER,
    ),
    "a run in the middle": (
        lambda p: write_run(p, 0, run=timeline(good_run(), cut(20_000))),
        UNFIT,
    ),
    "a run that was stopped": (
        lambda p: write_run(p, 0, run=timeline(good_run(), change("run.closed", status="stopped"))),
        UNFIT,
    ),
    "a dirty run": (
        lambda p: write_run(
            p, 0, run=timeline(good_run(), change("run.closed", dirty=["slow"], status="stopped"))
        ),
        UNFIT,
    ),
    "no result": (lambda p: (write_run(p, 0).path / "result.json").unlink(), UNREADABLE),
    "half a result": (lambda p: spoil(p, lambda text: text[: len(text) // 2]), UNREADABLE),
    "a list": (lambda p: spoil(p, lambda _: "[]"), UNREADABLE),
    "a later version": (
        lambda p: spoil(p, lambda text: text.replace('"schema": 1', '"schema": 2')),
        UNREADABLE,
    ),
    "no number": (
        lambda p: spoil(p, lambda text: text.replace('"n": ', '"n": "x", "m": ')),
        UNREADABLE,
    ),
    "nothing but failures and more": (
        lambda p: spoil(p, lambda text: text.replace('"good": ', '"good": -1')),
        UNREADABLE,
    ),
}


def spoil(reports: Path, how: Callable[[str], str]) -> None:
    path = write_run(reports, 0).path / "result.json"
    text = path.read_text()
    assert how(text) != text
    path.write_text(how(text))


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_no_history_is_counted_with_the_reason(name: str, tmp_path: Path) -> None:
    make, reason = LEFT_OUT[name]
    make(tmp_path)

    where = write_run(tmp_path, 1)

    found = read_history(where)
    assert found is not None
    assert (found.runs, found.left_out) == ((), {reason: 1})
    comparison = judge_run(where).report.comparison
    assert comparison.change is Change.NOT_COMPARED
    assert reason in comparison.why


def test_a_failed_run_is_a_valid_one(tmp_path: Path) -> None:
    strict = plan(expect=expectations(fault=criteria("p95 < 20ms")))
    failed = write_run(tmp_path, 0, strict)

    found = read_history(write_run(tmp_path, 1))

    assert result(failed)["verdict"]["outcome"] == "fail"
    assert found is not None
    assert [run.run_id for run in found.runs] == [failed.run_id]


SPOILED = ("", "[]", "{}", '{"v": 2}', '{"v": 1, "runs": [3], "left_out": {}}', "[" * 10_000)


@pytest.mark.parametrize("text", SPOILED, ids=range(len(SPOILED)))
def test_a_spoiled_history_is_none_and_the_run_is_judged_all_the_same(
    text: str, tmp_path: Path
) -> None:
    where = write_run(tmp_path, 0)
    where.history.write_text(text)

    judged = judge_run(where)

    assert read_history(where) is None
    assert judged.report.verdict.exit_code == 0
    assert judged.report.comparison.why == "no earlier runs were stored with this run"


def test_a_run_that_proves_nothing_is_not_compared(tmp_path: Path) -> None:
    for number in range(RUNS_MIN):
        write_run(tmp_path, number)

    where = write_run(tmp_path, RUNS_MIN, run=timeline(good_run(), cut(40_000)))

    found = result(where)["comparison"]
    assert (found["change"], found["why"]) == ("not_compared", "this run proves nothing")


# -- what makes runs comparable --------------------------------------------------------------------

USUAL = plan()
SCENARIO = USUAL.scenario
SAME = {
    "seed": replace(USUAL, seed=99),
    "where the project lies": replace(USUAL, directory="/elsewhere"),
    "where the scenario lies": replace(USUAL, scenario=replace(SCENARIO, file="other.yaml")),
    "words for people": replace(
        USUAL, scenario=replace(SCENARIO, title="x", hypothesis="y", owner="z", tags=("t",))
    ),
    "expectations": replace(USUAL, scenario=replace(SCENARIO, expect=expectations(alerts=()))),
    "stop conditions": replace(
        USUAL, scenario=replace(SCENARIO, stop_when=criteria("errors > 90% for 5s"))
    ),
    "addresses": replace(USUAL, environment=replace(USUAL.environment, targets={})),
}
FAULT = SCENARIO.faults[0]
DIFFERENT = {
    "id": replace(USUAL, scenario=replace(SCENARIO, id="other")),
    "profile": replace(USUAL, scenario=replace(SCENARIO, profile="")),
    "environment": replace(USUAL, environment=replace(USUAL.environment, name="staging")),
    "load": plan(rate=101),
    "closed users": plan(rate=None),
    "timeout": replace(
        USUAL, scenario=replace(SCENARIO, load=replace(SCENARIO.load, timeout_ms=1_000))
    ),
    "phases": replace(
        USUAL, scenario=replace(SCENARIO, phases=replace(SCENARIO.phases, fault_ms=30_000))
    ),
    "fault": replace(USUAL, scenario=replace(SCENARIO, faults=(replace(FAULT, start_ms=1_000),))),
    "no fault": plan(faults=()),
}


@pytest.mark.parametrize("name", SAME)
def test_what_may_differ_between_runs_that_are_compared(name: str) -> None:
    run = timeline(good_run())

    assert comparable_key(SAME[name], run) == comparable_key(USUAL, run) != ""


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_may_not(name: str) -> None:
    run = timeline(good_run())

    assert comparable_key(DIFFERENT[name], run) != comparable_key(USUAL, run)


def test_parts_count_with_their_version_and_not_with_their_port() -> None:
    def key(**parts: Any) -> str:
        return comparable_key(USUAL, timeline(good_run(), change("run.parts", **parts)))

    server = {"kind": "embedded", "version": "2", "url": "http://127.0.0.1:1", "pid": 4}
    first = key(toxiproxy=server)

    assert key(toxiproxy={**server, "url": "http://127.0.0.1:2", "pid": 5}) == first
    assert key(toxiproxy={**server, "version": "3"}) != first
    assert key(toxiproxy=server, alerts=["prometheus"]) != first


def test_fields_that_hold_their_default_do_not_count() -> None:
    """So that runs of a version of gameday without the field are still found."""
    load = SCENARIO.load
    said = replace(load, think_ms=0, classes=())

    run = timeline(good_run())
    again = replace(USUAL, scenario=replace(SCENARIO, load=said))
    assert comparable_key(again, run) == comparable_key(USUAL, run)


def test_a_run_without_parts_has_no_key() -> None:
    assert comparable_key(USUAL, Timeline([])) == ""
