"""The toxics, each as a stub; `docs/proxy.md` says what they mean."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping

from gameday.proxy.stub import EARLY_S, After, Before, Owner, Stub, carry_on
from gameday.proxy.toxic import Toxic, Values

_MAX_LOSSES = 15
"""A chunk is lost no more often in a row; TCP gives a connection up after about as many."""


class Latency(Stub):
    """Each chunk leaves `latency ± jitter` ms after it arrived, in order."""

    capacity = 1024
    __slots__ = ("due", "jitter_s", "latency_s", "rng")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        self.latency_s: float = attributes["latency"] / 1000
        self.jitter_s: float = attributes["jitter"] / 1000
        self.rng = random.Random(lot) if self.jitter_s > 0 else None  # noqa: S311 -- repeatable
        self.due: float | None = None

    def step(self) -> bool:
        """Move the head if it is due."""
        if not self.queue:
            if self.eof:
                self.pass_eof()
            return False
        if self.due is None:
            self.due = self.queue[0][1] + self._delay_s()
        if self.due > self.link.loop.time() + EARLY_S:
            self.arm(self.due)
            return False
        if not self.after.ready():
            return False
        due, self.due = self.due, None
        data, stamp = self.queue.popleft()
        self.after.push(data, max(due, stamp))
        return True

    def _delay_s(self) -> float:
        if self.rng is None:
            return self.latency_s
        return self.latency_s + self.jitter_s * (2 * self.rng.random() - 1)


class Bandwidth(Stub):
    """At most `rate` KB (1000 bytes) a second, in pieces of 100 ms; rate 0 stalls."""

    capacity = 2
    __slots__ = ("due", "free_at", "offset", "piece", "rate")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        del lot
        self.rate = attributes["rate"]
        self.offset = 0
        self.piece = 0
        self.due: float | None = None
        self.free_at = 0.0

    def step(self) -> bool:
        """Move the next piece of the head if its time has come."""
        if not self.queue:
            if self.eof:
                self.pass_eof()
            return False
        if self.rate <= 0:
            return False
        data, stamp = self.queue[0]
        now = self.link.loop.time()
        if self.due is None:
            start = carry_on(self.free_at, now)
            self.piece = min(len(data) - self.offset, self.rate * 100)
            self.due = start + self.piece / (self.rate * 1000)
        if self.due > now + EARLY_S:
            self.arm(self.due)
            return False
        if not self.after.ready():
            return False
        self.free_at, self.due = self.due, None
        begin, self.offset = self.offset, self.offset + self.piece
        if self.offset >= len(data):
            self.queue.popleft()
            self.offset = 0
        self.after.push(memoryview(data)[begin : begin + self.piece], stamp)
        return True

    def release(self) -> None:
        """Hand on the rest of the head now."""
        if self.queue:
            data, stamp = self.queue.popleft()
            rest, self.offset = memoryview(data)[self.offset :], 0
            self.after.push(rest, stamp)


class SlowClose(Stub):
    """Data passes; the end of the stream passes `delay` ms later."""

    __slots__ = ("delay_s", "waited")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        del lot
        self.delay_s = max(attributes["delay"], 0) / 1000
        self.waited = False

    def pass_eof(self) -> None:
        """Wait first, then tell the next one."""
        if self.waited or self.delay_s <= 0:
            super().pass_eof()
        else:
            self.arm(self.link.loop.time() + self.delay_s)

    def fire(self) -> None:
        """Let the end of the stream pass."""
        self.waited = True
        self.pump()

    def retire(self) -> None:
        """Leave the chain; an end of the stream that was waiting passes at once."""
        self.waited = True
        super().retire()


class Timeout(Stub):
    """Nothing passes; after `timeout` ms without data the connection is closed (0: never)."""

    __slots__ = ("deadline", "timeout_s")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        del lot
        self.timeout_s = attributes["timeout"] / 1000
        self.deadline = 0.0

    def start(self) -> None:
        """Start to count the silence."""
        self.queue.clear()
        if self.timeout_s > 0:
            self.deadline = self.link.loop.time() + self.timeout_s
            self.arm(self.deadline)
        self.pump()

    def ready(self) -> bool:
        """Always take data: it is dropped."""
        return True

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        """Drop the data and count the silence anew."""
        del data, stamp
        self.deadline = self.link.loop.time() + self.timeout_s

    def fire(self) -> None:
        """Close the connection if it was silent for long enough."""
        if self.deadline > self.link.loop.time() + EARLY_S:
            self.arm(self.deadline)
        else:
            self.link.hard_close()

    def remove(self) -> None:
        """Close the connection: data of it is lost."""
        self.link.hard_close()


class ResetPeer(Stub):
    """On the first data, or the end of the stream, wait `timeout` ms and reset both sides."""

    __slots__ = ("timeout_s", "touched")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        del lot
        self.timeout_s = max(attributes["timeout"], 0) / 1000
        self.touched = False

    def ready(self) -> bool:
        """Take the first data only."""
        return not self.touched and super().ready()

    def step(self) -> bool:
        """Drop the data; the first starts the wait, and so does the end of the stream."""
        if not self.touched and (self.queue or self.eof):
            self.touched = True
            if self.timeout_s <= 0:
                self.link.reset()
            else:
                self.arm(self.link.loop.time() + self.timeout_s)
        self.queue.clear()
        return False

    def fire(self) -> None:
        """Reset both sides."""
        self.link.reset()

    def remove(self) -> None:
        """Reset now if the wait has begun: data of the connection is lost."""
        if self.touched:
            self.link.reset()
        else:
            super().remove()

    def replaceable(self) -> bool:
        """Let a wait that has begun end as it would have."""
        return not self.touched


class Slicer(Stub):
    """Chunks are cut into slices of about `average_size` bytes, `delay` µs after each."""

    __slots__ = ("average", "cuts", "delay_s", "next_at", "offset", "rng", "variation")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        self.average = attributes["average_size"]
        self.variation = attributes["size_variation"]
        self.delay_s = max(attributes["delay"], 0) / 1_000_000
        self.rng = random.Random(lot)  # noqa: S311 -- repeatable, not secret
        self.cuts: deque[int] = deque()
        self.offset = 0
        self.next_at = 0.0

    def step(self) -> bool:
        """Move the next slice if its time has come."""
        if not self.queue:
            if self.eof and not self._waits():
                self.pass_eof()
            return False
        if self._waits() or not self.after.ready():
            return False
        data, stamp = self.queue[0]
        if not self.cuts:
            self._cut(len(data))
        begin, end = self.offset, self.cuts.popleft()
        self.offset = end
        if not self.cuts:
            self.queue.popleft()
            self.offset = 0
        if self.delay_s > 0:
            now = self.link.loop.time()
            self.next_at = carry_on(self.next_at, now) + self.delay_s
        self.after.push(memoryview(data)[begin:end], stamp)
        return True

    def _waits(self) -> bool:
        if self.next_at <= self.link.loop.time() + EARLY_S:
            return False
        self.arm(self.next_at)
        return True

    def _cut(self, size: int) -> None:
        """Put the ends of the slices of a chunk of `size` bytes into `cuts`, halving it."""
        parts = [(0, size)]
        while parts:
            begin, end = parts.pop()
            if end - begin - self.average <= self.variation:
                self.cuts.append(end)
                continue
            middle = begin + (end - begin) // 2
            if self.variation > 0:
                middle += self.rng.randrange(-self.variation, self.variation)
                middle = min(max(middle, begin + 1), end - 1)
            parts.append((middle, end))
            parts.append((begin, middle))

    def release(self) -> None:
        """Hand on the rest of the head now, in one piece."""
        if self.queue:
            data, stamp = self.queue.popleft()
            rest, self.offset = memoryview(data)[self.offset :], 0
            self.cuts.clear()
            self.after.push(rest, stamp)


class LimitData(Stub):
    """`bytes` bytes pass, counted since the toxic was added; then the connection is closed."""

    __slots__ = ("limit", "passed")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        del lot
        self.limit = attributes["bytes"]
        self.passed = 0

    def step(self) -> bool:
        """Move the head, or what may still pass of it."""
        if not self.queue:
            if self.eof:
                self.pass_eof()
            return False
        if not self.after.ready():
            return False
        data, stamp = self.queue.popleft()
        allowed = memoryview(data)[: max(self.limit - self.passed, 0)]
        self.passed += len(allowed)
        if allowed:
            self.after.push(allowed, stamp)
        if self.passed >= self.limit:
            self.link.hard_close()
        return True

    def inherit(self, old: Stub) -> None:
        """Go on counting where the stub before the update was."""
        super().inherit(old)
        if isinstance(old, LimitData):
            self.passed = old.passed


class Stall(Stub):
    """A share of the chunks waits as lost packets do, and what is behind them waits too.

    A chunk is lost with probability `loss` and then waits `pause` ms; each time it is lost again it
    waits twice as long as before, at most `longest` ms, and not more than 15 times.
    """

    capacity = 64
    __slots__ = ("due", "longest_s", "loss", "pause_s", "rng")

    def __init__(
        self, link: Owner, before: Before, after: After, attributes: Values, lot: int
    ) -> None:
        super().__init__(link, before, after)
        self.loss = float(attributes["loss"])
        self.pause_s = int(attributes["pause"]) / 1000
        self.longest_s = int(attributes["longest"]) / 1000
        self.rng = random.Random(lot)  # noqa: S311 -- repeatable, not secret
        self.due: float | None = None

    def step(self) -> bool:
        """Move the head if it is not waiting."""
        if not self.queue:
            if self.eof:
                self.pass_eof()
            return False
        data, stamp = self.queue[0]
        if self.due is None:
            self.due = stamp + self._wait_s()
        if self.due > self.link.loop.time() + EARLY_S:
            self.arm(self.due)
            return False
        if not self.after.ready():
            return False
        due, self.due = self.due, None
        self.queue.popleft()
        self.after.push(data, max(due, stamp))
        return True

    def _wait_s(self) -> float:
        total, pause_s = 0.0, min(self.pause_s, self.longest_s)
        for _ in range(_MAX_LOSSES):
            if self.rng.random() >= self.loss:
                break
            total += pause_s
            pause_s = min(2 * pause_s, self.longest_s)
        return total


Maker = Callable[[Owner, Before, After, Values, int], Stub]

_MAKERS: Mapping[str, Maker] = {
    "bandwidth": Bandwidth,
    "latency": Latency,
    "limit_data": LimitData,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "slow_close": SlowClose,
    "stall": Stall,
    "timeout": Timeout,
}


def make_stub(toxic: Toxic, link: Owner, before: Before, after: After, draw: int) -> Stub:
    """Return the stub that does what `toxic` says; `draw` seeds what is random about it."""
    maker = _MAKERS.get(toxic.type)
    if maker is None:
        return Stub(link, before, after)
    return maker(link, before, after, toxic.attributes, draw)
