"""The two sides of an HTTP toxic on one connection: requests, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gameday.proxy.http1 import (
    NO_BODY,
    Body,
    Framing,
    Head,
    Kind,
    Parser,
    Piece,
    framing_of_answer,
    framing_of_request,
)
from gameday.proxy.http_rule import Corrupter, Rule
from gameday.proxy.stub import EARLY_S, Owner, Stub

if TYPE_CHECKING:
    from gameday.proxy.http_session import Session

UNDECIDED_S = 1.0
"""How long the begun first line of a connection is held; HTTP clients send it in one piece."""

_MAX_OPEN = 1000
"""Requests of one connection that wait for their answers; more are not read."""


@dataclass(slots=True)
class Exchange:
    """A request and its answer. `number` is set for one that is hit, by `rule`."""

    method: bytes
    number: int | None = None
    rule: Rule | None = None
    closes: bool = False
    expects: bool = False

    @property
    def answered_here(self) -> bool:
        """Whether the upstream is not asked."""
        return self.rule is not None and self.rule.type == "http_status"


class _Side(Stub):
    """One direction: cuts it into pieces, handles them in order, hands on what comes out."""

    __slots__ = ("held", "out", "parser", "session", "stamp")

    def __init__(self, session: Session, link: Owner, *, requests: bool) -> None:
        super().__init__(link, link, link)  # type: ignore[arg-type]  # the link sets both
        self.session = session
        self.parser = Parser(requests=requests)
        self.held: Piece | None = None
        self.out: list[bytes | memoryview] = []
        self.stamp = 0.0

    def handle(self, piece: Piece) -> bool:
        """Do what a piece needs; False to be asked again later."""
        raise NotImplementedError

    def step(self) -> bool:
        """Handle the chunk that was begun, or the next one."""
        if self.session.through:
            return self._pass()
        if not self.after.ready() or not self._work():
            return False
        if self.session.through or self.session.over:
            return True
        if self.queue:
            data, stamp = self.queue.popleft()
            self.stamp = max(self.stamp, stamp)  # what follows a held answer leaves after it
            self.parser.feed(data)
            self._work()
            return True
        if self.eof and not self.done:
            self.last()
            self.pass_eof()
        return False

    def last(self) -> None:
        """Hand on what is left at the end of the stream."""
        self.out.append(self.parser.rest())
        self.flush()

    def _work(self) -> bool:
        """Handle pieces until there is no more, or one has to wait."""
        waits = False
        while not (waits or self.done or self.session.through or self.session.over):
            piece = self.held or self.parser.take()
            if piece is None:
                break
            waits = not self.handle(piece)
            self.held = piece if waits else None
        self.flush()
        if self.parser.unreadable and not waits:
            self.session.pass_through(why="unreadable")
        return not waits

    def _pass(self) -> bool:
        """Hand on what was held, then everything."""
        if not self.after.ready():
            return False
        held, self.held = self.held, None
        rest = self.parser.rest()
        if held is not None or rest:
            self.out += [b"" if held is None else held.raw, rest]
            self.flush()
            return True
        return super().step()

    def flush(self) -> None:
        """Hand on in one piece what has come out so far."""
        if not self.out:
            return
        out, self.out = self.out, []
        data = out[0] if len(out) == 1 else b"".join(out)
        if data and not self.done:
            self.after.push(data, self.stamp)

    def abort(self) -> None:
        """Drop everything."""
        super().abort()
        self.session.closed()


class Requests(_Side):
    """The client's side. `answering` is a request that the upstream is not asked, while it comes.

    Such a request waits until all answers before it are through, so that its own never overtakes.
    """

    __slots__ = ("answering", "waiting")

    def __init__(self, session: Session, link: Owner) -> None:
        super().__init__(session, link, requests=True)
        self.answering: Exchange | None = None
        self.waiting: Exchange | None = None

    def step(self) -> bool:
        """Handle requests; once the connection has ended, drop them."""
        if self.session.over:
            self.queue.clear()
            if self.eof:
                self.pass_eof()
            return False
        moved = super().step()
        if not self.done:
            self._watch_first_line()
        return moved

    def _watch_first_line(self) -> None:
        session = self.session
        if session.through or session.seen_http:
            return
        if self.parser.undecided:
            self.arm(self.link.loop.time() + UNDECIDED_S)
        else:
            self.stop_timer()

    def fire(self) -> None:
        """Go on, or hold a first line no longer that nobody completes."""
        if not self.session.seen_http and self.parser.undecided:
            self.session.pass_through(why="undecided")
        else:
            self.pump()

    def handle(self, piece: Piece) -> bool:
        """Hand a request on, or take it away from the upstream."""
        if piece.head is not None:
            return self._head(piece, piece.head)
        if self.answering is None:
            self.out.append(piece.raw)
        elif piece.kind is Kind.END:
            self.answer(close=self.answering.closes)
        return True

    def _head(self, piece: Piece, head: Head) -> bool:
        framing = framing_of_request(head)
        if framing is None:
            self.session.pass_through(why="ambiguous")
            self.out.append(piece.raw)
            return True
        exchange = self.waiting or self.session.exchange(head)
        if len(self.session.open) >= (1 if exchange.answered_here else _MAX_OPEN):
            self.waiting = exchange
            return False
        self.waiting = None
        self.parser.follow(framing)
        if not exchange.answered_here:
            self.session.open.append(exchange)
            self.out.append(piece.raw)
            return True
        self.flush()
        self.answering = exchange
        if exchange.expects and framing != NO_BODY:
            self.answer(close=True)  # whether the body still comes is up to the client
        return True

    def answer(self, *, close: bool) -> None:
        """Answer the request that was taken away, and close the connection if need be."""
        exchange, self.answering = self.answering, None
        if exchange is not None and exchange.rule is not None:
            exchange.rule.tally.hit += 1
            self.session.answers.insert(exchange.rule.answer(exchange.method, close=close))
        if close:
            self.session.end()

    def last(self) -> None:
        """Hand on what is left, unless it belongs to a request that the upstream does not get."""
        if self.answering is None:
            super().last()

    def spare(self) -> None:
        """Let a request pass that was waiting for its turn to be hit."""
        if self.waiting is not None:
            self.waiting.rule = None


class Answers(_Side):
    """The upstream's side."""

    __slots__ = ("corrupter", "due", "interim", "left", "rule")

    def __init__(self, session: Session, link: Owner) -> None:
        super().__init__(session, link, requests=False)
        self.due: float | None = None
        self.interim = False
        self.rule: Rule | None = None
        self.left: int | None = None
        self.corrupter: Corrupter | None = None

    def insert(self, data: bytes) -> None:
        """Send an answer of the proxy's own; none of the upstream is under way."""
        if not self.done:
            self.after.push(data, self.link.loop.time())

    def let_go(self) -> None:
        """Hold back no longer; what is under way passes as it is."""
        self.left = None
        self.corrupter = None
        if self.due is not None:
            self.due = self.link.loop.time()
        self.pump()

    def handle(self, piece: Piece) -> bool:
        """Hand an answer on, changed where its request is hit."""
        if piece.head is not None:
            return self._head(piece, piece.head)
        if piece.kind is Kind.DATA:
            self._data(piece.raw)
        elif piece.kind is Kind.FRAME:
            self.out.append(piece.raw)
        elif not self.interim:
            self._end()
        return True

    def _head(self, piece: Piece, head: Head) -> bool:
        session = self.session
        exchange = session.open[0] if session.open else None
        framing = None if exchange is None else framing_of_answer(head, exchange.method)
        if exchange is None or framing is None:
            session.pass_through(why="ambiguous")
            self.out.append(piece.raw)
            return True
        status = head.start[1]
        if status == b"101" or (exchange.method == b"CONNECT" and status.startswith(b"2")):
            session.pass_through()
            self.out.append(piece.raw)
            return True
        self.interim = status < b"200"
        if not self.interim and exchange.rule is not None and exchange.number is not None:
            return self._hit(piece, exchange.rule, exchange.number, framing)
        self.due = None
        self.parser.follow(framing)
        self.out.append(piece.raw)
        return True

    def _hit(self, piece: Piece, rule: Rule, number: int, framing: Framing) -> bool:
        raw = piece.raw
        match rule.type:
            case "http_delay":
                if self.due is None:
                    rule.tally.hit += 1
                    self.due = self.stamp + rule.delay_s(number)
                if self.due > self.link.loop.time() + EARLY_S:
                    self.arm(self.due)
                    return False
                self.stamp, self.due = max(self.stamp, self.due), None
            case "http_truncate":
                self.left = rule.number("bytes")
            case "http_corrupt":
                known = framing.length if framing.body is Body.LENGTH else None
                self.corrupter = rule.corrupter(number, known)
            case "http_header":
                raw = rule.without_header(raw)
                rule.tally.hit += len(raw) != len(piece.raw)
        self.rule = rule
        self.parser.follow(framing)
        self.out.append(raw)
        return True

    def _data(self, raw: bytes | memoryview) -> None:
        if self.corrupter is not None:
            raw = self.corrupter.change(raw)
        if self.left is None:
            self.out.append(raw)
            return
        self.out.append(memoryview(raw)[: self.left])
        if len(raw) > self.left:
            self.flush()
            if self.rule is not None:
                self.rule.tally.hit += 1
            self.session.end()
        else:
            self.left -= len(raw)

    def last(self) -> None:
        """Count an answer whose end is the end of the connection, then hand on what is left."""
        if self.corrupter is not None and self.rule is not None:
            self.rule.tally.hit += self.corrupter.changed > 0
        super().last()

    def _end(self) -> None:
        if self.session.open:
            self.session.open.popleft()
        if self.corrupter is not None and self.rule is not None:
            self.rule.tally.hit += self.corrupter.changed > 0
        self.left, self.corrupter, self.rule = None, None, None
        self.flush()  # a request that waited may be answered now, and not before this
        self.session.requests.pump()
