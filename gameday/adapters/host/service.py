"""Services of the project: started by a run, ended by it, and brought back after a kill."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gameday.adapters.host import commands
from gameday.adapters.host.notes import drop_note, find_note, put_note
from gameday.adapters.host.proc import (
    Identity,
    Stat,
    alive,
    family,
    identities,
    marked,
    named_by,
    send,
    table,
    until,
)
from gameday.errors import AdapterError, GamedayError, NoEffectError
from gameday.ports import Undo

#: In the environment of what a run starts: how it is found again without knowing its number.
MARKER = "GAMEDAY_RUN"
SETTLE_S = 0.3
_TERM_S, _KILL_S = 2.5, 2.0
#: A restart that was begun is waited for this long before it is tried again.
_PATIENCE_S = 45.0


def marked_family(marker: str | None, *also: Identity | None) -> list[Stat]:
    """What a run has started under *marker*, and *also* these, with all descendants."""
    processes = table()
    roots = marked(MARKER, marker, processes) if marker else []
    roots += [processes[i["pid"]] for i in also if i and alive(i) and i["pid"] in processes]
    found = {stat.pid: stat for root in roots for stat in family(root.pid, processes)}
    return list(found.values())


def head_of(marker: str, known: Identity | None = None) -> dict[str, Any] | None:
    """The first process of what was started under *marker*; *known*, as long as it lives."""
    if known is not None and alive(known):
        return dict(known)
    found = marked(MARKER, marker)
    pids = {stat.pid for stat in found}
    heads = identities(stat for stat in found if stat.ppid not in pids)
    return heads[0] if heads else None


def start(undo: Undo, *, within_s: float) -> dict[str, Any]:
    """Start the service of a record of mode `started`, and wait until it is there.

    Raises `NoEffectError` if nothing was started, or what was has ended.
    """
    began = time.monotonic()
    service, directory = undo["service"], Path(undo["directory"])
    log = Path(service["log"])
    since_byte = commands.size_of(log)
    process = commands.launch(
        service["command"], directory=directory, log=log, extra=service["extra"]
    )
    _remember(directory, undo, head_of(undo["marker"]))
    deadline = began + within_s
    while not _ready(undo, began):
        if process.poll() is not None and not marked(MARKER, undo["marker"]):
            raise NoEffectError(
                f"`{service['command'][0]}` of target `{undo['target']}` ended at once with "
                f"{process.returncode}{commands.last_words(log, since_byte)}"
            )
        if time.monotonic() > deadline:
            raise AdapterError(
                f"target `{undo['target']}` was started but is not ready after {within_s:.0f} s: "
                f"{_awaited(undo)}{commands.last_words(log, since_byte)}"
            )
        time.sleep(0.02)
    head = head_of(undo["marker"])
    _remember(directory, undo, head)
    return {"pid": head["pid"] if head else None, "log": service["log"]}


def end(undo: Undo) -> dict[str, Any]:
    """End exactly what was started under the marker of the record, and read that back."""
    directory = Path(undo["directory"])
    known = _known_head(directory, undo)
    first = marked_family(undo["marker"], known)
    seen = {i["pid"]: i for i in identities(first)}

    def left(number: signal.Signals) -> bool:
        there = identities(marked_family(undo["marker"], known, *seen.values()))
        for identity in there:
            if identity["pid"] not in seen or number is signal.SIGKILL:
                send(identity, number)
            seen[identity["pid"]] = identity
        return bool(there)

    for identity in list(seen.values()):
        send(identity, signal.SIGTERM)
        send(identity, signal.SIGCONT)  # a stopped one does not get to know
    gone = until(lambda: not left(signal.SIGTERM), _TERM_S)
    if not gone and not until(lambda: not left(signal.SIGKILL), _KILL_S):
        raise AdapterError(f"what was started for target `{undo['target']}` does not end")
    if undo.get("clock_file"):
        Path(undo["clock_file"]).unlink(missing_ok=True)
    drop_note(directory, undo)
    return {"ended": len(first)}


def running(undo: Undo) -> bool:
    """Whether anything that was started under the record's marker still runs."""
    return bool(marked_family(undo["marker"], _known_head(Path(undo["directory"]), undo)))


def back(undo: Undo, killed: Identity) -> dict[str, Any] | None:
    """The process that runs in the place of the *killed* one, if one does."""
    if undo["pidfile"] is not None:
        try:
            there = named_by(Path(undo["pidfile"]))
        except NoEffectError:
            return None
        return there if there != dict(killed) else None
    young = [
        stat
        for stat in marked(MARKER, undo["marker"])
        if stat.session == stat.pid and stat.start_ticks > killed["start_ticks"]
    ]
    return next(iter(identities(young)), None)


