"""What our server does better than, or apart from, the real one; and that it never hangs."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from proxy_support import (
    Server,
    Upstream,
    client,
    echo,
    read_end,
    read_exactly,
    round_trip_s,
    start_embedded,
    swallow,
    wait_for,
)

AT_ONCE_S = 4.0
"""Far above what a call takes, below the 5 and 25 s for which the real server hangs."""


def quick(server: Server, method: str, path: str, value: object = None) -> int:
    start = time.monotonic()
    reply = server.call(method, path, value)
    assert time.monotonic() - start < AT_ONCE_S, (method, path)
    return reply.status


# -- nothing hangs ----------------------------------------------------------------------------


@contextlib.contextmanager
def impatient_load(at: tuple[str, int], clients: int = 40) -> Iterator[None]:
    """Clients that connect, ask and give up after 0.3 s, again and again."""
    stop = threading.Event()

    def one() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), client(at, within_s=0.3) as sock:
                sock.sendall(b"ask")
                read_exactly(sock, 8 * 1000)

    threads = [threading.Thread(target=one, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def in_eight_chunks(sock: socket.socket) -> None:
    while sock.recv(65536):
        for _ in range(8):
            sock.sendall(b"x" * 1000)
            time.sleep(0.002)


CHANGES: dict[str, Callable[[Server], int]] = {
    "delete toxic": lambda s: quick(s, "DELETE", "/proxies/p/toxics/latency_downstream"),
    "update toxic": lambda s: quick(
        s, "PATCH", "/proxies/p/toxics/latency_downstream", {"attributes": {"latency": 0}}
    ),
    "reset": lambda s: quick(s, "POST", "/reset"),
    "off": lambda s: quick(s, "PATCH", "/proxies/p", {"enabled": False}),
    "delete proxy": lambda s: quick(s, "DELETE", "/proxies/p"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_under_impatient_load_answer_at_once(embedded: Server, change: str) -> None:
    with Upstream(in_eight_chunks) as upstream:
        at = embedded.proxy(upstream)
        embedded.toxic("latency", latency=8000, jitter=500)
        with impatient_load(at):
            wait_for(lambda: upstream.accepted > 80, "clients give up and come back")
            assert CHANGES[change](embedded) < 300
            assert quick(embedded, "GET", "/proxies") == 200
        if change in {"delete toxic", "update toxic", "reset"}:
            with client(at) as sock:
                sock.sendall(b"ask")
                start = time.monotonic()
                assert len(read_exactly(sock, 8000)) == 8000
                assert time.monotonic() - start < AT_ONCE_S
    embedded.clean()
    assert embedded.health()["internal_errors"] == 0


@pytest.mark.parametrize(
    ("type_", "attributes"),
    [
        ("latency", {"latency": 5000}),
        ("bandwidth", {"rate": 1}),
        ("slicer", {"average_size": 100, "delay": 1000}),
        ("slow_close", {"delay": 10_000}),
        ("noop", {}),
        ("timeout", {"timeout": 0}),
        ("reset_peer", {"timeout": 60_000}),
        ("limit_data", {"bytes": 10**9}),
    ],
)
def test_stalled_reader_hangs_nothing(
    embedded: Server, type_: str, attributes: dict[str, int]
) -> None:
    def flood(sock: socket.socket) -> None:
        sock.recv(1)
        while True:
            sock.sendall(b"z" * 65536)

    with Upstream(flood) as upstream:
        name = f"stalled-{type_}"
        at = embedded.proxy(upstream, name=name)
        before = embedded.toxic(type_, proxy=name, **attributes)
        with client(at) as sock:
            sock.sendall(b"go")
            wait_for(lambda: moved(embedded, name=name)["received"] > 0, "the upstream floods")
            assert (
                quick(embedded, "POST", f"/proxies/{name}/toxics", {"type": "noop", "name": "n"})
                == 200
            )
            assert quick(embedded, "PATCH", f"/proxies/{name}/toxics/{before['name']}", {}) == 200
            assert quick(embedded, "DELETE", f"/proxies/{name}/toxics/{before['name']}") == 204
            embedded.toxic(type_, proxy=name, **attributes)
            assert quick(embedded, "POST", "/reset") == 204
            assert quick(embedded, "PATCH", f"/proxies/{name}", {"enabled": False}) == 200
            assert quick(embedded, "DELETE", f"/proxies/{name}") == 204


def moved(server: Server, direction: str = "downstream", *, name: str) -> dict[str, int]:
    """Bytes of all proxies with this name so far: give every test a name of its own."""
    found = server.health()["proxies"][name]["bytes"][direction]
    assert isinstance(found, dict)
    return found


def test_stalled_reader_is_bounded(embedded: Server) -> None:
    def flood(sock: socket.socket) -> None:
        sock.recv(1)
        for _ in range(4000):
            sock.sendall(b"z" * 65536)

    with Upstream(flood) as upstream:
        at = embedded.proxy(upstream, name="bounded")
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(5)
            sock.connect(at)
            sock.sendall(b"go")
            last = -1

            def stands() -> bool:
                nonlocal last
                before, last = last, moved(embedded, name="bounded")["received"]
                time.sleep(0.1)
                return before == last > 0

            wait_for(stands, "the sender is held back")
            seen = moved(embedded, name="bounded")
            assert seen["received"] - seen["sent"] <= 64 * 1024


@pytest.mark.slow
def test_inject_and_revert_by_replacing_forty_times_under_load(embedded: Server) -> None:
    with Upstream(in_eight_chunks) as upstream:
        at = embedded.proxy(upstream)
        listen = f"{at[0]}:{at[1]}"
        with impatient_load(at):
            for _ in range(40):
                assert quick(embedded, "DELETE", "/proxies/p") == 204
                embedded.proxy(upstream, listen=listen, enabled=False)
                embedded.toxic("latency", latency=2000, jitter=500)
                assert quick(embedded, "PATCH", "/proxies/p", {"enabled": True}) == 200
                time.sleep(0.05)


def test_hanging_dial_blocks_neither_clients_nor_the_api(embedded: Server) -> None:
    # a listener whose queue is full lets no further handshake finish
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        target = full.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(target)
            fillers.append(filler)
        try:
            at = embedded.proxy(f"127.0.0.1:{target[1]}")
            with client(at), client(at), client(at) as last:
                wait_for(lambda: in_flight(embedded) == 3, "three clients wait for the upstream")
                assert quick(embedded, "GET", "/proxies/p") == 200
                start = time.monotonic()
                assert read_end(last)[0] == b""
                assert time.monotonic() - start < 8
                wait_for(lambda: in_flight(embedded) == 0, "all three are closed")
            with client(at) as another:
                wait_for(lambda: in_flight(embedded) == 1, "another waits")
                assert quick(embedded, "DELETE", "/proxies/p") == 204
                assert read_end(another)[0] == b""
        finally:
            for filler in fillers:
                filler.close()


def in_flight(server: Server, name: str = "p") -> int:
    return int(server.health()["proxies"][name]["in_flight"])


# -- better than the real one -----------------------------------------------------------------


def test_half_close_passes(embedded: Server) -> None:
    def answer_after_end(sock: socket.socket) -> None:
        asked = read_end(sock)[0]
        sock.sendall(b"got " + asked)

    with Upstream(answer_after_end) as upstream, client(embedded.proxy(upstream)) as sock:
        sock.sendall(b"question")
        sock.shutdown(socket.SHUT_WR)
        assert read_end(sock) == (b"got question", "fin")
    wait_for(lambda: in_flight(embedded) == 0, "the connection is closed on both sides")


def test_half_close_waits_for_delayed_data(embedded: Server) -> None:
    with Upstream() as upstream:
        at = embedded.proxy(upstream)
        embedded.toxic("latency", stream="upstream", latency=100)
        embedded.toxic("latency", stream="downstream", latency=100)
        with client(at) as sock:
            sock.sendall(b"question")
            sock.shutdown(socket.SHUT_WR)
            assert read_end(sock) == (b"question", "fin")


def test_what_a_client_sent_before_its_reset_still_arrives(embedded: Server) -> None:
    got: list[bytes] = []
    with Upstream(lambda sock: got.append(read_end(sock)[0])) as upstream:
        at = embedded.proxy(upstream, name="order")
        embedded.toxic("latency", proxy="order", stream="upstream", latency=100)
        with client(at) as sock:
            sock.sendall(b"order")
            wait_for(
                lambda: moved(embedded, "upstream", name="order")["received"] == 5,
                "the proxy has the data",
            )
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(lambda: got == [b"order"], "the upstream gets it, and the end")


def test_reset_peer_resets_open_connections(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock)
        embedded.toxic("reset_peer", timeout=0)
        sock.sendall(b"x")
        assert read_end(sock) == (b"", "reset")


def test_reset_peer_is_interruptible(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream, name="waiting")
    embedded.toxic("reset_peer", proxy="waiting", timeout=60_000)
    with client(at) as touched, client(at) as idle:
        touched.sendall(b"x")
        wait_for(
            lambda: moved(embedded, name="waiting")["received"] > 0, "the toxic saw the answer"
        )
        assert quick(embedded, "DELETE", "/proxies/waiting/toxics/reset_peer_downstream") == 204
        assert read_end(touched) == (b"", "reset")
        round_trip_s(idle)


def test_reset_peer_without_toxicity_resets_nobody(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("reset_peer", timeout=0, toxicity=0)
    with client(at) as sock:
        round_trip_s(sock)
        embedded.ok("PATCH", "/proxies/p", {"enabled": False})
        assert read_end(sock) == (b"", "fin")


def test_counts_go_on_when_a_proxy_is_created_again(embedded: Server, upstream: Upstream) -> None:
    for times in (1, 2):
        at = embedded.proxy(upstream, name="again")
        with client(at) as sock:
            round_trip_s(sock, b"12345")
        health = embedded.health()["proxies"]["again"]
        assert health["accepted"] == times
        assert health["bytes"]["upstream"] == {"received": 5 * times, "sent": 5 * times}
        embedded.ok("DELETE", "/proxies/again")


def test_counters_move_while_the_connection_is_open(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream, name="moving")
    with client(at) as sock:
        round_trip_s(sock, b"12345")
        text = embedded.call("GET", "/metrics").body.decode()
        for direction in ("upstream", "downstream"):
            assert moved(embedded, direction, name="moving") == {"received": 5, "sent": 5}
            line = f'toxiproxy_proxy_sent_bytes_total{{direction="{direction}"'
            assert any(
                found.startswith(line) and found.endswith(" 5") for found in text.split("\n")
            )


def test_counters_tell_what_a_toxic_swallows(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream, name="swallowing")
    embedded.toxic("timeout", proxy="swallowing", stream="upstream", timeout=0)
    with client(at) as sock:
        sock.sendall(b"12345")
        wait_for(
            lambda: moved(embedded, "upstream", name="swallowing")["received"] == 5,
            "the data was read",
        )
        assert moved(embedded, "upstream", name="swallowing")["sent"] == 0


def test_missing_listen_binds_loopback(embedded: Server) -> None:
    made = embedded.ok("POST", "/proxies", {"name": "p", "upstream": "x:1"})
    assert made["listen"].startswith("127.0.0.1:")


def test_all_interfaces_only_when_asked_for(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream, listen=":0")
    for host in ("127.0.0.1", "::1"):
        with client((host, at[1])) as sock:
            round_trip_s(sock)


@pytest.mark.parametrize(
    ("type_", "attributes", "message"),
    [
        ("bandwidth", {"rate": -1}, "invalid attribute: rate must be at least 0, got -1"),
        (
            "bandwidth",
            {"rate": 1 << 62},
            "invalid attribute: rate must be at most 92233720368547757, got 4611686018427387904",
        ),
        ("slicer", {}, "invalid attribute: average_size must be at least 1, got 0"),
        (
            "slicer",
            {"average_size": 5, "size_variation": 6},
            "invalid attribute: size_variation must not be above average_size (5), got 6",
        ),
        (
            "slicer",
            {"average_size": 5, "size_variation": -1},
            "invalid attribute: size_variation must be at least 0, got -1",
        ),
        (
            "latency",
            {"jitter": (1 << 62) + 1},
            "invalid attribute: jitter must be at most 4611686018427387904, "
            "got 4611686018427387905",
        ),
    ],
)
def test_what_kills_the_real_server_is_refused(
    embedded: Server, type_: str, attributes: dict[str, int], message: str
) -> None:
    embedded.proxy("127.0.0.1:9")
    body = {"type": type_, "attributes": attributes}
    reply = embedded.call("POST", "/proxies/p/toxics", body)
    assert (reply.status, reply.error) == (400, message)
    assert embedded.ok("GET", "/proxies/p/toxics") == []


def test_refused_update_changes_nothing(embedded: Server) -> None:
    embedded.proxy("127.0.0.1:9")
    made = embedded.toxic("bandwidth", rate=5)
    path = "/proxies/p/toxics/bandwidth_downstream"
    body = {"attributes": {"rate": -5}, "toxicity": 0.5}
    assert embedded.call("PATCH", path, body).status == 400
    assert embedded.ok("GET", path) == made


def test_reset_goes_on_when_one_proxy_cannot_listen(embedded: Server, upstream: Upstream) -> None:
    for name in ("a", "b", "c"):
        embedded.proxy(upstream, name=name)
        embedded.toxic("latency", proxy=name, latency=1)
        embedded.ok("PATCH", f"/proxies/{name}", {"enabled": False})
    taken = {"listen": f"127.0.0.1:{upstream.port}"}
    embedded.ok("PATCH", "/proxies/b", taken)
    reply = embedded.call("POST", "/reset")
    assert (reply.status, "address already in use" in reply.error) == (500, True)
    shown = embedded.ok("GET", "/proxies")
    assert [(p["enabled"], p["toxics"]) for p in shown.values()] == [
        (True, []),
        (False, []),
        (True, []),
    ]


def test_limit_data_leaves_the_connection_when_taken_out(
    embedded: Server, upstream: Upstream
) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("limit_data", bytes=10)
    with client(at) as sock:
        round_trip_s(sock, b"12345")
        embedded.ok("DELETE", "/proxies/p/toxics/limit_data_downstream")
        round_trip_s(sock, b"1234567890")


@pytest.mark.parametrize("gone", ["one", "two", "three"])
def test_taking_out_one_of_a_chain_loses_nothing(embedded: Server, gone: str) -> None:
    data = bytes(range(256)) * 400
    with Upstream() as upstream:
        at = embedded.proxy(upstream)
        embedded.toxic("latency", name="one", latency=30)
        embedded.toxic("bandwidth", name="two", rate=2000)
        embedded.toxic("slicer", name="three", average_size=500, delay=10)
        with client(at) as sock:
            writer = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
            writer.start()
            begin = read_exactly(sock, 1000)
            embedded.ok("DELETE", f"/proxies/p/toxics/{gone}")
            embedded.toxic("latency", name="four", latency=5)
            embedded.ok("PATCH", "/proxies/p/toxics/four", {"attributes": {"latency": 20}})
            assert begin + read_exactly(sock, len(data) - 1000) == data
            writer.join(5)


# -- repeatable -------------------------------------------------------------------------------


def hits(server: Server, count: int = 24) -> str:
    with Upstream() as upstream:
        at = server.proxy(upstream)
        server.toxic("limit_data", bytes=0, toxicity=0.4)
        pattern = ""
        for _ in range(count):
            with client(at) as sock:
                sock.sendall(b"p")
                pattern += "." if sock.recv(1) else "x"
        server.ok("DELETE", "/proxies/p")
    return pattern


def test_toxicity_repeats_with_the_seed(embedded: Server) -> None:
    pattern = hits(embedded)
    assert hits(embedded) == pattern  # a proxy that is created again starts anew
    other = start_embedded("--seed", "8")
    same = start_embedded("--seed", "7")
    try:
        assert hits(same) == pattern
        assert hits(other) != pattern
    finally:
        other.end()
        same.end()


def is_slow(sock: socket.socket) -> bool:
    """The best of three: a busy machine can make any one of them late."""
    return min(round_trip_s(sock) for _ in range(3)) >= 0.05


def test_update_draws_anew_and_neighbours_do_not(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream)
    embedded.toxic("latency", latency=60, toxicity=0.5)
    with client(at) as sock:
        drawn = []
        for _ in range(12):
            drawn.append(is_slow(sock))
            embedded.toxic("noop", name="other")
            embedded.ok("DELETE", "/proxies/p/toxics/other")
            assert is_slow(sock) == drawn[-1]
            embedded.ok("PATCH", "/proxies/p/toxics/latency_downstream", {})
    assert len(set(drawn)) == 2


# -- health -----------------------------------------------------------------------------------


def test_health(embedded: Server, upstream: Upstream) -> None:
    at = embedded.proxy(upstream, name="healthy")
    dead = embedded.proxy("127.0.0.1:1", name="dead")
    with client(dead) as sock:
        read_end(sock)
    with client(at) as sock:
        round_trip_s(sock, b"12345")
        health = embedded.health()
        assert health["proxies"]["healthy"] == {
            "enabled": True,
            "accepted": 1,
            "refused_dials": 0,
            "turned_away": 0,
            "http": {"requests": 0, "not_http": 0, "ambiguous": 0, "faults": {}},
            "in_flight": 1,
            "bytes": {
                "upstream": {"received": 5, "sent": 5},
                "downstream": {"received": 5, "sent": 5},
            },
        }
        assert health["proxies"]["dead"]["refused_dials"] == 1
        assert (health["version"], health["seed"], health["connections"]) == ("2.12.0", 7, 1)
        assert health["cpu_s"] > 0
        for span in ("last_10s", "since_start"):
            lag = health["loop_lag_ms"][span]
            assert 0 <= lag["p50"] <= lag["p99"] <= lag["max"]
        assert health["loop_lag_ms"]["since_start"]["n"] > 0
    wait_for(lambda: in_flight(embedded, "healthy") == 0, "the connection is gone")


def test_keep_alive_and_pipelining(embedded: Server) -> None:
    connection = http.client.HTTPConnection(embedded.host, embedded.port, timeout=5)
    try:
        for _ in range(3):
            connection.request("GET", "/version")
            assert connection.getresponse().read() == b'{"version": "2.12.0"}\n'
    finally:
        connection.close()
    with client((embedded.host, embedded.port)) as sock:
        ask = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        sock.sendall(ask + ask)
        wanted = b'{"version": "2.12.0"}\n'
        seen = b""
        while seen.count(wanted) < 2:
            part = sock.recv(65536)
            assert part
            seen += part


def test_many_connections_at_once(embedded: Server) -> None:
    with Upstream(echo) as upstream, contextlib.ExitStack() as stack:
        at = embedded.proxy(upstream)
        socks = [stack.enter_context(client(at)) for _ in range(300)]
        for sock in socks:
            sock.sendall(b"ping")
        assert all(read_exactly(sock, 4) == b"ping" for sock in socks)
        assert in_flight(embedded) == 300
        embedded.ok("DELETE", "/proxies/p")
        assert all(sock.recv(1) == b"" for sock in socks)
    assert embedded.health()["connections"] == 0


def test_swallowed_connections_leave_nothing_behind(embedded: Server) -> None:
    with Upstream(swallow) as upstream:
        at = embedded.proxy(upstream)
        for _ in range(50):
            with client(at) as sock:
                sock.sendall(b"x")
        wait_for(lambda: in_flight(embedded) == 0, "all connections are closed")
