"""What browsers are told: all of it, once, the same to all, and to some not what is broken."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from console_support import (
    ALERT,
    FAULT,
    FAULT_WORDS,
    RUN_ID,
    Browser,
    Listener,
    Runner,
    Server,
    console,
    listening,
    runner,
)

from gameday.app.day_journal import PLAN, DayFile, open_day, today, today_or_new
from gameday.app.onlooker import onlooker_of
from gameday.app.rundir import RunDir
from gameday.cli.main import run as gameday
from gameday.console import feed as feed_module
from gameday.console.feed import Feed
from gameday.console.hub import ENTRIES_MAX, Stream
from gameday.errors import JournalError, UsageError
from gameday.journal import read
from gameday.model.event import Event

DAY = """
gameday: 1
day: quiet
title: How we cope
objective: Whether we do.
roles: [coordinator, commander]
items: [{id: talk, tabletop: {cards: [{at: 0s, inject: It is gone.}]}}]
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Runner]:
    with runner(tmp_path / "reports") as made:
        yield made


@pytest.fixture
def server(run: Runner, tmp_path: Path) -> Iterator[Server]:
    with console(cwd=tmp_path) as made:
        yield made


def has_run(listener: Listener) -> bool:
    return bool(listener.state and listener.state["run"])


def test_late_joiners_and_all_others_see_the_same(server: Server, run: Runner) -> None:
    observer, commander = server.browser("observer"), server.browser("commander")
    with listening(observer) as early:
        run.play("alert.firing")
        early.until("the alert", lambda one: one.saw(f"{ALERT} fires"))
        with listening(commander) as late:
            assert commander.do("decide", text="we go on").json()["ok"]
            run.play("runbook.asked")
            for one in (early, late):
                one.until("the step", lambda x: x.saw("call-the-owner"))
                one.until("the decision", lambda x: x.saw("we go on"))
                one.until(
                    "the state", lambda x: has_run(x) and x.state["run"]["waiting"] is not None
                )
            assert early.entries == late.entries
            assert early.state == late.state
    texts = [entry["text"] for entry in early.entries]
    assert f"fault `{FAULT}` confirmed on" in texts
    assert [entry["n"] for entry in early.entries] == list(range(1, len(texts) + 1))
    seen = early.state["run"]
    assert seen["detection"][ALERT]["fired"] is True
    assert [f["state"] for f in seen["faults"]] == ["ON"]
    assert list(seen["stop_when"]) == ["errors > 50% for 10s"]
    assert seen["gates"] == [{"name": "strong", "by": None}]
    assert seen["waiting"]["text"] == "Call whoever owns the card gateway."


def test_after_a_lost_connection_nothing_is_missed_and_nothing_is_told_twice(
    server: Server, run: Runner
) -> None:
    browser, other = server.browser("observer"), server.browser("scribe")
    got: list[dict[str, Any]] = []
    last = ""
    with listening(other) as whole:
        for place in (20, "check.baseline", "fault.inject", 150, "alert.firing", len(run.events)):
            with listening(browser, last) as part:
                run.play(place)
                other.do("note", text=f"note at {place}")
                part.until(f"note at {place}", lambda one, at=place: one.saw(f"note at {at}"))
            assert part.resets == (0 if last else 1)
            got += part.entries
            last = part.last
        number = int(last.partition(".")[2])
        whole.until("all of it", lambda one: len(one.entries) >= number)
        assert got == whole.entries[:number]
        assert [entry["n"] for entry in got] == list(range(1, number + 1))


def test_a_number_of_another_console_begins_anew(server: Server, run: Runner) -> None:
    run.play("alert.firing")
    browser = server.browser("observer")
    with listening(browser, "0123456789ab.3") as one:
        one.until("everything", lambda x: x.saw(f"{ALERT} fires"))
        assert (one.resets, one.entries[0]["n"]) == (1, 1)


def test_a_runner_that_is_killed_is_told_and_all_is_kept(
    server: Server, run: Runner, tmp_path: Path
) -> None:
    scribe = server.browser("scribe")
    with listening(scribe) as one:
        run.play("alert.firing")
        scribe.do("note", text="before the end")
        one.until("the note", lambda x: x.saw("before the end"))
        run.process.send_signal(signal.SIGKILL)
        run.process.wait(10)
        one.until("it is told", lambda x: x.saw("the runner is gone"))
        one.until("the state", lambda x: x.state["run"]["runner"] == "gone")
        # what people say then is kept too, by the day
        kept = scribe.do("note", text="after the end")
        assert "the day has it" in kept.json()["text"]
        one.until("the note", lambda x: x.saw("after the end"))
        assert scribe.do("stop").json()["ok"] is False
    with listening(scribe) as again:  # a page that was reloaded
        again.until("everything", lambda x: x.saw("after the end"))
        assert again.entries == one.entries
    day = today(tmp_path / "reports")
    assert day is not None
    assert [e.kind for e in read(day.path).events] == ["day.opened", "human.note"]
    # and so does a console that was started again
    with console(cwd=tmp_path) as anew, listening(anew.browser("observer")) as other:
        other.until("all", lambda x: x.saw("before the end") and x.saw("after the end"))


