"""Watching a runner: whether it is there, gives signs of life, and ends as it should."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gameday.processes import stopped

BEAT = b"."
DONE = b"D"
_POLL_S = 0.2
#: A runner that is silent but not stopped may only be short of processor time.
_HUNG_FACTOR = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to watch: the reading end of the pipe, the runner, and how long it may be silent."""

    pipe: int
    runner: Mapping[str, Any]
    runner_fd: int | None  # a pidfd; None if the runner was gone already
    deadline_s: float

    def until_over(self) -> str | None:
        """Block until the runner is over; why to take over, or None after a clean end."""
        if self.runner_fd is None:
            return self._last_words("the runner was gone before the watch began")
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        poll.register(self.runner_fd, select.POLLIN)
        heard = time.monotonic()
        while True:
            before = time.monotonic()
            ready = {fd for fd, _ in poll.poll(_POLL_S * 1000)}
            now = time.monotonic()
            if now - before > 1.0 + _POLL_S:
                heard = now  # this process did not run either: the machine was paused
            if self.pipe in ready:
                said = os.read(self.pipe, 65536)
                if DONE in said:
                    return None
                if not said:
                    return "the runner is gone"
                heard = now
            elif self.runner_fd in ready:
                return self._last_words("the runner is gone")
            if why := self._silence(now - heard):
                return why

    def _silence(self, silent_s: float) -> str | None:
        if silent_s > self.deadline_s and stopped(int(self.runner["pid"])):
            return f"the runner is stopped and was silent for {silent_s:.1f} s"
        if silent_s > self.deadline_s * _HUNG_FACTOR:
            return f"the runner gave no sign of life for {silent_s:.1f} s"
        return None

    def _last_words(self, why: str) -> str | None:
        os.set_blocking(self.pipe, False)
        try:
            return None if DONE in os.read(self.pipe, 65536) else why
        except BlockingIOError:
            return why

    def make_sure_it_is_gone(self, *, within_s: float = 5.0) -> bool:
        """SIGKILL the runner, so that it cannot go on in the middle of an inject."""
        if self.runner_fd is None:
            return True
        try:
            signal.pidfd_send_signal(self.runner_fd, signal.SIGKILL)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # it may not be signalled; whether it goes is seen below
        poll = select.poll()
        poll.register(self.runner_fd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))
