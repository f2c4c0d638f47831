"""A Prometheus and an Alertmanager with a rule for each verdict, and the time of the fault in them.

The fault's moment is chosen when the servers are at work, and the rules are loaded then: some of
them have to be true just before it.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from alerts_support import (
    Target,
    alertmanager_in,
    get,
    post,
    prometheus_in,
    until,
    wall_ms,
)
from ports_support import free_port

from gameday.adapters.alertmanager import AlertmanagerSource
from gameday.adapters.prometheus import PrometheusSource
from gameday.adapters.receiver import Receiver
from gameday.errors import CannotSeeError
from gameday.model.event import Event

FAILING = "service:error_ratio:rate3s > 0.05"
RECORD = {
    "record": "service:error_ratio:rate3s",
    "expr": 'sum by (service)(rate(http_requests_total{code="500"}[3s]))'
    " / sum by (service)(rate(http_requests_total[3s]))",
}
#: From loading the rules to the fault, and how early they have to be in place.
BEFORE_S = 7
IN_PLACE_S = 5


def rules(fault_s: int) -> list[dict[str, Any]]:
    """A rule for each verdict; *fault_s* is when the fault will be put in, seconds since 1970."""
    now = "vector(time())"

    def rule(alert: str, expr: str = FAILING, hold: str = "1s", **labels: str) -> dict[str, Any]:
        return {"alert": alert, "expr": expr, "for": hold, "labels": {"severity": "page", **labels}}

    return [
        RECORD,
        rule("Caught") | {"annotations": {"runbook_url": "runbooks/caught.md"}},
        rule("Silenced"),
        rule("Inhibited"),
        rule("Maintenance", "vector(1)", "0s", kind="watch"),
        rule("DeadLink") | {"annotations": {"runbook_url": "runbooks/gone.md"}},
        rule("Muted", team="nights"),
        rule("NotMuted", team="days"),
        rule("WrongRoute", team="chat"),
        rule("ReceiverDown", team="dead"),
        rule("TooEarly", f"{now} > {fault_s - 3}", "5s"),
        rule("AlreadyFiring", f"{now} > {fault_s - 4}", "0s"),
        rule("Late", hold="8s"),
        rule("OtherService"),
        rule("Ticket") | {"labels": {"severity": "ticket"}},
        rule("NeverTrue", "service:error_ratio:rate3s > 2"),
        rule("LongFor", hold="10m"),
        rule("NoSeries", "no_such_requests_total > 0"),
        rule("Broken", "http_requests_total + on() http_requests_total > 0"),
        rule("Flapping", f"{FAILING} and on() ({now} % 6 < 3)", "0s"),
        rule("Stuck") | {"keep_firing_for": "10m"},
        rule("Noise", kind="noise"),
        rule("SideEffect", kind="known"),
        rule("Forbidden", kind="quiet"),
    ]


class VerdictStack:
    """All servers, what watches them, and a clock that counts from `origin_ms`."""

    def __init__(self, folder: Path, programs: tuple[str, str], fault_at_s: int) -> None:
        """*programs*: prometheus, alertmanager; the fault is due at run second *fault_at_s*."""
        self.target = Target()
        self.receiver = Receiver(evidence_dir=folder)
        self.receiver.open()
        self.events: list[tuple[int, Event]] = []
        ports = {name: free_port() for name in ("prometheus", "alertmanager", "dead")}
        self.folder = folder
        self.fault_at_s = fault_at_s
        self.origin_ms = 0
        self._write(ports)
        # after a reload it does not know its Alertmanager for a while: send again soon
        more = ("--web.enable-lifecycle", "--rules.alert.resend-delay=1s")
        self.prometheus = prometheus_in(folder, programs[0], ports["prometheus"], *more)
        self.alertmanager = alertmanager_in(folder, programs[1], ports["alertmanager"])
        names = [str(r["alert"]) for r in rules(0) if "alert" in r]
        self.sources = {
            "prometheus": PrometheusSource(self.prometheus.url, poll_ms=250, expected=names),
            "alertmanager": AlertmanagerSource(self.alertmanager.url, poll_ms=250),
        }

    def start(self) -> str:
        """Start everything, silence `Silenced`, and watch. Returns the id of the silence."""
        self.alertmanager.start()
        self.prometheus.start()
        silence = self.silence("Silenced")
        url = f"{self.prometheus.url}/api/v1/query?query=rate(http_requests_total[3s])"
        until("two scrapes", lambda: get(url)["data"]["result"])
        until("the rules are in place in time", self._load_rules, 60)
        for watcher in (self.receiver, *self.sources.values()):
            watcher.start(self._emit)
        return silence

    def silence(self, alert: str, comment: str = "test") -> str:
        """Silence an alert from now on, as a person does. Returns the id of the silence."""
        made = post(
            f"{self.alertmanager.url}/api/v2/silences",
            {
                "matchers": [
                    {"name": "alertname", "value": alert, "isRegex": False, "isEqual": True}
                ],
                "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
                "createdBy": "test", "comment": comment,
            },
        )  # fmt: skip
        return str(made["silenceID"])

    def _load_rules(self) -> bool:
        """Choose the moment of the fault; False if that took too long to be of use."""
        fault_s = wall_ms() // 1000 + BEFORE_S
        self.origin_ms = (fault_s - self.fault_at_s) * 1000
        groups = {"groups": [{"name": "verdicts", "rules": rules(fault_s)}]}
        self._dump(self.folder / "rules.yml", groups)
        request = urllib.request.Request(f"{self.prometheus.url}/-/reload", b"", method="POST")
        urllib.request.urlopen(request, timeout=5).close()
        found = get(f"{self.prometheus.url}/api/v1/rules?type=alert")["data"]["groups"]
        return bool(found) and wall_ms() <= (fault_s - IN_PLACE_S) * 1000

    def now_ms(self) -> int:
        """Run time now."""
        return wall_ms() - self.origin_ms

    def at(self, second: float, act: Callable[[], None] = lambda: None) -> None:
        """Do something at this second of the run."""
        wait_s = second - self.now_ms() / 1000
        if wait_s > 0:
            time.sleep(wait_s)
        act()

    def read(self, source: str) -> dict[str, Any]:
        """What a source says of the run up to now; `error` if it cannot be read."""
        try:
            return dict(self.sources[source].read(self.origin_ms, wall_ms()))
        except CannotSeeError as error:
            return {"error": str(error)}

    def close(self) -> None:
        for watcher in (*self.sources.values(), self.receiver):
            watcher.stop()
        self.prometheus.kill()
        self.alertmanager.kill()
        self.target.close()

    def _emit(self, event: Event) -> None:
        self.events.append((self.now_ms(), event))

    def _write(self, ports: dict[str, int]) -> None:
        folder = self.folder
        target = self.target.server.server_address[1]
        every = "1s"
        self._dump(folder / "rules.yml", {"groups": []})
        self._dump(
            folder / "prometheus.yml",
            {
                "global": {
                    "scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every,
                },
                "rule_files": ["rules.yml"],
                "alerting": {"alertmanagers": [_static(ports["alertmanager"])]},
                "scrape_configs": [{"job_name": "target", **_static(target)}],
            },
        )  # fmt: skip
        self._dump(
            folder / "alertmanager.yml",
            {
                "route": {
                    "receiver": "pager", "group_by": ["alertname"], "group_wait": "0s",
                    "group_interval": "1s", "repeat_interval": "1h",
                    "routes": [
                        {"matchers": ["team=chat"], "receiver": "chat"},
                        {"matchers": ["team=dead"], "receiver": "dead"},
                        {"matchers": ["team=nights"], "mute_time_intervals": ["any-time"]},
                        {
                            "matchers": ["team=days"],
                            "mute_time_intervals": ["long-ago"],
                            "active_time_intervals": ["long-ago", "any-time"],
                        },
                    ],
                },
                "time_intervals": [
                    {"name": "long-ago", "time_intervals": [{"years": ["2001"]}]},
                    {"name": "any-time", "time_intervals": [{"weekdays": ["sunday:saturday"]}]},
                ],
                "receivers": [
                    _hook("pager", f"{self.receiver.url}/pager"),
                    _hook("chat", f"{self.receiver.url}/chat"),
                    _hook("dead", f"http://127.0.0.1:{ports['dead']}/"),
                ],
                "inhibit_rules": [
                    {
                        "source_matchers": ["alertname=Maintenance"],
                        "target_matchers": ["alertname=Inhibited"],
                    }
                ],
            },
        )  # fmt: skip

    @staticmethod
    def _dump(path: Path, data: object) -> None:
        path.write_text(yaml.safe_dump(data, sort_keys=False))


def _static(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}


def _hook(name: str, url: str) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": url, "send_resolved": True}]}
