"""Child processes that end in time, whatever they do.

One hangs, one ignores SIGTERM, one never stops talking, one has a child that keeps the pipe open.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
#: What is kept of each stream: its end.
KEPT_BYTES = 1024 * 1024
#: What a program gets between SIGTERM and SIGKILL.
GRACE_S = 0.3
_TICK_S = 0.02
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended. `code` is None if it was killed at the limit or never started.

    `refused` says why it was not started; it is certain then that nothing ran. `cut` is set when
    the beginning of the output was thrown away.
    """

    code: int | None = None
    out: bytes = b""
    err: bytes = b""
    cut: bool = False
    refused: str = ""


def _never() -> bool:
    return False


def run_program(
    program: str,
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
    cancelled: Callable[[], bool] = _never,
    whole: bool = False,
) -> Ended:
    """Run *program* (a path) as *words* under the guard, for at most *within_s* and a moment.

    No shell, standard input empty, a process group of its own that is killed whole at the limit, or
    as soon as it is *cancelled*, which is asked many times a second. With *whole* it is killed too
    when the program has ended, so that nothing that it left in the background goes on.
    """
    told, tell = os.pipe()
    try:
        argv = [sys.executable, "-I", "-S", str(GUARD), str(tell), program, *words]
        ended = _run(
            argv,
            env=env,
            cwd=cwd,
            within_s=within_s,
            pass_fds=(tell,),
            cancelled=cancelled,
            whole=whole,
        )
        os.close(tell)
        tell = -1
        os.set_blocking(told, False)
        with suppress(BlockingIOError):
            number = os.read(told, 16)
            if number:
                return Ended(refused=os.strerror(int(number)).lower())
        return ended
    finally:
        os.close(told)
        if tell >= 0:
            os.close(tell)


def run_python(
    script: Path, request: bytes, *, env: Mapping[str, str], cwd: Path, within_s: float
) -> Ended:
    """Run one of our own scripts with *request* on its standard input, which is its lifeline."""
    argv = [sys.executable, "-P", str(script)]
    return _run(argv, env=env, cwd=cwd, within_s=within_s, request=request)


@dataclass(slots=True)
class _Stream:
    """The end of what was read from a pipe."""

    data: bytearray = field(default_factory=bytearray)
    cut: bool = False

    def take(self, part: bytes) -> None:
        self.data += part
        if len(self.data) > 2 * KEPT_BYTES:
            self.trim()

    def trim(self) -> bytes:
        if len(self.data) > KEPT_BYTES:
            del self.data[:-KEPT_BYTES]
            self.cut = True
        return bytes(self.data)


def _run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
    request: bytes = b"",
    pass_fds: tuple[int, ...] = (),
    cancelled: Callable[[], bool] = _never,
    whole: bool = False,
) -> Ended:
    deadline = time.monotonic() + within_s
    try:
        child = subprocess.Popen(  # noqa: S603 - no shell; what may run is checked by the caller
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    except (OSError, ValueError) as error:
        return Ended(refused=(getattr(error, "strerror", None) or str(error)).lower())
    over = False
    try:
        talk = _Talk(child, request)
        over = talk.follow(deadline, cancelled, whole=whole)
    finally:
        if not over:
            _end(child)
        _close(child)
    out, err = talk.out.trim(), talk.err.trim()
    code = child.returncode if over else None
    return Ended(code=code, out=out, err=err, cut=talk.out.cut or talk.err.cut)


class _Talk:
    """What goes in and out of a child."""

    def __init__(self, child: subprocess.Popen[bytes], request: bytes) -> None:
        self.out, self.err = _Stream(), _Stream()
        self._child, self._left = child, memoryview(request)
        self._inward = _fd(child.stdin)
        self._outward = {_fd(child.stdout): self.out, _fd(child.stderr): self.err}
        for fd in (self._inward, *self._outward):
            os.set_blocking(fd, False)

    def follow(self, deadline: float, cancelled: Callable[[], bool], *, whole: bool) -> bool:
        """Talk and listen until the child ends (True) or the time is over (False)."""
        with selectors.DefaultSelector() as selector:
            for fd in self._outward:
                selector.register(fd, selectors.EVENT_READ)
            if self._left:
                selector.register(self._inward, selectors.EVENT_WRITE)
            while not _exited(self._child):
                now = time.monotonic()
                if now >= deadline or cancelled():
                    return False
                for key, _ in selector.select(min(_TICK_S, deadline - now)):
                    if not self._move(key.fd):
                        selector.unregister(key.fd)
        if whole:  # its leader is not reaped yet, so the group is still ours
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
        for fd, stream in self._outward.items():
            _empty(fd, stream)
        self._child.wait()
        return True

    def _move(self, fd: int) -> bool:
        """Move a piece; whether there can be more."""
        if fd != self._inward:
            return _read(fd, self._outward[fd]) != 0
        self._left = self._left[_write(fd, self._left) :]
        return bool(self._left)


def _fd(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise RuntimeError("a child without pipes")
    return pipe.fileno()


def _exited(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. It is not reaped yet: its process group must not become another's."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _write(fd: int, data: memoryview) -> int:
    """How much could be written; all of it where nobody reads any more."""
    try:
        return os.write(fd, data[:_CHUNK])
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)


def _read(fd: int, stream: _Stream) -> int:
    """How much could be read; 0 at the end, -1 when nothing is there now."""
    try:
        part = os.read(fd, _CHUNK)
    except BlockingIOError:
        return -1
    stream.take(part)
    return len(part)


def _empty(fd: int, stream: _Stream) -> None:
    """What is in the pipe now. A grandchild may hold it open, and may go on writing."""
    for _ in range(2 * KEPT_BYTES // _CHUNK):
        if _read(fd, stream) <= 0:
            return


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the whole group: asked first, then made to."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while not _exited(child) and time.monotonic() < deadline:
        time.sleep(_TICK_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # stuck in the kernel: nobody can end it now
        child.wait(1.0)


def _close(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
