"""Faults by HTTP: whom we ask, what an answer means, and that the asking always ends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generic_support import HURRY_MS, Kit, http_kit, hurried, takes_at_most
from ports_support import free_port

from gameday.adapters.generic import web
from gameday.adapters.generic.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    monkeypatch.setenv("FLAG_TOKEN_SECRET", "s3cr3t")
    with http_kit(tmp_path) as made:
        yield made


def test_all_problems_are_told_at_once(kit: Kit) -> None:
    more: dict[str, Any] = {
        "inject": {"url": "ftp://x/", "method": "STEAL", "body": "x", "match": "a["},
        "revert": {"url": "http://user:pass@127.0.0.1/"},
        "present": {"headers": {"X": "a\r\nb"}, "status": [200, 404], "gone_status": [404]},
    }
    with pytest.raises(NoEffectError) as caught:
        kit.fault(**more).prepare()
    for words in (
        "`inject`: `url` has to begin with http",
        "`inject`: `method: STEAL` is none of",
        "`inject`: `json` and `body` cannot both",
        "`inject`: `match: a[` is not JMESPath",
        "`revert`: `url` carries a password",
        "`present`: the header `X` has characters",
        "`present`: status 404 cannot stand in both",
    ):
        assert words in str(caught.value)
    assert "user:pass" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "169.254.1.2", "100.100.100.200", "[fe80::1]", "[fd00:ec2::254]"]
)
def test_link_local_and_metadata_addresses_are_never_asked(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NoEffectError, match="never asked"):
        kit.fault(present={"url": f"http://{host}/"}).prepare()


def test_a_name_that_leads_to_metadata_is_not_asked(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lying(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("169.254.169.254" if host == "flags.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    with pytest.raises(NoEffectError, match=r"`flags.example` is 169.254.169.254"):
        kit.fault(present={"url": "http://flags.example/"}).prepare()


def test_redirects_are_not_followed(kit: Kit) -> None:
    undo = kit.fault().prepare()
    kit.mood("redirect", "is-on")
    with pytest.raises(CannotSeeError, match=r"answered 302 \(redirects are not followed"):
        UNDOER.present(undo)


def test_a_host_that_has_two_addresses_is_reached(kit: Kit) -> None:
    """localhost is ::1 first on many machines, and the service listens on 127.0.0.1 only."""
    port = kit.extra["port"]
    url = f"http://localhost:{port}/flags/slow"
    fault = kit.fault(**{name: {"url": url} for name in kit.calls})
    undo = fault.prepare()
    assert fault.inject(undo)["read_back"]
    UNDOER.revert(undo)


def test_nobody_there_is_no_effect_before_and_loud_after(kit: Kit) -> None:
    fault = kit.fault(inject={"url": f"http://127.0.0.1:{free_port()}/"})
    undo = fault.prepare()
    with pytest.raises(NoEffectError, match="nobody lets us in"):
        fault.inject(undo)
    assert kit.notes() == []
    dead = {"method": "GET", "url": f"http://127.0.0.1:{free_port()}/", "timeout_ms": 2_000}
    undo = {**undo, "calls": {"revert": dead, "present": dead}}
    with pytest.raises(AdapterError, match=r"`revert` of fault `flag`.*nobody lets us in"):
        UNDOER.revert(undo)
    with pytest.raises(CannotSeeError, match="nobody lets us in"):
        UNDOER.present(undo)


@pytest.mark.parametrize("mood", ["drip", "hang"])
def test_a_server_that_drips_its_answer_is_left_in_time(kit: Kit, mood: str) -> None:
    undo = hurried(kit.fault().prepare())
    kit.mood(mood)
    with takes_at_most(3), pytest.raises(CannotSeeError, match="within 2 s"):
        UNDOER.present(undo)


def test_what_was_not_sent_in_time_is_never_sent(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers late must not make an inject land after its end."""
    real, go_on, done = socket.getaddrinfo, threading.Event(), threading.Event()
    may_send = web._Asking.may_send

    def slow(*args: Any, **kwargs: Any) -> Any:
        go_on.wait(30)
        return real(*args, **kwargs)

    def asked(self: Any) -> bool:
        try:
            return may_send(self)
        finally:
            done.set()

    fault = kit.fault(HURRY_MS)
    undo = kit.fault().prepare()
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(web._Asking, "may_send", asked)
    with pytest.raises(NoEffectError, match="nothing was sent"):
        fault.inject(undo)
    go_on.set()
    assert done.wait(10)
    monkeypatch.undo()
    monkeypatch.setenv("FLAG_TOKEN_SECRET", "s3cr3t")
    assert UNDOER.present(undo) is False


