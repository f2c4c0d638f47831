"""Cutting a stretch of time out of the cells, and deciding only what the samples can carry."""

from __future__ import annotations

import pytest

from gameday.kpi.stats import cells_between, decide, measure, needed, stats, ticks_of
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Timeline
from gameday.model.histogram import bucket_of, measurable
from gameday.model.window import Cell, Tick, tick_to_json


def criterion(text: str) -> Criterion:
    found = parse_criterion(text)
    assert isinstance(found, Criterion)
    return found


def cell(second: int = 0, outcome: str = "ok", n: int = 1, ms: float = 50, **more: object) -> Cell:
    keys = {"journey": "browse", "name": "GET /", **more}
    response = {bucket_of(int(ms * 1000)): n}
    return Cell(second=second, outcome=outcome, response=response, service=response, **keys)  # type: ignore[arg-type]


def test_cells_are_cut_by_their_whole_second_of_intended_start() -> None:
    ticks = [Tick(second=9, cells=tuple(cell(second=s) for s in range(6)))]

    assert [c.second for c in cells_between(ticks, 1_000, 4_000)] == [1, 2, 3]
    assert [c.second for c in cells_between(ticks, 1_001, 3_999)] == [2]


def test_ticks_are_those_of_the_timeline() -> None:
    tick = Tick(second=3, cells=(cell(),))
    noted = Event(seq=0, at_ms=1, kind="load.window", subject="0", data=tick_to_json(tick))

    assert ticks_of(Timeline([noted])) == (tick,)


def test_failures_are_told_apart_and_stay_out_of_latency() -> None:
    found = stats(
        [cell(n=6), cell(outcome="timeout", n=3, ms=5_000), cell(outcome="http_5xx"),
         cell(outcome="connection", n=9, edge=True)]
    )  # fmt: skip

    assert (found.good, found.bad, found.n, found.edge) == (6, 4, 10, 9)
    assert found.failures == {"timeout": 3, "http_5xx": 1}
    assert (found.error_ratio, found.goodput_ratio) == (0.4, 0.6)
    assert sum(found.response.values()) == sum(found.service.values()) == 6


def test_a_subject_is_a_journey_or_a_request() -> None:
    cells = [cell(), cell(journey="checkout", name="POST /checkout", n=5)]

    assert [stats(cells, s).n for s in (None, "browse", "POST /checkout", "nobody")] == [6, 1, 5, 0]


def test_nothing_has_no_ratio() -> None:
    found = stats([])

    assert (found.error_ratio, found.goodput_ratio, found.percentile_ms(0.5)) == (None, None, None)
    assert measure(criterion("errors < 1%"), found).why == "no requests were judged"
    assert decide(criterion("errors < 1%"), found).holds is None


def test_a_percentile_is_withheld_when_too_few_lie_beyond_it() -> None:
    short, enough = stats([cell(n=199)]), stats([cell(n=200)])

    withheld = measure(criterion("p95 < 1s"), short)
    assert (withheld.value, withheld.n) == (None, 199)
    assert withheld.why == "only 199 good answers; p95 needs 200"
    value = measure(criterion("p95 < 1s"), enough).value
    assert value is not None
    assert abs(value - 50) < 0.5


@pytest.mark.parametrize("q", [0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
def test_needed_is_the_smallest_number_that_is_enough(q: float) -> None:
    assert measurable(needed(q), q)
    assert not measurable(needed(q) - 1, q)


DECIDED = {
    "holds": ("errors < 5%", 990, 10, True),
    "does not hold": ("errors < 5%", 900, 100, False),
    "none failed and enough were asked": ("errors < 1%", 100, 0, True),
    "none failed of too few": ("errors < 1%", 99, 0, None),
    "one failed of too few": ("errors < 1%", 98, 1, False),
    "goodput of too few": ("goodput > 99%", 50, 0, None),
    "goodput of enough": ("goodput > 99%", 500, 0, True),
    "a limit of nothing": ("errors <= 0%", 50, 0, True),
}


@pytest.mark.parametrize("name", DECIDED)
def test_a_share_is_decided_only_if_it_can_be_seen(name: str) -> None:
    text, good, bad, holds = DECIDED[name]
    cells = [cell(n=good)] + ([cell(outcome="timeout", n=bad)] if bad else [])

    assert decide(criterion(text), stats(cells)).holds is holds


@pytest.mark.parametrize(("ms", "holds"), [(90, True), (99.9, None), (100.1, None), (110, False)])
def test_a_percentile_next_to_its_limit_is_not_decided(ms: float, holds: bool | None) -> None:
    found = decide(criterion("p50 < 100ms"), stats([cell(n=100, ms=ms)]))

    assert found.holds is holds
    assert found.n == 100
