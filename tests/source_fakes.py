"""Stateful fakes of the vendors' alert APIs, on loopback, as their public documentation says.

One alert goes through its states with times of its own; each fake shows it in its vendor's words,
with paging, credentials that are checked, rate limits, and a clock that may be off.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(at_ms: int | None, *, digits: str = "seconds", zone: str = "Z") -> str | None:
    if at_ms is None:
        return None
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec=digits)
    return text.replace("+00:00", zone)


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@dataclass
class Alert:
    """One alert, with the times of its states on the clock of the fake."""

    name: str = "BackSlow"
    labels: dict[str, str] = field(default_factory=lambda: {"severity": "page", "service": "front"})
    annotations: dict[str, str] = field(default_factory=dict)
    id: str = "A1"
    pending_ms: int | None = None
    firing_ms: int | None = None
    acknowledged_ms: int | None = None
    ended_ms: int | None = None

    @property
    def state(self) -> str:
        if self.ended_ms is not None:
            return "ended"
        if self.firing_ms is not None:
            return "acknowledged" if self.acknowledged_ms is not None else "firing"
        return "pending" if self.pending_ms is not None else "inactive"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]


class RefusedError(Exception):
    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, dict(headers or {})


class FakeVendor:
    """A server of one vendor: subclasses answer `respond` and check `admit`."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.asked: list[Asked] = []
        self.skew_ms = 0
        self.limited = 0  # so many of the next requests are told to come back later
        self.retry_after: str | None = "1"
        self.down: tuple[int, Any] | None = None
        self.hang = False
        self.released = threading.Event()
        self.page_size: int | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.handle(self)

            def do_POST(self) -> None:
                owner.handle(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate((now_ms() + owner.skew_ms) / 1000, usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clock_ms(self) -> int:
        return now_ms() + self.skew_ms

    def add(self, **more: Any) -> Alert:
        alert = Alert(**more)
        self.alerts.append(alert)
        return alert

    def fire(self, **more: Any) -> Alert:
        return self.add(firing_ms=more.pop("at_ms", None) or self.clock_ms(), **more)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        asked = Asked(
            method=handler.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={k.lower(): v for k, v in handler.headers.items()},
            raw=handler.rfile.read(length),
        )
        self.asked.append(asked)
        if self.hang:
            self.released.wait(30)
        try:
            status, body, headers = 200, self._answer(asked), self.headers()
        except RefusedError as no:
            status, body, headers = no.status, no.body, no.headers
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {
            "Content-Type": self.content_type(), "Content-Length": str(len(raw)), **headers,
        }.items():  # fmt: skip
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    def content_type(self) -> str:
        return "application/json"

    def headers(self) -> dict[str, str]:
        """Headers of every right answer."""
        return {}

    def _answer(self, asked: Asked) -> Any:
        if self.limited > 0:
            self.limited -= 1
            more = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            raise RefusedError(429, {"error": {"message": "Rate Limit Exceeded"}}, more)
        if self.down is not None:
            raise RefusedError(*self.down)
        self.admit(asked)
        return self.respond(asked)

    def admit(self, asked: Asked) -> None:
        raise NotImplementedError

    def respond(self, asked: Asked) -> Any:
        raise NotImplementedError

    def begun(self, since_ms: int, until_ms: int) -> list[Alert]:
        """Alerts that began to fire in that time."""
        return [
            a
            for a in self.alerts
            if a.firing_ms is not None and since_ms <= a.firing_ms <= until_ms
        ]


class FakeGrafana(FakeVendor):
    """Grafana alerting: the rules with their alerts, in the shape of Prometheus' API."""

    token = "glsa_right"
    health = "ok"

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise RefusedError(401, {"message": "Invalid API key", "statusCode": 401})

    def respond(self, asked: Asked) -> Any:
        if asked.path != "/api/prometheus/grafana/api/v1/rules":
            raise RefusedError(404, {"message": "Not found"})
        names = dict.fromkeys([a.name for a in self.alerts] or ["BackSlow"])
        rules = [self._rule(name) for name in names]
        group = {"name": "g", "file": "folder", "interval": 10, "rules": rules}
        return {"status": "success", "data": {"groups": [group]}}

    def _rule(self, name: str) -> dict[str, Any]:
        own = [a for a in self.alerts if a.name == name]
        firing = any(a.state in ("firing", "acknowledged") for a in own)
        return {
            "state": "firing" if firing else "inactive",
            "name": name,
            "query": "x > 1",
            "duration": 10,
            "labels": {"severity": "page"},
            "annotations": {"runbook_url": "runbooks/back.md"},
            "health": self.health,
            "lastError": "" if self.health == "ok" else "no such data source",
            "type": "alerting",
            "lastEvaluation": iso(self.clock_ms()),
            "alerts": [self._alert(a) for a in own if a.state != "inactive"],
        }

    def _alert(self, a: Alert) -> dict[str, Any]:
        state, since = {
            "pending": ("Pending", a.pending_ms),
            "firing": ("Alerting", a.firing_ms),
            "acknowledged": ("Alerting", a.firing_ms),
            "ended": ("Normal", a.ended_ms),
        }[a.state]
        return {
            "labels": {"alertname": a.name, "grafana_folder": "folder", **a.labels},
            "annotations": a.annotations,
            "state": state,
            "activeAt": iso(since, digits="milliseconds"),
            "value": "1e+00",
        }


class FakePagerDuty(FakeVendor):
    """PagerDuty REST v2: incidents in a window, by offset; acknowledgements go when it resolves."""

    token = "pd_right"
    statuses: ClassVar = {
        "firing": "triggered",
        "acknowledged": "acknowledged",
        "ended": "resolved",
    }

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Token token={self.token}":
            raise RefusedError(401, {"error": {"message": "Unauthorized", "code": 2006}})
        if "application/vnd.pagerduty+json;version=2" not in asked.headers.get("accept", ""):
            raise RefusedError(400, {"error": {"message": "Invalid Accept Header", "code": 2000}})

    def respond(self, asked: Asked) -> Any:
        if asked.path != "/incidents":
            raise RefusedError(404, {"error": {"message": "Not Found", "code": 2100}})
        wanted = asked.query.get("statuses[]", ["triggered", "acknowledged"])
        if set(wanted) - set(self.statuses.values()):
            raise RefusedError(400, {"error": {"message": "Invalid Input Provided", "code": 2001}})
        now = self.clock_ms()
        since = ms_of(asked.one("since")) if asked.one("since") else now - 30 * 86_400_000
        until = ms_of(asked.one("until")) if asked.one("until") else now
        if until - since > 183 * 86_400_000:
            raise RefusedError(400, {"error": {"message": "Time range too large", "code": 2001}})
        limit = min(int(asked.one("limit", "25")), 100)
        offset = int(asked.one("offset", "0"))
        if limit + offset > 10_000:
            raise RefusedError(400, {"error": {"message": "Offset is too large", "code": 2001}})
        found = [a for a in self.begun(since, until) if self.statuses[a.state] in wanted]
        found.sort(key=lambda a: a.firing_ms or 0)
        page = found[offset : offset + limit]
        return {
            "incidents": [self._incident(a) for a in page],
            "limit": limit,
            "offset": offset,
            "total": None,
            "more": offset + limit < len(found),
        }

    def _incident(self, a: Alert) -> dict[str, Any]:
        acks = [
            {"at": iso(a.acknowledged_ms), "acknowledger": {"id": "U1", "type": "user_reference"}}
        ]
        return {
            "id": a.id,
            "type": "incident",
            "incident_number": 1234,
            "title": f"[FIRING:1] {a.name} ({' '.join(a.labels.values())})",
            "status": self.statuses[a.state],
            "created_at": iso(a.firing_ms),
            "updated_at": iso(a.ended_ms or a.acknowledged_ms or a.firing_ms),
            "resolved_at": iso(a.ended_ms),
            "last_status_change_at": iso(a.ended_ms or a.acknowledged_ms or a.firing_ms),
            "acknowledgements": acks if a.state == "acknowledged" else [],
            "service": {
                "id": "PS", "type": "service_reference", "summary": a.labels.get("service", "")
            },
            "urgency": "high",
            "html_url": f"https://example.pagerduty.com/incidents/{a.id}",
        }  # fmt: skip


def names(episodes: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(one["alert"]) for one in episodes]
