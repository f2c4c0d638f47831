"""The sentinel: a process of its own that takes the faults out when the runner is gone.

It is started before the first inject, in a session of its own, so that nothing that ends the runner
ends it. It watches a pipe that nobody else holds, the runner's process, and its heartbeat. This
module is the runner's side; `python -m gameday.sentinel` is the other.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gameday.errors import GamedayError
from gameday.processes import own_identity
from gameday.sentinel import owner
from gameday.sentinel.terminal import Drawn
from gameday.sentinel.watch import BEAT, DONE

READY_S = 30.0
LOG = "sentinel.log"


class SentinelError(GamedayError):
    """The sentinel cannot be started; then nothing may be injected."""


class SentinelHandle:
    """The runner's side of a sentinel. Use it from one thread, or lock around it."""

    def __init__(self, pid: int, pid_fd: int, pipe: int) -> None:
        self.pid = pid
        self._pid_fd, self._pipe = pid_fd, pipe

    def beat(self) -> bool:
        """Give a sign of life; False if the sentinel is gone. Never blocks."""
        if self._pipe < 0:
            return False
        try:
            os.write(self._pipe, BEAT)
        except BlockingIOError:
            return True  # it has not read for a while, but it is there
        except OSError:
            return False
        return True

    def alive(self) -> bool:
        """Whether the sentinel's process is there."""
        return self._pid_fd >= 0 and not _ended(self._pid_fd, 0.0)

    def done(self, *, wait_s: float = 5.0) -> bool:
        """Say that the run has ended and its journal is closed; whether the sentinel has ended.

        If the journal still shows debts the sentinel stays, and goes on trying to pay them. Call
        this after the last line of the journal. Idempotent.
        """
        if self._pipe >= 0:
            try:
                os.write(self._pipe, DONE)
            except OSError:
                pass  # full or gone: the end of the pipe says the same
            finally:
                os.close(self._pipe)
                self._pipe = -1
        if self._pid_fd < 0:
            return True
        ended = _ended(self._pid_fd, wait_s)
        os.close(self._pid_fd)
        self._pid_fd = -1
        return ended


def start(
    run_dir: Path,
    *,
    heartbeat_s: float = 1.0,
    deadline_s: float | None = None,
    call_ms: int = owner.CALL_MS,
    keep_fds: Sequence[int] = (),
    drawn: Drawn | None = None,
) -> SentinelHandle:
    """Start the sentinel of a run; returns when it watches. Raises `SentinelError`.

    From now on `beat()` has to be called every *heartbeat_s*: a runner that is stopped (SIGSTOP)
    and silent for *deadline_s* (2.5 heartbeats unless given) is killed and its debts are paid; one
    that only is silent has six times as long. *call_ms* is the engine's limit of a call.
    *keep_fds* are descriptors that the sentinel holds open for as long as it lives (of a server
    started for the run). *drawn* is the terminal that it puts back when the runner is killed.
    """
    deadline_s = 2.5 * heartbeat_s if deadline_s is None else deadline_s
    if owner.read(run_dir).runner is None:
        owner.claim(run_dir, call_ms=call_ms)
    life_r, life_w = os.pipe()
    ready_r, ready_w = os.pipe()
    command = [
        sys.executable, "-m", "gameday.sentinel", str(run_dir.resolve()),
        "--pipe", str(life_r), "--ready", str(ready_w),
        "--runner", json.dumps(own_identity()), "--deadline-s", str(deadline_s),
    ]  # fmt: skip
    fds = [life_r, ready_w, *keep_fds]
    if drawn is not None:
        fds += [drawn.terminal, drawn.note]
        command += ["--terminal", str(drawn.terminal), "--drawn", str(drawn.note)]
    try:
        try:
            _spawn(command, run_dir / LOG, tuple(fds))
        finally:
            os.close(life_r)
            os.close(ready_w)
        pid = _pid_from(ready_r, run_dir / LOG)
        pid_fd = os.pidfd_open(pid)
    except (OSError, subprocess.SubprocessError, SentinelError) as error:
        os.close(life_w)
        raise SentinelError(f"the sentinel cannot be started: {error}") from error
    finally:
        os.close(ready_r)
    os.set_blocking(life_w, False)
    return SentinelHandle(pid, pid_fd, life_w)


def _spawn(command: list[str], log: Path, fds: tuple[int, ...]) -> None:
    """Start it and wait for the first of its two forks, so that it is nobody's child."""
    with log.open("ab") as output:
        first = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=fds,
        )
    try:
        first.wait(READY_S)
    except subprocess.TimeoutExpired:
        first.kill()
        first.wait()
        raise


def _pid_from(fd: int, log: Path) -> int:
    deadline, line = time.monotonic() + READY_S, b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        ready, _, _ = select.select([fd], [], [], max(0.0, left))
        part = os.read(fd, 4096) if ready else b""
        if not part:
            raise SentinelError(f"it did not become ready; its words are in `{log}`")
        line += part
    return int(json.loads(line)["pid"])


def _ended(pid_fd: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(pid_fd, select.POLLIN)
    return bool(poll.poll(within_s * 1000))
