"""The arithmetic of the toxics on a clock of our own: no sockets, no waiting."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from gameday.proxy.stub import Stub
from gameday.proxy.stubs import make_stub
from gameday.proxy.toxic import Toxic, takes_part


class Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """An event loop's clock and timers; each timer fires `late_s` late."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.now = 100.0
        self.late_s = late_s
        self._timers: list[tuple[float, int, Callable[[], None], Timer]] = []
        self._ids = itertools.count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer()
        due = max(when, self.now) + self.late_s
        heapq.heappush(self._timers, (due, next(self._ids), callback, timer))
        return timer

    def run(self, until: float = 1e9) -> None:
        while self._timers and self._timers[0][0] <= until:
            due, _, callback, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self.now = max(self.now, due)
                callback()
        self.now = max(self.now, until) if until < 1e9 else self.now


class Bench:
    """A stub between a source and a sink that note what happens and when."""

    def __init__(self, type_: str, *, late_s: float = 0.0, **attributes: int) -> None:
        self.loop: Any = Clock(late_s)
        self.out: list[tuple[float, bytes]] = []
        self.events: list[tuple[float, str]] = []
        self.room = True
        toxic = Toxic(
            name="t", type=type_, stream="downstream", direction="downstream",
            toxicity=1.0, attributes=attributes,
        )  # fmt: skip
        self.stub: Stub = make_stub(toxic, self, self, self, 7)
        self.stub.start()

    # what stands before and after the stub, and the link that owns it
    def wake(self) -> None:
        pass

    def ready(self) -> bool:
        return self.room

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        del stamp
        self.out.append((self.spent, bytes(data)))

    def finish(self) -> None:
        self.events.append((self.spent, "end"))

    def hard_close(self) -> None:
        self.events.append((self.spent, "close"))
        self.stub.abort()

    def reset(self) -> None:
        self.events.append((self.spent, "reset"))
        self.stub.abort()

    @property
    def spent(self) -> float:
        return round(self.loop.now - 100.0, 6)

    def send(self, data: bytes) -> None:
        self.stub.push(data, self.loop.now)

    def run(self, until_s: float | None = None) -> None:
        self.loop.run(1e9 if until_s is None else 100.0 + until_s)


def test_latency_counts_from_the_arrival() -> None:
    bench = Bench("latency", latency=100, jitter=0)
    bench.send(b"a")
    bench.run(0.03)
    bench.send(b"b")
    bench.stub.finish()
    bench.run()
    assert bench.out == [(0.1, b"a"), (0.13, b"b")]
    assert bench.events == [(0.13, "end")]


def test_negative_latency_is_none() -> None:
    bench = Bench("latency", latency=-100, jitter=0)
    bench.send(b"a")
    assert bench.out == [(0.0, b"a")]


def test_jitter_stays_in_its_range_and_keeps_order() -> None:
    bench = Bench("latency", latency=100, jitter=50)
    for number in range(200):
        bench.send(bytes([number]))
    bench.run()
    assert [data[0] for _, data in bench.out] == list(range(200))
    assert 0.05 <= bench.out[0][0] <= bench.out[-1][0] <= 0.15


def test_jitter_repeats_with_the_draw() -> None:
    times = []
    for _ in range(2):
        bench = Bench("latency", latency=100, jitter=50)
        for _ in range(5):
            bench.send(b"x")
            bench.run()
        times.append(bench.out)
    assert times[0] == times[1]


def test_a_full_sink_holds_latency_back() -> None:
    bench = Bench("latency", latency=100, jitter=0)
    bench.send(b"a")
    bench.room = False
    bench.run(1.0)
    assert bench.out == []
    bench.room = True
    bench.stub.wake()
    assert bench.out == [(1.0, b"a")]


@pytest.mark.parametrize("late_s", [0.0, 0.001])
def test_bandwidth_makes_up_for_late_timers(late_s: float) -> None:
    bench = Bench("bandwidth", rate=1000, late_s=late_s)
    for _ in range(40):
        bench.send(b"x" * 25_000)
    bench.run()
    assert sum(len(data) for _, data in bench.out) == 1_000_000
    assert bench.spent == pytest.approx(1.0, abs=0.003)


