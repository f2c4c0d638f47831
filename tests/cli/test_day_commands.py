"""`gameday day` as people call it, without anything that is broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gameday.app.day_journal import days_of, today_or_new
from gameday.cli.main import run
from gameday.journal import Journal, read
from gameday.model.event import Event, Phase
from gameday.processes import own_identity
from gameday.sentinel import owner

GAMEDAY = [sys.executable, "-m", "gameday"]
PROJECT = """
gameday: 1
environments:
  local: {commands: [python3]}
services:
  shop: {tier: 1}
"""
PLAN = """
gameday: 1
day: drill
title: The books come back
objective: Whether the books come back.
roles: [owner, coordinator, commander]
knows: [owner, coordinator]
comms: {channel: "#gameday"}
items:
  - id: talk
    tabletop: {cards: [{at: 0s, inject: The books are gone., ask: "Who is told?"}]}
  - id: books
    title: The secret thing
    drill:
      rto: 30s
      steps: [{name: restore, run: [python3, -c, "print('back')"]}]
      checks: [{name: look, run: [python3, -c, "import sys; sys.exit(CODE)"]}]
      clean_up: [{name: tidy, run: [python3, -c, "open('tidied', 'w')"]}]
"""
SLOW = "import time; open('began', 'w'); time.sleep(60)"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("gameday.yaml").write_text(PROJECT)
    plan("0")
    return tmp_path


def plan(code: str, **changes: str) -> None:
    text = PLAN.replace("CODE", code)
    for old, new in changes.items():
        text = text.replace(old, new)
    Path("day.yaml").write_text(text)


def begin() -> None:
    roles = [word for role in ("owner", "coordinator", "commander") for word in ("--take", role)]
    assert run(["day", "start", "day.yaml", *roles]) == 0


def talk(*lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GAMEDAY, "day", "next", "day.yaml", "--go"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def state(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["day", "status", "day.yaml", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_whole_day(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "day.yaml"]) == 0
    assert "1 plan of a day checked" in capsys.readouterr().out
    begin()
    ended = talk("d commander: the owner", "t find a second reader", "")
    assert ended.returncode == 0, ended.stderr
    assert run(["day", "next", "day.yaml", "--go", "--by", "coordinator"]) == 0
    assert "books: pass: back after" in capsys.readouterr().out
    assert (here / "tidied").exists()
    assert run(["day", "next", "day.yaml", "--go"]) == 0
    assert "nothing is left" in capsys.readouterr().out
    assert run(["day", "debrief", "day.yaml"]) == 0
    assert "to be published before" in capsys.readouterr().out

    (day,) = days_of(Path("reports"))
    assert read(day.path).problem is None
    text = (day.folder / "debrief.md").read_text()
    assert "the owner (D" in text
    assert "find a second reader (D" in text
    assert "| books | drill | pass |" in text
    assert "not measured" in text  # of the RPO, which the plan does not ask for


def test_a_drill_that_brings_nothing_back_fails_the_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan("7")
    begin()

    assert run(["day", "next", "day.yaml", "--item", "books", "--go"]) == 1
    assert "check `look` ended with exit code 7" in capsys.readouterr().out
    found = state(capsys)
    assert [one["status"] for one in found["items"]] == ["waiting", "done"]
    assert found["next"] == "talk"


def test_what_is_not_allowed_is_said_and_nothing_is_begun(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["day", "next", "day.yaml", "--go"]) == 2
    assert "begin it with `gameday day start day.yaml`" in capsys.readouterr().err
    assert run(["day", "start", "day.yaml", "--env", "production"]) == 2
    assert "not for `production`" in capsys.readouterr().err
    assert run(["day", "start", "day.yaml", "--take", "king"]) == 2
    assert run(["day", "start", "day.yaml"]) == 0
    assert run(["day", "start", "day.yaml"]) == 2
    assert "is not over" in capsys.readouterr().err
    assert run(["day", "next", "day.yaml", "--go"]) == 2
    assert "nobody has taken `coordinator`, `commander`, `owner`" in capsys.readouterr().err
    assert run(["day", "take", "day.yaml", "owner", "coordinator", "commander"]) == 0
    assert run(["day", "debrief", "day.yaml"]) == 2
    assert "`talk` is not done yet" in capsys.readouterr().err
    plan("0", **{"Who is told?": "Who is called?"})
    assert run(["day", "next", "day.yaml", "--go"]) == 2
    assert "was changed since the day began" in capsys.readouterr().err
    assert run(["run", "day.yaml"]) == 2
    assert "is the plan of a day" in capsys.readouterr().err

    assert not any(e.kind == "day.item" for e in days_of(Path("reports"))[0].events())


def test_one_day_with_a_plan_is_held_at_a_time(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another one would take its place, and with it who must not know what is broken."""
    begin()
    (first,) = days_of(Path("reports"))
    other = Path("day.yaml").read_text().replace("day: drill", "day: other")
    Path("other.yaml").write_text(other)
    capsys.readouterr()

    assert run(["day", "start", "other.yaml"]) == 2
    said = capsys.readouterr().err
    assert f"the day `{first.name}` is not over" in said
    assert "`gameday day stop PLAN`" in said
    assert "`--reports`" in said
    assert run(["day", "start", "other.yaml", "--reports", "elsewhere"]) == 0
    assert days_of(Path("reports")) == [first]
    assert run(["day", "stop", "day.yaml"]) == 0
    assert run(["day", "start", "other.yaml"]) == 0