def closed(undo: Undo) -> bool:
    """Whether the service of a record was the run's own, and the run has closed it already."""
    marker = undo["marker"]
    return marker is not None and not _target_note(undo) and not marked(MARKER, marker)


def bring_back(undo: Undo, killed: Identity, *, within_s: float) -> dict[str, Any]:
    """Make it run again: wait for a supervisor for a moment, else run the restart command.

    Raises `AdapterError` when it is not there after *within_s*; a later call goes on waiting for
    what this one has begun.
    """
    deadline = time.monotonic() + within_s
    found = back(undo, killed)
    if found is not None:
        return {"pid": found["pid"], "restarted": False}
    directory, log = Path(undo["directory"]), Path(undo["service"]["log"])
    process = None
    since_byte = _under_way(directory, undo)
    if since_byte is None:
        since_byte = commands.size_of(log)
        process = _restart(directory, undo, since_byte)
    since = time.monotonic()
    while True:
        found = back(undo, killed)
        settled = undo["pidfile"] is not None or time.monotonic() - since > SETTLE_S
        if found is not None and settled:
            break
        if process is not None and process.poll():
            _note(directory, undo, restarting=None)
            raise AdapterError(
                f"`{undo['service']['command'][0]}`, which restarts target `{undo['target']}`, "
                f"ended with {process.returncode}{commands.last_words(log, since_byte)}"
            )
        if time.monotonic() > deadline:
            raise AdapterError(
                f"target `{undo['target']}` is not back yet: {_awaited(undo)}"
                f"{commands.last_words(log, since_byte)}"
            )
        time.sleep(0.02)
    target_note = _target_note(undo)
    if target_note is not None:
        with suppress(GamedayError):  # it is found by its mark, too
            put_note(directory, {**target_note, "process": found})
    return {"pid": found["pid"], "restarted": True}


def _restart(directory: Path, undo: Undo, since_byte: int) -> subprocess.Popen[bytes]:
    service = undo["service"]
    now_ms = round(time.time() * 1000)
    _note(directory, undo, restarting=None, restart_wall_ms=now_ms, log_since_byte=since_byte)
    process = commands.launch(
        service["command"], directory=directory, log=Path(service["log"]), extra=service["extra"]
    )
    there = family(process.pid, table())[:1]
    _note(directory, undo, restarting=next(iter(identities(there)), None))
    return process


def _under_way(directory: Path, undo: Undo) -> int | None:
    """From which byte of the log on an earlier call's restart speaks; None if there is none.

    One that was begun may still come to something.
    """
    note = find_note(directory, undo)
    at_ms = note.undo.get("restart_wall_ms") if note else None
    if note is None or not isinstance(at_ms, int):
        return None
    age_s = time.time() - at_ms / 1000
    restarting = note.undo.get("restarting")
    if 0 <= age_s < _PATIENCE_S and restarting is not None:
        if alive(restarting) or age_s < _PATIENCE_S / 4:
            return int(note.undo.get("log_since_byte") or 0)
        return None
    if restarting is not None:  # it hangs: the next one is to find the place free
        with suppress(PermissionError):
            send(restarting, signal.SIGKILL)
    return None


def _note(directory: Path, undo: Undo, **changes: Any) -> None:
    """Write into the note of the fault; it is there since the inject, or made again."""
    note = find_note(directory, undo)
    with suppress(GamedayError):  # mending goes first
        put_note(directory, {**(note.undo if note else undo), **changes})


def _target_note(undo: Undo) -> Mapping[str, Any] | None:
    if undo["marker"] is None:
        return None
    key = {"run": undo["run"], "target": undo["target"]}
    note = find_note(Path(undo["directory"]), key)
    return note.undo if note is not None else None


def _known_head(directory: Path, undo: Undo) -> Identity | None:
    note = find_note(directory, undo)
    known = note.undo.get("process") if note is not None else None
    return known if isinstance(known, Mapping) else None


def _remember(directory: Path, undo: Undo, head: Identity | None) -> None:
    if head is not None:
        put_note(directory, {**undo, "process": head})


def _ready(undo: Undo, began: float) -> bool:
    service = undo["service"]
    if not marked(MARKER, undo["marker"]):
        return False
    if undo["pidfile"] is not None:
        try:
            named_by(Path(undo["pidfile"]))
        except NoEffectError:
            return False
    if service["address"] is not None:
        return _answers(service["address"])
    return time.monotonic() - began > SETTLE_S


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=0.5).close()
    except (OSError, ValueError):
        return False
    return True


def _awaited(undo: Undo) -> str:
    if undo["service"]["address"] is not None:
        return f"nothing answers at `{undo['service']['address']}`"
    if undo["pidfile"] is not None:
        return f"the pidfile `{undo['pidfile']}` names no new process"
    return "no process of it runs"
