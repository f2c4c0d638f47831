"""An HTTP toxic between two sinks on a clock of its own: no sockets, no waiting."""

from __future__ import annotations

from typing import Any

from test_proxy_stubs import Clock

from gameday.model.toxics import with_defaults
from gameday.proxy.common import HttpCounts
from gameday.proxy.http_rule import Rule, Tally
from gameday.proxy.http_session import Session
from gameday.proxy.toxic import Toxic


def toxic_of(type_: str, **attributes: Any) -> Toxic:
    return Toxic(
        name="t", type=type_, stream="downstream", direction="downstream",
        toxicity=1.0, attributes=with_defaults(type_, attributes),
    )  # fmt: skip


class Sink:
    """What stands around one side of a session."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.data = bytearray()
        self.times: list[float] = []
        self.ended = False
        self.room = True
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def ready(self) -> bool:
        return self.room

    def push(self, data: bytes | memoryview, stamp: float) -> None:
        del stamp
        assert not self.ended
        self.data += data
        self.times.append(round(self.loop.now - 100.0, 6))

    def finish(self) -> None:
        self.ended = True

    def hard_close(self) -> None:
        raise AssertionError

    def reset(self) -> None:
        raise AssertionError


class Bench:
    """A session of one toxic: `ask` as the client, `answer` as the upstream."""

    def __init__(self, type_: str = "http_delay", *, seed: int = 7, **attributes: Any) -> None:
        self.loop: Any = Clock()
        self.loop.call_later = lambda delay, call: self.loop.call_at(self.loop.now + delay, call)
        self.closed = False
        self.tally = Tally()
        self.counts = HttpCounts()
        self.up, self.down = Sink(self.loop), Sink(self.loop)
        self.rule = Rule(toxic_of(type_, **attributes), seed=seed, proxy="p", tally=self.tally)
        self.session = Session(self, (self.up, self.down), self.rule)
        self.session.counts = self.counts
        for side, sink in ((self.session.requests, self.up), (self.session.answers, self.down)):
            side.before = side.after = sink

    def close(self, *, reset: bool = False) -> None:
        del reset
        self.closed = True
        self.session.requests.abort()
        self.session.answers.abort()

    def ask(self, data: bytes, *, step: int = 0) -> None:
        self._push(self.session.requests, data, step)

    def answer(self, data: bytes, *, step: int = 0) -> None:
        self._push(self.session.answers, data, step)

    def _push(self, side: Any, data: bytes, step: int) -> None:
        size = step or len(data) or 1
        for begin in range(0, len(data), size):
            side.push(data[begin : begin + size], self.loop.now)

    def end(self) -> None:
        self.session.requests.finish()
        self.session.answers.finish()

    def run(self, until_s: float | None = None) -> None:
        self.loop.run(1e9 if until_s is None else 100.0 + until_s)

    @property
    def asked(self) -> bytes:
        return bytes(self.up.data)

    @property
    def answered(self) -> bytes:
        return bytes(self.down.data)


GET = b"GET /pay?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_POST = (
    b"POST /pay HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n"
    b"0\r\nDigest: x\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: b\r\nx-a: c\r\n\r\n0123456789"
CHUNKED_OK = (
    b'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n6\r\n012345\r\n4;q="z"\r\n6789\r\n'
    b"0\r\nX-A: t\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\n0123456789"
