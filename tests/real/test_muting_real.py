"""Time intervals as gameday evaluates them, against an Alertmanager that sends or does not."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from alerts_support import Listener, alertmanager_in, json, until, wall_ms
from ports_support import free_port

from gameday.adapters.live_servers import ask_alertmanager
from gameday.kpi.muting import intervals_of, muted_now
from gameday.kpi.routed_ahead import routes_ahead

pytestmark = pytest.mark.real

N = 120
ZONES = ("UTC", "Europe/Berlin", "Australia/Sydney", "America/St_Johns", "Asia/Kathmandu")
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def around(draw: random.Random, now: int, least: int, most: int) -> str:
    """A value or a range that has *now* in it about every other time."""
    first = draw.randint(max(least, now - 2), min(most, now + 1))
    last = draw.randint(first, min(most, now + 2))
    return str(first) if first == last else f"{first}:{last}"


def part(draw: random.Random) -> dict[str, Any]:
    """One part of an interval, with edges near to now."""
    made: dict[str, Any] = {}
    zone = draw.choice([None, *ZONES])
    now = datetime.now(UTC).astimezone(ZoneInfo(zone or "UTC"))
    if zone:
        made["location"] = zone
    if draw.random() < 0.4:
        hour = now.hour
        first = draw.randint(max(0, hour - 1), min(22, hour + 1))
        last = draw.randint(first + 1, 24)
        made["times"] = [{"start_time": f"{first:02}:00", "end_time": f"{last:02}:00"}]
    if draw.random() < 0.4:
        day = now.isoweekday() % 7
        first = draw.randint(max(0, day - 1), day)
        made["weekdays"] = [draw.choice([DAYS[first], f"{DAYS[first]}:{DAYS[day]}"])]
    if draw.random() < 0.4:
        following = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
        left = now.day - 1 - (following - timedelta(days=1)).day  # -1 on the last day
        made["days_of_month"] = [
            draw.choice([around(draw, now.day, 1, 31), around(draw, left, -31, -1)])
        ]
    if draw.random() < 0.3:
        made["months"] = [around(draw, now.month, 1, 12)]
    if draw.random() < 0.3:
        made["years"] = [around(draw, now.year, 2000, 2100)]
    return made


def configured(draw: random.Random, url: str) -> dict[str, Any]:
    """A route for each of `N` alerts, every one with intervals of its own."""
    intervals = [
        {"name": f"i{n}", "time_intervals": [part(draw) for _ in range(draw.randint(1, 2))]}
        for n in range(N)
    ]
    routes = [
        {
            "matchers": [f"alertname=A{n}"],
            draw.choice(["mute_time_intervals", "active_time_intervals"]): [f"i{n}"],
        }
        for n in range(N)
    ]
    return {
        "route": {
            "receiver": "pager", "group_by": ["alertname"], "group_wait": "0s",
            "group_interval": "1h", "routes": routes,
        },
        "receivers": [{"name": "pager", "webhook_configs": [{"url": url}]}],
        "mute_time_intervals": intervals[: N // 2],
        "time_intervals": intervals[N // 2 :],
    }  # fmt: skip


def test_the_same_alerts_are_sent(tmp_path: Path, real_server: Callable[..., str]) -> None:
    program = real_server("prometheus-alertmanager", "alertmanager")
    hook = Listener()
    config = configured(random.Random(7), hook.url)
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    server = alertmanager_in(tmp_path, program, free_port())
    try:
        server.start()
        there = ask_alertmanager(server.url)
        times = intervals_of(there.times)
        assert len(times) == N, "both keys are read"

        def silent() -> set[str]:
            return {
                f"A{n}"
                for n in range(N)
                for (node,) in [there.routing.root.follow({"alertname": f"A{n}"})]
                if muted_now(node, times, wall_ms())
            }

        before = silent()
        alerts = [{"labels": {"alertname": f"A{n}"}} for n in range(N)]
        for batch in (alerts, [{"labels": {"alertname": "Last"}}]):
            body = json.dumps(batch).encode()
            request = urllib.request.Request(
                f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=5).close()

        def sent() -> set[str]:
            return {
                a["labels"]["alertname"] for _, body in list(hook.posts) for a in body["alerts"]
            }

        names = {f"A{n}" for n in range(N)} | {"Last"}
        until("all that are not muted have come", lambda: sent() >= names - before - silent())
        doubtful = before ^ silent()  # an edge was passed meanwhile
        assert sent() - doubtful == names - before - doubtful
        assert 20 < len(before) < N - 20, "both happen"
        muted = min(before - doubtful)
        (finding,) = routes_ahead("pager", {"alertname": muted}, there).findings
        assert finding.code == "muted"
    finally:
        server.kill()
        hook.close()
