"""Whatever comes in, the server lives on, and 500 is only ever a listen address that cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proxy_support import Server, Upstream, client, echo, http_quoted, read_end

from gameday.proxy.connection import Connection
from gameday.proxy.toxic import TYPES, Toxic
from gameday.proxy.traffic import Counter

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

LISTEN_ERRORS = ("listen tcp", "address ", "lookup ")

names = st.sampled_from(["a", "b", "c d", "é", "%", "..", "a?b", "\x00", "x" * 300]) | st.text(
    max_size=6
)
edges = st.sampled_from(
    [0, 1, -1, 2**31, 2**62, 2**62 + 1, 2**63 - 1, -(2**63), 2**63, 10**30, 0.5, 1e308, -0.0]
)
numbers = edges | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
# never a name that would be looked up or a port outside loopback
listens = st.sampled_from(
    ["", "127.0.0.1:0", "[::1]:0", "localhost:0", "foo", "127.0.0.1:99999", "::1:1", "[::1", "1:x:"]
)
attributes = st.dictionaries(
    st.sampled_from([item.name for kind in TYPES.values() for item in kind.attributes]),
    numbers | st.none() | st.text(max_size=3),
    max_size=3,
)
proxy_bodies = st.fixed_dictionaries(
    {},
    optional={
        "name": names | json_values,
        "listen": listens,
        "upstream": st.sampled_from(["127.0.0.1:1", "x", "[::1]:1", "", ":", "127.0.0.1:70000"]),
        "enabled": st.booleans() | json_values,
    },
)
toxic_bodies = st.fixed_dictionaries(
    {},
    optional={
        "name": names | json_values,
        "type": st.sampled_from([*TYPES, "nope"]) | json_values,
        "stream": st.sampled_from(["upstream", "DownStream", "x", ""]) | json_values,
        "toxicity": numbers | json_values,
        "attributes": attributes | json_values,
    },
)
bodies = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"', b"\xff\xfe", b"9" * 9999]),
    st.one_of(json_values, proxy_bodies, toxic_bodies, st.lists(proxy_bodies, max_size=3)).map(
        lambda value: json.dumps(value).encode()
    ),
)
paths = st.one_of(
    st.sampled_from(["/proxies", "/populate", "/reset", "/version", "/metrics", "/gameday/health"]),
    names.map(lambda name: "/proxies/" + http_quoted(name)),
    names.map(lambda name: f"/proxies/{http_quoted(name)}/toxics"),
    st.tuples(names, names).map(
        lambda pair: f"/proxies/{http_quoted(pair[0])}/toxics/{http_quoted(pair[1])}"
    ),
    st.text("/.%ab2F", max_size=8).map(lambda text: "/" + text),
)
methods = st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"])


def check_alive(server: Server) -> None:
    assert server.process.poll() is None
    assert server.health()["internal_errors"] == 0


@FUZZ
@given(st.lists(st.tuples(methods, paths, bodies), min_size=1, max_size=4))
def test_any_request_is_answered(embedded: Server, requests: list[tuple[str, str, bytes]]) -> None:
    for method, path, raw in requests:
        reply = embedded.call(method, path, raw=raw)
        if reply.status == 500:
            assert reply.error.startswith(LISTEN_ERRORS), (method, path, raw, reply.body)
        else:
            assert reply.status < 500
    check_alive(embedded)


@FUZZ
@given(proxy_bodies, st.lists(toxic_bodies, max_size=3), st.lists(toxic_bodies, max_size=2))
def test_any_proxy_and_toxics(
    embedded: Server,
    proxy: dict[str, Any],
    added: list[dict[str, Any]],
    updates: list[dict[str, Any]],
) -> None:
    with contextlib.suppress(AssertionError):
        embedded.clean()
    requests: list[tuple[str, str, Any]] = [("POST", "/proxies", {"name": "a"} | proxy)]
    requests += [("POST", "/proxies/a/toxics", body) for body in added]
    for reply in [embedded.call(*request) for request in requests]:
        assert reply.status < 500 or reply.error.startswith(LISTEN_ERRORS)
    listed = embedded.call("GET", "/proxies/a/toxics")
    for toxic in listed.json() if listed.status == 200 else []:
        for body in updates:
            path = f"/proxies/a/toxics/{http_quoted(toxic['name'])}"
            assert embedded.call("PATCH", path, body).status < 500
    check_alive(embedded)


@FUZZ
@given(
    st.sampled_from(sorted(TYPES)),
    st.sampled_from(["upstream", "downstream"]),
    attributes,
    st.sampled_from([0, 0.5, 1, 7, -1]),
    st.binary(min_size=1, max_size=3000),
)
def test_traffic_through_any_toxic(  # noqa: PLR0917 -- Hypothesis passes them so
    embedded: Server,
    type_: str,
    stream: str,
    values: dict[str, Any],
    toxicity: float,
    data: bytes,
) -> None:
    with Upstream(echo) as upstream:
        at = embedded.proxy(upstream, name="fuzz")
        made = embedded.call(
            "POST",
            "/proxies/fuzz/toxics",
            {
                "name": "t", "type": type_, "stream": stream,
                "toxicity": toxicity, "attributes": values,
            },
        )  # fmt: skip
        assert made.status in (200, 400)
        with contextlib.suppress(OSError), client(at, within_s=0.02) as sock:
            sock.sendall(data)
            sock.recv(65536)
        with contextlib.suppress(OSError), client(at, within_s=1) as sock:
            sock.sendall(data)
            if made.status == 200:
                embedded.ok("PATCH", "/proxies/fuzz/toxics/t", {"toxicity": 1})
                embedded.ok("DELETE", "/proxies/fuzz/toxics/t")
            sock.shutdown(socket.SHUT_WR)
            assert data.startswith(read_end(sock)[0])
        embedded.ok("DELETE", "/proxies/fuzz")
    check_alive(embedded)


@FUZZ
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from(
            [
                b"GET /version HTTP/1.1\r\n",
                b"POST /proxies HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
                b"POST /proxies HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                b"POST /proxies HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
                b"GET * HTTP/1.1\r\n\r\n",
                b"GET http://[::1/ HTTP/1.1\r\n\r\n",
                b"CONNECT x:1 HTTP/1.1\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"X: " + b"y" * 70_000,
                b"\x16\x03\x01\x02\x00",
                b"\r\n\r\n",
            ]
        ),
        max_size=4,
    )
)
def test_any_bytes_on_the_api_port(embedded: Server, parts: list[bytes]) -> None:
    with (
        client((embedded.host, embedded.port), within_s=0.05) as sock,
        contextlib.suppress(OSError),
    ):
        for part in parts:
            sock.sendall(part)
        answer = sock.recv(65536)
        assert not answer.startswith(b"HTTP/1.1 500"), answer
    check_alive(embedded)


def test_redirects_stay_clean(embedded: Server) -> None:
    reply = embedded.call("GET", "/proxies//a%0D%0AX-Y%3A%201%1F")
    assert (reply.status, reply.headers["location"]) == (301, "/proxies/a%0D%0AX-Y%3A%201%1F")
    assert "x-y" not in reply.headers


def test_a_body_that_is_too_large_is_refused(embedded: Server) -> None:
    reply = embedded.call("POST", "/proxies", raw=b" " * (4 * 1024 * 1024 + 1))
    assert (reply.status, reply.json()["status"]) == (413, 413)
    check_alive(embedded)


# -- a chain loses nothing, whatever is done to it -------------------------------------------

harmless = st.one_of(
    st.builds(
        lambda latency, jitter: ("latency", {"latency": latency, "jitter": jitter}),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    st.builds(lambda rate: ("bandwidth", {"rate": rate}), st.sampled_from([0, 50, 100_000])),
    st.builds(
        lambda size, spread, delay: (
            "slicer",
            {"average_size": size, "size_variation": min(size, spread), "delay": delay},
        ),
        st.integers(1, 900),
        st.integers(0, 900),
        st.integers(0, 100),
    ),
    st.builds(lambda delay: ("slow_close", {"delay": delay}), st.integers(0, 5)),
    st.just(("noop", dict[str, int]())),
    st.builds(lambda rate: ("proxy_bandwidth", {"rate": rate}), st.sampled_from([50, 100_000])),
    st.builds(
        lambda loss: ("stall", {"loss": loss, "pause": 1, "longest": 3}),
        st.sampled_from([0.0, 0.3, 0.9]),
    ),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 60_000)),
        st.tuples(st.just("add"), harmless),
        st.tuples(st.just("update"), harmless),
        st.tuples(st.just("remove"), st.integers(0, 4)),
        st.tuples(st.just("wait"), st.integers(0, 4)),
        st.tuples(st.just("read"), st.integers(1, 100_000)),
    ),
    max_size=14,
)


class Wires:
    """A connection between two socket pairs in this process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.near, client_side = socket.socketpair()
        upstream_side, self.far = socket.socketpair()
        for sock in (self.near, client_side, upstream_side, self.far):
            sock.setblocking(False)
        self.closed = asyncio.Event()
        self.connection = Connection(
            loop=self.loop,
            client=client_side,
            upstream=upstream_side,
            proxy="p",
            number=0,
            seed=1,
            counters=(Counter(), Counter()),
            on_closed=lambda _: self.closed.set(),
        )
        self.toxics: dict[str, Toxic] = {}
        self.sent = bytearray()
        self.got = bytearray()
        self.made = 0

    async def step(self, what: str, value: Any) -> None:
        link = self.connection.link("upstream")
        if what == "send":
            data = bytes((len(self.sent) + i) % 251 for i in range(value))
            with contextlib.suppress(BlockingIOError):
                self.sent += data[: self.near.send(data)]
        elif what == "read":
            with contextlib.suppress(BlockingIOError):
                self.got += self.far.recv(value)
        elif what == "wait":
            await asyncio.sleep(value / 1000)
        elif what == "add":
            self.made += 1
            toxic = self.toxic(f"t{self.made}", *value)
            self.toxics[toxic.name] = toxic
            link.add(toxic)
        elif self.toxics:
            name = sorted(self.toxics)[value % len(self.toxics) if what == "remove" else -1]
            if what == "remove":
                del self.toxics[name]
                link.remove(name)
            elif self.toxics[name].type == value[0]:
                self.toxics[name] = self.toxic(name, *value)
                link.update(self.toxics[name])

    @staticmethod
    def toxic(name: str, type_: str, values: dict[str, Any]) -> Toxic:
        return Toxic(
            name=name, type=type_, stream="upstream", direction="upstream",
            toxicity=1.0, attributes=values,
        )  # fmt: skip

    async def drain(self) -> None:
        async with asyncio.timeout(20):
            while data := await self.loop.sock_recv(self.far, 1 << 16):
                self.got += data


@settings(FUZZ, max_examples=150)
@given(steps, st.booleans())
def test_a_chain_loses_nothing(plan: list[tuple[str, Any]], end_first: bool) -> None:
    async def run() -> None:
        wires = Wires()
        wires.connection.start(())
        for what, value in plan:
            await wires.step(what, value)
        if end_first:
            wires.near.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.003)
        for name in list(wires.toxics):
            wires.connection.link("upstream").remove(name)
        if not end_first:
            wires.near.shutdown(socket.SHUT_WR)
        await wires.drain()
        assert wires.got == wires.sent
        wires.far.close()
        async with asyncio.timeout(5):
            await wires.closed.wait()
        wires.near.close()

    asyncio.run(run())
