"""Looking after a server that is not ours: start it, say how it is, end it with its owner.

The part's process stays around the server: the server itself would not notice the end of its
owner, and somebody has to take its data away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gameday.demo.lifeline import in_container, signal_on_owner_death, watch_owner

_START_WITHIN_S = 40.0
_STOP_WITHIN_S = 3.0


class Unusable(Exception):  # noqa: N818
    """The server does not work on this machine. The message says why."""


class _Stop(BaseException):
    """The owner wants the server gone, or is gone itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """How to run a server."""

    argv: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None
    cwd: Path | None = None
    config: bytes = b""  # given on standard input
    death_signal: signal.Signals = signal.SIGKILL  # when this process is killed
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)  # one by one


@contextmanager
def stoppable() -> Iterator[None]:
    """Within: SIGTERM and the owner's death end the block in good order; after: neither does."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Stop

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not in_container():
        signal_on_owner_death(signal.SIGTERM)
    watch_owner(lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    except _Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def serve(
    name: str,
    native: Native,
    ready: Callable[[], bool] = lambda: True,
    announce: Callable[[int], None] = lambda pid: None,
) -> int:
    """Run *native* until it ends or `stoppable` ends it. Returns an exit code: never 0 by itself.

    *ready* is asked until it says yes, then *announce* is told the server's process id.
    """
    try:
        child = _start(native)
    except OSError as error:
        say(f"{name} cannot be started: {error}")
        return 1
    try:
        end = time.monotonic() + _START_WITHIN_S
        while not ready():
            if child.poll() is not None:
                say(f"{name} ended with {child.returncode} before it was ready")
                return 1
            if time.monotonic() > end:
                say(f"{name} was not ready after {_START_WITHIN_S:.0f} s")
                return 1
            time.sleep(0.02)
        announce(child.pid)
        say(f"{name} ended with {child.wait()}")
        return 1
    finally:
        _end(child, native)


def _start(native: Native) -> subprocess.Popen[bytes]:
    # The server runs as a child of this single-threaded-at-heart process: the owner's watch is the
    # only other thread and holds no lock that the hook below could need.
    child = subprocess.Popen(  # noqa: S603 - programs that we looked up ourselves
        native.argv,
        stdin=subprocess.PIPE,
        user=native.uid,
        group=native.gid,
        extra_groups=[] if native.uid is not None else None,
        cwd=native.cwd,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        preexec_fn=lambda: signal_on_owner_death(native.death_signal),  # noqa: PLW1509
    )
    assert child.stdin is not None  # noqa: S101 - asked for above
    try:
        with child.stdin as out:
            out.write(native.config)
    except BrokenPipeError:
        pass  # it ended already, and will be found out
    return child


def _end(child: subprocess.Popen[bytes], native: Native) -> None:
    for number in native.stop_signals:
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            say(f"still there {_STOP_WITHIN_S:.0f} s after {number.name}")


def say(text: str) -> None:
    """A line in the part's log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
