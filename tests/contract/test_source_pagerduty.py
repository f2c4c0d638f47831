"""The preset `pagerduty` against a stateful fake of PagerDuty's REST API v2."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alert_fakes import until
from source_fakes import FakePagerDuty, iso, now_ms
from source_support import spec_of, watching

from gameday.adapters.sources import asking
from gameday.adapters.sources.source import HttpJsonSource
from gameday.errors import CannotSeeError
from gameday.model.sources import SourceSpec


@pytest.fixture(name="fake")
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePagerDuty]:
    monkeypatch.setenv("PAGERDUTY_TOKEN", "pd_right")
    with FakePagerDuty() as fake:
        yield fake


def pagerduty(fake: FakePagerDuty, **more: Any) -> SourceSpec:
    auth = {"headers": {"Authorization": {"env": "PAGERDUTY_TOKEN", "prefix": "Token token="}}}
    source = {"preset": "pagerduty", "url": fake.url, "auth": auth, **more}
    return replace(spec_of("pagerduty", source), every_ms=20)


def test_what_it_can_say(fake: FakePagerDuty) -> None:
    can = ("firing", "ended", "delivered", "acknowledged", "labels")
    assert pagerduty(fake).can == can


def test_an_incident_from_its_trigger_to_its_end(fake: FakePagerDuty) -> None:
    """What the API forgets when an incident resolves (who acknowledged, when) is kept."""
    since = now_ms()
    source, events = watching(pagerduty(fake))
    try:
        until("up", lambda: events.of("alert.source.up"))
        incident = fake.fire()
        until("firing", lambda: events.of("alert.firing"))
        incident.acknowledged_ms = now_ms()
        until("seen", lambda: source.read(since, now_ms())["episodes"][0]["acknowledged_wall_ms"])
        incident.ended_ms = now_ms()
        until("resolved", lambda: events.of("alert.resolved"))
        read = source.read(since, now_ms())
    finally:
        source.stop()
    [episode] = read["episodes"]
    seconds = {name: episode[f"{name}_wall_ms"] // 1000 for name in _TIMES}
    assert seconds == {
        "firing": incident.firing_ms // 1000,
        "acknowledged": incident.acknowledged_ms // 1000,
        "ended": incident.ended_ms // 1000,
    }
    assert episode["alert"] == "BackSlow"
    assert episode["labels"]["service"] == "front"
    assert "priority" not in episode["labels"]
    assert read["history"] is True


_TIMES = ("firing", "acknowledged", "ended")


def test_a_failed_poll_loses_nothing(fake: FakePagerDuty) -> None:
    """It lists what is over, so what the polls missed was read at the end."""
    since = now_ms() - 5_000
    fake.fire(at_ms=now_ms() - 3_000).ended_ms = now_ms() - 1_000
    read = HttpJsonSource(pagerduty(fake)).read(since, now_ms())
    assert read["gaps"] == []
    assert len(read["episodes"]) == 1


def test_every_page_is_read(fake: FakePagerDuty) -> None:
    for n in range(250):
        fake.fire(id=f"A{n}")
    read = HttpJsonSource(pagerduty(fake)).read(now_ms() - 1_000, now_ms())
    assert len(read["episodes"]) == 250
    assert [a.one("offset") for a in fake.asked] == ["0", "100", "200"]
    assert read["pages"] == 3


def test_too_many_pages_are_no_answer(fake: FakePagerDuty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_PAGES", 2)
    for n in range(250):
        fake.fire(id=f"A{n}")
    with pytest.raises(CannotSeeError, match="more than 2 pages"):
        HttpJsonSource(pagerduty(fake)).read(now_ms() - 1_000, now_ms())


def test_the_window_reaches_back_to_what_may_fire_already(fake: FakePagerDuty) -> None:
    fake.fire(at_ms=now_ms() - 2 * 86_400_000)
    read = HttpJsonSource(pagerduty(fake)).read(now_ms() - 1_000, now_ms())
    assert len(read["episodes"]) == 1


def test_a_rate_limit_is_waited_for_at_the_end_and_told_in_polls(fake: FakePagerDuty) -> None:
    fake.limited, fake.retry_after = 1, "0.2"
    source = HttpJsonSource(pagerduty(fake))
    assert source.read(now_ms() - 1_000, now_ms())["episodes"] == []
    assert len(fake.asked) == 2
    fake.limited, fake.retry_after = 10**6, "3600"
    source, events = watching(pagerduty(fake))
    try:
        down = until("down", lambda: events.of("alert.source.down"))
        asked = len(fake.asked)
        with pytest.raises(CannotSeeError, match="rate limit"):
            source.read(now_ms() - 1_000, now_ms())
    finally:
        source.stop()
    assert "429" in down[0].data["error"]
    assert len(fake.asked) == asked + 1, "a source that asks for rest gets it"


def test_the_clock_is_known_by_the_date_header(fake: FakePagerDuty) -> None:
    fake.skew_ms = 90_000
    fake.fire()
    read = HttpJsonSource(pagerduty(fake)).read(now_ms() - 1_000, now_ms())
    assert read["offset_ms"] == pytest.approx(90_000, abs=1_500)
    assert len(read["episodes"]) == 1, "the window is asked for on its clock"


def test_it_reads_only(fake: FakePagerDuty) -> None:
    HttpJsonSource(pagerduty(fake)).check()
    assert {a.method for a in fake.asked} == {"GET"}


def test_the_official_client_understands_the_fake(fake: FakePagerDuty) -> None:
    client = importlib.import_module("pagerduty")
    for n in range(120):
        fake.fire(id=f"A{n}")
    fake.alerts[3].acknowledged_ms = now_ms()
    session = client.RestApiV2Client("pd_right")
    session._url = fake.url  # the setter wants https, which a fake on loopback has not
    params = {
        "since": iso(now_ms() - 60_000),
        "until": iso(now_ms() + 1_000),
        "statuses[]": ["triggered", "acknowledged"],
    }
    found = list(session.iter_all("incidents", params=params))
    session.close()
    assert len(found) == 120
    assert {one["status"] for one in found} == {"triggered", "acknowledged"}
