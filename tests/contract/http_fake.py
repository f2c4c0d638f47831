"""What fakes over HTTP share: a handler that answers whole bodies, and a server on loopback."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler


class FakeHandler(BaseHTTPRequestHandler):
    """Says nothing on stderr."""

    timeout = 30

    def reply(self, status: int, data: bytes, **headers: str) -> None:
        """Answer *data* as JSON; `_` in the name of a header is `-`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that waits no longer, or whose connection was cut."""


@contextmanager
def served(handler: type[BaseRequestHandler], *, certificate: Path | None = None) -> Iterator[int]:
    """Its port, over HTTP, or with a *certificate* (and its key in one file) over HTTPS."""
    server = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
