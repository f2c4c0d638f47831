"""What others push: PagerDuty (both ways), SNS, CloudEvents. Stored first, masked, or 400."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import Events

from gameday.adapters.receiver import Receiver

TOKEN, SECRET = "test-token", "pd-signing-secret"
AT = "2026-11-22T11:02:22.000Z"
AT_MS = 1_795_345_342_000


@pytest.fixture(name="events")
def _events() -> Events:
    return Events()


@pytest.fixture(name="receiver")
def _receiver(tmp_path: Path, events: Events) -> Iterator[Receiver]:
    receiver = Receiver(token=TOKEN, evidence_dir=tmp_path, pagerduty_secret=SECRET)
    receiver.start(events)
    yield receiver
    receiver.stop()


def post(
    receiver: Receiver, body: Any, path: str = "", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    host, _, port = receiver.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("POST", f"/v1/in/{TOKEN}{path}", raw, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def stored(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "deliveries.jsonl").read_text().splitlines()]


def said(events: Events) -> list[tuple[str, str, str, str]]:
    return [
        (e.subject, e.data["status"], e.data["receiver"], e.data["dialect"])
        for e in events.of("alert.delivered")
    ]


def event(action: str = "trigger", **more: Any) -> dict[str, Any]:
    payload = {
        "summary": "[FIRING:1] Slow (payments page)",
        "source": "Alertmanager",
        "severity": "critical",
        "timestamp": AT,
    }
    raw = {"routing_key": "R0UTINGKEY", "event_action": action, "dedup_key": "k", **more}
    return raw | ({"payload": payload} if action == "trigger" and "payload" not in more else {})


def incident(kind: str = "incident.triggered", **more: Any) -> dict[str, Any]:
    data = {
        "id": "Q1",
        "type": "incident",
        "title": "[FIRING:1] Slow (payments page)",
        "created_at": AT,
        "urgency": "high",
        "service": {"summary": "payments"},
    } | more
    return {"event": {"id": "e", "event_type": kind, "occurred_at": AT, "data": data}}


def signature(raw: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def signed(body: Any) -> tuple[bytes, dict[str, str]]:
    raw = json.dumps(body).encode()
    return raw, {"X-PagerDuty-Signature": f"v1={'0' * 64},{signature(raw)}"}


def alarm(state: str = "ALARM") -> dict[str, Any]:
    inner = {
        "AlarmName": "Slow",
        "NewStateValue": state,
        "StateChangeTime": "2026-11-22T11:02:22.000+0000",
        "Region": "EU (Frankfurt)",
        "AWSAccountId": "123456789012",
    }
    return {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:pages",
        "Message": json.dumps(inner),
        "UnsubscribeURL": "https://sns.example.org/?Action=Unsubscribe&Token=SECRETTOKEN",
    }


def test_events_that_tools_send_to_pagerduty(
    receiver: Receiver, events: Events, tmp_path: Path
) -> None:
    status, reply = post(receiver, event(), "/v2/enqueue")
    assert (status, json.loads(reply)["dedup_key"]) == (202, "k")
    assert post(receiver, event("acknowledge"), "/pager")[0] == 202
    details = {"custom_details": {"labels": {"alertname": "Slow", "team": "x"}}}
    assert post(receiver, event("resolve", payload=details), "/pager/v2/enqueue")[0] == 202
    assert said(events) == [
        ("Slow", "firing", "pagerduty", "pagerduty-events"),
        ("Slow", "resolved", "pager", "pagerduty-events"),
    ]
    first = events.of("alert.delivered")[0].data
    assert (first["starts_wall_ms"], first["labels"]["severity"]) == (AT_MS, "critical")
    (taken,) = events.of("alert.acknowledged")
    assert (taken.data["fingerprint"], taken.data["receiver"]) == ("k", "pager")
    assert taken.data["fingerprint"] == first["fingerprint"], "the mark says what was taken"
    assert len(stored(tmp_path)) == 3
    assert "R0UTINGKEY" not in (tmp_path / "deliveries.jsonl").read_text()


def test_webhooks_of_pagerduty_are_signed(
    receiver: Receiver, events: Events, tmp_path: Path
) -> None:
    for kind in ("incident.triggered", "incident.acknowledged", "incident.resolved"):
        assert post(receiver, *_swap(signed(incident(kind))))[0] == 200
    assert said(events) == [
        ("Slow", "firing", "pagerduty", "pagerduty"),
        ("Slow", "resolved", "pagerduty", "pagerduty"),
    ]
    (taken,) = events.of("alert.acknowledged")
    assert (taken.subject, taken.data["receiver"]) == ("Slow", "pagerduty")
    assert taken.data["acknowledged_wall_ms"] == AT_MS
    raw = json.dumps(incident()).encode()
    wrong = [{}, {"X-PagerDuty-Signature": signature(raw, "another")}]
    wrong += [{"X-PagerDuty-Signature": signature(raw).replace("v1=", "v0=")}]
    for headers in wrong:
        assert post(receiver, raw, headers=headers)[0] == 401
    wrapped = {"specversion": "1.0", "id": "1", "source": "x", "type": "y", "data": incident()}
    assert post(receiver, wrapped)[0] == 401, "wrapping it changes nothing"
    assert len(said(events)) == 2
    assert receiver.strangers == 4
    assert [line.get("refused") for line in stored(tmp_path)][3:] == [
        "`x-pagerduty-signature` is missing or wrong"
    ] * 4


def _swap(pair: tuple[bytes, dict[str, str]]) -> tuple[bytes, str, dict[str, str]]:
    return pair[0], "", pair[1]


def test_without_a_secret_nothing_has_to_be_signed(tmp_path: Path, events: Events) -> None:
    receiver = Receiver(token=TOKEN, evidence_dir=tmp_path)
    receiver.start(events)
    try:
        assert post(receiver, incident())[0] == 200
    finally:
        receiver.stop()
    assert len(said(events)) == 1


def test_alarms_of_cloudwatch_over_sns(receiver: Receiver, events: Events, tmp_path: Path) -> None:
    assert post(receiver, alarm())[0] == 200
    assert post(receiver, alarm("OK"), "/pager")[0] == 200
    assert said(events) == [
        ("Slow", "firing", "pages", "cloudwatch"),
        ("Slow", "resolved", "pager", "cloudwatch"),
    ]
    assert events.of("alert.delivered")[0].data["starts_wall_ms"] == AT_MS
    assert "SECRETTOKEN" not in (tmp_path / "deliveries.jsonl").read_text()


def test_a_subscription_is_told_and_never_confirmed(
    receiver: Receiver, events: Events, tmp_path: Path
) -> None:
    """The link is not followed: the listener behind it hears nothing."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/?Token=SECRETTOKEN"
        body = {"Type": "SubscriptionConfirmation", "Token": "SECRETTOKEN", "TopicArn": "a:b:pages"}
        assert (
            post(receiver, {**body, "Message": "You have chosen…", "SubscribeURL": url})[0] == 200
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    [note] = events.of("receiver.note")
    assert "confirm it yourself" in note.data["text"]
    assert said(events) == []
    assert "SECRETTOKEN" not in (tmp_path / "deliveries.jsonl").read_text()


def test_cloud_events(receiver: Receiver, events: Events) -> None:
    plain = {"specversion": "1.0", "id": "1", "source": "/x", "type": "org.x.alert.firing"}
    labels = {"labels": {"severity": "page"}}
    assert post(receiver, plain | {"subject": "Slow", "time": AT, "data": labels})[0] == 200
    binary = {"ce-specversion": "1.0", "ce-id": "2", "ce-source": "/x", "ce-subject": "Slow"}
    assert post(receiver, {}, headers=binary | {"ce-type": "org.x.alert.resolved"})[0] == 200
    took = plain | {"type": "org.x.alert.acknowledged", "subject": "Slow", "time": AT}
    assert post(receiver, took)[0] == 200
    alert = {"status": "firing", "labels": {"alertname": "Other"}}
    inner = {"receiver": "tickets", "alerts": [alert]}
    assert post(receiver, plain | {"data": inner})[0] == 200
    assert post(receiver, inner, headers=binary | {"ce-type": "x"})[0] == 200
    assert said(events) == [
        ("Slow", "firing", "cloudevents", "cloudevents"),
        ("Slow", "resolved", "cloudevents", "cloudevents"),
        ("Other", "firing", "tickets", "alertmanager"),
        ("Other", "firing", "tickets", "alertmanager"),
    ]
    assert events.of("alert.delivered")[0].data["labels"]["severity"] == "page"
    (taken,) = events.of("alert.acknowledged")
    assert (taken.subject, taken.data["acknowledged_wall_ms"]) == ("Slow", AT_MS)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"hello": "world"},
        event("explode"),
        event(routing_key=""),
        event(payload={}),
        event(payload=[]),
        {"event": {"event_type": "incident.triggered", "data": None}},
        {"event": {"event_type": "incident.triggered", "data": {"title": ""}}},
        {"Type": "Notification", "Message": "not json"},
        {"Type": "Notification", "Message": "[]"},
        {"Type": "Notification", "Message": 3},
        {"Type": "Notification", "Message": '{"NewStateValue": "ODD"}'},
        {"Type": "Notification", "Message": '{"NewStateValue": "ALARM"}'},
        {"specversion": "1.0", "id": "1", "source": "x"},
        {"specversion": "2.0", "id": "1", "source": "x", "type": "a.firing", "subject": "A"},
        {"specversion": "1.0", "id": "1", "source": "x", "type": "a.changed", "subject": "A"},
        {"specversion": "1.0", "id": "1", "source": "x", "type": "a.firing"},
    ],
)
def test_what_nobody_would_send_is_answered_400(
    receiver: Receiver, events: Events, tmp_path: Path, body: Any
) -> None:
    assert post(receiver, body)[0] == 400
    assert events.all == []
    [line] = stored(tmp_path)
    assert line["malformed"]
    assert "body" not in line
