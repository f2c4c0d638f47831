"""AlertmanagerSource against a stateful fake: the union of what was seen, and when it was blind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import Events, FakeAlertmanager, until, wall_ms

from gameday.adapters.alertmanager import AlertmanagerSource, alert_rows
from gameday.errors import CannotSeeError

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakeAlertmanager]:
    fake = FakeAlertmanager()
    yield fake
    fake.close()


def alert(fingerprint: str, **more: Any) -> dict[str, Any]:
    status = {"state": "active", "silencedBy": [], "inhibitedBy": []} | more.pop("status", {})
    return {
        "labels": {"alertname": "A", "env": "x"},
        "annotations": {"runbook_url": "a.md"},
        "fingerprint": fingerprint,
        "startsAt": "2026-11-22T11:02:22.674Z",
        "endsAt": "2026-11-22T11:06:22.674Z",
        "receivers": [{"name": "pager"}],
        "status": status,
    } | more


def test_recorded_answers() -> None:
    rows = alert_rows(json.loads((SAMPLES / "am_alerts_silenced.json").read_text()))
    silenced = [r for r in rows if r["silencedBy"]]
    both = [r for r in silenced if r["inhibitedBy"]]
    assert silenced
    assert both[0]["labels"]["alertname"] == "ErrorRateElevated"
    assert {r["state"] for r in silenced} == {"suppressed"}
    assert alert_rows(json.loads((SAMPLES / "am_alerts.json").read_text()))


def test_the_union_of_what_was_seen(fake: FakeAlertmanager) -> None:
    events = Events()
    source = AlertmanagerSource(fake.url, poll_ms=20)
    since = wall_ms()
    source.start(events)
    try:
        until("up", lambda: events.of("alert.source.up"))
        _set(fake, [alert("f1")])
        silenced = {"state": "suppressed", "silencedBy": ["s1"]}
        tickets = [{"name": "tickets"}]
        _set(fake, [alert("f1", status=silenced, receivers=tickets), alert("f2")])
        _set(fake, [])
        read = source.read(since, wall_ms())
    finally:
        source.stop()
    by_name = {a["fingerprint"]: a for a in read["alerts"]}
    assert set(by_name) == {"f1", "f2"}
    first = by_name["f1"]
    assert first["silencedBy"] == ["s1"]
    assert first["inhibitedBy"] == []
    assert first["receivers"] == ["pager", "tickets"]
    assert [state for _, state in first["states"]] == ["active", "suppressed"]
    assert first["starts_wall_ms"] == 1_795_345_342_674
    assert since <= first["first_seen_wall_ms"] <= first["last_seen_wall_ms"] <= wall_ms()
    assert read["gaps"] == []
    assert read["version"] == "0.25.0"
    assert read["receivers"] == ["pager", "tap"]
    json.dumps(read, allow_nan=False)
    _, query = next(a for a in fake.asked if a[0] == "/api/v2/alerts")
    assert query["silenced"] == query["inhibited"] == ["true"]


def silence(name: str, state: str = "active", **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "status": {"state": state},
        "matchers": [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}],
        "createdBy": "Somebody Known",
        "comment": "ACK! looking into it",
        "startsAt": "2026-11-22T11:02:24.250Z",
        "endsAt": "2026-11-22T13:02:24.250Z",
        "updatedAt": "2026-11-22T11:02:24.250Z",
    } | more


def test_silences_are_told_as_they_were_first_seen_and_without_who_made_them(
    fake: FakeAlertmanager,
) -> None:
    source = AlertmanagerSource(fake.url)
    fake.alerts = [alert("f1", status={"state": "suppressed", "silencedBy": ["s1", "s2"]})]
    fake.silences = [silence("s1"), silence("s2", "pending", comment="window"), silence("other")]
    source.read(0, wall_ms())
    later = "2026-11-22T12:00:00Z"
    fake.silences = [silence("s1", "expired", updatedAt=later), silence("s2", updatedAt=later)]
    read = source.read(0, wall_ms())

    assert {row["id"]: (row["state"], row["says_ack"]) for row in read["silences"]} == {
        "s1": ("active", True),
        "s2": ("pending", False),
    }
    assert {row["updated_wall_ms"] for row in read["silences"]} == {1_795_345_344_250}
    assert "Known" not in json.dumps(read)
    assert "looking" not in json.dumps(read)


@pytest.mark.parametrize("answer", [(404, b"", {}), (200, b"{}", {}), (200, b"[3]", {})])
def test_a_server_that_tells_of_no_silences_is_read_all_the_same(
    fake: FakeAlertmanager, answer: tuple[int, bytes, dict[str, str]]
) -> None:
    fake.routes["/api/v2/silences"] = lambda q: answer
    fake.alerts = [alert("f1")]
    read = AlertmanagerSource(fake.url).read(0, wall_ms())

    assert read["silences"] is None
    assert len(read["alerts"]) == 1


def test_the_same_alert_again_is_another_one(fake: FakeAlertmanager) -> None:
    fake.alerts = [alert("f1")]
    source = AlertmanagerSource(fake.url)
    source.read(0, wall_ms())
    fake.alerts = [alert("f1", startsAt="2026-11-22T12:00:00Z")]
    assert len(source.read(0, wall_ms())["alerts"]) == 2


def test_what_was_last_seen_before_is_left_out(fake: FakeAlertmanager) -> None:
    fake.alerts = [alert("f1")]
    source = AlertmanagerSource(fake.url)
    source.read(0, wall_ms())
    fake.alerts = []
    assert source.read(wall_ms() + 1, wall_ms() + 2)["alerts"] == []


@pytest.mark.parametrize("mode", ["401", "500", "null", "html", "wrong", "cut"])
def test_blind_is_told_and_becomes_a_gap(fake: FakeAlertmanager, mode: str) -> None:
    events = Events()
    source = AlertmanagerSource(fake.url, poll_ms=20)
    since = wall_ms()
    source.start(events)
    try:
        until("up", lambda: events.of("alert.source.up"))
        fake.mode = mode
        (down,) = until("down", lambda: events.of("alert.source.down"))
        failed = wall_ms()
        with pytest.raises(CannotSeeError):
            source.read(since, wall_ms())
        fake.mode = ""
        until("up again", lambda: len(events.of("alert.source.up")) == 2)
        (gap,) = source.read(since, wall_ms())["gaps"]
    finally:
        source.stop()
    assert "Alertmanager" in down.data["error"]
    assert "could not read it" not in down.data["error"]
    assert gap[0] <= failed <= gap[1]


def test_never_looked_is_a_gap(fake: FakeAlertmanager) -> None:
    now = wall_ms()
    assert AlertmanagerSource(fake.url).read(now - 10_000, now)["gaps"] == [[now - 10_000, now]]


def test_a_restart_is_a_gap(fake: FakeAlertmanager) -> None:
    events = Events()
    source = AlertmanagerSource(fake.url, poll_ms=20)
    since = wall_ms()
    source.start(events)
    try:
        until("up", lambda: events.of("alert.source.up"))
        asked = len(fake.asked)
        until("polls", lambda: len(fake.asked) > asked + 3)
        fake.started_ms = wall_ms()
        until("later", lambda: wall_ms() > fake.started_ms + 100)
        (gap,) = source.read(since, wall_ms())["gaps"]
    finally:
        source.stop()
    # It forgets its alerts when it starts, so nothing before is sure from the last look on.
    assert gap == [fake.started_ms - 20, fake.started_ms]


def test_doctor(fake: FakeAlertmanager) -> None:
    health = AlertmanagerSource(fake.url).check()
    assert (health.version, health.receivers) == ("0.25.0", ("pager", "tap"))
    assert health.error_ms is not None
    assert health.error_ms >= 500
    assert "0.25.0" in health.text


def _set(fake: FakeAlertmanager, alerts: list[dict[str, Any]]) -> None:
    fake.alerts = alerts
    asked = len(fake.asked)
    until("seen twice", lambda: len(fake.asked) > asked + 2)
