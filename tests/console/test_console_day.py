"""What the page knows of a day that was begun from a plan: roles, go, who is blind, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from console_support import (
    RUN_ID,
    Browser,
    Listener,
    Server,
    console,
    listening,
    runner,
    wait_until,
)
from ports_support import free_port

from gameday.app import control, day_journal
from gameday.app.console import sessions_file
from gameday.app.day_journal import (
    DayFile,
    days_of,
    end_day,
    now_ms,
    open_day,
    today,
    today_or_new,
)
from gameday.cli.main import run as gameday
from gameday.console import acts
from gameday.console.feed import Feed
from gameday.engine import control as door
from gameday.engine.control import CONTROL_FILE, ControlServer, NotUnderWayError
from gameday.errors import RefusedError, UsageError
from gameday.journal import Journal, read
from gameday.kpi.day import ROLE
from gameday.model.event import Event
from gameday.sentinel import owner

GAMEDAY = [sys.executable, "-m", "gameday"]
PROJECT = "gameday: 1\nenvironments:\n  local: {commands: [python3]}\nservices: {shop: {tier: 1}}\n"
PLAN = """
gameday: 1
day: quiet
title: How we cope
objective: Whether the amber thing comes back.
roles: [owner, coordinator, commander, responder, scribe]
knows: [owner, coordinator]
abort: {word: RED LIGHT, who: [owner, coordinator]}
comms: {channel: "#gameday", every: 20m}
items:
  - id: amber
    title: The amber thing
    hypothesis: The amber thing is back in a minute.
    drill:
      rto: 60s
      steps:
        - name: restore
          run: [python3, -c, "import time; open('began', 'w'); time.sleep(300)"]
          within: 400s
      checks: [{name: look, run: [python3, -c, "pass"]}]
  - {id: talk, title: An amber talk, tabletop: {cards: [{at: 0s, inject: It is gone.}]}}
"""
HOUR_MS = 3_600_000
ROLES = ("owner", "coordinator", "commander", "responder", "scribe")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("gameday.yaml").write_text(PROJECT)
    Path("day.yaml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def day(here: Path) -> DayFile:
    assert gameday(["day", "start", "day.yaml"]) == 0
    return days_of(here / "reports")[-1]


@pytest.fixture
def server(day: DayFile, here: Path) -> Iterator[Server]:
    del day
    with console(cwd=here) as made:
        yield made


@contextlib.contextmanager
def next_item(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The coordinator's terminal, which waits for the page."""
    with Path("terminal.txt").open("ab") as told, subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", *arguments],
        stdin=subprocess.DEVNULL, stdout=told, stderr=told,
    ) as child:  # fmt: skip
        try:
            yield child
        finally:
            child.kill()


def kinds(day: DayFile, kind: str) -> list[Event]:
    return [event for event in day.events() if event.kind == kind]


def all_taken(day: DayFile) -> None:
    for role in ROLES:
        day.append(ROLE, role, taken=True)


def asked(one: Listener) -> int:
    """The number of the question, once it waits."""
    one.until("the question", lambda x: x.state and x.state["day"] and x.state["day"]["asked"])
    assert one.state is not None
    return int(one.state["day"]["asked"]["seq"])


