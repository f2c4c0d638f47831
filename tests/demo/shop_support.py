"""A shop behind small relays of our own, which delay, reset and refuse on demand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from gameday.demo.shop import Shop
from gameday.demo.topology import HOST, Topology, free_topology

T = TypeVar("T")


def wait_until(what: str, true: Callable[[], T], within_s: float = 120.0) -> T:
    """The first true answer of *true*; fails the test when there is none in time."""
    end = time.monotonic() + within_s
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"not within {within_s} s: {what}")
        time.sleep(0.05)


def _never() -> bool:
    return False


class Relay:
    """One TCP forward on an event loop of its own thread (`Relays`)."""

    def __init__(self, listen: int, upstream: int) -> None:
        self.listen, self.upstream = listen, upstream
        self.delay_s = 0.0
        self.reset = False
        self.held: Callable[[], bool] = _never
        self.cuts = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.listen, backlog=256)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(HOST, self.upstream)
        except OSError:
            writer.transport.abort()
            return
        both = (writer, up_writer)
        self._writers.update(both)
        with contextlib.suppress(OSError, asyncio.CancelledError):  # cancelled: the test is over
            await asyncio.gather(self._pump(reader, up_writer), self._answer(up_reader, writer))
        for each in both:
            self._writers.discard(each)
            each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.delay_s)
            while self.held() and not self.cuts:
                await asyncio.sleep(0.01)
            if self.reset or self.cuts:
                self.cuts = max(0, self.cuts - 1)
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise OSError("reset")
            writer.write(data)
            await writer.drain()
        writer.close()


class Relays:
    """A relay for every part of a topology."""

    def __init__(self, topology: Topology, wrong: dict[str, int] | None = None) -> None:
        """*wrong*: other upstream ports than the parts'."""
        ports = {part.name: part.port for part in topology.parts} | (wrong or {})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._relays = {p.name: Relay(p.via_port, ports[p.name]) for p in topology.parts}
        for relay in self._relays.values():
            self._do(relay.up())

    def delay(self, name: str, delay_s: float) -> None:
        self._relays[name].delay_s = delay_s

    def reset(self, name: str) -> None:
        self._relays[name].reset = True

    def hold(self, name: str, held: Callable[[], bool]) -> None:
        """Keep back each answer that comes while *held*: until `cut` or `heal`."""
        self._relays[name].held = held

    def cut(self, name: str) -> None:
        """Reset the connection of one answer: of one that is kept back, or of the next."""
        self._relays[name].cuts += 1

    def down(self, name: str) -> None:
        self._do(self._relays[name].down())

    def heal(self, name: str) -> None:
        relay = self._relays[name]
        relay.delay_s, relay.reset = 0.0, False
        relay.held, relay.cuts = _never, 0
        self._do(relay.up())

    def close(self) -> None:
        for relay in self._relays.values():
            self._do(relay.down())
        self._do(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]


class Customer:
    """Somebody who browses and buys, and takes the time."""

    def __init__(self, shop: Shop, relays: Relays) -> None:
        self.shop, self.relays = shop, relays
        self._session = requests.Session()
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))
        self._session.trust_env = False

    def get(self, path: str, part: str | None = None) -> requests.Response:
        return self._session.get(self._base(part) + path, timeout=10)

    def post(
        self, path: str, data: Any, part: str | None = None, **headers: str
    ) -> requests.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self._session.post(self._base(part) + path, json=data, headers=named, timeout=10)

    def buy(self, sku: str = "A1", **headers: str) -> requests.Response:
        return self.post("/checkout", {"sku": sku}, **headers)

    def metric(self, part: str, start: str) -> float:
        """The sum of the samples of *part* whose line begins with *start*."""
        lines = self.get("/metrics", part).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    def close(self) -> None:
        self._session.close()

    def _base(self, part: str | None) -> str:
        return f"http://{self.shop.settings.topology.direct(part)}" if part else self.shop.url


@contextlib.contextmanager
def running(directory: Path, *, naive: bool, clock: bool = False) -> Iterator[Customer]:
    topology = free_topology()
    relays = Relays(topology)
    try:
        with Shop(topology, directory, naive=naive, clock=clock) as shop:
            shop.start()
            customer = Customer(shop, relays)
            try:
                yield customer
            finally:
                customer.close()
    finally:
        relays.close()
