"""`owner.jsonl` in a run directory: who runs it, and what has to be tidied up after it.

Its last whole line says all of it. A change is one line more: a clean-up finds the file complete
whenever the runner died, and whoever has it open still sees changes after somebody deleted it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.errors import RefusedError
from gameday.processes import Life, life_of, own_identity

FILE = "owner.jsonl"
LOCK = "cleanup.lock"
CALL_MS = 10_000
#: Of a run on another host or in another container it is only known when its journal last grew.
SILENT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process that must not outlive the run: `role` is `load`, `toxiproxy` or a part's name."""

    role: str
    process: Mapping[str, Any]
    group: bool = False  # it leads a process group of its own, which ends with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What the file says. `after` are undo records to be reverted once no fault is left."""

    runner: Mapping[str, Any] | None = None
    sentinel: Mapping[str, Any] | None = None
    call_ms: int = CALL_MS
    parts: tuple[Part, ...] = ()
    after: tuple[Mapping[str, Any], ...] = field(default=())


def read(run_dir: Path) -> Owner:
    """What is known of the owner of a run; nothing, if there is no file."""
    try:
        return parse((run_dir / FILE).read_bytes())
    except OSError:
        return Owner()


def parse(data: bytes) -> Owner:
    """What the file says: its last line that is whole. Nothing, if there is none."""
    for line in reversed(data.splitlines()):
        try:
            raw = json.loads(line)
            return Owner(
                runner=raw["runner"],
                sentinel=raw["sentinel"],
                call_ms=int(raw["call_ms"]),
                parts=tuple(Part(**part) for part in raw["parts"]),
                after=tuple(raw["after"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return Owner()


def claim(run_dir: Path, *, call_ms: int = CALL_MS) -> None:
    """Say that this process runs it. Call it before anything else is put in the file."""
    _write(run_dir, Owner(runner=own_identity(), call_ms=call_ms))


def add_part(run_dir: Path, role: str, process: Mapping[str, Any], *, group: bool = False) -> None:
    """Note a process that must not outlive the run."""
    owner = read(run_dir)
    part = Part(role=role, process=process, group=group)
    _write(run_dir, _changed(owner, parts=(*owner.parts, part)))


def add_after(run_dir: Path, undo: Mapping[str, Any]) -> None:
    """Note something to be reverted last (the lease). Call it before it is taken."""
    owner = read(run_dir)
    _write(run_dir, _changed(owner, after=(*owner.after, undo)))


def set_sentinel(run_dir: Path, process: Mapping[str, Any]) -> None:
    """Note the sentinel."""
    _write(run_dir, _changed(read(run_dir), sentinel=process))


def given_back(run_dir: Path) -> None:
    """Note that what was to be reverted last has been."""
    _write(run_dir, _changed(read(run_dir), after=()))


def tidied(run_dir: Path) -> None:
    """Note that nothing is left to be tidied up."""
    _write(run_dir, _changed(read(run_dir), parts=(), after=()))


def runner_life(run_dir: Path) -> Life:
    """Whether the runner of a run is there; by its journal, if it is of another machine."""
    owner = read(run_dir)
    life = Life.UNKNOWN if owner.runner is None else life_of(owner.runner)
    if life is not Life.UNKNOWN:
        return life
    try:
        silent_s = time.time() - (run_dir / "journal.jsonl").stat().st_mtime
    except OSError:
        return Life.GONE
    return Life.GONE if silent_s > SILENT_S else Life.UNKNOWN


@contextmanager
def cleaning(run_dir: Path, *, wait_s: float) -> Iterator[None]:
    """Hold the right to clean a run up: one process at a time. Raises `RefusedError`.

    Where no lock can be made (a full disk, no directory any more) mending goes first.
    """
    try:
        fd = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RefusedError(
                        f"run `{run_dir.name}` is being cleaned up by another process; "
                        "wait for it and look again"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(fd)


def _changed(owner: Owner, **changes: Any) -> Owner:
    values = {name: getattr(owner, name) for name in Owner.__slots__}
    return Owner(**{**values, **changes})


def _write(run_dir: Path, owner: Owner) -> None:
    raw = {
        "runner": owner.runner,
        "sentinel": owner.sentinel,
        "call_ms": owner.call_ms,
        "parts": [
            {"role": p.role, "process": dict(p.process), "group": p.group} for p in owner.parts
        ],
        "after": [dict(undo) for undo in owner.after],
    }
    # the first newline ends what a full disk left torn
    line = b"\n" + json.dumps(raw, sort_keys=True).encode() + b"\n"
    fd = os.open(run_dir / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.write(fd, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run_dir / FILE))
        os.fsync(fd)
    finally:
        os.close(fd)
