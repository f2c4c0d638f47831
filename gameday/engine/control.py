"""The door for people into a run: notes, acknowledgements, decisions, gates, and the stop.

A Unix socket in a private directory, and `<run_dir>/control.json` (mode 0600) that says where it is
and holds the token without which nothing is accepted. One JSON line asks, one JSON line answers,
and the connection is closed. Requests become events for the loop; the deciding thread never waits
for a person.

    {"token": "…", "do": "note",   "role": "scribe", "text": "payments on-call joined"}
    {"token": "…", "do": "ack",    "role": "responder", "text": "PaymentsSlow"}
    {"token": "…", "do": "decide", "role": "safety officer", "text": "go on"}
    {"token": "…", "do": "handoff", "role": "commander", "text": "to the night shift: …"}
    {"token": "…", "do": "todo",   "role": "scribe", "text": "raise the timeout"}
    {"token": "…", "do": "update", "role": "coordinator", "text": "what was told to the channel"}
    {"token": "…", "do": "gate",   "role": "facilitator", "name": "mitigated"}
    {"token": "…", "do": "step",   "role": "responder", "answer": "done", "text": "note",
     "name": "switch"}
    {"token": "…", "do": "show",   "role": "responder"}
    {"token": "…", "do": "opened", "role": "responder", "runbook": "payments-slow"}
    {"token": "…", "do": "stop",   "role": "operator", "reason": "enough seen"}
    {"token": "…", "do": "status"}

The answer is `{"ok": true, …}` or `{"ok": false, "error": "…"}`. What people say comes back as
`said`, as it is written down: only the runner knows which secrets are masked in it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from gameday.errors import UsageError
from gameday.model.event import Event
from gameday.model.verdict import RunStatus
from gameday.plain import canonical, plain, public
from gameday.ports import Emit

#: The file in the run directory that says where the door is.
CONTROL_FILE = "control.json"
TEXT_MAX = 4_000
ROLE_MAX = 64
REQUEST_MAX = 64 * 1024
REPLY_MAX = 1024 * 1024
CONNECTIONS_MAX = 8
#: What a person may say of a step.
ANSWERS = ("done", "changed", "failed")
_TIMEOUT_S = 2.0
_PATH_MAX = 100  # bytes of a Unix socket's path; the kernel takes 107
#: What people say, by the word of the request: the kind of event that it becomes.
HUMAN = {
    "note": "human.note",
    "ack": "human.ack",
    "decide": "human.decide",
    "handoff": "human.handoff",
    "todo": "human.todo",
    "update": "human.update",
}


class NotUnderWayError(UsageError):
    """There is no runner that could be asked: the run is over, or its runner is gone.

    `said` is what it took before and did not write down, with the secrets masked that it knew.
    """

    def __init__(self, message: str, *, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class ControlServer:
    """Listens while a run is under way. `close` removes the socket and the control file."""

    def __init__(
        self,
        run_dir: Path,
        emit: Emit,
        *,
        gates: Collection[str] | None = None,
        runbooks: Collection[str] = (),
        status: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """*gates* are the names that may be opened (None: any); *status* is asked from a thread.

        *runbooks* are the paths of those that the run is about.
        """
        self._emit, self._gates, self._status = emit, gates, status
        self._runbooks = tuple(runbooks)
        self._opened: set[str] = set()
        self._file = run_dir / CONTROL_FILE
        self._token = secrets.token_urlsafe(24)
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._directory = private_directory()
        self._path = self._directory / "control.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._closing = False
        try:
            self._listen()
        except OSError:
            self.close()
            raise

    def _listen(self) -> None:
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        self._socket.listen(CONNECTIONS_MAX)
        where = {"v": 1, "socket": str(self._path), "token": self._token, "pid": os.getpid()}
        write_private(self._file, canonical(where) + "\n")
        threading.Thread(target=self._serve, name="gameday-control", daemon=True).start()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._file.unlink(missing_ok=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _serve(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_TIMEOUT_S)
                reply = self._answer(_read_line(connection, REQUEST_MAX))
                connection.sendall(canonical(public(reply)).encode() + b"\n")
        finally:
            self._slots.release()

    def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return _no("the request is no JSON line, or too long")
        if not isinstance(request, dict):
            return _no("the request is no JSON object")
        given = request.get("token")
        if not isinstance(given, str) or not hmac.compare_digest(
            given.encode("utf-8", "replace"), self._token.encode()
        ):
            return _no("wrong token")
        try:
            return self._act(request)
        except UsageError as error:
            return _no(str(error))
        except Exception as error:  # noqa: BLE001 - a person's request must not end the run
            return _no(f"{type(error).__name__}: {error}")

    def _act(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        do = request.get("do")
        if do == "status":
            return {"ok": True, "status": self._status()}
        role = _text(request, "role", ROLE_MAX, default="operator")
        if do in HUMAN:
            text = _text(request, "text", TEXT_MAX)
            self._emit(Event(kind=HUMAN[do], subject=role, data={"text": text}))
            return {"ok": True, "said": text}
        if do == "gate":
            name = _text(request, "name", ROLE_MAX)
            if self._gates is not None and name not in self._gates:
                known = ", ".join(f"`{g}`" for g in sorted(self._gates)) or "none"
                raise UsageError(f"there is no gate `{name}` in this run; gates: {known}")
            self._emit(Event(kind="gate.opened", subject=name, data={"by": role}))
        elif do == "step":
            return self._answer_step(request, role)
        elif do == "show":
            waits = self._status()
            self._note_opened(str(waits.get("runbook") or ""), role, "step")
            return {"ok": True, "status": waits}
        elif do == "opened":
            path = _runbook(_text(request, "runbook", TEXT_MAX), self._runbooks)
            self._note_opened(path, role, "said")
            return {"ok": True, "text": f"`{path}` is open"}
        elif do == "stop":
            reason = _text(request, "reason", TEXT_MAX, default="stopped by the operator")
            data = {"reason": reason, "status": RunStatus.INTERRUPTED.value, "by": role}
            self._emit(Event(kind="stop.tripped", subject="operator", data=data))
        else:
            raise UsageError(
                f"`do` must be one of {', '.join(HUMAN)}, gate, step, show, opened, stop, status"
            )
        return {"ok": True}

    def _answer_step(self, request: Mapping[str, Any], role: str) -> Mapping[str, Any]:
        """What a person says of the step of a runbook that waits for them."""
        waits = self._status()
        if not waits.get("name"):
            raise UsageError("no step of a runbook waits for anybody now")
        name, meant = str(waits["name"]), request.get("name")
        approves = waits.get("what") == "approval"
        if approves and not meant:
            raise UsageError("an approval names its step with `--step`; see it with `gameday step`")
        if meant and meant != name:
            text = str(meant)[:ROLE_MAX]
            raise UsageError(f"`{text}` is not what waits now; see what does with `gameday step`")
        answer = _text(request, "answer", ROLE_MAX, default="")
        if answer not in ANSWERS:
            raise UsageError(f"`answer` must be one of {', '.join(ANSWERS)}")
        if approves and answer == "changed":
            raise UsageError("an approval is `done` or `failed`; nothing was run yet")
        note = str(request.get("text") or "")[:TEXT_MAX]
        self._note_opened(str(waits.get("runbook") or ""), role, "answer")
        data = {"answer": answer, "role": role, "text": public(note)}
        self._emit(Event(kind="human.step", subject=name, data=data))
        return {"ok": True, "text": f"`{name}` is {answer}"}

    def _note_opened(self, path: str, role: str, how: str) -> None:
        """Put on the timeline that somebody has a runbook open, once each."""
        if path and path not in self._opened:
            self._opened.add(path)
            data = {"role": role, "how": how}
            self._emit(Event(kind="runbook.opened", subject=path, data=data))


def send(run_dir: Path, request: Mapping[str, Any], *, timeout_s: float = 5.0) -> dict[str, Any]:
    """Ask the run in *run_dir* for something and return its answer.

    Raises `UsageError` if no run is alive there, or if it refuses the request.
    """
    where = _control_file(run_dir)
    gone = f"no run is under way in `{run_dir}`"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(where["socket"])
            line = canonical(plain({**request, "token": where["token"]})).encode() + b"\n"
            connection.sendall(line)
            raw = _read_line(connection, REPLY_MAX)
    except TimeoutError:
        raise UsageError(f"the run in `{run_dir}` does not answer; its runner may hang") from None
    except OSError as error:
        raise NotUnderWayError(f"{gone}: its runner is gone ({error.strerror or error})") from None
    try:
        reply = json.loads(raw)
    except ValueError:
        raise NotUnderWayError(f"{gone}: its runner ended without an answer") from None
    if not isinstance(reply, dict) or not reply.get("ok"):
        said = reply.get("error") if isinstance(reply, dict) else None
        raise UsageError(f"the run refused: {said or 'no reason given'}")
    return reply


def private_directory() -> Path:
    """A new directory (mode 0700) in which a Unix socket's path is short enough."""
    candidates = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108
    for base in candidates:
        if not base or len(os.fsencode(base)) + len("/gameday-xxxxxxxx/control.sock") > _PATH_MAX:
            continue
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="gameday-", dir=base))
    raise UsageError("there is no directory for the control socket; set TMPDIR to a short path")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _control_file(run_dir: Path) -> dict[str, str]:
    path = run_dir / CONTROL_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {"socket": str(raw["socket"]), "token": str(raw["token"])}
    except FileNotFoundError:
        raise NotUnderWayError(f"no run is under way in `{run_dir}`") from None
    except PermissionError:
        raise UsageError(
            f"`{path}` belongs to another user; only who started a run may steer it"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"`{path}` cannot be read: {error}") from None


def _read_line(connection: socket.socket, size_max: int) -> bytes:
    """One line; empty if it is longer than *size_max* or does not end in time."""
    got, until = bytearray(), time.monotonic() + (connection.gettimeout() or _TIMEOUT_S)
    while b"\n" not in got:
        if len(got) > size_max or time.monotonic() > until:
            return b""
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        got += chunk
    line, _, _ = got.partition(b"\n")
    return bytes(line) if len(line) <= size_max else b""


def _runbook(said: str, known: Collection[str]) -> str:
    """The one runbook of the run that is meant: by its path, or by the name of its file."""
    named = [path for path in known if said in (path, Path(path).name, Path(path).stem)]
    if said in known or len(named) == 1:
        return said if said in known else named[0]
    names = ", ".join(f"`{path}`" for path in known) or "none"
    raise UsageError(f"`{said}` is no runbook of this run; runbooks: {names}")


def _text(request: Mapping[str, Any], name: str, size_max: int, default: str | None = None) -> str:
    value = request.get(name, default)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"`{name}` is missing")
    if len(value) > size_max:
        raise UsageError(f"`{name}` is longer than {size_max} characters")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value).strip()


def _no(error: str) -> Mapping[str, Any]:
    return {"ok": False, "error": error}
