"""Stop conditions on endpoints, queries and alerts: when they trip, and when nobody can see."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.engine.signals import SILENCE_MS, silence_ms
from gameday.engine.stop import StopConditions
from gameday.model.event import Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.scenario import StopSignal
from gameday.model.window import Cell, OpenCell, Tick, tick_to_json

HEALTH = StopSignal(text="health fails for 3s", kind="http", url="http://x/", for_ms=3_000)
LAG = StopSignal(
    text="promql lag > 10 for 2s", kind="promql", query="lag", limit=10.0, for_ms=2_000
)
AT_ONCE = StopSignal(text="promql up < 1", kind="promql", query="up", op="<", limit=1.0)
PAGES = StopSignal(
    text="alert Overload{severity=page}", kind="alert", name="Overload",
    labels={"severity": "page"},
)  # fmt: skip
STUCK = StopSignal(text="alert Stuck for 2s", kind="alert", name="Stuck", for_ms=2_000)
GOOD = {"ok": True, "bad": False, "value": 3.0, "ms": 5.0, "error": None}
BAD = {"ok": True, "bad": True, "value": 12.5, "ms": 0.0, "error": None}
REFUSED = {"ok": False, "bad": True, "value": None, "ms": 0.0, "error": "refused"}
UNREAD = {"ok": False, "bad": False, "value": None, "ms": 9.0, "error": "the query gives no data"}


def conditions(*signals: StopSignal, lenient: bool = False, **more: Any) -> StopConditions:
    return StopConditions([], overdue_ms=2_000, lenient=lenient, signals=signals, **more)


def sample(at_ms: int, data: dict[str, Any], signal: StopSignal = LAG, **more: Any) -> Event:
    return Event(at_ms=at_ms, kind="signal.sample", subject=signal.text, data={**data, **more})


def alert(at_ms: int, name: str, state: str = "firing", **labels: str) -> Event:
    data = {"source": "prometheus", "labels": {"alertname": name, **labels}}
    return Event(at_ms=at_ms, kind=f"alert.{state}", subject=name, data=data)


def source(at_ms: int, state: str, name: str = "prometheus", error: str = "") -> Event:
    return Event(at_ms=at_ms, kind=f"alert.source.{state}", subject=name, data={"error": error})


def play(stop: StopConditions, *events: Event, until_ms: int | None = None) -> list[Event]:
    """Feed *events* with a tick each quarter of a second, on to *until_ms*."""
    found, waiting = [], list(events)
    last = until_ms if until_ms is not None else max(e.at_ms for e in events)
    for now_ms in range(0, last + 1, 250):
        while waiting and waiting[0].at_ms <= now_ms:
            found += stop.see(waiting.pop(0))
        found += stop.tick(now_ms)
    return found


def each_second(data: dict[str, Any], *seconds: int, signal: StopSignal = LAG) -> list[Event]:
    return [sample(s * 1000, data, signal) for s in seconds]


G, B, U = GOOD, BAD, UNREAD


@pytest.mark.parametrize(
    ("seconds", "trips_at"),
    [
        ([G, G, G, G, G, G], None),
        ([B, B, B], 2),
        ([G, B, B, B], 3),
        ([B, B, G, B, B, G], None),  # an interruption begins the count anew
        ([B, B, G, B, B, B], 5),
        ([B, U, B], 2),  # one question without an answer shows nothing
        ([B, U, U], None),  # and is no evidence either
        ([U, U, G, U, U], None),
        ([B], None),
    ],
)
def test_a_query_trips_when_it_was_bad_without_interruption(
    seconds: list[dict[str, Any]], trips_at: int | None
) -> None:
    found = []
    stop = conditions(LAG)
    for second, data in enumerate(seconds):
        found += [(second, e) for e in stop.see(sample(second * 1000, data))]

    assert [second for second, _ in found] == ([] if trips_at is None else [trips_at])
    for _, event in found:
        assert (event.kind, event.subject, event.phase) == (
            "stop.tripped", LAG.text, Phase.NOTED,
        )  # fmt: skip
        assert event.data == {
            "reason": "`promql lag > 10 for 2s`: 12.5 is above 10, for 2 s",
            "status": "stopped",
            "value": 12.5,
            "held_ms": 2_000,
        }


def test_what_held_counts_from_when_the_first_answer_was_asked_for() -> None:
    """An endpoint that hangs: each question takes two seconds to be given up."""
    stop = conditions(HEALTH)
    hanging = {**REFUSED, "ms": 2_000.0, "error": "no answer within 2 s"}
    assert stop.see(sample(2_000, hanging, HEALTH)) == []

    (tripped,) = stop.see(sample(4_000, hanging, HEALTH))

    assert tripped.data["status"] == "stopped"
    assert tripped.data["held_ms"] == 4_000
    assert tripped.data["reason"] == "`health fails for 3s`: no answer within 2 s, for 4 s"


def test_a_status_is_named() -> None:
    stop = conditions(HEALTH)
    (tripped,) = play(stop, *(sample(s * 1000, {**BAD, "value": 503}, HEALTH) for s in range(10)))
    assert tripped.data["reason"] == "`health fails for 3s`: answered 503, for 3 s"


def test_without_a_length_the_first_bad_answer_trips_and_only_once() -> None:
    stop = conditions(AT_ONCE)
    found = play(stop, *(sample(s * 1000, {**BAD, "value": 0.0}, AT_ONCE) for s in range(4)))

    assert [e.data["reason"] for e in found] == ["`promql up < 1`: 0 is below 1"]


def test_each_signal_trips_for_itself_and_others_are_nobodys() -> None:
    stop = conditions(LAG, AT_ONCE)
    stranger = Event(at_ms=0, kind="signal.sample", subject="another", data=BAD)

    assert stop.see(stranger) == []
    assert [e.subject for e in stop.see(sample(0, BAD, AT_ONCE))] == [AT_ONCE.text]


@pytest.mark.parametrize("data", [UNREAD, None], ids=["unreadable", "silent"])
def test_a_signal_that_cannot_be_read_stops_the_run_as_invalid(data: Any) -> None:
    stop = conditions(LAG)
    events = each_second(GOOD, 0, 1)
    events += each_second(UNREAD, 2, 3, 4, 5, 6, 7, 8) if data else []

    (tripped,) = play(stop, *events, until_ms=30_000)

    assert (tripped.subject, tripped.data["status"]) == (LAG.text, "invalid")
    assert tripped.data["since_ms"] == 1_000
    why = " (the query gives no data)" if data else ""
    assert tripped.data["reason"] == (
        f"`{LAG.text}` could not be read for 5 s{why}, so nothing could stop the run"
    )


def test_a_signal_that_was_never_read_counts_from_the_beginning() -> None:
    stop = conditions(LAG)

    assert play(stop, until_ms=SILENCE_MS - 250) == []
    assert [e.data["status"] for e in stop.tick(SILENCE_MS)] == ["invalid"]


def test_one_that_is_asked_seldom_may_miss_three_questions() -> None:
    seldom = StopSignal(text="x", kind="promql", query="x", every_ms=10_000)
    stop = conditions(seldom)

    assert silence_ms(10_000) == 30_000
    assert play(stop, sample(0, GOOD, seldom), until_ms=29_750) == []
    assert [e.subject for e in stop.tick(30_000)] == ["x"]


def test_where_it_is_lenient_a_gap_is_noted_once_and_the_next_one_again() -> None:
    stop = conditions(LAG, lenient=True)
    events = [
        *each_second(GOOD, 0),
        *each_second(UNREAD, *range(1, 10)),
        *each_second(GOOD, 10, 11),
    ]

    found = play(stop, *events, until_ms=20_000)

    assert [(e.kind, e.subject, e.data) for e in found] == [
        ("stop.blind", LAG.text, {"since_ms": 0, "error": "the query gives no data"}),
        ("stop.blind", LAG.text, {"since_ms": 11_000, "error": ""}),
    ]


def test_what_was_bad_before_a_gap_does_not_count_after_it() -> None:
    stop = conditions(LAG, lenient=True)
    events = [*each_second(BAD, 0, 1), *each_second(UNREAD, *range(2, 10)), *each_second(BAD, 10)]

    assert [e.kind for e in play(stop, *events)] == ["stop.blind"]
    assert [e.data["held_ms"] for e in play(stop, *each_second(BAD, 11, 12))] == [2_000]


@pytest.mark.parametrize(
    ("event", "trips"),
    [
        (alert(5, "Overload", severity="page", pod="a"), True),
        (alert(5, "Overload", severity="ticket"), False),
        (alert(5, "Overload"), False),
        (alert(5, "Other", severity="page"), False),
        (alert(5, "Overload", "pending", severity="page"), False),
        (alert(5, "Overload", "resolved", severity="page"), False),
        (alert(5, "Overload", "delivered", severity="page"), False),
    ],
)
def test_an_alert_trips_by_name_and_labels(event: Event, trips: bool) -> None:
    stop = conditions(PAGES)

    found = stop.see(event)

    assert [e.data["reason"] for e in found] == (
        ["`alert Overload{severity=page}`: Overload{severity=page} fires"] if trips else []
    )
    assert all(e.data["status"] == "stopped" for e in found)


def test_labels_may_be_patterns() -> None:
    signal = StopSignal(text="a", kind="alert", name="A", labels={"pod": "=~pay-.*", "env": "!=x"})
    stop = conditions(signal)

    assert stop.see(alert(0, "A", pod="web-1")) == []
    assert stop.see(alert(0, "A", pod="pay-1", env="x")) == []
    assert len(stop.see(alert(0, "A", pod="pay-1"))) == 1


def test_an_alert_that_has_to_fire_for_a_time_trips_with_time_and_not_when_it_resolves() -> None:
    stop = conditions(STUCK)
    flapping = [alert(0, "Stuck"), alert(1_000, "Stuck", "resolved"), alert(1_500, "Stuck")]
    assert play(stop, *flapping, alert(3_000, "Stuck", "resolved"), until_ms=9_000) == []

    (tripped,) = play(stop, alert(0, "Stuck", pod="a"), until_ms=9_000)

    assert tripped.data["held_ms"] == 2_000
    assert tripped.data["reason"] == "`alert Stuck for 2s`: Stuck fires, for 2 s"


def test_one_of_two_alerts_that_resolves_leaves_the_other() -> None:
    stop = conditions(STUCK)
    both = [alert(0, "Stuck", pod="a"), alert(0, "Stuck", pod="b")]

    assert play(stop, *both, alert(500, "Stuck", "resolved", pod="a"), until_ms=3_000)


def test_an_alert_source_that_goes_down_stops_the_run_when_alerts_depend_on_it() -> None:
    stop = conditions(PAGES, alert_sources=["prometheus"])
    events = [source(0, "up"), source(60_000, "down", error="refused")]

    (tripped,) = play(stop, *events, until_ms=90_000)

    assert tripped.subject == "prometheus"
    assert tripped.data["status"] == "invalid"
    assert tripped.data["since_ms"] == 60_000
    assert (
        "the alerts of `prometheus` could not be read for 5 s (refused)" in (tripped.data["reason"])
    )


@pytest.mark.parametrize(
    ("signals", "more", "events"),
    [
        ([PAGES], {"alert_sources": ["prometheus"]}, [source(0, "up")]),
        ([PAGES], {"alert_sources": ["prometheus"]}, [source(4_000, "up")]),
        (
            [PAGES],
            {"alert_sources": ["prometheus"]},
            [source(0, "up"), source(9_000, "down"), source(13_000, "up")],
        ),
        ([PAGES], {"alert_sources": ["prometheus"]}, [source(0, "up"), source(1, "down", "am")]),
        ([PAGES], {}, [source(0, "down")]),
        ([], {"alert_sources": ["prometheus"]}, [source(0, "down")]),
    ],
)
def test_a_source_that_is_well_or_matters_to_nobody_stops_nothing(
    signals: list[StopSignal], more: dict[str, Any], events: list[Event]
) -> None:
    assert play(conditions(*signals, **more), *events, until_ms=60_000) == []


def test_a_source_that_never_came_up_stops_the_run_and_lenient_only_notes_it() -> None:
    strict = conditions(PAGES, alert_sources=["prometheus"])
    lenient = conditions(PAGES, alert_sources=["prometheus"], lenient=True)
    events = [source(250, "down", error="refused")]

    assert [e.data["status"] for e in play(strict, *events, until_ms=20_000)] == ["invalid"]
    assert [(e.kind, e.subject) for e in play(lenient, *events, until_ms=20_000)] == [
        ("stop.blind", "prometheus")
    ]


def test_once_the_load_is_being_stopped_nothing_trips_any_more() -> None:
    stop = conditions(LAG, PAGES, STUCK, alert_sources=["prometheus"])
    stop.see(alert(0, "Stuck"))
    stop.see(Event(at_ms=0, kind="load.stop", subject="load", phase=Phase.STARTED))

    late = [alert(0, "Overload", severity="page"), *each_second(BAD, 1, 2, 3, 4)]
    assert play(stop, *late, until_ms=60_000) == []


def test_a_real_black_hole_trips_within_overdue_and_the_length_of_the_condition() -> None:
    """40 requests a second go in, from second 10 on none comes out, not even as a timeout."""
    from gameday.model.criteria import Criterion, parse_criterion

    criterion = parse_criterion("errors > 50% over 5s for 3s")
    assert isinstance(criterion, Criterion)
    stop = StopConditions([criterion], overdue_ms=2_500, lenient=False)
    tripped_at = None
    for second in range(40):
        cells, stuck = (), ()
        if second < 10:
            took = {bucket_of(50_000): 40}
            cells = (Cell(second=second, journey="a", name="/", outcome="ok", response=took),)
        else:
            ages = {bucket_of((second - s + 1) * 1_000_000): 40 for s in range(10, second + 1)}
            stuck = (OpenCell(journey="a", name="/", ages=ages),)
        tick = Tick(second=second, cells=cells, open=stuck)
        at_ms = second * 1000 + 1010
        event = Event(at_ms=at_ms, kind="load.window", subject="0", data=tick_to_json(tick))
        if stop.see(event):
            tripped_at = second
            break

    # In second 12 the first are overdue, in 13 they outweigh the good ones of the last 5 s, and
    # that has to hold for 3 s.
    assert tripped_at == 15, "a black hole must not look healthy"
