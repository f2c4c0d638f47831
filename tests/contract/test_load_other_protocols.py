"""The examples of gRPC and WebSocket, under our load, against servers that count and misbehave."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from load_support import Run, running

from gameday.model.histogram import count, merged, quantile_ms
from gameday.model.scenario import LoadSpec

EXAMPLES = Path(__file__).parents[2] / "examples" / "load"
RATE = 40
HANGING = """
import gevent, itertools
from locust import User, task
turn = itertools.count()
class Shopper(User):
    @task
    def hangs(self):
        if next(turn) % 2:
            gevent.sleep(1000)
        self.environment.events.request.fire(
            request_type="own", name="good", response_time=1, response_length=0, exception=None)
"""
NAME = {"grpc": "shop.Shop/Price", "websocket": "price"}


@dataclass
class Server:
    """The server's process."""

    child: subprocess.Popen[str]
    port: int

    def tell(self, command: str) -> str:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(10)


@contextmanager
def serving(kind: str) -> Iterator[Server]:
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("other_protocols_server.py")), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        yield Server(child, int(child.stdout.readline()))
    finally:
        child.kill()
        child.wait(10)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def load(kind: str, server: Server, directory: Path) -> Iterator[Run]:
    """The example, not a letter of it changed, with arrivals."""
    if kind == "grpc":
        pytest.importorskip("grpc")
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=RATE,
        timeout_ms=3_000,
        locustfile=str(EXAMPLES / f"{kind}_shop.py"),
    )
    with running(spec, f"http://127.0.0.1:{server.port}", directory) as run:
        yield run


@pytest.mark.parametrize("kind", ["grpc", "websocket"])
def test_every_request_is_counted_and_a_stall_counts_from_the_intended_start(
    kind: str, tmp_path: Path
) -> None:
    with serving(kind) as server:
        with load(kind, server, tmp_path) as run:
            first = run.facts["first_second"]
            run.heard.wait_second(first + 1)
            assert server.tell("stall 0.7") == "ok"
            run.heard.wait_second(first + 4)
            facts = run.load.stop()
        answered = int(server.tell("count"))

    assert not run.heard.lost
    counts = run.heard.counts("name", "outcome")
    assert counts[NAME[kind], "ok"] == answered
    assert {outcome for _, outcome in counts} == {"ok"}
    assert facts["asked"] == facts["started"] == answered
    assert facts["unserved"] == 0
    # who came in the stall waited 0.35 s on average, and there were as many as in any other 0.7 s
    waited = merged(c.response for c in run.heard.cells if c.second in range(first + 1, first + 4))
    slow = sum(n for ms, n in steps(waited) if ms > 100)
    assert slow >= 0.6 * RATE * 0.6
    assert quantile_ms(waited, 0.95) == pytest.approx(500, abs=250)
    by_second = run.heard.counts("second")
    for second in range(first, first + 4):
        assert by_second[second] >= RATE, by_second


def steps(histogram: dict[int, int]) -> list[tuple[float, int]]:
    from gameday.model.histogram import midpoint_us

    return [(midpoint_us(bucket) / 1000, n) for bucket, n in histogram.items()]


@pytest.mark.parametrize("kind", ["grpc", "websocket"])
def test_failures_are_told_apart(kind: str, tmp_path: Path) -> None:
    with serving(kind) as server, load(kind, server, tmp_path) as run:
        first = run.facts["first_second"]
        run.heard.wait_second(first)
        server.tell("hang")
        run.heard.wait(lambda heard: seen(run)["timeout"] >= RATE)
        if kind == "websocket":
            server.tell("wrong")
            run.heard.wait(lambda heard: seen(run)["expectation"] > 0)
        server.kill()
        run.heard.wait(lambda heard: seen(run)["connection"] >= RATE)
        facts = run.load.stop()

    assert not run.heard.lost
    total = seen(run)
    expected = {"ok", "timeout", "connection"} | ({"expectation"} if kind == "websocket" else set())
    assert set(total) <= expected | {"ok"}
    assert expected <= set(total)
    # one answer, one failure: a visit that could not connect asked nothing
    assert facts["asked"] == facts["started"]
    named = run.heard.counts("name", "outcome")
    assert named[NAME[kind], "timeout"] == total["timeout"]
    late = run.heard.response(outcome="timeout")
    found = quantile_ms(late, 0.5)
    assert found is not None
    assert found >= 990
    assert count(late) >= RATE


def test_a_client_that_hangs_for_ever_loses_no_arrival(tmp_path: Path) -> None:
    """It has no timeout and never reports: at the end each of its arrivals is one."""
    file = tmp_path / "hanging.py"
    file.write_text(HANGING)
    spec = LoadSpec(target="shop", arrivals_per_s=20, timeout_ms=500, locustfile=str(file))
    with running(spec, "http://127.0.0.1:9", tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        facts = run.load.stop()

    named = run.heard.counts("name", "outcome")
    assert set(named) == {("good", "ok"), ("hangs", "timeout")}
    assert sum(named.values()) == facts["asked"] == facts["started"]
    assert min(named.values()) >= 5, named


def seen(run: Run) -> Counter[str]:
    return run.heard.counts("outcome")
