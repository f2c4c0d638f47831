"""Asking stop signals of servers that answer, refuse, hang, drip, flap and redirect."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alert_fakes import Events, until
from ports_support import free_port

from gameday.adapters.signals import (
    MAX_HANGING,
    SignalSample,
    SignalWatcher,
    ask,
    judged,
    values_of,
)
from gameday.engine.stop import StopConditions
from gameday.errors import CannotSeeError, RefusedError
from gameday.model.event import Event
from gameday.model.scenario import StopSignal

#: Far more than any question may take here, far less than a test that hangs.
SOON_S = 10.0


class Server:
    """Does with each connection what `mode` says: a status, `hang`, `drip` or `close`."""

    def __init__(self) -> None:
        self.mode: str | int = 200
        self.body = b"{}"
        self.headers = ""
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            request = connection.recv(65536)
            self.asked.append(request.split(b"\r\n", 1)[0].decode())
            if self.mode == "hang":
                return
            if self.mode == "drip":
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not self._ended.wait(0.05):
                    connection.sendall(b"X-Drip: 1\r\n")
            elif self.mode != "close":
                head = f"HTTP/1.1 {self.mode} X\r\nContent-Length: {len(self.body)}\r\n"
                connection.sendall(f"{head}{self.headers}Connection: close\r\n\r\n".encode())
                connection.sendall(self.body)
            connection.close()
        except OSError:
            connection.close()

    def close(self) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def http(url: str, **more: Any) -> StopSignal:
    return StopSignal(kind="http", url=url, **{"text": f"GET {url}", "every_ms": 50, **more})


def promql(query: str = "up", **more: Any) -> StopSignal:
    usual = {"text": f"{query} > 1", "limit": 1.0, "every_ms": 50}
    return StopSignal(kind="promql", query=query, **{**usual, **more})


def vector(*values: str) -> dict[str, Any]:
    rows = [{"metric": {"i": str(i)}, "value": [1.0, v]} for i, v in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


@pytest.mark.parametrize(
    ("mode", "bad"), [(200, False), (204, False), (302, False), (404, True), (503, True)]
)
def test_an_endpoint_is_bad_from_status_400_on(server: Server, mode: int, bad: bool) -> None:
    server.mode, server.body = mode, b""

    found = ask(http(f"{server.url}/health/?full=1"))

    assert (found.ok, found.bad, found.value, found.error) == (True, bad, mode, None)
    assert server.asked == ["GET /health/?full=1 HTTP/1.1"], "asked as written"


def test_a_redirect_is_not_followed(server: Server) -> None:
    other = Server()
    try:
        server.mode, server.headers = 302, f"Location: {other.url}/elsewhere\r\n"

        assert ask(http(server.url)).value == 302
        assert other.asked == []
    finally:
        other.close()


@pytest.mark.parametrize("mode", ["hang", "drip", "close"])
def test_an_endpoint_that_does_not_answer_is_bad_in_time(server: Server, mode: str) -> None:
    server.mode = mode

    began = time.monotonic()
    found = ask(http(f"{server.url}/secret?token=hunter2"), timeout_s=0.5)

    assert (found.ok, found.bad, found.value) == (False, True, None)
    assert found.error
    assert "hunter2" not in found.error
    assert time.monotonic() - began < SOON_S


def test_an_endpoint_that_refuses_is_bad() -> None:
    found = ask(http(f"http://127.0.0.1:{free_port()}/health"))

    assert (found.ok, found.bad) == (False, True)
    assert "refused" in (found.error or "")


@pytest.mark.parametrize("mode", ["hang", "drip", "close", 500, 200])
def test_a_query_that_is_not_answered_is_neither_good_nor_bad(
    server: Server, mode: str | int
) -> None:
    server.mode, server.body = mode, b"not json"

    found = ask(promql(), prometheus_url=server.url, timeout_s=0.5)

    assert (found.ok, found.bad, found.value) == (False, False, None)
    assert found.error


@pytest.mark.parametrize(
    ("op", "values", "expected"),
    [
        (">", ("0.5",), (0.5, False)),
        (">", ("1",), (1.0, False)),
        (">", ("0.5", "3", "2"), (3.0, True)),
        ("<", ("5", "3"), (3.0, False)),
        ("<", ("5", "0.5"), (0.5, True)),
        (">", ("NaN", "7"), (7.0, True)),
        (">", ("NaN", "0"), "NaN"),
        (">", ("NaN",), "NaN"),
        (">", (), "no data"),
        ("<", (), "no data"),
        (">", ("+Inf",), (math.inf, True)),
        ("<", ("-Inf",), (-math.inf, True)),
        (">=", ("1",), (1.0, True)),
    ],
)
def test_values(op: str, values: tuple[str, ...], expected: Any) -> None:
    signal = promql(op=op)
    found = values_of(vector(*values))
    if isinstance(expected, str):
        with pytest.raises(CannotSeeError, match=expected):
            judged(signal, found)
    else:
        assert judged(signal, found) == expected


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"data": 7},
        {"data": {"resultType": "matrix", "result": []}},
        {"data": {"resultType": "string", "result": [1, "a"]}},
        {"data": {"resultType": "vector", "result": [{"metric": {}}]}},
        {"data": {"resultType": "vector", "result": [{"value": [1, "x"]}]}},
        {"data": {"resultType": "vector", "result": 3}},
        {"data": {"resultType": "scalar"}},
    ],
)
def test_what_is_no_answer_of_an_instant_query_cannot_be_read(raw: Any) -> None:
    with pytest.raises(CannotSeeError):
        values_of(raw)


def test_a_scalar_is_one_value() -> None:
    assert values_of({"data": {"resultType": "scalar", "result": [1.0, "2.5"]}}) == (2.5,)


def test_the_query_is_sent_as_written(server: Server) -> None:
    server.body = json.dumps(vector("4")).encode()

    found = ask(promql('sum(rate(x{a="b"}[1m]))'), prometheus_url=f"{server.url}/prom/")

    assert (found.ok, found.bad, found.value) == (True, True, 4.0)
    (line,) = server.asked
    assert line.startswith("GET /prom/api/v1/query?query=sum%28rate%28x%7Ba%3D%22b%22%7D")


def test_a_query_without_a_prometheus_is_refused_and_alerts_need_no_watcher() -> None:
    with pytest.raises(RefusedError, match="names none"):
        SignalWatcher([promql()])
    events = Events()
    watcher = SignalWatcher([StopSignal(text="a", kind="alert", name="A")])
    watcher.start(events)
    watcher.stop()
    assert events.all == []


def test_a_server_that_flaps_is_seen_each_time_and_one_that_hangs_delays_no_other(
    server: Server,
) -> None:
    other = Server()
    other.mode = "drip"
    events = Events()
    flapping, dripping = http(server.url), http(other.url, text="dripping")
    watcher = SignalWatcher([dripping, flapping], timeout_s=0.3)
    watcher.start(events)
    watcher.start(events)
    try:
        for mode, bad in ((200, False), (500, True), (200, False), ("close", True)):
            server.mode = mode
            seen = len(events.all)
            until(
                f"{mode}",
                lambda bad=bad, seen=seen: [
                    e
                    for e in list(events.all)[seen:]
                    if e.subject == flapping.text and e.data["bad"] is bad
                ],
                SOON_S,
            )
        slow = until(
            "more questions than may hang",
            lambda: (found := of(events, "dripping"))[MAX_HANGING + 1 :] and found,
            SOON_S,
        )
        assert all((e.data["ok"], e.data["bad"]) == (False, True) for e in slow)
        assert any("earlier questions still hang" in e.data["error"] for e in slow)
        assert len(other.asked) <= MAX_HANGING, "hanging threads are bounded"
    finally:
        began = time.monotonic()
        watcher.stop()
        watcher.stop()
        other.close()
    assert time.monotonic() - began < SOON_S
    assert not any(t.name == "gameday-signal" for t in threading.enumerate())


def test_a_watcher_that_is_stopped_while_a_question_hangs_says_nothing_more(
    server: Server,
) -> None:
    server.mode = "hang"
    events = Events()
    watcher = SignalWatcher([http(server.url)], timeout_s=1.5)
    watcher.start(events)
    until("asked", lambda: server.asked, SOON_S)

    watcher.stop()

    until(
        "its thread has ended",
        lambda: not any(t.name == "gameday-signal" for t in threading.enumerate()),
        SOON_S,
    )
    assert events.all == []


def test_what_is_emitted_trips_the_stop_condition(server: Server) -> None:
    """Watcher and fold together: a hanging endpoint stops the run, a healthy one does not."""
    signal = replace(http(server.url), for_ms=1_200)
    stop = StopConditions([], overdue_ms=1_000, lenient=False, signals=[signal])
    answers: list[Event] = []
    began = time.monotonic()

    def emit(event: Event) -> None:
        at_ms = round((time.monotonic() - began) * 1000)
        answers.extend(stop.see(replace(event, at_ms=at_ms)))

    watcher = SignalWatcher([signal], timeout_s=1.0)
    watcher.start(emit)
    try:
        until("asked often", lambda: len(server.asked) > 10, SOON_S)
        assert answers == []
        server.mode = "hang"
        (tripped,) = until("stopped", lambda: answers, SOON_S)
    finally:
        watcher.stop()
    assert (tripped.subject, tripped.data["status"]) == (signal.text, "stopped")
    assert "no answer within" in tripped.data["reason"]


def test_a_bug_in_asking_is_never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("gameday.adapters.signals.Http", broken)

    found = ask(promql(), prometheus_url="http://127.0.0.1:1")

    assert found == SignalSample(
        ok=False, bad=False, ms=found.ms, error="gameday could not ask: ZeroDivisionError: "
    )


def of(events: Events, subject: str) -> list[Event]:
    return [e for e in list(events.all) if e.subject == subject]
