"""Stop conditions: when they trip, and what they say when nothing can be seen."""

from __future__ import annotations

from typing import Any

from gameday.engine.stop import SILENCE_MS, StopConditions
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.window import Cell, OpenCell, Tick, tick_to_json

LOAD_ON = Event(at_ms=0, kind="load.start", subject="load", phase=Phase.OK)
LOAD_OFF = Event(at_ms=0, kind="load.stop", subject="load", phase=Phase.STARTED)


def conditions(*texts: str, lenient: bool = False) -> StopConditions:
    criteria = [c for c in map(parse_criterion, texts) if isinstance(c, Criterion)]
    assert len(criteria) == len(texts)
    return StopConditions(criteria, overdue_ms=2_000, lenient=lenient)


def window(second: int, *, good: int = 0, bad: int = 0, **more: Any) -> Event:
    took = {bucket_of(50_000): good}
    cells = []
    if good:
        cells.append(
            Cell(second=second, journey="browse", name="/", outcome="ok", response=took)
        )  # fmt: skip
    if bad:
        failed = {bucket_of(1_000): bad}
        cells.append(
            Cell(second=second, journey="browse", name="/", outcome="http_5xx", response=failed)
        )
    worker = more.pop("worker", "0")
    tick = Tick(second=second, worker=worker, cells=tuple(cells), **more)
    at_ms = second * 1000 + 1010
    return Event(at_ms=at_ms, kind="load.window", subject=worker, data=tick_to_json(tick))


def feed(stop: StopConditions, *events: Event) -> list[Event]:
    return [answer for event in events for answer in stop.see(event)]


def test_a_condition_trips_once_when_it_has_held_long_enough() -> None:
    stop = conditions("errors > 50% over 1s for 3s")
    healthy = feed(stop, LOAD_ON, window(0, good=10), window(1, good=4, bad=6))
    assert healthy == []

    tripped = feed(stop, *(window(s, good=1, bad=9) for s in range(2, 9)))

    assert len(tripped) == 1
    event = tripped[0]
    assert (event.kind, event.phase) == ("stop.tripped", Phase.NOTED)
    assert event.subject == "errors > 50% over 1s for 3s"
    assert event.data["status"] == "stopped"
    assert event.data["value"] == 0.9
    assert event.data["second"] == 3
    assert event.data["reason"] == "`errors > 50% over 1s for 3s`: 90 % of 10 requests, for 3 s"


def test_a_break_begins_the_count_anew() -> None:
    stop = conditions("errors > 50% over 1s for 3s")
    events = [window(s, bad=9) for s in (0, 1)] + [window(2, good=9)]
    events += [window(s, bad=9) for s in (3, 4)]

    assert feed(stop, *events) == []
    assert feed(stop, window(5, bad=1))


def test_each_condition_trips_for_itself() -> None:
    stop = conditions("errors > 50% over 1s", "p50 > 20ms over 1s", "checkout errors > 1%")

    tripped = feed(stop, window(0, good=100, bad=200))

    assert [e.subject for e in tripped] == ["errors > 50% over 1s", "p50 > 20ms over 1s"]
    assert tripped[1].data["reason"] == "`p50 > 20ms over 1s`: 50 ms, n = 100"


def test_a_black_hole_in_which_nothing_ends_trips_too() -> None:
    stop = conditions("errors > 50% over 1s", "p95 > 1s over 1s")
    stuck = OpenCell(journey="browse", name="/", ages={bucket_of(3_000_000): 40})

    tripped = feed(stop, window(0, good=10, open=(stuck,)))

    assert [e.subject for e in tripped] == ["errors > 50% over 1s", "p95 > 1s over 1s"]


def test_requests_cut_by_an_announced_edge_do_not_count() -> None:
    stop = conditions("errors > 10% over 1s")
    cut = Cell(
        second=0, journey="a", name="/", outcome="connection", edge=True,
        response={bucket_of(10): 500},
    )  # fmt: skip
    tick = Tick(second=0, cells=(cut,))
    event = Event(at_ms=1, kind="load.window", subject="0", data=tick_to_json(tick))

    assert feed(stop, event) == []


