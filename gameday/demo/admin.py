"""`POST /admin/fault`: a switch in payments and inventory, to break them without a proxy."""

from __future__ import annotations

import asyncio

from gameday.demo.resilience import chance
from gameday.demo.web import BadRequest, Call, CallFailed, Reply


class FaultSwitch:
    """A delay before each request, and a share of requests that fail."""

    def __init__(self) -> None:
        self.delay_ms = 0.0
        self.error_ratio = 0.0

    async def set(self, call: Call) -> Reply:
        """Take `{"delay_ms": 800, "error_ratio": 0.5}`; what is not named goes back to 0."""
        data = call.json()
        delay_ms, error_ratio = data.get("delay_ms", 0), data.get("error_ratio", 0)
        for value, most in ((delay_ms, 60_000), (error_ratio, 1)):
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise BadRequest("`delay_ms` is 0 to 60000, `error_ratio` 0 to 1")
        self.delay_ms, self.error_ratio = float(delay_ms), float(error_ratio)
        return Reply(data={"delay_ms": self.delay_ms, "error_ratio": self.error_ratio})

    async def apply(self) -> None:
        """Wait, and fail, as the switch says. Raises CallFailed (answered with 502)."""
        if self.delay_ms:
            await asyncio.sleep(self.delay_ms / 1000)
        if self.error_ratio and chance() < self.error_ratio:
            raise CallFailed("switched off by hand")
