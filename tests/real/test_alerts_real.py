"""Against a real Prometheus and a real Alertmanager: exact times, and nothing seen is said so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from alerts_support import Events, Listener, Stack, post, until, wall_ms

from gameday.adapters.alertmanager import AlertmanagerSource
from gameday.adapters.prometheus import PrometheusSource
from gameday.adapters.receiver import Receiver
from gameday.errors import CannotSeeError
from gameday.kpi.episodes import from_prometheus, pending_from_prometheus

pytestmark = pytest.mark.real

ALERT = "HighErrorRate"


@pytest.fixture(name="receiver", scope="module")
def _receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    receiver = Receiver(evidence_dir=tmp_path_factory.mktemp("evidence"))
    receiver.open()
    yield receiver
    receiver.stop()


@pytest.fixture(name="listener", scope="module")
def _listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(name="stack", scope="module")
def _stack(
    tmp_path_factory: pytest.TempPathFactory,
    real_server: Callable[..., str],
    receiver: Receiver,
    listener: Listener,
) -> Iterator[Stack]:
    prometheus = real_server("prometheus")
    alertmanager = real_server("prometheus-alertmanager", "alertmanager")
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack(folder, prometheus, alertmanager, [receiver.url, listener.url])
    try:
        stack.start()
        yield stack
    finally:
        stack.close()


def test_times_are_exact_and_suppression_is_seen(  # noqa: PLR0915 - one long story, told once
    stack: Stack, receiver: Receiver, listener: Listener
) -> None:
    events = Events()
    prometheus = PrometheusSource(stack.prometheus.url, poll_ms=250)
    alertmanager = AlertmanagerSource(stack.alertmanager.url, poll_ms=250)
    silence = {
        "matchers": [
            {"name": "alertname", "value": "ErrorsTicket", "isRegex": False, "isEqual": True}
        ],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "test",
    }
    silence_id = post(f"{stack.alertmanager.url}/api/v2/silences", silence)["silenceID"]
    assert "5 alerting rules" in prometheus.check().text
    assert alertmanager.check().receivers == ("pager",)
    watchers = (receiver, prometheus, alertmanager)
    for watcher in watchers:
        watcher.start(events)
    since = wall_ms()
    try:
        stack.target.fault(0.5)
        until("delivered", lambda: events.of("alert.delivered", ALERT, status="firing"))
        until("inhibited", lambda: _seen(alertmanager, since, "ErrorsElevated", "inhibitedBy"), 10)
        stack.target.fault(0.0)
        until("delivered", lambda: events.of("alert.delivered", ALERT, status="resolved"))
        until("observed", lambda: events.of("alert.resolved", ALERT))
        read = prometheus.read(since, wall_ms())
        seen = alertmanager.read(since, wall_ms())
    finally:
        for watcher in watchers:
            watcher.stop()

    # Firing is the very sample of the evaluation that fired, as anybody can ask Prometheus.
    (episode,) = (e for e in from_prometheus(read) if e.alert == ALERT)
    raw = {
        s["metric"]["alertstate"]: [round(float(t) * 1000) for t, _ in s["values"]]
        for s in stack.values(f'ALERTS{{alertname="{ALERT}"}}[5m]')
    }
    assert episode.firing_wall_ms == raw["firing"][0]
    assert episode.pending_wall_ms == raw["pending"][0]
    assert episode.error_ms == 1000
    assert episode.ended_wall_ms == raw["firing"][-1] + 1000
    assert episode.annotations["summary"] == "checkout is failing"  # rendered
    assert "env" not in episode.labels
    (long,) = pending_from_prometheus(read)
    assert long.alert == "NeverLong"
    assert read["gaps"] == []
    assert abs(read["offset_ms"]) <= 50

    # Delivered is when it arrived: an independent listener agrees.
    for status in ("firing", "resolved"):
        (delivered,) = events.of("alert.delivered", ALERT, status=status)
        (stamp,) = listener.stamps(ALERT, status)
        assert abs(delivered.data["arrived_wall_ms"] - stamp) <= 50, status
        assert delivered.data["receiver"] == "pager"
        assert delivered.data["labels"]["env"] == "test"
    (delivered,) = events.of("alert.delivered", ALERT, status="firing")
    assert delivered.data["starts_wall_ms"] == episode.firing_wall_ms

    # Held back: one silenced, one inhibited; both fired, the silenced one reached nobody.
    silenced = _one(seen, "ErrorsTicket")
    assert silenced["silencedBy"] == [silence_id]
    assert _one(seen, "ErrorsElevated")["inhibitedBy"] == [_one(seen, ALERT)["fingerprint"]]
    assert _one(seen, ALERT)["receivers"] == ["pager"]
    assert _one(seen, ALERT)["starts_wall_ms"] == episode.firing_wall_ms
    assert not events.of("alert.delivered", "ErrorsTicket")
    assert any(e.alert == "ErrorsTicket" for e in from_prometheus(read))
    assert seen["gaps"] == []

    # While it lasted it could be followed.
    order = [e.kind for e in events.all if e.subject == ALERT and e.kind != "alert.delivered"]
    assert order == ["alert.pending", "alert.firing", "alert.resolved"]
    (pending,) = events.of("alert.pending", ALERT)
    assert pending.data["at_wall_ms"] == episode.pending_wall_ms
    assert not events.of("alert.source.down")
    assert len(events.of("alert.source.up")) == 2


def test_a_prometheus_that_was_stopped_has_a_gap_and_a_deaf_poller_has_none(stack: Stack) -> None:
    source = PrometheusSource(stack.prometheus.url)
    since = wall_ms()
    assert stack.prometheus.process is not None
    pid = stack.prometheus.process.pid
    os.kill(pid, signal.SIGSTOP)
    stopped = wall_ms()
    with pytest.raises(CannotSeeError, match="no answer within"):
        source.read(since, wall_ms())
    os.kill(pid, signal.SIGCONT)
    went_on = wall_ms()
    until("scraped again", lambda: stack.values(f"timestamp(up) > {went_on / 1000 + 1}"))
    gaps = source.read(since, wall_ms())["gaps"]
    assert any(a <= stopped + 1000 and b >= went_on - 1000 for a, b in gaps), gaps
    # It was never polled, but it left traces of having been at work: that is no gap.
    quiet = went_on + 1500
    until("some time", lambda: wall_ms() > quiet + 3000)
    assert source.read(quiet, wall_ms())["gaps"] == []


def test_a_prometheus_that_was_away_is_never_gap_free(stack: Stack) -> None:
    events = Events()
    source = PrometheusSource(stack.prometheus.url, poll_ms=200)
    source.start(events)
    since = wall_ms()
    try:
        until("up", lambda: events.of("alert.source.up"))
        stack.target.fault(0.5)
        until("firing", lambda: events.of("alert.firing", ALERT))

        killed = wall_ms()
        stack.prometheus.kill()
        (down,) = until("down", lambda: events.of("alert.source.down"))
        assert down.data["error"]
        with pytest.raises(CannotSeeError, match="refused"):
            source.read(since, wall_ms())

        stack.prometheus.start()
        back = wall_ms()
        until("up again", lambda: len(events.of("alert.source.up")) == 2)
        until("firing again", lambda: stack.values('ALERTS{alertstate="firing"}'))
        gaps = source.read(since, wall_ms())["gaps"]
        assert any(a <= killed + 500 and b >= back - 1000 for a, b in gaps), (killed, back, gaps)
        # Somebody who was not there sees it too: it says when it began.
        late = PrometheusSource(stack.prometheus.url).read(since, wall_ms())["gaps"]
        assert any(a <= killed and b >= back - 1000 for a, b in late), (killed, back, late)
    finally:
        source.stop()


def _one(seen: object, alert: str) -> dict[str, object]:
    assert isinstance(seen, dict)
    (found,) = (a for a in seen["alerts"] if a["labels"]["alertname"] == alert)
    return dict(found)


def _seen(source: AlertmanagerSource, since: int, alert: str, key: str) -> bool:
    found = source.read(since, wall_ms())["alerts"]
    return any(a["labels"]["alertname"] == alert and a[key] for a in found)