def test_the_page_has_what_the_plan_says(server: Server, day: DayFile) -> None:
    assert set(server.links) == set(ROLES)
    coordinator, scribe = server.browser("coordinator"), server.browser("scribe")
    assert coordinator.do("invite", name="observer").status == 409
    with listening(coordinator) as knowing, listening(scribe) as blind:
        knowing.until("the day", lambda x: x.state and x.state["day"])
        blind.until("the day", lambda x: x.state and x.state["day"])
        assert knowing.state is not None
        assert blind.state is not None
        seen, hidden = knowing.state["day"], blind.state["day"]
        assert seen["abort"] == {"word": "RED LIGHT", "who": ["owner", "coordinator"]}
        assert seen["items"][0]["hypothesis"].startswith("The amber thing is back")
        assert [i["name"] for i in seen["items"]] == ["amber", "talk"]
        assert [i["name"] for i in hidden["items"]] == ["part 1", "part 2"]
        assert set(knowing.state["blind_roles"]) & set(ROLES) == {
            "commander",
            "responder",
            "scribe",
        }
        updates = knowing.state["updates"]
        assert (updates["every_ms"], updates["owed"]) == (20 * 60_000, True)
        opened = read(day.path).events[0].data["origin_wall_ms"]
        assert updates["last_ms"] == opened
        names = [text["name"] for text in blind.state["comms"]]
        assert names == ["announce", "start", "update", "abort", "all-clear"]
        assert any("RED LIGHT" in text["text"] for text in blind.state["comms"])
        told = json.dumps(blind.state) + blind.raw + scribe.get("/api/me").text
        assert "amber" not in told.lower()
        # people take their own roles, the coordinator those of others
        assert scribe.do("take").json()["ok"]
        assert scribe.do("take", name="owner").status == 409
        assert coordinator.do("take", name="owner").json()["ok"]
        assert coordinator.do("take", name="king").status == 409
        knowing.until("both", lambda x: x.saw("owner was taken") and x.saw("scribe was taken"))
        blind.until("the same", lambda x: x.saw("owner was taken"))


def test_who_must_not_know_invites_nobody_who_does(here: Path) -> None:
    """A link opens a browser for whoever holds it, also for the one who made it."""
    Path("day.yaml").write_text(PLAN.replace("knows: [owner, coordinator]", "knows: [owner]"))
    assert gameday(["day", "start", "day.yaml"]) == 0
    with console(cwd=here) as server:
        coordinator = server.browser("coordinator")
        refused = coordinator.do("invite", name="owner")
        assert (refused.status, "those who know what is broken" in refused.text) == (403, True)
        assert coordinator.do("invite", name="king").status == 409
        scribe = server.more(coordinator, "scribe")
        assert scribe.get("/api/me").json()["blind"] is True


def test_two_browsers_that_answer_at_once_give_one_answer(server: Server, day: DayFile) -> None:
    all_taken(day)
    people = [server.browser(role) for role in ("owner", "commander")]
    responder = server.browser("responder")
    with listening(people[0]) as one, next_item("--wait"):
        seq = asked(one)
        assert responder.do("go", seq=seq, answer="go").status == 403
        assert people[0].do("go", seq=seq - 1, answer="go").status == 409
        assert people[0].do("go", seq=seq, answer="maybe").status == 409
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda p=p: answers.append(p.do("go", seq=seq, answer="go").status)
            )
            for p in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(answers) == [200, 409]
        wait_until("the drill is under way", Path("began").exists, 60)
        assert [e.data["go"] for e in kinds(day, "day.go")] == [True]
        assert kinds(day, "day.go")[0].data["by"] in ("owner", "commander")


def test_a_no_go_of_the_page_begins_nothing(server: Server, day: DayFile) -> None:
    all_taken(day)
    commander = server.browser("commander")
    with listening(commander) as one, next_item("--wait") as child:
        seq = asked(one)
        assert one.state is not None
        assert one.state["day"]["asked"]["name"] == "part 1"
        assert commander.do("go", seq=seq, answer="no-go", text="half are ill").json()["ok"]
        assert child.wait(60) == 0
        one.until("it is told", lambda x: x.state["day"]["items"][0]["status"] == "no-go")
    assert not Path("began").exists()
    assert kinds(day, "day.go")[0].data["text"] == "half are ill"
    assert not kinds(day, "day.item")


def test_a_question_ends_with_whoever_asked(server: Server, day: DayFile) -> None:
    all_taken(day)
    people = server.browser("owner")
    with listening(people) as one:
        with next_item("--wait") as child:
            seq = asked(one)
            child.kill()
            child.wait(10)
        one.until("nobody asks", lambda x: x.state["day"]["asked"] is None)
        late = people.do("go", seq=seq, answer="go")
        assert (late.status, "whoever asked is gone" in late.text) == (409, True)


