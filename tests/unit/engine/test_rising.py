"""A rising load: when it is told to rise no more, and when not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gameday.engine.rising import RisingLoad
from gameday.kpi import generator
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.scenario import Breakpoint, LoadSpec
from gameday.model.shape import Stretch, constant
from gameday.model.window import Cell, OpenCell, Tick, tick_to_json

BEGUN_S, FIRST_S, EACH_S = 1, 11, 10
RATES = (100, 200, 300)
LOAD = LoadSpec(
    target="shop",
    timeout_ms=3_000,
    shape=(
        Stretch(from_per_s=50, to_per_s=50, length_ms=(FIRST_S - BEGUN_S) * 1000),
        *(Stretch(from_per_s=r, to_per_s=r, length_ms=EACH_S * 1000) for r in RATES),
        *constant(50),
    ),
    breakpoint=Breakpoint(from_per_s=50),
)
Says = Callable[[int], Tick]


def rate(second: int) -> int:
    step = (second - FIRST_S) // EACH_S
    return RATES[step] if 0 <= step < len(RATES) else 50


def cell(second: int, n: int, ms: float, outcome: str = "ok") -> Cell:
    response = {bucket_of(int(ms * 1000)): n}
    return Cell(second=second, journey="j", name="r", outcome=outcome, response=response)


def tick(second: int, *cells: Cell, lag_ms: float = 0.5, **more: object) -> Tick:
    lag = {bucket_of(int(lag_ms * 1000)): rate(second)}
    return Tick(second=second, cells=cells, start_lag=lag, users=500, **more)  # type: ignore[arg-type]


def well(second: int) -> Tick:
    return tick(second, cell(second, rate(second), 20))


def slow(share: float, ms: float = 900, outcome: str = "ok", from_s: int = FIRST_S) -> Says:
    def says(second: int) -> Tick:
        bad = round(rate(second) * share) if second >= from_s else 0
        good = cell(second, rate(second) - bad, 20)
        return tick(second, good, cell(second, bad, ms, outcome)) if bad else tick(second, good)

    return says


def silent(second: int) -> Tick:
    """A black hole: nothing completes any more, everything is under way."""
    if second < FIRST_S:
        return well(second)
    ages = {bucket_of((second - s) * 1_000_000 + 500_000): rate(s)
            for s in range(FIRST_S, second + 1)}  # fmt: skip
    return tick(second, open=(OpenCell(journey="j", name="r", ages=ages),))


def saturated(second: int) -> Tick:
    return tick(second, cell(second, rate(second), 20), lag_ms=80)


def slow_and_saturated(second: int) -> Tick:
    return tick(second, cell(second, rate(second), 900), lag_ms=800)


def told(says: Says, *limits: str, before: tuple[Event, ...] = ()) -> tuple[int, Event] | None:
    """The second after which the load was told, and what."""
    criteria = [parse_criterion(text) for text in limits or ("errors < 1%", "p95 < 300ms")]
    fold = RisingLoad(LOAD, [c for c in criteria if isinstance(c, Criterion)], slack_ms=30)
    started = Event(kind="load.start", subject="load", phase=Phase.OK, data={"first_second": 1})
    found = [e for event in (started, *before) for e in fold.see(event)]
    for second in range(BEGUN_S, 60):
        event = Event(kind="load.window", subject="0", data=tick_to_json(says(second)))
        found += fold.see(event)
        if found:
            assert not list(fold.see(event))  # once
            return second, found[0]
    return None


ROWS: dict[str, tuple[Says, tuple[str, ...], int | None, str, str]] = {
    "all is well": (well, (), None, "", ""),
    "slow before it rose is the baseline's affair": (
        lambda s: tick(s, cell(s, rate(s), 900)) if s < FIRST_S else well(s), (), None, "", "",
    ),
    "all slow: certain when one in twenty of the whole step is": (
        slow(1), (), FIRST_S, "service", "p95 < 300ms",
    ),
    "fewer than the percentile allows": (slow(0.04), (), None, "", ""),
    "one in ten: when half of the step has shown it, at what the first seconds promise": (
        slow(0.1), (), FIRST_S + 5, "service", "p95 < 300ms",
    ),
    "errors": (slow(0.03, 20, "http_5xx"), (), FIRST_S + 3, "service", "errors < 1%"),
    "goodput": (slow(0.03, 20, "http_5xx"), ("goodput > 99%",), FIRST_S + 3, "service", "goodput"),
    "only at the second step": (
        slow(1, from_s=FIRST_S + EACH_S), (), FIRST_S + EACH_S, "service", "p95 < 300ms",
    ),
    "nothing completes, and the limit has passed": (
        silent, (), FIRST_S, "service", "p95 < 300ms",
    ),
    "nothing completes, and only errors are limited": (
        silent, ("errors < 5%",), FIRST_S + 3, "service", "errors < 5%",
    ),
    "a limit from below is no matter of load": (slow(1), ("p50 > 10ms",), None, "", ""),
    "the generator at two steps in a row": (
        saturated, (), FIRST_S + 2 * EACH_S - 1, "generator", "",
    ),
    "broken, but by the generator": (
        slow_and_saturated, (), FIRST_S, "generator", "p95 < 300ms",
    ),
    "the generator at one step only": (
        lambda s: saturated(s) if s < FIRST_S + EACH_S else well(s), (), None, "", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_rising(row: tuple[Says, tuple[str, ...], int | None, str, str]) -> None:
    says, limits, second, by, objective = row

    got = told(says, *limits)

    assert (None if got is None else got[0]) == second
    if got is not None:
        assert (got[1].kind, got[1].data["by"]) == ("load.capped", by)
        assert objective in got[1].data["objective"]


def test_a_run_that_is_being_stopped_is_told_nothing() -> None:
    stop = Event(kind="stop.tripped", subject="errors > 50%")
    assert told(slow(1), before=(stop,)) is None


def test_what_the_step_showed_late_still_counts() -> None:
    """Every request of the first step's last second is answered only after the step was over."""

    def says(second: int) -> Tick:
        if second == FIRST_S + EACH_S - 1:
            return tick(second)
        if second == FIRST_S + EACH_S:
            return tick(second, cell(second - 1, 100, 1_100), cell(second, 200, 20))
        return well(second)

    got = told(says)
    assert got is not None
    assert (got[0], got[1].data["step"]) == (FIRST_S + EACH_S, 1)


