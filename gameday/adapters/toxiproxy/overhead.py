"""What a proxy itself adds to a request, measured on this machine just before the load starts.

An echo is asked directly and through a proxy of its own, turn by turn, so that both see the same
machine. Only done on a server that gameday can be sure to clean up: its own, on loopback.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.errors import AdapterError

ROUNDS = 1000
LIMIT_S = 3.0
_MESSAGE = b"x" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Milliseconds that the proxy adds to a round trip of 64 bytes on an open connection."""

    added_p50_ms: float
    added_p99_ms: float
    n: int


def measure_overhead(url: str, run_id: str, *, rounds: int = ROUNDS) -> Overhead | None:
    """Measure, at most for `LIMIT_S`; None where it cannot be done. Leaves no proxy behind."""
    client = ToxiproxyClient(url, within_s=LIMIT_S + 5)
    name = f"measure-{run_id}"
    with _echo() as upstream:
        try:
            proxy = client.create(name, listen="127.0.0.1:0", upstream=upstream, enabled=True)
        except AdapterError:
            return None
        try:
            direct, proxied = _ask_both(upstream, proxy.listen, rounds)
        except OSError:
            return None
        finally:
            with contextlib.suppress(AdapterError):
                client.delete(name)
    if len(direct) < 100:
        return None
    a, b = quantiles(direct, n=100), quantiles(proxied, n=100)
    return Overhead(
        added_p50_ms=round(max(0.0, b[49] - a[49]), 3),
        added_p99_ms=round(max(0.0, b[98] - a[98]), 3),
        n=len(direct),
    )


def _ask_both(upstream: str, listen: str, rounds: int) -> tuple[list[float], list[float]]:
    """Round trips in ms, direct and proxied, one of each in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    with _connected(upstream) as direct, _connected(listen) as proxied:
        deadline = time.monotonic() + LIMIT_S
        for _ in range(rounds):
            if time.monotonic() > deadline:
                break
            for connection, taken in zip((direct, proxied), times, strict=True):
                begun = time.perf_counter()
                connection.sendall(_MESSAGE)
                left = len(_MESSAGE)
                while left:
                    part = connection.recv(left)
                    if not part:
                        raise ConnectionError("the echo is gone")
                    left -= len(part)
                taken.append((time.perf_counter() - begun) * 1000)
    return times


@contextlib.contextmanager
def _connected(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=LIMIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


@contextlib.contextmanager
def _echo() -> Iterator[str]:
    """An echo on a free loopback port, for a few connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while part := connection.recv(4096):
                    connection.sendall(part)

        threading.Thread(target=serve, name="echo", daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
