"""Reading HTTP/1.1 as it streams by, so strictly that whatever is doubtful counts as unreadable.

A parser cuts one direction of a connection into pieces without changing a byte: all pieces and the
rest, one after the other, are what came in. Only the head of a message is held until it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

HEAD_LIMIT = 64 * 1024
"""The longest head, chunk-size line or trailer that is held."""

_EARLY_LOOK = 4096
_BAD = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST = re.compile(rb"([A-Z][A-Z0-9_-]{0,31}) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_METHOD = re.compile(rb"[A-Z][A-Z0-9_-]{0,31}")
_TARGET = re.compile(rb"[!-~\x80-\xff]*")
_ANSWER = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t -~\x80-\xff]*)?")
_SIZE_BEGIN = re.compile(rb"[0-9A-Fa-f]{1,15}(?:;[\t -~\x80-\xff]*)?\r?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_VERSIONS = (b"HTTP/1.1\r", b"HTTP/1.0\r")

Bytes = bytes | memoryview


class Kind(Enum):
    """What a piece is. `FRAME` is what stands around data: chunk sizes, trailers, empty lines."""

    HEAD = 1
    DATA = 2
    FRAME = 3
    END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A start line, cut in parts, and the fields with their names in lower case."""

    start: tuple[bytes, ...]
    fields: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a field."""
        return [value for found, value in self.fields if found == name]

    def lists(self, name: bytes, word: bytes) -> bool:
        """Say whether a field that is a list of words has this one."""
        return any(
            word == part.strip().lower()
            for value in self.values(name)
            for part in value.split(b",")
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message as it came; only a `HEAD` has a head."""

    kind: Kind
    raw: Bytes
    head: Head | None = None


class Body(Enum):
    """How the end of a body is known."""

    NONE = 1
    LENGTH = 2
    CHUNKED = 3
    CLOSE = 4


@dataclass(frozen=True, slots=True)
class Framing:
    """How the end of a body is known; `length` counts for `LENGTH` alone."""

    body: Body
    length: int = 0


NO_BODY = Framing(Body.NONE)


def framing_of_request(head: Head) -> Framing | None:
    """Return where the body of a request ends, or None when that is ambiguous."""
    return _framing(head, head.start[2], Framing(Body.NONE))


def framing_of_answer(head: Head, method: bytes) -> Framing | None:
    """Return where the body of an answer to `method` ends, or None when that is ambiguous."""
    framing = _framing(head, head.start[0], Framing(Body.CLOSE))
    status = head.start[1]
    if framing is not None and (method == b"HEAD" or status in (b"204", b"304") or status < b"200"):
        return NO_BODY
    return framing


def _framing(head: Head, minor: bytes, otherwise: Framing) -> Framing | None:
    sizes, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    if codings:
        plain = len(codings) == 1 and codings[0].lower() == b"chunked"
        return Framing(Body.CHUNKED) if plain and not sizes and minor == b"1" else None
    if sizes:
        plain = len(sizes) == 1 and _LENGTH.fullmatch(sizes[0]) is not None
        return Framing(Body.LENGTH, int(sizes[0])) if plain else None
    return otherwise


