"""Looking at processes through /proc, and signalling exactly the ones that are meant."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gameday.errors import NoEffectError
from gameday.processes import Life, identity_of, life_of

#: Plain data that tells a process from all others, see `gameday.processes`.
Identity: TypeAlias = Mapping[str, Any]
#: A pidfile is written after its process has started; boot time and clocks are known to a second.
_SLACK_S = 2.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.01
_MAX_ENVIRON = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What /proc/PID/stat says of a process. `state` T: stopped; t: held by a debugger."""

    pid: int
    state: str
    ppid: int
    session: int
    start_ticks: int

    @property
    def ended(self) -> bool:
        """A zombie: it has ended, and nobody has looked."""
        return self.state in "ZX"


def stat_of(pid: int) -> Stat | None:
    """The process with this number now; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return Stat(
        pid=pid,
        state=fields[0],
        ppid=int(fields[1]),
        session=int(fields[3]),
        start_ticks=int(fields[19]),
    )


def table() -> dict[int, Stat]:
    """All processes that run now, by number; no zombies."""
    found = (stat_of(pid) for pid in all_pids())
    return {stat.pid: stat for stat in found if stat is not None and not stat.ended}


def all_pids() -> list[int]:
    """The numbers of all processes, zombies among them."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def family(pid: int, processes: Mapping[int, Stat]) -> list[Stat]:
    """The process and all its descendants, parents first."""
    children: dict[int, list[Stat]] = {}
    for stat in processes.values():
        children.setdefault(stat.ppid, []).append(stat)
    found = [processes[pid]] if pid in processes else []
    for stat in found:  # grows while it is walked
        found.extend(children.get(stat.pid, ()))
    return found


def own_line() -> set[int]:
    """Our own process and its ancestors."""
    line, pid = set[int](), os.getpid()
    while pid and pid not in line:
        line.add(pid)
        stat = stat_of(pid)
        pid = stat.ppid if stat else 0
    return line


def paired(stats: Iterable[Stat]) -> list[tuple[Stat, dict[str, Any]]]:
    """Those that are still there, each with its identity."""
    found = []
    for stat in stats:
        with suppress(ProcessLookupError):
            identity = identity_of(stat.pid)
            if identity["start_ticks"] == stat.start_ticks:
                found.append((stat, identity))
    return found


def identities(stats: Iterable[Stat]) -> list[dict[str, Any]]:
    """The identities of those that are still there."""
    return [identity for _, identity in paired(stats)]


def alive(identity: Identity) -> bool:
    """Whether the process runs, as far as can be seen from here."""
    return life_of(identity) is Life.ALIVE


def state_of(identity: Identity) -> str | None:
    """The state of the process (`S`, `R`, `T` ...); None if it is gone or not of this machine."""
    if not alive(identity):
        return None
    stat = stat_of(int(identity["pid"]))
    if stat is None or stat.start_ticks != identity["start_ticks"] or stat.ended:
        return None
    return stat.state


def send(identity: Identity, number: signal.Signals | int) -> bool:
    """Signal exactly this process; False if it is gone. Raises PermissionError.

    The handle is taken first and the identity checked after that, so that a number which was given
    to another process meanwhile is never signalled.
    """
    if not alive(identity):
        return False
    try:
        handle = os.pidfd_open(int(identity["pid"]))
    except ProcessLookupError:
        return False
    try:
        if not alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Wait until *condition* holds, at most *within_s*; whether it does."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty if it cannot be read."""
    try:
        with Path(f"/proc/{pid}/environ").open("rb") as file:
            data = file.read(_MAX_ENVIRON)
    except OSError:
        return {}
    pairs = (part.partition(b"=") for part in data.split(b"\0") if b"=" in part)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def marked(name: str, value: str, processes: Mapping[int, Stat] | None = None) -> list[Stat]:
    """The processes that have *name* with this *value* in their environment, oldest first."""
    everything = table() if processes is None else processes
    found = [s for s in everything.values() if environment_of(s.pid).get(name) == value]
    return sorted(found, key=lambda s: (s.start_ticks, s.pid))


def has_mapped(pid: int, part: str) -> bool:
    """Whether a file whose name contains *part* is mapped into the process."""
    try:
        with Path(f"/proc/{pid}/maps").open(encoding="utf-8", errors="replace") as lines:
            return any(part in Path(line.rstrip()).name for line in lines)
    except OSError:
        return False


def named_by(pidfile: Path) -> dict[str, Any]:
    """The identity of the process that a pidfile names. Raises `NoEffectError` saying why not.

    A process that was started after the file was written only has the number of the one that is
    meant.
    """
    try:
        with pidfile.open("rb") as file:
            written_s = os.fstat(file.fileno()).st_mtime
            text = file.read(64).split()
    except OSError as error:
        raise NoEffectError(f"the pidfile `{pidfile}` cannot be read: {error.strerror}") from None
    if not text or not text[0].isdigit() or int(text[0]) < 1:
        raise NoEffectError(f"the pidfile `{pidfile}` should hold the number of a process")
    pid = int(text[0])
    try:
        identity = identity_of(pid)
    except ProcessLookupError:
        raise NoEffectError(
            f"the pidfile `{pidfile}` names process {pid}, which does not run; start the service, "
            "or remove the file"
        ) from None
    if started_s(identity) > written_s + _SLACK_S:
        raise NoEffectError(
            f"the pidfile `{pidfile}` is older than the process {pid} that has this number now: "
            "it means another one that is gone; start the service, or remove the file"
        )
    return identity


def started_s(identity: Identity) -> float:
    """When a process of this boot was started, in seconds since the epoch."""
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - up_s + int(identity["start_ticks"]) / _TICKS_A_SECOND


def refuse_untouchable(stats: Iterable[Stat], what: str) -> None:
    """Raise `NoEffectError` if one of the processes must not, or cannot, be signalled."""
    ours = own_line()
    for stat in stats:
        if stat.pid == 1 or stat.pid in ours:
            who = "the first process of this machine" if stat.pid == 1 else "gameday's own"
            raise NoEffectError(f"{what} leads to process {stat.pid}, which is {who}")
        if stat.pid == 2 or stat.ppid == 2:
            raise NoEffectError(f"{what} leads to process {stat.pid}, a part of the kernel")
        try:
            os.kill(stat.pid, 0)
        except PermissionError:
            raise NoEffectError(
                f"{what} leads to process {stat.pid}, which belongs to another user; run gameday "
                "as that user or as root"
            ) from None
        except ProcessLookupError:
            continue
