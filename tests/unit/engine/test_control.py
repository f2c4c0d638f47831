"""The door for people: what it lets in, what it refuses, and when nobody is there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gameday.engine import control as module
from gameday.engine.control import CONTROL_FILE, ControlServer, private_directory, send
from gameday.errors import UsageError
from gameday.model.event import Event


@contextlib.contextmanager
def door(run_dir: Path, **options: Any) -> Iterator[list[Event]]:
    events: list[Event] = []
    server = ControlServer(run_dir, events.append, **options)
    try:
        yield events
    finally:
        server.close()


def where(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / CONTROL_FILE).read_text())
    return found


def raw(run_dir: Path, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(where(run_dir)["socket"])
        connection.sendall(line)
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return answer


TAKEN = {
    "note": (
        {"do": "note", "role": "scribe", "text": " all on the call\x07 "},
        ("human.note", "scribe", {"text": "all on the call"}),
    ),
    "ack": (
        {"do": "ack", "role": "responder", "text": "PaymentsSlow"},
        ("human.ack", "responder", {"text": "PaymentsSlow"}),
    ),
    "decide": (
        {"do": "decide", "role": "safety officer", "text": "go on"},
        ("human.decide", "safety officer", {"text": "go on"}),
    ),
    "gate": (
        {"do": "gate", "name": "mitigated", "role": "facilitator"},
        ("gate.opened", "mitigated", {"by": "facilitator"}),
    ),
    "stop": (
        {"do": "stop", "reason": "enough seen"},
        (
            "stop.tripped",
            "operator",
            {"reason": "enough seen", "status": "interrupted", "by": "operator"},
        ),
    ),
    "stop without a reason": (
        {"do": "stop"},
        (
            "stop.tripped",
            "operator",
            {"reason": "stopped by the operator", "status": "interrupted", "by": "operator"},
        ),
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_requests_become_events(tmp_path: Path, name: str) -> None:
    request, (kind, subject, data) = TAKEN[name]
    with door(tmp_path, gates={"mitigated"}) as events:
        answer = send(tmp_path, request)

    assert events == [Event(kind=kind, subject=subject, data=data)]
    said = {"said": data["text"]} if "text" in data else {}
    assert answer == {"ok": True, **said}


def test_who_looks_at_a_step_has_its_runbook_open(tmp_path: Path) -> None:
    step = {"name": "by-hand", "runbook": "runbooks/slow.md"}
    with door(tmp_path, status=lambda: step) as events:
        assert send(tmp_path, {"do": "status"})["status"] == step
        assert events == [], "who only asks how it is opens nothing"
        assert send(tmp_path, {"do": "show", "role": "responder"})["status"] == step
        send(tmp_path, {"do": "show", "role": "scribe"})

    data = {"role": "responder", "how": "step"}
    assert events == [Event(kind="runbook.opened", subject="runbooks/slow.md", data=data)]


def test_nothing_is_opened_where_no_step_waits(tmp_path: Path) -> None:
    with door(tmp_path) as events:
        assert send(tmp_path, {"do": "show", "role": "responder"})["status"] == {}

    assert events == []


@pytest.mark.parametrize("said", ["runbooks/slow.md", "slow.md", "slow"])
def test_a_runbook_is_opened_by_its_path_or_name(tmp_path: Path, said: str) -> None:
    known = ("runbooks/slow.md", "runbooks/other.md")
    with door(tmp_path, runbooks=known) as events:
        send(tmp_path, {"do": "opened", "role": "responder", "runbook": said})

    data = {"role": "responder", "how": "said"}
    assert events == [Event(kind="runbook.opened", subject="runbooks/slow.md", data=data)]


@pytest.mark.parametrize(
    ("known", "message"),
    [((), "runbooks: none"), (("a/slow.md", "b/slow.md"), "runbooks: `a/slow.md`, `b/slow.md`")],
)
def test_a_runbook_that_is_not_of_the_run_is_refused(
    tmp_path: Path, known: tuple[str, ...], message: str
) -> None:
    with door(tmp_path, runbooks=known) as events, pytest.raises(UsageError, match=message):
        send(tmp_path, {"do": "opened", "role": "responder", "runbook": "slow"})

    assert events == []


REFUSED = {
    "unknown": ({"do": "explode"}, "must be one of note, ack"),
    "no text": ({"do": "note", "role": "scribe"}, "`text` is missing"),
    "empty text": ({"do": "note", "text": "  "}, "`text` is missing"),
    "text that is none": ({"do": "note", "text": 3}, "`text` is missing"),
    "long text": ({"do": "note", "text": "x" * 5_000}, "longer than 4000"),
    "long role": ({"do": "note", "text": "x", "role": "y" * 65}, "longer than 64"),
    "huge": ({"do": "note", "text": "x" * 100_000}, "too long"),
    "unknown gate": ({"do": "gate", "name": "mitigate"}, "gates: `mitigated`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_requests_are_refused(tmp_path: Path, name: str) -> None:
    request, message = REFUSED[name]
    with door(tmp_path, gates={"mitigated"}) as events, pytest.raises(UsageError, match=message):
        send(tmp_path, request)

    assert events == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"token":"guess","do":"stop"}\n', "wrong token"),
        (b'{"do":"stop"}\n', "wrong token"),
        (b'{"token":3,"do":"stop"}\n', "wrong token"),
        (b'{"token":"\\ud800","do":"stop"}\n', "wrong token"),
        (b"stop\n", "no JSON"),
        (b"[1]\n", "no JSON object"),
        (b"\xff\n", "no JSON"),
        (b"[" * 60_000 + b"\n", "no JSON"),
    ],
)
def test_nobody_without_the_token_gets_in(tmp_path: Path, line: bytes, message: str) -> None:
    with door(tmp_path) as events:
        answer = raw(tmp_path, line)

    assert not answer["ok"]
    assert message in answer["error"]
    assert events == []


def test_only_the_owner_can_come_near(tmp_path: Path) -> None:
    with door(tmp_path):
        path = Path(where(tmp_path)["socket"])
        assert stat.S_IMODE((tmp_path / CONTROL_FILE).stat().st_mode) == 0o600
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(where(tmp_path)["token"]) >= 24


def test_status_is_asked_and_may_fail(tmp_path: Path) -> None:
    with door(tmp_path, status=lambda: {"phase": "fault"}):
        assert send(tmp_path, {"do": "status"})["status"] == {"phase": "fault"}
    with door(tmp_path, status=lambda: {"x": 1 // 0}), pytest.raises(UsageError, match="ZeroDiv"):
        send(tmp_path, {"do": "status"})


def test_when_no_run_is_alive_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is under way"):
        send(tmp_path, {"do": "stop"})
    with door(tmp_path):
        text = (tmp_path / CONTROL_FILE).read_text()
        path = Path(where(tmp_path)["socket"])
    assert not path.exists()
    assert not path.parent.exists()
    assert not (tmp_path / CONTROL_FILE).exists()

    (tmp_path / CONTROL_FILE).write_text(text)  # as after a crash
    with pytest.raises(UsageError, match="its runner is gone"):
        send(tmp_path, {"do": "stop"})
    (tmp_path / CONTROL_FILE).write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        send(tmp_path, {"do": "stop"})


def test_a_runner_that_hangs_is_told_from_one_that_is_gone(tmp_path: Path) -> None:
    path = private_directory() / "s"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        (tmp_path / CONTROL_FILE).write_text(json.dumps({"socket": str(path), "token": "t"}))
        with pytest.raises(UsageError, match="does not answer"):
            send(tmp_path, {"do": "stop"}, timeout_s=0.1)
    path.unlink()
    path.parent.rmdir()


def test_silent_callers_do_not_lock_others_out_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.2)
    with door(tmp_path) as events, contextlib.ExitStack() as stack:
        for _ in range(module.CONNECTIONS_MAX):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(where(tmp_path)["socket"])
            silent.sendall(b'{"tok')
        tick = threading.Event()
        for _ in range(100):
            with contextlib.suppress(UsageError):
                send(tmp_path, {"do": "stop"})
                break
            tick.wait(0.1)

    assert [e.kind for e in events] == ["stop.tripped"]


def test_a_run_time_directory_with_a_long_path_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with door(long):
        assert not where(long)["socket"].startswith(str(long))
        assert len(os.fsencode(where(long)["socket"])) <= 100
        assert send(long, {"do": "stop"}) == {"ok": True}


def test_a_private_run_time_directory_is_used(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = private_directory()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    with door(tmp_path_factory.mktemp("run")):
        assert [p.name[:8] for p in short.iterdir()] == ["gameday-"]
    short.rmdir()
