"""Connecting to the upstream: without tasks, in bounded time, never in the way of accepting."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from gameday.proxy.address import AddressError, literal, lookup, port_number, split

DIAL_WITHIN_S = 5.0
"""The longest that one client waits for its upstream, all addresses of a name together."""

_KNOWN_FOR_S = 5.0
_KEEPALIVE_S = 15


def tune(sock: socket.socket) -> None:
    """Set what every proxied socket has: no blocking, no delay, keep-alive as in Go."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_S)


class Target:
    """Where a proxy connects to: an address or a name that is looked up now and then."""

    def __init__(self, upstream: str) -> None:
        self.port = 0
        self.host = ""
        self.ips: tuple[str, ...] = ()
        self.broken = False
        self.fixed = False
        self._known_until = 0.0
        self._lookup: asyncio.Task[tuple[str, ...]] | None = None
        try:
            self.host, port = split(upstream)
            self.port = port_number(port)
        except AddressError:
            self.broken = True
            return
        if self.host == "localhost":
            self.ips = ("127.0.0.1", "::1")
        elif ip := literal(self.host or "127.0.0.1"):
            self.ips = (ip,)
        self.fixed = bool(self.ips)

    def known(self, now: float) -> bool:
        """Say whether the addresses are known without a lookup."""
        return self.broken or self.fixed or (bool(self.ips) and now < self._known_until)

    async def refresh(self) -> None:
        """Look the name up; several clients that wait share one lookup."""
        if self._lookup is None:
            self._lookup = asyncio.ensure_future(lookup(self.host))
        task = self._lookup
        try:
            self.ips = await asyncio.shield(task)
            self._known_until = asyncio.get_running_loop().time() + _KNOWN_FOR_S
        except AddressError:
            self.ips = ()
        finally:
            if self._lookup is task:
                self._lookup = None


class Dial:
    """An attempt to reach the upstream for one client; calls `done` once: a socket or None."""

    __slots__ = ("_done", "_ips", "_loop", "_sock", "_target", "_task", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        target: Target,
        done: Callable[[socket.socket | None], None],
    ) -> None:
        self._loop = loop
        self._target = target
        self._done: Callable[[socket.socket | None], None] | None = done
        self._sock: socket.socket | None = None
        self._ips: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; `done` may be called before this returns."""
        if self._target.known(self._loop.time()):
            self._ips = list(self._target.ips)
            self._next()
            if self._done is None:
                return
        else:
            self._task = self._loop.create_task(self._resolve())
        self._timer = self._loop.call_later(DIAL_WITHIN_S, self._end, None)

    async def _resolve(self) -> None:
        await self._target.refresh()
        self._ips = list(self._target.ips)
        self._next()

    def _next(self) -> None:
        while self._ips and self._done is not None:
            ip = self._ips.pop(0)
            try:
                sock = socket.socket(
                    socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM
                )
            except OSError:
                continue
            self._sock = sock
            try:
                tune(sock)
                code = sock.connect_ex((ip, self._target.port))
            except (OSError, OverflowError):
                code = errno.EINVAL
            if code == 0:
                self._connected()
                return
            if code == errno.EINPROGRESS:
                self._loop.add_writer(sock.fileno(), self._writable)
                return
            self._drop_socket()
        self._end(None)

    def _writable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        self._loop.remove_writer(sock.fileno())
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            self._connected()
        else:
            self._drop_socket()
            self._next()

    def _connected(self) -> None:
        sock = self._sock
        try:
            # a free port of this machine can be connected to itself; nobody is there
            itself = sock is None or sock.getsockname() == sock.getpeername()
        except OSError:
            itself = True
        if itself:
            self._drop_socket()
            self._next()
            return
        self._sock = None
        self._end(sock)

    def _drop_socket(self) -> None:
        if self._sock is not None:
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _end(self, sock: socket.socket | None) -> None:
        done, self._done = self._done, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop_socket()
        if done is not None:
            done(sock)

    def abort(self) -> None:
        """Give up without calling `done`."""
        self._done = None
        if self._task is not None:
            self._task.cancel()
        self._end(None)
