"""The webhook receiver: stamped, stored, masked; nothing that is sent ends it."""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import Events, until, wall_ms

from gameday.adapters.receiver import MAX_BODY, Receiver
from gameday.adapters.receiver_payloads import MalformedError, deliveries, masked
from gameday.errors import RefusedError, UsageError

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"
TOKEN = "test-token"
RECORDED = [
    json.loads(line) for line in (SAMPLES / "alertmanager-webhooks.jsonl").read_text().splitlines()
]
PAYLOAD = RECORDED[0]["body"]


@pytest.fixture(name="events")
def _events() -> Events:
    return Events()


@pytest.fixture(name="receiver")
def _receiver(tmp_path: Path, events: Events) -> Iterator[Receiver]:
    receiver = Receiver(token=TOKEN, evidence_dir=tmp_path / "evidence")
    receiver.start(events)
    yield receiver
    receiver.stop()


def send(
    receiver: Receiver,
    body: bytes | Any,
    path: str = f"/v1/in/{TOKEN}",
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    host, _, port = receiver.address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
    try:
        connection.request(method, path, raw, headers or {"User-Agent": "test"})
        return connection.getresponse().status
    finally:
        connection.close()


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "evidence" / "deliveries.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_recorded_notification_of_alertmanager(
    receiver: Receiver, events: Events, tmp_path: Path
) -> None:
    for recorded in RECORDED:
        assert send(receiver, recorded["body"]) == 200
    sent = [(a, r["body"]) for r in RECORDED for a in r["body"]["alerts"]]
    found = events.of("alert.delivered")
    assert len(found) == len(sent) > 30
    for event, (alert, body) in zip(found, sent, strict=True):
        assert event.subject == alert["labels"]["alertname"]
        assert event.data["status"] == alert["status"]
        assert event.data["labels"] == alert["labels"]
        assert event.data["annotations"] == alert["annotations"]
        assert event.data["receiver"] == body["receiver"]
        assert event.data["group"] == body["groupKey"]
        assert event.data["fingerprint"] == alert["fingerprint"]
        assert event.data["dialect"] == "alertmanager"
    stored = lines(tmp_path)
    assert [line["line"] for line in stored] == list(range(1, len(RECORDED) + 1))
    assert [line["body"] for line in stored] == [r["body"] for r in RECORDED]
    assert found[-1].data["raw"] == len(RECORDED)
    assert {a["status"] for a, _ in sent} == {"firing", "resolved"}


def test_the_stamp_is_taken_on_arrival_by_the_clock_of_the_run(
    tmp_path: Path, events: Events
) -> None:
    receiver = Receiver(evidence_dir=tmp_path, now_wall_ms=lambda: 1_234)
    receiver.start(events)
    try:
        path = "/" + receiver.url.split("/", 3)[3]
        assert send(receiver, PAYLOAD, path) == 200
    finally:
        receiver.stop()
    (event,) = events.all
    assert event.data["arrived_wall_ms"] == 1_234
    assert event.data["starts_wall_ms"] == 1_795_345_267_674
    assert event.data["ends_wall_ms"] is None  # Go's zero time


def test_a_stamp_is_that_of_the_whole_body(receiver: Receiver, events: Events) -> None:
    raw = json.dumps(PAYLOAD).encode()
    host, _, port = receiver.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        head = f"POST /v1/in/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
        client.sendall(head.encode() + raw[:-1])
        before = wall_ms()
        assert not events.all
        client.sendall(raw[-1:])
        assert client.recv(100).startswith(b"HTTP/1.0 200")
    assert before <= events.all[0].data["arrived_wall_ms"] <= wall_ms()


def test_the_path_may_name_the_receiver(receiver: Receiver, events: Events) -> None:
    assert send(receiver, PAYLOAD, f"/v1/in/{TOKEN}/pager%20eu?x=1") == 200
    assert events.all[0].data["receiver"] == "pager eu"


