"""A gateway: the shop's own code, three times the same behind the balancer."""

from __future__ import annotations

import asyncio
import time

from gameday.demo.cache import Cache
from gameday.demo.checkout import Checkout, NaiveCheckout
from gameday.demo.database import Address, Database, DatabaseFailed, PoolExhausted
from gameday.demo.dependency import ANSWER_BY, Dependency
from gameday.demo.metrics import Metrics
from gameday.demo.releases import Release
from gameday.demo.resilience import BreakerState, Limiter
from gameday.demo.settings import Settings, report_status
from gameday.demo.storefront import Storefront
from gameday.demo.web import (
    BadRequest,
    Call,
    CallFailed,
    Client,
    Handler,
    Reply,
    Route,
    Server,
    busy_reply,
)

#: Requests under way in one gateway. At 100 requests a second it is a few; beyond this many, an
#: answer would come too late for anyone.
MAX_BUSY = 64
_WARM_CONNECTIONS = 3
#: A machine that starts eight processes at once is slow for a moment, and no customer waits yet.
_WARM_WITHIN_S = 5.0
#: What monitoring is told is failing: the share of attempts, as the alert PaymentsErrors has it.
FAILING = 0.25
#: Attempts by call. The budget of retries lets it rise to 1.2 at the worst.
AMPLIFIED = 1.5


def _address(settings: Settings, name: str) -> tuple[str, int]:
    host, port = settings.address(name).rsplit(":", 1)
    return host, int(port)


