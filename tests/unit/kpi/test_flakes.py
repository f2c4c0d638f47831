"""A flake is a verdict that nobody can explain by a change that stayed."""

from __future__ import annotations

import pytest

from gameday.kpi.alert_numbers import wilson
from gameday.kpi.flakes import flake_rate, flake_text
from gameday.model.verdict import Outcome

OF = {"P": Outcome.PASS, "F": Outcome.FAIL}


@pytest.mark.parametrize(
    ("plans", "k", "n"),
    [
        (["PPPP"], 0, 2),
        (["PFP"], 1, 1),
        (["PPFPP"], 1, 3),
        (["PPFFFF"], 0, 4),  # a regression that stays
        (["FFFPPP"], 0, 4),  # and its repair
        (["FPPP", "PPPF"], 0, 4),  # the ends cannot be told
        (["PFPFP"], 3, 3),
        (["PFP", "PPP"], 1, 2),
    ],
)
def test_a_verdict_unlike_both_of_its_neighbours_is_a_flake(
    plans: list[str], k: int, n: int
) -> None:
    rate = flake_rate({str(i): [OF[c] for c in runs] for i, runs in enumerate(plans)})

    assert (rate.k, rate.n, rate.runs) == (k, n, sum(map(len, plans)))
    assert (rate.low, rate.high) == wilson(k, n)


def test_too_few_runs_are_not_a_rate_of_zero() -> None:
    rate = flake_rate({"a": [Outcome.PASS, Outcome.FAIL]})

    assert rate.low is None
    assert flake_text(rate) == (
        "flake rate not measured: 2 valid runs of these plans, and it takes 3 of one plan"
    )


def test_the_rate_comes_with_its_interval() -> None:
    rate = flake_rate({"a": [OF[c] for c in "PP" + "FP" + "P" * 38]})

    assert flake_text(rate) == "flake rate 1 of 40 runs (95 %: 0.44 % to 12.88 %)"
