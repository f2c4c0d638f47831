"""What keeps one failing dependency from taking the shop along. Pure; the clock is handed in."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Generic, TypeVar

Clock = Callable[[], float]
T = TypeVar("T")


def chance(low: float = 0.0, high: float = 1.0) -> float:
    """A number between the two: for jitter, never for secrets."""
    return random.uniform(low, high)  # noqa: S311


class Overloaded(Exception):  # noqa: N818 - it is a state, and the answer to it is 503
    """More work is under way than this process takes on."""


class CallResult(StrEnum):
    """How one call to a dependency ended, as the breaker sees it."""

    OK = "ok"
    SLOW = "timeout"
    ERROR = "error"


class BreakerState(StrEnum):
    """How much a breaker lets through: everything, a share, or a probe now and then."""

    CLOSED = "closed"
    LIMITED = "limited"
    OPEN = "open"


class Breaker:
    """A circuit breaker that treats slow and broken differently.

    Broken (refused, reset, 5xx): nothing is gained by trying, so it opens and lets one probe
    through each `probe_every_s`. Slow (timeouts): a call may still succeed, and a call not made is
    revenue put off, so it only limits: one call in `limited_one_in` goes through. Both ways the
    dependency's state stays visible in the metrics, which a breaker that lets nothing through
    would hide from the alerts. It closes after `close_after` good calls in a row.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        window_s: float = 5.0,
        min_calls: int = 5,
        trip_share: float = 0.5,
        limited_one_in: int = 4,
        probe_every_s: float = 1.0,
        close_after: int = 3,
    ) -> None:
        self.state = BreakerState.CLOSED
        self._clock = clock
        self._window_s, self._min_calls, self._trip_share = window_s, min_calls, trip_share
        self._one_in, self._probe_every_s = limited_one_in, probe_every_s
        self._close_after = close_after
        self._recent: deque[tuple[float, CallResult]] = deque(maxlen=200)
        self._turn = 0
        self._next_probe = 0.0
        self._good_in_a_row = 0
        self._errors_in_a_row = 0

    def allow(self) -> bool:
        """Whether the next call may be made."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.LIMITED:
            self._turn += 1
            return self._turn % self._one_in == 1
        now = self._clock()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._probe_every_s
        return True

    def record(self, result: CallResult) -> None:
        """Learn how a call ended."""
        good, error = result is CallResult.OK, result is CallResult.ERROR
        self._good_in_a_row = self._good_in_a_row + 1 if good else 0
        self._errors_in_a_row = self._errors_in_a_row + 1 if error else 0
        if self.state is BreakerState.CLOSED:
            self._record_closed(result)
        elif self.state is BreakerState.LIMITED:
            self._record_limited()
        elif not error:
            self._go(BreakerState.LIMITED)

    def _record_limited(self) -> None:
        if self._good_in_a_row >= self._close_after:
            self._go(BreakerState.CLOSED)
        elif self._errors_in_a_row >= self._close_after:
            self._go(BreakerState.OPEN)

    def _record_closed(self, result: CallResult) -> None:
        now = self._clock()
        self._recent.append((now, result))
        while self._recent[0][0] < now - self._window_s:
            self._recent.popleft()
        n = len(self._recent)
        if n < self._min_calls:
            return
        errors = sum(r is CallResult.ERROR for _, r in self._recent)
        bad = errors + sum(r is CallResult.SLOW for _, r in self._recent)
        if errors >= n * self._trip_share:
            self._go(BreakerState.OPEN)
        elif bad >= n * self._trip_share:
            self._go(BreakerState.LIMITED)

    def _go(self, state: BreakerState) -> None:
        self.state = state
        self._recent.clear()
        self._turn = 0
        self._next_probe = self._clock() + self._probe_every_s


class RetryBudget:
    """Retries are at most a share of the calls: each call earns `ratio`, each retry costs one.

    Without it, a failing dependency gets its load doubled at the moment when it can bear it least.
    """

    def __init__(self, *, ratio: float = 0.1, most: float = 10.0) -> None:
        self._ratio, self._most = ratio, most
        self.tokens = most

    def earn(self) -> None:
        """A first attempt was made."""
        self.tokens = min(self._most, self.tokens + self._ratio)

    def spend(self) -> bool:
        """Whether a retry may be made now; if so it is paid for."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Recent:
    """What the last seconds of calls were like, for monitoring alone. Pure; the clock is handed in.

    A call is what somebody wanted, an attempt what was sent for it: more attempts than calls are
    retries, fewer are calls that a breaker kept back.
    """

    def __init__(self, clock: Clock, *, window_s: float = 5.0, least: int = 5) -> None:
        self._clock, self._window_s, self._least = clock, window_s, least
        self._calls: deque[float] = deque(maxlen=2_000)
        self._attempts: deque[tuple[float, bool]] = deque(maxlen=2_000)

    def called(self) -> None:
        """Somebody wants something."""
        self._calls.append(self._clock())

    def attempted(self, *, failed: bool) -> None:
        """Something was sent, and answered or not."""
        self._attempts.append((self._clock(), failed))

    def forget(self) -> None:
        """Begin again: what was before says nothing of now."""
        self._calls.clear()
        self._attempts.clear()

    @property
    def failing(self) -> float:
        """The share of attempts that failed; 0 of too few."""
        since = self._clock() - self._window_s
        made = [failed for at, failed in self._attempts if at >= since]
        return sum(made) / len(made) if len(made) >= self._least else 0.0

    @property
    def amplified(self) -> float:
        """Attempts by call; 1 of too few."""
        since = self._clock() - self._window_s
        calls = sum(at >= since for at in self._calls)
        attempts = sum(at >= since for at, _ in self._attempts)
        return attempts / calls if calls >= self._least else 1.0


class Limiter:
    """Sheds load: at most `limit` things under way, the next one is refused at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.busy = 0

    def __enter__(self) -> Limiter:
        if self.busy >= self.limit:
            raise Overloaded
        self.busy += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.busy -= 1


class SingleFlight(Generic[T]):
    """Callers that want the same thing at the same time share one fetch of it."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, fetch: Callable[[], Awaitable[T]]) -> T:
        """The result of *fetch*, run once for all who wait. A caller that leaves stops nobody."""
        task = self._flights.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(fetch))
            self._flights[key] = task
            task.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(task)

    def _land(self, key: str, task: asyncio.Task[T]) -> None:
        self._flights.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen: with all callers gone nobody else would look


async def _run(fetch: Callable[[], Awaitable[T]]) -> T:
    return await fetch()
