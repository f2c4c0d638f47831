"""Orders and products in PostgreSQL, behind a pool. The only module that knows `asyncpg`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from gameday.demo.catalogue import PRODUCTS, TERMS
from gameday.demo.metrics import Metrics

POOL_SIZE = 10
#: How long a request waits for a connection before it is told to come back later.
ACQUIRE_WITHIN_S = 0.25
_COMMAND_WITHIN_S = 1.0
#: How long monitoring is told of the last request that was refused for want of the database.
TROUBLE_S = 2.0
#: The same for the last one that found no room: only what is new needs any, and that is less often.
FULL_S = 5.0
_USER, _DATABASE = "shop", "postgres"

_SCHEMA = """
create table if not exists products (sku text primary key, title text not null, cents int not null);
create table if not exists orders (
    id text primary key,
    idempotency_key text unique,
    sku text not null,
    cents int not null,
    status text not null,
    reserved boolean not null default false,
    created timestamptz not null default now(),
    claimed_until timestamptz,
    terms text not null default ''
);
create index if not exists orders_unpaid on orders (created)
    where status in ('new', 'payment_pending');
"""
#: Unpaid orders, oldest first; also those whose gateway died between writing and charging.
_CLAIM = """
update orders set claimed_until = now() + interval '10 seconds'
where id in (
    select id from orders
    where (status = 'payment_pending' or status = 'new' and created < now() - interval '5 seconds')
      and (claimed_until is null or claimed_until < now())
    order by created limit $1 for update skip locked)
returning id, cents
"""


class PoolExhausted(Exception):  # noqa: N818
    """No connection became free in time."""


class DatabaseFailed(Exception):  # noqa: N818
    """The database refused, was cut off, or took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is, and the password."""

    host: str
    port: int
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One row of orders."""

    id: str
    sku: str
    cents: int
    status: str


async def prepare_schema(address: Address) -> bool:
    """Make the tables and fill the catalogue. False while the server is not answering yet."""
    try:
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user=_USER, password=address.secret,
            database=_DATABASE, timeout=5, ssl=False,
        )  # fmt: skip
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        await connection.execute(_SCHEMA)
        await connection.executemany(
            "insert into products values ($1, $2, $3) on conflict do nothing",
            [(product.sku, product.title, product.cents) for product in PRODUCTS],
        )
    finally:
        await connection.close()
    return True


async def read_orders(address: Address) -> list[dict[str, Any]]:
    """All orders, for the ledger. Raises DatabaseFailed."""
    try:
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user=_USER, password=address.secret,
            database=_DATABASE, timeout=5, ssl=False,
        )  # fmt: skip
        try:
            rows = await connection.fetch("select id, idempotency_key, status from orders")
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise DatabaseFailed(str(error) or type(error).__name__) from None
    return [dict(row) for row in rows]


