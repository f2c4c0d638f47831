"""Numbers over the alerts of a run: by hand, and what few cases cannot show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.kpi.alert_numbers import alert_numbers, median_interval, wilson
from gameday.model.alerting import (
    AlertNumber,
    AlertVerdict,
    AlertWord,
    MissReason,
    OtherEpisode,
    OtherWord,
)


def verdict(word: str, *, firing_ms: int | None = None, **more: Any) -> AlertVerdict:
    usual: dict[str, Any] = {
        "alert": "A", "labels": {}, "fault": "slow", "receiver": "pager", "reason": "", "notes": (),
        "missed": MissReason.NONE, "within_ms": 10_000, "firing_error_ms": 1_000,
        "delivered_after_ms": None, "reset_ms": None, "reset_error_ms": None,
        "firings": 0 if firing_ms is None else 1, "evidence": (),
    }  # fmt: skip
    return AlertVerdict(
        **{**usual, "verdict": AlertWord(word), "firing_after_ms": firing_ms, **more}
    )


def other(word: str) -> OtherEpisode:
    return OtherEpisode(
        alert="B", labels={}, word=OtherWord(word), firing_ms=1, ended_ms=2, error_ms=0,
        delivered=0, evidence=(),
    )  # fmt: skip


def numbers(
    verdicts: list[AlertVerdict], others: list[OtherEpisode] | None = None
) -> dict[str, AlertNumber]:
    found = alert_numbers(verdicts, others or [])
    return {one.name: one for one in found}


MIXED = [
    verdict("caught", firing_ms=4_000, firings=3, delivered_after_ms=5_000, reset_ms=2_000),
    verdict("late", firing_ms=30_000, fault="other"),
    verdict("missed"),
    verdict("undelivered", firing_ms=3_000),
    verdict("too_early", firing_ms=1_000),
    verdict("inconclusive"),
    verdict("already_firing"),
]
NOISE = [*map(other, ("unexpected", "forbidden", "tolerated", "baseline"))]


def test_by_hand() -> None:
    found = numbers(MIXED, NOISE)

    assert {name: (one.value, one.n) for name, one in found.items()} == {
        "recall_in_time": (1 / 4, 4),
        "recall_eventual": (2 / 4, 4),
        "precision": (2 / 5, 5),  # caught, late; unexpected, forbidden, too early
        "noise_ratio": (5 / 7, 7),  # and twice the same again
        "storm_factor": ((3 + 1 + 1 + 1 + 3) / 2, 2),
        "ttd_firing": (17_000, 2),
        "ttd_delivered": (5_000, 1),
        "tta": (None, 0),
        "reset": (2_000, 1),
    }
    assert found["recall_in_time"].text == (
        "1 of 4 expected alerts were caught; 3 more could not be judged"
    )
    assert "2 of 4 never" in found["ttd_firing"].text
    assert "4000 to 30000 ms" in found["ttd_firing"].text


def test_one_case_has_no_interval_and_says_so() -> None:
    found = numbers([verdict("caught", firing_ms=4_000, delivered_after_ms=4_100, reset_ms=900)])

    for name in ("recall_in_time", "precision", "ttd_firing", "ttd_delivered", "reset"):
        assert (found[name].n, found[name].low, found[name].high) == (1, None, None)
        assert "n = 1" in found[name].text


@pytest.mark.parametrize("verdicts", [[], [verdict("inconclusive"), verdict("already_firing")]])
def test_nothing_known_is_no_number(verdicts: list[AlertVerdict]) -> None:
    assert numbers(verdicts, NOISE) == {}


def test_an_acknowledgement_counts_from_the_arrival_of_its_own_alert() -> None:
    def told(arrived: int | None, taken: int | None, by: str = "pager") -> AlertVerdict:
        return verdict(
            "caught", firing_ms=900, delivered_after_ms=arrived, acknowledged_after_ms=taken,
            acknowledged_by="" if taken is None else by,
        )  # fmt: skip

    found = numbers([told(1_000, 7_500), told(2_000, 4_500, "by hand"), told(1_000, None)])["tta"]
    assert (found.value, found.n) == (4_500, 2)
    assert "told: pager, by hand" in found.text
    assert "1 of 3 never" in found.text
    before = numbers([told(5_000, 4_000)])["tta"]
    assert (before.value, before.n) == (None, 0)
    assert before.text.endswith("nobody told gameday of one after its arrival")
    assert numbers([told(None, 4_000)])["tta"].n == 0


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=0.001)
    assert wilson(0, 5) == pytest.approx((0.0, 0.434), abs=0.001)
    assert wilson(5, 5) == pytest.approx((0.566, 1.0), abs=0.001)


@given(st.integers(1, 500), st.data())
def test_a_share_lies_in_its_interval(n: int, data: Any) -> None:
    k = data.draw(st.integers(0, n))
    low, high = wilson(k, n)

    assert 0 <= low <= k / n + 1e-12
    assert k / n - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("n", "ranks"), [(5, None), (6, (1, 6)), (9, (2, 8)), (20, (6, 15)), (50, (18, 33))]
)
def test_the_interval_of_a_median_is_that_of_the_tables(
    n: int, ranks: tuple[int, int] | None
) -> None:
    """Conover, Practical Nonparametric Statistics, table of the binomial with p = 1/2."""
    assert median_interval([float(i) for i in range(n, 0, -1)]) == ranks
