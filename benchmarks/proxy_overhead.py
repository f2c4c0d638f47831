"""What the embedded proxy adds to a request: direct, through the real server, through ours.

Run `python benchmarks/proxy_overhead.py [--seconds N] [--json]`. All ways are measured in one run,
in turns of a fraction of a second, so that a busy machine hurts them alike. The client sends
requests of 200 bytes on a kept connection, or on a new one each, and waits for answers of 1 KB.
Load numbers are ratios to direct; times are milliseconds of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

REQUEST = b"q" * 200
ANSWER = b"a" * 1024
RATE = 200
TURN_S = 0.5
PARALLEL = 16
BULK_BYTES = 16 * 1024 * 1024


class _Answering(asyncio.Protocol):
    """Answers every 200 bytes with 1 KB; `B` first asks for a lot of data."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.waiting = 0

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"B":
            self.transport.write(b"z" * BULK_BYTES)
            return
        self.waiting += len(data)
        while self.waiting >= len(REQUEST):
            self.waiting -= len(REQUEST)
            self.transport.write(ANSWER)


async def _upstream() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@dataclass(slots=True)
class Way:
    """One way to the upstream and what was measured on it."""

    name: str
    port: int
    kept_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)
    requests: int = 0
    busy_s: float = 0.0
    bulk_bytes: int = 0
    bulk_s: float = 0.0

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def ask(sock: socket.socket) -> None:
    sock.sendall(REQUEST)
    left = len(ANSWER)
    while left:
        left -= len(sock.recv(left)) or sys.exit("the connection was closed")


def paced(way: Way, seconds: float) -> None:
    """Ask at a fixed rate on a kept connection; times count from the intended start."""
    with way.connect() as sock:
        ask(sock)
        start = time.perf_counter()
        for number in range(round(seconds * RATE)):
            intended = start + number / RATE
            while (left := intended - time.perf_counter()) > 0:
                time.sleep(max(left - 0.0005, 0))
            ask(sock)
            way.kept_ms.append((time.perf_counter() - intended) * 1000)


def fresh(way: Way, seconds: float) -> None:
    """Connect, ask and close, one after the other."""
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        with way.connect() as sock:
            ask(sock)
        way.fresh_ms.append((time.perf_counter() - start) * 1000)


async def _flood(way: Way, seconds: float) -> None:
    end = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        count = 0
        while time.perf_counter() < end:
            writer.write(REQUEST)
            await reader.readexactly(len(ANSWER))
            count += 1
        writer.close()
        await writer.wait_closed()
        return count

    start = time.perf_counter()
    way.requests += sum(await asyncio.gather(*(one() for _ in range(PARALLEL))))
    way.busy_s += time.perf_counter() - start


def flood(way: Way, seconds: float) -> None:
    """Ask as fast as possible on 16 connections."""
    asyncio.run(_flood(way, seconds))


def bulk(way: Way, seconds: float) -> None:
    """Fetch 16 MB."""
    del seconds
    with way.connect() as sock:
        start = time.perf_counter()
        sock.sendall(b"B")
        buffer = bytearray(256 * 1024)
        left = BULK_BYTES
        while left:
            left -= sock.recv_into(buffer, min(left, len(buffer))) or sys.exit("closed")
        way.bulk_bytes += BULK_BYTES
        way.bulk_s += time.perf_counter() - start


def call(port: int, method: str, path: str, value: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, None if value is None else json.dumps(value))
        data = connection.getresponse().read()
    return json.loads(data) if data else None


@contextlib.contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # the real server writes a line a connection, and stops when nobody reads them
        env={**os.environ, "LOG_LEVEL": "error"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def through(api: int, upstream: int) -> int:
    """Create a proxy to the upstream; return its port."""
    body = {"name": "bench", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}"}
    for _ in range(200):
        with contextlib.suppress(OSError):
            return int(call(api, "POST", "/proxies", body)["listen"].rpartition(":")[2])
        time.sleep(0.05)
    sys.exit("the server does not answer")


@contextlib.contextmanager
def ways() -> Iterator[tuple[list[Way], int]]:
    """Start everything; yield the ways and the API port of our server."""
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(child(sys.executable, __file__, "--upstream"))
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline())
        ours = stack.enter_context(
            child(
                *(sys.executable, "-m", "gameday.proxy", "--host", "127.0.0.1"),
                *("--port", "0", "--die-with-fd", "0"),
            )
        )
        assert ours.stdout is not None
        api = int(json.loads(ours.stdout.readline())["port"])
        found = [Way("direct", port)]
        if binary := shutil.which("toxiproxy-server"):
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                real = sock.getsockname()[1]
            stack.enter_context(child(binary, "-host", "127.0.0.1", "-port", str(real)))
            found.append(Way("real", through(real, port)))
        found.append(Way("embedded", through(api, port)))
        yield found, api


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)]


def measure(seconds: float) -> dict[str, Any]:
    rounds = max(2, round(seconds / 6.5))  # three ways of about 2.1 s
    with ways() as (found, api):
        for number in range(rounds):
            for way in found[number % len(found) :] + found[: number % len(found)]:
                paced(way, 2 * TURN_S)  # 1000 samples and more, or p99 means nothing
                fresh(way, TURN_S)
                flood(way, TURN_S)
                bulk(way, TURN_S)
        health = call(api, "GET", "/gameday/health")
    direct = found[0]
    report: dict[str, Any] = {"rounds": rounds, "rate": RATE, "ways": {}}
    for way in found:
        entry: dict[str, float] = {}
        for kind in ("kept", "fresh"):
            mine, base = getattr(way, f"{kind}_ms"), getattr(direct, f"{kind}_ms")
            for q in (0.5, 0.99):
                key = f"{kind}_p{round(q * 100)}_ms"
                entry[key] = quantile(mine, q)
                entry[f"{kind}_added_p{round(q * 100)}_ms"] = quantile(mine, q) - quantile(base, q)
        entry["requests_per_s"] = way.requests / way.busy_s
        entry["requests_ratio"] = entry["requests_per_s"] / (direct.requests / direct.busy_s)
        entry["megabytes_per_s"] = way.bulk_bytes / way.bulk_s / 1e6
        entry["bulk_ratio"] = way.bulk_bytes / way.bulk_s / (direct.bulk_bytes / direct.bulk_s)
        report["ways"][way.name] = {key: round(value, 3) for key, value in entry.items()}
    report["embedded_loop_lag_ms"] = health["loop_lag_ms"]["since_start"]
    report["embedded_cpu_s"] = health["cpu_s"]
    return report


def table(report: dict[str, Any]) -> str:
    names = list(report["ways"])
    keys = list(report["ways"][names[0]])
    lines = [f"{'':24}" + "".join(f"{name:>12}" for name in names)]
    lines += [
        f"{key:24}" + "".join(f"{report['ways'][name][key]:12.3f}" for name in names)
        for key in keys
    ]
    lag = report["embedded_loop_lag_ms"]
    lines.append(
        f"embedded loop lag: p50 {lag['p50']} ms, p99 {lag['p99']} ms, max {lag['max']} ms"
    )
    if "real" not in names:
        lines.append("`toxiproxy-server` is not on PATH: measured without it")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=50.0, help="about how long (at most 50)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.upstream:
        asyncio.run(_upstream())
        return
    report = measure(min(options.seconds, 50.0))
    print(json.dumps(report, indent=2) if options.json else table(report))


if __name__ == "__main__":
    main()
