"""Real processes, a real TLS endpoint and a real libfaketime for the faults on this host."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gameday.adapters.host.clock import ClockFault
from gameday.adapters.host.lease import HostLease
from gameday.adapters.host.process import ProcessFault
from gameday.adapters.host.started import HostTarget
from gameday.model.project import ProcessRef, Target
from gameday.model.scenario import ActionSpec, FaultSpec

RUN = "run-1"
#: A parent that forks workers, and says when they are all there.
FORKING = """
    import os, sys, time
    kids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            if os.fork() == 0:
                time.sleep(120); os._exit(0)
            time.sleep(120); os._exit(0)
        kids.append(pid)
    print("ready", flush=True)
    time.sleep(120)
"""
#: A service that writes its pidfile (argument 1) and goes on by itself for at most two minutes.
SERVICE = """
    import os, sys, time
    path = sys.argv[1]
    with open(path + ".new", "w") as file: file.write(str(os.getpid()))
    os.replace(path + ".new", path)
    time.sleep(120)
"""


def action(family: str, kind: str, fault: str = "f", **options: Any) -> FaultSpec:
    return FaultSpec(
        id=fault, target="t", action=ActionSpec(family=family, type=kind, options=options)
    )


STOP = action("process", "stop")
KILL = action("process", "kill")


def wait(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)


def state(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "-"
    return text.rpartition(")")[2].split()[0]


def awake(*pids: int) -> bool:
    """Whether all of them run, and none is stopped."""
    return all(state(pid) in "RSD" for pid in pids)


def children(pid: int) -> list[int]:
    """All descendants of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            if int(text.rpartition(")")[2].split()[1]) == pid:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def running(pid: int) -> bool:
    return state(pid) not in "-ZX"


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no new file can be made: not by our own code, and not by `open`."""
    real, really = os.open, Path.open

    def full(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, flags, *rest, **more)

    def full_too(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if mode[0] in "wax" and not self.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return really(self, mode, *rest, **more)

    monkeypatch.setattr(os, "open", full)
    monkeypatch.setattr(Path, "open", full_too)


@dataclass(slots=True)
class Host:
    """A project's folder, and the processes that have to go with the test."""

    directory: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def pidfile(self) -> Path:
        return self.directory / "service.pid"

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(textwrap.dedent(text))
        return path

    def spawn(self, *command: str, **how: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=self.directory, start_new_session=True, **how
        )
        self.started.append(process)
        return process

    def sleeper(self) -> subprocess.Popen[bytes]:
        """A process that is named by the pidfile."""
        process = self.spawn("sleep", "120")
        self.name(process.pid)
        return process

    def forking(self) -> subprocess.Popen[bytes]:
        process = self.spawn(sys.executable, "-c", textwrap.dedent(FORKING))
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        wait(lambda: len(children(process.pid)) == 4)  # the grandchildren say nothing
        self.name(process.pid)
        return process

    def name(self, pid: int) -> None:
        """Write the pidfile as a service does: whole."""
        new = self.directory / "service.pid.new"
        new.write_text(f"{pid}\n")
        new.replace(self.pidfile)

    def named(self) -> int:
        return int(self.pidfile.read_text())

    def target(self, **process: Any) -> Target:
        process.setdefault("pidfile", "service.pid")
        process.setdefault("restart", (sys.executable, "service.py", "service.pid"))
        return Target(name="t", process=ProcessRef(**process))

    def fault(
        self, spec: FaultSpec, target: Target | None = None, *, run: str = RUN
    ) -> ProcessFault:
        self.write("service.py", SERVICE)
        return ProcessFault(
            self.directory, run, target or self.target(), spec, commands=(sys.executable,)
        )

    def opener(self, target: Target, *, run: str = RUN) -> HostTarget:
        return HostTarget(self.directory, run, target, commands=(sys.executable, "sleep"))

    def clock(self, spec: FaultSpec, target: Target) -> ClockFault:
        return ClockFault(self.directory, RUN, target, spec)

    def lease(self, target: Target | None = None, *, run: str = RUN, **more: Any) -> HostLease:
        return HostLease(self.directory, run, target or self.target(), **more)

    def notes(self) -> list[str]:
        folder = self.directory / ".gameday" / "host"
        return sorted(p.name for p in folder.glob("*.json"))

    def ours(self) -> list[int]:
        """All that runs in the project with the mark of the run's target."""
        mark = f"\0GAMEDAY_RUN={RUN}/t@".encode()
        found = []
        for pid in self._left():
            with suppress(OSError):
                if mark in b"\0" + Path(f"/proc/{pid}/environ").read_bytes() and running(pid):
                    found.append(pid)
        return found

    def clean(self) -> None:
        """End what the test started, and what was started again in its folder."""
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _left(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.directory:
                    yield int(entry.name)


@contextmanager
def hosting(directory: Path) -> Iterator[Host]:
    host = Host(directory.resolve())
    try:
        yield host
    finally:
        host.clean()


def elsewhere(undo: Any, program: str, directory: Path) -> None:
    """Run *program* (with `u`, the record, and `r`, its undoer) in another process."""
    record = directory / "undo.json"
    record.write_text(json.dumps(undo))
    code = (
        "import json, sys; from gameday import registry;"
        "u = json.load(open(sys.argv[1])); r = registry.undoer(u['kind']);" + program
    )
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code, str(record)]
    subprocess.run(command, check=True, timeout=30)


def files_below(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}