def test_the_ticks_of_several_workers_are_judged_together() -> None:
    stop = conditions("errors > 50% over 1s")
    begin = [window(0, good=1, worker=w) for w in "ab"]
    assert feed(stop, *begin) == []

    assert feed(stop, window(1, bad=10, worker="a")) == [], "the other worker is not in yet"
    assert feed(stop, window(1, good=30, worker="b")) == []
    assert feed(stop, window(2, bad=10, worker="b")) == []
    tripped = feed(stop, window(2, good=2, worker="a"))
    assert [e.data["n"] for e in tripped] == [12]


def test_a_slow_worker_is_not_waited_for_but_counts_later() -> None:
    stop = conditions("errors > 50% over 1s")
    feed(stop, *(window(0, good=1, worker=w) for w in "ab"))
    assert feed(stop, window(1, good=10, worker="a"), window(2, good=10, worker="a")) == []

    assert feed(stop, window(3, good=10, worker="a")) == [], "second 1 is judged without b"
    assert feed(stop, window(1, bad=90, worker="b")) == [], "kept"
    tripped = feed(stop, window(2, bad=1, worker="b"))

    assert [e.data["n"] for e in tripped] == [101], "90 late ones, 10 of a, 1 of b"


def test_a_worker_that_is_gone_is_not_expected_any_more() -> None:
    stop = conditions("errors > 50% over 1s")
    feed(stop, *(window(0, good=1, worker=w) for w in "ab"))
    feed(stop, *(window(s, good=1, worker="a") for s in range(1, 6)))

    assert feed(stop, window(6, bad=10, worker="a")), "judged at once"


def test_silence_makes_the_run_invalid() -> None:
    stop = conditions("errors > 50%")
    assert stop.tick(60_000) == [], "the load has not begun"
    feed(stop, LOAD_ON, window(0, good=1))
    assert stop.tick(1010 + SILENCE_MS - 1) == []

    tripped = stop.tick(1010 + SILENCE_MS)

    assert [(e.kind, e.subject, e.data["status"]) for e in tripped] == [
        ("stop.tripped", "signal", "invalid")
    ]
    assert "5 s" in tripped[0].data["reason"]
    assert stop.tick(30_000) == [], "once"


def test_silence_is_only_noted_where_that_is_enough_and_again_after_a_recovery() -> None:
    stop = conditions("errors > 50%", lenient=True)
    feed(stop, LOAD_ON)

    assert stop.tick(5_000) == [Event(kind="stop.blind", subject="load", data={"since_ms": 0})]
    assert stop.tick(6_000) == []
    feed(stop, window(6, good=1))
    assert [e.kind for e in stop.tick(20_000)] == ["stop.blind"]


def test_a_load_that_is_being_stopped_may_be_silent_and_trips_nothing() -> None:
    stop = conditions("errors > 50% over 1s")
    feed(stop, LOAD_ON, LOAD_OFF)

    assert stop.tick(60_000) == []
    assert feed(stop, window(3, bad=100)) == []
    assert feed(stop, Event(kind="load.lost", subject="load")) == []


def test_a_load_that_died_stops_the_run_everywhere() -> None:
    for lenient in (False, True):
        stop = conditions("errors > 50%", lenient=lenient)
        lost = Event(kind="load.lost", subject="load", data={"why": "exit code 1"})

        tripped = feed(stop, LOAD_ON, lost)

        assert [(e.subject, e.data["status"]) for e in tripped] == [("signal", "invalid")]
        assert "exit code 1" in tripped[0].data["reason"]
        assert stop.tick(60_000) == []


def test_margins_show_the_last_reading() -> None:
    stop = conditions("errors > 50% over 1s for 10s")
    assert stop.readings()[0].reading is None
    feed(stop, window(0, good=6, bad=4))

    margin = stop.readings()[0]

    assert margin.text == "errors > 50% over 1s for 10s"
    assert (margin.limit, margin.for_ms) == (0.5, 10_000)
    assert margin.reading is not None
    assert (margin.reading.value, margin.reading.n, margin.reading.true) == (0.4, 10, False)
