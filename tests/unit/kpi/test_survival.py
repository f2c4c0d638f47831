"""Kaplan and Meier's estimate: misses are in it as what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.kpi.survival import Watched, curve, quantile


def seen(*values: float) -> list[Watched]:
    return [Watched(value=value, ended=True) for value in values]


def missed(*values: float) -> list[Watched]:
    return [Watched(value=value, ended=False) for value in values]


def test_a_miss_moves_the_median_and_takes_the_ninth_decile_away() -> None:
    durations = [*seen(62, 75, 88, 140), *missed(600)]
    median = quantile(durations, 0.5)
    assert (median.value, median.n, median.ended) == (88, 5, 4)
    p90 = quantile(durations, 0.9)
    assert p90.value is None
    assert p90.beyond == 600


def test_what_is_lost_sight_of_early_counts_only_as_long_as_it_was_seen() -> None:
    """Freireich 1963, 6-MP arm: the example of most textbooks."""
    ends = seen(6, 6, 6, 7, 10, 13, 16, 22, 23)
    lost = missed(6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
    steps = {step.at: step for step in curve([*ends, *lost])}
    expected = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {at: round(step.share, 3) for at, step in steps.items()} == expected
    median = quantile([*ends, *lost], 0.5)
    assert median.value == 23
    assert (median.low, median.high) == (13, None), "as R's survfit with log-log has it"


def test_without_durations_nothing_is_known() -> None:
    found = quantile([], 0.5)
    assert (found.value, found.beyond, found.n, found.low) == (None, None, 0, None)


def test_nothing_but_misses_is_no_median() -> None:
    found = quantile(missed(600, 300), 0.5)
    assert (found.value, found.beyond, found.ended) == (None, 600, 0)


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=30))
def test_a_longer_watch_never_makes_it_shorter(raw: list[tuple[int, bool]]) -> None:
    durations = [Watched(value=value, ended=ends) for value, ends in raw]
    steps = curve(durations)
    shares = [step.share for step in steps]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= s.low <= s.share <= s.high <= 1 for s in steps)
    median = quantile(durations, 0.5).value
    longer = [*durations, Watched(value=1000, ended=False)]
    after = quantile(longer, 0.5).value
    if median is not None and after is not None:
        assert after >= median


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_without_misses_it_is_the_lower_median(values: list[int]) -> None:
    expected = sorted(values)[(len(values) + 1) // 2 - 1]
    assert quantile(seen(*values), 0.5).value == pytest.approx(expected)
