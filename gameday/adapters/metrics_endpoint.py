"""Serves the metrics of a run to Prometheus, from threads that nothing waits for."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

from gameday.errors import RefusedError, UsageError

#: The `Accept` header -> content type and text.
MetricsText: TypeAlias = Callable[[str], tuple[str, str]]
PATH = "/metrics"
#: A client that is silent for so long is given up.
IDLE_S = 5.0
#: Scrapes at the same time; more are turned away.
MAX_SCRAPES = 8
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+)?:)?(?P<port>\d{1,5})")


class MetricsEndpoint:
    """Listens on *listen*: `PORT` or `:PORT` (this machine only), or `HOST:PORT`; 0 is any port."""

    def __init__(self, listen: str, text: MetricsText) -> None:
        host, port = address_of(listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server((host, port), family, text)
        except OSError as error:
            raise RefusedError(
                f"metrics cannot be served at `{listen}`: {error.strerror or error}; "
                "choose another port with `--metrics`, 0 is any free one"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="gameday-metrics",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is, as bound."""
        host, port = self._server.server_address[:2]
        text = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{text}:{port}{PATH}"

    def close(self) -> None:
        """End, within about a second. Idempotent."""
        self._server.shutdown()
        self._thread.join(2.0)
        self._server.server_close()


def address_of(listen: str) -> tuple[str, int]:
    """Host and port. Raises UsageError."""
    found = _ADDRESS.fullmatch(listen.strip())
    if found is None or int(found["port"]) > 65_535:
        raise UsageError(
            f"`--metrics {listen}` is not an address; write a port, `127.0.0.1:9464`, or "
            "`0.0.0.0:9464` where other machines may ask"
        )
    return (found["host"] or "127.0.0.1").strip("[]"), int(found["port"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = MAX_SCRAPES

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, text: MetricsText
    ) -> None:
        self.address_family = family
        self.text = text
        self.free = threading.BoundedSemaphore(MAX_SCRAPES)
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE_S
    server_version = "gameday"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one scrape."""
        if self.path.partition("?")[0] != PATH:
            self._answer(404, "text/plain; charset=utf-8", f"metrics are at {PATH}\n")
            return
        if not self.server.free.acquire(blocking=False):
            self._answer(503, "text/plain; charset=utf-8", "too many scrapes at the same time\n")
            return
        try:
            self._answer(200, *self.server.text(self.headers.get("Accept", "")))
        finally:
            self.server.free.release()

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are no news."""

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
