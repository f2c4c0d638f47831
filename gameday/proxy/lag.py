"""How late the event loop is: the first thing to get worse when the machine is too busy."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence

TICK_S = 0.02
WINDOW_S = 10.0

_BUCKETS_A_DECADE = 30
_SMALLEST_MS = 0.001
_MAX_CAUGHT_UP = 1000


class LagMeter:
    """Ticks every 20 ms and keeps how late each tick was.

    A tick that comes several intervals late counts once for each interval it missed, so one long
    stop weighs as much as it lasted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._window: deque[float] = deque(maxlen=round(WINDOW_S / TICK_S))
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._max_ms = 0.0
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick."""
        self._next_at = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = self._loop.time()
        for _ in range(_MAX_CAUGHT_UP):
            if self._next_at > now:
                break
            self.record((now - self._next_at) * 1000)
            self._next_at += TICK_S
        else:
            self._next_at = now + TICK_S
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def record(self, lag_ms: float) -> None:
        """Note one tick that was `lag_ms` late."""
        self._window.append(lag_ms)
        bucket = math.floor(math.log10(max(lag_ms, _SMALLEST_MS)) * _BUCKETS_A_DECADE)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self._max_ms = max(self._max_ms, lag_ms)

    def last_10s(self) -> dict[str, float | int]:
        """Return p50, p99, max (ms) and n of the last ten seconds."""
        values = sorted(self._window)
        return {
            "p50": _rank(values, 0.5),
            "p99": _rank(values, 0.99),
            "max": round(values[-1], 3) if values else 0.0,
            "n": len(values),
        }

    def since_start(self) -> dict[str, float | int]:
        """Return p50, p99 (upper ends of buckets 8 % wide), max (ms) and n since the start."""
        return {
            "p50": self._bucket_rank(0.5),
            "p99": self._bucket_rank(0.99),
            "max": round(self._max_ms, 3),
            "n": self._count,
        }

    def _bucket_rank(self, quantile: float) -> float:
        wanted = quantile * self._count
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                upper = 10 ** ((bucket + 1) / _BUCKETS_A_DECADE)
                return float(round(min(upper, self._max_ms), 3))
        return 0.0


def _rank(values: Sequence[float], quantile: float) -> float:
    if not values:
        return 0.0
    return round(values[min(len(values) - 1, math.ceil(quantile * len(values)) - 1)], 3)
