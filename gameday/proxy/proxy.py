"""One proxy: a listener, an upstream, toxics, and the connections that are alive."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass, field, replace

from gameday.proxy import toxic as toxics
from gameday.proxy.address import Address, bind
from gameday.proxy.common import Common
from gameday.proxy.connection import Connection
from gameday.proxy.dial import Dial, Target, tune
from gameday.proxy.toxic import DOWNSTREAM, SLOW_CONNECT, UPSTREAM, Toxic, takes_part
from gameday.proxy.traffic import Counter, Traffic

_ACCEPT_AT_ONCE = 64
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.1


_MAX_NAMES = 20_000


@dataclass(slots=True)
class Counts:
    """What happened on the proxies of one name since the server started."""

    accepted: int = 0
    refused_dials: int = 0
    turned_away: int = 0


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all proxies of one server share.

    `room` is how many sockets the proxies may have open together; beyond it new clients are closed
    at once and counted, so that the HTTP API always has a file descriptor left.
    """

    loop: asyncio.AbstractEventLoop
    traffic: Traffic
    seed: int
    room: int
    sockets: int = 0
    counts: dict[str, Counts] = field(default_factory=dict)

    def counts_of(self, name: str) -> Counts:
        """Return the counts of a name; a proxy that is created again goes on counting."""
        if name not in self.counts and len(self.counts) >= _MAX_NAMES:
            del self.counts[next(iter(self.counts))]
        return self.counts.setdefault(name, Counts())


