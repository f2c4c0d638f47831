"""A black hole of five seconds, made by a real Toxiproxy: nothing is answered, nothing is closed.

Clients without a timeout hang in it long after it has gone, and a load that waits for them reports
a service that did not recover. Ours asks on, and shows an outage that lasts to the end of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from alerts_support import until
from ports_support import free_port

from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.state import ToxicState
from gameday.model.event import Event
from gameday.model.histogram import count
from gameday.model.scenario import Journey, LoadSpec, RequestStep
from gameday.model.window import Tick, tick_from_json

pytestmark = pytest.mark.real

RATE, TIMEOUT_MS, HOLE_S = 25, 1_500, 5
BLACK_HOLE = ToxicState(name="hole", type="timeout", attributes={"timeout": 0})
FILE = """
from locust import {cls}, between, task
class Shopper({cls}):
    wait_time = between(0.1, 0.2)
    @task
    def browse(self): self.client.get("/")
"""


class _Ok(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, *_: object) -> None:
        """Connections are cut here on purpose."""


@dataclass
class Rig:
    """A service behind two proxies: load -> `outer` -> `inner` -> service."""

    url: str
    inner: str
    outer: str
    service: str
    client: ToxiproxyClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = ToxiproxyClient(self.url)
        self.client.create("inner", listen=self.inner, upstream=self.service, enabled=True)
        self.client.create("outer", listen=self.outer, upstream=self.inner, enabled=True)

    def open_hole(self) -> None:
        self.client.add_toxic("outer", BLACK_HOLE)

    def close_hole(self) -> None:
        """By replacing the proxy, as gameday does."""
        self.client.delete("outer")
        self.client.create("outer", listen=self.outer, upstream=self.inner, enabled=True)


@pytest.fixture
def rig(tmp_path: Path, real_server: Callable[..., str]) -> Iterator[Rig]:
    binary = real_server("toxiproxy-server")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    service = _Server(("127.0.0.1", 0), _Ok)
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    with (tmp_path / "toxiproxy.log").open("wb") as log:
        child = subprocess.Popen(
            [binary, "-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until("the Toxiproxy answers", ToxiproxyClient(url).alive)
        yield Rig(
            url=url,
            inner=f"127.0.0.1:{free_port()}",
            outer=f"127.0.0.1:{free_port()}",
            service=f"127.0.0.1:{service.server_address[1]}",
        )
    finally:
        child.kill()
        child.wait(10)
        service.shutdown()
        thread.join(10)
        service.server_close()


def specs(directory: Path) -> dict[str, LoadSpec]:
    """A journey, and locustfiles of clients that Locust lets wait for ever, or for a minute."""
    common: dict[str, Any] = {"target": "s", "arrivals_per_s": RATE, "timeout_ms": TIMEOUT_MS}
    step = RequestStep(method="GET", path="/", name="/")
    found = {"journey": LoadSpec(**common, journeys=(Journey(name="all", steps=(step,)),))}
    for cls in ("HttpUser", "FastHttpUser"):
        file = directory / f"{cls.lower()}.py"
        file.write_text(FILE.format(cls=cls))
        found[cls] = LoadSpec(**common, locustfile=str(file))
    return found


def ticks_of(events: list[Event]) -> list[Tick]:
    return [tick_from_json(e.data) for e in events if e.kind == "load.window"]


def by_second(ticks: list[Tick]) -> dict[int, Counter[str]]:
    """How many requests ended how, by the second of their intended start."""
    found: dict[int, Counter[str]] = {}
    for cell in (c for t in ticks for c in t.cells):
        found.setdefault(cell.second, Counter())[cell.outcome] += count(cell.response)
    return found


def test_after_a_black_hole_every_arrival_is_made_and_served(rig: Rig, tmp_path: Path) -> None:
    heard: dict[str, list[Event]] = {}
    first: dict[str, int] = {}
    origin_ns = time.monotonic_ns()

    def to(second: float) -> None:
        """Wait for a run second."""
        time.sleep(max(0.0, origin_ns / 1e9 + second - time.monotonic()))

    with contextlib.ExitStack() as stack:
        loads = []
        for name, spec in specs(tmp_path).items():
            heard[name] = []
            load = LocustLoad(spec, f"http://{rig.outer}", tmp_path / name)
            stack.callback(load.stop)
            facts = load.start(
                heard[name].append, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=origin_ns
            )
            first[name] = int(facts["first_second"])
            loads.append(load)
        begin = max(first.values()) + 2
        end = begin + HOLE_S
        to(begin)
        rig.open_hole()
        to(end)
        rig.close_hole()
        to(end + 5.2)
        for load in loads:
            ended = load.stop()
            assert ended["unserved"] == 0, ended
            assert ended["asked"] == ended["started"]

    for name, events in heard.items():
        assert not [e for e in events if e.kind == "load.lost"], name
        ticks = ticks_of(events)
        seen = by_second(ticks)
        assert seen[first[name]] == {"ok": RATE}, name
        # in the hole: asked for all the same, and failed as what it is
        for second in range(begin + 1, end - 2):
            assert seen[second] == {"timeout": RATE}, (name, second)
        # and it is seen at once, not when the requests are given up
        deep = next(t for t in ticks if t.second == begin + 1)
        assert deep.in_flight + deep.queued > RATE
        assert deep.oldest_ms > 1_000
        # afterwards: all of them, all well
        for second in range(end + 1, end + 5):
            assert seen[second] == {"ok": RATE}, (name, second)


def scenario(directory: Path, rig: Rig) -> None:
    project = {
        "gameday": 1,
        "environments": {
            "local": {
                "targets": {
                    "shop": {"url": f"http://{rig.outer}"},
                    "behind": {
                        "proxy": "inner",
                        "listen": rig.inner,
                        "upstream": rig.service,
                        "probe": "http:/",
                    },
                },
                "toxiproxy": {"url": rig.url},
            }
        },
        "services": {"shop": {"tier": 2, "slos": {"availability": "99%"}}},
    }
    made = {
        "gameday": 1,
        "id": "black-hole",
        "title": "Nothing is answered for five seconds",
        "service": "shop",
        "owner": "team-shop",
        "hypothesis": "When nothing is answered for 5 s, all requests fail, and then all is well.",
        "load": {
            "target": "shop",
            "arrivals": f"{RATE}/s",
            "timeout": f"{TIMEOUT_MS}ms",
            "journeys": {"work": {"steps": [{"get": "/"}]}},
        },
        "phases": {"warmup": "1s", "baseline": "5s", "fault": f"{HOLE_S}s", "recovery": "8s"},
        "faults": [
            {"id": "hole", "target": "behind", "toxic": {"type": "timeout", "timeout": "0s"}}
        ],
        "expect": {
            "baseline": ["errors < 5%", "p50 < 500ms"],
            "fault": ["errors > 50%"],
            "recovery": ["steady within 4s"],
        },
        "stop_when": ["errors > 99% for 30s"],
    }
    (directory / "gameday.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    (directory / "scenario.yaml").write_text(yaml.safe_dump(made, sort_keys=False))


@dataclass
class Told:
    """What a run left behind."""

    code: int
    output: str
    journal: list[dict[str, Any]]
    result: dict[str, Any]

    @property
    def seconds(self) -> dict[int, Counter[str]]:
        raw = [e["data"] for e in self.journal if e["kind"] == "load.window"]
        return by_second([tick_from_json(data) for data in raw])

    def entered_s(self, phase: str) -> float:
        return next(
            e["at_ms"] / 1000
            for e in self.journal
            if e["kind"] == "run.phase" and e["subject"] == phase
        )


def run(directory: Path, meanwhile: Callable[[Path], None] | None = None) -> Told:
    """`gameday run`, with *meanwhile* called with the journal's path."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gameday", "run", "scenario.yaml"],
        cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ},
    )  # fmt: skip
    try:
        if meanwhile is not None:
            journal = until(
                "the journal is there",
                lambda: next((directory / "reports").glob("*/journal.jsonl"), None),
            )
            meanwhile(journal)
        output, _ = child.communicate(timeout=120)
    finally:
        child.kill()
        child.wait(10)
        if child.stdout is not None:
            child.stdout.close()
    journals = list((directory / "reports").glob("*/journal.jsonl"))
    assert journals, output
    lines = journals[0].read_text().splitlines()
    result = json.loads((journals[0].parent / "result.json").read_text())
    return Told(child.returncode, output, [json.loads(line) for line in lines], result)


