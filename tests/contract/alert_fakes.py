"""Stateful fakes of alert servers, on loopback: what they answer can be changed while they run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from gameday.model.event import Event

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], within_s: float = 120.0) -> T:
    """The first true answer of *look*; fails after *within_s*."""
    deadline = time.monotonic() + within_s
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(0.01)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(at_ms: float) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Events:
    """What was emitted."""

    all: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.all.append(event)

    def of(self, kind: str, **data: Any) -> list[Event]:
        return [
            e
            for e in list(self.all)
            if e.kind == kind and all(e.data.get(k) == v for k, v in data.items())
        ]


_BROKEN = b'{"status":"error","error":"it is broken"}'
_FAIL: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "401": (401, _BROKEN, {}),
    "500": (500, _BROKEN, {}),
    "302": (302, _BROKEN, {"Location": "http://203.0.113.1/"}),
    "null": (200, b"null", {}),
    "html": (200, b"<html>sign in</html>", {}),
    "wrong": (200, b'{"status":"success","data":[1]}', {}),
    "cut": (200, b'{"status"', {"Content-Length": "1000"}),
    "deep": (200, b"[" * 200_000, {}),
}


class Fake:
    """A server with routes (path -> value or function of the query) and a way to fail."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {}
        self.mode = ""  # "", "hang", "drip", or a key of `_FAIL`
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.headers: list[dict[str, str]] = []
        self.posted: list[tuple[str, Any]] = []
        self.released = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                owner.headers.append(dict(self.headers))
                owner.answer(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.posted.append((self.path, json.loads(body)))
                owner.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        self.asked.append((parts.path, query))
        if self.mode == "drip":
            self.drip(handler)
            return
        if self.mode == "hang":
            self.released.wait(10)
        status, body, more = (
            _FAIL[self.mode] if self.mode in _FAIL else self.found(parts.path, query)
        )
        handler.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | more).items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body)

    def found(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        value = self.routes.get(path)
        value = value(query) if callable(value) else value
        if value is None:
            return 404, b"not found", {}
        if isinstance(value, tuple):
            return value
        return 200, value if isinstance(value, bytes) else json.dumps(value).encode(), {}

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not self.released.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(2)


class FakePrometheus(Fake):
    """Answers as Prometheus 2.42 did, with a clock of its own and alerts that can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.skew_ms = 0
        self.alerts: list[dict[str, Any]] = []
        self.matrix: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.query_of_rule = "x > 1"
        self.series: set[str] = set()  # selectors that have samples
        self.broken_series: set[str] = set()  # selectors that cannot be asked for
        self.started_ms: float = wall_ms() - 3_600_000
        self.last_evaluation_ms: float | None = None  # None: just now
        self.scrapes: Callable[[float], bool] = lambda at_s: True
        self.has_targets = True
        self.routes = {
            "/api/v1/alerts": lambda q: _ok({"alerts": self.alerts}),
            "/api/v1/rules": lambda q: _ok({"groups": [self.group()]}),
            "/api/v1/query": self.query,
            "/api/v1/query_range": self.query_range,
            "/api/v1/targets": lambda q: _ok({"activeTargets": self.targets()}),
            "/api/v1/status/runtimeinfo": lambda q: _ok(
                {"startTime": rfc3339(self.started_ms + self.skew_ms)}
            ),
            "/api/v1/status/buildinfo": _ok({"version": "2.42.0"}),
        }

    def now_ms(self) -> float:
        return wall_ms() + self.skew_ms

    def targets(self) -> list[dict[str, Any]]:
        return [{"scrapeInterval": "1s", "health": "up"}] if self.has_targets else []

    def group(self) -> dict[str, Any]:
        last = self.now_ms() - 300 if self.last_evaluation_ms is None else self.last_evaluation_ms
        rule = {
            "type": "alerting",
            "name": "A",
            "query": self.query_of_rule,
            "duration": 3,
            "labels": {"severity": "page"},
            "annotations": {"runbook_url": "runbooks/a.md"},
            "health": "ok",
            "lastEvaluation": rfc3339(last) if last else "0001-01-01T00:00:00Z",
            "alerts": [],
        }
        record = {"type": "recording", "name": "r", "query": "y"}
        return {"name": "g", "interval": 1, "rules": [record, rule]}

    def query(self, q: dict[str, list[str]]) -> Any:
        if q["query"] == ["time()"]:
            now = self.now_ms() / 1000
            return _ok({"resultType": "scalar", "result": [now, f"{now:.3f}"]})
        if q["query"][0].startswith("count(count_over_time("):
            selector = q["query"][0].removeprefix("count(count_over_time(").partition("[")[0]
            if selector in self.broken_series:
                return _FAIL["500"]
            found = [{"metric": {}, "value": [0, "1"]}] if selector in self.series else []
            return _ok({"resultType": "vector", "result": found})
        more = {"warnings": self.warnings} if self.warnings else {}
        return _ok({"resultType": "matrix", "result": self.matrix}) | more

    def query_range(self, q: dict[str, list[str]]) -> Any:
        start, end, step = (float(q[k][0]) for k in ("start", "end", "step"))
        values, at, newest = [], start, None
        while at <= end:
            newest = at - 0.1 if self.scrapes(at - self.skew_ms / 1000) else newest
            if newest is not None:
                values.append([at, f"{newest:.3f}"])
            at += step
        result = [{"metric": {}, "values": values}] if values else []
        return _ok({"resultType": "matrix", "result": result})


def _ok(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


class FakeAlertmanager(Fake):
    """Answers as Alertmanager 0.25 did."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[dict[str, Any]] = []
        self.silences: list[dict[str, Any]] = []
        self.started_ms: float = wall_ms() - 3_600_000
        self.routes = {
            "/api/v2/silences": lambda q: (200, json.dumps(self.silences).encode(), {}),
            "/api/v2/alerts": lambda q: (200, json.dumps(self.alerts).encode(), {}),
            "/api/v2/status": lambda q: {
                "uptime": rfc3339(self.started_ms),
                "versionInfo": {"version": "0.25.0"},
                "config": {"original": ""},
            },
            "/api/v2/receivers": lambda q: (200, b'[{"name":"pager"},{"name":"tap"}]', {}),
        }
