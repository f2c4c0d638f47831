"""Who acknowledged, told by whom: each source, what it does not count, and why nothing is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gameday.kpi.acks import Ack, first_ack, why_none
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Limits, Plan, Schedule
from gameday.model.project import AlertingSpec, Environment, Service
from gameday.model.scenario import AlertExpectation, Expectations, LoadSpec, Phases, Scenario
from gameday.model.sources import SourceSpec

ORIGIN = 1_795_345_000_000
ASKED_MS, FIRED_MS = 13_000, 19_000
SLOW = AlertExpectation(alert="Slow", labels={"severity": "page"}, fires_within_ms=10_000)
OTHER = replace(SLOW, alert="Other")
LABELS = {"alertname": "Slow", "severity": "page", "service": "payments"}
PAGER = SourceSpec(name="pager", url="http://127.0.0.1:1", map={"acknowledged": "at"})
STATUS = replace(PAGER, name="status", map={})


def plan(*alerts: AlertExpectation, alerting: AlertingSpec | None = None) -> Plan:
    scenario = Scenario(
        id="slow", title="", service="shop", owner="", hypothesis="",
        load=LoadSpec(target="shop", arrivals_per_s=1.0, users=None, journeys=()),
        phases=Phases(baseline_ms=1, fault_ms=1, recovery_ms=1), faults=(),
        expect=Expectations(alerts=alerts or (SLOW,)), stop_when=(),
    )  # fmt: skip
    return Plan(
        scenario=scenario,
        environment=Environment(name="local", alerting=alerting or AlertingSpec()),
        builtin_alerts=(), service=Service(name="shop"), runbook_folders=(), runbook_hosts=(),
        directory=".", seed=7, schedule=Schedule(steps=(), limits=Limits(deadline_ms=1)),
    )  # fmt: skip


def wall(at_ms: int) -> int:
    return ORIGIN + at_ms


def run(*events: Event) -> Timeline:
    opened = Event(kind="run.opened", subject="r", data={"origin_wall_ms": ORIGIN})
    fired = {"source": "builtin", "labels": LABELS, "annotations": {}, "at_wall_ms": wall(FIRED_MS)}
    firing = Event(at_ms=FIRED_MS, kind="alert.firing", subject="Slow", data=fired)
    return Timeline(replace(e, seq=n) for n, e in enumerate((opened, firing, *events)))


def by_hand(at_ms: int, text: str) -> Event:
    return Event(at_ms=at_ms, kind="human.ack", subject="responder", data={"text": text})


def pushed(at_ms: int, alert: str = "Slow", **more: Any) -> Event:
    data = {
        "receiver": "pagerduty", "labels": {"service": "Payments (prod)"}, "fingerprint": "Q1",
        "arrived_wall_ms": wall(at_ms), "acknowledged_wall_ms": wall(at_ms - 400),
        "dialect": "pagerduty", "raw": 2, **more,
    }  # fmt: skip
    return Event(at_ms=at_ms, kind="alert.acknowledged", subject=alert, data=data)


def read(source: str, **data: Any) -> Event:
    usual = {"until_wall_ms": wall(60_000), "gaps": [], "offset_ms": 0, "error_ms": 500}
    return Event(
        at_ms=60_000, kind="alert.read", subject=source, phase=Phase.OK, data={**usual, **data}
    )


def incident(firing_ms: int | None = FIRED_MS, ack_ms: int | None = None, **more: Any) -> Any:
    return {
        "id": "Q1", "alert": "Slow", "labels": {"urgency": "high"}, "annotations": {},
        "firing_wall_ms": None if firing_ms is None else wall(firing_ms), "ended_wall_ms": None,
        "acknowledged_wall_ms": None if ack_ms is None else wall(ack_ms), **more,
    }  # fmt: skip


def pager(*episodes: Any, **more: Any) -> Event:
    can = ["firing", "delivered", "acknowledged"]
    return read("pager", episodes=list(episodes), can=can, history=True, **more)


def silenced(starts_ms: int, *, ids: tuple[str, ...] = ("s1",), **more: Any) -> Event:
    row = {
        "id": "s1", "state": "active", "starts_wall_ms": wall(starts_ms), "says_ack": False,
        "updated_wall_ms": wall(starts_ms), "first_seen_wall_ms": wall(starts_ms + 3_000), **more,
    }  # fmt: skip
    alert = {
        "labels": LABELS, "receivers": ["pager"], "silencedBy": list(ids), "inhibitedBy": [],
        "states": [], "last_seen_wall_ms": wall(50_000),
    }  # fmt: skip
    return read("alertmanager", alerts=[alert], silences=[row], receivers=["pager"])


def first(
    timeline: Timeline, expected: AlertExpectation = SLOW, fired_ms: int | None = FIRED_MS,
    setup: Plan | None = None,
) -> Ack | None:  # fmt: skip
    return first_ack(setup or plan(), timeline, expected, asked_ms=ASKED_MS, fired_ms=fired_ms)


#: what happened -> (run time, error, source, words of the sign)
TOLD: dict[str, tuple[Event, tuple[int, int, str, str]]] = {
    "by hand": (by_hand(22_000, "slow, on it"), (22_000, 0, "by hand", "responder")),
    "webhook": (pushed(23_000), (23_000, 400, "pagerduty", "a webhook (pagerduty) on `Q1`")),
    "pager": (pager(incident(ack_ms=24_000)), (24_000, 500, "pager", "`Q1` there")),
    "clock": (
        pager(incident(ack_ms=24_000 + 90_000), offset_ms=90_000),
        (24_000, 500, "pager", "`Q1` there"),
    ),
    "silence": (silenced(25_000), (25_000, 500, "alertmanager", "silence s1")),
    "silence that says so": (
        silenced(25_000, says_ack=True),
        (25_000, 500, "alertmanager", "silence s1, whose comment says ack"),
    ),
    "silence planned in the run": (
        silenced(40_000, state="pending", updated_wall_ms=wall(26_000)),
        (26_000, 500, "alertmanager", "silence s1"),
    ),
    "silence never later than it was seen": (
        silenced(26_000, first_seen_wall_ms=wall(25_800)),
        (25_800, 500, "alertmanager", "silence s1"),
    ),
    "silence within the error of the clock": (
        silenced(FIRED_MS - 300), (FIRED_MS, 500, "alertmanager", "silence s1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_each_source_is_named_with_its_sign(name: str) -> None:
    event, expected = TOLD[name]
    found = first(run(event))

    assert found is not None
    assert (found.at_ms, found.error_ms, found.source, found.what) == expected
    assert found.evidence == (2,)


NOT_COUNTED: dict[str, Event] = {
    "by hand, before the fault": by_hand(12_000, "Slow"),
    "by hand, a longer name": by_hand(22_000, "SlowQueries"),
    "webhook of another alert": pushed(23_000, "Else", fingerprint="Q2"),
    "webhook before the fault": pushed(12_000),
    "pager, nobody did": pager(incident()),
    "pager, of another alert": pager(incident(ack_ms=24_000, alert="Else")),
    "pager, before the fault": pager(incident(firing_ms=1_000, ack_ms=12_000)),
    "a silence that was there before": silenced(5_000),
    "a silence made before it fired": silenced(FIRED_MS - 1_000),
    "a silence that was planned before": silenced(
        25_000, state="pending", updated_wall_ms=wall(2_000)
    ),
    "a silence of something else": silenced(25_000, ids=()),
}


@pytest.mark.parametrize("name", NOT_COUNTED)
def test_what_is_no_acknowledgement(name: str) -> None:
    two = plan(SLOW, replace(OTHER, alert="SlowQueries"))

    assert first(run(NOT_COUNTED[name]), setup=two) is None


def test_a_silence_of_what_was_not_seen_firing_is_none() -> None:
    assert first(run(silenced(25_000)), fired_ms=None) is None


def test_the_first_of_all_sources_counts() -> None:
    told = run(silenced(25_000), pager(incident(ack_ms=24_000)), by_hand(26_000, "Slow"))

    assert (found := first(told)) is not None
    assert found.source == "pager"


def test_one_of_several_alerts_has_to_be_named() -> None:
    two = plan(SLOW, OTHER)

    assert first(run(by_hand(22_000, "mine")), setup=two) is None
    assert first(run(by_hand(22_000, "Other")), setup=two) is None
    assert first(run(by_hand(22_000, "both other and slow")), OTHER, setup=two) is not None


def test_who_names_an_alert_that_nobody_expected_took_that_one() -> None:
    fired = {"source": "builtin", "labels": {}, "annotations": {}, "at_wall_ms": wall(20_000)}
    noise = Event(at_ms=20_000, kind="alert.firing", subject="Noise", data=fired)

    assert first(run(noise, by_hand(22_000, "Noise"))) is None


def test_a_webhook_without_the_name_means_what_came_with_its_mark() -> None:
    data = {"receiver": "pager", "status": "firing", "labels": LABELS, "fingerprint": "k"}
    came = Event(at_ms=20_000, kind="alert.delivered", subject="Slow", data=data)
    took = pushed(23_000, "k", fingerprint="k", receiver="pager", dialect="pagerduty-events")

    assert (found := first(run(came, took))) is not None
    assert found.source == "pager"
    assert first(run(came, replace(took, data={**took.data, "receiver": "another"}))) is None


def why(*events: Event, alerting: AlertingSpec | None = None) -> tuple[int | None, str]:
    setup = plan(SLOW, OTHER, alerting=alerting)
    return why_none(setup, run(*events), SLOW, asked_ms=ASKED_MS)


ALL = AlertingSpec(
    prometheus_url="http://127.0.0.1:1", alertmanager_url="http://127.0.0.1:2",
    http_json=(PAGER, STATUS),
)  # fmt: skip


def test_what_cannot_tell_says_so() -> None:
    status = read("status", episodes=[], can=["firing"], history=True)
    until_ms, text = why(silenced(2_000), pager(), status, alerting=ALL)

    assert until_ms is None
    assert text == (
        "nobody told gameday of an acknowledgement: `prometheus` and `status` know none, "
        "no silence was made for it at `alertmanager` after it fired, `pager` did not list it"
    )


def test_a_pager_that_lists_it_without_one_was_looked_at_until_its_last_read() -> None:
    found = why(pager(incident()), alerting=ALL)

    assert found == (60_000, "nobody acknowledged it at `pager` while we looked")


@pytest.mark.parametrize("times", [[(12_000, "down"), (14_000, "up")], [(20_000, "down")]])
def test_a_pager_that_was_away_may_have_forgotten_one(times: list[tuple[int, str]]) -> None:
    marks = [Event(at_ms=at, kind=f"alert.source.{how}", subject="pager") for at, how in times]
    until_ms, text = why(*marks, pager(incident()), alerting=ALL)

    assert until_ms is None
    assert "`pager` could not be read for a while, and may forget it" in text
    well = [Event(at_ms=at, kind=f"alert.source.{how}", subject="pager")
            for at, how in [(2_000, "down"), (3_000, "up")]]  # fmt: skip
    assert why(*well, pager(incident()), alerting=ALL)[0] == 60_000


def test_what_could_not_be_read_and_what_named_nothing_is_told() -> None:
    gone = read("pager", error="refused")
    failed = replace(gone, phase=Phase.FAILED)
    quiet = read("alertmanager", alerts=[], silences=None, receivers=[])
    _, text = why(failed, quiet, by_hand(22_000, "mine"), alerting=ALL)

    assert "`pager` could not be read: refused" in text
    assert "`alertmanager` did not tell of silences" in text
    assert "`status` was never read" in text
    assert text.endswith("what was acknowledged by hand names another alert, or none")


def test_without_any_server_only_people_could_have_told() -> None:
    assert why() == (None, "nobody told gameday of an acknowledgement: `builtin` knows none")