def test_bandwidth_sends_pieces_of_100_ms() -> None:
    bench = Bench("bandwidth", rate=10)
    bench.send(b"x" * 2500)
    bench.run()
    assert [(at, len(data)) for at, data in bench.out] == [(0.1, 1000), (0.2, 1000), (0.25, 500)]


def test_bandwidth_gives_no_credit_for_silence() -> None:
    bench = Bench("bandwidth", rate=10)
    bench.send(b"x" * 500)
    bench.run(10.0)
    bench.send(b"x" * 500)
    bench.run()
    assert [at for at, _ in bench.out] == [0.05, 10.05]


def test_bandwidth_of_zero_holds_and_releases() -> None:
    bench = Bench("bandwidth", rate=0)
    bench.send(b"x")
    bench.stub.finish()
    bench.run(100.0)
    assert bench.out == []
    bench.stub.retire()
    assert bench.out == [(100.0, b"x")]
    assert bench.events == [(100.0, "end")]


@pytest.mark.parametrize("late_s", [0.0, 0.001])
def test_slicer_waits_after_each_slice_and_before_the_end(late_s: float) -> None:
    bench = Bench("slicer", late_s=late_s, average_size=2, size_variation=0, delay=10_000)
    bench.send(b"abcdefgh")
    bench.stub.finish()
    bench.run()
    assert b"".join(data for _, data in bench.out) == b"abcdefgh"
    assert [data for _, data in bench.out] == [b"ab", b"cd", b"ef", b"gh"]
    times = [at for at, _ in bench.out]
    assert times == pytest.approx([0, 0.01, 0.02, 0.03], abs=0.0011)
    assert bench.events == [(pytest.approx(0.04, abs=0.0011), "end")]


def test_slicer_with_the_widest_variation_ends() -> None:
    bench = Bench("slicer", average_size=1, size_variation=1, delay=0)
    bench.send(bytes(range(256)) * 128)
    bench.run()
    assert b"".join(data for _, data in bench.out) == bytes(range(256)) * 128
    assert all(1 <= len(data) <= 2 for _, data in bench.out)


def test_timeout_counts_silence() -> None:
    bench = Bench("timeout", timeout=100)
    for _ in range(5):
        bench.run(bench.spent + 0.08)
        bench.send(b"x")
    bench.run()
    assert (bench.out, bench.events) == ([], [(0.5, "close")])


def test_timeout_lets_the_end_pass() -> None:
    bench = Bench("timeout", timeout=0)
    bench.send(b"x")
    bench.stub.finish()
    assert (bench.out, bench.events) == ([], [(0.0, "end")])


@pytest.mark.parametrize("begin", ["data", "end"])
def test_reset_peer_waits_from_the_first_data_or_end(begin: str) -> None:
    bench = Bench("reset_peer", timeout=100)
    bench.run(1.0)
    assert bench.events == []
    bench.send(b"x") if begin == "data" else bench.stub.finish()
    bench.run(1.05)
    bench.stub.finish()
    bench.run()
    assert (bench.out, bench.events) == ([], [(1.1, "reset")])


def test_limit_data_cuts_the_chunk() -> None:
    bench = Bench("limit_data", bytes=7)
    bench.send(b"hello")
    assert bench.events == []
    bench.send(b"world")
    assert [data for _, data in bench.out] == [b"hello", b"wo"]
    assert bench.events == [(0.0, "close")]


def test_slow_close_delays_the_end_alone() -> None:
    bench = Bench("slow_close", delay=100)
    bench.send(b"x")
    bench.stub.finish()
    bench.run()
    assert (bench.out, bench.events) == ([(0.0, b"x")], [(0.1, "end")])


@pytest.mark.parametrize("toxicity", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_toxicity_hits_that_part_of_the_connections(toxicity: float) -> None:
    toxic = Toxic(
        name="t", type="noop", stream="upstream", direction="upstream",
        toxicity=toxicity, attributes={},
    )  # fmt: skip
    hit = sum(takes_part(toxic, 1, "p", number) for number in range(2000))
    assert hit / 2000 == pytest.approx(toxicity, abs=0.04)
