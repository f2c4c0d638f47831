"""A day whose item is a real run: its verdict is the item's, and a stop of the day ends it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from lab_support import GAMEDAY, Lab, run_gameday, wait_until
from set_support import long_scenario, quick_scenario

from gameday.app import day_next
from gameday.app.day_journal import DayFile, days_of, end_day
from gameday.app.run import RunRequest
from gameday.app.rundir import RunDir
from gameday.cli.main import run as gameday
from gameday.errors import JournalError, RefusedError
from gameday.journal import read
from gameday.model.event import Phase

PLAN = """
gameday: 1
day: back-day
title: What front does without back
objective: Whether front still answers.
roles: [owner, coordinator, responder]
items:
  - {scenario: scenario.yaml, profile: smoke}
  - {id: again, scenario: long.yaml}
"""


def begin(lab: Lab) -> DayFile:
    lab.write()
    (lab.directory / "scenario.yaml").write_text(yaml.safe_dump(quick_scenario("late")))
    (lab.directory / "long.yaml").write_text(yaml.safe_dump(long_scenario("long")))
    (lab.directory / "day.yaml").write_text(PLAN)
    roles = [w for role in ("owner", "coordinator", "responder") for w in ("--take", role)]
    ended = run_gameday("day", "start", "day.yaml", *roles, cwd=lab.directory)
    assert ended.returncode == 0, ended.stderr
    return days_of(lab.directory / "reports")[-1]


def test_a_run_of_a_day_is_linked_and_a_stop_ends_the_next_one(small_lab: Lab) -> None:
    day = begin(small_lab)
    first = run_gameday("day", "next", "day.yaml", "--go", "-q", cwd=small_lab.directory)
    assert first.returncode in (0, 1, 3), first.stderr  # a busy machine is told, not hidden
    run = next(e for e in day.events() if e.kind == "day.run")
    judged = json.loads((small_lab.directory / "reports" / run.subject / "result.json").read_text())
    ended = [e for e in day.events() if e.kind == "day.item"][-1]
    assert ended.data["outcome"] == judged["verdict"]["outcome"]
    assert ended.data["exit_code"] == first.returncode

    child = subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", "--go", "-q"],
        cwd=small_lab.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until("the second run has begun", lambda: begun(small_lab, day, 2), within_s=120)
        stopped = run_gameday("day", "stop", "day.yaml", "enough", cwd=small_lab.directory)
        child.wait(120)
    finally:
        child.kill()
        child.wait(10)

    assert stopped.returncode == 0, stopped.stderr
    assert child.returncode == 130
    assert stopped_by(small_lab, day) == "enough"
    small_lab.assert_clean()
    assert run_gameday("day", "debrief", "day.yaml", cwd=small_lab.directory).returncode == 0
    text = (day.folder / "debrief.md").read_text()
    assert f"../../{run.subject}/postmortem.md" in text
    assert (day.folder / f"../../{run.subject}/postmortem.md").is_file()
    assert "stopped early: enough" in text


def test_a_run_ends_with_its_day_whoever_ended_it(small_lab: Lab) -> None:
    """The page writes that the day is over, and nobody is left to tell the run."""
    day = begin(small_lab)
    child = subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", "--item", "again", "--go", "-q"],
        cwd=small_lab.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until("the run has begun", lambda: begun(small_lab, day, 1), within_s=120)
        assert end_day(day, "the phone rang", by="observer")
        assert not end_day(day, "it rang again", by="observer")
        child.wait(120)
    finally:
        child.kill()
        child.wait(10)

    assert child.returncode == 130
    assert stopped_by(small_lab, day) == "the phone rang"
    small_lab.assert_clean()


def journal_of(lab: Lab, day: DayFile) -> Path:
    """The journal of the newest run of *day*."""
    name = [e.subject for e in day.events() if e.kind == "day.run"][-1]
    return lab.directory / "reports" / name / "journal.jsonl"


def begun(lab: Lab, day: DayFile, runs: int) -> bool:
    """Whether *day* has so many runs, and the newest is in its first phase."""
    if sum(e.kind == "day.run" for e in day.events()) < runs:
        return False
    journal = journal_of(lab, day)
    return journal.is_file() and any(e.kind == "run.phase" for e in read(journal).events)


def stopped_by(lab: Lab, day: DayFile) -> object:
    """The reason that stopped the newest run."""
    stops = [e for e in read(journal_of(lab, day)).events if e.kind == "stop.tripped"]
    return stops[0].data["reason"]


def test_the_version_and_the_register_are_for_the_run_too(
    small_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunRequest] = []

    def run_one(request: RunRequest, *_: object, **__: object) -> None:
        asked.append(request)
        raise RefusedError("nothing is run here")

    begin(small_lab)
    monkeypatch.chdir(small_lab.directory)
    monkeypatch.setattr(day_next, "run_one", run_one)
    words = ["day", "next", "day.yaml", "--go"]
    assert gameday([*words, "--service-version", "1.4.2", "--findings"]) == 2
    assert gameday(words) == 2
    assert [(one.service_version, one.findings) for one in asked] == [
        ("1.4.2", True),
        (None, False),
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_did_not_begin_is_told_of_only_where_its_directory_is_kept(
    small_lab: Lab, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    def run_one(request: RunRequest, *_: object, **__: object) -> None:
        where = RunDir(path=request.reports / "20260101T000000Z-late-00aa")
        assert request.created is not None
        request.created(where)
        if kept:
            where.path.mkdir()
        raise JournalError("the disk is full")

    day = begin(small_lab)
    monkeypatch.chdir(small_lab.directory)
    monkeypatch.setattr(day_next, "run_one", run_one)
    assert gameday(["day", "next", "day.yaml", "--go"]) == 70
    ended = day.events()[-1]
    assert (ended.kind, ended.phase) == ("day.item", Phase.FAILED)
    assert ended.data.get("run") == ("20260101T000000Z-late-00aa" if kept else None)
