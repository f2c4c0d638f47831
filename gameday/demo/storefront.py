"""Reading: products from the cache, else the database; how many there are, from inventory."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from gameday.demo.cache import TTL_S, Cache
from gameday.demo.database import Database, DatabaseFailed, PoolExhausted
from gameday.demo.dependency import Dependency
from gameday.demo.metrics import Metrics
from gameday.demo.resilience import SingleFlight, chance
from gameday.demo.web import Call, CallFailed, Reply, busy_reply

_KEY = "catalogue"
#: A page does not wait longer to say how many pieces there are.
_STOCK_WITHIN_S = 0.2
#: How long the copy in this process may stand in for the cache before it is fetched anew.
_LOCAL_S = TTL_S


class Storefront:
    """The pages that sell. They work without inventory, and without cache and database too."""

    def __init__(
        self, database: Database, cache: Cache, inventory: Dependency, metrics: Metrics
    ) -> None:
        self._database, self._cache = database, cache
        self._inventory, self._metrics = inventory, metrics
        self._flights: SingleFlight[dict[str, dict[str, Any]]] = SingleFlight()
        self._raw = b""
        self._known: dict[str, dict[str, Any]] = {}
        self._fresh_until = 0.0  # of the local copy, when the cache keeps nothing
        self._stock: dict[str, int] = {}
        self._stock_seen = 0.0

    async def list(self, _: Call) -> Reply:
        """`GET /products`."""
        products, stock = await self._products_and_stock()
        if products is None:
            return busy_reply("the catalogue cannot be read")
        return Reply(data={"products": [self._with_stock(p, stock) for p in products.values()]})

    async def show(self, call: Call) -> Reply:
        """`GET /products/{sku}`."""
        products, stock = await self._products_and_stock()
        if products is None:
            return busy_reply("the catalogue cannot be read")
        product = products.get(call.params["sku"])
        if product is None:
            return Reply(status=404, data={"error": "no such product"})
        return Reply(data=self._with_stock(product, stock))

    async def product(self, sku: str) -> dict[str, Any] | None:
        """The product, or None. Raises PoolExhausted or DatabaseFailed when nobody knows."""
        return (await self.catalogue()).get(sku)

    async def catalogue(self) -> dict[str, dict[str, Any]]:
        """All products by SKU. Raises as `product` does."""
        raw = await self._cache.get(_KEY)
        if raw is not None:
            if raw != self._raw:
                self._raw, self._known = raw, json.loads(raw)
            return self._known
        if self._inventory.naive:
            return await self._load()
        if self._known and time.monotonic() < self._fresh_until:
            return self._known  # the cache is empty or gone, but we have just looked
        try:
            return await self._flights.get(_KEY, self._load)
        except (PoolExhausted, DatabaseFailed):
            if not self._known:
                raise
            self._metrics.count("stale_answers", "Answers from an old copy.", what="catalogue")
            # Or each page would wait for a database that has just said that it cannot be asked.
            self._fresh_until = time.monotonic() + _LOCAL_S * chance(0.1, 0.3)
            return self._known

    async def _load(self) -> dict[str, dict[str, Any]]:
        self._metrics.count("catalogue_loads", "Times the catalogue came from the database.")
        rows = await self._database.products()
        found = {row["sku"]: row for row in rows}
        self._known = found
        self._fresh_until = time.monotonic() + _LOCAL_S * chance(0.1, 0.3)
        await self._cache.put(_KEY, json.dumps(found).encode())
        return found

    async def _products_and_stock(
        self,
    ) -> tuple[dict[str, dict[str, Any]] | None, dict[str, int] | None]:
        if self._inventory.naive:
            return await self.catalogue(), await self._ask_stock()
        stock = asyncio.ensure_future(self._stock_or_none())
        try:
            return await self.catalogue(), await stock
        except (PoolExhausted, DatabaseFailed):
            stock.cancel()
            return None, None

    async def _stock_or_none(self) -> dict[str, int] | None:
        try:
            return await self._ask_stock()
        except CallFailed:
            self._metrics.count("stale_answers", "Answers from an old copy.", what="stock")
            return None

    async def _ask_stock(self) -> dict[str, int]:
        answer = await self._inventory.call("GET", "/stock", within_s=_STOCK_WITHIN_S)
        self._stock, self._stock_seen = answer.json(), time.monotonic()
        return self._stock

    def _with_stock(self, product: dict[str, Any], stock: dict[str, int] | None) -> dict[str, Any]:
        if stock is not None:
            return {**product, "stock": stock.get(product["sku"], 0)}
        last = {}
        if self._stock:
            age_s = round(time.monotonic() - self._stock_seen, 1)
            last = {"last_known_stock": self._stock.get(product["sku"], 0), "age_s": age_s}
        return {**product, "stock": "unknown", **last}
