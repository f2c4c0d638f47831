"""What an HTTP toxic does: which requests it means and hits, and how their answers change."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from gameday.proxy.http1 import Bytes, Head
from gameday.proxy.toxic import Toxic, lot, parts_of

FAULT_HEADER = b"X-Gameday-Fault"
"""Header of the answers that the proxy gives itself; its value is the type of the toxic."""

_ALL = 1 << 64


@dataclass(slots=True)
class Tally:
    """Counts of one HTTP toxic of one proxy: requests that it means, and those that it hit."""

    matched: int = 0
    hit: int = 0


def glob(pattern: str, text: str) -> bool:
    """Say whether `text` is `pattern`, in which `*` stands for any characters."""
    first, *parts = pattern.split("*")
    if not parts:
        return text == pattern
    last = parts.pop()
    if not text.startswith(first) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in parts:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return text.endswith(last)


def path_of(target: bytes) -> str:
    """Return the path of a request's target, without the query."""
    text = target.decode("latin-1").partition("?")[0]
    scheme, found, rest = text.partition("://")
    if found and scheme.isalpha():
        return "/" + rest.partition("/")[2]
    return text


class Rule:
    """An HTTP toxic, ready for use: matchers, lot and action."""

    __slots__ = ("_key", "_methods", "_path", "_seed", "_share", "attributes", "tally", "type")

    def __init__(self, toxic: Toxic, *, seed: int, proxy: str, tally: Tally) -> None:
        self.type = toxic.type
        self.attributes: Mapping[str, int | float | str] = toxic.attributes
        self.tally = tally
        self._seed = seed
        self._key = parts_of(toxic, proxy)
        methods = str(toxic.attributes["method"]).split(",")
        self._methods = frozenset(m.strip().encode() for m in methods if m.strip())
        self._path = str(toxic.attributes["path"])
        self._share = float(toxic.attributes["share"])

    def draw(self, head: Head) -> int | None:
        """Return the number of a request that is hit, None for one that is not; counts it."""
        if self._methods and head.start[0] not in self._methods:
            return None
        if self._path and not glob(self._path, path_of(head.start[1])):
            return None
        number = self.tally.matched
        self.tally.matched += 1
        return number if self._lot("share", number) < self._share * _ALL else None

    def number(self, name: str) -> int:
        """Return an attribute that is a whole number."""
        return int(self.attributes[name])

    def delay_s(self, number: int) -> float:
        """Return how long the answer to the n-th request is held back."""
        jitter = self.number("jitter")
        spread = (2 * self._random(number).random() - 1) * jitter if jitter else 0.0
        return max(self.number("delay") + spread, 0.0) / 1000

    def corrupter(self, number: int, length: int | None) -> Corrupter:
        """Return what changes the body, of `length` bytes where that is known."""
        rng = self._random(number)
        count, portion = self.number("count"), float(self.attributes["portion"])
        return Corrupter(rng, portion=portion) if portion else Corrupter(rng, count, length)

    def answer(self, method: bytes, *, close: bool) -> bytes:
        """Return the answer of the proxy itself to a request."""
        status, body = self.number("status"), str(self.attributes["body"]).encode()
        kind = "application/json" if body[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = "Fault"
        lines = [f"HTTP/1.1 {status} {reason}"]
        if body:
            lines.append(f"Content-Type: {kind}")
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        lines.append(f"{FAULT_HEADER.decode()}: {self.type}")
        if close:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode()
        return head if method == b"HEAD" else head + body

    def without_header(self, raw: Bytes) -> bytes:
        """Return the head of an answer without the header, wherever it stands."""
        unwanted = str(self.attributes["remove"]).lower().encode()
        first, *lines = bytes(raw).split(b"\r\n")
        kept = [line for line in lines if line.partition(b":")[0].lower() != unwanted]
        return b"\r\n".join([first, *kept])

    def _lot(self, what: str, number: int) -> int:
        return lot(self._seed, what, *self._key, number)

    def _random(self, number: int) -> random.Random:
        return random.Random(self._lot("draws", number))  # noqa: S311 -- repeatable, not secret


class Corrupter:
    """Changes bytes of one body, each to another value, however the body is cut.

    With `portion`, each byte with that probability. Else `count` bytes: spread over the body where
    its `length` is known, the first ones where it is not.
    """

    __slots__ = ("_at", "_next", "_places", "_portion", "_rng", "changed")

    def __init__(
        self,
        rng: random.Random,
        count: int = 0,
        length: int | None = None,
        *,
        portion: float = 0.0,
    ) -> None:
        self._rng = rng
        self._portion = portion
        self._at = 0
        self.changed = 0
        places = range(count)
        if length is not None and length > count:
            places = sorted(rng.sample(range(length), count))  # type: ignore[assignment]
        self._places = iter(() if portion else places)
        self._next = self._following(-1)

    def change(self, data: Bytes) -> Bytes:
        """Return the next part of the body, changed."""
        begin, self._at = self._at, self._at + len(data)
        if self._next is None or self._next >= self._at:
            return data
        changed = bytearray(data)
        while self._next is not None and self._next < self._at:
            changed[self._next - begin] ^= self._rng.randrange(1, 256)
            self.changed += 1
            self._next = self._following(self._next)
        return bytes(changed)

    def _following(self, last: int) -> int | None:
        if not self._portion:
            return next(self._places, None)
        if self._portion >= 1:
            return last + 1
        gap = math.log(1 - self._rng.random()) / math.log1p(-self._portion)
        return last + 1 + min(int(gap), 1 << 62)