class Gateway:
    """Everything of one gateway, wired."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings, self.name = settings, name
        naive = settings.naive
        metrics = Metrics("gateway")
        self.client = Client()
        host, port = _address(settings, "postgres")
        address = Address(host=host, port=port, secret=settings.secret)
        self.database = Database(address, metrics, naive=naive)
        self.cache = Cache(*_address(settings, "redis"), settings.secret, metrics, naive=naive)
        self._dependencies = {
            dep: Dependency(
                dep, settings.url(dep), client=self.client, metrics=metrics, naive=naive
            )
            for dep in ("payments", "inventory")
        }
        self._others = {
            "postgres": self._postgres,
            "disk": self._disk,
            "pool": self._pool,
            "redis": self._redis,
            "retries": self._retries,
        }
        payments, inventory = self._dependencies["payments"], self._dependencies["inventory"]
        storefront = Storefront(self.database, self.cache, inventory, metrics)
        kind = NaiveCheckout if naive else Checkout
        self.checkout = kind(self.database, storefront, payments, inventory, metrics)
        self.release = Release()
        self.server = Server(metrics, None if naive else Limiter(MAX_BUSY))
        self.server.add(
            Route(method="GET", path="/products", handler=wanted(storefront.list)),
            Route(method="GET", path="/products/{sku}", handler=wanted(storefront.show)),
            Route(method="POST", path="/checkout", handler=wanted(self.order)),
            Route(method="GET", path="/orders/{id}", handler=wanted(self.checkout.show)),
            Route(method="GET", path="/status/{dependency}", handler=self.status, shed=False),
            Route(method="GET", path="/admin/release", handler=self.release.show, shed=False),
            Route(method="POST", path="/admin/release", handler=self.release.set, shed=False),
            Route(method="POST", path="/admin/{dependency}", handler=self.take_out, shed=False),
        )

    async def order(self, call: Call) -> Reply:
        """`POST /checkout`, as the release has it."""
        self.release.check()
        return await self.checkout.order(call)

    async def status(self, call: Call) -> Reply:
        """`GET /status/{dependency}`: how this gateway finds a dependency. For monitoring alone.

        503 when calls to it fail, 200 else (slow is `limited`, and still 200). `retries` asks for
        none in particular. The balancer never asks it: a dependency that is down must not take the
        gateways out.
        """
        name = call.params["dependency"]
        if name in self._others:
            return await self._others[name]()
        dependency = self._dependencies.get(name)
        if dependency is None:
            return Reply(status=404, data={"error": "no such dependency"})
        if dependency.naive:
            await dependency.call("GET", "/healthz", within_s=0)
            return Reply(data={"dependency": dependency.name, "circuit": "none"})
        state = dependency.breaker.state
        if state is BreakerState.OPEN or dependency.recent.failing > FAILING:
            return busy_reply(f"calls to {dependency.name} fail")
        return Reply(data={"dependency": dependency.name, "circuit": state})

    async def _postgres(self) -> Reply:
        if self.settings.naive:
            await self._reach_database()
        elif self.database.failed:
            return busy_reply("the database fails")
        return Reply(data={"dependency": "postgres"})

    async def _disk(self) -> Reply:
        """The naive shop asks whether the database answers, and it does."""
        if self.database.full:
            return busy_reply("the database has no room for what is new")
        return Reply(data={"dependency": "disk"})

    async def _pool(self) -> Reply:
        """The naive shop lets requests wait for a connection, and notices nothing."""
        if self.database.starved:
            return busy_reply("requests get no database connection")
        return Reply(data={"dependency": "pool"})

    async def _redis(self) -> Reply:
        if self.settings.naive:
            await self.cache.ping()
        elif not self.cache.well:
            return busy_reply("the cache is not asked")
        return Reply(data={"dependency": "redis"})

    async def _retries(self) -> Reply:
        """Whether a dependency gets much more load than customers make."""
        most = {name: round(dep.recent.amplified, 2) for name, dep in self._dependencies.items()}
        if max(most.values()) > AMPLIFIED:
            return Reply(status=503, data=most, headers={"Retry-After": "1"})
        return Reply(data=most)

    async def take_out(self, call: Call) -> Reply:
        """`POST /admin/{dependency}` with `{"out": true}`: the operator's switch, and back."""
        dependency = self._dependencies.get(call.params["dependency"])
        if dependency is None:
            return Reply(status=404, data={"error": "no such dependency"})
        if dependency.naive:
            return Reply(status=409, data={"error": "this shop cannot do without it"})
        out = call.json().get("out")
        if not isinstance(out, bool):
            raise BadRequest("`out` must be true or false")
        dependency.taken_out = out
        return Reply(data={"dependency": dependency.name, "out": out})

    async def connect(self) -> None:
        """Reach database and cache, saying meanwhile what is missing; for ever if need be."""
        await self.database.open()
        for dep, reach in (("postgres", self._reach_database), ("redis", self.cache.ping)):
            while True:
                try:
                    await reach()
                    break
                except (OSError, DatabaseFailed, PoolExhausted) as error:
                    where = self.settings.address(dep)
                    waiting = f"{dep} at {where}: {error or type(error).__name__}"
                    report_status(self.settings, self.name, ready=False, waiting=waiting)
                    await asyncio.sleep(0.03)

    async def _reach_database(self) -> None:
        async def hold() -> None:
            async with self.database.connection(_WARM_WITHIN_S):
                await asyncio.sleep(0.01)

        await asyncio.gather(*(hold() for _ in range(_WARM_CONNECTIONS)))

    async def reach_others(self) -> None:
        """One call to each HTTP dependency, so that the first customer does not connect."""
        for dep in self._dependencies.values():
            end = time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    await self.client.call("GET", dep.url + "/healthz", within_s=1)
                    break
                except CallFailed as error:
                    report_status(self.settings, self.name, ready=False, waiting=str(error))
                    await asyncio.sleep(0.03)

    async def close(self) -> None:
        """Close what is open."""
        await self.server.stop()
        await self.database.close()
        await self.cache.close()
        await self.client.close()


def wanted(handler: Handler) -> Handler:
    """*handler*, but for requests whose answer comes too late for the edge that says so.

    The naive edge says it as a time of day. The other one waits for so long, by its own clock, and
    says nothing.
    """

    async def handle(call: Call) -> Reply:
        try:
            late = time.time() > float(call.headers.get(ANSWER_BY, "inf"))
        except ValueError:
            raise BadRequest(f"`{ANSWER_BY}` must be a Unix time") from None
        return busy_reply("nobody waits for this answer any more") if late else await handler(call)

    return handle


async def run(settings: Settings, name: str, stopped: asyncio.Event) -> None:
    """Serve until *stopped*. Listens at once: a gateway starts without its dependencies."""
    gateway = Gateway(settings, name)
    await gateway.server.start(settings.topology.part(name).port)
    background = [asyncio.ensure_future(_get_ready(gateway))]
    if not settings.naive:
        background.append(asyncio.ensure_future(gateway.checkout.work_off_backlog()))
    await stopped.wait()
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await gateway.close()


async def _get_ready(gateway: Gateway) -> None:
    await gateway.connect()
    await gateway.reach_others()
    report_status(gateway.settings, gateway.name, ready=True)
