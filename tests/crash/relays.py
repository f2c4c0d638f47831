"""Relays in front of a server that hold the answer of one chosen request back, for good."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CHANGES = (b"POST ", b"PUT ", b"PATCH ", b"DELETE ")


@dataclass
class HoldingRelay:
    """Passes everything on, and counts the requests that change something.

    The answer to the `hold`-th of them never arrives; `held` is set when the server has given it.
    With `early` the request itself is held back, and passed on when `release` is set: it lands
    late.
    """

    to: tuple[str, int] | str  # an address, or the path of a socket
    hold: int | None = None
    early: bool = False
    requests: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    landed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()
        self.release.set()

    def _connect(self) -> socket.socket:
        if isinstance(self.to, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.to)
            return server
        return socket.create_connection(self.to)

    def _carry(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        with self._lock:
            self._open += [client, server]
        quiet = threading.Event()
        back = threading.Thread(target=self._back, args=(server, client, quiet), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if data.startswith(_CHANGES):
                    self._change(data, quiet)
                server.sendall(data)
                if quiet.is_set():
                    self.landed.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _change(self, data: bytes, quiet: threading.Event) -> None:
        line = data.partition(b"\r\n")[0].decode("latin-1").rpartition(" HTTP")[0]
        with self._lock:
            number = len(self.requests)
            self.requests.append(line)
        if number != self.hold:
            return
        quiet.set()
        if self.early:
            self.held.set()
            self.release.wait(120)

    def _back(self, server: socket.socket, client: socket.socket, quiet: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if quiet.is_set():
                    self.held.set()
                    continue
                client.sendall(data)
        if not quiet.is_set():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tcp_relay(relay: HoldingRelay) -> Iterator[int]:
    """The relay on a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            relay.close()


@contextlib.contextmanager
def unix_relay(relay: HoldingRelay, path: Path) -> Iterator[str]:
    """The relay on a socket at *path*."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            relay.close()
            with contextlib.suppress(OSError):
                path.unlink()
