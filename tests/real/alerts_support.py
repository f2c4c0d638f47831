"""A target with a fault to switch, a real Prometheus and a real Alertmanager, all on loopback."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from ports_support import free_port

from gameday.model.event import Event

WITHIN_S = 20.0
T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], within_s: float = WITHIN_S) -> T:
    """The first true answer of *look*; fails after *within_s*."""
    deadline = time.monotonic() + within_s
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(0.02)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Events:
    """What was emitted."""

    all: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.all.append(event)

    def of(self, kind: str, subject: str | None = None, **data: Any) -> list[Event]:
        return [
            e
            for e in list(self.all)
            if e.kind == kind
            and subject in (None, e.subject)
            and all(e.data.get(k) == v for k, v in data.items())
        ]


class MetricPage:
    """A server of one page, that of `page`."""

    def __init__(self) -> None:
        owner = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = owner.page().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def page(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(2)


class Target(MetricPage):
    """A metric page: requests at 200/s by wall time, a share of them bad when told so."""

    def __init__(self) -> None:
        self.bad_share = 0.0
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._good = self._bad = 0.0
        super().__init__()

    def page(self) -> str:
        with self._lock:
            now = time.monotonic()
            n = 200 * (now - self._last)
            self._last = now
            self._bad += n * self.bad_share
            self._good += n * (1 - self.bad_share)
            return (
                "# TYPE http_requests_total counter\n"
                f'http_requests_total{{service="checkout",code="200"}} {self._good}\n'
                f'http_requests_total{{service="checkout",code="500"}} {self._bad}\n'
            )

    def fault(self, share: float) -> None:
        self.page()
        self.bad_share = share


class ManyAtOnce(ThreadingHTTPServer):
    """One that does not turn away a hundred connections at the same moment."""

    request_queue_size = 256


class Listener:
    """An independent webhook listener: a stamp for each POST, nothing else in common with ours."""

    def __init__(self) -> None:
        self.posts: list[tuple[int, dict[str, Any]]] = []
        owner = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = wall_ms()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.posts.append((at, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ManyAtOnce(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stamps(self, alert: str, status: str) -> list[int]:
        return [
            at
            for at, body in list(self.posts)
            for one in body["alerts"]
            if one["labels"]["alertname"] == alert and one["status"] == status
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(2)


@dataclass(slots=True)
class Process:
    """A real server; dies with the test."""

    argv: list[str]
    url: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            # Should the test itself be killed, its servers go with it.
            leash = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
            self.process = subprocess.Popen(
                [*leash, *self.argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until(f"{self.argv[0]} is ready", self._ready)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return get(f"{self.url}/-/ready", as_json=False) is not None
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
            self.process = None


def prometheus_in(folder: Path, program: str, port: int, *more: str) -> Process:
    """One whose configuration lies in *folder*, where its data go too; not started yet."""
    argv = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *more,
    ]
    return Process(argv, f"http://127.0.0.1:{port}", folder / "prometheus.log")


def alertmanager_in(folder: Path, program: str, port: int) -> Process:
    """The same of an Alertmanager."""
    argv = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return Process(argv, f"http://127.0.0.1:{port}", folder / "alertmanager.log")


def get(url: str, *, as_json: bool = True) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body = answer.read()
    return json.loads(body) if as_json else body


def post(url: str, value: Any) -> Any:
    body = json.dumps(value).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


RULES = """
groups:
- name: gameday
  rules:
  - record: "service:error_ratio:rate3s"
    expr: |
      sum by (service)(rate(http_requests_total{code="500"}[3s]))
      / sum by (service)(rate(http_requests_total[3s]))
  - alert: HighErrorRate
    expr: "service:error_ratio:rate3s > 0.05"
    for: 2s
    labels: {severity: page}
    annotations:
      summary: "{{ $labels.service }} is failing"
      runbook_url: "runbooks/HighErrorRate.md"
  - alert: ErrorsElevated
    expr: "service:error_ratio:rate3s > 0.05"
    labels: {severity: warning}
  - alert: ErrorsTicket
    expr: "service:error_ratio:rate3s > 0.05"
    labels: {severity: ticket}
  - alert: ErrorsAtNight
    expr: "service:error_ratio:rate3s > 0.05"
    labels: {severity: night}
  - alert: NeverLong
    expr: "service:error_ratio:rate3s > 0.05"
    for: 10m
"""


class Stack:
    """Target, Prometheus and Alertmanager; the latter posts to every one of *hooks*."""

    def __init__(self, folder: Path, prometheus: str, alertmanager: str, hooks: list[str]) -> None:
        self.target = Target()
        target = self.target.server.server_address[1]
        prom_port, am_port = free_port(), free_port()
        (folder / "rules.yml").write_text(RULES)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s,"
            " external_labels: {env: test}}\n"
            "alerting: {alertmanagers: [{static_configs:"
            f' [{{targets: ["127.0.0.1:{am_port}"]}}]}}]}}\n'
            "rule_files: [rules.yml]\n"
            "scrape_configs: [{job_name: target, static_configs:"
            f' [{{targets: ["127.0.0.1:{target}"]}}]}}]\n'
        )
        webhooks = ", ".join(f'{{url: "{url}", send_resolved: true}}' for url in hooks)
        (folder / "alertmanager.yml").write_text(
            "route: {receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1s,"
            " repeat_interval: 1h, routes: [{matchers: [alertname=ErrorsAtNight],"
            " mute_time_intervals: [any-time]}]}\n"
            "time_intervals:"
            " [{name: any-time, time_intervals: [{weekdays: ['sunday:saturday']}]}]\n"
            f"receivers: [{{name: pager, webhook_configs: [{webhooks}]}}]\n"
            "inhibit_rules: [{source_matchers: [alertname=HighErrorRate],"
            " target_matchers: [alertname=ErrorsElevated], equal: [service]}]\n"
        )
        self.prometheus = prometheus_in(folder, prometheus, prom_port)
        self.alertmanager = alertmanager_in(folder, alertmanager, am_port)

    def start(self) -> None:
        self.alertmanager.start()
        self.prometheus.start()
        until("two rates", lambda: len(self.values("service:error_ratio:rate3s")) > 0)

    def values(self, query: str) -> list[Any]:
        url = f"{self.prometheus.url}/api/v1/query?query={urllib.request.quote(query)}"
        try:
            found: list[Any] = get(url)["data"]["result"]
        except (OSError, urllib.error.URLError):
            return []
        return found

    def close(self) -> None:
        self.prometheus.kill()
        self.alertmanager.kill()
        self.target.close()