def test_a_run_with_a_black_hole_recovers_with_every_arrival(rig: Rig, tmp_path: Path) -> None:
    scenario(tmp_path, rig)
    told = run(tmp_path)

    assert told.code == 0, told.output
    fault, recovery = told.entered_s("fault"), told.entered_s("recovery")
    seen = told.seconds
    deep = int(fault) + 2
    assert seen[deep] == {"timeout": RATE}, seen
    last = max(seen)
    after = range(int(recovery) + 3, last - 1)
    assert len(after) >= 3
    for second in after:
        assert seen[second] == {"ok": RATE}, (second, seen)


def test_a_run_that_ends_in_an_outage_shows_it(rig: Rig, tmp_path: Path) -> None:
    """The hole that nobody announced opens in the recovery, and is open when the run ends."""
    scenario(tmp_path, rig)

    def meanwhile(journal: Path) -> None:
        until(
            "the recovery has begun",
            lambda: any(
                '"run.phase"' in line and '"recovery"' in line
                for line in journal.read_text().splitlines()
            ),
            60,
        )
        time.sleep(2)
        rig.open_hole()

    told = run(tmp_path, meanwhile)

    assert told.code == 1, told.output
    seen = told.seconds
    whole = [s for s in seen if s > told.entered_s("recovery")]
    asked = max(s for s in whole if sum(seen[s].values()) == RATE)
    # the last seconds are there, with all their arrivals, and none of them was good
    for second in (asked - 1, asked):
        assert seen[second]["ok"] == 0, (second, seen)
        assert sum(seen[second].values()) == RATE
    failed = [f["expectation"] for f in told.result["expectations"] if f["outcome"] == "fail"]
    assert any("steady" in text for text in failed), told.result["expectations"]