ANSWERS: list[tuple[dict[str, Any], int, str, bool | None]] = [
    ({}, 200, "", True),
    ({}, 204, "", True),
    ({}, 404, "", False),
    ({}, 500, "", None),
    ({}, 401, "", None),
    ({"status": [200]}, 204, "", None),
    ({"gone_status": [410]}, 410, "", False),
    ({"gone_status": [410]}, 404, "", None),
    ({"match": "on"}, 200, '{"on": true}', True),
    ({"match": "on"}, 200, '{"on": false}', False),
    ({"match": "on"}, 200, "{}", False),
    ({"match": "n"}, 200, '{"n": 0}', False),
    ({"match": "toxics[?name=='slow']"}, 200, '{"toxics": [{"name": "slow"}]}', True),
    ({"match": "toxics[?name=='slow']"}, 200, '{"toxics": []}', False),
    ({"match": "on"}, 200, "<html>login</html>", None),
    ({"match": "on"}, 404, '{"on": true}', None),
    ({"match": "on", "gone_status": [404]}, 404, "", False),
    ({"match": "contains(name, 'x')"}, 200, '{"name": null}', None),
    ({"match": "on"}, 200, "[" * 100_000, None),
]


@pytest.mark.parametrize(("present", "status", "body", "sees"), ANSWERS)
def test_what_present_says(
    kit: Kit, present: dict[str, Any], status: int, body: str, sees: bool | None
) -> None:
    undo = dict(kit.fault().prepare())
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer, args=(server, status, body), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x?token=abc"
        look = {"method": "GET", "url": url, "timeout_ms": 10_000, **present}
        undo["calls"] = {**undo["calls"], "present": look}
        if sees is None:
            with pytest.raises(CannotSeeError) as caught:
                UNDOER.present(undo)
            assert "token=abc" not in str(caught.value)
        else:
            assert UNDOER.present(undo) is sees
        thread.join(10)


def _answer(server: socket.socket, status: int, body: str) -> None:
    """Answer the first connection on which somebody asks."""
    while True:
        connection, _ = server.accept()
        with connection:
            if not connection.recv(65_536):
                continue
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            connection.sendall(head.encode() + body.encode())
            return


def test_json_text_and_headers_arrive(kit: Kit) -> None:
    seen: list[bytes] = []
    for parts in ({"json": {"a": [1, None]}}, {"body": "a=1&b=ü"}, {}):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=_record, args=(server, seen), daemon=True)
            thread.start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}/a%20b?c=d"
            token = {"env": "FLAG_TOKEN_SECRET", "prefix": "Bearer "}
            call = {"method": "POST", "url": url, "headers": {"Authorization": token}, **parts}
            undo = dict(kit.fault().prepare())
            undo["calls"] = {**undo["calls"], "revert": {**call, "timeout_ms": 5_000}}
            UNDOER.revert(undo)
            thread.join(10)
    for raw in seen:
        assert raw.startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Bearer s3cr3t\r\n" in raw
    assert b"\r\nContent-Type: application/json\r\n" in seen[0]
    assert json.loads(seen[0].partition(b"\r\n\r\n")[2]) == {"a": [1, None]}
    assert seen[1].endswith("\r\n\r\na=1&b=ü".encode())
    assert b"\r\nContent-Length: 0\r\n" in seen[2]


def _record(server: socket.socket, seen: list[bytes]) -> None:
    while True:
        connection, _ = server.accept()
        with connection:
            raw = b""
            while part := connection.recv(65_536):
                raw += part
                head, found, body = raw.partition(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                if found and len(body) >= size:
                    connection.sendall(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n")
                    seen.append(raw)
                    return


def test_a_project_folder_that_is_gone_is_no_hindrance(kit: Kit, tmp_path: Path) -> None:
    """The service is still there, and so is the way to mend it."""
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    undo = {**undo, "directory": str(tmp_path / "moved")}
    UNDOER.revert(undo)
    assert UNDOER.present(undo) is False
    assert not kit.switch.exists()
