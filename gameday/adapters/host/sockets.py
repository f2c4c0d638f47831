"""Sockets as /proc shows them: who is connected to a process, and who holds a name."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gameday.adapters.host.proc import all_pids

_LISTEN = "0A"


def connections(pids: Iterable[int]) -> int | None:
    """How many TCP connections, of any state, there are on the ports the processes listen on.

    None when they listen on none, or that cannot be seen.
    """
    pids = list(pids)
    inodes = {inode for pid in pids for inode in _sockets_of(pid)}
    if not inodes:
        return None
    rows = [row for name in ("tcp", "tcp6") for row in _rows(pids[0], name)]
    ports = {port for port, state, inode in rows if state == _LISTEN and inode in inodes}
    if not ports:
        return None
    return sum(1 for port, state, _ in rows if port in ports and state != _LISTEN)


def holders_of(name: str) -> list[int]:
    """The processes that hold the abstract unix socket *name* (without its leading zero byte)."""
    try:
        lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in lines]
    inodes = {f[6] for f in fields if len(f) > 7 and f[7] == f"@{name}"}
    return [pid for pid in all_pids() if inodes & _sockets_of(pid)] if inodes else []


def _sockets_of(pid: int) -> set[str]:
    found = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                leads_to = str(entry.readlink())
                if leads_to.startswith("socket:["):
                    found.add(leads_to[8:-1])
    except OSError:
        return found
    return found


def _rows(pid: int, name: str) -> list[tuple[str, str, str]]:
    """Local port (hex), state and inode of each socket in the process's network."""
    try:
        lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [(f[1].rpartition(":")[2], f[3], f[9]) for f in fields if len(f) > 9]
