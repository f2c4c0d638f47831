"""A service is asked until its answer is right: over real HTTP, and nothing but GET."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gameday.adapters.generic.answers import ask_until_right
from gameday.errors import CannotSeeError


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
