"""What HTTP toxics do to requests and answers, without sockets and on a clock of its own."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

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
    Bench,
    toxic_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.proxy.http_rule import Corrupter, Rule, Tally, glob, path_of

FUZZ = settings(max_examples=100, deadline=None, derandomize=True)
TYPES: list[tuple[str, dict[str, Any]]] = [
    ("http_status", {"status": 503}),
    ("http_delay", {"delay": 100}),
    ("http_truncate", {"bytes": 3}),
    ("http_corrupt", {"count": 2}),
    ("http_header", {"remove": "X-A"}),
]
UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nX-Gameday-Fault: http_status\r\n\r\n"
)


# -- status -----------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, POST, CHUNKED_POST], ids=["get", "post", "chunked"])
@pytest.mark.parametrize("step", [0, 1, 3])
def test_status_answers_and_the_upstream_is_not_asked(request_: bytes, step: int) -> None:
    bench = Bench("http_status", status=503)
    bench.ask(request_ + request_, step=step)
    assert bench.asked == b""
    assert bench.answered == 2 * UNAVAILABLE
    assert (bench.tally.matched, bench.tally.hit, bench.counts.requests) == (2, 2, 2)


def test_status_has_a_body_where_there_may_be_one() -> None:
    bench = Bench("http_status", status=418, body='{"no": "é"}')
    bench.ask(GET)
    head, _, body = bench.answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 418 I'm a Teapot\r\nContent-Type: application/json\r\n")
    assert b"Content-Length: 12" in head
    assert body == '{"no": "é"}'.encode()
    bench = Bench("http_status", status=500, body="no")
    bench.ask(GET.replace(b"GET", b"HEAD"))
    assert b"Content-Length: 2\r\n" in bench.answered
    assert bench.answered.endswith(b"\r\n\r\n")
    bench = Bench("http_status", status=204)
    bench.ask(GET)
    assert b"Content-Length" not in bench.answered


def test_status_of_a_pipelined_request_never_overtakes() -> None:
    bench = Bench("http_status", status=503, method="POST")
    bench.ask(GET + POST + GET + POST)
    assert bench.asked == GET
    assert bench.answered == b""
    bench.answer(OK, step=1)
    assert bench.asked == GET + GET
    assert bench.answered == OK + UNAVAILABLE
    bench.answer(CHUNKED_OK)
    assert bench.answered == OK + UNAVAILABLE + CHUNKED_OK + UNAVAILABLE


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_status_closes_where_the_client_does_or_may_still_send_a_body(request_: bytes) -> None:
    bench = Bench("http_status", status=503)
    bench.ask(request_ + b"hello")
    assert bench.answered.count(b"HTTP/1.1") == 1
    assert b"\r\nConnection: close\r\n" in bench.answered
    assert bench.down.ended
    bench.ask(GET)  # is dropped, so that no reset overtakes the answer
    assert bench.asked == b""
    assert not bench.closed
    bench.run()
    assert bench.closed


def test_expecting_to_continue_reaches_the_upstream_otherwise() -> None:
    bench = Bench("http_status", status=503, method="GET")
    head, body = POST[:-5], POST[-5:]
    head = head.replace(b"Host", b"Expect: 100-continue\r\nHost")
    bench.ask(head)
    bench.answer(CONTINUE)
    bench.ask(body + GET)
    assert bench.asked == head + body
    bench.answer(OK)
    assert bench.answered == CONTINUE + OK + UNAVAILABLE


def test_a_request_that_breaks_off_or_goes_wrong_while_it_is_taken_away() -> None:
    bench = Bench("http_status", status=503)
    bench.ask(POST[:-1])
    bench.end()
    assert (bench.asked, bench.up.ended) == (b"", True)
    bench = Bench("http_status", status=503)
    bench.ask(CHUNKED_POST[: CHUNKED_POST.index(b"0\r\nDigest")] + b"zz\r\n")
    assert bench.asked == b""
    assert b"\r\nConnection: close\r\n" in bench.answered
    assert bench.down.ended


# -- delay ------------------------------------------------------------------------------------


def test_delay_holds_the_answer_back_and_what_follows_it() -> None:
    bench = Bench("http_delay", delay=100, method="POST")
    bench.ask(POST + GET)
    assert bench.asked == POST + GET
    bench.answer(CONTINUE)
    assert bench.answered == CONTINUE
    bench.answer(OK + CHUNKED_OK)
    assert bench.answered == CONTINUE
    bench.run(0.099)
    assert bench.answered == CONTINUE
    bench.run()
    assert bench.answered == CONTINUE + OK + CHUNKED_OK
    assert bench.down.times[-1] == 0.1
    assert (bench.tally.matched, bench.tally.hit, bench.counts.requests) == (1, 1, 2)


def test_jitter_is_drawn_for_each_request_from_the_seed() -> None:
    def times(seed: int) -> list[float]:
        bench = Bench("http_delay", seed=seed, delay=100, jitter=50)
        for _ in range(20):
            bench.ask(GET)
            bench.answer(OK)
            bench.run()
        return [b - a for a, b in zip([0.0, *bench.down.times], bench.down.times, strict=False)]

    found = times(1)
    assert found == times(1)
    assert found != times(2)
    assert all(0.0499 <= took <= 0.1501 for took in found)
    assert max(found) - min(found) > 0.03


def test_a_held_answer_holds_the_upstream_and_no_memory() -> None:
    bench = Bench("http_delay", delay=100)
    bench.ask(GET)
    bench.answer(OK)
    bench.answer(b"x")
    assert not bench.session.answers.ready()
    bench.run()
    assert bench.down.woken


@pytest.mark.parametrize("how", ["update", "retire"])
def test_what_is_held_goes_when_the_toxic_changes_or_goes(how: str) -> None:
    bench = Bench("http_delay", delay=100)
    bench.ask(GET + GET)
    bench.answer(OK)
    if how == "update":
        bench.session.update(bench.rule)
    else:
        bench.session.retire()
    assert bench.answered == OK
    bench.answer(OK)
    assert bench.answered == (OK if how == "update" else OK + OK)
    bench.run()
    assert bench.answered == OK + OK


def test_a_request_that_waits_to_be_answered_is_spared_when_the_toxic_goes() -> None:
    bench = Bench("http_status", status=503, method="POST")
    bench.ask(GET + POST + b"GET / HT")
    bench.session.retire()
    assert bench.asked == GET + POST + b"GET / HT"
    bench.ask(b"TP/1.1\r\n")
    bench.answer(OK + OK)
    assert bench.asked == GET + POST + b"GET / HTTP/1.1\r\n"
    assert bench.answered == OK + OK


def test_a_request_that_is_half_taken_away_is_still_answered_when_the_toxic_goes() -> None:
    bench = Bench("http_status", status=503)
    bench.ask(POST[:-2])
    bench.session.retire()
    bench.ask(POST[-2:] + POST)
    bench.answer(OK)
    assert bench.answered == UNAVAILABLE + OK
    assert bench.asked == POST


# -- bodies and heads -------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1, 4])
def test_truncate_cuts_the_body_and_ends_the_connection(step: int) -> None:
    bench = Bench("http_truncate", bytes=7)
    bench.ask(GET + GET)
    bench.answer(OK + OK, step=step)
    assert bench.answered == OK[:-3]
    assert bench.down.ended
    assert bench.tally.hit == 1
    bench.ask(GET)
    bench.session.requests.finish()
    assert (bench.asked, bench.up.ended) == (GET + GET, True)


@pytest.mark.parametrize("step", [0, 1, 4])
def test_truncate_counts_data_and_not_what_frames_it(step: int) -> None:
    bench = Bench("http_truncate", bytes=7)
    bench.ask(GET)
    bench.answer(CHUNKED_OK, step=step)
    assert bench.answered == CHUNKED_OK[: CHUNKED_OK.index(b"6789") + 1]
    assert bench.down.ended


@pytest.mark.parametrize("answer", [EMPTY, NOT_MODIFIED, OK])
def test_truncate_leaves_what_is_no_longer(answer: bytes) -> None:
    bench = Bench("http_truncate", bytes=10)
    for _ in range(2):
        bench.ask(GET)
        bench.answer(answer)
    assert bench.answered == answer * 2
    assert (bench.tally.matched, bench.tally.hit, bench.down.ended) == (2, 0, False)


@pytest.mark.parametrize("answer", [OK, CHUNKED_OK, UNTIL_CLOSE])
@pytest.mark.parametrize("how", [{"count": 3}, {"portion": 0.4}, {"portion": 1.0}])
def test_corrupt_changes_bytes_of_the_body_and_nothing_else(
    answer: bytes, how: dict[str, float]
) -> None:
    found = set()
    for step in (0, 1, 3):
        bench = Bench("http_corrupt", **how)
        bench.ask(GET)
        bench.answer(answer, step=step)
        bench.end()
        found.add(bench.answered)
        assert bench.tally.hit == 1
    (changed,) = found
    assert len(changed) == len(answer)
    places = [i for i, (a, b) in enumerate(zip(changed, answer, strict=True)) if a != b]
    data = {answer.index(part) + i for part in (b"012345", b"6789") for i in range(len(part))}
    assert set(places) <= data
    expected = {"count": 3}.get(next(iter(how)), 10 if how.get("portion") == 1 else None)
    assert len(places) == expected if expected else 1 <= len(places) <= 9


def test_corrupting_is_spread_where_the_length_is_known_and_repeats() -> None:
    def places(seed: int) -> list[int]:
        changed = Corrupter(random.Random(seed), 5, 10_000).change(bytes(10_000))
        return [i for i, byte in enumerate(changed) if byte]

    assert len(places(1)) == 5
    assert places(1) == places(1) != places(2)
    assert max(places(1)) > 2000
    few = Corrupter(random.Random(1), portion=0.01)
    changed = b"".join(bytes(few.change(bytes(997))) for _ in range(100))
    assert 800 < sum(map(bool, changed)) == few.changed < 1200


@pytest.mark.parametrize("name", ["X-A", "x-a"])
def test_header_is_taken_out_wherever_it_stands(name: str) -> None:
    bench = Bench("http_header", remove=name)
    for _ in range(2):
        bench.ask(GET)
        bench.answer(OK, step=1)
    assert bench.answered == (HEAD_OK + b"0123456789") * 2
    bench.ask(GET)
    bench.answer(EMPTY)
    assert bench.answered.endswith(EMPTY)
    assert (bench.tally.matched, bench.tally.hit) == (3, 2)


def test_answers_to_head_have_no_body() -> None:
    bench = Bench("http_truncate", bytes=0, method="GET")
    bench.ask(GET.replace(b"GET", b"HEAD") * 2)
    bench.answer(HEAD_OK * 2)
    bench.ask(GET)
    bench.answer(OK)
    assert bench.answered == HEAD_OK * 2 + OK[:-10]


# -- which requests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matchers", "hit"),
    [
        ({}, True),
        ({"method": "GET"}, True),
        ({"method": "POST , GET"}, True),
        ({"method": "POST"}, False),
        ({"path": "/pay"}, True),
        ({"path": "/p*"}, True),
        ({"path": "/pay?x=1"}, False),
        ({"path": "/pa"}, False),
        ({"method": "GET", "path": "/other"}, False),
        ({"share": 0.0}, False),
    ],
)
def test_matchers(matchers: dict[str, Any], hit: bool) -> None:
    bench = Bench("http_status", status=503, **matchers)
    bench.ask(GET)
    assert bench.answered == (UNAVAILABLE if hit else b"")
    assert bench.asked == (b"" if hit else GET)


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [
        ("*", "", True),
        ("/a*c", "/abbc", True),
        ("/a*c", "/ac", True),
        ("/ab*ba", "/aba", False),
        ("/*/x/*", "/a/b/x/", True),
        ("/*/x/*", "/x/", False),
        ("a*b*c", "acb", False),
        ("/a.c", "/abc", False),
        ("**", "/x", True),
        ("*a" * 2000, "a" * 60_000 + "b", False),
    ],
)
def test_glob(pattern: str, text: str, same: bool) -> None:
    assert glob(pattern, text) is same


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_glob_is_what_a_pattern_is(pattern: str, text: str) -> None:
    import re

    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None
    assert glob(pattern, text) is expected


def test_the_path_of_a_target() -> None:
    assert path_of(b"/a/b?c=/d") == "/a/b"
    assert path_of(b"http://host:1/a?b") == "/a"
    assert path_of(b"*") == "*"


def chosen(seed: int, *, ordinal: int = 0, share: float = 0.2, n: int = 1000) -> list[int]:
    toxic = toxic_of("http_status", status=503, share=share, method="GET")
    toxic = replace(toxic, ordinal=ordinal, name=f"name-{time.time_ns()}")
    rule = Rule(toxic, seed=seed, proxy="p", tally=Tally())
    bench = Bench("http_status", status=503)
    found = []
    for number in range(n):
        bench.session.rule = rule
        exchange = bench.session.exchange(head_of(GET if number % 2 else POST))
        if exchange.rule is not None:
            found.append(number)
    return found


def head_of(request: bytes) -> Any:
    from gameday.proxy.http1 import Parser

    parser = Parser(requests=True)
    parser.feed(request)
    piece = parser.take()
    assert piece is not None
    return piece.head


def test_the_share_is_drawn_from_the_seed_and_the_number_among_the_matching() -> None:
    found = chosen(7)
    assert found == chosen(7)
    assert found != chosen(8)
    assert found != chosen(7, ordinal=1)
    assert all(number % 2 for number in found)
    assert 70 <= len(found) <= 130  # of 500


# -- what is not plain HTTP -------------------------------------------------------------------

TLS = b"\x16\x03\x01\x02\x00" + bytes(range(256))


@pytest.mark.parametrize(("type_", "attributes"), TYPES)
@pytest.mark.parametrize(
    ("ask", "reply", "count"),
    [
        (TLS, TLS, "not_http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + TLS, TLS, "not_http"),
        (b"", b"220 mail\r\n", "not_http"),
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n", "not_http"),
        (GET.replace(b"Host", b"Content-Length: 1\r\nContent-Length: 1\r\nHost"), OK, "not_http"),
    ],
)
def test_what_is_no_http_passes_and_is_counted(
    type_: str, attributes: dict[str, Any], ask: bytes, reply: bytes, count: str
) -> None:
    for step in (0, 1, 5):
        bench = Bench(type_, **attributes)
        bench.ask(ask, step=step)
        assert bench.asked == ask
        bench.answer(reply, step=step)
        assert bench.answered == reply
        assert getattr(bench.counts, count) == 1
        bench.end()
        assert (bench.up.ended, bench.down.ended, bench.tally.hit) == (True, True, 0)


def test_an_upgraded_connection_passes_from_there_on() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    for step in (0, 1, 5):
        bench = Bench("http_truncate", bytes=0)
        bench.ask(GET.replace(b"Host", b"Upgrade: websocket\r\nHost"))
        bench.answer(switch + OK, step=step)
        bench.ask(GET + TLS, step=step)
        bench.answer(TLS, step=step)
        assert bench.answered == switch + OK + TLS
        assert bench.asked.endswith(GET + TLS)
        assert (bench.counts.not_http, bench.counts.ambiguous, bench.counts.requests) == (0, 0, 1)


def test_a_tunnel_passes() -> None:
    bench = Bench("http_truncate", bytes=0)
    bench.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    bench.answer(b"HTTP/1.1 200 OK\r\n\r\n")
    bench.ask(TLS)
    bench.answer(OK)
    assert bench.asked.endswith(TLS)
    assert bench.answered.endswith(OK)


@pytest.mark.parametrize("step", [0, 1])
def test_an_ambiguous_message_ends_the_faults_of_its_connection(step: int) -> None:
    doubtful = OK.replace(b"X-A", b"Transfer-Encoding: chunked\r\nX-A")
    bench = Bench("http_corrupt", portion=1.0, method="POST")
    bench.ask(GET + POST + POST)
    bench.answer(doubtful + OK + OK, step=step)
    assert bench.answered == doubtful + OK + OK
    assert (bench.counts.ambiguous, bench.counts.not_http, bench.tally.hit) == (1, 0, 0)


def test_a_first_line_that_nobody_completes_is_not_held_for_ever() -> None:
    bench = Bench("http_status", status=503)
    bench.ask(b"HELLO")
    bench.run(0.99)
    assert bench.asked == b""
    bench.run()
    assert bench.asked == b"HELLO"
    assert bench.counts.not_http == 1
    bench = Bench("http_status", status=503)
    bench.ask(b"GET /")
    bench.run(0.5)
    bench.ask(GET[5:-2])
    bench.run()  # a head may take its time
    bench.ask(GET[-2:])
    assert (bench.asked, bench.answered) == (b"", UNAVAILABLE)


def test_a_stalled_reader_stalls_the_sender() -> None:
    bench = Bench("http_header", remove="X-A")
    bench.up.room = False
    bench.ask(GET)
    assert not bench.session.requests.ready()
    assert bench.asked == b""
    bench.up.room = True
    bench.session.requests.wake()
    assert bench.asked == GET
    assert bench.up.woken == 1


def test_requests_without_answers_are_not_collected_for_ever() -> None:
    bench = Bench("http_header", remove="X-A")
    bench.ask(GET * 5000)
    assert bench.asked == GET * 1000
    assert not bench.session.requests.ready() or bench.session.requests.held is not None
    bench.answer(EMPTY * 3)
    assert bench.asked == GET * 1003


# -- nothing is changed that is not hit -------------------------------------------------------

asked = st.lists(st.sampled_from([GET, POST, CHUNKED_POST, b"\r\n" + GET, TLS, b"x"]), max_size=6)
replies = st.lists(
    st.sampled_from([OK, CHUNKED_OK, EMPTY, CONTINUE + OK, NOT_MODIFIED, UNTIL_CLOSE, b"\x00"]),
    max_size=6,
)


@FUZZ
@given(
    st.sampled_from(TYPES),
    st.sampled_from([{"share": 0.0}, {"method": "PUT"}, {"path": "/no"}]),
    asked,
    replies,
    st.data(),
)
def test_without_a_matching_request_the_bytes_pass_as_they_are(
    type_: tuple[str, dict[str, Any]],
    matchers: dict[str, Any],
    ask: list[bytes],
    reply: list[bytes],
    data: st.DataObject,
) -> None:
    bench = Bench(type_[0], **type_[1], **matchers)
    streams = {"ask": b"".join(ask), "answer": b"".join(reply)}
    left = dict(streams)
    while any(left.values()):
        side = data.draw(st.sampled_from([name for name, rest in left.items() if rest]))
        size = data.draw(st.integers(1, len(left[side])))
        getattr(bench, side)(left[side][:size])
        left[side] = left[side][size:]
    bench.end()
    bench.run()
    assert (bench.asked, bench.answered) == (streams["ask"], streams["answer"])
    assert (bench.up.ended, bench.down.ended) == (True, True)


@FUZZ
@given(
    st.sampled_from([t for t in TYPES if t[0] != "http_delay"]),
    st.sampled_from([{}, {"share": 0.5}, {"method": "POST"}]),
    st.lists(
        st.sampled_from([(GET, OK), (POST, CHUNKED_OK), (CHUNKED_POST, EMPTY), (GET, UNTIL_CLOSE)]),
        max_size=5,
    ),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
def test_however_the_bytes_are_cut_the_outcome_is_the_same(
    type_: tuple[str, dict[str, Any]],
    matchers: dict[str, Any],
    talk: list[tuple[bytes, bytes]],
    sizes: list[int],
) -> None:
    outcomes = []
    for steps in ([0], [1], sizes):
        bench = Bench(type_[0], **type_[1], **matchers)
        for number, (request, answer) in enumerate(talk):
            before = len(bench.asked)
            bench.ask(request, step=steps[number % len(steps)])
            if len(bench.asked) > before:
                bench.answer(answer, step=steps[-1 - number % len(steps)])
        bench.end()
        bench.run()
        tally, counts = bench.tally, bench.counts
        outcomes.append((bench.asked, bench.answered, tally, counts, bench.up.ended))
    assert outcomes[0] == outcomes[1] == outcomes[2]
