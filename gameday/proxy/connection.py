"""One connection: two sockets, and a link with its chain of toxics for each direction."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

from gameday.proxy.common import Common
from gameday.proxy.http_rule import Rule
from gameday.proxy.http_session import Session
from gameday.proxy.link import Endpoint, Link
from gameday.proxy.toxic import DOWNSTREAM, UPSTREAM, Toxic
from gameday.proxy.traffic import Counter


class Connection:
    """A client, its upstream, and a link for each direction between them."""

    __slots__ = (
        "client", "closed", "common", "links", "loop", "number", "on_closed", "proxy", "seed",
        "sessions", "upstream",
    )  # fmt: skip

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        client: socket.socket,
        upstream: socket.socket,
        proxy: str,
        number: int,
        seed: int,
        counters: tuple[Counter, Counter],
        on_closed: Callable[[Connection], None],
        common: Common | None = None,
    ) -> None:
        self.loop = loop
        self.common = common or Common(loop)
        self.sessions: dict[str, Session] = {}
        self.proxy = proxy
        self.number = number
        self.seed = seed
        self.closed = False
        self.on_closed = on_closed
        self.client = Endpoint(loop, client)
        self.upstream = Endpoint(loop, upstream)
        self.links = (
            Link(self, UPSTREAM, self.client, self.upstream, counters[0]),
            Link(self, DOWNSTREAM, self.upstream, self.client, counters[1]),
        )

    def start(self, toxics: Iterable[Toxic]) -> None:
        """Put the toxics in place, then let data flow."""
        http = []
        for toxic in toxics:
            if toxic.http:
                http.append(toxic)
            else:
                self.link(toxic.direction).add(toxic)
        for toxic in http:
            self._add_session(toxic)
        for link in self.links:
            link.wake()

    def _add_session(self, toxic: Toxic) -> None:
        """Let an HTTP toxic see both directions, within those that were added before it."""
        session = Session(self, self.links, self._rule(toxic))
        if not self.sessions:
            session.counts = self.common.http
        self.sessions[toxic.name] = session
        self.links[0].insert(session.requests, first=False)
        self.links[1].insert(session.answers, first=True)

    def _rule(self, toxic: Toxic) -> Rule:
        return Rule(toxic, seed=self.seed, proxy=self.proxy, tally=self.common.tally(toxic))

    def add(self, toxic: Toxic) -> None:
        """Add a toxic to the open connection; HTTP ones see only connections from their start."""
        if not toxic.http:
            self.link(toxic.direction).add(toxic)

    def update(self, toxic: Toxic) -> None:
        """Let a toxic follow its new attributes."""
        if not toxic.http:
            self.link(toxic.direction).update(toxic)
        elif toxic.name in self.sessions:
            self.sessions[toxic.name].update(self._rule(toxic))

    def remove(self, toxic: Toxic) -> None:
        """Take a toxic out."""
        if not toxic.http:
            self.link(toxic.direction).remove(toxic.name)
        elif toxic.name in self.sessions:
            self.sessions[toxic.name].retire()

    def link(self, direction: str) -> Link:
        """Return the link of a direction."""
        return self.links[0] if direction == UPSTREAM else self.links[1]

    def link_done(self) -> None:
        """Close everything once both directions have ended."""
        if self.links[0].done and self.links[1].done:
            self.close()

    def lost(self, endpoint: Endpoint) -> None:
        """Close one side: what goes to it is dropped, what came from it is still delivered."""
        if self.closed or not endpoint.open:
            return
        to_it, from_it = self.links if endpoint is self.upstream else self.links[::-1]
        endpoint.close()
        to_it.drop()
        if from_it.done:
            self.close()
            return
        from_it.end_source()

    def close(self, *, reset: bool = False) -> None:
        """Close both sides at once and drop what is under way."""
        if self.closed:
            return
        self.closed = True
        for link in self.links:
            link.drop()
        self.client.close(reset=reset)
        self.upstream.close(reset=reset)
        self.on_closed(self)
