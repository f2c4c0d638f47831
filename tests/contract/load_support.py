"""A small HTTP server that counts, stalls and fails on demand, and a recorder of load events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ports_support import free_port

from gameday.adapters.locust.driver import LocustLoad
from gameday.model.event import Event
from gameday.model.histogram import count, merged
from gameday.model.scenario import Expect, Journey, LoadSpec, RequestStep
from gameday.model.window import Cell, Tick, tick_from_json


class Server:
    """Counts requests by path. `/500` and `/404` answer so; `/slow` never answers, `/drip` one byte
    at a time, `/cut` ends early, `/hangup` and `/reset` close without an answer."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.peers: set[str] = set()  # addresses that asked
        self.seen: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.agents: set[str] = set()
        self.connections = 0
        self.last_at = 0.0  # monotonic time of the last request
        self.stall: tuple[float, float] = (0.0, 0.0)
        self.late_s = 0.0  # how long after a stall the last answer was given that it held back
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self._host, 0, backlog=1024)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.peers.add(writer.get_extra_info("peername")[0])
        try:
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
            ):
                while await self._one(reader, writer):
                    pass
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        if length := int(headers.get("content-length", 0)):
            self.bodies.append(await reader.readexactly(length))
        self.agents.add(headers.get("user-agent", ""))
        self.seen[path] += 1
        self.last_at = time.monotonic()
        begin, end = self.stall
        if begin <= time.monotonic() < end:
            await asyncio.sleep(end - time.monotonic())
            self.late_s = max(self.late_s, time.monotonic() - end)
        return await self._answer(path, writer)

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> bool:
        if path == "/hangup":
            return False
        if path == "/reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if path == "/slow":
            await asyncio.sleep(60)
        if path in ("/cut", "/drip"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
            await writer.drain()
            for _ in range(60 if path == "/drip" else 0):
                await asyncio.sleep(0.1)
                writer.write(b".")
                await writer.drain()
            await asyncio.sleep(0.01)
            writer.close()
            return False
        name = path[1:].partition("?")[0]
        status = int(name) if name.isdigit() else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)
        await writer.drain()
        return True


class Recorder:
    """Takes events as the journal would, and waits for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, true: Callable[[Recorder], Any], within_s: float = 120) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: true(self), within_s), self.events[-3:]

    @property
    def ticks(self) -> list[Tick]:
        return [tick_from_json(e.data) for e in self.events if e.kind == "load.window"]

    @property
    def lost(self) -> list[str]:
        return [e.data["why"] for e in self.events if e.kind == "load.lost"]

    @property
    def cells(self) -> list[Cell]:
        return [cell for tick in self.ticks for cell in tick.cells]

    def wait_second(self, second: int) -> Tick:
        """The tick of a run second, when it has come."""
        self.wait(lambda r: any(t.second >= second for t in r.ticks))
        return next(t for t in self.ticks if t.second == second)

    def counts(self, *by: str) -> Counter[Any]:
        """How many requests by attributes of their cells; a single attribute counts plain."""
        total: Counter[Any] = Counter()
        for cell in self.cells:
            key = tuple(getattr(cell, name) for name in by)
            total[key[0] if len(by) == 1 else key] += count(cell.response)
        return total

    def response(self, **of: Any) -> dict[int, int]:
        """All response times of the cells with these attributes."""
        return merged(
            c.response for c in self.cells if all(getattr(c, k) == v for k, v in of.items())
        )


class Run:
    """A load under way, with its origin."""

    def __init__(self, load: LocustLoad, recorder: Recorder, origin_ns: int) -> None:
        self.load, self.heard, self.origin_ns = load, recorder, origin_ns
        self.facts: dict[str, Any] = {}

    def mono_s(self, second: float) -> float:
        """The monotonic time of a run second."""
        return self.origin_ns / 1e9 + second


@contextmanager
def running(
    spec: LoadSpec, url: str, directory: Path, *, origin_ns: int | None = None
) -> Iterator[Run]:
    """A started load; stopped at the end, and always ended."""
    load, heard = LocustLoad(spec, url, directory), Recorder()
    if origin_ns is None:  # so that a whole second comes soon after the child is usually ready
        origin_ns = time.monotonic_ns() - 200_000_000
    origin_wall_ms = int(time.time() * 1000)
    run = Run(load, heard, origin_ns)
    try:
        run.facts = dict(load.start(heard, origin_wall_ms=origin_wall_ms, origin_mono_ns=origin_ns))
        yield run
    finally:
        load.stop()


def journey(name: str, *paths: str, weight: int = 1, status: int | None = None) -> Journey:
    """A journey of GET steps called by their paths."""
    steps = tuple(
        RequestStep(method="GET", path=path, name=path, expect=Expect(status=status))
        for path in paths
    )
    return Journey(name=name, steps=steps, weight=weight)


def closed_port() -> int:
    """A port on which nobody listens."""
    return free_port()


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has buried yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def said_by(code: str) -> Any:
    """What *code* prints as JSON, in a process of its own: importing gevent patches a process."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
