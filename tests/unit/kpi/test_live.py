"""A criterion judged each second while the load runs."""

from __future__ import annotations

from gameday.kpi.live import LiveCriterion, Reading
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.histogram import bucket_of
from gameday.model.window import Cell, OpenCell, Tick


def live(text: str, overdue_ms: int = 2_000) -> LiveCriterion:
    criterion = parse_criterion(text)
    assert isinstance(criterion, Criterion)
    return LiveCriterion(criterion, overdue_ms=overdue_ms)


def cell(outcome: str = "ok", n: int = 1, ms: int = 50, **more: object) -> Cell:
    keys = {"second": 0, "journey": "browse", "name": "GET /", **more}
    return Cell(outcome=outcome, response={bucket_of(ms * 1000): n}, **keys)  # type: ignore[arg-type]


def tick(second: int, *cells: Cell, open_ms: tuple[int, int] | None = None) -> Tick:
    pending = ()
    if open_ms is not None:
        age_ms, n = open_ms
        ages = {bucket_of(age_ms * 1000): n}
        pending = (OpenCell(journey="browse", name="GET /", ages=ages),)
    return Tick(second=second, cells=cells, open=pending)


def feed(found: LiveCriterion, *ticks: Tick) -> list[Reading]:
    return [found.feed([each], each.second) for each in ticks]


def test_what_completed_in_the_window_counts_and_then_falls_out_of_it() -> None:
    readings = feed(
        live("errors > 10% over 2s"),
        tick(0, cell("timeout", 5), cell(n=5)),
        tick(1, cell(n=10)),
        tick(2, cell(n=10)),
    )

    assert [r.value for r in readings] == [0.5, 0.25, 0.0]
    assert [r.n for r in readings] == [10, 20, 20]
    assert [r.true for r in readings] == [True, True, False]


def test_held_time_counts_whole_seconds_and_begins_anew() -> None:
    bad, good = cell("http_5xx"), cell()
    seconds = [tick(s, each) for s, each in enumerate([bad, bad, good, bad])]

    assert [r.held_ms for r in feed(live("errors > 50% over 1s"), *seconds)] == [
        1000, 2000, 0, 1000,
    ]  # fmt: skip


def test_nothing_to_judge_is_not_a_value_and_breaks_what_held() -> None:
    found = live("errors > 50% over 1s")
    readings = feed(found, tick(0, cell("timeout")), tick(1), tick(2, cell("timeout")))

    assert (readings[1].value, readings[1].true, readings[1].n) == (None, None, 0)
    assert readings[2].held_ms == 1000


def test_requests_under_way_count_once_they_are_overdue() -> None:
    errors = live("errors > 50% over 1s")
    assert feed(errors, tick(0, cell(), open_ms=(1_900, 9)))[0].value == 0.0
    assert feed(errors, tick(1, cell(), open_ms=(2_100, 9)))[0].value == 0.9

    latency = live("p90 > 1s over 1s")
    assert feed(latency, tick(0, open_ms=(1_900, 9)))[0].value is None
    value = feed(latency, tick(1, cell(), open_ms=(5_000, 9)))[0].value
    assert value is not None
    assert abs(value - 5_000) < 20


def test_failures_have_no_part_in_latency() -> None:
    reading = feed(live("p50 > 1s over 1s"), tick(0, cell("timeout", 9, ms=5_000), cell()))[0]

    assert reading.n == 1
    assert reading.true is False


def test_goodput_is_the_good_share() -> None:
    assert (
        feed(live("goodput < 90% over 1s"), tick(0, cell(n=3), cell("other", 1)))[0].value == 0.75
    )


def test_requests_cut_by_an_edge_never_count() -> None:
    reading = feed(live("errors > 1% over 1s"), tick(0, cell("connection", 50, edge=True), cell()))

    assert (reading[0].value, reading[0].n) == (0.0, 1)


def test_a_subject_is_a_journey_or_a_request() -> None:
    cells = (cell("timeout"), cell(journey="checkout", name="POST /checkout"))
    values = {
        text: feed(live(f"{text} over 1s"), tick(0, *cells))[0].value
        for text in ("browse errors > 1%", "GET / errors > 1%", "checkout errors > 1%",
                     "nobody errors > 1%")
    }  # fmt: skip

    assert list(values.values()) == [1.0, 1.0, 0.0, None]


def test_all_workers_of_a_second_count_together() -> None:
    found = live("errors > 50% over 1s")
    reading = found.feed([tick(0, cell("timeout", 3)), tick(0, cell(n=1))], 0)

    assert (reading.value, reading.n) == (0.75, 4)
