"""A source that lists late what has happened is waited for, when a run reads it at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alert_fakes import until
from source_fakes import FakePagerDuty, now_ms
from source_support import spec_of, watching

from gameday.adapters.sources.source import HttpJsonSource
from gameday.model.sources import SourceSpec

DELAY_MS = 5_000


@pytest.fixture(name="fake")
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePagerDuty]:
    monkeypatch.setenv("KEY", "pd_right")
    with FakePagerDuty() as fake:
        yield fake


def late(fake: FakePagerDuty) -> SourceSpec:
    auth = {"headers": {"Authorization": {"env": "KEY", "prefix": "Token token="}}}
    source = {"preset": "pagerduty", "url": fake.url, "auth": auth, "delay": f"{DELAY_MS}ms"}
    return replace(spec_of("pager", source), every_ms=20)


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.ms = now_ms()
        self.waits: list[float] = []

    def now(self) -> int:
        return self.ms

    def wait_s(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ms += round(seconds * 1000)


def test_what_it_lists_late_is_read(fake: FakePagerDuty) -> None:
    clock = Clock()
    end = clock.ms

    def wait_s(seconds: float) -> None:
        clock.wait_s(seconds)
        fake.skew_ms += round(seconds * 1000)  # its clock goes on too
        fake.fire(at_ms=end - 100)  # only now it is listed

    read = HttpJsonSource(late(fake), now_wall_ms=clock.now, wait_s=wait_s).read(end - 9_000, end)
    assert clock.waits == [DELAY_MS / 1000]
    assert len(read["episodes"]) == 1
    assert read["until_wall_ms"] == end


@pytest.mark.parametrize(
    ("ended_ago_ms", "waits"),
    [(0, [5.0]), (2_000, [3.0]), (DELAY_MS, []), (60_000, []), (-3_600_000, [5.0])],
)
def test_only_as_long_as_it_needs(
    fake: FakePagerDuty, ended_ago_ms: int, waits: list[float]
) -> None:
    """Never longer than its delay, whatever end is asked for."""
    clock = Clock()
    source = HttpJsonSource(late(fake), now_wall_ms=clock.now, wait_s=clock.wait_s)
    source.read(clock.ms - 90_000, clock.ms - ended_ago_ms)
    assert clock.waits == waits


def test_before_a_run_it_is_not_waited_for_and_does_not_claim_more(fake: FakePagerDuty) -> None:
    clock = Clock()
    source = HttpJsonSource(late(fake), now_wall_ms=clock.now, wait_s=clock.wait_s)
    read = source.read(clock.ms - 1_000, clock.ms, now=True)
    assert clock.waits == []
    assert read["until_wall_ms"] == clock.ms - DELAY_MS


def test_a_run_that_is_given_up_does_not_wait(fake: FakePagerDuty) -> None:
    spec = replace(late(fake), delay_ms=600_000)
    source, events = watching(spec)
    until("up", lambda: events.of("alert.source.up"))
    source.stop()
    end = now_ms()
    read: Any = source.read(end - 1_000, end)
    assert read["until_wall_ms"] < end, "it was not seen to the end, and says so"


def test_a_clock_that_is_set_while_a_run_lasts_is_measured_again(fake: FakePagerDuty) -> None:
    """What is read at the end is on the clock of that moment, also where polls knew another."""
    source, events = watching(replace(late(fake), delay_ms=0))
    try:
        until("up", lambda: events.of("alert.source.up"))
        fake.skew_ms = 90_000
        incident = fake.fire()
        read = source.read(now_ms() - 1_000, now_ms())
    finally:
        source.stop()
    assert read["offset_ms"] == pytest.approx(90_000, abs=1_500)
    assert len(read["episodes"]) == 1
    assert read["episodes"][0]["firing_wall_ms"] // 1000 == (incident.firing_ms or 0) // 1000