def test_what_people_do_is_in_the_journal_of_the_run(server: Server, run: Runner) -> None:
    run.play("runbook.asked")
    coordinator = server.browser("coordinator")
    people = {role: server.browser(role) for role in ("commander", "responder", "scribe")}
    with listening(coordinator) as heard:
        heard.until("the run", has_run)
        done = [
            people["scribe"].do("note", text="all on the call"),
            people["scribe"].do("todo", text="raise the timeout"),
            people["commander"].do("decide", text="go on"),
            people["commander"].do("handoff", text="to the night shift"),
            coordinator.do("update", text="[EXERCISE] it began"),
            coordinator.do("gate", name="strong", answer="no-go", text="errors too high"),
            coordinator.do("gate", name="strong", answer="go"),
            people["responder"].do("ack", text=ALERT),
            people["responder"].do("opened", name="payments-slow"),
            people["responder"].do("step", name="call-the-owner", answer="note", text="no answer"),
            people["responder"].do("step", name="call-the-owner", answer="done", text="2nd try"),
            people["scribe"].do("stop", text="enough seen"),
        ]
        assert [(a.status, a.text) for a in done if not a.json().get("ok")] == []
        heard.until("the stop", lambda one: one.saw("enough seen"))
    said = [
        (e["kind"], e["subject"], e["data"].get("text", ""))
        for e in run.journal()
        if e["kind"].startswith(("human.", "gate."))
    ]
    assert said == [
        ("human.note", "scribe", "all on the call"),
        ("human.todo", "scribe", "raise the timeout"),
        ("human.decide", "commander", "go on"),
        ("human.handoff", "commander", "to the night shift"),
        ("human.update", "coordinator", "[EXERCISE] it began"),
        ("human.decide", "coordinator", "no go at gate `strong`: errors too high"),
        ("gate.opened", "strong", ""),
        ("human.ack", "responder", ALERT),
        ("human.note", "responder", "step `call-the-owner`: no answer"),
        ("human.step", "call-the-owner", "2nd try"),
    ]
    stopped = run.journal()[-1]
    assert (stopped["kind"], stopped["data"]["by"]) == ("stop.tripped", "scribe")


def test_what_the_run_refuses_is_told(server: Server, run: Runner) -> None:
    run.play("fault.inject")
    commander, responder = server.browser("commander"), server.browser("responder")
    with listening(commander) as heard:
        heard.until("the run", has_run)
        unknown = commander.do("gate", name="stronger", answer="go")
        assert (unknown.status, "gates: `strong`" in unknown.text) == (409, True)
        nothing = responder.do("step", name="anything", answer="done")
        assert (nothing.status, "no step" in nothing.text) == (409, True)
        wrong = responder.do("step", name="anything", answer="maybe")
        assert (wrong.status, "must be one of" in wrong.text) == (409, True)
        assert commander.do("note").status == 409


def blind_bytes(browser: Browser, listener: Listener) -> str:
    """Everything that a browser got, or can get."""
    figure = http.client.HTTPConnection("127.0.0.1", browser.server.port, timeout=20)
    try:
        figure.request("GET", "/figure.json", headers={"Cookie": browser.cookie})
        drawn = gzip.decompress(figure.getresponse().read()).decode()
    finally:
        figure.close()
    pages = [browser.get(path).text for path in ("/", "/api/me")]
    refusals = [
        browser.do("gate", name="x", answer="go").text,
        browser.do("step", name="x", answer="done").text,
        browser.do("opened", name="nothing").text,
        browser.do("nothing").text,
    ]
    told = listener.raw + "".join(refusals)
    found = [word for word in FAULT_WORDS if word in told.lower()]
    assert found == [], (found, told)
    assert json.loads(drawn) is None or json.loads(drawn)["captions"] == []
    return "".join([told, drawn, *pages])


