from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters.locust.pacing import MAX_POOL, Schedule, Turns, pool_size
from gameday.model.scenario import LoadSpec

SECOND = 1_000_000_000


@given(rate=st.integers(1, 5_000), second=st.integers(0, 3))
def test_every_whole_second_has_exactly_the_rate(rate: int, second: int) -> None:
    schedule = Schedule(per_s=rate, start_ns=7 * SECOND)
    seconds: Counter[int] = Counter()
    while schedule.due_ns < (7 + second + 1) * SECOND:
        seconds[schedule.due_ns // SECOND] += 1
        schedule.advance()
    assert seconds == {7 + s: rate for s in range(second + 1)}


def test_a_slow_rate_keeps_its_long_gaps() -> None:
    schedule = Schedule(per_s=0.25, start_ns=0)
    due = []
    for _ in range(3):
        due.append(schedule.due_ns)
        schedule.advance()
    assert due == [0, 4 * SECOND, 8 * SECOND]


def test_a_new_rate_counts_from_the_change() -> None:
    schedule = Schedule(per_s=0.01, start_ns=0)
    schedule.advance()
    schedule.change(10, 5 * SECOND)
    assert schedule.due_ns == 5 * SECOND + SECOND // 10
    schedule.advance()
    assert schedule.due_ns == 5 * SECOND + SECOND // 5


def test_poisson_gaps_have_the_mean_of_the_rate_and_follow_the_seed() -> None:
    def times(seed: int) -> list[int]:
        schedule = Schedule(per_s=100, start_ns=0, spread="poisson", rng=random.Random(seed))
        found = []
        for _ in range(5_000):
            schedule.advance()
            found.append(schedule.due_ns)
        return found

    assert times(1) == times(1) != times(2)
    assert times(1)[-1] / SECOND == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize("rate", [0, -1])
def test_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Schedule(per_s=rate, start_ns=0)
    with pytest.raises(ValueError, match="above zero"):
        Schedule(per_s=1, start_ns=0).change(rate, 0)


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_turns_are_exact_over_each_round(weights: list[int]) -> None:
    turns = Turns(weights)
    for _ in range(2):
        found = Counter(turns.next() for _ in range(sum(weights)))
        assert found == dict(enumerate(weights))


def test_turns_are_spread() -> None:
    turns = Turns([3, 1])
    assert [turns.next() for _ in range(8)] == [0, 0, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("weights", [[], [1, 0]])
def test_weights_must_be_above_zero(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Turns(weights)


@pytest.mark.parametrize(
    ("spec", "users"),
    [
        (LoadSpec(target="t", arrivals_per_s=100, timeout_ms=5_000), 560),
        (LoadSpec(target="t", arrivals_per_s=0.1, timeout_ms=1_000), 11),
        (LoadSpec(target="t", arrivals_per_s=10_000, timeout_ms=60_000), MAX_POOL),
        (LoadSpec(target="t", users=7), 7),
    ],
)
def test_enough_users_stand_by_for_a_black_hole(spec: LoadSpec, users: int) -> None:
    assert pool_size(spec) == users
