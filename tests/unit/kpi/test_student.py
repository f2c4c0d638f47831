"""Quantiles against published tables."""

from __future__ import annotations

import pytest

from gameday.kpi.student import normal_quantile, share_difference, share_interval, t_quantile

#: (tail, degrees of freedom, value) as printed in tables of Student's t.
TABLE = [
    (0.25, 1, 1.000), (0.025, 1, 12.706), (0.025, 2, 4.303), (0.05, 3, 2.353),
    (0.025, 4, 2.776), (0.0005, 5, 6.869), (0.01, 7, 2.998), (0.025, 8, 2.306),
    (0.005, 9, 3.250), (0.001, 2, 22.327), (0.005, 30, 2.750),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "df", "value"), TABLE)
def test_students_t_is_that_of_the_tables(tail: float, df: int, value: float) -> None:
    assert t_quantile(tail, df) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize(("tail", "df"), [(0.0, 3), (0.5, 3), (0.9, 3), (0.1, 0)])
def test_there_is_no_quantile_of_what_is_no_tail(tail: float, df: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(tail, df)


def test_with_many_degrees_of_freedom_it_is_the_normal_one() -> None:
    assert normal_quantile(0.025) == pytest.approx(1.959964, abs=1e-6)
    assert t_quantile(0.025, 2_000) == pytest.approx(normal_quantile(0.025), abs=2e-3)


def test_the_difference_of_shares_is_that_of_newcombes_paper() -> None:
    """Table II of the paper, example (a): 56/70 less 48/80."""
    low, high = share_difference((56, 70), (48, 80), normal_quantile(0.025))

    assert (low, high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_a_share_of_none_still_has_an_upper_end() -> None:
    assert share_interval(0, 100, 1.96)[0] == 0
    assert share_interval(0, 100, 1.96)[1] == pytest.approx(0.037, abs=1e-3)
    assert share_interval(100, 100, 1.96)[1] == pytest.approx(1)
