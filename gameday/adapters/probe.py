"""Our own look through a proxy, and the health of the proxy server itself.

A probe opens a fresh connection each time, so that it sees a fault from its first second on, and a
proxy that is down as refused. It is the proof that a fault bit, beside the byte counters.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gameday.model.event import Event
from gameday.model.project import Target
from gameday.ports import Emit

TIMEOUT_S = 2.0
HEALTH_PATH = "/gameday/health"
_TCP_LOOK_S = 0.1  # how long a `tcp` probe waits for the peer to close at once
_BODY_LIMIT = 1024 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[^\r]*close[ \t]*\r\n", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_PING = b"*1\r\n$4\r\nPING\r\n"


class BadAnswerError(Exception):
    """The peer answered, but not as its protocol has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One probe. `error` is refused, timeout, reset, closed, bad answer or unreachable.

    `sent_bytes` is what it asked with: what a proxy receives from it, and no traffic of the
    service.
    """

    ok: bool
    ms: float
    sent_bytes: int = 0
    error: str | None = None


class _Counted:
    """A connection that counts what is sent on it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.settimeout = connection.settimeout
        self.recv = connection.recv
        self.sent_bytes = 0

    def sendall(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        self._connection.sendall(data)


def probe_once(kind: str, host: str, port: int, *, timeout_s: float = TIMEOUT_S) -> Sample:
    """Look once: `http:/path`, `postgres`, `redis` or `tcp`. Ends within *timeout_s*."""
    began = connected = time.monotonic()
    deadline = began + timeout_s
    error: str | None = None
    sent = 0
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connected = time.monotonic()
            counted = _Counted(connection)
            try:
                _ask(kind, counted, f"{host}:{port}", deadline)
            finally:
                sent = counted.sent_bytes
    except (OSError, EOFError, BadAnswerError) as problem:
        error = _word_for(problem)
    # a `tcp` probe that found nothing wrong has waited for nothing: only the connect counts
    ended = connected if kind == "tcp" and error is None else time.monotonic()
    ms = round((ended - began) * 1000, 2)
    return Sample(ok=error is None, ms=ms, sent_bytes=sent, error=error)


def _ask(kind: str, connection: _Counted, host: str, deadline: float) -> None:
    if kind.startswith("http:"):
        _ask_http(connection, host, kind.removeprefix("http:") or "/", deadline)
    elif kind == "postgres":
        connection.sendall(_SSL_REQUEST)
        answer = _receive(connection, 1, deadline)
        if answer not in (b"S", b"N", b"E"):
            raise BadAnswerError
    elif kind == "redis":
        connection.sendall(_PING)
        if _receive(connection, 1, deadline) not in (b"+", b"-"):
            raise BadAnswerError
    else:
        connection.settimeout(min(_TCP_LOOK_S, max(0.001, deadline - time.monotonic())))
        try:
            if not connection.recv(1):
                raise EOFError
        except TimeoutError:
            return  # still open: that is all a `tcp` probe can say


def _ask_http(connection: _Counted, host: str, path: str, deadline: float) -> None:
    """One whole answer, to the close if the server announces one; a status below 500 is ok."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gameday-probe\r\n"
    connection.sendall(f"{request}Accept: */*\r\nConnection: close\r\n\r\n".encode())
    answer, ended = b"", False
    while not ended and len(answer) < _BODY_LIMIT and not _done(answer):
        part = _receive(connection, 65536, deadline)
        answer, ended = answer + part, not part
    if not answer or (ended and not _whole(answer)):
        raise EOFError
    status = _STATUS_LINE.match(answer)
    if status is None or int(status[1]) >= 500:
        raise BadAnswerError


def _done(answer: bytes) -> bool:
    """Whether nothing more can be expected: a slow close is part of the answer if announced."""
    head, found, _ = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    head += b"\r\n"
    framed = _LENGTH.search(head) or _CHUNKED.search(head)
    return bool(framed) and not _CLOSES.search(head) and _whole(answer)


def _whole(answer: bytes) -> bool:
    """Whether an answer has the length it announces; one that announces none ends at the close."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    head += b"\r\n"
    if _CHUNKED.search(head):
        return body.endswith(_LAST_CHUNK)
    length = _LENGTH.search(head)
    return length is None or len(body) >= int(length[1])


def _receive(connection: socket.socket | _Counted, size: int, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(size)


def _word_for(problem: BaseException) -> str:
    match problem:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError() | BrokenPipeError():
            return "reset"
        case EOFError():
            return "closed"
        case BadAnswerError():
            return "bad answer"
        case _:
            return "unreachable"


class _Every:
    """Calls something at a fixed interval from a thread of its own."""

    def __init__(self, name: str, interval_s: float, call: Callable[[Emit], None]) -> None:
        self._name, self._interval_s, self._call = name, interval_s, call
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, emit: Emit) -> None:
        """Begin. Returns at once."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name=self._name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End; waits for a call under way, at most a little longer than it may take."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + 0.5)

    def _run(self, emit: Emit) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._call(emit)
            due = max(due + self._interval_s, time.monotonic())
            self._stop.wait(due - time.monotonic())


class ProbeWatcher:
    """Emits `probe.sample` for one target, through *address* (`host:port` of its proxy)."""

    def __init__(
        self,
        target: Target,
        address: str,
        interval_ms: int = 500,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._target, self._timeout_s = target, timeout_s
        self._host, self._port = _host_port(address)
        self._every = _Every(f"probe-{target.name}", interval_ms / 1000, self._look)

    def start(self, emit: Emit) -> None:
        """Begin. Returns at once."""
        self._every.start(emit)

    def stop(self) -> None:
        """End, within the timeout of a probe. Idempotent."""
        self._every.stop()

    def _look(self, emit: Emit) -> None:
        kind = self._target.probe
        sample = probe_once(kind, self._host, self._port, timeout_s=self._timeout_s)
        data = {
            "ok": sample.ok,
            "ms": sample.ms,
            "sent_bytes": sample.sent_bytes,
            "error": sample.error,
            "kind": kind,
        }
        emit(Event(kind="probe.sample", subject=self._target.name, data=data))


class HealthWatcher:
    """Emits `proxy.health` each second, from whatever the server can tell of itself.

    The embedded server tells its loop lag and counts bytes at once. A real server started with
    `-proxy-metrics` counts the bytes of a connection when it closes, and tells no lag. One that
    tells nothing gives no events.
    """

    def __init__(self, url: str, interval_ms: int = 1000) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 8474
        self._every = _Every("proxy-health", interval_ms / 1000, self._look)

    def start(self, emit: Emit) -> None:
        """Begin. Returns at once."""
        self._every.start(emit)

    def stop(self) -> None:
        """End, within a second or two. Idempotent."""
        self._every.stop()

    def _look(self, emit: Emit) -> None:
        data = self.read()
        if data is not None:
            emit(Event(kind="proxy.health", subject="toxiproxy", data=data))

    def read(self) -> Mapping[str, Any] | None:
        """Look once; None if the server tells nothing, or does not answer."""
        health = _get(self._host, self._port, HEALTH_PATH)
        if health is not None:
            return _health_of(health)
        metrics = _get(self._host, self._port, "/metrics")
        return None if metrics is None else _counters_of(metrics.decode("utf-8", "replace"))


_SERIES = re.compile(r"toxiproxy_proxy_(received|sent)_bytes_total\{([^}]*)\} ([0-9.e+]+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def _counters_of(text: str) -> Mapping[str, Any]:
    proxies: dict[str, dict[str, int]] = {}
    for way, labels, value in _SERIES.findall(text):
        found = dict(_LABEL.findall(labels))
        name = found.get("proxy", "")
        counts = proxies.setdefault(
            name, {"received_bytes": 0, "sent_bytes": 0, "from_clients_bytes": 0}
        )
        counts[f"{way}_bytes"] += round(float(value))
        if way == "received" and found.get("direction") == "upstream":
            counts["from_clients_bytes"] += round(float(value))
    return {"proxies": proxies}


def _health_of(raw: bytes) -> Mapping[str, Any] | None:
    try:
        health = json.loads(raw)
        lag = health["loop_lag_ms"]["last_10s"]
        proxies = {
            name: {
                "accepted": proxy["accepted"],
                "received_bytes": sum(way["received"] for way in proxy["bytes"].values()),
                "sent_bytes": sum(way["sent"] for way in proxy["bytes"].values()),
                "from_clients_bytes": proxy["bytes"]["upstream"]["received"],
                **({"http": proxy["http"]} if proxy.get("http") else {}),
            }
            for name, proxy in health["proxies"].items()
            if not name.startswith("gameday-")  # notes, not proxies
        }
        return {
            "lag_p50_ms": lag["p50"],
            "lag_p99_ms": lag["p99"],
            "lag_max_ms": lag["max"],
            "cpu_s": health.get("cpu_s"),
            "connections": health.get("connections"),
            "proxies": proxies,
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _get(host: str, port: int, path: str) -> bytes | None:
    """The body of a 200 answer, or None. Bounded in time and size."""
    deadline = time.monotonic() + TIMEOUT_S
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            # HTTP/1.0: the answer is plain and ends with the connection
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            while len(answer) < _BODY_LIMIT and (part := _receive(connection, 65536, deadline)):
                answer += part
    except OSError:
        return None
    head, found, body = answer.partition(b"\r\n\r\n")
    status = _STATUS_LINE.match(head)
    if not found or status is None or int(status[1]) != 200:
        return None
    return body


def _host_port(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; a listener on all interfaces is looked at on loopback."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host in ("", "0.0.0.0"):  # noqa: S104 - comparing, not binding
        host = "127.0.0.1"
    return ("::1" if host == "::" else host), int(port)
