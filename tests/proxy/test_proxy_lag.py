"""The meter that says whether the embedded proxy itself is too slow."""

from __future__ import annotations

import asyncio
import time

from gameday.proxy.lag import TICK_S, LagMeter


def meter_with(values: list[float]) -> LagMeter:
    meter = LagMeter(asyncio.new_event_loop())
    meter._loop.close()
    for value in values:
        meter.record(value)
    return meter


def test_nothing_measured_is_zero() -> None:
    meter = meter_with([])
    assert meter.last_10s() == {"p50": 0.0, "p99": 0.0, "max": 0.0, "n": 0}
    assert meter.since_start() == {"p50": 0.0, "p99": 0.0, "max": 0.0, "n": 0}


def test_ranks_of_the_window_are_exact() -> None:
    meter = meter_with([float(value) for value in range(1, 201)])
    assert meter.last_10s() == {"p50": 100.0, "p99": 198.0, "max": 200.0, "n": 200}


def test_ranks_since_the_start_are_close_and_never_too_small() -> None:
    meter = meter_with([float(value) for value in range(1, 201)])
    found = meter.since_start()
    assert 100 <= found["p50"] <= 108
    assert 198 <= found["p99"] <= 200
    assert (found["max"], found["n"]) == (200.0, 200)


def test_the_window_forgets_and_the_start_does_not() -> None:
    meter = meter_with([500.0] + [1.0] * round(10 / TICK_S))
    assert meter.last_10s()["max"] == 1.0
    assert meter.since_start()["max"] == 500.0


def test_one_long_stop_weighs_as_much_as_it_lasted() -> None:
    async def run() -> LagMeter:
        meter = LagMeter(asyncio.get_running_loop())
        meter.start()
        await asyncio.sleep(TICK_S)
        time.sleep(0.3)  # the stop that is to be noticed
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        meter.stop()
        return meter

    found = asyncio.run(run()).last_10s()
    assert found["n"] >= 0.3 / TICK_S - 1
    assert found["max"] >= 250
    assert found["p50"] >= 100
