"""The breakpoint of a service of known capacity, and of a generator that is slower than it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from lab_support import HERE, process, run_gameday, wait_until
from ports_support import free_port

#: One task holds the whole load process for 12 ms: it makes some 80 a second.
BUSY = """\
import time
from locust import FastHttpUser, task

class Busy(FastHttpUser):
    @task
    def work(self):
        end = time.perf_counter() + 0.012
        while time.perf_counter() < end:
            pass
        self.client.get("/")
"""


@contextmanager
def service(slots: int, ms: float) -> Iterator[str]:
    port = free_port()
    with process([sys.executable, str(HERE / "slots.py"), str(port), str(slots), str(ms)]):
        wait_until("the service listens", lambda: listens(port))
        yield f"http://127.0.0.1:{port}"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def searched(directory: Path, url: str, load: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
    """Exit code, result and journal of a search between two steps."""
    project = {"gameday": 1, "environments": {"local": {"targets": {"shop": {"url": url}}}}}
    scenario = {
        "gameday": 1,
        "id": "how-much",
        "title": "How much the shop bears",
        "service": "shop",
        "owner": "team-shop",
        "hypothesis": "The shop bears sixty visitors a second.",
        "load": {"target": "shop", "timeout": "4s", **load},
        "phases": {"warmup": "1s", "baseline": "4s", "fault": "17s", "recovery": "6s"},
        "faults": [],
        "expect": {
            "baseline": ["errors < 10%"],
            "fault": ["errors < 5%", "p90 < 1s"],
            "recovery": ["errors < 50%"],
        },
        "stop_when": ["errors > 90% for 10s"],
    }
    (directory / "gameday.yaml").write_text(yaml.safe_dump({**project, "services": {"shop": {}}}))
    (directory / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    ended = run_gameday("run", "scenario.yaml", cwd=directory, within_s=120)
    where = next((directory / "reports").glob("*/result.json"), None)
    assert where is not None, ended.stdout + ended.stderr
    journal = (where.parent / "journal.jsonl").read_text()
    return ended.returncode, json.loads(where.read_text()), journal


def finding(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        f for f in result["expectations"] if f["check"] == "load/breakpoint"
    )
    return found


def test_the_rate_that_a_service_bears_is_found_and_the_load_goes_back(tmp_path: Path) -> None:
    rising = {
        "preset": "breakpoint",
        "from": "20/s",
        "peak": "170/s",
        "steps": 2,
        "expected": "60/s",
    }
    journeys = {"look": {"steps": [{"get": "/"}]}}
    with service(slots=20, ms=200) as url:  # bears 100 a second
        code, result, journal = searched(tmp_path, url, {"arrivals": rising, "journeys": journeys})

    found = finding(result)
    assert (code, found["outcome"]) == (0, "pass"), found
    assert found["facts"]["highest_rate_per_s"] == 60
    assert found["facts"]["broke_at_per_s"] == 170
    assert found["facts"]["headroom"] == 1
    assert found["facts"]["objective"] == "p90 < 1s"
    events = [json.loads(line) for line in journal.splitlines()]
    capped = next(e for e in events if e["kind"] == "load.capped")
    assert (capped["data"]["by"], capped["data"]["step"]) == ("service", 2)
    told = next(e for e in events if e["kind"] == "load.rate" and e["phase"] == "ok")
    over = next(e for e in events if (e["kind"], e["subject"]) == ("run.phase", "recovery"))
    assert told["data"]["per_s"] == 20
    assert 0 <= over["at_ms"] - told["at_ms"] < 3_000
    after = [e["data"] for e in events if e["kind"] == "load.window" and e["at_ms"] > told["at_ms"]]
    asked = [b["asked"] - a["asked"] for a, b in pairwise(after[1:])]
    assert asked, after
    assert max(asked) <= 40


def test_a_generator_that_is_too_slow_is_never_the_services_break(tmp_path: Path) -> None:
    rising = {
        "preset": "breakpoint",
        "from": "8/s",
        "peak": "400/s",
        "steps": 2,
        "expected": "300/s",
    }
    (tmp_path / "busy.py").write_text(BUSY)
    with service(slots=1_000, ms=1) as url:
        load = {"arrivals": rising, "locustfile": "busy.py"}
        code, result, journal = searched(tmp_path, url, load)

    found = finding(result)
    assert (code, found["outcome"]) == (3, "inconclusive"), found
    assert found["facts"]["broke_at_per_s"] is None
    assert "the generator, not the service" in found["summary"]
    capped = [json.loads(line) for line in journal.splitlines() if '"load.capped"' in line]
    assert [e["data"]["by"] for e in capped] == ["generator"]
