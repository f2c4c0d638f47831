"""The toxics that only our own server has, over sockets, with real clients."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from proxy_support import (
    Server,
    Upstream,
    client,
    read_end,
    read_exactly,
    round_trip_s,
    start_embedded,
    wait_for,
)
from test_proxy_toxics import EARLY_S, LATE_S, sends, took

BODY = bytes(range(256)) * 40


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path))  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        self.send_response(200)
        self.send_header("X-Sent", str(len(sent)))
        self.send_header("Cache-Control", "no-store")
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for begin in range(0, len(BODY), 1000):
                part = BODY[begin : begin + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(BODY)

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 -- the names of the library

    def log_message(self, *args: object) -> None:
        pass


class Web(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Faults cut connections: that is no error here."""


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


@contextmanager
def asking(at: tuple[str, int]) -> Iterator[Callable[..., tuple[int, dict[str, str], bytes]]]:
    """A client with one kept connection."""
    connection = http.client.HTTPConnection(*at, timeout=10)

    def ask(
        method: str = "GET", path: str = "/", body: Any = None, **more: Any
    ) -> tuple[int, dict[str, str], bytes]:
        connection.request(method, path, body, **more)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    with closing(connection):
        yield ask


def http_counts(server: Server) -> dict[str, Any]:
    found = server.health()["proxies"]["p"]["http"]
    assert isinstance(found, dict)
    return found


