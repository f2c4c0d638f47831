from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gameday.model.shape import (
    Shape,
    Stretch,
    arrivals_between,
    constant,
    describe_shape,
    least_per_s,
    length_ms,
    peak_per_s,
    rate_at,
)

RATES = st.floats(0.01, 5_000)
STRETCHES = st.one_of(
    st.builds(
        lambda first, last, ms: Stretch(from_per_s=first, to_per_s=last, length_ms=ms),
        st.one_of(st.just(0.0), RATES), RATES, st.integers(1, 20_000),
    ),
    st.builds(
        lambda rate, ms: Stretch(from_per_s=rate, to_per_s=rate, length_ms=ms),
        RATES, st.integers(1, 20_000),
    ),
)  # fmt: skip
SHAPES = st.builds(
    lambda stretches, end: (*stretches, *end),
    st.lists(STRETCHES, min_size=1, max_size=5),
    st.one_of(st.just(()), RATES.map(constant)),
)
TIMES = st.integers(0, 120_000)


def stretch(first: float, last: float, ms: int | None = None) -> Stretch:
    return Stretch(from_per_s=first, to_per_s=last, length_ms=ms)


DAY = (
    stretch(20, 20, 30_000), stretch(20, 100, 30_000), stretch(400, 400, 20_000),
    stretch(100, 100),
)  # fmt: skip


def edges(shape: Shape) -> list[int]:
    """Where stretches meet."""
    found = [0]
    for one in shape:
        found.append(found[-1] + (one.length_ms or 0))
    return found


def integral(shape: Shape, from_ms: int, to_ms: int) -> float:
    """The integral of `rate_at`, by the midpoints of pieces that no edge cuts (then exact)."""
    cuts = sorted({from_ms, to_ms, *(e for e in edges(shape) if from_ms < e < to_ms)})
    total = 0.0
    for begin, end in itertools.pairwise(cuts):
        step = (end - begin) / 8
        total += sum(rate_at(shape, begin + (n + 0.5) * step) * step / 1000 for n in range(8))
    return total


@given(SHAPES, TIMES, TIMES)
def test_arrivals_between_is_the_integral_of_the_rate(shape: Shape, one: int, two: int) -> None:
    from_ms, to_ms = sorted((one, two))
    found = arrivals_between(shape, from_ms, to_ms)
    assert found == pytest.approx(integral(shape, from_ms, to_ms), rel=1e-9, abs=1e-6)


@given(SHAPES, TIMES, TIMES, TIMES)
def test_arrivals_of_two_parts_are_those_of_the_whole(
    shape: Shape, one: int, two: int, three: int
) -> None:
    a, b, c = sorted((one, two, three))
    parts = arrivals_between(shape, a, b) + arrivals_between(shape, b, c)
    assert parts == pytest.approx(arrivals_between(shape, a, c), rel=1e-9, abs=1e-6)


@given(SHAPES, TIMES, TIMES)
def test_no_rate_is_above_the_peak_or_below_the_least(shape: Shape, one: int, two: int) -> None:
    from_ms, to_ms = sorted((one, two))
    assume(from_ms < to_ms)
    peak, least = peak_per_s(shape, from_ms, to_ms), least_per_s(shape, from_ms, to_ms)
    seen = [rate_at(shape, from_ms + (to_ms - from_ms) * n / 50) for n in range(50)]
    assert least - 1e-6 <= min(seen)
    assert max(seen) <= peak + 1e-6
    assert peak <= peak_per_s(shape) + 1e-6
    mean = arrivals_between(shape, from_ms, to_ms) * 1000 / (to_ms - from_ms)
    assert least * 0.999999 - 1e-6 <= mean <= peak * 1.000001 + 1e-6


@given(STRETCHES, st.floats(0, 1))
def test_after_s_turns_arrivals_around(one: Stretch, share: float) -> None:
    assert one.length_ms is not None
    whole = one.arrivals(one.length_ms / 1000)
    at_s = one.after_s(whole * share)
    assert 0 <= at_s <= one.length_ms / 1000 * (1 + 1e-9)
    assert one.arrivals(at_s) == pytest.approx(whole * share, rel=1e-6, abs=1e-6)


def test_a_day_by_hand() -> None:
    assert [rate_at(DAY, ms) for ms in (-1, 0, 29_999, 30_000, 45_000, 60_000, 80_000, 10**9)] == [
        0, 20, 20, 20, 60, 400, 100, 100,
    ]  # fmt: skip
    assert arrivals_between(DAY, 0, 90_000) == 600 + 1_800 + 8_000 + 1_000
    assert arrivals_between(DAY, -5_000, 1_000) == 20
    assert arrivals_between(DAY, 5, 5) == 0
    assert (peak_per_s(DAY), least_per_s(DAY), length_ms(DAY)) == (400, 20, 80_000)
    assert peak_per_s(DAY, 0, 60_000) == 100
    assert least_per_s(DAY, 60_000, 80_000) == 400


def test_the_last_rate_goes_on() -> None:
    ramp = (stretch(0, 50, 10_000),)
    assert rate_at(ramp, 99_000) == 50
    assert arrivals_between(ramp, 0, 20_000) == 250 + 500


def test_a_shape_in_words() -> None:
    assert describe_shape(DAY) == (
        "20/s for 30 s, ramp to 100/s over 30 s, 400/s for 20 s, 100/s until the end"
    )
    assert describe_shape((stretch(0, 50, 10_000),)) == "ramp to 50/s over 10 s, 50/s until the end"
    spike_then_ramp = (stretch(9, 9, 1_000), stretch(3, 5, 1_000), stretch(5, 5))
    assert (
        describe_shape(spike_then_ramp)
        == "9/s for 1 s, 3/s, ramp to 5/s over 1 s, 5/s until the end"
    )


@pytest.mark.parametrize(
    ("first", "last", "ms"),
    [
        (1, 0, 1),
        (-1, 1, 1),
        (1, -1, 1),
        (1, math.inf, 1),
        (math.nan, 1, 1),
        (1, 2, None),
        (1, 1, 0),
    ],
)
def test_what_is_no_stretch_is_refused(first: float, last: float, ms: int | None) -> None:
    with pytest.raises(ValueError, match=r"stretch|ramp"):
        stretch(first, last, ms)
