"""Inventory: how many there are, and who reserved some."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from gameday.demo.admin import FaultSwitch
from gameday.demo.catalogue import PRODUCTS
from gameday.demo.metrics import Metrics
from gameday.demo.settings import Settings, report_status
from gameday.demo.web import Call, Reply, Route, Server

_STOCK = 1_000_000
#: How many reservations are remembered to recognise a repeated one.
_REMEMBERED = 50_000


class Stock:
    """Pieces of each product. A reservation is made at most once an order."""

    def __init__(self) -> None:
        self.pieces = {product.sku: _STOCK for product in PRODUCTS}
        self._orders: OrderedDict[str, str] = OrderedDict()

    def reserve(self, sku: str, order: str) -> bool:
        """Take one piece for *order*. False when there is none."""
        if order in self._orders:
            return True
        if self.pieces.get(sku, 0) <= 0:
            return False
        self.pieces[sku] -= 1
        self._orders[order] = sku
        if len(self._orders) > _REMEMBERED:
            self._orders.popitem(last=False)
        return True


async def run(settings: Settings, name: str, stopped: asyncio.Event) -> None:
    """Serve until *stopped*."""
    metrics = Metrics(name)
    stock, switch = Stock(), FaultSwitch()

    async def everything(_: Call) -> Reply:
        await switch.apply()
        return Reply(data=stock.pieces)

    async def reserve(call: Call) -> Reply:
        await switch.apply()
        if not stock.reserve(call.text("sku"), call.text("order")):
            return Reply(status=409, data={"error": "out of stock"})
        return Reply(data={"reserved": True})

    server = Server(metrics)
    server.add(
        Route(method="GET", path="/stock", handler=everything),
        Route(method="POST", path="/reserve", handler=reserve),
        Route(method="POST", path="/admin/fault", handler=switch.set),
    )
    await server.start(settings.topology.part(name).port)
    report_status(settings, name, ready=True)
    await stopped.wait()
    await server.stop()
