"""PrometheusSource against a stateful fake: what it tells, what it reads, how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import Events, FakePrometheus, rfc3339, until, wall_ms

from gameday.adapters.prometheus import MAX_SELECTORS, PrometheusSource
from gameday.adapters.prometheus_answers import (
    active_alerts,
    duration_of,
    holes,
    rule_rows,
    time_wall_ms,
)
from gameday.errors import CannotSeeError
from gameday.kpi.episodes import from_prometheus
from gameday.model.event import Event

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakePrometheus]:
    fake = FakePrometheus()
    yield fake
    fake.close()


def alert(state: str, **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": "A", **labels},
        "annotations": {"summary": f"{state} now"},
        "state": state,
        "activeAt": "2026-11-22T11:02:19.674971717Z",
        "value": "1e+00",
    }


def recorded(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def test_recorded_answers() -> None:
    pending = active_alerts(recorded("prom_alerts_pending.json"))
    assert {a["state"] for a in pending} == {"pending", "firing"}
    firing = [
        a for a in active_alerts(recorded("prom_alerts_firing.json")) if a["value"] == "5e-01"
    ]
    assert firing[0]["active_wall_ms"] == 1_795_345_339_674
    rows = {r["name"]: r for r in rule_rows(recorded("prom_rules.json"))}
    assert rows["HighErrorRate"]["duration"] == 3
    assert rows["HighErrorRate"]["interval"] == 1
    assert rows["ErrorsKeepFiring"]["keep_firing_for"] == 10
    assert "service:error_ratio:rate5s" not in rows


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-22T11:02:19.674971717Z", 1_795_345_339_674),
        ("2026-11-22T11:02:19Z", 1_795_345_339_000),
        ("2026-11-22T13:02:19.6+02:00", 1_795_345_339_600),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
        (7, None),
        ("9999-99-99T99:99:99Z", None),
    ],
)
def test_times(text: object, ms: int | None) -> None:
    assert time_wall_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "ms"), [("15s", 15_000), ("1m30s", 90_000), ("250ms", 250), ("0s", None), ("x", None)]
)
def test_durations(text: str, ms: int | None) -> None:
    assert duration_of(text) == ms


def test_holes() -> None:
    assert holes([900, 2_000, 3_000], 1_000, 4_000, 2_000) == []
    assert holes([900, 2_000, 9_000], 1_000, 10_000, 2_000) == [[2_000, 9_000]]
    assert holes([5_000, 6_000], 1_000, 10_000, 2_000) == [[1_000, 5_000], [6_000, 10_000]]


def test_it_tells_what_changes(fake: FakePrometheus) -> None:
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    source.start(events)
    source.start(events)  # changes nothing
    try:
        until("up", lambda: events.of("alert.source.up"))
        fake.alerts = [alert("pending")]
        (pending,) = until("pending", lambda: events.of("alert.pending"))
        fake.alerts = [alert("firing"), alert("firing", service="b")]
        until("two firing", lambda: len(events.of("alert.firing")) == 2)
        before = wall_ms()
        fake.alerts = [alert("firing", service="b")]
        (resolved,) = until("resolved", lambda: events.of("alert.resolved"))
    finally:
        source.stop()
        source.stop()
    assert pending.subject == "A"
    assert pending.data["at_wall_ms"] == 1_795_345_339_674
    assert pending.data["labels"] == {"alertname": "A"}
    assert resolved.data["labels"] == {"alertname": "A"}
    assert resolved.data["at_wall_ms"] >= before - 1000
    assert resolved.data["was"] == "firing"
    assert len(events.of("alert.pending")) == 1  # the other one was firing when it was first seen
    assert all(e.data["observed"] for e in events.of("alert.firing"))
    assert len(events.of("alert.source.up")) == 1
    (clock,) = events.of("clock.offset")
    assert clock.subject == "prometheus"


def test_an_alert_that_was_firing_before_is_told_at_once(fake: FakePrometheus) -> None:
    fake.alerts = [alert("firing")]
    events = Events()
    source = PrometheusSource(fake.url, name="prom-eu", poll_ms=20)
    source.start(events)
    try:
        (firing,) = until("firing", lambda: events.of("alert.firing"))
    finally:
        source.stop()
    assert firing.data["source"] == "prom-eu"


@pytest.mark.parametrize("mode", ["401", "500", "302", "null", "html", "wrong", "cut", "deep"])
def test_down_and_up_are_told_once_and_nothing_resolves_meanwhile(
    fake: FakePrometheus, mode: str
) -> None:
    fake.alerts = [alert("firing")]
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    source.start(events)
    try:
        until("up", lambda: events.of("alert.source.up"))  # after the first whole look
        fake.mode = mode
        (down,) = until("down", lambda: events.of("alert.source.down"))
        asked = len(fake.asked)
        until("asked on", lambda: len(fake.asked) > asked + 3)
        fake.mode = ""
        until("up again", lambda: len(events.of("alert.source.up")) == 2)
    finally:
        source.stop()
    assert "Prometheus" in down.data["error"]
    assert "could not read it" not in down.data["error"], down.data["error"]
    assert len(events.of("alert.source.down")) == 1
    assert not events.of("alert.resolved")
    assert len(events.of("alert.firing")) == 1


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("401", "credentials"),
        ("500", "it is broken"),
        ("302", "answered 302"),
        ("null", "number"),
        ("html", "JSON"),
        ("wrong", "number"),
        ("cut", "broke off"),
        ("deep", "JSON"),
    ],
)
def test_a_read_that_is_not_whole_is_no_read(fake: FakePrometheus, mode: str, says: str) -> None:
    fake.mode = mode
    with pytest.raises(CannotSeeError, match=says):
        PrometheusSource(fake.url).read(wall_ms() - 1000, wall_ms())


def test_nobody_there() -> None:
    fake = FakePrometheus()
    fake.close()
    with pytest.raises(CannotSeeError, match="refused"):
        PrometheusSource(fake.url).read(0, 1)
    with pytest.raises(CannotSeeError, match="resolved"):
        PrometheusSource("http://nobody.invalid:9090").check()
    with pytest.raises(CannotSeeError, match="URL"):
        PrometheusSource("prometheus:9090").check()


def test_a_server_that_drips_or_hangs_is_given_up(
    fake: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.prometheus.Http", _impatient)
    for mode, says in (("drip", "did not finish within"), ("hang", "no answer within")):
        fake.mode = mode
        began = wall_ms()
        with pytest.raises(CannotSeeError, match=says):
            PrometheusSource(fake.url).read(0, 1)
        assert wall_ms() - began < 5_000


def _impatient(*args: Any, **kwargs: Any) -> Any:
    from gameday.adapters.http import Http

    return Http(*args, **(kwargs | {"total_s": 0.3}))


def test_it_reads_raw_samples_of_exactly_that_time(fake: FakePrometheus) -> None:
    until_ms = wall_ms()
    fake.matrix = [
        {
            "metric": {"__name__": "ALERTS", "alertname": "A", "alertstate": "firing"},
            "values": [[until_ms / 1000 - 5, "1"], [until_ms / 1000 - 4, "1"]],
        }
    ]
    read = PrometheusSource(fake.url).read(until_ms - 10_000, until_ms)
    (query,) = (q for path, q in fake.asked if path == "/api/v1/query" and "time" in q)
    assert query["query"] == ["ALERTS[10001ms]"]
    assert float(query["time"][0]) * 1000 == pytest.approx(until_ms, abs=50)
    assert read["matrix"] == fake.matrix
    assert read["rules"][0]["name"] == "A"
    assert read["gaps"] == []
    assert read["offset_ms"] == pytest.approx(0, abs=50)
    json.dumps(read, allow_nan=False)
    (episode,) = from_prometheus(read)
    assert episode.firing_wall_ms == until_ms - 5_000
    assert episode.ended_wall_ms == until_ms - 3_000


@pytest.mark.parametrize(
    ("query", "series"),
    [
        ("x > 1", [{"selector": "x", "samples": True}]),
        (
            "gone / x > 1",
            [{"selector": "gone", "samples": False}, {"selector": "x", "samples": True}],
        ),
        ("broken + x", [{"selector": "broken", "samples": None}]),  # and then no more is asked
    ],
)
def test_the_series_of_an_expected_alert_that_stayed_silent_are_looked_for(
    fake: FakePrometheus, query: str, series: list[dict[str, Any]]
) -> None:
    fake.query_of_rule, fake.series, fake.broken_series = query, {"x"}, {"broken"}
    until_ms = wall_ms()

    (rule,) = PrometheusSource(fake.url, expected={"A"}).read(until_ms - 10_000, until_ms)["rules"]

    assert rule["series"] == series
    asked = [q["query"][0] for path, q in fake.asked if path == "/api/v1/query"]
    assert any("[10001ms]" in one for one in asked if one.startswith("count("))


def test_nothing_is_looked_for_of_alerts_that_nobody_expects_or_that_were_active(
    fake: FakePrometheus,
) -> None:
    until_ms = wall_ms()
    (rule,) = PrometheusSource(fake.url).read(until_ms - 10_000, until_ms)["rules"]
    assert "series" not in rule
    metric = {"alertname": "A", "alertstate": "pending"}
    fake.matrix = [{"metric": metric, "values": [[until_ms / 1000 - 1, "1"]]}]
    read = PrometheusSource(fake.url, expected={"A"}).read(until_ms - 10_000, until_ms)
    assert "series" not in read["rules"][0]


def test_no_more_series_are_looked_for_than_the_cap(fake: FakePrometheus) -> None:
    fake.query_of_rule = " + ".join(f"m{i}" for i in range(MAX_SELECTORS + 5))
    until_ms = wall_ms()

    (rule,) = PrometheusSource(fake.url, expected={"A"}).read(until_ms - 10_000, until_ms)["rules"]

    assert len(rule["series"]) == MAX_SELECTORS


def test_a_clock_that_is_off_is_measured_and_taken_into_account(fake: FakePrometheus) -> None:
    fake.skew_ms = -90_000
    until_ms = wall_ms()
    read = PrometheusSource(fake.url).read(until_ms - 10_000, until_ms)
    assert read["offset_ms"] == pytest.approx(-90_000, abs=200)
    assert read["gaps"] == []
    (query,) = (q for path, q in fake.asked if path == "/api/v1/query" and "time" in q)
    assert float(query["time"][0]) * 1000 == pytest.approx(until_ms - 90_000, abs=200)


def test_an_answer_that_says_it_is_partial_is_refused(fake: FakePrometheus) -> None:
    fake.warnings = ["store sidecar-2 did not answer"]
    with pytest.raises(CannotSeeError, match="not whole: store sidecar-2"):
        PrometheusSource(fake.url).read(wall_ms() - 1000, wall_ms())


def test_more_than_the_cap_is_refused(fake: FakePrometheus) -> None:
    fake.routes["/api/v1/rules"] = b" " * (33 * 1024 * 1024)
    with pytest.raises(CannotSeeError, match="more than"):
        PrometheusSource(fake.url).check()


def test_a_restart_in_the_middle_is_a_gap(fake: FakePrometheus) -> None:
    until_ms = wall_ms()
    fake.started_ms = until_ms - 4_000
    (gap,) = PrometheusSource(fake.url).read(until_ms - 10_000, until_ms)["gaps"]
    assert gap[0] == until_ms - 10_000
    assert gap[1] >= until_ms - 4_200


def test_a_stretch_without_scrapes_is_a_gap(fake: FakePrometheus) -> None:
    until_ms = wall_ms()
    quiet = range(until_ms - 20_000, until_ms - 12_000)
    fake.scrapes = lambda at_s: round(at_s * 1000) not in quiet
    (gap,) = PrometheusSource(fake.url).read(until_ms - 30_000, until_ms)["gaps"]
    assert gap == [
        pytest.approx(until_ms - 20_600, abs=1000),
        pytest.approx(until_ms - 11_600, 1000),
    ]


@pytest.mark.parametrize("last_ms", [0, 8_000])
def test_rules_that_are_not_evaluated_are_a_gap_to_the_end(
    fake: FakePrometheus, last_ms: int
) -> None:
    until_ms = wall_ms()
    fake.last_evaluation_ms = until_ms - last_ms if last_ms else 0
    (gap,) = PrometheusSource(fake.url).read(until_ms - 20_000, until_ms)["gaps"]
    assert gap == [until_ms - (last_ms or 20_000), until_ms]


def test_without_traces_of_work_only_polls_count(fake: FakePrometheus) -> None:
    """Thanos and Mimir do not say when they began, and may know no targets."""
    del fake.routes["/api/v1/status/runtimeinfo"]
    fake.has_targets = False
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    since = wall_ms()
    (gap,) = source.read(since - 10_000, since)["gaps"]
    assert gap == [since - 10_000, since]
    source.start(events)
    try:
        until("up", lambda: events.of("alert.source.up"))
        fake.mode = "500"
        until("down", lambda: events.of("alert.source.down"))
        failed = wall_ms()
        fake.mode = ""
        until("up", lambda: len(events.of("alert.source.up")) == 2)
        (gap,) = source.read(since, wall_ms())["gaps"]
    finally:
        source.stop()
    assert gap[0] <= failed <= gap[1]


def test_failed_polls_are_no_gap_when_it_was_at_work(fake: FakePrometheus) -> None:
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    since = wall_ms()
    source.start(events)
    try:
        fake.mode = "500"
        until("down", lambda: events.of("alert.source.down"))
        fake.mode = ""
        assert source.read(since, wall_ms())["gaps"] == []
    finally:
        source.stop()


def test_rendered_annotations_are_kept_for_later(fake: FakePrometheus) -> None:
    fake.alerts = [alert("firing")]
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    source.start(events)
    try:
        until("firing", lambda: events.of("alert.firing"))
        fake.alerts = []
        until("resolved", lambda: events.of("alert.resolved"))
        read = source.read(wall_ms() - 1000, wall_ms())
    finally:
        source.stop()
    assert read["seen"] == [
        {"labels": {"alertname": "A"}, "annotations": {"summary": "firing now"}}
    ]


def test_doctor(fake: FakePrometheus) -> None:
    health = PrometheusSource(fake.url.replace("//", "//user:hunter2@")).check()
    assert health.version == "2.42.0"
    assert health.rules == 1
    assert "hunter2" not in health.text
    assert fake.headers[0]["Authorization"].startswith("Basic ")


def test_a_password_is_in_no_message(fake: FakePrometheus) -> None:
    fake.mode = "500"
    with pytest.raises(CannotSeeError) as caught:
        PrometheusSource(fake.url.replace("//", "//user:hunter2@")).read(0, 1)
    assert "hunter2" not in str(caught.value)


def test_proxies_of_the_environment_are_not_used(
    fake: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert PrometheusSource(fake.url).check().rules == 1


def test_stop_is_quick_and_quiet_while_it_hangs(fake: FakePrometheus) -> None:
    events = Events()
    source = PrometheusSource(fake.url, poll_ms=20)
    source.start(events)
    until("up", lambda: events.of("alert.source.up"))
    fake.mode = "hang"
    asked = len(fake.asked)
    until("asked", lambda: len(fake.asked) > asked)
    began = wall_ms()
    source.stop()
    assert wall_ms() - began < 4_000
    count = len(events.all)
    fake.released.set()
    assert [e for e in events.all[count:] if isinstance(e, Event)] == []


def test_the_times_of_the_fake_are_those_of_go() -> None:
    assert time_wall_ms(rfc3339(1_795_345_339_674)) == 1_795_345_339_674
