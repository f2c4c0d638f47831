"""Which process a target of this host means, and how the run starts it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.adapters.host.faketime import clock_environment
from gameday.adapters.host.notes import checked, find_note, folder
from gameday.adapters.host.proc import Identity, Stat, alive, family, named_by, table
from gameday.adapters.host.service import MARKER, head_of, marked_family
from gameday.errors import NoEffectError
from gameday.model.project import ProcessRef, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The process of a target: its first one, and all that are meant with it."""

    root: Mapping[str, Any] | None  # None: one of the run's own that is not started yet
    members: tuple[Stat, ...]

    @property
    def pids(self) -> list[int]:
        """The numbers of all, the first one first."""
        first = [self.root["pid"]] if self.root is not None else []
        return [*first, *(s.pid for s in self.members if s.pid not in first)]


def look(directory: Path, run: str, target: Target) -> Found:
    """The process of a target as it is now. Raises `NoEffectError` saying why there is none."""
    ref = process_ref(target)
    marker, pidfile = marker_of(directory, run, target), pidfile_of(directory, ref)
    root: dict[str, Any] | None = None
    if marker is not None:
        note = find_note(directory, {"run": run, "target": target.name})
        known = note.undo.get("process") if note is not None else None
        root = head_of(marker, known)
        if root is None:
            return Found(root=None, members=())
    if pidfile is not None:
        root = named_by(Path(pidfile))
    if root is None:
        raise NoEffectError(
            f"target `{target.name}` names no process: give it a `pidfile`, or a `start` command"
        )
    return Found(root=root, members=tuple(members_of(root, marker)))


def process_ref(target: Target) -> ProcessRef:
    """The target's process. Raises `NoEffectError` if it has none."""
    if target.process is None:
        raise NoEffectError(
            f"target `{target.name}` has no `process`; give it one, with a `pidfile` or `start`"
        )
    return target.process


def pidfile_of(directory: Path, ref: ProcessRef) -> str | None:
    """The full path of the target's pidfile."""
    return str(directory / ref.pidfile) if ref.pidfile else None


def marker_of(directory: Path, run: str, target: Target) -> str | None:
    """What marks the processes that this run starts for the target; None if it starts none."""
    if not target.is_started:
        return None
    project = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    return f"{run}/{checked(target.name, 'target')}@{project}"


def service_of(
    directory: Path, run: str, target: Target, *, command: Iterable[str], logs: Path | None = None
) -> dict[str, Any]:
    """How a service is started, as plain data: all that `start` and `bring_back` need."""
    marker = marker_of(directory, run, target)
    name = f"{checked(run, 'run')}-{checked(target.name, 'target')}.log"
    extra = {MARKER: marker, **clock_environment(directory, run, target)} if marker else {}
    return {
        "command": list(command),
        "extra": extra,
        "log": str((logs or folder(directory)) / name),
        "address": target.address or target.upstream,
    }


def members_of(root: Identity, marker: str | None) -> list[Stat]:
    """The first process of a target, its descendants, and what else the run started there."""
    found = {s.pid: s for s in family(int(root["pid"]), table())} if alive(root) else {}
    for stat in marked_family(marker) if marker else ():
        found.setdefault(stat.pid, stat)
    return list(found.values())
