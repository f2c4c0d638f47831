"""Taking a fault out under the load that hangs a Toxiproxy: replacing the proxy, and the usual way.

40 clients go away after 0.3 s while a latency of 2 s holds answers of 8 pieces. A revert is clean
when the proxy reads back without toxic and the server still lists its proxies. For comparison the
toxic is deleted, which is what everybody does. Prints one JSON object; about four minutes.

    python benchmarks/wedge.py [REPETITIONS]
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests

from gameday.adapters.toxiproxy.fault import TargetProxy, ToxiproxyFault
from gameday.adapters.toxiproxy.server import choose_server
from gameday.adapters.toxiproxy.undo import UNDOER
from gameday.errors import GamedayError
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec, ToxicSpec

CLIENTS = 40
PATIENCE_S = 0.3
UNDER_LOAD_S = 3.0
NAIVE_REPETITIONS = 2
NAIVE_WAIT_S = 10.0
TOXIC = ToxicSpec(type="latency", attributes={"latency": 2000, "jitter": 500})


class Service:
    """Answers in 8 pieces, 10 ms apart."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    @staticmethod
    def _answer(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(8):
                client.sendall(b"x" * 20_000)
                time.sleep(0.01)


def ask_and_leave(port: int, over: threading.Event) -> None:
    """A client without patience."""
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE_S) as asked:
            asked.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while asked.recv(65536):
                pass
        over.wait(0.01)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def once(kind: str, service: Service, *, naive: bool) -> tuple[bool, float, float]:
    """One fault in and out on a fresh server; whether it was clean, and both times in ms."""
    with tempfile.TemporaryDirectory() as logs:
        server = choose_server(None, log_dir=Path(logs), force_kind=kind)
        port, over = free_port(), threading.Event()
        target = Target(
            name="t",
            proxy="p",
            listen=f"127.0.0.1:{port}",
            upstream=f"127.0.0.1:{service.port}",
        )
        clients = [
            threading.Thread(target=ask_and_leave, args=(port, over), daemon=True)
            for _ in range(CLIENTS)
        ]
        try:
            proxy = TargetProxy(server.url, "bench", target)
            proxy.open(proxy.prepare())
            for client in clients:
                client.start()
            fault = ToxiproxyFault(
                server.url, "bench", target, FaultSpec(id="f", target="t", toxic=TOXIC)
            )
            undo = fault.prepare()
            begun = time.perf_counter()
            fault.inject(undo)
            injected = time.perf_counter()
            time.sleep(UNDER_LOAD_S)
            reverting = time.perf_counter()
            clean = delete_toxic(server.url) if naive else replace(undo)
            ended = time.perf_counter()
        finally:
            over.set()
            for client in clients:
                client.join(5)
            server.stop()
    return clean, (injected - begun) * 1000, (ended - reverting) * 1000


def replace(undo: object) -> bool:
    """What gameday does."""
    try:
        UNDOER.revert(undo)  # type: ignore[arg-type]
        return not UNDOER.present(undo)  # type: ignore[arg-type]
    except GamedayError:
        return False


def delete_toxic(url: str) -> bool:
    """What everybody does."""
    try:
        path = f"{url}/proxies/p/toxics/gameday-bench-f"
        return requests.delete(path, timeout=NAIVE_WAIT_S).status_code == 204
    except requests.RequestException:
        return False


def measure(kind: str, service: Service, repetitions: int, *, naive: bool) -> dict[str, object]:
    """Clean runs of how many, and the slowest inject and revert."""
    runs = [once(kind, service, naive=naive) for _ in range(repetitions)]
    return {
        "clean": sum(clean for clean, _, _ in runs),
        "of": repetitions,
        "inject_max_ms": round(max(ms for _, ms, _ in runs)),
        "revert_max_ms": round(max(ms for _, _, ms in runs)),
    }


def main() -> int:
    """Print what was measured; 1 if replacing was not clean each time."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    kinds = ["embedded", *(["started"] if shutil.which("toxiproxy-server") else [])]
    service = Service()
    found = {kind: measure(kind, service, repetitions, naive=False) for kind in kinds}
    usual = {kind: measure(kind, service, NAIVE_REPETITIONS, naive=True) for kind in kinds}
    print(json.dumps({"replacing the proxy": found, "deleting the toxic": usual}, indent=1))
    return int(any(row["clean"] != row["of"] for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