class Database:
    """The pool, and what the gateway asks of the database."""

    def __init__(self, address: Address, metrics: Metrics, *, naive: bool) -> None:
        self._metrics, self._naive = metrics, naive
        self._pool: asyncpg.Pool | None = None
        self._address = address
        self._waiting = 0
        self._busy = 0
        self._failed_at = self._starved_at = -TROUBLE_S
        self._full_at = -FULL_S
        metrics.expect("postgres")
        self._count_full(0)
        metrics.gauge("db_pool_size", "Connections the pool may open.").set(POOL_SIZE)

    @property
    def failed(self) -> bool:
        """Whether it refused of late, was cut off, or took too long."""
        return time.monotonic() - self._failed_at < TROUBLE_S

    @property
    def full(self) -> bool:
        """Whether it had no room for something of late. The naive shop does not ask why."""
        return time.monotonic() - self._full_at < FULL_S

    @property
    def starved(self) -> bool:
        """Whether a request got no connection of late."""
        return time.monotonic() - self._starved_at < TROUBLE_S

    async def open(self) -> None:
        """Make the pool. Connections are made when needed, so the database may be down."""
        self._pool = await asyncpg.create_pool(
            host=self._address.host,
            port=self._address.port,
            user=_USER,
            password=self._address.secret,
            database=_DATABASE,
            ssl=False,
            min_size=0,
            max_size=POOL_SIZE,
            timeout=None if self._naive else 2.0,  # of connecting; acquiring has its own
            command_timeout=None if self._naive else _COMMAND_WITHIN_S,
            reset=_keep,
        )

    async def close(self) -> None:
        """Close at once, whatever is under way."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self, within_s: float = ACQUIRE_WITHIN_S) -> AsyncIterator[Any]:
        """A connection of the pool. Raises PoolExhausted, and DatabaseFailed from the block."""
        pool = self._pool
        if pool is None:
            raise DatabaseFailed("the pool is not open yet")
        connection = await self._acquire(pool, within_s)
        self._busy += 1
        self._show()
        started, outcome = time.perf_counter(), "error"
        try:
            yield connection
            outcome = "ok"
        except TimeoutError:
            outcome = "timeout"
            connection.terminate()  # cancelling would take as long as the statement
            raise DatabaseFailed("a statement took too long") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            connection.terminate()
            if isinstance(error, asyncpg.DiskFullError) and not self._naive:
                self._full_at = time.monotonic()
                self._count_full(1)
            raise DatabaseFailed(str(error) or type(error).__name__) from None
        finally:
            self._busy -= 1
            self._show()
            if outcome != "ok":
                self._failed_at = time.monotonic()
            self._metrics.attempted("postgres", outcome, time.perf_counter() - started)
            await _give_back(pool, connection)

    async def _acquire(self, pool: asyncpg.Pool, within_s: float) -> Any:
        self._waiting += 1
        self._show()
        try:
            return await pool.acquire(timeout=None if self._naive else within_s)
        except TimeoutError:
            self._starved_at = time.monotonic()
            self._metrics.count("db_pool_timeouts", "Requests that got no connection in time.")
            raise PoolExhausted(f"no connection within {within_s} s") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._failed_at = time.monotonic()
            self._metrics.attempted("postgres", "error", 0.0)
            raise DatabaseFailed(str(error) or type(error).__name__) from None
        finally:
            self._waiting -= 1
            self._show()

    def _count_full(self, by: int) -> None:
        self._metrics.count("db_disk_full", "Statements for which there was no room.", by)

    def _show(self) -> None:
        self._metrics.gauge("db_pool_in_use", "Connections in use.").set(self._busy)
        self._metrics.gauge("db_pool_waiting", "Requests waiting for one.").set(self._waiting)

    async def products(self) -> list[dict[str, Any]]:
        """The whole catalogue."""
        async with self.connection() as connection:
            rows = await connection.fetch("select sku, title, cents from products order by sku")
        return [dict(row) for row in rows]

    async def create(self, order: Order, key: str | None) -> Order:
        """Store a new order, or return the one that has the same key."""
        async with self.connection() as connection:
            inserted = await insert_order(connection, order, key)
            if inserted:
                return order
            row = await connection.fetchrow(
                "select id, sku, cents, status from orders where idempotency_key = $1", key
            )
        return _order(row)

    async def move(self, order_id: str, status: str, *, reserved: bool | None = None) -> None:
        """Set an order's status, and whether its piece is reserved (None: as it was)."""
        async with self.connection() as connection:
            await connection.execute(
                "update orders set status = $2, reserved = coalesce($3, reserved),"
                " claimed_until = null where id = $1",
                order_id, status, reserved,
            )  # fmt: skip

    async def order(self, order_id: str) -> Order | None:
        """One order; None if there is no such."""
        async with self.connection() as connection:
            row = await connection.fetchrow(
                "select id, sku, cents, status from orders where id = $1", order_id
            )
        return _order(row) if row else None

    async def claim_unpaid(self, limit: int) -> list[tuple[str, int]]:
        """Up to *limit* unpaid orders (id, cents), for this caller alone during 10 s."""
        async with self.connection() as connection:
            return [(row["id"], row["cents"]) for row in await connection.fetch(_CLAIM, limit)]

    async def count_unpaid(self) -> int:
        """How many orders wait for their payment."""
        async with self.connection() as connection:
            return int(
                await connection.fetchval(
                    "select count(*) from orders where status in ('new', 'payment_pending')"
                )
            )


async def insert_order(connection: Any, order: Order, key: str | None) -> bool:
    """Store *order* unless its key or id is taken. Whether it was stored."""
    found = await connection.fetchval(
        "insert into orders (id, idempotency_key, sku, cents, status, terms)"
        " values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning id",
        order.id, key, order.sku, order.cents, order.status, TERMS,
    )  # fmt: skip
    return found is not None


async def _keep(_connection: Any) -> None:
    """Nothing to reset: no statement here changes the session, so a round trip is saved."""


async def _give_back(pool: asyncpg.Pool, connection: Any) -> None:
    try:
        await asyncio.shield(pool.release(connection, timeout=1.0))
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()  # a connection that cannot be reset is not worth keeping


def _order(row: Mapping[str, Any]) -> Order:
    return Order(id=row["id"], sku=row["sku"], cents=row["cents"], status=row["status"])
