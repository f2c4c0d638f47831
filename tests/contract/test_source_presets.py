"""Every preset against the stateful fake of its vendor: the same story, as each can tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from alert_fakes import until
from source_fakes import FakeGrafana, FakePagerDuty, FakeVendor, now_ms
from source_fakes_more import (
    FakeCloudWatch,
    FakeDatadog,
    FakeElastic,
    FakeJsm,
    FakeNewRelic,
    FakeOpsgenie,
    FakeSplunk,
)
from source_support import spec_of, watching

from gameday.adapters.sources.source import HttpJsonSource
from gameday.errors import CannotSeeError
from gameday.model.source_presets import PRESETS
from gameday.model.sources import SourceSpec


@dataclass(frozen=True)
class Vendor:
    make: Callable[[], FakeVendor]
    auth: Mapping[str, Any]
    secrets: Mapping[str, str]
    refused: int = 401
    #: labels that an alert must have there
    labels: Mapping[str, str] = field(default_factory=dict)
    pages: int = 3
    more: Mapping[str, Any] = field(default_factory=dict)


def header(name: str, prefix: str = "", env: str = "KEY") -> dict[str, Any]:
    return {"headers": {name: {"env": env, "prefix": prefix}}}


AWS = {"access_key": {"env": "KEY"}, "secret_key": {"env": "KEY2"}}
VENDORS: dict[str, Vendor] = {
    "grafana": Vendor(
        FakeGrafana, {"bearer": {"env": "KEY"}}, {"KEY": "glsa_right"},
        labels={"severity": "page", "service": "front"}, pages=1,
    ),
    "pagerduty": Vendor(
        FakePagerDuty, header("Authorization", "Token token="), {"KEY": "pd_right"},
        labels={"urgency": "high", "service": "front"},
    ),
    "opsgenie": Vendor(
        FakeOpsgenie, header("Authorization", "GenieKey "), {"KEY": "og_right"},
        labels={"priority": "P1"},
    ),
    "jsm": Vendor(
        FakeJsm, {"basic": {"user": "me@example.org", "password": {"env": "KEY"}}},
        {"KEY": "jsm_right"}, labels={"priority": "P1"}, more={"options": {"cloud": "c1"}},
    ),
    "datadog": Vendor(
        FakeDatadog,
        {"headers": {"DD-API-KEY": {"env": "KEY"}, "DD-APPLICATION-KEY": {"env": "KEY2"}}},
        {"KEY": "dd_right", "KEY2": "dd_app"}, 403, {"severity": "page", "service": "front"},
    ),
    "newrelic": Vendor(
        FakeNewRelic, header("API-Key"), {"KEY": "NRAK-right"},
        labels={"entity": "front", "priority": "CRITICAL"},
        more={"options": {"account": "1234567"}},
    ),
    "cloudwatch": Vendor(
        FakeCloudWatch, {"aws": AWS}, {"KEY": "AKIDEXAMPLE", "KEY2": "cw_right"}, 403,
        more={"options": {"region": "eu-central-1"}},
    ),
    "elastic": Vendor(
        FakeElastic, header("Authorization", "ApiKey "), {"KEY": "es_right"},
        labels={"severity": "page", "instance": "front"}, pages=4,
    ),
    "splunk": Vendor(
        FakeSplunk, {"bearer": {"env": "KEY"}}, {"KEY": "sp_right"},
        labels={"app": "search", "severity": "5"},
    ),
}  # fmt: skip


@pytest.fixture(name="vendor", params=sorted(PRESETS))
def _vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(name="fake")
def _fake(vendor: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendor]:
    for name, value in VENDORS[vendor].secrets.items():
        monkeypatch.setenv(name, value)
    with VENDORS[vendor].make() as fake:
        yield fake


def spec(vendor: str, fake: FakeVendor) -> SourceSpec:
    one = VENDORS[vendor]
    source = {"preset": vendor, "url": fake.url, "auth": dict(one.auth), **one.more}
    return replace(spec_of(vendor, source), every_ms=20, delay_ms=0)


def test_the_story_of_an_alert(vendor: str, fake: FakeVendor) -> None:
    """Pending, firing, acknowledged, ended: each at its time where the vendor tells it."""
    source, events = watching(spec(vendor, fake))
    can, since = source.check().can, now_ms()

    def seen(what: str) -> Any:
        def look() -> Any:
            found = source.read(since - 2_000, now_ms())["episodes"]
            return found and found[0][f"{what}_wall_ms"]

        return until(what, look)

    try:
        until("up", lambda: events.of("alert.source.up"))
        alert = fake.add(pending_ms=now_ms())
        if "pending" in can:
            until("pending", lambda: events.of("alert.pending"))
        alert.firing_ms = now_ms()
        until("firing", lambda: events.of("alert.firing"))
        alert.acknowledged_ms = now_ms()
        if "acknowledged" in can:
            seen("acknowledged")
        alert.ended_ms = now_ms()
        if "ended" in can:
            until("resolved", lambda: events.of("alert.resolved"))
        read = source.read(since - 2_000, now_ms())
    finally:
        source.stop()
    [episode] = read["episodes"]
    assert episode["alert"] == "BackSlow"
    assert VENDORS[vendor].labels.items() <= episode["labels"].items()
    for name, truth, slack_ms in (
        ("pending", alert.pending_ms, 0),
        ("firing", alert.firing_ms, 0),
        ("acknowledged", alert.acknowledged_ms, 0),
        ("ended", alert.ended_ms, 10_000 if read["history"] is False else 0),
    ):
        said = episode[f"{name}_wall_ms"]
        if name not in can:
            assert said is None, name
        else:
            assert said is not None, name
            assert -1_000 <= said - truth <= slack_ms, name  # many vendors know whole seconds
    assert read["can"] == list(can)


def test_every_page_is_read(vendor: str, fake: FakeVendor) -> None:
    for n in range(250):
        fake.fire(id=f"A{n:03}", name=f"Alert{n:03}")
    asked = len(fake.asked)
    read = HttpJsonSource(spec(vendor, fake)).read(now_ms() - 1_000, now_ms())
    assert sorted({e["alert"] for e in read["episodes"]}) == [f"Alert{n:03}" for n in range(250)]
    assert len(fake.asked) - asked == VENDORS[vendor].pages


def test_wrong_credentials_are_no_quiet(
    vendor: str, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VENDORS[vendor].secrets:
        monkeypatch.setenv(name, "certainlywrong")
    with pytest.raises(CannotSeeError, match=f"answered {VENDORS[vendor].refused}") as told:
        HttpJsonSource(spec(vendor, fake)).read(now_ms() - 1_000, now_ms())
    assert "certainlywrong" not in str(told.value)


def test_a_rate_limit_is_waited_for(vendor: str, fake: FakeVendor) -> None:
    fake.limited, fake.retry_after = 2, "0.1"
    fake.fire()
    assert len(HttpJsonSource(spec(vendor, fake)).read(now_ms() - 1_000, now_ms())["episodes"]) == 1


def test_an_answer_of_something_else_is_no_quiet(vendor: str, fake: FakeVendor) -> None:
    for body in ({}, [], {"data": None}, b"null", b"<html>"):
        fake.down = (200, body)
        with pytest.raises(CannotSeeError):
            HttpJsonSource(spec(vendor, fake)).read(now_ms() - 1_000, now_ms())


def test_what_fired_before_is_seen_as_firing(vendor: str, fake: FakeVendor) -> None:
    fake.fire(at_ms=now_ms() - 300_000)
    [episode] = HttpJsonSource(spec(vendor, fake)).read(now_ms() - 1_000, now_ms())["episodes"]
    assert episode["ended_wall_ms"] is None
    assert episode["firing_wall_ms"] < now_ms() - 299_000


def test_new_relic_refuses_with_status_200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "NRAK-right")
    with FakeNewRelic() as fake:
        one = replace(spec("newrelic", fake), options={"account": "999"})
        with pytest.raises(CannotSeeError, match="Access denied to that account"):
            HttpJsonSource(one).check()


def test_an_index_that_elastic_does_not_have_is_no_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "es_right")
    with FakeElastic() as fake:
        fake.fire()
        fake.shards = 0
        with pytest.raises(CannotSeeError, match="no such index is there, or may be read"):
            HttpJsonSource(spec("elastic", fake)).read(now_ms() - 1_000, now_ms())


def test_a_cloudwatch_alarm_that_ends_without_a_beginning_began_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in VENDORS["cloudwatch"].secrets.items():
        monkeypatch.setenv(name, value)
    with FakeCloudWatch() as fake:
        fake.add(firing_ms=now_ms() - 20 * 86_400_000, ended_ms=now_ms())
        [episode] = HttpJsonSource(spec("cloudwatch", fake)).read(now_ms() - 1_000, now_ms())[
            "episodes"
        ]
    assert episode["firing_wall_ms"] < now_ms() - 6 * 86_400_000
    assert episode["ended_wall_ms"] is not None
