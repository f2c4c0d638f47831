"""One toxic at work on one direction of one connection.

Stubs form a chain `source → stub → … → sink`. Data is pushed along it; a stub hands a chunk on only
when the next one has room, and tells the one before it when it has room again, so a stalled reader
stalls the sender and memory stays bounded. Everything runs on the event loop without tasks, and no
stub ever waits in a way that the control plane would have to wait for: taking a toxic out is a
plain function call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

CHUNK_BYTES = 32 * 1024
"""The largest chunk that enters a chain of toxics."""

EARLY_S = 0.0005
"""A timer that fires this much too early has fired; the loop's clock is not finer."""

_MOVES = 128
"""Chunks that one stub moves before the loop looks at everything else."""

SLACK_S = 0.02
"""Lateness of a timer that a rate makes up for; more than that was a pause of the sender."""

Chunk = tuple[bytes | memoryview, float]
"""Data and the loop time (seconds) at which it arrived, or left the last stub that delays."""


def carry_on(last: float, now: float) -> float:
    """Return from when to count: the time the last one was due, or `now` after a pause."""
    return last if now - last < SLACK_S else now


class Before(Protocol):
    """What stands before a stub."""

    def wake(self) -> None:
        """The next one has room again."""


class After(Protocol):
    """What stands after a stub."""

    def ready(self) -> bool:
        """Say whether there is room for another chunk."""

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        """Take a chunk, whether there is room or not."""

    def finish(self) -> None:
        """No more data will come."""


class Owner(Protocol):
    """The link that a stub works for."""

    loop: asyncio.AbstractEventLoop

    def hard_close(self) -> None:
        """Deliver what is out, then close the whole connection."""

    def reset(self) -> None:
        """Drop everything and reset both sockets."""


class Stub:
    """A stub that passes everything on: `noop`, and every toxic that does not take part."""

    capacity = 1
    """Chunks held before the one before has to wait."""

    __slots__ = ("after", "before", "busy", "done", "eof", "link", "queue", "timer")

    def __init__(self, link: Owner, before: Before, after: After) -> None:
        self.link = link
        self.before = before
        self.after = after
        self.queue: deque[Chunk] = deque()
        self.eof = False
        self.done = False
        self.busy = False
        self.timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to work; called once the stub stands in its chain."""
        self.pump()

    def ready(self) -> bool:
        """Say whether there is room for another chunk."""
        return len(self.queue) < self.capacity

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        """Take a chunk."""
        self.queue.append((data, stamp))
        self.pump()

    def finish(self) -> None:
        """Note that no more data will come."""
        self.eof = True
        self.pump()

    def wake(self) -> None:
        """Go on: the next one has room again."""
        self.pump()

    def pump(self) -> None:
        """Move what can be moved, then let the one before move too."""
        if self.busy or self.done:
            return
        was_full = not self.ready()
        self.busy = True
        moves = 0
        try:
            while not self.done and self.step():
                moves += 1
                if moves == _MOVES:  # let others have their turn
                    self.arm(self.link.loop.time())
                    break
        finally:
            self.busy = False
        if was_full and not self.done and self.ready():
            self.before.wake()

    def step(self) -> bool:
        """Move one chunk; False when there is nothing to move now."""
        if self.queue:
            if not self.after.ready():
                return False
            data, stamp = self.queue.popleft()
            self.after.push(data, stamp)
            return True
        if self.eof:
            self.pass_eof()
        return False

    def pass_eof(self) -> None:
        """Tell the next one that no more data will come, once."""
        self.done = True
        self.stop_timer()
        self.after.finish()

    def arm(self, when: float) -> None:
        """Have `fire` called at loop time `when`, unless it is going to be called already."""
        if self.timer is None:
            self.timer = self.link.loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self.timer = None
        if not self.done:
            self.fire()

    def fire(self) -> None:
        """Go on: the timer that was armed has run out."""
        self.pump()

    def stop_timer(self) -> None:
        """Forget the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def abort(self) -> None:
        """Drop everything."""
        self.done = True
        self.stop_timer()
        self.queue.clear()

    def release(self) -> None:
        """Hand on the chunk that is being held back, now."""
        if self.queue:
            data, stamp = self.queue.popleft()
            self.after.push(data, stamp)

    def retire(self) -> None:
        """Hand on everything, the end of the stream too: this stub leaves the chain."""
        self.stop_timer()
        while self.queue and not self.done:
            self.release()
        if self.eof and not self.done:
            self.pass_eof()
        self.done = True

    def inherit(self, old: Stub) -> None:
        """Take over from the stub of the same toxic before an update."""
        self.queue = old.queue
        self.eof = old.eof

    def remove(self) -> None:
        """Leave the chain because the toxic was taken out."""
        self.retire()

    def replaceable(self) -> bool:
        """Say whether an update of the toxic reaches this stub."""
        return True
