"""One direction of a connection: a link with its chain of toxics, from one socket to another.

A link without toxics hands each chunk from one socket to the other in the same callback; that is
the path nearly all traffic takes, and the reason why this works on sockets and not on streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING

from gameday.proxy.pipe import PipeStub
from gameday.proxy.stub import CHUNK_BYTES, Before, Stub
from gameday.proxy.stubs import make_stub
from gameday.proxy.toxic import PROXY_BANDWIDTH, Toxic, lot, parts_of, takes_part
from gameday.proxy.traffic import Counter

if TYPE_CHECKING:
    from gameday.proxy.connection import Connection

_READ_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
_LATER = (BlockingIOError, InterruptedError)


class Endpoint:
    """One socket of a connection, as seen by both links."""

    __slots__ = ("fd", "loop", "open", "sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.loop = loop
        self.sock = sock
        self.fd = sock.fileno()
        self.open = True

    def close(self, *, reset: bool = False) -> None:
        """Close the socket, with a reset when asked for."""
        if not self.open:
            return
        self.open = False
        self.loop.remove_reader(self.fd)
        self.loop.remove_writer(self.fd)
        if reset:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def shut_write(self) -> bool:
        """Send the end of the stream; False when the other side is gone already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True


class Link:
    """Carries one direction: reads `src`, passes the chain of stubs, writes `dst`.

    It is what stands before the first stub and after the last one.
    """

    __slots__ = (
        "_recv", "_send", "conn", "counter", "direction", "done", "dst", "eof", "finishing",
        "hard", "head", "loop", "paused", "pending", "size", "src", "stubs", "tail",
    )  # fmt: skip

    def __init__(
        self,
        conn: Connection,
        direction: str,
        src: Endpoint,
        dst: Endpoint,
        counter: Counter,
    ) -> None:
        self.conn = conn
        self.loop = conn.loop
        self.direction = direction
        self.src = src
        self.dst = dst
        self.counter = counter
        self.stubs: list[tuple[str, Stub]] = []
        self.head: Link | Stub = self
        self.tail: Before = self
        self.size = _READ_BYTES
        self.pending: deque[memoryview] = deque()
        self.paused = True
        self.eof = False
        self.finishing = False
        self.hard = False
        self.done = False
        self._recv = src.sock.recv
        self._send = dst.sock.send

    # -- the source ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Read again if the chain has room."""
        if self.paused and not self.eof and self.src.open and self.head.ready():
            self.paused = False
            self.loop.add_reader(self.src.fd, self._readable)

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            if self.src.open:
                self.loop.remove_reader(self.src.fd)

    def _readable(self) -> None:
        try:
            data = self._recv(self.size)
        except _LATER:
            return
        except OSError:
            self.conn.lost(self.src)
            return
        if not data:
            self.end_source()
            return
        self.counter.received += len(data)
        head = self.head
        head.push(data, self.loop.time())
        if not head.ready():
            self._pause()

    def end_source(self) -> None:
        """Let the end of the stream pass the chain; nothing more is read."""
        if not self.eof:
            self.eof = True
            self._pause()
            self.head.finish()

    # -- the sink -----------------------------------------------------------------------------

    def ready(self) -> bool:
        """Say whether the destination took everything so far."""
        return not self.pending

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        """Write to the destination, or behind what it has not taken yet."""
        del stamp
        if self.done:
            return
        if self.pending:
            self.pending.append(memoryview(data))
            return
        try:
            sent = self._send(data)
        except _LATER:
            sent = 0
        except OSError:
            self.conn.lost(self.dst)
            return
        self.counter.sent += sent
        if sent < len(data):
            self.pending.append(memoryview(data)[sent:])
            self.loop.add_writer(self.dst.fd, self._writable)

    def _writable(self) -> None:
        pending = self.pending
        try:
            while pending:
                sent = self._send(pending[0])
                self.counter.sent += sent
                if sent < len(pending[0]):
                    pending[0] = pending[0][sent:]
                    return
                pending.popleft()
        except _LATER:
            return
        except OSError:
            self.conn.lost(self.dst)
            return
        self.loop.remove_writer(self.dst.fd)
        if self.hard:
            self.conn.lost(self.dst)
        elif self.finishing:
            self._finish_now()
        else:
            self.tail.wake()

    def finish(self) -> None:
        """Pass the end of the stream on once everything is written."""
        self.finishing = True
        if not self.pending and not self.done:
            self._finish_now()

    def _finish_now(self) -> None:
        if self.dst.shut_write():
            self.done = True
            self.conn.link_done()
        else:
            self.conn.lost(self.dst)

    # -- ends ---------------------------------------------------------------------------------

    def hard_close(self) -> None:
        """Stop reading, write what is out already, then close the connection."""
        if self.done or self.hard:
            return
        self.hard = True
        self._stop()
        if not self.pending:
            self.conn.lost(self.dst)

    def reset(self) -> None:
        """Reset both sides of the connection."""
        self.conn.close(reset=True)

    def drop(self) -> None:
        """Forget everything that this link still carries."""
        self.done = True
        self._stop()
        self.pending.clear()

    def _stop(self) -> None:
        self.eof = True
        self._pause()
        for _, stub in self.stubs:
            stub.abort()

    # -- toxics -------------------------------------------------------------------------------

    def add(self, toxic: Toxic) -> None:
        """Put a stub for `toxic` at the end of the chain."""
        if self.done or self.hard or self.finishing:
            return
        stub = self._make(toxic, self.tail)
        self.stubs.append((toxic.name, stub))
        self._rewire()
        stub.start()
        self.wake()

    def insert(self, stub: Stub, *, first: bool) -> None:
        """Put a side of an HTTP toxic at the upstream's end of the chain; no data has passed."""
        self.stubs.insert(0 if first else len(self.stubs), ("", stub))
        self._rewire()

    def update(self, toxic: Toxic) -> None:
        """Let the stub of `toxic` follow its new attributes; what it holds back goes at once."""
        for index, (name, old) in enumerate(self.stubs):
            if name == toxic.name and not old.done and old.replaceable():
                old.release()
                if old.done:  # the write failed
                    return
                fresh = self._make(toxic, old.before)
                old.stop_timer()
                fresh.inherit(old)
                old.done = True
                self.stubs[index] = (name, fresh)
                self._rewire()
                fresh.start()
                fresh.before.wake()
                return

    def remove(self, name: str) -> None:
        """Take the stub of the toxic `name` out; never waits."""
        for index, (found, stub) in enumerate(self.stubs):
            if found == name:
                if not stub.done:
                    stub.remove()
                if not (self.done or self.hard):
                    del self.stubs[index]
                    before = stub.before
                    self._rewire()
                    before.wake()
                return

    def _make(self, toxic: Toxic, before: Before) -> Stub:
        conn = self.conn
        if not takes_part(toxic, conn.seed, conn.proxy, conn.number):
            return Stub(self, before, self)
        if toxic.type == PROXY_BANDWIDTH:
            return PipeStub(self, before, self, conn.common.pipe(toxic))
        draw = lot(conn.seed, "draws", *parts_of(toxic, conn.proxy), conn.number)
        return make_stub(toxic, self, before, self, draw)

    def _rewire(self) -> None:
        before: Link | Stub = self
        for _, stub in self.stubs:
            stub.before = before
            if isinstance(before, Stub):
                before.after = stub
            before = stub
        if isinstance(before, Stub):
            before.after = self
        self.head = self.stubs[0][1] if self.stubs else self
        self.tail = before
        self.size = CHUNK_BYTES if self.stubs else _READ_BYTES