def test_a_day_without_a_plan_does_not_stand_in_the_way(here: Path) -> None:
    today_or_new(Path("reports"))

    assert run(["day", "start", "day.yaml"]) == 0


def test_outside_the_window_nothing_is_begun(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan("0", **{"comms:": 'window: {from: "2099-01-01 09:00", to: "2099-01-01 12:00"}\ncomms:'})
    begin()

    assert run(["day", "next", "day.yaml", "--go"]) == 2
    assert "the window is 2099-01-01 09:00" in capsys.readouterr().err
    plan("0", **{"comms:": 'window: {from: "2001-01-01 09:00", to: "2001-01-01 12:00"}\ncomms:'})
    assert run(["day", "stop", "day.yaml"]) == 0
    assert run(["day", "start", "day.yaml"]) == 2
    assert "too late" in capsys.readouterr().err


def test_a_no_go_is_noted_and_the_next_item_follows(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()

    assert run(["day", "next", "day.yaml", "--no-go", "--reason", "half are ill"]) == 0
    found = state(capsys)
    assert found["items"][0]["status"] == "no-go"
    assert found["items"][0]["reason"] == "half are ill"
    assert found["next"] == "books"


def test_a_day_that_is_stopped_ends_what_is_under_way_and_cleans_up(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan("0", **{"print('back')": SLOW})
    begin()
    child = subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", "--item", "books", "--go"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until("the drill is under way", Path("began").exists)
        assert run(["day", "next", "day.yaml", "--go"]) == 2
        assert "under way in another terminal" in capsys.readouterr().err
        assert run(["day", "stop", "day.yaml", "the phone rang"]) == 0
        out, _ = child.communicate(timeout=30)
    finally:
        child.kill()
        child.communicate()

    assert "the day was stopped" in out
    assert child.returncode == 3
    assert (here / "tidied").exists()
    assert run(["day", "next", "day.yaml", "--go"]) == 2
    assert run(["day", "debrief", "day.yaml"]) == 0
    (day,) = days_of(Path("reports"))
    assert "stopped early: the phone rang" in (day.folder / "debrief.md").read_text()


def test_a_runner_that_was_killed_leaves_an_item_that_is_not_known(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan("0", **{"print('back')": SLOW})
    begin()
    child = subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", "--item", "books", "--go", "-q"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until("the drill is under way", Path("began").exists)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait(10)
    assert state(capsys)["items"][1]["status"] == "under way"

    assert run(["day", "next", "day.yaml", "--no-go"]) == 0
    assert "whoever ran it is gone" in capsys.readouterr().err
    assert state(capsys)["items"][1]["status"] == "unknown"


@pytest.mark.parametrize("ended", [False, True], ids=["killed with its terminal", "unknown"])
def test_the_stop_of_a_day_whose_run_was_killed_says_what_may_still_be_broken(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    begin()
    (day,) = days_of(Path("reports"))
    began = day.append("day.item", "talk", phase=Phase.STARTED, item_kind="scenario")
    of_today = killed_with_its_fault_in(monkeypatch, "20260101T000000Z-slow-00aa")
    killed_with_its_fault_in(monkeypatch, "20250101T000000Z-other-00bb")
    day.append("day.run", of_today.name, item="talk")
    if ended:
        day.append("day.item", "talk", phase=Phase.UNKNOWN, cause=began.seq, exit_code=3)
    capsys.readouterr()

    assert run(["day", "stop", "day.yaml"]) == 5
    said = capsys.readouterr().out
    assert f"MAY STILL BE BROKEN: slow; try `gameday recover {of_today.name}`" in said
    assert "other" not in said
    with Journal.reopen(of_today / "journal.jsonl") as journal:
        for seq, phase in ((1, Phase.STARTED), (2, Phase.OK)):
            journal.append(
                Event(
                    seq=seq, at_ms=seq, kind="fault.revert", subject="slow", phase=phase,
                    cause=0 if phase is Phase.STARTED else 1,
                )
            )  # fmt: skip
    assert run(["day", "stop", "day.yaml"]) == 0  # somebody has recovered it


def killed_with_its_fault_in(monkeypatch: pytest.MonkeyPatch, name: str) -> Path:
    """A run whose runner is gone, and that has no sentinel."""
    where = Path("reports", name)
    where.mkdir(parents=True)
    with Journal.open(where / "journal.jsonl") as journal:
        undo = {"kind": "test", "target": "payments"}
        journal.append(
            Event(
                seq=0, at_ms=0, kind="fault.inject", subject="slow", phase=Phase.STARTED,
                data={"undo": undo},
            )
        )  # fmt: skip
    with monkeypatch.context() as patch:
        gone = {**own_identity(), "start_ticks": 1}
        patch.setattr(owner, "own_identity", lambda: gone)
        owner.claim(where)
    return where


def test_a_blind_day_tells_others_nothing_of_what_is_broken(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    capsys.readouterr()
    for moment in ("announce", "start", "update", "abort", "all-clear"):
        assert run(["day", "text", "day.yaml", moment]) == 0
        text = capsys.readouterr().out
        assert text.startswith("[EXERCISE] GameDay drill on local")
        assert "secret thing" not in text
    assert run(["day", "text", "day.yaml", "party"]) == 2


def test_what_people_have_finished_is_kept_and_stops_the_clock(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    assert run(["day", "stop", "day.yaml"]) == 0
    assert run(["day", "debrief", "day.yaml"]) == 0
    assert run(["day", "debrief", "day.yaml", "--published"]) == 2
    assert "is still a draft" in capsys.readouterr().err
    (day,) = days_of(Path("reports"))
    page = day.folder / "debrief.md"
    page.write_text("# What we learnt\n")

    assert run(["day", "debrief", "day.yaml", "--published"]) == 0
    assert "published in time" in capsys.readouterr().out
    assert page.read_text() == "# What we learnt\n"


def test_a_journal_that_was_changed_is_not_relied_upon(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    (day,) = days_of(Path("reports"))
    day.path.write_bytes(day.path.read_bytes().replace(b'"taken":true', b'"taken":null', 1))

    assert run(["day", "next", "day.yaml", "--go"]) == 70
    assert "cannot be relied upon: line" in capsys.readouterr().err


def test_a_day_of_which_nothing_can_be_read_is_not_taken_for_none(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    (day,) = days_of(Path("reports"))
    day.path.write_bytes(day.path.read_bytes().replace(b"The books", b"The cooks", 1))

    assert run(["day", "start", "day.yaml"]) == 70
    assert "line 1 was changed after it was written" in capsys.readouterr().err
