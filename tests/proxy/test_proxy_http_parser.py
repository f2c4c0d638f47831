"""The parser of HTTP/1.1: it changes no byte, however the stream is cut, and guesses nothing."""

from __future__ import annotations

import itertools

import pytest
from http_support import (
    CHUNKED_OK,
    CHUNKED_POST,
    CONTINUE,
    EMPTY,
    GET,
    HEAD_OK,
    NOT_MODIFIED,
    OK,
    POST,
    UNTIL_CLOSE,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.proxy.http1 import (
    HEAD_LIMIT,
    Body,
    Kind,
    Parser,
    framing_of_answer,
    framing_of_request,
)

FUZZ = settings(max_examples=300, deadline=None, derandomize=True)
REQUESTS = [GET, POST, CHUNKED_POST, b"\r\n" + GET, b"OPTIONS * HTTP/1.0\r\n\r\n"]
ANSWERS = [OK, CHUNKED_OK, CONTINUE + OK, EMPTY, NOT_MODIFIED, UNTIL_CLOSE]


def cut(
    parts: list[bytes], *, requests: bool, method: bytes = b"GET"
) -> tuple[list[tuple[str, bytes]], bytes]:
    """All pieces, those of the same kind one after the other joined, and the rest."""
    parser, found, rest = Parser(requests=requests), list[tuple[str, bytes]](), b""
    for part in parts:
        if parser.unreadable:
            rest += part
            continue
        parser.feed(part)
        while (piece := parser.take()) is not None:
            kind, raw = piece.kind.name, bytes(piece.raw)
            if piece.head is not None:
                head = piece.head
                framing = framing_of_request(head) if requests else framing_of_answer(head, method)
                if framing is None:
                    parser.unreadable = True
                    rest += raw
                    break
                parser.follow(framing)
            if found and found[-1][0] == kind != Kind.END.name:
                raw = found.pop()[1] + raw
            found.append((kind, raw))
        if parser.unreadable:
            rest += parser.rest()
    return found, rest + parser.rest()


def pieces_at(data: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted(at), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(marks)]


@pytest.mark.parametrize("data", REQUESTS, ids=range(len(REQUESTS)))
def test_every_cut_of_a_request_gives_the_same_pieces(data: bytes) -> None:
    stream = data + POST
    whole = cut([stream], requests=True)
    assert [kind for kind, _ in whole[0]].count("END") == 2
    assert whole[1] == b""
    for at in range(len(stream) + 1):
        assert cut(pieces_at(stream, [at]), requests=True) == whole
    assert cut([bytes([byte]) for byte in stream], requests=True) == whole


@pytest.mark.parametrize("data", ANSWERS, ids=range(len(ANSWERS)))
def test_every_cut_of_an_answer_gives_the_same_pieces(data: bytes) -> None:
    whole = cut([data], requests=False)
    assert whole[1] == b""
    assert b"".join(raw for _, raw in whole[0]) == data
    for at in range(len(data) + 1):
        assert cut(pieces_at(data, [at]), requests=False) == whole
    assert cut([bytes([byte]) for byte in data], requests=False) == whole


def test_bodies_are_told_from_what_stands_around_them() -> None:
    found, _ = cut([CHUNKED_OK], requests=False)
    assert [kind for kind, _ in found] == ["HEAD", "FRAME", "DATA", "FRAME", "DATA", "FRAME", "END"]
    assert b"".join(raw for kind, raw in found if kind == "DATA") == b"0123456789"
    found, _ = cut([HEAD_OK + HEAD_OK], requests=False, method=b"HEAD")
    assert [kind for kind, _ in found] == ["HEAD", "END", "HEAD", "END"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"get key\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n",
        b"GET /" + b"a" * HEAD_LIMIT + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + (b"A: " + b"b" * 1000 + b"\r\n") * 70,
    ],
    ids=lambda data: repr(data[-30:]),
)
def test_what_is_doubtful_is_never_taken_for_a_whole_request(data: bytes) -> None:
    for parts in (
        [data],
        [data[:-1], data[-1:]],
        [data[i : i + 7] for i in range(0, len(data), 7)],
    ):
        found, rest = cut(parts, requests=True)
        assert "END" not in [kind for kind, _ in found]
        assert rest
        assert b"".join(raw for _, raw in found) + rest == data


@pytest.mark.parametrize("data", [b"\x16", b"*1\r", b"GET / SPDY", b"get k", b"G\x00", b"GET \x01"])
def test_what_cannot_begin_a_request_is_not_held(data: bytes) -> None:
    parser = Parser(requests=True)
    parser.feed(data)
    assert parser.take() is None
    assert parser.unreadable


def test_nothing_but_a_head_is_held() -> None:
    parser = Parser(requests=False)
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    piece = parser.take()
    assert piece is not None
    assert piece.head is not None
    framing = framing_of_answer(piece.head, b"GET")
    assert framing is not None
    assert framing.body is Body.CLOSE
    parser.follow(framing)
    data = b"x" * 1_000_000
    parser.feed(data)
    piece = parser.take()
    assert piece is not None
    assert piece.raw is data


words = st.sampled_from(
    [
        GET, POST, CHUNKED_POST, OK, CHUNKED_OK, CONTINUE, b"\r\n", b"\n", b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
        b"A: b\r\n", b"5\r\nhello\r\n", b"0\r\n", b"abc", b"\x00", b" ", b":", b"\xff", b"HTTP/1.1",
    ]
) | st.binary(max_size=12)  # fmt: skip
streams = st.lists(words, max_size=12).map(b"".join)


@FUZZ
@given(streams, st.booleans(), st.data())
def test_any_stream_cut_anywhere(stream: bytes, requests: bool, data: st.DataObject) -> None:
    whole, rest = cut([stream], requests=requests)
    assert b"".join(raw for _, raw in whole) + rest == stream
    at = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    for parts in (pieces_at(stream, at), [bytes([byte]) for byte in stream]):
        assert cut(parts, requests=requests) == (whole, rest)
