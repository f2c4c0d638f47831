from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters.locust.pacing import MAX_POOL, Schedule, Turns, pool_size
from gameday.model.scenario import LoadSpec
from gameday.model.shape import Shape, Stretch, arrivals_between, constant

SECOND = 1_000_000_000


@given(rate=st.integers(1, 5_000), second=st.integers(0, 3))
def test_every_whole_second_has_exactly_the_rate(rate: int, second: int) -> None:
    schedule = Schedule(constant(rate), start_ns=7 * SECOND)
    seconds: Counter[int] = Counter()
    while schedule.due_ns < (7 + second + 1) * SECOND:
        seconds[schedule.due_ns // SECOND] += 1
        schedule.advance()
    assert seconds == {7 + s: rate for s in range(second + 1)}


def test_a_slow_rate_keeps_its_long_gaps() -> None:
    schedule = Schedule(constant(0.25), start_ns=0)
    due = []
    for _ in range(3):
        due.append(schedule.due_ns)
        schedule.advance()
    assert due == [0, 4 * SECOND, 8 * SECOND]


def test_a_new_rate_counts_from_the_change() -> None:
    schedule = Schedule(constant(0.1), start_ns=0)
    schedule.advance()
    schedule.change(10, 5 * SECOND)  # half of the gap has gone by
    assert schedule.due_ns == 5 * SECOND + SECOND // 20
    schedule.advance()
    assert schedule.due_ns == 5 * SECOND + SECOND // 20 + SECOND // 10


def flat(per_s: float, ms: int) -> Stretch:
    return Stretch(from_per_s=per_s, to_per_s=per_s, length_ms=ms)


def ramp(first: float, last: float, ms: int) -> Stretch:
    return Stretch(from_per_s=first, to_per_s=last, length_ms=ms)


SHAPES = st.lists(
    st.one_of(
        st.builds(flat, st.floats(0.1, 500), st.integers(1, 5_000)),
        st.builds(ramp, st.floats(0, 500), st.floats(0.1, 500), st.integers(1, 5_000)),
    ),
    min_size=1,
    max_size=5,
).map(tuple)


@given(SHAPES, st.integers(0, 20_000))
def test_as_many_arrivals_as_the_integral_says_in_order_whatever_the_shape(
    shape: Shape, until_ms: int
) -> None:
    schedule = Schedule(shape, start_ns=3 * SECOND)
    due = []
    while schedule.due_ns < 3 * SECOND + until_ms * 1_000_000:
        due.append(schedule.due_ns)
        schedule.advance()
    assert due == sorted(due)
    assert abs(len(due) - arrivals_between(shape, 0, until_ms)) <= 1.001


@given(
    shape=SHAPES,
    changes=st.lists(st.tuples(st.integers(1, 400), st.floats(0.5, 500)), max_size=12),
    behind_ms=st.sampled_from([0, 0, 700]),
)
def test_no_change_of_the_rate_loses_or_doubles_an_arrival(
    shape: Shape, changes: list[tuple[int, float]], behind_ms: int
) -> None:
    """Also where whoever issues them is behind when the change comes."""
    schedule, now_ms, asked, due = Schedule(shape, start_ns=0), 0, 0.0, []
    rates: Shape = shape
    since_ms = 0
    for gap_ms, per_s in changes:
        asked += arrivals_between(rates, now_ms - since_ms, now_ms + gap_ms - since_ms)
        now_ms += gap_ms
        while schedule.due_ns < (now_ms - behind_ms) * 1_000_000:
            due.append(schedule.due_ns)
            schedule.advance()
        schedule.change(per_s, now_ms * 1_000_000)
        rates, since_ms = constant(per_s), now_ms
    asked += arrivals_between(rates, now_ms - since_ms, now_ms + 1_000 - since_ms)
    while schedule.due_ns < (now_ms + 1_000) * 1_000_000:
        due.append(schedule.due_ns)
        schedule.advance()
    assert due == sorted(due)
    assert abs(len(due) - asked) <= 1.001


def test_a_ramp_up_and_down_by_hand() -> None:
    schedule = Schedule((ramp(0, 8, 2_000), ramp(8, 2, 2_000), flat(2, 5_000)), start_ns=0)
    due = []
    for _ in range(20):
        due.append(schedule.due_ns / SECOND)
        schedule.advance()
    assert due[0] == 0
    assert due[2] == pytest.approx(1.0)  # 2 t^2 = k
    assert due[8] == 2
    assert due[18] == 4  # 8 + 10
    assert due[19] == 4.5


def test_poisson_gaps_have_the_mean_of_the_rate_and_follow_the_seed() -> None:
    def times(seed: int) -> list[int]:
        schedule = Schedule(constant(100), start_ns=0, spread="poisson", rng=random.Random(seed))
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
        Schedule(constant(1), start_ns=0).change(rate, 0)
    with pytest.raises(ValueError, match="needs a rate"):
        Schedule((), start_ns=0)


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
        (LoadSpec(target="t", shape=(ramp(0, 100, 9), flat(50, 9)), timeout_ms=5_000), 560),
        (LoadSpec(target="t", users=7), 7),
    ],
)
def test_enough_users_stand_by_for_a_black_hole(spec: LoadSpec, users: int) -> None:
    assert pool_size(spec) == users
