"""The preset `grafana` against a stateful fake of Grafana's alerting API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from alert_fakes import until
from source_fakes import FakeGrafana, now_ms
from source_support import spec_of, watching

from gameday.adapters.sources.source import HttpJsonSource
from gameday.errors import CannotSeeError
from gameday.model.sources import SourceSpec


@pytest.fixture(name="fake")
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrafana]:
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_right")
    with FakeGrafana() as fake:
        yield fake


def grafana(fake: FakeGrafana) -> SourceSpec:
    auth = {"bearer": {"env": "GRAFANA_TOKEN"}}
    spec = spec_of("grafana", {"preset": "grafana", "url": fake.url, "auth": auth})
    return replace(spec, every_ms=20)


def test_what_it_can_say(fake: FakeGrafana) -> None:
    assert grafana(fake).can == ("firing", "pending", "ended", "labels", "annotations", "rules")


def test_an_alert_from_pending_to_its_end(fake: FakeGrafana) -> None:
    """Pending and firing at the times that Grafana states; the end as exact as the polls."""
    since = now_ms()
    source, events = watching(grafana(fake))
    try:
        until("up", lambda: events.of("alert.source.up"))
        alert = fake.add(pending_ms=now_ms(), annotations={"runbook_url": "runbooks/back.md"})
        until("pending", lambda: events.of("alert.pending"))
        alert.firing_ms = now_ms()
        until("firing", lambda: events.of("alert.firing"))
        before_end = now_ms()
        alert.ended_ms = now_ms()
        until("resolved", lambda: events.of("alert.resolved"))
        after_end = now_ms()
        read = source.read(since, now_ms())
    finally:
        source.stop()
    [episode] = read["episodes"]
    assert episode["alert"] == "BackSlow"
    assert episode["labels"]["severity"] == "page"
    assert episode["annotations"] == {"runbook_url": "runbooks/back.md"}
    assert episode["pending_wall_ms"] == alert.pending_ms
    assert episode["firing_wall_ms"] == alert.firing_ms
    assert before_end <= episode["ended_wall_ms"] <= after_end
    assert 0 < episode["end_error_ms"] <= after_end - alert.firing_ms
    assert [state for _, state in episode["states"]] == ["pending", "firing", "ended"]
    assert read["rules"][0]["name"] == "BackSlow"
    assert read["gaps"] == []
    json.dumps(read, allow_nan=False)
    [firing] = events.of("alert.firing")
    assert (firing.subject, firing.data["source"]) == ("BackSlow", "grafana")


def test_the_same_alert_again_is_another_episode(fake: FakeGrafana) -> None:
    source, events = watching(grafana(fake))
    since = now_ms()
    try:
        first = fake.fire()
        until("firing", lambda: events.of("alert.firing"))
        first.ended_ms = now_ms()
        until("resolved", lambda: events.of("alert.resolved"))
        first.firing_ms, first.ended_ms = now_ms(), None
        until("firing again", lambda: len(events.of("alert.firing")) == 2)
        read = source.read(since, now_ms())
    finally:
        source.stop()
    assert [e["ended_wall_ms"] is None for e in read["episodes"]] == [False, True]


def test_an_alert_that_fires_already_is_seen(fake: FakeGrafana) -> None:
    begun = now_ms() - 3_600_000
    fake.fire(at_ms=begun)
    read = HttpJsonSource(grafana(fake)).read(now_ms() - 1_000, now_ms())
    assert [(e["firing_wall_ms"], e["ended_wall_ms"]) for e in read["episodes"]] == [(begun, None)]


def test_an_alert_that_was_never_seen_firing_is_no_episode(fake: FakeGrafana) -> None:
    fake.fire(at_ms=now_ms() - 5_000).ended_ms = now_ms()
    assert HttpJsonSource(grafana(fake)).read(now_ms() - 10_000, now_ms())["episodes"] == []


def test_a_failed_poll_is_a_gap(fake: FakeGrafana) -> None:
    """A live list leaves no trace of what it showed while nobody looked."""
    since = now_ms()
    source, events = watching(grafana(fake))
    try:
        until("up", lambda: events.of("alert.source.up"))
        fake.down = (500, {"message": "internal"})
        until("down", lambda: events.of("alert.source.down"))
        fake.down = None
        until("up again", lambda: len(events.of("alert.source.up")) == 2)
        read = source.read(since, now_ms())
    finally:
        source.stop()
    assert len(read["gaps"]) == 1
    assert "500" in events.of("alert.source.down")[0].data["error"]
    assert read["history"] is False


def test_a_rule_in_error_is_told(fake: FakeGrafana) -> None:
    fake.health = "error"
    [rule] = HttpJsonSource(grafana(fake)).read(now_ms() - 1, now_ms())["rules"]
    assert (rule["health"], rule["lastError"]) == ("err", "no such data source")


def test_a_wrong_token_is_told_and_not_shown(
    fake: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_very_wrong")
    with pytest.raises(CannotSeeError, match="401: the credentials are missing or wrong") as told:
        HttpJsonSource(grafana(fake)).check()
    assert "glsa_very_wrong" not in str(told.value)