def test_of_several_workers_all_are_waited_for() -> None:
    fold = RisingLoad(LOAD, [parse_criterion("p95 < 300ms")], slack_ms=30)  # type: ignore[list-item]
    fold.see(Event(kind="load.start", subject="load", phase=Phase.OK, data={"first_second": 1}))

    def see(worker: str, second: int, ms: float) -> list[Event]:
        one = Tick(second=second, worker=worker, cells=(cell(second, rate(second) // 2, ms),))
        return list(fold.see(Event(kind="load.window", subject=worker, data=tick_to_json(one))))

    for second in range(1, FIRST_S):
        assert not see("0", second, 20)
        assert not see("1", second, 20)
    assert not see("0", FIRST_S, 900)  # how much the other one saw is not known yet
    assert see("1", FIRST_S, 900)

    gone = Event(kind="load.worker", subject="1", data={"state": "lost"})
    fold = RisingLoad(LOAD, [parse_criterion("p95 < 300ms")], slack_ms=30)  # type: ignore[list-item]
    fold.see(Event(kind="load.start", subject="load", phase=Phase.OK, data={"first_second": 1}))
    for second in range(1, FIRST_S):
        see("0", second, 20)
        see("1", second, 20)
    fold.see(gone)  # one that was lost keeps nobody waiting
    assert see("0", FIRST_S, 900)


def test_one_worker_that_is_late_is_not_hidden_by_the_others() -> None:
    fine = [tick(second, worker=str(worker)) for second in range(20) for worker in range(3)]
    late = [tick(second, lag_ms=80, worker="3") for second in range(20)]
    assert "start lag was 80" in generator.saturated([*fine, *late], 30)
    stuck = [tick(second, worker="3", loop_lag_ms=90.0) for second in range(20)]
    assert "loop ran 90" in generator.saturated([*fine, *stuck], 30)
    assert generator.saturated(fine, 30) == ""