def test_grafana_is_a_superset(receiver: Receiver, events: Events) -> None:
    body = copy.deepcopy(PAYLOAD) | {"version": "1", "orgId": 1, "state": "alerting"}
    body["alerts"][0] |= {"values": {"A": 1}, "silenceURL": "http://g/silence", "imageURL": None}
    assert send(receiver, body) == 200
    assert events.all[0].data["dialect"] == "grafana"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/in/",
        "/v1/in/wrong",
        f"/v1/in/{TOKEN}x",
        f"/v1/in/{TOKEN}/../x",
        f"/v1/in/{TOKEN}/a/b",
        f"/v2/in/{TOKEN}",
        "/v1/in/%74est-token",
        "//[x/v1/in/",
    ],
)
def test_a_stranger_gets_404(receiver: Receiver, events: Events, path: str) -> None:
    assert send(receiver, PAYLOAD, path) == 404
    assert not events.all
    assert receiver.strangers == 1


def _without(key: str) -> Any:
    body = copy.deepcopy(PAYLOAD)
    del body[key]
    return body


def _alert(**change: Any) -> Any:
    body = copy.deepcopy(PAYLOAD)
    body["alerts"].append(body["alerts"][0] | change)
    return body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"alerts"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"alerts": [' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"]}",
        b"NaN",
        _without("alerts"),
        _without("receiver"),
        PAYLOAD | {"alerts": {}},
        PAYLOAD | {"alerts": [None]},
        PAYLOAD | {"receiver": 7},
        _alert(status="maybe"),
        _alert(labels=[1]),
        _alert(annotations="x"),
    ],
)
def test_what_cannot_be_read_is_answered_counted_and_kept_as_a_hash(
    receiver: Receiver, events: Events, tmp_path: Path, body: Any
) -> None:
    assert send(receiver, body) == 400
    assert not events.all  # half a notification is none
    assert receiver.malformed == 1
    (line,) = lines(tmp_path)
    assert line["malformed"]
    assert len(line["sha256"]) == 64
    assert "body" not in line
    assert send(receiver, PAYLOAD) == 200


def test_too_large_without_length_and_other_methods(receiver: Receiver, events: Events) -> None:
    assert send(receiver, b"", headers={"Content-Length": str(MAX_BODY + 1)}) == 413
    assert send(receiver, b"", headers={"Content-Length": "-1"}) == 411
    host, _, port = receiver.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        head = f"POST /v1/in/{TOKEN} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.0 411")
    assert send(receiver, b"", method="GET") == 501
    assert receiver.malformed == 3
    assert send(receiver, PAYLOAD) == 200
    assert len(events.all) == 1


def test_a_body_that_does_not_come_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.receiver._Handler.timeout", 0.2)
    host, _, port = receiver.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(f"POST /v1/in/{TOKEN} HTTP/1.1\r\nContent-Length: 9\r\n\r\n{{".encode())
        assert client.recv(100) == b""  # hung up
    assert send(receiver, PAYLOAD) == 200


def test_rubbish_on_the_wire(receiver: Receiver) -> None:
    host, _, port = receiver.address.rpartition(":")
    for raw in (b"\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n", b"POST\r\n\r\n", b"A" * 70_000):
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            try:
                while client.recv(4096):
                    pass
            except ConnectionError:
                pass
    assert send(receiver, PAYLOAD) == 200


def test_many_at_once_lose_nothing(receiver: Receiver, events: Events, tmp_path: Path) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(send(receiver, PAYLOAD))) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [200] * 30
    assert sorted(e.data["raw"] for e in events.all) == list(range(1, 31))
    assert len(lines(tmp_path)) == 30


