"""Redis as a cache that may be slow, empty or gone. The only module that knows `redis`."""

from __future__ import annotations

import time

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gameday.demo.metrics import Metrics
from gameday.demo.resilience import Breaker, BreakerState, CallResult, chance

TTL_S = 5.0
_JITTER = 0.2
_WITHIN_S = 0.1


class Cache:
    """Texts by key. Never raises unless naive: a cache that fails is a cache that knows nothing."""

    def __init__(self, host: str, port: int, secret: str, metrics: Metrics, *, naive: bool) -> None:
        self._metrics, self._naive = metrics, naive
        self._breaker = Breaker(time.monotonic)
        metrics.expect("redis")
        within = None if naive else _WITHIN_S
        self._redis = redis.asyncio.Redis(
            host=host,
            port=port,
            password=secret,
            socket_timeout=within,
            socket_connect_timeout=within,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            lib_name=None,
            lib_version=None,
        )

    @property
    def well(self) -> bool:
        """Whether it is asked as ever."""
        return self._breaker.state is BreakerState.CLOSED

    async def ping(self) -> None:
        """Raises OSError when the cache cannot be reached."""
        try:
            await self._redis.ping()
        except (RedisError, TimeoutError) as error:
            raise OSError(str(error)) from None

    async def get(self, key: str) -> bytes | None:
        """The text under *key*; None when there is none, or the cache cannot say."""
        found: bytes | None = await self._ask("get", key)
        self._metrics.count(
            "cache_requests", "Look-ups in the cache.", outcome="hit" if found else "miss"
        )
        return found

    async def put(self, key: str, text: bytes) -> None:
        """Keep *text* for about `TTL_S`; jittered, so that keys do not all expire at once."""
        ttl_s = TTL_S if self._naive else TTL_S * chance(1 - _JITTER, 1 + _JITTER)
        await self._ask("set", key, text, px=int(ttl_s * 1000))

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _ask(self, command: str, *arguments: object, **options: object) -> bytes | None:
        if self._naive:
            return await self._attempt(command, *arguments, **options)
        if not self._breaker.allow():
            self._metrics.rejected("redis")
            return None
        try:
            return await self._attempt(command, *arguments, **options)
        except OSError:
            return None

    async def _attempt(self, command: str, *arguments: object, **options: object) -> bytes | None:
        result, started = CallResult.ERROR, time.perf_counter()
        try:
            found: bytes | None = await getattr(self._redis, command)(*arguments, **options)
            result = CallResult.OK
        except (redis.exceptions.TimeoutError, TimeoutError):
            result = CallResult.SLOW
            raise OSError("the cache did not answer in time") from None
        except RedisError as error:
            raise OSError(f"cache: {error}") from None
        else:
            return found
        finally:
            self._breaker.record(result)
            self._metrics.attempted("redis", result, time.perf_counter() - started)