def test_without_a_terminal_and_without_waiting_nobody_is_asked(
    day: DayFile, capsys: pytest.CaptureFixture[str]
) -> None:
    all_taken(day)
    with next_item() as child:
        assert child.wait(60) == 2
    assert "wait for the page with `--wait`" in Path("terminal.txt").read_text()
    assert not kinds(day, "day.asked")


def test_the_rules_are_asked_again_after_the_answer(server: Server, day: DayFile) -> None:
    """Hours may pass between the question and the go."""
    all_taken(day)
    people = server.browser("owner")
    with listening(people) as one, next_item("--wait") as child:
        seq = asked(one)
        day.append(ROLE, "responder", taken=False)
        day.append(ROLE, "coordinator", taken=False)
        assert people.do("go", seq=seq, answer="go").json()["ok"]
        assert child.wait(60) == 2
    assert "nobody has taken `coordinator`" in Path("terminal.txt").read_text()
    assert not kinds(day, "day.item")


def test_the_stop_ends_what_has_no_run(server: Server, day: DayFile) -> None:
    """A drill has no door: it ends with its day, whoever presses the button."""
    all_taken(day)
    responder, commander = server.browser("responder"), server.browser("commander")
    with listening(responder) as one, next_item("--go") as child:
        wait_until("the drill is under way", Path("began").exists, 60)
        one.until("it is shown", lambda x: x.state["day"]["items"][0]["status"] == "under way")
        # to end the whole day is for those whom the plan names, the stop is not
        refused = commander.post("/api/do", {"do": "stop", "day": True})
        assert (refused.status, "allowed: coordinator, owner" in refused.text) == (403, True)
        assert not kinds(day, "day.closed")
        assert responder.do("stop", text="the phone rang").json()["ok"]
        assert child.wait(60) == 3
        one.until("it is over", lambda x: x.state["day"]["over"])
        assert one.saw("the day was stopped")
        assert "phone" not in one.raw  # a reason may name the fault
    closed = kinds(day, "day.closed")
    assert [(e.data["by"], e.data["reason"]) for e in closed] == [("responder", "the phone rang")]
    assert responder.do("stop").status == 409


def test_the_stop_ends_every_run(here: Path) -> None:
    with runner(here / "reports") as first, runner(here / "reports", f"{RUN_ID}-b") as second:
        first.play(5)
        second.play(5)
        with console(cwd=here) as server:
            assert server.browser("observer").do("stop", text="all of it").json()["ok"]
        for one in (first, second):
            wait_until("it stops", lambda one=one: one.journal()[-1]["kind"] == "stop.tripped")


def test_a_runner_that_was_killed_does_not_stand_in_the_way(here: Path) -> None:
    with runner(here / "reports") as first, runner(here / "reports", f"{RUN_ID}-b") as dead:
        first.play(5)
        dead.play(5)
        dead.process.kill()
        dead.process.wait(10)
        assert (dead.where / CONTROL_FILE).exists()
        with console(cwd=here) as server:
            scribe = server.browser("scribe")
            assert scribe.do("note", text="still here").json()["ok"]
            assert scribe.do("stop").json()["ok"]
        said = [(e["kind"], e["data"].get("text")) for e in first.journal()[-2:]]
        assert said == [("human.note", "still here"), ("stop.tripped", None)]


def test_who_was_in_is_in_after_a_restart_of_the_console(here: Path) -> None:
    port = str(free_port())
    with console("--port", port, cwd=here) as server:
        scribe, observer = server.browser("scribe"), server.browser("observer")
        assert observer.post("/api/leave", {}).status == 200
    kept = sessions_file(here / "reports", int(port))
    assert kept.stat().st_mode & 0o077 == 0
    secret = scribe.cookie.partition("=")[2]
    assert secret not in kept.read_text()
    with console("--port", port, cwd=here) as again:
        assert Browser(again, scribe.cookie).do("note", text="again").json()["ok"]
        assert Browser(again, observer.cookie).get("/events").status == 401
    kept.chmod(0o644)  # somebody else may have written it
    with console("--port", port, cwd=here) as third:
        assert Browser(third, scribe.cookie).get("/events").status == 401