def test_secrets_are_stored_nowhere(receiver: Receiver, events: Events, tmp_path: Path) -> None:
    slack = "https://hooks.slack.com/services/T000/B000/sEcrEt"
    body = copy.deepcopy(PAYLOAD) | {"routing_key": "sEcrEt", "Authorization": "Bearer sEcrEt"}
    body["alerts"][0]["annotations"] = {
        "webhook": f"see {slack} now",
        "link": "https://user:sEcrEt@example.org/x?token=sEcrEt&a=b",
        "api_key": "sEcrEt",
        "runbook_url": "https://example.org/runbooks/a.md#fix",
    }
    assert send(receiver, body) == 200
    stored = (tmp_path / "evidence" / "deliveries.jsonl").read_text()
    assert "sEcrEt" not in stored + repr(events.all)
    assert TOKEN not in stored + repr(events.all)
    annotations = events.all[0].data["annotations"]
    assert annotations["runbook_url"] == "https://example.org/runbooks/a.md#fix"
    assert annotations["link"] == "https://***@example.org/x?token=***&a=b"
    assert annotations["webhook"] == "see https://hooks.slack.com/*** now"


def test_the_recorded_pagerduty_payload_loses_its_key() -> None:
    rows = (SAMPLES / "alertmanager-to-pagerduty-and-slack.jsonl").read_text().splitlines()
    bodies = [json.loads(row)["body"] for row in rows]
    keyed = [b for b in bodies if "routing_key" in b]
    assert keyed
    for body in keyed:
        assert masked(body) == body | {"routing_key": "***"}
        with pytest.raises(MalformedError, match="no Alertmanager webhook"):
            deliveries(body)


def test_evidence_that_cannot_be_written_is_no_delivery(
    receiver: Receiver, events: Events, tmp_path: Path
) -> None:
    (tmp_path / "evidence" / "deliveries.jsonl").mkdir()
    assert send(receiver, PAYLOAD) == 500  # Alertmanager tries again
    assert not events.all
    (tmp_path / "evidence" / "deliveries.jsonl").rmdir()
    assert send(receiver, PAYLOAD) == 200
    assert len(events.all) == 1


def test_open_start_and_stop(tmp_path: Path, events: Events) -> None:
    receiver = Receiver(evidence_dir=tmp_path)
    with pytest.raises(UsageError):
        _ = receiver.url
    url = receiver.open()
    assert receiver.open() == url == receiver.url
    assert url.startswith("http://127.0.0.1:")
    assert len(url.rsplit("/", 1)[1]) >= 20  # a random token
    receiver.start(events)
    receiver.start(events)
    path = "/" + url.split("/", 3)[3]
    assert send(receiver, PAYLOAD, path) == 200
    address = receiver.address
    receiver.stop()
    receiver.stop()
    again = Receiver(address, "fixed", tmp_path)  # the fixed address is free at once
    assert again.open() == f"http://{address}/v1/in/fixed"
    again.start(events)
    assert send(again, PAYLOAD, "/v1/in/fixed") == 200
    again.stop()
    assert events.all[-1].data["raw"] == 2  # the file is continued


def test_stop_ends_what_hangs(tmp_path: Path, events: Events) -> None:
    receiver = Receiver(evidence_dir=tmp_path)
    receiver.start(events)
    host, _, port = receiver.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"POST /v1/in/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        until("a thread", lambda: threading.active_count() > 2)
        began = wall_ms()
        receiver.stop()
        with contextlib.suppress(ConnectionResetError):  # what was not read may be reset
            assert client.recv(10) == b""
        assert wall_ms() - began < 3_000


def test_an_address_in_use_is_refused(receiver: Receiver, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="receiver_listen"):
        Receiver(receiver.address, evidence_dir=tmp_path).open()


@pytest.mark.parametrize("listen", ["", "127.0.0.1", ":80", "127.0.0.1:x", "127.0.0.1:70000"])
def test_a_bad_address(listen: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address"):
        Receiver(listen, evidence_dir=tmp_path)


def test_version_six_of_the_internet(tmp_path: Path, events: Events) -> None:
    receiver = Receiver("[::1]:0", TOKEN, tmp_path)
    try:
        receiver.start(events)
    except RefusedError:
        pytest.skip("this machine has no ::1")
    try:
        assert receiver.url.startswith("http://[::1]:")
        assert send(receiver, PAYLOAD) == 200
    finally:
        receiver.stop()
