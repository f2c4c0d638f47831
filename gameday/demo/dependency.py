"""Calling another part with timeout, breaker and budgeted retry; or naively, without any."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from gameday.demo.metrics import Metrics
from gameday.demo.resilience import (
    Breaker,
    BreakerState,
    CallResult,
    Recent,
    RetryBudget,
    chance,
)
from gameday.demo.web import Answer, CallFailed, CallTimedOut, Client

NAIVE_RETRIES = 3
#: Not that the naive shop chose it: it is what its HTTP client happens to do.
NAIVE_TIMEOUT_S = 30.0
#: Until when the naive edge wants an answer, as Unix time.
ANSWER_BY = "X-Answer-By"
_RETRY_PAUSE_S = (0.01, 0.03)


class Rejected(CallFailed):
    """The call was not made: the breaker is open, or limits calls."""


class Dependency:
    """One dependency over HTTP, as its callers in one process see it.

    `taken_out` is the operator's switch: while set, no call is made, and every caller takes the
    path that it has for a dependency that is gone.
    """

    def __init__(
        self, name: str, url: str, *, client: Client, metrics: Metrics, naive: bool
    ) -> None:
        self.name, self.url, self.naive = name, url, naive
        self.breaker = Breaker(time.monotonic)
        self.recent = Recent(time.monotonic)
        self._budget = RetryBudget()
        self._client, self._metrics = client, metrics
        self.taken_out = False
        metrics.expect(name)
        metrics.breaker(name, self.breaker.state)

    @property
    def well(self) -> bool:
        """Whether calls that can wait may be made now."""
        return not self.taken_out and self.breaker.state is BreakerState.CLOSED

    async def call(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        within_s: float,
        key: str | None = None,
        patient: bool = False,
    ) -> Answer:
        """Call; the whole, retry included, takes at most *within_s*.

        *key* is sent as `Idempotency-Key`. A connection error is tried again once, on a new
        connection; a timeout is not: the time is used up. With *patient* nobody waits for the
        answer, so a limited circuit lets the call through: better it finds out than a customer.
        Raises Rejected, CallTimedOut or CallFailed; an answer of 5xx is CallFailed too.
        """
        self.recent.called()
        if self.naive:
            return await self._naively(method, path, data)
        if self.taken_out or not self._allowed(patient):
            self._metrics.rejected(self.name)
            why = "taken out" if self.taken_out else f"circuit {self.breaker.state}"
            raise Rejected(f"{self.name}: {why}")
        self._budget.earn()
        headers = {"Idempotency-Key": key} if key else None
        end = time.monotonic() + within_s
        try:
            return await self._attempt(method, path, data, within_s, headers)
        except CallTimedOut:
            raise
        except CallFailed:
            probing = self.breaker.state is not BreakerState.CLOSED
            if probing or not self._budget.spend():
                raise
        self._count_retry()
        await asyncio.sleep(chance(*_RETRY_PAUSE_S))
        left = max(0.001, end - time.monotonic())
        return await self._attempt(method, path, data, left, headers, fresh=True)

    def _allowed(self, patient: bool) -> bool:
        limited = self.breaker.state is BreakerState.LIMITED
        return (patient and limited) or self.breaker.allow()

    async def _naively(self, method: str, path: str, data: Any) -> Answer:
        for _ in range(NAIVE_RETRIES):
            try:
                return await self._attempt(method, path, data, NAIVE_TIMEOUT_S, None)
            except CallFailed:
                self._count_retry()
        return await self._attempt(method, path, data, NAIVE_TIMEOUT_S, None)

    async def _attempt(
        self,
        method: str,
        path: str,
        data: Any,
        within_s: float,
        headers: Mapping[str, str] | None,
        *,
        fresh: bool = False,
    ) -> Answer:
        body = b"" if data is None else json.dumps(data).encode()
        result, started = CallResult.ERROR, time.perf_counter()
        try:
            answer = await self._client.call(
                method, self.url + path, within_s=within_s, body=body, headers=headers, fresh=fresh,
                whole=not self.naive,
            )  # fmt: skip
            if answer.status >= 500:
                raise CallFailed(f"{self.name}: answered {answer.status}")
            answer.json()
            result = CallResult.OK
        except CallTimedOut:
            result = CallResult.SLOW
            raise
        else:
            return answer
        finally:
            self._metrics.attempted(self.name, result, time.perf_counter() - started)
            self.recent.attempted(failed=result is CallResult.ERROR)
            if not self.naive:
                self._learn(result)

    def _learn(self, result: CallResult) -> None:
        before = self.breaker.state
        self.breaker.record(result)
        if self.breaker.state is not before:
            self._metrics.breaker(self.name, self.breaker.state)
            if self.breaker.state is BreakerState.CLOSED:
                self.recent.forget()

    def _count_retry(self) -> None:
        self._metrics.count("dependency_retries", "Attempts beyond the first.", dep=self.name)