@dataclass(slots=True)
class _Waiting:
    client: socket.socket
    dial: Dial | None = None
    timer: asyncio.TimerHandle | None = None

    def dial_now(self) -> None:
        """Wait no longer with dialling."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            if self.dial is not None:
                self.dial.start()


class Proxy:
    """A named proxy. All methods are plain calls on the event loop and return at once."""

    def __init__(self, shared: Shared, *, name: str, listen: str, upstream: str) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self.counts = shared.counts_of(name)
        self._clients = 0
        self._shared = shared
        self._toxics: dict[str, Toxic] = {}
        self._common = Common(shared.loop)
        self._listener: socket.socket | None = None
        self._target = Target(upstream)
        self._counters: tuple[Counter, Counter] | None = None
        self._connections: set[Connection] = set()
        self._dials: dict[int, _Waiting] = {}

    # -- what the API shows -------------------------------------------------------------------

    def shown(self) -> dict[str, object]:
        """Return the JSON value of the API, stray `Logger` included."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": self.shown_toxics(),
        }

    def shown_toxics(self) -> list[dict[str, object]]:
        """Return the toxics as the API lists them: upstream ones first."""
        return [
            item.shown()
            for direction in toxics.DIRECTIONS
            for item in self._toxics.values()
            if item.direction == direction
        ]

    @property
    def in_flight(self) -> int:
        """Clients that are connected or waiting for the upstream."""
        return len(self._connections) + len(self._dials)

    def shown_http(self) -> dict[str, object]:
        """Return what HTTP toxics saw and did, for the health page."""
        return self._common.shown(self._toxics.values())

    # -- on and off ---------------------------------------------------------------------------

    def start(self, address: Address) -> None:
        """Listen on `address`; raises `ListenError`, and then the proxy stays as it was: off."""
        sock, self.listen = bind(address)
        self._listener = sock
        self._counters = None
        self.enabled = True
        self._shared.loop.add_reader(sock.fileno(), self._acceptable)

    def stop(self) -> None:
        """Close the listener and every connection before returning."""
        self.enabled = False
        if self._listener is not None:
            self._shared.loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for waiting in list(self._dials.values()):
            if waiting.timer is not None:
                waiting.timer.cancel()
            if waiting.dial is not None:
                waiting.dial.abort()
            self._close_client(waiting.client)
        self._dials.clear()
        for connection in list(self._connections):
            connection.close()

    def move(self, *, listen: str, upstream: str) -> None:
        """Take new addresses; the proxy must be off."""
        self.listen = listen
        self.upstream = upstream
        self._target = Target(upstream)
        self._counters = None

    # -- toxics -------------------------------------------------------------------------------

    def toxic(self, name: str) -> Toxic | None:
        """Return a toxic by its name."""
        return self._toxics.get(name)

    def toxic_names(self) -> set[str]:
        """Return the names that are taken."""
        return set(self._toxics)

    def add_toxic(self, toxic: Toxic) -> None:
        """Add a toxic, for open connections too."""
        taken = {other.ordinal for other in self._toxics.values() if other.type == toxic.type}
        ordinal = next(number for number in range(len(taken) + 1) if number not in taken)
        toxic = self._toxics[toxic.name] = replace(toxic, ordinal=ordinal)
        for connection in list(self._connections):
            connection.add(toxic)

    def update_toxic(self, toxic: Toxic) -> None:
        """Replace a toxic by the one with the same name and new settings."""
        self._toxics[toxic.name] = toxic
        self._dial_waiting(toxic)
        for connection in list(self._connections):
            connection.update(toxic)

    def remove_toxic(self, name: str) -> None:
        """Take a toxic out; what it holds back goes on at once."""
        toxic = self._toxics.pop(name)
        self._dial_waiting(toxic)
        for connection in list(self._connections):
            connection.remove(toxic)
        self._common.forget(name)

    def _dial_waiting(self, toxic: Toxic) -> None:
        """Serve at once whoever a toxic that was changed or taken out lets wait."""
        if toxic.type == SLOW_CONNECT:
            for waiting in list(self._dials.values()):
                waiting.dial_now()

    # -- clients ------------------------------------------------------------------------------

    def _acceptable(self) -> None:
        listener = self._listener
        for _ in range(_ACCEPT_AT_ONCE):
            if listener is None or listener is not self._listener:
                return
            try:
                client = listener.accept()[0]
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._pause_accepting(listener)
                return
            self._accepted(client)

    def _pause_accepting(self, listener: socket.socket) -> None:
        loop = self._shared.loop
        loop.remove_reader(listener.fileno())

        def again() -> None:
            if listener is self._listener:
                loop.add_reader(listener.fileno(), self._acceptable)

        loop.call_later(_PAUSE_S, again)

    def _accepted(self, client: socket.socket) -> None:
        if self._shared.sockets + 2 > self._shared.room:
            self.counts.turned_away += 1
            client.close()
            return
        try:
            tune(client)
        except OSError:
            client.close()
            return
        number = self._clients
        self._clients += 1
        self.counts.accepted += 1
        self._shared.sockets += 2
        waiting = self._dials[number] = _Waiting(client)
        waiting.dial = Dial(
            self._shared.loop, self._target, lambda upstream: self._dialled(number, upstream)
        )
        delay_s = self._connect_delay_s(number)
        if delay_s > 0:
            waiting.timer = self._shared.loop.call_later(delay_s, waiting.dial_now)
        else:
            waiting.dial.start()

    def _connect_delay_s(self, number: int) -> float:
        seed = self._shared.seed
        return sum(
            int(toxic.attributes["delay"]) / 1000
            for toxic in self._toxics.values()
            if toxic.type == SLOW_CONNECT and takes_part(toxic, seed, self.name, number)
        )

    def _dialled(self, number: int, upstream: socket.socket | None) -> None:
        client = self._dials.pop(number).client
        if upstream is None:
            self.counts.refused_dials += 1
            self._close_client(client)
            return
        connection = Connection(
            loop=self._shared.loop,
            client=client,
            upstream=upstream,
            proxy=self.name,
            number=number,
            seed=self._shared.seed,
            counters=self._counter_pair(),
            on_closed=self._closed,
            common=self._common,
        )
        self._connections.add(connection)
        connection.start(self._toxics.values())

    def _counter_pair(self) -> tuple[Counter, Counter]:
        if self._counters is None:
            up, down = (
                self._shared.traffic.counter(
                    direction=direction,
                    proxy=self.name,
                    listener=self.listen,
                    upstream=self.upstream,
                )
                for direction in (UPSTREAM, DOWNSTREAM)
            )
            self._counters = (up, down)
        return self._counters

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._shared.sockets -= 2

    def _close_client(self, client: socket.socket) -> None:
        client.close()
        self._shared.sockets -= 2
