"""The moment at which a real Prometheus fires, and a real Alertmanager tells, was foreseen.

Several services of one target break at different moments, so that one run of the servers measures
many detections, each with scrapes and evaluations at another place.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from alerts_support import Listener, MetricPage, alertmanager_in, get, prometheus_in, until, wall_ms
from ports_support import free_port

from gameday.kpi.foresee import Foreseen, Route, Rule, delivered, foresee, inlined
from gameday.kpi.promql import parse
from gameday.model.effect import Effect

pytestmark = pytest.mark.real

PER_S = 200.0
BOUNDS = (0.1, 0.5, 1.0)
GROUP_WAIT_S = 1

_SHARE = (
    'sum by (service) (rate(http_requests_total{{code="500"}}[{w}]))'
    " / sum by (service) (rate(http_requests_total[{w}]))"
)


@dataclass(frozen=True)
class Setting:
    every_ms: int
    short: str
    long: str
    long_s: int
    for_s: int
    repeats: int
    deliveries: bool = True  # whether they are held against what was foreseen

    @property
    def rules(self) -> list[dict[str, Any]]:
        quantile = (
            "histogram_quantile(0.95, sum by (service, le) "
            f"(rate(http_seconds_bucket[{self.short}]))) > 0.6"
        )
        return [
            {"record": "error_ratio:short", "expr": _SHARE.format(w=self.short)},
            {"record": "error_ratio:long", "expr": _SHARE.format(w=self.long)},
            {"alert": "Errors", "expr": "error_ratio:short > 0.05"},
            {"alert": "ErrorsHeld", "expr": "error_ratio:short > 0.05", "for": f"{self.for_s}s"},
            {
                "alert": "Burn",
                "expr": "error_ratio:long > (14.4 * 0.001) and error_ratio:short > (14.4 * 0.001)",
            },
            {
                "alert": "ErrorsEachSecond",
                "expr": "sum by (service) "
                f'(rate(http_requests_total{{code="500"}}[{self.short}])) > 30',
            },
            {"alert": "Slow", "expr": quantile},
        ]


ALERTS = ("Errors", "ErrorsHeld", "Burn", "ErrorsEachSecond", "Slow")


class Services(MetricPage):
    """The metric page of several services; a share of the requests of each is bad when told so."""

    def __init__(self, names: list[str]) -> None:
        self._lock = threading.Lock()
        self._last = dict.fromkeys(names, time.monotonic())
        self._share = dict.fromkeys(names, 0.0)
        self._good = dict.fromkeys(names, 0.0)
        self._bad = dict.fromkeys(names, 0.0)
        super().__init__()

    def _count(self, name: str) -> None:
        now = time.monotonic()
        n = PER_S * (now - self._last[name])
        self._last[name] = now
        self._bad[name] += n * self._share[name]
        self._good[name] += n * (1 - self._share[name])

    def fault(self, name: str, share: float) -> int:
        """Break it from now on; the wall time of that."""
        with self._lock:
            self._count(name)
            self._share[name] = share
            return wall_ms()

    def page(self) -> str:
        lines: list[str] = []
        with self._lock:
            for name in self._last:
                self._count(name)
                good, bad = self._good[name], self._bad[name]
                lines += [
                    f'http_requests_total{{service="{name}",code="200"}} {good}',
                    f'http_requests_total{{service="{name}",code="500"}} {bad}',
                ]
                for bound in ("0.1", "0.5", "1.0", "+Inf"):  # bad ones take 800 ms
                    n = good if bound in ("0.1", "0.5") else good + bad
                    lines.append(f'http_seconds_bucket{{service="{name}",le="{bound}"}} {n}')
        return "\n".join(lines) + "\n"


def write(folder: Path, setting: Setting, target: int, alertmanager: int, hook: str) -> None:
    every = f"{setting.every_ms}ms"
    rules = {"groups": [{"name": "g", "rules": setting.rules}]}
    (folder / "rules.yml").write_text(json.dumps(rules))
    prometheus = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
        },
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {"job_name": "t", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(prometheus))
    routes = {
        "receiver": "pager",
        "group_by": ["alertname", "service"],
        "group_wait": f"{GROUP_WAIT_S}s",
        "group_interval": "1m",
    }
    receivers = [{"name": "pager", "webhook_configs": [{"url": hook}]}]
    config = {"route": routes, "receivers": receivers}
    (folder / "alertmanager.yml").write_text(json.dumps(config))


@pytest.fixture(name="listener")
def _listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def foreseen(url: str, alert: str, effect: Effect) -> Foreseen:
    """By the live rules, as anybody can ask for them."""
    (group,) = get(f"{url}/api/v1/rules")["data"]["groups"]
    records = {r["name"]: parse(r["query"]) for r in group["rules"] if r["type"] == "recording"}
    (row,) = (r for r in group["rules"] if r["name"] == alert)
    every_ms = group["interval"] * 1000
    rule = Rule(
        expr=inlined(parse(row["query"]), records),
        evaluation_ms=every_ms,
        scrape_ms=every_ms,
        for_ms=row["duration"] * 1000,
        bounds={"http_seconds_bucket": BOUNDS},
        per_s=PER_S,
    )
    return foresee(rule, effect, within_ms=60_000)


def fired(url: str) -> dict[tuple[str, str], int]:
    """The first firing sample of each alert, by its name and service."""
    query = quote('ALERTS{alertstate="firing"}[5m]')
    found = get(f"{url}/api/v1/query?query={query}")["data"]["result"]
    return {
        (s["metric"]["alertname"], s["metric"]["service"]): round(float(s["values"][0][0]) * 1000)
        for s in found
    }


def _play(folder: Path, setting: Setting, binaries: tuple[str, str], listener: Listener) -> None:
    half = [f"half{i}" for i in range(setting.repeats)]
    few = [f"few{i}" for i in range(setting.repeats)]
    services = Services([*half, *few])
    prom_port, am_port = free_port(), free_port()
    write(folder, setting, services.server.server_address[1], am_port, listener.url)
    prometheus = prometheus_in(folder, binaries[0], prom_port)
    alertmanager = alertmanager_in(folder, binaries[1], am_port)
    try:
        alertmanager.start()
        prometheus.start()
        url = prometheus.url
        full = 1000 * setting.long_s // setting.every_ms + 2
        until("full windows", lambda: _scraped(url) >= full, 4 * setting.long_s + 30)
        draw = random.Random()
        began: dict[str, int] = {}
        for name in [*few, *half]:
            time.sleep(draw.uniform(0.05, 0.4) * setting.every_ms / 500)  # any place of a scrape
            began[name] = services.fault(name, 0.02 if name in few else 0.5)
        wanted = {(alert, name) for alert in ALERTS for name in half}
        wanted |= {("Burn", name) for name in few}
        until("all fired", lambda: set(fired(url)) >= wanted, 4 * setting.long_s + 30)
        until("all delivered", lambda: set(_stamps(listener)) >= wanted)
        _compare(url, fired(url), _stamps(listener), began, setting)
    finally:
        prometheus.kill()
        alertmanager.kill()
        services.close()


def _scraped(url: str) -> int:
    found = get(f"{url}/api/v1/query?query={quote('count_over_time(up[10m])')}")["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def _stamps(listener: Listener) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for at, body in list(listener.posts):
        for one in body["alerts"]:
            found.setdefault((one["labels"]["alertname"], one["labels"]["service"]), at)
    return found


def _compare(
    url: str,
    times: dict[tuple[str, str], int],
    stamps: dict[tuple[str, str], int],
    began: dict[str, int],
    setting: Setting,
) -> None:
    outside: list[str] = []
    route = Route(group_wait_ms=1000 * GROUP_WAIT_S, group_interval_ms=60_000)
    for (alert, name), at in sorted(times.items()):
        share = 0.02 if name.startswith("few") else 0.5
        effect = Effect(kind="errors", share=share)
        if alert == "Slow":
            effect = Effect(kind="latency", latency_ms=800, share=share)
        seen = foreseen(url, alert, effect)
        assert seen.firing is not None, f"{alert} on {name} was not to fire"
        told = delivered(seen.firing, route)
        assert seen.firing.width_ms <= 2 * setting.every_ms + 0.01
        assert told.width_ms <= 2 * setting.every_ms + 1000 * GROUP_WAIT_S
        for what, interval, measured in (
            ("fired", seen.firing, at - began[name]),
            ("delivered", told, stamps[alert, name] - began[name]),
        ):
            line = f"{alert} on {name} {what} after {measured} ms, foreseen {interval}"
            print(line)
            if not interval.holds(measured) and (what == "fired" or setting.deliveries):
                outside.append(line)
    assert len(times) >= 6 * setting.repeats
    assert not outside, "\n".join(outside)


def test_what_was_measured_lies_in_what_was_foreseen(
    tmp_path: Path, real_server: Callable[..., str], listener: Listener
) -> None:
    binaries = real_server("prometheus"), real_server("prometheus-alertmanager", "alertmanager")
    setting = Setting(every_ms=500, short="2s", long="6s", long_s=6, for_s=2, repeats=4)
    _play(tmp_path, setting, binaries, listener)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        # with so many groups on two busy cores, a few notifications come a second late
        Setting(
            every_ms=250,
            short="1s",
            long="6s",
            long_s=6,
            for_s=1,
            repeats=10,
            deliveries=False,
        ),
        Setting(every_ms=1000, short="5s", long="60s", long_s=60, for_s=5, repeats=12),
        Setting(every_ms=5000, short="20s", long="60s", long_s=60, for_s=12, repeats=12),
    ],
    ids=["250ms", "1s", "5s"],
)
def test_more_settings(
    setting: Setting, tmp_path: Path, real_server: Callable[..., str], listener: Listener
) -> None:
    binaries = real_server("prometheus"), real_server("prometheus-alertmanager", "alertmanager")
    _play(tmp_path, setting, binaries, listener)
