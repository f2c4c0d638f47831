"""The sparse histogram: exact where it says so, within 0.4 % elsewhere, merged without loss."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.histogram import (
    add,
    bucket_of,
    count,
    from_pairs,
    measurable,
    merged,
    midpoint_us,
    quantile_ms,
    to_pairs,
)

VALUES = st.integers(0, 10**10)  # up to almost three hours


@given(value=VALUES)
def test_a_bucket_stands_for_its_values_within_its_error(value: int) -> None:
    found = midpoint_us(bucket_of(value))

    assert abs(found - value) <= value / 256
    if value < 256:
        assert found == value


@given(value=VALUES)
def test_a_midpoint_lies_in_its_own_bucket(value: int) -> None:
    bucket = bucket_of(value)

    assert bucket_of(midpoint_us(bucket)) == bucket


@given(one=VALUES, other=VALUES)
def test_buckets_are_in_the_order_of_their_values(one: int, other: int) -> None:
    low, high = sorted([one, other])

    assert bucket_of(low) <= bucket_of(high)


@given(values=st.lists(VALUES, min_size=1, max_size=60), q=st.floats(0.01, 0.999))
def test_a_quantile_is_that_of_the_nearest_rank(values: list[int], q: float) -> None:
    histogram = merged({bucket_of(v): 1} for v in values)
    rank = max(1, math.ceil(len(values) * q - 1e-9))

    found = quantile_ms(histogram, q)

    exact = sorted(values)[rank - 1]
    assert found is not None
    assert abs(found * 1000 - exact) <= exact / 256 + 1e-6


@given(parts=st.lists(st.dictionaries(st.integers(0, 5000), st.integers(1, 9)), max_size=5))
def test_merging_loses_nothing(parts: list[dict[int, int]]) -> None:
    whole = merged(parts)

    assert count(whole) == sum(count(part) for part in parts)
    assert from_pairs(to_pairs(whole)) == whole
    assert to_pairs(whole) == sorted(to_pairs(whole))
    total: dict[int, int] = {}
    for part in reversed(parts):
        add(total, part)
    assert total == whole


def test_repeated_pairs_add_up() -> None:
    assert from_pairs([[3, 1], [3, 2]]) == {3: 3}


def test_nothing_has_no_quantile() -> None:
    assert quantile_ms({}, 0.5) is None


@pytest.mark.parametrize(
    ("n", "q", "enough"),
    [(199, 0.95, False), (200, 0.95, True), (999, 0.99, False), (1000, 0.99, True),
     (10_000, 0.999, True), (9_999, 0.999, False), (19, 0.5, False), (20, 0.5, True)],
)  # fmt: skip
def test_ten_samples_must_lie_beyond_a_quantile(n: int, q: float, enough: bool) -> None:
    assert measurable(n, q) is enough
