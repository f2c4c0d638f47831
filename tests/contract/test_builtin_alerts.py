"""The built-in alerts: states by the second, delivered for real, gaps where the load was silent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import Events, Fake, until

from gameday.adapters.builtin_alerts import BuiltinAlerts
from gameday.adapters.builtin_rules import RESOLVE_S, Rule, burn_rules, named_rules
from gameday.adapters.receiver import Receiver
from gameday.kpi.episodes import from_builtin, pending_only_of
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Timeline
from gameday.model.histogram import bucket_of
from gameday.model.project import BuiltinAlert, Slo
from gameday.model.window import Cell, Tick, tick_to_json

ORIGIN = 1_795_345_000_000


def alert(when: str, name: str = "PaymentsSlow", **more: Any) -> BuiltinAlert:
    criterion = parse_criterion(when)
    assert isinstance(criterion, Criterion)
    return BuiltinAlert(
        name=name,
        when=criterion,
        labels={"severity": "page"},
        runbook="runbooks/payments-slow.md",
        receiver="pager",
        **more,
    )


def tick(second: int, ms: int = 50, worker: str = "0", n: int = 100, outcome: str = "ok") -> Tick:
    cell = Cell(
        second=second,
        journey="checkout",
        name="POST /checkout",
        outcome=outcome,
        response={bucket_of(ms * 1000): n},
    )
    return Tick(second=second, worker=worker, cells=(cell,) if n else ())


def window(tick: Tick) -> Event:
    return Event(kind="load.window", subject=tick.worker, data=tick_to_json(tick))


def changes(rule: Rule, ticks: list[Tick]) -> list[tuple[int, str]]:
    found = ((t.second, rule.feed([t], t.second)) for t in ticks)
    return [(second, change.to) for second, change in found if change is not None]


def test_pending_firing_and_resolved_by_the_second() -> None:
    (rule,) = named_rules([alert("checkout p95 > 500ms over 1s for 3s")], overdue_ms=5_000)
    slow = [tick(s, 800 if 10 <= s < 20 else 50) for s in range(40)]
    assert changes(rule, slow) == [
        (10, "pending"),
        (12, "firing"),
        (20 + RESOLVE_S - 1, "resolved"),
    ]


def test_without_for_it_fires_at_once_and_a_blip_does_not_resolve_it() -> None:
    (rule,) = named_rules([alert("errors > 10% over 1s")], overdue_ms=5_000)
    bad = {10, 11, 13, 14, 15}
    ticks = [tick(s, outcome="timeout" if s in bad else "ok") for s in range(30)]
    assert changes(rule, ticks) == [(10, "firing"), (18, "resolved")]


def test_pending_that_breaks_off_is_told() -> None:
    (rule,) = named_rules([alert("errors > 10% over 1s for 5s")], overdue_ms=5_000)
    ticks = [tick(s, outcome="timeout" if s in {3, 4} else "ok") for s in range(10)]
    assert changes(rule, ticks) == [(3, "pending"), (5, "resolved")]


def test_nothing_seen_is_no_recovery() -> None:
    (rule,) = named_rules([alert("errors > 10% over 1s")], overdue_ms=5_000)
    ticks = [tick(0, outcome="timeout"), *(tick(s, n=0) for s in range(1, 20)), tick(20)]
    assert changes(rule, ticks) == [(0, "firing")]


def test_burn_rate_rules_carry_their_objective() -> None:
    slos = [Slo(name="available", share=0.999), Slo(name="fast", share=0.99, latency_ms=300)]
    rules = burn_rules(slos, overdue_ms=5_000, service="shop")
    assert [(r.name, dict(r.labels)) for r in rules] == [
        (
            "SLOFastBurnAvailability",
            {
                "alertname": "SLOFastBurnAvailability",
                "severity": "page",
                "slo": "available",
                "service": "shop",
            },
        ),
        (
            "SLOFastBurnLatency",
            {
                "alertname": "SLOFastBurnLatency",
                "severity": "page",
                "slo": "fast",
                "service": "shop",
            },
        ),
    ]
    slow = [tick(s, 800 if s >= 10 else 50) for s in range(20)]
    assert changes(rules[0], slow) == []
    assert changes(rules[1], slow) == [(11, "firing")]
    json.dumps([r.row() for r in rules], allow_nan=False)


class Clock:
    """The time of the run, set by hand."""

    def __init__(self) -> None:
        self.now = ORIGIN

    def __call__(self) -> int:
        return self.now


@pytest.fixture(name="events")
def _events() -> Events:
    return Events()


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="receiver")
def _receiver(tmp_path: Path, events: Events, clock: Clock) -> Iterator[Receiver]:
    receiver = Receiver(evidence_dir=tmp_path, now_wall_ms=clock)
    receiver.start(events)
    yield receiver
    receiver.stop()


@pytest.fixture(name="builtin")
def _builtin(receiver: Receiver, events: Events, clock: Clock) -> Iterator[BuiltinAlerts]:
    builtin = make([alert("checkout p95 > 500ms over 1s for 3s")], receiver, clock)
    builtin.start(events)
    yield builtin
    builtin.stop()


def make(
    alerts: list[BuiltinAlert], receiver: Receiver | str, clock: Clock, slos: tuple[Slo, ...] = ()
) -> BuiltinAlerts:
    url = receiver if isinstance(receiver, str) else lambda: receiver.url
    return BuiltinAlerts(
        alerts, slos, overdue_ms=5_000, receiver_url=url, now_wall_ms=clock, origin_wall_ms=ORIGIN
    )


def feed(builtin: BuiltinAlerts, ticks: list[Tick]) -> None:
    for one in ticks:
        builtin.see(window(one))


def test_it_is_told_and_really_delivered(
    builtin: BuiltinAlerts, events: Events, clock: Clock
) -> None:
    feed(builtin, [tick(s, 800 if s >= 10 else 50) for s in range(20)])
    (delivered,) = until("delivered", lambda: events.of("alert.delivered", status="firing"))
    clock.now += 60_000
    feed(builtin, [tick(s) for s in range(20, 30)])
    (resolved,) = until("resolved", lambda: events.of("alert.delivered", status="resolved"))

    (episode,) = from_builtin(Timeline(events.all))
    assert episode.pending_wall_ms == ORIGIN + 11_000  # the end of second 10
    assert episode.firing_wall_ms == ORIGIN + 13_000
    assert episode.ended_wall_ms == ORIGIN + 23_000
    assert episode.labels == {"alertname": "PaymentsSlow", "severity": "page"}
    assert episode.annotations["runbook_url"] == "runbooks/payments-slow.md"

    assert delivered.data["receiver"] == "pager"
    assert delivered.data["labels"] == episode.labels
    assert delivered.data["annotations"] == episode.annotations
    assert delivered.data["starts_wall_ms"] == episode.firing_wall_ms
    assert delivered.data["arrived_wall_ms"] == ORIGIN
    assert resolved.data["arrived_wall_ms"] == ORIGIN + 60_000
    assert resolved.data["starts_wall_ms"] == episode.firing_wall_ms
    assert resolved.data["ends_wall_ms"] == episode.ended_wall_ms
    assert resolved.data["fingerprint"] == delivered.data["fingerprint"]
    (up,) = events.of("alert.source.up")
    assert up.subject == "builtin"

    read = builtin.read(ORIGIN, ORIGIN + 30_000)
    assert read["gaps"] == []
    (rule,) = read["rules"]
    assert rule["runbook"] == "runbooks/payments-slow.md"
    assert rule["when"] == "checkout p95 > 500ms over 1s for 3s"
    until("counted", lambda: builtin.read(0, 1)["deliveries"]["sent"] == 2)
    json.dumps(read, allow_nan=False)


def test_pending_only_is_not_delivered(builtin: BuiltinAlerts, events: Events) -> None:
    feed(builtin, [tick(s, 800 if s in {10, 11} else 50) for s in range(20)])
    (ended,) = until("resolved", lambda: events.of("alert.resolved"))
    assert ended.data["at_wall_ms"] == ORIGIN + 13_000
    builtin.stop()
    assert not events.of("alert.delivered")
    (only,) = pending_only_of(Timeline(events.all))
    assert only.pending_wall_ms == ORIGIN + 11_000


def test_several_workers_are_one_second(receiver: Receiver, events: Events, clock: Clock) -> None:
    """One worker alone sees 100 % of errors, both together 10 %."""
    builtin = make([alert("errors > 50% over 1s")], receiver, clock)
    builtin.start(events)
    try:
        feed(builtin, [tick(0, worker="a", n=900), tick(0, worker="b", n=100)])
        for second in range(1, 20):
            feed(builtin, [tick(second, worker="b", n=100, outcome="timeout")])
            feed(builtin, [tick(second, worker="a", n=900)])
        until("evaluated", lambda: builtin.read(ORIGIN, ORIGIN + 20_000)["gaps"] == [])
    finally:
        builtin.stop()
    assert not events.of("alert.firing")


def test_a_worker_that_is_gone_is_not_waited_for(
    receiver: Receiver, events: Events, clock: Clock
) -> None:
    builtin = make([alert("errors > 50% over 1s")], receiver, clock)
    builtin.start(events)
    try:
        feed(builtin, [tick(0, worker="a"), tick(0, worker="b")])
        feed(builtin, [tick(s, worker="a", outcome="timeout") for s in range(1, 10)])
        (firing,) = until("firing", lambda: events.of("alert.firing"))
    finally:
        builtin.stop()
    assert firing.data["at_wall_ms"] == ORIGIN + 2_000


def test_a_late_worker_holds_nothing_up_for_long(
    receiver: Receiver, events: Events, clock: Clock
) -> None:
    builtin = make([alert("errors > 50% over 1s")], receiver, clock)
    builtin.start(events)
    try:
        feed(builtin, [tick(0, worker="a"), tick(0, worker="b")])
        feed(builtin, [tick(1, worker="a", outcome="timeout")])
        until("up", lambda: events.of("alert.source.up"))
        assert not events.of("alert.firing")
        clock.now = ORIGIN + 2_000 + 1_501
        (firing,) = until("firing", lambda: events.of("alert.firing"))
    finally:
        builtin.stop()
    assert firing.data["at_wall_ms"] == ORIGIN + 2_000


def test_seconds_without_a_tick_are_a_gap(builtin: BuiltinAlerts, events: Events) -> None:
    feed(builtin, [tick(s) for s in (*range(10), *range(14, 20))])
    until("read", lambda: builtin.read(ORIGIN, ORIGIN + 20_000)["gaps"])
    expected = [[ORIGIN + 10_000, ORIGIN + 14_000]]
    until("all", lambda: builtin.read(ORIGIN, ORIGIN + 20_000)["gaps"] == expected)
    assert builtin.read(ORIGIN, ORIGIN + 30_000)["gaps"] == [
        *expected,
        [ORIGIN + 20_000, ORIGIN + 30_000],
    ]
    assert builtin.read(ORIGIN - 9_000, ORIGIN + 5_000)["gaps"] == [[ORIGIN - 9_000, ORIGIN]]


def test_never_fed_has_seen_nothing(receiver: Receiver, clock: Clock) -> None:
    builtin = make([], receiver, clock)
    assert builtin.read(5, 10)["gaps"] == [[5, 10]]


def test_silence_of_the_load_is_told(
    builtin: BuiltinAlerts, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.builtin_alerts.BLIND_MS", 150)
    feed(builtin, [tick(0)])
    (down,) = until("down", lambda: events.of("alert.source.down"))
    assert "load" in down.data["error"]
    feed(builtin, [tick(1)])
    until("up again", lambda: len(events.of("alert.source.up")) == 2)


def test_a_bug_of_ours_is_told_and_leaves_a_gap(
    builtin: BuiltinAlerts, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(builtin, [tick(0)])
    until("up", lambda: events.of("alert.source.up"))

    def broken(self: Rule, ticks: list[Tick], second: int) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Rule, "feed", broken)
    feed(builtin, [tick(s) for s in range(1, 9)])
    (down,) = until("down", lambda: events.of("alert.source.down"))
    assert "ZeroDivisionError" in down.data["error"]
    assert builtin.read(ORIGIN, ORIGIN + 9_000)["gaps"] == [[ORIGIN + 1_000, ORIGIN + 9_000]]


def test_a_receiver_that_is_away_for_a_moment(events: Events, clock: Clock) -> None:
    fake = Fake()
    fake.routes["/v1/in/s3cret"] = {}
    fake.mode = "500"
    builtin = make([alert("errors > 50% over 1s")], f"{fake.url}/v1/in/s3cret", clock)
    builtin.start(events)
    try:
        feed(builtin, [tick(0, outcome="timeout")])
        until("tried", lambda: fake.posted)
        fake.mode = ""
        until("sent", lambda: builtin.read(0, 1)["deliveries"]["sent"] == 1)
    finally:
        builtin.stop()
        fake.close()
    path, body = fake.posted[-1]
    assert path == "/v1/in/s3cret"
    assert body["version"] == "4"
    assert len(fake.posted) >= 2


def test_what_cannot_be_delivered_is_counted_without_the_token(
    events: Events, clock: Clock
) -> None:
    fake = Fake()
    fake.close()
    builtin = make([alert("errors > 50% over 1s")], f"{fake.url}/v1/in/s3cret", clock)
    builtin.start(events)
    feed(builtin, [tick(0, outcome="timeout")])
    until("firing", lambda: events.of("alert.firing"))
    builtin.stop()
    facts = builtin.read(0, 1)["deliveries"]
    assert facts["failed"] == 1
    assert "refused" in facts["error"]
    assert "s3cret" not in facts["error"]


def test_stop_evaluates_and_delivers_what_has_arrived(
    receiver: Receiver, events: Events, clock: Clock
) -> None:
    builtin = make([alert("errors > 50% over 1s")], receiver, clock)
    builtin.start(events)
    builtin.start(events)
    feed(builtin, [tick(s, outcome="timeout") for s in range(3)])
    builtin.stop()
    builtin.stop()
    assert events.of("alert.firing")
    assert events.of("alert.delivered")


def test_other_events_are_ignored(builtin: BuiltinAlerts, events: Events) -> None:
    builtin.see(Event(kind="alert.firing", subject="x"))
    builtin.see(Event(kind="human.note", subject="x", data={"text": "y"}))
    feed(builtin, [tick(0)])
    until("up", lambda: events.of("alert.source.up"))
    assert list(itertools.chain(events.of("alert.pending"), events.of("alert.firing"))) == []


def test_a_window_that_is_none_does_not_hurt_who_passes_it_on(
    builtin: BuiltinAlerts, events: Events
) -> None:
    builtin.see(Event(kind="load.window", subject="0", data={"second": "x"}))
    (down,) = until("down", lambda: events.of("alert.source.down"))
    assert "could not evaluate" in down.data["error"]