@pytest.mark.parametrize("role", ["responder", "commander"])
def test_blind_means_that_it_is_not_sent(run: Runner, tmp_path: Path, role: str) -> None:
    with console("--blind", cwd=tmp_path) as server:
        browser, coordinator = server.browser(role), server.browser("coordinator")
        with listening(browser) as blind, listening(coordinator) as knowing:
            run.play("runbook.asked")
            knowing.until("the run", has_run)
            coordinator.do("note", text=f"{FAULT} was injected as planned")
            coordinator.do("decide", text="the fault stays in")
            coordinator.do("gate", name="strong", answer="go")
            browser.do("note", text="we look at the card gateway")
            blind.until("the note", lambda one: one.saw("we look at the card gateway"))
            blind.until("the step", lambda one: one.state["run"]["waiting"])
            coordinator.do("stop", text=f"because of {FAULT}")
            blind.until("the stop", lambda one: one.saw("the exercise was stopped"))
            run.play(len(run.events))
            blind.until("the end", lambda one: one.state["run"]["closed"])
            whole = blind_bytes(browser, blind)
            mine = (FAULT, "Payments answers", RUN_ID, "payments")
            assert [w for w in mine if w in whole] == []
            # yet they can work: the alert, the step, the load
            assert f"{ALERT} fires" in blind.texts()
            assert blind.state["run"]["alerts"][0]["name"] == ALERT
            assert knowing.saw(FAULT)

            # once it is over the coordinator shows it to all, and the page comes back for it
            assert coordinator.do("reveal").json()["ok"]
            blind._thread.join(10)
        with listening(browser, blind.last) as after:
            after.until("the fault", lambda one: one.saw(f"fault `{FAULT}` confirmed on"))
            assert after.resets == 1


def test_the_fault_is_not_shown_while_a_run_is_under_way(run: Runner, tmp_path: Path) -> None:
    with console("--blind", cwd=tmp_path) as server:
        coordinator = server.browser("coordinator")
        with listening(coordinator) as knowing:
            knowing.until("the run", lambda one: has_run(one) or run.play(5))
            answer = coordinator.do("reveal")
            assert (answer.status, "under way" in answer.text) == (409, True)