class Parser:
    """Cuts one direction into pieces.

    `feed` a chunk, then take pieces with `take` until it returns None; after a `HEAD`, `follow`
    says how the body ends. `unreadable` is set by the first thing that is not plain HTTP/1.1; from
    then on `rest` has all that was not handed out.
    """

    __slots__ = (
        "_data", "_fields", "_first", "_held", "_left", "_mark", "_may_begin", "_pos", "_start",
        "_state", "unreadable",
    )  # fmt: skip

    def __init__(self, *, requests: bool) -> None:
        self._first = _REQUEST if requests else _ANSWER
        self._may_begin = _may_begin_request if requests else _may_begin_answer
        self._data = b""
        self._pos = 0
        self._held = bytearray()
        self._mark = 0
        self._start: tuple[bytes, ...] | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._left = 0
        self._state: Callable[[], Piece | None] = self._head
        self.unreadable = False

    def feed(self, data: Bytes) -> None:
        """Give the next chunk; the one before must have been taken whole."""
        self._data = data if isinstance(data, bytes) else bytes(data)
        self._pos = 0

    def take(self) -> Piece | None:
        """Return the next piece, or None when more data is needed or it is unreadable."""
        if self.unreadable or (self._pos >= len(self._data) and self._state != self._end):
            return None
        return self._state()

    def follow(self, framing: Framing) -> None:
        """Say how the body of the head that was taken last ends."""
        self._left = framing.length
        match framing.body:
            case Body.LENGTH if framing.length:
                self._state = self._fixed
            case Body.CHUNKED:
                self._state = self._size
            case Body.CLOSE:
                self._state = self._endless
            case _:
                self._state = self._end

    def rest(self) -> bytes:
        """Return, and forget, everything that was fed and not taken."""
        found = bytes(self._held) + self._data[self._pos :]
        self._held.clear()
        self._mark = 0
        self._data, self._pos = b"", 0
        return found

    @property
    def undecided(self) -> bool:
        """Whether the unfinished first line of a message is being held."""
        return bool(self._held) and self._start is None

    # -- states -------------------------------------------------------------------------------

    def _head(self) -> Piece | None:
        if not self._held and (piece := self._whole_head()) is not None:
            return piece
        while (line := self._line()) is not None:
            if self._start is not None:
                if not line:
                    return self._head_done()
                self._field(line)
            elif not line and self._first is _REQUEST:
                return Piece(Kind.FRAME, self._let_go())
            elif found := self._first.fullmatch(line):
                self._start = found.groups()
            else:
                self.unreadable = True
            if self.unreadable:
                return None
        if self._start is None and not self._may_begin(self._held):
            self.unreadable = True
        return None

    def _whole_head(self) -> Piece | None:
        """Return a head that came in one chunk; None leaves it to the way line by line.

        That is how nearly all come, and it takes half the time.
        """
        end = self._data.find(b"\r\n\r\n", self._pos)
        if end < 0 or end + 4 - self._pos > HEAD_LIMIT:
            return None
        block = self._data[self._pos : end]
        first, *lines = block.split(b"\r\n")
        breaks = len(lines)
        if _ODD.search(block) or block.count(b"\r") != breaks or block.count(b"\n") != breaks:
            return None
        start = self._first.fullmatch(first)
        fields = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or _NAME.fullmatch(name) is None:
                return None
            fields.append((name.lower(), value.strip(b" \t")))
        if start is None:
            return None
        raw = self._data[self._pos : end + 4]
        self._pos = end + 4
        self._state = self._undecided
        return Piece(Kind.HEAD, raw, Head(start=start.groups(), fields=tuple(fields)))

    def _head_done(self) -> Piece:
        head = Head(start=self._start or (), fields=tuple(self._fields))
        self._state = self._undecided
        return Piece(Kind.HEAD, self._let_go(), head)

    def _field(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or _BAD.search(value):
            self.unreadable = True
        else:
            self._fields.append((name.lower(), value.strip(b" \t")))

    def _undecided(self) -> Piece | None:
        raise RuntimeError("`follow` comes first")

    def _end(self) -> Piece:
        self._state = self._head
        self._start = None
        self._fields.clear()
        return Piece(Kind.END, b"")

    def _fixed(self) -> Piece | None:
        return self._some(self._end)

    def _some(self, after: Callable[[], Piece | None]) -> Piece | None:
        size = min(self._left, len(self._data) - self._pos)
        if not size:
            return None
        self._left -= size
        if not self._left:
            self._state = after
        return Piece(Kind.DATA, self._slice(size))

    def _endless(self) -> Piece | None:
        size = len(self._data) - self._pos
        return Piece(Kind.DATA, self._slice(size)) if size else None

    def _size(self) -> Piece | None:
        line = self._line()
        if line is None:
            begun = self._held
            if begun and len(begun) <= _EARLY_LOOK and not _SIZE_BEGIN.fullmatch(begun):
                self.unreadable = True
            return None
        found = _SIZE.fullmatch(line)
        if found is None:
            self.unreadable = True
            return None
        self._left = int(found[1], 16)
        self._state = self._chunk if self._left else self._trailer
        return Piece(Kind.FRAME, self._let_go())

    def _chunk(self) -> Piece | None:
        return self._some(self._chunk_end)

    def _chunk_end(self) -> Piece | None:
        line = self._line()
        if line or (line is None and not b"\r".startswith(self._held)):
            self.unreadable = True
        if line is None or self.unreadable:
            return None
        self._state = self._size
        return Piece(Kind.FRAME, self._let_go())

    def _trailer(self) -> Piece | None:
        line = self._line()
        if line is None:
            return None
        if line:
            self._field(line)
            self._left += len(line)
            if self._left > HEAD_LIMIT:
                self.unreadable = True
            if self.unreadable:
                return None
        else:
            self._state = self._end
        return Piece(Kind.FRAME, self._let_go())

    # -- bytes --------------------------------------------------------------------------------

    def _line(self) -> bytes | None:
        """Return the next line without its end, or None; what was read stays in `_held`."""
        end = self._data.find(b"\n", self._pos)
        stop = len(self._data) if end < 0 else end + 1
        if len(self._held) + stop - self._pos > HEAD_LIMIT:
            self.unreadable = True
            return None
        self._held += self._data[self._pos : stop]
        self._pos = stop
        if end < 0:
            return None
        line = bytes(self._held[self._mark :])
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            self.unreadable = True
            return None
        self._mark = len(self._held)
        return line[:-2]

    def _let_go(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._mark = 0
        return held

    def _slice(self, size: int) -> Bytes:
        begin, self._pos = self._pos, self._pos + size
        if size == len(self._data):
            return self._data
        return memoryview(self._data)[begin : self._pos]


def _may_begin_request(held: bytearray) -> bool:
    """Say whether a request line can begin so; a first line that cannot is let go at once."""
    method, blank, rest = bytes(held[:_EARLY_LOOK]).partition(b" ")
    if not blank:
        return method in (b"", b"\r") or _METHOD.fullmatch(method) is not None
    target, blank, version = rest.partition(b" ")
    plain = _METHOD.fullmatch(method) is not None and _TARGET.fullmatch(target) is not None
    return plain and (not blank or any(text.startswith(version) for text in _VERSIONS))


def _may_begin_answer(held: bytearray) -> bool:
    begun = bytes(held[:9])
    return b"HTTP/1.1 ".startswith(begun) or b"HTTP/1.0 ".startswith(begun)
