"""Breaker, retry budget, limiter and single flight: pure, with a clock in the hand."""

from __future__ import annotations

import asyncio

import pytest

from gameday.demo.resilience import (
    Breaker,
    BreakerState,
    CallResult,
    Limiter,
    Overloaded,
    RetryBudget,
    SingleFlight,
)

OK, SLOW, ERROR = CallResult.OK, CallResult.SLOW, CallResult.ERROR


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ([ERROR] * 4, BreakerState.CLOSED),  # too few to say
        ([ERROR] * 5, BreakerState.OPEN),
        ([SLOW] * 5, BreakerState.LIMITED),
        ([OK] * 7 + [ERROR] * 3, BreakerState.CLOSED),  # a partial outage is for retries
        ([OK, SLOW, ERROR, SLOW, OK], BreakerState.LIMITED),
        ([OK, ERROR, ERROR, ERROR, SLOW], BreakerState.OPEN),
    ],
)
def test_what_trips_the_breaker(results: list[CallResult], state: BreakerState) -> None:
    breaker = Breaker(Clock())
    for result in results:
        assert breaker.allow()
        breaker.record(result)
    assert breaker.state is state


def test_old_results_do_not_count() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(4):
        breaker.record(ERROR)
    clock.now += 6
    breaker.record(ERROR)
    assert breaker.state is BreakerState.CLOSED


def test_limited_lets_one_in_four_through_and_closes_after_three_good_ones() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        breaker.record(SLOW)
    assert [breaker.allow() for _ in range(8)] == [True, False, False, False] * 2
    for result in (OK, OK, SLOW, OK, OK):
        breaker.record(result)
        assert breaker.state is BreakerState.LIMITED
    breaker.record(OK)
    assert breaker.state is BreakerState.CLOSED


def test_limited_opens_when_slow_becomes_broken() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        breaker.record(SLOW)
    for _ in range(3):
        breaker.record(ERROR)
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("probe", "state"),
    [(ERROR, BreakerState.OPEN), (OK, BreakerState.LIMITED), (SLOW, BreakerState.LIMITED)],
)
def test_open_probes_once_a_second(probe: CallResult, state: BreakerState) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.record(ERROR)
    assert not breaker.allow()
    clock.now += 1.0
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.record(probe)
    assert breaker.state is state


def test_retries_are_a_share_of_the_calls() -> None:
    budget = RetryBudget(ratio=0.1, most=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(9):
        budget.earn()
    assert not budget.spend()
    for _ in range(2):
        budget.earn()
    assert budget.spend()


def test_the_limiter_refuses_at_once_and_frees_its_place() -> None:
    limiter = Limiter(1)
    with limiter, pytest.raises(Overloaded), limiter:
        pytest.fail("it let two in")
    with limiter:
        assert limiter.busy == 1
    assert limiter.busy == 0


def test_many_callers_share_one_fetch_and_none_can_cancel_it() -> None:
    async def scenario() -> tuple[int, list[str]]:
        fetched, gate = 0, asyncio.Event()

        async def fetch() -> str:
            nonlocal fetched
            fetched += 1
            await gate.wait()
            return "it"

        flights: SingleFlight[str] = SingleFlight()
        callers = [asyncio.ensure_future(flights.get("key", fetch)) for _ in range(50)]
        await asyncio.sleep(0)
        callers[0].cancel()
        gate.set()
        answers = await asyncio.gather(*callers[1:])
        assert await flights.get("key", fetch) == "it"
        return fetched, answers

    fetched, answers = asyncio.run(scenario())
    assert fetched == 2, "one for the fifty, one for the one that came later"
    assert answers == ["it"] * 49


def test_a_failed_fetch_fails_for_all_and_is_tried_again() -> None:
    async def scenario() -> None:
        async def fail() -> str:
            raise OSError("gone")

        async def work() -> str:
            return "back"

        flights: SingleFlight[str] = SingleFlight()
        results = await asyncio.gather(
            *(flights.get("key", fail) for _ in range(3)), return_exceptions=True
        )
        assert [str(r) for r in results] == ["gone"] * 3
        await asyncio.sleep(0)
        assert await flights.get("key", work) == "back"

    asyncio.run(scenario())
