"""A small shop for journeys: what it was asked, in order, and answers as the test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float
    connection: int


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What to answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    after_s: float = 0.0

    @classmethod
    def of(cls, data: Any, **more: Any) -> Reply:
        return cls(body=json.dumps(data).encode(), **more)


class Shop(ThreadingHTTPServer):
    """Answers by `replies`: path without query -> reply; 404 without."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, replies: dict[str, Reply]) -> None:
        self.replies, self.asked = replies, list[Asked]()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def reply(self, asked: Asked) -> Reply:
        return self.replies.get(asked.path.partition("?")[0], Reply(status=404))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of the shop."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Shop

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = Asked(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
            at_s=time.monotonic(),
            connection=self.client_address[1],
        )
        with self.server.lock:
            self.server.asked.append(asked)
        reply = self.server.reply(asked)
        if reply.after_s:
            time.sleep(reply.after_s)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

    def log_message(self, *_: Any) -> None:
        """Nothing: the test looks at what was asked."""


@contextmanager
def shop(*, kind: type[Shop] = Shop, **replies: Reply) -> Iterator[Shop]:
    """A shop that answers `/name` with `name=Reply(…)`."""
    with kind({f"/{name}": reply for name, reply in replies.items()}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
