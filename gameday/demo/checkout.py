"""Ordering: store the order, reserve, charge; or accept it and charge later."""

from __future__ import annotations

import asyncio
import uuid

from gameday.demo.database import Database, DatabaseFailed, Order, PoolExhausted, insert_order
from gameday.demo.dependency import Dependency
from gameday.demo.metrics import Metrics
from gameday.demo.storefront import Storefront
from gameday.demo.web import Call, CallFailed, Reply, busy_reply

#: Connect, send and read together, the retry included. A customer waits no longer for a provider.
PAYMENT_WITHIN_S = 0.6
_RESERVE_WITHIN_S = 0.2
_BACKLOG_EVERY_S = 0.5
_BACKLOG_BATCH = 10
NEW, PAID, PENDING, CANCELLED = "new", "paid", "payment_pending", "cancelled"


class Checkout:
    """Orders are stored before money moves, and money moves at most once an order.

    The order's id is the payment's idempotency key, so that a retry, the deferred path and a
    gateway that died half-way all come to one charge.
    """

    def __init__(
        self,
        database: Database,
        storefront: Storefront,
        payments: Dependency,
        inventory: Dependency,
        metrics: Metrics,
    ) -> None:
        self._database, self._storefront = database, storefront
        self._payments, self._inventory, self._metrics = payments, inventory, metrics

    async def order(self, call: Call) -> Reply:
        """`POST /checkout`: 200 with status `paid` or `deferred`, 404, 409, or an honest 503."""
        sku, key = call.text("sku"), call.headers.get("Idempotency-Key")
        try:
            product = await self._storefront.product(sku)
            if product is None:
                return Reply(status=404, data={"error": "no such product"})
            order = Order(id=uuid.uuid4().hex, sku=sku, cents=product["cents"], status=NEW)
            stored = await self._database.create(order, key)
        except PoolExhausted:
            return busy_reply("all database connections are in use")
        except DatabaseFailed:
            return busy_reply("orders cannot be stored now")
        if stored.id != order.id:
            return _told(stored)  # the same key again: the same answer
        return await self._fulfil(order)

    async def _fulfil(self, order: Order) -> Reply:
        reserved = await self._reserve(order)
        if reserved is False:
            await self._move(order, CANCELLED, reserved=False)
            return Reply(status=409, data={"error": "out of stock", "order": order.id})
        paid = await self._charge(order.id, order.cents, patient=False)
        status = PAID if paid else PENDING
        await self._move(order, status, reserved=bool(reserved))
        self._metrics.count("orders", "Orders taken.", status=status)
        return _told(Order(id=order.id, sku=order.sku, cents=order.cents, status=status))

    async def _reserve(self, order: Order) -> bool | None:
        """True and False are inventory's answer; None: it gave none, and we sell all the same."""
        data = {"sku": order.sku, "order": order.id}
        try:
            answer = await self._inventory.call(
                "POST", "/reserve", data, within_s=_RESERVE_WITHIN_S
            )
        except CallFailed:
            self._metrics.count("unreserved_orders", "Orders taken without a reservation.")
            return None
        return answer.status == 200

    async def _charge(self, order_id: str, cents: int, *, patient: bool) -> bool:
        data = {"order": order_id, "amount": cents}
        try:
            answer = await self._payments.call(
                "POST", "/charge", data, within_s=PAYMENT_WITHIN_S, key=order_id, patient=patient
            )
        except CallFailed:
            return False
        return answer.status == 200

    async def _move(self, order: Order, status: str, *, reserved: bool) -> None:
        try:
            await self._database.move(order.id, status, reserved=reserved)
        except (PoolExhausted, DatabaseFailed):
            # The order stays `new`; the backlog will charge it under the same key: once.
            self._metrics.count("unsettled_orders", "Orders whose status could not be stored.")

    async def show(self, call: Call) -> Reply:
        """`GET /orders/{id}`."""
        try:
            order = await self._database.order(call.params["id"])
        except (PoolExhausted, DatabaseFailed):
            return busy_reply("orders cannot be read now")
        return _told(order) if order else Reply(status=404, data={"error": "no such order"})

    async def work_off_backlog(self) -> None:
        """Charge what was deferred, for ever.

        While payments is not well, one order at a time, as the circuit allows: so the backlog
        itself finds out that payments is back, even when no customer comes.
        """
        gauge = self._metrics.gauge("orders_deferred", "Orders waiting for their payment.")
        while True:
            await asyncio.sleep(_BACKLOG_EVERY_S)
            try:
                waiting = await self._database.count_unpaid()
                gauge.set(waiting)
                if waiting and not self._payments.taken_out:
                    await self._charge_some(_BACKLOG_BATCH if self._payments.well else 1)
            except (PoolExhausted, DatabaseFailed):
                continue  # there will be a better moment

    async def _charge_some(self, most: int) -> None:
        claimed = await self._database.claim_unpaid(most)
        for number, (order_id, cents) in enumerate(claimed):
            if not await self._charge(order_id, cents, patient=True):
                for left, _ in claimed[number:]:
                    await self._database.move(left, PENDING)  # for anyone to try again
                return
            await self._database.move(order_id, PAID)
            self._metrics.count("deferred_orders_paid", "Deferred orders paid in the end.")


class NaiveCheckout(Checkout):
    """How it is often written first.

    A connection and a transaction are held while others are called; two calls to payments in a
    row, without a limit of time; on trouble the same again, without a key that would make it once.
    """

    async def order(self, call: Call) -> Reply:
        """`POST /checkout`: 200, or whatever went wrong."""
        sku = call.text("sku")
        product = await self._storefront.product(sku)
        if product is None:
            return Reply(status=404, data={"error": "no such product"})
        order = Order(id=uuid.uuid4().hex, sku=sku, cents=product["cents"], status=PAID)
        data = {"order": order.id, "sku": sku, "amount": order.cents}
        async with self._database.connection() as connection, connection.transaction():
            await self._inventory.call("POST", "/reserve", data, within_s=0)
            await self._payments.call("POST", "/authorise", data, within_s=0)
            await self._payments.call("POST", "/charge", data, within_s=0)
            await insert_order(connection, order, None)
        self._metrics.count("orders", "Orders taken.", status=PAID)
        return _told(order)


def _told(order: Order) -> Reply:
    status = {NEW: "deferred", PENDING: "deferred"}.get(order.status, order.status)
    return Reply(
        data={"order": order.id, "sku": order.sku, "cents": order.cents, "status": status},
        headers={"X-Order-Id": order.id, "X-Order-Status": status},
    )