def test_a_secret_that_all_know_does_not_open_a_blind_day(here: Path) -> None:
    secret = {"GAMEDAY_CONSOLE_SECRET": "one secret for all of us"}
    with console(cwd=here, environment=secret) as server:  # before the day began
        assert gameday(["day", "start", "day.yaml"]) == 0
        entering = {"secret": "one secret for all of us"}

        def enters(role: str) -> int:
            return Browser(server).post("/api/enter", {"role": role, **entering}).status

        wait_until("the day is seen", lambda: enters("coordinator") == 403)
        assert enters("responder") == 200
    with pytest.raises(AssertionError, match="need a secret that no other role has"), console(
        cwd=here, environment=secret
    ):  # fmt: skip
        pass


def test_what_is_broken_is_shown_once_nothing_comes_any_more(server: Server, day: DayFile) -> None:
    all_taken(day)
    coordinator, scribe = server.browser("coordinator"), server.browser("scribe")
    early = coordinator.do("reveal")
    assert (early.status, "the day is not over" in early.text) == (409, True)
    assert coordinator.post("/api/do", {"do": "stop", "day": True, "text": "late"}).status == 200
    with listening(scribe) as blind:
        blind.until("it is over", lambda x: x.state and x.state["day"]["over"])
        assert coordinator.do("reveal").json()["ok"]
        blind._thread.join(30)
        assert not blind._thread.is_alive()
        assert "amber" not in blind.raw
    with listening(scribe) as after:
        after.until("all", lambda x: x.state and x.state["day"]["items"][0]["name"] == "amber")


def test_a_run_that_begins_later_is_hidden_again(here: Path) -> None:
    reports = here / "reports"
    with console("--blind", cwd=here) as server:
        responder, coordinator = server.browser("responder"), server.browser("coordinator")
        with runner(reports) as first:
            first.play(len(first.events))
            with listening(coordinator) as knowing:
                knowing.until("the end", lambda x: x.state and (x.state["run"] or {}).get("closed"))
            assert coordinator.do("reveal").json()["ok"]
            wait_until("all see", lambda: not responder.get("/api/me").json()["blind"])
            with runner(reports, f"{RUN_ID}-b") as second:
                second.play("alert.firing")
                wait_until("hidden", lambda: responder.get("/api/me").json()["blind"])
                with listening(responder) as blind:
                    blind.until("the alert", lambda x: x.state and x.state["run"]["alerts"])
                    assert "slow-payments" not in blind.raw


def test_a_terminal_and_the_page_answer_the_same_question(server: Server, day: DayFile) -> None:
    all_taken(day)
    people = server.browser("owner")
    ours, theirs = os.openpty()
    command = [*GAMEDAY, "day", "next", "day.yaml", "--by", "coordinator"]
    with (
        subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as child,
        listening(people) as one,
    ):
        try:
            seq = asked(one)
            os.write(ours, b"perhaps\n")
            os.write(ours, b"no-go we wait\n")
            assert child.wait(60) == 0
            assert people.do("go", seq=seq, answer="go").status == 409
        finally:
            child.kill()
            os.close(ours)
            os.close(theirs)
    given = [(e.data["by"], e.data["go"], e.data["text"]) for e in kinds(day, "day.go")]
    assert given == [("coordinator", False, "we wait")]


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Path]:
    """A run that takes what people say, and writes nothing down."""
    where = tmp_path / "reports" / "20260101T000000Z-forgetful-00aa"
    where.mkdir(parents=True)
    owner.claim(where)
    with Journal.open(where / "journal.jsonl"):
        server = ControlServer(where, lambda _event: None)
        try:
            yield where
        finally:
            server.close()


