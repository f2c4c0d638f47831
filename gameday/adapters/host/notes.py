"""Notes in the project's folder: what is needed to clean up here when there is no journal.

`<directory>/.gameday/host/` holds one file for each fault that is, or is about to be, in place, and
one for each target that a run holds. A note is on disk before anything is broken, and goes only
when the fault was read back as gone.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.adapters.host.files import create, inside, keep, locked, remove, replace
from gameday.errors import AdapterError, NoEffectError
from gameday.ports import Undo

FOLDER = Path(".gameday") / "host"
VERSION = 1
#: How long an inject or a revert waits for its turn.
TURN_S = 1.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_MAX_NOTES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoNote:
    """A note that was found: the undo record in it, and since when it is there."""

    path: Path
    undo: Mapping[str, Any]
    written_wall_ms: int


def put_note(directory: Path, undo: Undo) -> Path:
    """Leave the undo record of a fault, or of an opened target, in the project's folder.

    Call it right before the inject; a note of the same run and fault is replaced. The record needs
    `kind`, `run`, and `fault` or `target`. Raises `NoEffectError` when it cannot be written (then
    nothing may be broken) or when another run's note has that name.
    """
    path = note_path(directory, undo)
    note = {"gameday": VERSION, "written_wall_ms": round(time.time() * 1000), "undo": dict(undo)}
    try:
        data = json.dumps(note, allow_nan=False).encode()
        folder(directory, make=True)
        if not create(path, data):
            _refuse_stranger(path, undo)
            replace(path, data)
    except (OSError, TypeError, ValueError) as error:
        raise NoEffectError(
            f"the note of what is about to be broken cannot be written to `{path}`: {error}; "
            "without it nothing is broken"
        ) from error
    return path


def drop_note(directory: Path, undo: Undo) -> bool:
    """Take the note of a fault away, after it was read back as gone. False if there is none.

    Idempotent; the note of another run is left alone. Raises `AdapterError` when it stays.
    """
    path = note_path(directory, undo)
    try:
        there = read_note(path)
        if there is None or there.undo.get("run") != undo.get("run"):
            return False
        return remove(path)
    except OSError as error:
        raise AdapterError(f"the note `{path}` cannot be removed: {error}") from error


def find_note(directory: Path, undo: Undo) -> UndoNote | None:
    """The note of the fault that *undo* is of, if there is one and it can be read."""
    try:
        there = read_note(note_path(directory, undo))
    except (OSError, AdapterError):
        return None
    return there if there is not None and there.undo.get("run") == undo.get("run") else None


def notes(directory: Path) -> tuple[list[UndoNote], list[str]]:
    """All undo notes in the project's folder, newest first, and what is wrong with the others."""
    found: list[UndoNote] = []
    bad: list[str] = []
    for path in sorted((directory / FOLDER).glob("undo-*.json"))[:_MAX_NOTES]:
        try:
            note = read_note(path)
        except (OSError, AdapterError) as error:
            bad.append(str(error))
            continue
        if note is not None:
            found.append(note)
    found.sort(key=lambda note: note.written_wall_ms, reverse=True)
    return found, bad


def note_path(directory: Path, undo: Undo) -> Path:
    """Where the note of an undo record lies. Raises `NoEffectError` for a name that cannot be."""
    run = checked(str(undo.get("run", "")), "run")
    if undo.get("fault") is not None:
        name = f"{run}-{checked(str(undo['fault']), 'fault')}"
    else:
        name = f"{run}-target-{checked(str(undo.get('target', '')), 'target')}"
    return folder(directory) / f"undo-{name}.json"


def read_note(path: Path) -> UndoNote | None:
    """One note; None if it is not there. Raises `AdapterError` when it is not to be trusted.

    A note makes a later clean-up run commands and signal processes, so it has to be ours.
    """
    data = read_own(path)
    if data is None:
        return None
    undo, written = data.get("undo"), data.get("written_wall_ms")
    if not isinstance(undo, dict) or not isinstance(undo.get("kind"), str):
        raise AdapterError(f"`{path}` is no note of gameday: it has no undo record")
    return UndoNote(
        path=path, undo=undo, written_wall_ms=written if isinstance(written, int) else 0
    )


def read_own(path: Path) -> dict[str, Any] | None:
    """The JSON of a file that we (or root) wrote and nobody else could change; None if not there.

    Raises `AdapterError` otherwise.
    """
    try:
        kept = keep(path)
    except FileNotFoundError:
        return None
    if kept.uid not in (0, os.geteuid()) or kept.mode & 0o022:
        raise AdapterError(
            f"`{path}` belongs to somebody else or can be changed by others; it is not followed"
        )
    try:
        data = json.loads(kept.data)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("gameday") != VERSION:
        raise AdapterError(f"`{path}` is no note of gameday (version {VERSION})")
    return data


def folder(directory: Path, *, make: bool = False) -> Path:
    """Where notes lie, inside the project's folder, made if asked. Raises `NoEffectError`."""
    found = inside(directory, FOLDER, "the folder of notes")
    if make and not found.is_dir():
        found.parent.mkdir(exist_ok=True)  # not the project's folder itself
        found.mkdir(exist_ok=True, mode=0o700)
        create(found.parent / ".gitignore", b"*\n", mode=0o644)
    return found


@contextmanager
def turn(undo: Undo) -> Iterator[None]:
    """Injects and reverts on one target come one by one, whichever process they are of.

    A call that was given up may still be at its work when its revert begins. Raises `NoEffectError`
    when it is not our turn in time.
    """
    with ExitStack() as held:
        directory = Path(undo["directory"])
        if undo["mode"] not in ("lease", "kept") and directory.is_dir():
            with suppress(OSError):  # where no lock can be made, mending goes first
                lock = folder(directory, make=True) / f"{undo['target']}.lock"
                held.enter_context(locked(lock, within_s=TURN_S))
        yield


def checked(name: str, what: str) -> str:
    """A name that can be part of a file's name. Raises `NoEffectError`."""
    if not _NAME.fullmatch(name):
        raise NoEffectError(
            f"`{name}` cannot be the name of a {what} here: use letters, digits, `.`, `_` and `-`, "
            "at most 100"
        )
    return name


def _refuse_stranger(path: Path, undo: Undo) -> None:
    try:
        there = read_note(path)
    except AdapterError as error:
        raise NoEffectError(f"{error}; look at it, and remove it") from None
    keys = ("run", "fault", "target", "kind")
    if there is not None and any(there.undo.get(k) != undo.get(k) for k in keys):
        raise NoEffectError(
            f"`{path}` belongs to another fault (run `{there.undo.get('run')}`); "
            f"clean up with `gameday recover --target {path.parent.parent.parent}`"
        )
