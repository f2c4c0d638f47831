"""The multi-window burn rate, second by second."""

from __future__ import annotations

import pytest

from gameday.kpi.burn import LEAST, LONG_S, BurnRate
from gameday.model.histogram import bucket_of
from gameday.model.project import Slo
from gameday.model.window import Cell, OpenCell, Tick

AVAILABILITY = Slo(name="availability", share=0.999)
LATENCY = Slo(name="latency", share=0.99, latency_ms=300)


def tick(
    second: int, good: int = 0, bad: int = 0, *, ms: int = 50, edge: bool = False, open_ms: int = 0
) -> Tick:
    def cell(outcome: str, n: int) -> Cell:
        response = {bucket_of(ms * 1000): n} if n else {}
        return Cell(
            second=second, journey="j", name="n", outcome=outcome, edge=edge, response=response
        )

    under_way = (OpenCell(journey="j", name="n", ages={bucket_of(open_ms * 1000): 20}),)
    return Tick(
        second=second,
        cells=(cell("ok", good), cell("timeout", bad)),
        open=under_way if open_ms else (),
    )


def fires_at(burn: BurnRate, ticks: list[Tick]) -> int | None:
    return next((t.second for t in ticks if burn.feed([t], t.second).true), None)


def steady(seconds: int, good: int, bad: int, first: int = 0, **more: int) -> list[Tick]:
    return [tick(s, good, bad, **more) for s in range(first, first + seconds)]


@pytest.mark.parametrize(
    ("bad_of_100", "after_s"),
    [
        # L * B * (1 - s) / e of the workbook: 60 s * 14.4 * 0.001 / e, counted in whole seconds
        (100, 1),
        (50, 2),
        (10, 9),
        (2, 44),
        (1, None),  # 10 times too fast is not 14.4 times
    ],
)
def test_detection_time_is_that_of_the_formula(bad_of_100: int, after_s: int | None) -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    ticks = steady(60, 100, 0) + steady(60, 100 - bad_of_100, bad_of_100, first=60)
    assert fires_at(burn, ticks) == (None if after_s is None else 60 + after_s - 1)


def test_it_ends_with_the_short_window() -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    for t in steady(60, 50, 50):
        assert burn.feed([t], t.second).true is not False
    true = [burn.feed([t], t.second).true for t in steady(10, 100, 0, first=60)]
    assert true == [True] * 4 + [False] * 6


def test_the_long_window_forgets() -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    for t in steady(1, 0, 100) + steady(LONG_S - 1, 100, 0, first=1):
        last = burn.feed([t], t.second)
    assert last.n == 6_000
    assert last.long == pytest.approx(100 / 6_000 / 0.001)
    assert burn.feed([tick(60, 100)], 60).long == 0


def test_late_answers_burn_a_latency_budget_only() -> None:
    slow = steady(10, 100, 0, ms=400)
    assert fires_at(BurnRate(LATENCY, overdue_ms=5_000), slow) == 0
    assert fires_at(BurnRate(AVAILABILITY, overdue_ms=5_000), slow) is None
    assert fires_at(BurnRate(LATENCY, overdue_ms=5_000), steady(10, 100, 0, ms=200)) is None


def test_a_black_hole_burns() -> None:
    """Nothing completes, and what is under way is overdue."""
    hole = [tick(s, open_ms=6_000) for s in range(3)]
    assert fires_at(BurnRate(AVAILABILITY, overdue_ms=5_000), hole) == 0
    waiting = [tick(s, open_ms=1_000) for s in range(3)]
    assert fires_at(BurnRate(AVAILABILITY, overdue_ms=5_000), waiting) is None
    assert fires_at(BurnRate(LATENCY, overdue_ms=5_000), waiting) == 0  # 300 ms are over


def test_edges_do_not_count() -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    assert burn.feed([tick(0, 0, 100, edge=True), tick(0, 100)], 0).long == 0


def test_too_few_requests_say_nothing() -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    assert burn.feed([], 0).true is None
    assert burn.feed([tick(1, 0, LEAST - 1)], 1).true is None
    assert burn.feed([tick(2, 0, 1)], 2).true is True


def test_workers_add_up() -> None:
    burn = BurnRate(AVAILABILITY, overdue_ms=5_000)
    assert burn.feed([tick(0, 50), tick(0, 40, 10)], 0).long == pytest.approx(100)


@pytest.mark.parametrize(("share", "can"), [(0.999, True), (0.94, True), (0.93, False)])
def test_an_objective_can_be_too_loose(share: float, can: bool) -> None:
    assert BurnRate(Slo(name="x", share=share), overdue_ms=1).can_fire is can


def test_an_objective_of_everything_allows_nothing() -> None:
    burn = BurnRate(Slo(name="x", share=1.0), overdue_ms=1)
    assert burn.feed([tick(0, 1000)], 0).true is False
    assert burn.feed([tick(1, 999, 1)], 1).true is True
