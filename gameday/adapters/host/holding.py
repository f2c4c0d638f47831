"""The note of a lease: which run holds a target of this project, and until when."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host.files import create, remove, replace
from gameday.adapters.host.notes import FOLDER, VERSION, checked, folder, read_own
from gameday.adapters.host.sockets import holders_of
from gameday.errors import AdapterError, CannotSeeError, RefusedError
from gameday.ports import Undo
from gameday.processes import Life, life_of

Note = Mapping[str, Any]


def lease_path(directory: Path, target: str) -> Path:
    """Where the note of the lease of a target lies."""
    return folder(directory) / f"lease-{checked(target, 'target')}.json"


def read_lease(path: Path) -> Note | None:
    """The lease in a note; None if there is none. Raises `AdapterError` if it is not ours."""
    data = read_own(path)
    if data is None:
        return None
    lease = data.get("lease")
    return lease if isinstance(lease, dict) else {}


def write_lease(path: Path, lease: Note) -> bool:
    """Write a note of this run; False if another run's is there. Raises `AdapterError`."""
    data = json.dumps({"gameday": VERSION, "lease": dict(lease)}).encode()
    try:
        folder(path.parent.parent.parent, make=True)
        if create(path, data):
            return True
        there = read_lease(path)
        if there is None or there.get("run") != lease["run"]:
            return False
        replace(path, data)
    except OSError as error:
        raise AdapterError(f"the lease `{path}` cannot be written: {error}") from error
    return True


def leases(directory: Path) -> list[tuple[Path, Note]]:
    """All leases in the folder of a project; one that cannot be read is empty."""
    found = []
    for path in sorted((directory / FOLDER).glob("lease-*.json")):
        try:
            lease = read_lease(path)
        except (OSError, AdapterError):
            lease = {}
        if lease is not None:
            found.append((path, lease))
    return found


def held(lease: Note) -> bool:
    """Whether a run still has the target: its process lives, or may live and has renewed."""
    owner = lease.get("owner")
    life = life_of(owner) if isinstance(owner, Mapping) else Life.UNKNOWN
    if life is Life.UNKNOWN:
        return expires_ms(lease) > time.time() * 1000
    return life is Life.ALIVE


def expires_ms(lease: Note) -> float:
    """Until when it holds, in milliseconds since the epoch."""
    value = lease.get("expires_wall_ms")
    return float(value) if isinstance(value, (int, float)) else 0.0


def has_note(undo: Undo) -> bool:
    """Whether the run of the record holds the target. Raises `CannotSeeError`."""
    try:
        lease = read_lease(lease_path(Path(undo["directory"]), undo["target"]))
    except (OSError, AdapterError) as error:
        raise CannotSeeError(str(error)) from error
    return lease is not None and lease.get("run") == undo["run"]


def give_back(undo: Undo) -> bool:
    """Remove the note of the record's run; False if another run's, or none, is there."""
    path = lease_path(Path(undo["directory"]), undo["target"])
    try:
        lease = read_lease(path)
        return lease is not None and lease.get("run") == undo["run"] and remove(path)
    except OSError as error:
        raise AdapterError(f"the lease `{path}` cannot be removed: {error}") from error


def refusal(directory: Path, target: str, lease: Note | None, name: str | None) -> RefusedError:
    """Who holds a target, and what to do. *name* is the socket that was found taken."""
    pids = holders_of(name) if name is not None else []
    if lease is None:
        who = f"process {', '.join(map(str, pids))}" if pids else "another run"
        return RefusedError(
            f"what target `{target}` stands for is held by {who} for another project or target of "
            "this host; wait for the end of that run"
        )
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expires_ms(lease) / 1000))
    owner = lease.get("owner")
    host = owner.get("host", "?") if isinstance(owner, Mapping) else "?"
    run = f"run `{lease.get('run') or '?'}` on host `{host}`"
    command = f"`gameday recover --target {directory}"
    if held(lease):
        return RefusedError(
            f"target `{target}` is held by {run} until {until}, and it renews that; wait for its "
            f"end, or clean up over its head with {command} --force`"
        )
    if pids:
        return RefusedError(
            f"target `{target}` is held for {run}, which is gone, by what cleans up after it "
            f"(process {', '.join(map(str, pids))}); try again in a moment"
        )
    return RefusedError(
        f"{run} left target `{target}` without cleaning up (lease until {until}); take out what it "
        f"left with {command}`"
    )
