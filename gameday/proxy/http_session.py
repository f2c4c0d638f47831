"""One HTTP toxic on one connection: requests go by on one side, their answers on the other.

Both sides hand on the very bytes that came, except where a request is hit. Whatever is not plain
HTTP/1.1 (TLS, HTTP/2, an upgraded connection, a message whose end could be read in two ways) passes
from there on as it is, in both directions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from gameday.proxy.common import HttpCounts
from gameday.proxy.http1 import Head
from gameday.proxy.http_rule import Rule
from gameday.proxy.http_sides import Answers, Exchange, Requests
from gameday.proxy.stub import Owner

LINGER_S = 2.0
"""How long a client has to close a connection that the proxy has ended."""


class Whole(Protocol):
    """The connection that both sides belong to."""

    loop: asyncio.AbstractEventLoop

    def close(self, *, reset: bool = False) -> None:
        """Close it at once."""


class Session:
    """What both sides of a toxic know about one connection.

    `counts` is None but for the first HTTP toxic of a connection, so that nothing counts twice.
    """

    __slots__ = (
        "answers", "conn", "counts", "linger", "open", "over", "requests", "rule", "seen_http",
        "through",
    )  # fmt: skip

    def __init__(self, conn: Whole, links: tuple[Owner, Owner], rule: Rule) -> None:
        self.conn = conn
        self.rule: Rule | None = rule
        self.counts: HttpCounts | None = None
        self.open: deque[Exchange] = deque()
        self.through = False
        self.over = False
        self.seen_http = False
        self.linger: asyncio.TimerHandle | None = None
        self.requests = Requests(self, links[0])
        self.answers = Answers(self, links[1])

    def exchange(self, head: Head) -> Exchange:
        """Return what is to be done with a request; draws its lot."""
        self.seen_http = True
        if self.counts is not None:
            self.counts.requests += 1
        made = Exchange(
            method=head.start[0],
            closes=head.start[2] == b"0" or head.lists(b"connection", b"close"),
            expects=bool(head.values(b"expect")),
        )
        if self.rule is not None:
            made.number = self.rule.draw(head)
            made.rule = None if made.number is None else self.rule
        return made

    def pass_through(self, *, why: str = "") -> None:
        """Let everything pass as it is from here on; `why` names a count."""
        if self.through or self.over:
            return
        if why and self.counts is not None:
            if self.seen_http:
                self.counts.ambiguous += 1
            else:
                self.counts.not_http += 1
        if self.requests.answering is not None:  # half of a request is gone: nothing can follow it
            self.requests.answer(close=True)
            return
        self.through = True
        self.requests.pump()
        self.answers.pump()

    def end(self) -> None:
        """End the connection: what is out is delivered, what the client still sends is dropped."""
        if self.over:
            return
        self.over = True
        self.open.clear()
        self.answers.pass_eof()
        self.requests.pump()
        self.linger = self.conn.loop.call_later(LINGER_S, self.conn.close)

    def update(self, rule: Rule) -> None:
        """Follow new attributes from the next request on; a held answer goes at once."""
        if self.rule is not None:
            self.rule = rule
            self.answers.let_go()

    def retire(self) -> None:
        """Hit nothing more: the toxic was taken out."""
        self.rule = None
        for exchange in self.open:
            exchange.rule = None
        self.requests.spare()
        self.answers.let_go()
        if self.requests.answering is None:
            self.pass_through()

    def closed(self) -> None:
        """Forget the timer: the connection is gone."""
        if self.linger is not None:
            self.linger.cancel()
            self.linger = None
