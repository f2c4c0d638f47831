"""One rate for all connections of a proxy: they take turns, a piece of at most 20 ms each."""

from __future__ import annotations

import asyncio
from collections import deque

from gameday.proxy.stub import CHUNK_BYTES, EARLY_S, After, Before, Owner, Stub, carry_on

_TURN_MS = 20
_MOVES = 128


class Pipe:
    """Carries pieces one after the other, `rate` bytes a millisecond, and takes from each in turn.

    A connection that has nothing to send, or whose reader has no room, loses its turn and no more.
    """

    __slots__ = ("_busy", "_due", "_free_at", "_loop", "_now_served", "_size", "_timer", "_turns",
                 "rate")  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, rate: int = 1) -> None:
        self.rate = rate
        self._loop = loop
        self._turns: deque[PipeStub] = deque()
        self._now_served: PipeStub | None = None
        self._size = 0
        self._due = 0.0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False

    def ask(self, stub: PipeStub) -> None:
        """Give `stub` a turn, behind all that wait."""
        if not stub.asked:
            stub.asked = True
            self._turns.append(stub)
            self._go()

    def _go(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            moves = 0
            while (self._now_served is not None or self._turns) and self._move():
                moves += 1
                if moves == _MOVES:  # let others have their turn
                    self._arm(self._loop.time())
                    return
        finally:
            self._busy = False

    def _move(self) -> bool:
        """Begin a piece, or end the one under way; False when it is not due."""
        now = self._loop.time()
        if self._now_served is None:
            stub = self._turns.popleft()
            self._size = stub.offer(min(self.rate * _TURN_MS, CHUNK_BYTES))
            if not self._size:
                stub.asked = False
                return True
            self._now_served = stub
            self._due = carry_on(self._free_at, now) + self._size / (self.rate * 1000)
        if self._due > now + EARLY_S:
            self._arm(self._due)
            return False
        stub, self._now_served = self._now_served, None
        self._free_at = self._due
        stub.asked = False
        stub.send(self._size)
        return True

    def _arm(self, when: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._go()


class PipeStub(Stub):
    """One direction of one connection that shares a pipe."""

    capacity = 2
    __slots__ = ("asked", "offset", "pipe")

    def __init__(self, link: Owner, before: Before, after: After, pipe: Pipe) -> None:
        super().__init__(link, before, after)
        self.pipe = pipe
        self.asked = False
        self.offset = 0

    def step(self) -> bool:
        """Ask for a turn; data moves only then."""
        if self.queue:
            if self.after.ready():
                self.pipe.ask(self)
        elif self.eof:
            self.pass_eof()
        return False

    def offer(self, most: int) -> int:
        """Return how many bytes can go now, at most `most`."""
        if self.done or not self.queue or not self.after.ready():
            return 0
        return min(most, len(self.queue[0][0]) - self.offset)

    def send(self, size: int) -> None:
        """Hand on `size` bytes of the head."""
        if self.done or not self.queue:
            return
        was_full = not self.ready()
        data, stamp = self.queue[0]
        begin, self.offset = self.offset, self.offset + size
        if self.offset >= len(data):
            self.queue.popleft()
            self.offset = 0
        self.after.push(memoryview(data)[begin : begin + size], stamp)
        if was_full and not self.done and self.ready():
            self.before.wake()
        self.pump()

    def release(self) -> None:
        """Hand on the rest of the head now."""
        if self.queue:
            data, stamp = self.queue.popleft()
            rest, self.offset = memoryview(data)[self.offset :], 0
            self.after.push(rest, stamp)
