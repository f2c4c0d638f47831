"""A service is asked until its answer is right: over real HTTP, and nothing but GET."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))
from checks_support import plan

from gameday.adapters.generic import answers
from gameday.adapters.generic.answers import ask_until_right
from gameday.app import answers as answers_of_run
from gameday.app.memory import Memory
from gameday.errors import CannotSeeError
from gameday.model.answers import AnswerExpectation
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan, Step
from gameday.model.project import Target
from gameday.model.window import Cell, Tick, tick_to_json


class Books:
    """Answers in turn with what it is told to; the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.asked: list[str] = []
        books = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                books.asked.append(f"{self.command} {self.path}")
                status, body = books.answers[min(len(books.asked), len(books.answers)) - 1]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def books() -> Iterator[Books]:
    made = Books()
    try:
        yield made
    finally:
        made.close()


def says(**values: Any) -> tuple[int, str]:
    return 200, json.dumps(values)


def test_a_right_answer_is_taken_at_once(books: Books) -> None:
    books.answers = [says(lost=0, orders=[{"id": "x"}])]
    found = ask_until_right(books.url, "/ledger?a=b", {"lost": 0, "orders[0].id": "x"}, within_s=5)
    assert found["right"] is True
    assert found["values"] == {"lost": 0, "orders[0].id": "x"}
    assert found["tries"] == 1
    assert found["url"] == f"{books.url}/ledger"  # what a query holds stays out of the journal
    assert books.asked == ["GET /ledger?a=b"]


def test_it_is_asked_again_until_it_is_right(books: Books) -> None:
    books.answers = [(503, "{}"), says(pending=4), (200, "no json"), says(pending=0)]
    found = ask_until_right(books.url, "/", {"pending": 0}, within_s=60, wait=lambda _s: None)
    assert found["right"] is True
    assert found["tries"] == 4


def test_a_wrong_answer_is_told_when_the_time_is_over(books: Books) -> None:
    books.answers = [says(lost=3, long="x" * 2_000)]
    found = ask_until_right(books.url, "/", {"lost": 0, "long": "", "no(": 1}, within_s=1)
    assert found["right"] is False
    assert found["values"]["lost"] == 3
    assert found["values"]["no("] is None
    assert len(found["values"]["long"]) < 600
    assert found["tries"] >= 1


@pytest.mark.parametrize(
    ("found", "wanted"), [(True, 1), (1, True), ("0", 0), (None, 0), (0, False)]
)
def test_what_only_looks_alike_is_not_the_same(books: Books, found: Any, wanted: Any) -> None:
    books.answers = [says(value=found)]
    assert ask_until_right(books.url, "/", {"value": wanted}, within_s=0.1)["right"] is False


@pytest.mark.parametrize("answer", [(503, "busy"), (200, "<html>"), (302, "{}")])
def test_no_answer_with_json_is_no_answer(books: Books, answer: tuple[int, str]) -> None:
    books.answers = [answer]
    with pytest.raises(CannotSeeError):
        ask_until_right(books.url, "/", {"lost": 0}, within_s=0.1)


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(CannotSeeError):
        ask_until_right("http://127.0.0.1:9", "/", {"lost": 0}, within_s=0.1)


# --- what can still change


def asking(*events: Event) -> tuple[Plan, Step, Memory]:
    """A question to a place at which nobody listens, after a run in which *events* happened."""
    asked = AnswerExpectation(
        name="books", target="shop", path="/", json={"lost": 0}, within_ms=60_000
    )
    base = plan()
    shop = Target(name="shop", url="http://127.0.0.1:9")
    made = replace(
        base,
        scenario=replace(base.scenario, expect=replace(base.scenario.expect, answers=(asked,))),
        environment=replace(base.environment, targets={"shop": shop}),
    )
    memory = Memory()
    for event in events:
        memory.see(event)
    return made, Step(id="x", verb="answer.ask", subject="books", lane="answer"), memory


def window(outcome: str) -> Event:
    cell = Cell(second=0, journey="a", name="a", outcome=outcome)
    data = tick_to_json(Tick(second=0, cells=(cell,)))
    return Event(kind="load.window", subject="0", data=data)


INJECTED = Event(kind="fault.inject", subject="late", phase=Phase.STARTED)


@pytest.mark.parametrize(
    ("events", "waits"),
    [
        ((), False),
        ((window("connection"), window("timeout"), window("unserved"), window("other")), False),
        ((window("connection"), window("ok")), True),
        ((window("http_5xx"),), True),
        ((window("connection"), INJECTED), True),
    ],
)
def test_who_never_answered_is_not_waited_for_unless_the_run_broke_something(
    monkeypatch: pytest.MonkeyPatch, events: tuple[Event, ...], waits: bool
) -> None:
    """A run that has to wait gives up by its time alone: here after a pause longer than that."""
    pauses: list[float] = []
    ends: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 10:
            ends.append(1e9)

    monkeypatch.setattr(answers_of_run, "ask_until_right", partial(ask_until_right, wait=pause))
    monkeypatch.setattr(answers, "time", SimpleNamespace(monotonic=lambda: sum(ends)))
    with pytest.raises(CannotSeeError, match="refused"):
        answers_of_run.ask_answer(*asking(*events))
    assert len(pauses) == (11 if waits else answers_of_run.DEAF_TRIES - 1)


def test_one_that_answers_wrong_is_asked_on(books: Books) -> None:
    """It may still be at work on what it was sent."""
    books.answers = [(503, "{}"), says(pending=1), *[(503, "{}")] * 5, says(pending=0)]
    found = ask_until_right(
        books.url, "/", {"pending": 0}, within_s=60, deaf_tries=2, wait=lambda _s: None
    )
    assert (found["right"], found["tries"]) == (True, 8)
