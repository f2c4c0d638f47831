"""Payments: an outside provider to the shop. Moves money, at most once a key."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

from gameday.demo.admin import FaultSwitch
from gameday.demo.ledger import read_entries
from gameday.demo.metrics import Metrics
from gameday.demo.resilience import chance
from gameday.demo.settings import Settings, report_status
from gameday.demo.web import Call, Reply, Route, Server

#: What an authorisation takes when all is well.
_WORK_S = (0.012, 0.025)


class Charges:
    """The provider's own books: every movement of money, on disk before it is answered."""

    def __init__(self, file: Path) -> None:
        self._by_key: dict[str, str] = {}
        self._numbers = itertools.count(1)
        for entry in read_entries(file):
            next(self._numbers)
            if entry["key"]:
                self._by_key[entry["key"]] = entry["id"]
        self._out = file.open("a", encoding="utf-8")

    def charge(self, order: str, amount: int, key: str | None) -> tuple[str, bool]:
        """Move the money. Returns the charge's id, and whether it is an answer repeated."""
        if key and key in self._by_key:
            return self._by_key[key], True
        number = f"ch-{next(self._numbers)}"
        entry = {"id": number, "order": order, "amount": amount, "key": key, "t": time.time()}
        self._out.write(json.dumps(entry) + "\n")
        self._out.flush()
        if key:
            self._by_key[key] = number
        return number, False


async def run(settings: Settings, name: str, stopped: asyncio.Event) -> None:
    """Serve until *stopped*."""
    metrics = Metrics(name)
    charges, switch = Charges(settings.charges), FaultSwitch()

    async def authorise(call: Call) -> Reply:
        await switch.apply()
        await asyncio.sleep(chance(*_WORK_S))
        return Reply(data={"authorised": call.text("order")})

    async def charge(call: Call) -> Reply:
        await switch.apply()
        amount = call.json().get("amount")
        if not isinstance(amount, int) or amount <= 0:
            return Reply(status=400, data={"error": "`amount` must be a positive whole number"})
        await asyncio.sleep(chance(*_WORK_S))
        number, repeated = charges.charge(
            call.text("order"), amount, call.headers.get("Idempotency-Key")
        )
        metrics.count("charges", "Answered charges.", repeated=str(repeated).lower())
        return Reply(data={"charge": number, "repeated": repeated})

    server = Server(metrics)
    server.add(
        Route(method="POST", path="/authorise", handler=authorise),
        Route(method="POST", path="/charge", handler=charge),
        Route(method="POST", path="/admin/fault", handler=switch.set),
    )
    await server.start(settings.topology.part(name).port)
    report_status(settings, name, ready=True)
    await stopped.wait()
    await server.stop()
