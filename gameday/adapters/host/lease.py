"""The lease on a target of this host: one run at a time; and cleaning up without any journal.

What identifies the target (its pidfile, certificate or clock file) is locked by a socket in the
kernel's abstract name space: taking it is atomic, and it is free again when the last process that
holds it is gone. The runner hands its descriptor on to the sentinel, so that a target is not taken
by the next run while a dead one is being cleaned up. A note in the project's folder says who it is.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import time
from array import array
from pathlib import Path
from typing import Any

from gameday import registry
from gameday.adapters.host.files import remove
from gameday.adapters.host.holding import (
    held,
    lease_path,
    leases,
    read_lease,
    refusal,
    write_lease,
)
from gameday.adapters.host.notes import UndoNote, notes
from gameday.adapters.host.undo import UNDOER
from gameday.errors import GamedayError, RefusedError
from gameday.model.project import Target
from gameday.model.recovery import RecoveryReport
from gameday.ports import Undo
from gameday.processes import Life, life_of, own_identity

TTL_S = 30.0


class HostLease:
    """A run's hold on a target of this host. Renew it at least every third of *ttl_s*."""

    def __init__(
        self, directory: Path, run_id: str, target: Target, *, ttl_s: float = TTL_S
    ) -> None:
        self._directory, self._run, self._target = directory.resolve(), run_id, target
        self._ttl_s = ttl_s
        self._sockets: list[socket.socket] = []

    @property
    def undo(self) -> Undo:
        """The record with which the lease is given back from any process."""
        return {
            "kind": "host",
            "mode": "lease",
            "directory": str(self._directory),
            "run": self._run,
            "target": self._target.name,
        }

    def fileno(self) -> int:
        """What holds the target, -1 while it is not held; the sentinel has to get it, too."""
        return self._sockets[0].fileno() if self._sockets else -1

    def take(self) -> Undo:
        """Take the target for this run. Raises `RefusedError` naming the run that has it."""
        self._lock()
        try:
            if not write_lease(self._path, self._lease()):
                raise refusal(self._directory, self._target.name, read_lease(self._path), None)
        except GamedayError:
            self._unlock()
            raise
        return self.undo

    def renew(self) -> None:
        """Hold it for another *ttl_s*. Raises `RefusedError` when another run has taken it."""
        if not self._sockets:
            self._lock()
        if not write_lease(self._path, self._lease()):
            raise refusal(self._directory, self._target.name, read_lease(self._path), None)

    def release(self) -> None:
        """Give it back. Idempotent; another run's lease is left alone."""
        try:
            UNDOER.revert(self.undo)
        finally:
            self._unlock()

    @property
    def _path(self) -> Path:
        return lease_path(self._directory, self._target.name)

    def _lease(self) -> dict[str, Any]:
        return {
            "run": self._run,
            "target": self._target.name,
            "owner": own_identity(),
            "expires_wall_ms": round((time.time() + self._ttl_s) * 1000),
        }

    def _lock(self) -> None:
        if self._sockets:
            return
        for name in lock_names(self._directory, self._target):
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._sockets.append(made)
            try:
                made.bind(f"\0{name}")
            except OSError as error:
                self._unlock()
                if error.errno != errno.EADDRINUSE:
                    raise RefusedError(
                        f"target `{self._target.name}` cannot be locked: {error}"
                    ) from error
                there = read_lease(self._path)
                raise refusal(self._directory, self._target.name, there, name) from None
        first, *others = self._sockets
        if others:  # they go into the queue of the first: whoever holds that one holds them all
            fds = array("i", [s.fileno() for s in others])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
            first.sendmsg([b"held"], rights, 0, first.getsockname())

    def _unlock(self) -> None:
        for made in self._sockets:
            made.close()
        self._sockets.clear()


def lock_names(directory: Path, target: Target) -> tuple[str, ...]:
    """The names of the sockets that lock a target, one for each thing that identifies it."""
    process, certificate = target.process, target.certificate
    things = {
        "pidfile": process.pidfile if process else None,
        "clock": process.clock_file if process else None,
        "cert": certificate.cert if certificate else None,
    }
    keys = [f"{what}:{(directory / path).resolve()}" for what, path in things.items() if path]
    keys = keys or [f"target:{directory.resolve()}:{target.name}"]
    return tuple(f"gameday-{hashlib.sha256(k.encode()).hexdigest()[:32]}" for k in sorted(keys))


def recover_target(directory: Path, *, force: bool = False) -> RecoveryReport:
    """Take out all faults that have a note in the project's folder, without a journal.

    Whatever kind they are of; newest first, then what the run had started. Raises `RefusedError`
    while a run holds a target there, unless *force* is given. With *force* also notes about
    processes of other hosts are dropped, which cannot be seen from here.
    """
    directory = directory.resolve()
    for _, lease in leases(directory):
        if held(lease) and not force:
            raise refusal(directory, str(lease.get("target", "?")), lease, None)
    lines: list[str] = []
    dirty: list[str] = []
    found, bad = notes(directory)
    faults = [n for n in found if n.undo.get("fault") is not None]
    for note in (*faults, *(n for n in found if n.undo.get("fault") is None)):
        _recover(note, lines, dirty, force=force)
    dirty.extend(bad)
    if not dirty:
        for path, lease in leases(directory):
            remove(path)
            lines.append(f"gave the lease of target `{lease.get('target', '?')}` back")
    return RecoveryReport(
        lines=tuple(lines) or ("nothing of gameday was there",), dirty=tuple(dirty)
    )


def _recover(note: UndoNote, lines: list[str], dirty: list[str], *, force: bool) -> None:
    undo = note.undo
    fault = undo.get("fault")
    what = f"fault `{fault}`" if fault is not None else f"target `{undo.get('target')}`"
    what = f"{what} of run `{undo.get('run')}`"
    by = undo.get("by")
    if force and isinstance(by, dict) and life_of(by) is Life.UNKNOWN and _of_process(undo):
        remove(note.path)
        lines.append(f"dropped the note of {what}: it is about processes of `{by.get('host')}`")
        return
    try:
        undoer = registry.undoer(str(undo["kind"]))
        undoer.revert(undo)
        if undoer.present(undo):
            dirty.append(f"{what}: it is still there")
            return
    except (GamedayError, OSError, KeyError, TypeError, ValueError) as error:
        lines.append(f"failed: {what}: {error}")
        dirty.append(what)
        return
    remove(note.path)
    lines.append(f"took {what} out" if fault is not None else f"closed {what}")


def _of_process(undo: Undo) -> bool:
    return undo.get("mode") in ("process.stop", "process.kill", "started")
