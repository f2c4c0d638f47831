"""Servers under test, upstreams and clients: everything on loopback, everything bounded."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ports_support import free_port

WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def type(self) -> str | None:
        return self.headers.get("content-type")

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json()["error"])


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server; `kind` is `embedded` or `real`."""

    kind: str
    host: str
    port: int
    process: subprocess.Popen[bytes]
    ready: dict[str, Any] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        value: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        within_s: float = WITHIN_S,
    ) -> Reply:
        data = raw if raw is not None else None if value is None else json.dumps(value).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=within_s)
        try:
            connection.request(method, path, body=data, headers=headers or {})
            answer = connection.getresponse()
            return Reply(
                status=answer.status,
                headers={name.lower(): text for name, text in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def ok(self, method: str, path: str, value: object = None, **more: Any) -> Any:
        reply = self.call(method, path, value, **more)
        assert reply.status < 300, (reply.status, reply.body)
        return reply.json() if reply.body else None

    def proxy(
        self, upstream: Upstream | str, *, name: str = "p", listen: str = "127.0.0.1:0", **more: Any
    ) -> tuple[str, int]:
        """Create a proxy and return where it listens."""
        target = upstream if isinstance(upstream, str) else upstream.address
        made = self.ok(
            "POST", "/proxies", {"name": name, "listen": listen, "upstream": target, **more}
        )
        return endpoint(made["listen"])

    def toxic(
        self, type_: str, *, proxy: str = "p", stream: str = "downstream", **more: Any
    ) -> dict[str, Any]:
        toxicity = more.pop("toxicity", 1.0)
        name = more.pop("name", f"{type_}_{stream}")
        made = self.ok(
            "POST",
            f"/proxies/{proxy}/toxics",
            {
                "type": type_, "name": name, "stream": stream,
                "toxicity": toxicity, "attributes": more,
            },
        )  # fmt: skip
        assert isinstance(made, dict)
        return made

    def clean(self) -> None:
        for name in self.ok("GET", "/proxies"):
            if "/" not in name:
                self.call("DELETE", "/proxies/" + http_quoted(name))

    def health(self) -> dict[str, Any]:
        found = self.ok("GET", "/gameday/health")
        assert isinstance(found, dict)
        return found

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def http_quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def endpoint(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def start_embedded(*more: str, host: str = "127.0.0.1") -> Server:
    """Start our server on a free port; it ends when its standard input does."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gameday.proxy", "--host", host, "--port", "0"),
            *("--seed", "7", "--die-with-fd", "0", *more),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    return Server(
        kind="embedded", host=ready["host"], port=ready["port"], process=process, ready=ready
    )


def start_real() -> Server:
    """Start `toxiproxy-server` on a free port, under a shell that ends it with its own input."""
    port = free_port()
    command = shutil.which("toxiproxy-server")
    assert command
    script = '"$0" "$@" >/dev/null 2>&1 & p=$!; cat >/dev/null; kill -9 $p'
    process = subprocess.Popen(
        [
            *("/bin/sh", "-c", script, command),
            *("-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"),
        ],
        stdin=subprocess.PIPE,
        env={**os.environ, "LOG_LEVEL": "error"},
    )
    server = Server(kind="real", host="127.0.0.1", port=port, process=process)
    wait_for(lambda: _answers(server), "toxiproxy-server answers")
    return server


def _answers(server: Server) -> bool:
    with contextlib.suppress(OSError):
        return server.call("GET", "/version", within_s=1).status == 200
    return False


def wait_for(true: Callable[[], bool], what: str, within_s: float = 120.0) -> None:
    """Poll until `true` holds; fails with `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.005)


Serve = Callable[[socket.socket], None]


def echo(sock: socket.socket) -> None:
    """Send back what comes, until the end of the stream."""
    while data := sock.recv(65536):
        sock.sendall(data)


def swallow(sock: socket.socket) -> None:
    """Read until the end of the stream."""
    while sock.recv(65536):
        pass


class Upstream:
    """A server in threads; `serve` handles one connection, whose socket is closed after it."""

    def __init__(self, serve: Serve = echo, host: str = "127.0.0.1", port: int = 0) -> None:
        self._serve = serve
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(512)
        self.host, self.port = self._listener.getsockname()[:2]
        self.address = f"[{self.host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.accepted = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            sock.settimeout(WITHIN_S * 2)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.accepted += 1
                self._open.add(sock)
            thread = threading.Thread(target=self._one, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._serve(sock)
        with self._lock:
            self._open.discard(sock)
        sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(WITHIN_S)
        for thread in self._threads:
            thread.join(WITHIN_S)

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def client(at: tuple[str, int], within_s: float = WITHIN_S) -> Iterator[socket.socket]:
    with socket.create_connection(at, timeout=within_s) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Read `size` bytes, or fewer at the end of the stream."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 65536))
        if not part:
            break
        data += part
    return bytes(data)


def read_end(sock: socket.socket) -> tuple[bytes, str]:
    """Read until the end; return the data and how it ended: `fin` or `reset`."""
    data = bytearray()
    try:
        while part := sock.recv(65536):
            data += part
    except ConnectionResetError:
        return bytes(data), "reset"
    return bytes(data), "fin"


def round_trip_s(sock: socket.socket, data: bytes = b"ping") -> float:
    start = time.monotonic()
    sock.sendall(data)
    assert read_exactly(sock, len(data)) == data
    return time.monotonic() - start
