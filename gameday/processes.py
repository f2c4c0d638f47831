"""Which process is meant: identities that survive the re-use of process numbers.

A process number alone is no identity: it is given out again, means another process in another
container, and nothing at all after a restart of the machine. So its start time, the machine's boot
and the number space go with it. Linux only, as the whole of gameday.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any


class Life(StrEnum):
    """What is known of a process. UNKNOWN: it belongs to another host or container."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


def identity_of(pid: int) -> dict[str, Any]:
    """Plain data that tells this process from all others. Raises ProcessLookupError."""
    start = start_ticks(pid)
    if start is None:
        raise ProcessLookupError(f"no process {pid}")
    return {"pid": pid, "start_ticks": start, **_here()}


def own_identity() -> dict[str, Any]:
    """The identity of this process."""
    return identity_of(os.getpid())


def life_of(identity: Mapping[str, Any]) -> Life:
    """Whether the process of *identity* still runs. A zombie is gone."""
    here = _here()
    if identity.get("host") != here["host"]:
        return Life.UNKNOWN
    if identity.get("boot") != here["boot"]:
        return Life.GONE
    if identity.get("pid_space") != here["pid_space"]:
        return Life.UNKNOWN
    same = start_ticks(int(identity["pid"])) == identity.get("start_ticks")
    return Life.ALIVE if same else Life.GONE


def start_ticks(pid: int) -> int | None:
    """When the process was started, in ticks since the boot; None if it is gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def stopped(pid: int) -> bool:
    """Whether the process is stopped (SIGSTOP, a debugger), as opposed to busy or waiting."""
    fields = _stat(pid)
    return fields is not None and fields[0] in "Tt"


def kill(identity: Mapping[str, Any], *, group: bool = False) -> bool:
    """SIGKILL exactly this process, with its process group if asked; False if it is not there."""
    if life_of(identity) is not Life.ALIVE:
        return False
    pid = int(identity["pid"])
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_ticks(pid) != identity.get("start_ticks"):
            return False
        if group and os.getpgid(pid) == pid:  # only a group of its own
            os.killpg(pid, signal.SIGKILL)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def gone_within(identity: Mapping[str, Any], seconds: float) -> bool:
    """Wait until the process is gone, at most *seconds*."""
    deadline = time.monotonic() + seconds
    while life_of(identity) is Life.ALIVE:
        if time.monotonic() > deadline:
            return False
        with suppress(ChildProcessError, OSError):  # if it is a child of ours, bury it
            os.waitpid(int(identity["pid"]), os.WNOHANG)
        time.sleep(0.01)
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third, the state, on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _here() -> dict[str, Any]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "pid_space": str(Path("/proc/self/ns/pid").readlink()),
    }
