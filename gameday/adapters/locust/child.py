"""A child process of the load: started in a session of its own, and buried with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

LOG = "output.log"
#: The most that is kept of what the child prints, in bytes.
MAX_LOG = 1_000_000
_TAIL_LINES = 6


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: without `LOCUST_…`, which would change the load silently."""
    return {k: v for k, v in base.items() if not k.startswith(("LOCUST_", "GAMEDAY_LOAD_"))}


class Child:
    """One process. The kernel ends it with the *thread* that started it, if it asks for that."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.log = Log(directory / LOG)
        self.exit_code: int | None = None

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start it, with *variables* added to the environment. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process = subprocess.Popen(  # noqa: S603 - a command of ours
            command,
            cwd=self._directory,
            env={**environment(os.environ), **variables, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self.log.drain(self._process.stdout)

    @property
    def pid(self) -> int | None:
        """Its process id; None before it was started."""
        return None if self._process is None else self._process.pid

    def exited(self) -> bool:
        """Whether it has ended, without reaping it."""
        if self._process is None or self._process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def code_within(self, within_s: float) -> int | None:
        """Its exit code as soon as it has ended, at the latest after *within_s*; else None."""
        if self._process is None:
            return None
        deadline = time.monotonic() + within_s
        while not self.exited() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._process.returncode is not None:
            return self._process.returncode
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._process.pid, flags)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self._process is not None and not self.exited():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def kill_group(self) -> None:
        """End it and all that it started, at once."""
        if self._process is not None and self._process.returncode is None:
            # the group outlives its leader; the leader is not reaped yet: the number is still ours
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """End what is left of it, and keep how it ended."""
        if self._process is None:
            return
        self.kill_group()
        self.exit_code = self._process.wait()
        self.log.close()


def see_off(children: Sequence[Child], patience_s: float) -> None:
    """Wait for the children to go by themselves; then ask, then insist."""
    for number, wait_s in ((None, patience_s), (signal.SIGINT, 1.0), (signal.SIGTERM, 1.0)):
        left = [child for child in children if not child.exited()]
        if not left:
            break
        if number is not None:
            for child in left:
                child.signal(number)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and not all(child.exited() for child in left):
            time.sleep(0.02)
    for child in children:
        child.bury()


class Log:
    """What the child prints: the beginning in a file, the end for messages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: threading.Thread | None = None
        self._stream: IO[bytes] | None = None
        self._end = b""

    def drain(self, stream: IO[bytes]) -> None:
        """Keep reading *stream*, so that the child never blocks on printing."""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, name="gameday-load-log", daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """The last lines, ready to be appended to a message."""
        lines = self._end.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines)

    def close(self) -> None:
        """Wait for the end of the stream; call it when the child has ended."""
        if self._thread is not None:
            self._thread.join(2)
        if self._stream is not None and self._thread is not None and not self._thread.is_alive():
            self._stream.close()

    def _read(self) -> None:
        stream, written = self._stream, 0
        if stream is None:
            return
        with self._path.open("wb") as file:
            while part := os.read(stream.fileno(), 1 << 16):
                self._end = (self._end + part)[-4096:]
                if written < MAX_LOG:
                    file.write(part[: MAX_LOG - written])
                    file.flush()
                    written += len(part)


def said_code(code: int | None) -> str:
    """How it ended, ready to be appended to `ended`."""
    if code is None:
        return ""
    return f" by signal {-code}" if code < 0 else f" with exit code {code}"