def test_what_the_run_did_not_write_down_was_not_said(
    forgetful: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_WRITTEN_WITHIN_S", 0.3)
    request = {"do": "note", "role": "scribe", "text": "nobody knows"}
    with pytest.raises(NotUnderWayError, match="did not write it down"):
        control.say_in_run(forgetful, request)
    today_or_new(tmp_path / "reports")
    monkeypatch.chdir(tmp_path)
    assert gameday(["note", "nobody knows"]) == 0
    day = today(tmp_path / "reports")
    assert day is not None
    assert [e.data.get("text") for e in day.events()][1:] == ["nobody knows"]


@pytest.mark.parametrize("where", ["terminal", "page"])
def test_what_the_run_masked_and_did_not_write_down_stands_masked_in_the_day(
    forgetful: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The process that writes it knows none of the run's secrets."""
    monkeypatch.setattr(control, "_WRITTEN_WITHIN_S", 0.1)
    monkeypatch.setattr(door, "send", lambda *_: {"ok": True, "said": "*** works again"})
    today_or_new(tmp_path / "reports")
    monkeypatch.chdir(tmp_path)
    if where == "terminal":
        assert gameday(["note", "opensesame works again"]) == 0
    else:
        feed: Any = SimpleNamespace(doors=lambda: [forgetful], reports=tmp_path / "reports")
        assert "the day has it" in acts._say(feed, "scribe", "note", "opensesame works again")
    day = today(tmp_path / "reports")
    assert day is not None
    assert [e.data.get("text") for e in day.events()][1:] == ["*** works again"]


def test_a_blind_day_is_blind_until_it_is_ended(
    day: DayFile, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window may be a week; nobody is shown what is broken because a night went by."""
    later = day.events()[0].data["origin_wall_ms"] + 30 * HOUR_MS
    monkeypatch.setattr(day_journal, "now_ms", lambda: later)
    for _ in ("begun again", "gone on"):
        feed = Feed(reports=here / "reports", tell=lambda *_: None)
        assert {"commander", "responder", "scribe"} <= feed.blind_roles()
        assert today_or_new(here / "reports") == day


def test_how_long_what_is_said_belongs_to_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = {day_journal.PLAN: "any"}

    def lasts(at_h: int, made: DayFile) -> bool:
        opened = made.opened()
        assert opened is not None
        at_ms = opened.data["origin_wall_ms"] + at_h * HOUR_MS
        return today(made.path.parents[1], at_ms=at_ms) == made

    without = open_day(tmp_path / "a", "day", {})
    assert [lasts(at, without) for at in (17, 19)] == [True, False]
    planned = open_day(tmp_path / "b", "day", plan)
    assert [lasts(at, planned) for at in (19, 167, 169)] == [True, True, False]
    ends = now_ms() + 300 * HOUR_MS
    early = open_day(tmp_path / "c", "day", plan, window_ends_wall_ms=ends)
    assert [lasts(at, early) for at in (299, 317, 319)] == [True, True, False]
    assert end_day(planned, "done", by="owner")
    monkeypatch.setattr(day_journal, "now_ms", lambda: ends)
    assert end_day(early, "done", by="owner")
    assert [lasts(at, planned) for at in (17, 19)] == [True, False]
    assert [lasts(at, early) for at in (305, 307)] == [True, False]


def test_a_day_is_begun_once_by_whoever_speaks_first(tmp_path: Path) -> None:
    reports, made = tmp_path / "reports", []
    threads = [
        threading.Thread(target=lambda: made.append(today_or_new(reports))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 6
    assert len(set(made)) == 1
    made[0].append("day.closed", "day", stopped=True)

    def no(_events: object) -> None:
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        made[0].append("human.note", "scribe", look=no, text="x")
    with pytest.raises(UsageError, match="longer than"):
        made[0].say("human.note", "scribe", "x" * 4_001)
    assert len(made[0].events()) == 2
