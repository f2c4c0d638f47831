"""The alert of the proof goes nowhere but to us, or it does not go."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.kpi.pipeline import is_ours, proof_alerts, proof_labels, way_of
from gameday.kpi.routed_ahead import LiveAlertmanager
from gameday.kpi.routing import routing_of
from gameday.kpi.seen import deliveries_of
from gameday.model.event import Event, Timeline

OURS = "http://127.0.0.1:9099/v1/in/t0ken"
LABELS = proof_labels("run-1")
ROUTE = {
    "matchers": ['alertname="GamedayPipelineProof"'], "receiver": "gameday",
    "group_by": ["alertname"], "group_wait": "2s", "group_interval": "7s",
}  # fmt: skip


def there(
    *routes: dict[str, Any], hooks: Any = None, inhibit: Any = (), **now: Any
) -> LiveAlertmanager:
    config = {
        "route": {"receiver": "pager", "group_by": ["alertname"], "routes": list(routes)},
        "receivers": [
            {"name": "pager", "pagerduty_configs": [{"routing_key": "<secret>"}]},
            {"name": "tickets", "webhook_configs": [{"url": "http://tickets.example.org/"}]},
            {"name": "gameday", "webhook_configs": hooks or [{"url": f"{OURS}/gameday"}]},
        ],
        "inhibit_rules": list(inhibit),
    }
    return LiveAlertmanager(routing=routing_of(config), **now)


def test_a_route_to_us_alone_is_a_way_and_takes_the_groups_wait() -> None:
    way = way_of(LABELS, there(ROUTE), OURS)

    assert way.why_not == ""
    assert way.receivers == ("gameday",)
    assert way.wait_ms == 2_000


def test_a_group_that_is_there_takes_its_interval() -> None:
    group = ("gameday", {"alertname": "GamedayPipelineProof"})

    assert way_of(LABELS, there(ROUTE, groups=[group]), OURS).wait_ms == 7_000


SILENCE = {
    "id": "s-1", "status": {"state": "active"},
    "matchers": [{"name": "exercise", "value": "true", "isRegex": False}],
}  # fmt: skip
HIDDEN = [{"url": "<secret>"}]
IN_A_FILE = [{"url_file": "/etc/alertmanager/gameday"}]
TWO = [{"url": OURS}, {"url": "http://127.0.0.1:1/"}]
HOLDS = {"source_matchers": ['severity="none"'], "target_matchers": ['severity="page"']}
HELD = {"source_matchers": ["alertname=Maintenance"], "target_matchers": ["exercise=true"]}


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (there(), "`pager`, which would get it too, is not one webhook alone"),
        (
            there({**ROUTE, "continue": True}, {"receiver": "tickets"}),
            "`tickets`, which would get it too, is not the receiver of this run",
        ),
        (there(ROUTE, hooks=HIDDEN), "does not show the address of `gameday`"),
        (there(ROUTE, hooks=IN_A_FILE), "does not show the address of `gameday`"),
        (there(ROUTE, hooks=TWO), "`gameday`, which would get it too, is not one webhook alone"),
        (there(ROUTE, inhibit=[HOLDS]), "hold other alerts back"),
        (there(ROUTE, silences=[SILENCE]), "the silence s-1 would hold it back"),
        (
            there(ROUTE, inhibit=[HELD], active=[{"alertname": "Maintenance"}]),
            "`Maintenance`, which is active now, would inhibit it",
        ),
        (
            there(
                {**ROUTE, "active_time_intervals": ["never"]},
                times={"time_intervals": [{"name": "never", "time_intervals": []}]},
            ),
            "is muted outside of its active time interval `never`",
        ),
        (there({**ROUTE, "group_wait": "5m"}), "waits for 5 min"),
        (there({**ROUTE, "matchers": ['alertname=~"("']}), "cannot be followed"),
    ],
)
def test_anything_else_is_none(live: LiveAlertmanager, said: str) -> None:
    assert said in way_of(LABELS, live, OURS).why_not


def test_one_group_of_all_alerts_is_left_alone() -> None:
    routing = routing_of(
        {
            "route": {"receiver": "gameday"},
            "receivers": [{"name": "gameday", "webhook_configs": [{"url": OURS}]}],
        }
    )

    assert "one group" in way_of(LABELS, LiveAlertmanager(routing=routing), OURS).why_not


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        (OURS, True),
        (f"{OURS}/", True),
        (f"{OURS}/pager", True),
        ("http://localhost:9099/v1/in/t0ken", True),
        ("http://127.0.0.1:9099/v1/in/t0ken2", False),
        ("http://127.0.0.1:9098/v1/in/t0ken", False),
        ("http://gameday.example.org:9099/v1/in/t0ken", False),
        ("https://127.0.0.1:9099/v1/in/t0ken", False),
        ("http://127.0.0.1:port/", False),
    ],
)
def test_ours_is_this_host_port_and_token(url: str, ours: bool) -> None:
    assert is_ours(url, OURS) is ours


def test_the_alerts_of_the_proof_are_in_no_delivery() -> None:
    def told(seq: int, alert: str) -> Event:
        data = {"receiver": "gameday", "status": "firing", "labels": {}, "annotations": {}}
        return Event(seq=seq, at_ms=seq, kind="alert.delivered", subject=alert, data=data)

    proven = {"how": "watchdog", "alert": "DeadMansSwitch", "ok": True}
    timeline = Timeline(
        [
            told(0, "DeadMansSwitch"),
            told(1, "GamedayPipelineProof"),
            told(2, "BackSlow"),
            Event(seq=3, at_ms=3, kind="pipeline.proven", subject="pipeline", data=proven),
        ]
    )

    assert proof_alerts(timeline) == {"DeadMansSwitch", "GamedayPipelineProof"}
    assert [d.alert for d in deliveries_of(timeline)] == ["BackSlow"]
