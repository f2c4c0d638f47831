"""Servers, services and fakes for the contract of the Toxiproxy adapter."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from http_fake import served

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.fault import TargetProxy, ToxiproxyFault
from gameday.adapters.toxiproxy.server import ServerChoice
from gameday.adapters.toxiproxy.state import ProxyState, ToxicState
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec, ToxicSpec

RUN = "run-1"
FOREIGN = ToxicState(name="theirs", type="latency", attributes={"latency": 1, "jitter": 0})


def wait_until(what: str, condition: Callable[[], bool], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


@dataclass
class Lab:
    """A server with one proxy `payments` that was there before, and a foreign one beside it."""

    server: ServerChoice
    target: Target
    upstream: int

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def client(self) -> ToxiproxyClient:
        return ToxiproxyClient(self.url)

    @property
    def port(self) -> int:
        return int((self.target.listen or "").rpartition(":")[2])

    def create(self, *toxics: ToxicState, enabled: bool = True) -> None:
        """The proxy of the target, as somebody else made it."""
        assert self.target.listen
        assert self.target.upstream
        self.client.create(
            "payments", listen=self.target.listen, upstream=self.target.upstream, enabled=False
        )
        for toxic in toxics:
            self.client.add_toxic("payments", toxic)
        if enabled:
            self.client.enable("payments", True)

    def fault(self, spec: FaultSpec, run: str = RUN) -> ToxiproxyFault:
        return ToxiproxyFault(self.url, run, self.target, spec)

    def proxy(self, run: str = RUN) -> TargetProxy:
        return TargetProxy(self.url, run, self.target)

    def payments(self) -> ProxyState | None:
        return self.client.proxy("payments")

    def clean(self) -> None:
        for name in self.client.proxies():
            self.client.delete(name)


def toxic(fault_id: str, kind: str, stream: str = "downstream", **attributes: Any) -> FaultSpec:
    spec = ToxicSpec(type=kind, stream=stream, attributes=attributes)
    return FaultSpec(id=fault_id, target="pay", toxic=spec)


def down(fault_id: str) -> FaultSpec:
    return FaultSpec(id=fault_id, target="pay", down=True)


@contextmanager
def http_service(size: int = 3000) -> Iterator[int]:
    """A service that answers 200 with *size* bytes to everything; yields its port."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer + b"x" * size)

    with served(Handler) as port:
        yield port


@contextmanager
def silent_server(*, version: bool = False, status: int | None = None) -> Iterator[str]:
    """Accepts and never answers; or tells its version all the same; or answers with a status."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            request = self.request.recv(65536)
            if version and b" /version " in request:
                body = b'{"version": "2.12.0"}\n'
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                self.request.sendall(head % len(body) + body)
            elif status is not None:
                head = b"HTTP/1.1 %d No\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
                self.request.sendall(head % status)
            else:
                over.wait(30)

    with served(Handler) as port:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            over.set()


class Impatient:
    """Clients that ask through a port all the time and go away after *patience_s*."""

    def __init__(self, port: int, *, clients: int = 20, patience_s: float = 0.2) -> None:
        self.port, self.patience_s = port, patience_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Impatient:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)

    def _ask(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                where = ("127.0.0.1", self.port)
                with socket.create_connection(where, timeout=self.patience_s) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    while connection.recv(65536):
                        pass
            self._over.wait(0.01)


@contextmanager
def chunky_service(chunks: int = 8) -> Iterator[int]:
    """A service whose answers come in pieces: what hangs a Toxiproxy when a toxic is removed."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(chunks):
                self.wfile.write(b"x" * 20_000)
                self.wfile.flush()
                time.sleep(0.01)

    with served(Handler) as port:
        yield port


@contextmanager
def server_process(command: list[str], port: int, log: Path) -> Iterator[str]:
    """A Toxiproxy at a fixed port, until the end of the block."""
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until("the server answers", ToxiproxyClient(url).alive, 15)
        yield url
    finally:
        child.kill()
        child.wait(10)