def test_the_figure_is_that_of_the_report(server: Server, run: Runner) -> None:
    run.play(len(run.events))
    browser = server.browser("observer")
    with listening(browser) as one:
        one.until("the end", lambda x: has_run(x) and x.state["run"]["closed"] == "completed")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/figure.json", headers={"Cookie": browser.cookie})
        made = json.loads(gzip.decompress(connection.getresponse().read()))
    finally:
        connection.close()
    assert made["spec"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert any(FAULT in bar["lane"] for bar in made["spec"]["datasets"]["bars"])


@pytest.mark.parametrize("end", ["killed", "load.lost", "load.stop", "run.closed"])
def test_what_users_feel_is_told_only_while_it_is_seen(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    open_day(tmp_path / "reports", "quiet", {PLAN: DAY}, base="../..")
    now = time.time_ns()  # within the minute in which a text stays as it is
    clock = SimpleNamespace(
        time_ns=lambda: now, monotonic=time.monotonic, gmtime=time.gmtime, strftime=time.strftime
    )
    monkeypatch.setattr(feed_module, "time", clock)
    feed = Feed(reports=tmp_path / "reports", tell=lambda *_: None)

    def impact() -> str:
        feed._scanned = 0.0
        feed.look()
        told = {text["name"]: text["text"] for text in feed.state("full")["comms"]}
        return next(line for line in told["update"].splitlines() if line.startswith("Impact:"))

    run.play("alert.firing")
    assert "of requests fail" in impact()
    if end == "killed":
        run.process.kill()
        run.process.wait(10)
    else:
        run.note(Event(kind=end, subject="load", data={"status": "completed"}))
    assert impact() == "Impact: <what users feel>"


def test_a_phase_that_goes_on_is_not_called_cut_short(run: Runner) -> None:
    run.play("alert.firing")
    looker = onlooker_of(RunDir(path=run.where))
    for event in read(run.where / "journal.jsonl").events:
        looker.see(event)
    made = looker.figure(blind=False)
    assert made is not None
    texts = [bar["text"] for bar in made["spec"]["datasets"]["bars"]]
    assert "fault, under way" in " ".join(texts)
    assert "cut short" not in " ".join(texts)


def test_the_next_run_of_the_day_follows(server: Server, run: Runner, tmp_path: Path) -> None:
    run.play(len(run.events))
    browser = server.browser("observer")
    with listening(browser) as one:
        one.until("the first", lambda x: has_run(x) and x.state["run"]["closed"])
        with runner(tmp_path / "reports", f"{RUN_ID}-b") as second:
            second.play("alert.firing")
            one.until("the second", lambda x: x.state["run"]["run"] == second.where.name)
            one.until("its fault", lambda x: x.texts().count(f"fault `{FAULT}` confirmed on") == 2)
            assert [r["status"] for r in one.state["runs"]] == ["completed", "alive"]


def test_without_any_run_the_day_takes_what_is_said(tmp_path: Path) -> None:
    with console(cwd=tmp_path) as server:
        scribe = server.browser("scribe")
        with listening(scribe) as one:
            assert scribe.do("note", text="waiting for everybody").json()["ok"]
            one.until("the note", lambda x: x.saw("waiting for everybody"))
            assert scribe.do("stop").status == 409


def test_the_terminal_writes_into_the_same_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gameday(["decide", "go on"]) == 2
    assert "there is no run" in capsys.readouterr().err
    today_or_new(tmp_path / "reports")
    for command in (["note", "all here"], ["decide", "go on"], ["handoff", "to the night shift"]):
        assert gameday(command) == 0
    day = today(tmp_path / "reports")
    assert day is not None
    said = [(e.kind, e.subject, e.data.get("text")) for e in read(day.path).events[1:]]
    assert said == [
        ("human.note", "scribe", "all here"),
        ("human.decide", "commander", "go on"),
        ("human.handoff", "commander", "to the night shift"),
    ]


def test_the_terminal_writes_into_the_run(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run.play(5)
    monkeypatch.chdir(tmp_path)
    assert gameday(["decide", "go on"]) == 0
    assert gameday(["handoff", "to the night shift", "--role", "scribe"]) == 0
    kinds = [(e["kind"], e["subject"]) for e in run.journal()[-2:]]
    assert kinds == [("human.decide", "commander"), ("human.handoff", "scribe")]


def test_a_secret_of_the_run_is_masked_and_written_nowhere_else(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who says it does not know that it is one: what the run wrote down is what counts."""
    monkeypatch.chdir(tmp_path)
    book = today_or_new(tmp_path / "reports")
    run.play(5)
    run.knows("opensesame")
    assert gameday(["note", "opensesame works again"]) == 0
    with console(cwd=tmp_path) as server:
        scribe = server.browser("scribe")
        assert scribe.do("note", text="and opensesame does").json()["text"] == "done"
    assert "no run is under way" not in capsys.readouterr().out
    texts = [e["data"]["text"] for e in run.journal() if e["kind"] == "human.note"]
    assert texts == ["*** works again", "and *** does"]
    assert [event.kind for event in read(book.path).events] == ["day.opened"]


def test_a_day_is_one_chain_whoever_writes_it(tmp_path: Path) -> None:
    book = today_or_new(tmp_path)
    writers = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for turn in range(5):
                    DayFile(path=book.path).say("human.note", "scribe", f"{number}/{turn}")
                code = 0
            finally:
                os._exit(code)
        writers.append(child)
    assert [os.waitpid(child, 0)[1] for child in writers] == [0] * 4
    found = read(book.path)
    assert (found.problem, len(found.events)) == (None, 21)
    said = {event.data["text"] for event in found.events[1:]}
    assert said == {f"{a}/{b}" for a in range(4) for b in range(5)}


def test_a_day_that_is_over_or_damaged_is_not_gone_on_with(tmp_path: Path) -> None:
    book = today_or_new(tmp_path)
    book.say("human.note", "scribe", "first")
    opened = read(book.path).events[0].data["origin_wall_ms"]
    assert today(tmp_path, at_ms=opened + 17 * 3_600_000) == book
    assert today(tmp_path, at_ms=opened + 19 * 3_600_000) is None
    with pytest.raises(UsageError, match="the text is missing"):
        book.say("human.note", "scribe", " \x00 ")
    raw = book.path.read_bytes()
    book.path.write_bytes(raw.replace(b"first", b"fIrst"))
    with pytest.raises(JournalError, match="was changed"):
        book.say("human.note", "scribe", "second")


def test_a_stream_tells_no_more_than_it_can_keep() -> None:
    stream = Stream()
    for number in range(ENTRIES_MAX + 5):
        stream.add({"text": str(number)})
    assert len(stream) == ENTRIES_MAX
    assert b"the journal has it" in stream.after(ENTRIES_MAX - 1, 0)[0]
    assert stream.place(f"{stream.epoch}.7") == 7
    for wrong in (None, "", "7", f"{stream.epoch}.", f"{stream.epoch}.-1", "x.7",
                  f"{stream.epoch}.999999999"):  # fmt: skip
        assert stream.place(wrong) is None