def test_status_by_method_path_on_a_kept_connection(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_status", status=503, body="no", method="POST,PUT", path="/pay*")
    with asking(at) as ask:
        for _ in range(2):
            assert ask("GET", "/pay")[0] == 200
            status, headers, body = ask("POST", "/pay/1?x", b"x" * 100_000)
            assert (status, headers["x-gameday-fault"], body) == (503, "http_status", b"no")
            assert ask("POST", "/other", b"x" * 100_000)[1]["x-sent"] == "100000"
            chunks = iter([b"abc", b"def"])
            assert ask("PUT", "/pay", chunks, encode_chunked=True)[0] == 503
    assert web.seen == [("GET", "/pay"), ("POST", "/other")] * 2
    assert http_counts(embedded) == {
        "requests": 8, "not_http": 0, "ambiguous": 0,
        "faults": {"http_status_downstream": {"matched": 4, "hit": 4}},
    }  # fmt: skip


def test_delay(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_delay", delay=200, path="/slow")
    with asking(at) as ask:
        start = time.monotonic()
        assert ask("GET", "/slow")[2] == BODY
        took(start, 0.2)
        assert min(_took_s(lambda: ask("GET", "/fast")) for _ in range(10)) < 0.19


def _took_s(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


@pytest.mark.parametrize("path", ["/", "/chunked"])
def test_truncate(embedded: Server, web: Web, path: str) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_truncate", bytes=1500)
    with asking(at) as ask, pytest.raises(http.client.IncompleteRead) as error:
        ask("GET", path)
    expected = 1500 if path == "/" else 1000  # this client drops a chunk that is not whole
    assert error.value.partial[:expected] == BODY[:expected]
    assert len(error.value.partial) <= 1500
    wait_for(lambda: embedded.health()["connections"] == 0, "the connection is closed")


@pytest.mark.parametrize("path", ["/", "/chunked"])
def test_corrupt(embedded: Server, web: Web, path: str) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_corrupt", count=5)
    with asking(at) as ask:
        for _ in range(2):
            body = ask("GET", path)[2]
            assert len(body) == len(BODY)
            assert sum(a != b for a, b in zip(body, BODY, strict=True)) == 5


def test_header(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_header", remove="cache-control")
    with asking(at) as ask:
        status, headers, body = ask()
        assert (status, "cache-control" in headers, body) == (200, False, BODY)
        assert ask("HEAD")[2] == b""
        assert ask("HEAD")[0] == 200


def test_expect_100_continue_passes(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_delay", delay=50)
    with client(at) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert read_exactly(sock, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert read_exactly(sock, 15) == b"HTTP/1.1 200 OK"


def test_several_faults_on_one_connection(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("latency", latency=60)
    embedded.toxic("http_header", remove="Cache-Control")
    embedded.toxic("http_status", status=500, path="/a")
    embedded.toxic("http_status", name="b", status=501, path="/b")
    embedded.toxic("http_delay", delay=60)
    with asking(at) as ask:
        for _ in range(2):
            for path, status in (("/a", 500), ("/b", 501), ("/c", 200)):
                start = time.monotonic()
                found = ask("GET", path)
                assert (found[0], "cache-control" in found[1]) == (status, False)
                took(start, 0.12 if status == 200 else 0.06)
    assert web.seen == [("GET", "/c")] * 2


def test_the_share_repeats_with_the_seed(web: Web) -> None:
    def statuses() -> list[int]:
        server = start_embedded()  # the seed is 7 in each
        try:
            at = server.proxy(web.address)
            # the name says which run it is, and the draw must not depend on it
            server.toxic("http_status", name=f"run-{time.time_ns()}", status=503, share=0.5)
            with asking(at) as ask:
                return [ask()[0] for _ in range(40)]
        finally:
            server.end()

    found = statuses()
    assert set(found) == {200, 503}
    assert found == statuses()


def test_open_connections_are_left_alone_and_go_on_when_it_is_taken_out(
    embedded: Server, web: Web
) -> None:
    at = embedded.proxy(web.address)
    with asking(at) as before:
        assert before()[0] == 200
        embedded.toxic("http_status", status=503)
        assert before()[0] == 200
        with asking(at) as during:
            assert during()[0] == 503
            url = "/proxies/p/toxics/http_status_downstream"
            embedded.ok("PATCH", url, {"attributes": {"status": 502}})
            assert during()[0] == 502
            embedded.ok("DELETE", url)
            assert during()[0] == 200
            assert during("POST", "/", b"x" * 70_000)[1]["x-sent"] == "70000"
    assert http_counts(embedded)["faults"] == {}


def test_a_held_answer_goes_when_the_toxic_is_taken_out(embedded: Server, web: Web) -> None:
    at = embedded.proxy(web.address)
    embedded.toxic("http_delay", delay=60_000)
    with client(at) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(
            lambda: http_counts(embedded)["faults"]["http_delay_downstream"]["hit"] == 1, "is held"
        )
        embedded.ok("DELETE", "/proxies/p/toxics/http_delay_downstream")
        assert read_exactly(sock, 15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("type_", ["http_status", "http_delay", "http_truncate"])
def test_what_is_no_http_passes(embedded: Server, upstream: Upstream, type_: str) -> None:
    at = embedded.proxy(upstream)
    about = {"http_status": {"status": 500}, "http_delay": {"delay": 9000}}
    embedded.toxic(type_, **about.get(type_, {"bytes": 0}))
    data = b"\x16\x03\x01" + bytes(range(256)) * 4000
    with client(at) as sock:
        threading.Thread(target=sock.sendall, args=(data,), daemon=True).start()
        assert read_exactly(sock, len(data)) == data
        sock.shutdown(socket.SHUT_WR)
        assert read_end(sock) == (b"", "fin")
    assert http_counts(embedded)["not_http"] == 1


# -- the others -------------------------------------------------------------------------------


def test_stall_holds_some_pieces_for_as_long_as_a_lost_packet(
    embedded: Server, upstream: Upstream
) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("stall", loss=0.4, pause=60, longest=120)
    with client(at) as sock:
        times = [round_trip_s(sock) for _ in range(25)]
    assert sum(t >= 0.06 - EARLY_S for t in times) >= 2
    assert min(times) < 0.06 - EARLY_S, "it does not hold every piece"


def test_slow_connect_serves_a_new_connection_late(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("slow_connect", delay=200)
    start = time.monotonic()
    with client(at) as sock:
        sock.sendall(b"ping")
        assert read_exactly(sock, 4) == b"ping"
        took(start, 0.2)
        assert min(round_trip_s(sock) for _ in range(10)) < 0.19


@pytest.mark.parametrize("how", ["delete", "disable", "reset"])
def test_a_connection_that_waits_is_served_or_closed_at_once(
    embedded: Server, upstream: Upstream, how: str
) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("slow_connect", delay=60_000)
    with client(at) as sock:
        sock.sendall(b"ping")
        wait_for(lambda: embedded.health()["proxies"]["p"]["in_flight"] == 1, "accepted")
        assert upstream.accepted == 0
        if how == "disable":
            embedded.ok("PATCH", "/proxies/p", {"enabled": False})
            assert read_end(sock)[0] == b""
            assert embedded.health()["connections"] == 0
            return
        if how == "delete":
            embedded.ok("DELETE", "/proxies/p/toxics/slow_connect_downstream")
        else:
            embedded.ok("POST", "/reset")
        assert read_exactly(sock, 4) == b"ping"


def test_proxy_bandwidth_is_shared_fairly(embedded: Server) -> None:
    data = b"z" * 200_000
    with sends(data) as upstream:
        at = embedded.proxy(upstream)
        embedded.toxic("proxy_bandwidth", rate=1)
        ends: list[float] = []

        def fetch(sock: socket.socket) -> None:
            assert len(read_end(sock)[0]) == len(data) - 1
            ends.append(time.monotonic() - start)

        with client(at) as one, client(at) as two, client(at) as three:
            socks = (one, two, three)
            for sock in socks:
                sock.sendall(b"go")
            for sock in socks:
                assert sock.recv(1) == b"z"  # all three have begun before there is much to share
            start = time.monotonic()
            change = {"attributes": {"rate": 400}}
            embedded.ok("PATCH", "/proxies/p/toxics/proxy_bandwidth_downstream", change)
            threads = [threading.Thread(target=fetch, args=(sock,)) for sock in socks]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
    assert len(ends) == 3
    # The change let go what was held: 3 pieces of at most 32 KB. The other 500 KB at 400 KB/s:
    # each got a third all the way, so none was through much earlier.
    assert 1.25 - 0.05 <= max(ends) <= 1.5 + LATE_S
    assert min(ends) >= 1.0


def test_what_a_shared_rate_holds_goes_when_it_is_taken_out(embedded: Server) -> None:
    data = b"z" * 1_000_000
    with sends(data) as upstream:
        at = embedded.proxy(upstream)
        embedded.toxic("proxy_bandwidth", rate=1)
        with client(at) as one, client(at) as other:
            one.sendall(b"go")
            other.sendall(b"go")
            one.recv(1)
            embedded.ok("PATCH", "/proxies/p/toxics/proxy_bandwidth_downstream", {"toxicity": 1})
            embedded.ok("DELETE", "/proxies/p/toxics/proxy_bandwidth_downstream")
            assert len(read_end(one)[0]) == len(data) - 1
            assert len(read_end(other)[0]) == len(data)


# -- the API ----------------------------------------------------------------------------------


def test_attributes_are_shown_as_given_and_at_their_defaults(embedded: Server) -> None:
    embedded.proxy("127.0.0.1:1")
    made = embedded.toxic("http_status", status=503, body="é", share=0.25)
    assert made["attributes"] == {
        "status": 503, "body": "é", "method": "", "path": "", "share": 0.25
    }  # fmt: skip
    (shown,) = embedded.ok("GET", "/proxies/p/toxics")
    assert shown == made
    changed = embedded.ok(
        "PATCH", "/proxies/p/toxics/http_status_downstream", {"attributes": {"path": "/x"}}
    )
    assert changed["attributes"] == {**made["attributes"], "path": "/x"}


@pytest.mark.parametrize(
    ("toxic", "words"),
    [
        ({"type": "http_status"}, "`http_status.status` is 0; it has to lie between 200 and 599"),
        ({"type": "http_status", "attributes": {"status": 99}}, "between 200 and 599"),
        ({"type": "http_status", "attributes": {"status": "503"}}, "of type int64"),
        ({"type": "http_status", "attributes": {"status": 503, "path": 1}}, "of type string"),
        ({"type": "http_status", "attributes": {"status": 503, "path": "x"}}, "`/pay*`"),
        ({"type": "http_status", "attributes": {"status": 503, "method": "get"}}, "`POST`"),
        ({"type": "http_status", "attributes": {"status": 503, "share": "x"}}, "type float64"),
        ({"type": "http_status", "attributes": {"status": 503, "share": 2}}, "from 0 to 1 (100 %)"),
        ({"type": "http_status", "stream": "upstream", "attributes": {"status": 503}}, "stream"),
        ({"type": "http_status", "toxicity": 0.5, "attributes": {"status": 503}}, "`share` says"),
        ({"type": "http_status", "attributes": {"status": 204, "body": "x"}}, "leave `body` out"),
        ({"type": "http_header"}, "0 characters"),
        ({"type": "http_header", "attributes": {"remove": "a\r\nb"}}, "`Cache-Control`"),
        ({"type": "http_header", "attributes": {"remove": "content-length"}}, "http_truncate"),
        ({"type": "http_corrupt"}, "exactly one"),
        ({"type": "http_corrupt", "attributes": {"count": 1, "portion": 0.1}}, "exactly one"),
        ({"type": "stall", "attributes": {"loss": 0.95}}, "from 0 to 0.9"),
        ({"type": "proxy_bandwidth", "attributes": {"rate": 0}}, "between 1 and"),
        ({"type": "slow_connect", "attributes": {"delay": -1}}, "between 0 and"),
        ({"type": "latency", "attributes": {"latency": "5"}}, "of type int64"),
        ({"type": "http_stats"}, "invalid toxic type"),
    ],
)
def test_what_cannot_be_is_refused(embedded: Server, toxic: dict[str, Any], words: str) -> None:
    embedded.proxy("127.0.0.1:1")
    reply = embedded.call("POST", "/proxies/p/toxics", toxic)
    assert reply.status == 400
    assert words in reply.error
    assert embedded.ok("GET", "/proxies/p/toxics") == []
