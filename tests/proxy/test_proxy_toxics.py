"""The contract of the toxics, checked on our server and on the real one.

Times have a hard lower bound and a wide upper one: the machine may be busy, a toxic may not be
early.
"""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest
from proxy_support import (
    Server,
    Upstream,
    client,
    read_end,
    read_exactly,
    round_trip_s,
    swallow,
    wait_for,
)

EARLY_S = 0.015
LATE_S = 4.0


def took(start: float, at_least_s: float, at_most_s: float | None = None) -> None:
    spent = time.monotonic() - start
    limit = at_least_s + LATE_S if at_most_s is None else at_most_s
    assert at_least_s - EARLY_S <= spent <= limit, spent


def sends(data: bytes, *, wait_first: bool = True) -> Upstream:
    """An upstream that answers the first byte with `data` and ends its stream."""

    def serve(sock: socket.socket) -> None:
        if wait_first:
            sock.recv(65536)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        swallow(sock)

    return Upstream(serve)


# -- latency ----------------------------------------------------------------------------------


def test_latency_of_both_streams_adds_up(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("latency", stream="upstream", latency=150)
    server.toxic("latency", stream="downstream", latency=100)
    start = time.monotonic()
    with client(at) as sock:
        took(start, 0.0)  # connecting is not delayed
        for _ in range(2):
            start = time.monotonic()
            round_trip_s(sock)
            took(start, 0.25)


def test_two_latencies_in_one_stream_add_up(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("latency", name="one", latency=100)
    server.toxic("latency", name="two", latency=120)
    with client(at) as sock:
        start = time.monotonic()
        round_trip_s(sock)
        took(start, 0.22)


def test_latency_is_no_bandwidth_limit_and_keeps_order(server: Server) -> None:
    data = bytes(range(256)) * 16_384  # 4 MB
    with sends(data) as upstream:
        at = server.proxy(upstream)
        server.toxic("latency", latency=150, jitter=50)
        with client(at) as sock:
            start = time.monotonic()
            sock.sendall(b"go")
            assert read_end(sock) == (data, "fin")
            took(start, 0.1)


def test_jitter_spreads_around_the_latency(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("latency", latency=40, jitter=30)
    with client(at) as sock:
        times = [round_trip_s(sock) for _ in range(20)]
        while min(times) >= 0.04 and len(times) < 200:  # a busy machine adds its own
            times.append(round_trip_s(sock))
    assert min(times) >= 0.01 - EARLY_S / 2
    assert max(times) - min(times) > 0.01
    assert min(times) < 0.04


def test_latency_reaches_open_connections_and_leaves_them(
    server: Server, upstream: Upstream
) -> None:
    at = server.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock)
        server.toxic("latency", latency=200)
        assert round_trip_s(sock) >= 0.2 - EARLY_S
        server.ok("PATCH", "/proxies/p/toxics/latency_downstream", {"attributes": {"latency": 50}})
        assert 0.05 - EARLY_S <= min(round_trip_s(sock) for _ in range(10)) < 0.19
        server.ok("DELETE", "/proxies/p/toxics/latency_downstream")
        assert min(round_trip_s(sock) for _ in range(20)) < 0.05


@pytest.mark.parametrize("how", ["delete", "update", "reset"])
def test_a_held_chunk_is_released_at_once(server: Server, upstream: Upstream, how: str) -> None:
    at = server.proxy(upstream)
    server.toxic("latency", latency=30_000)
    with client(at) as sock:
        sock.sendall(b"ping")
        sock.settimeout(0.15)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(5)
        start = time.monotonic()
        path = "/proxies/p/toxics/latency_downstream"
        if how == "delete":
            server.ok("DELETE", path)
        elif how == "update":
            server.ok("PATCH", path, {"attributes": {"latency": 29_000}})
        else:
            server.ok("POST", "/reset")
        assert read_exactly(sock, 4) == b"ping"
        took(start, 0.0)


def test_toxics_work_over_ipv6(server: Server) -> None:
    with Upstream(host="::1") as upstream:
        at = server.proxy(upstream, listen="[::1]:0")
        server.toxic("latency", latency=100)
        with client(at) as sock:
            assert round_trip_s(sock) >= 0.1 - EARLY_S


# -- bandwidth --------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["downstream", "upstream"])
def test_bandwidth_counts_kilobytes_of_1000(server: Server, stream: str) -> None:
    data = b"x" * 100_000
    seen = threading.Event()

    def count(sock: socket.socket) -> None:
        assert read_exactly(sock, len(data)) == data
        seen.set()

    with sends(data) if stream == "downstream" else Upstream(count) as upstream:
        at = server.proxy(upstream)
        server.toxic("bandwidth", stream=stream, rate=200)
        with client(at) as sock:
            start = time.monotonic()
            if stream == "downstream":
                sock.sendall(b"go")
                assert read_end(sock) == (data, "fin")
            else:
                sock.sendall(data)
                assert seen.wait(10)
            took(start, 0.5 - 0.05, 3.5)  # 4 s if it counted kilobits


def test_bandwidth_delivers_bit_by_bit(server: Server) -> None:
    with sends(b"x" * 20_000) as upstream:
        at = server.proxy(upstream)
        server.toxic("bandwidth", rate=2)
        with client(at) as sock:
            sock.sendall(b"go")
            start = time.monotonic()
            first = sock.recv(65536)
            took(start, 0.1 - 0.02, 9.0)  # 10 s for the whole
            assert 0 < len(first) < 20_000
            server.ok("DELETE", "/proxies/p/toxics/bandwidth_downstream")
            assert len(first) + len(read_end(sock)[0]) == 20_000


def test_bandwidth_of_zero_stalls_until_taken_out(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("bandwidth", rate=0)
    with client(at) as sock:
        sock.sendall(b"ping")
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(5)
        server.ok("DELETE", "/proxies/p/toxics/bandwidth_downstream")
        assert read_exactly(sock, 4) == b"ping"


# -- slow_close -------------------------------------------------------------------------------


def test_slow_close_delays_the_end(server: Server) -> None:
    with sends(b"answer") as upstream:
        at = server.proxy(upstream)
        server.toxic("slow_close", delay=300)
        with client(at) as sock:
            start = time.monotonic()
            sock.sendall(b"go")
            assert read_exactly(sock, 6) == b"answer"
            assert read_end(sock) == (b"", "fin")
            took(start, 0.3)


def test_slow_close_delays_no_data_and_closes_at_once_when_taken_out(server: Server) -> None:
    with sends(b"answer") as upstream:
        at = server.proxy(upstream)
        server.toxic("slow_close", delay=20_000)
        with client(at) as sock:
            start = time.monotonic()
            sock.sendall(b"go")
            assert read_exactly(sock, 6) == b"answer"
            took(start, 0.0)
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(5)
            start = time.monotonic()
            server.ok("DELETE", "/proxies/p/toxics/slow_close_downstream")
            assert read_end(sock) == (b"", "fin")
            took(start, 0.0)


def test_slow_close_does_not_delay_switching_off(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("slow_close", delay=20_000)
    with client(at) as sock:
        round_trip_s(sock)
        start = time.monotonic()
        server.ok("PATCH", "/proxies/p", {"enabled": False})
        assert sock.recv(1) == b""
        took(start, 0.0)


# -- timeout ----------------------------------------------------------------------------------


def test_timeout_drops_data_and_closes_after_silence(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("timeout", timeout=250)
    with client(at) as sock:
        start = time.monotonic()
        sock.sendall(b"ping")
        assert read_end(sock) == (b"", "fin")
        took(start, 0.25)


def test_timeout_starts_anew_with_every_chunk(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("timeout", timeout=2000)
    with client(at) as sock:
        start = time.monotonic()
        while time.monotonic() - start < 2.5:
            sock.sendall(b"x")
            time.sleep(0.05)
        last = time.monotonic() - start
        assert read_end(sock) == (b"", "fin")
        took(start, 2.5 + 2.0 - 0.15, last + 2.0 + LATE_S)


def test_timeout_of_zero_never_closes_until_taken_out(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("timeout", timeout=0)
    with client(at) as sock:
        sock.sendall(b"ping")
        sock.settimeout(0.4)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(5)
        server.ok("DELETE", "/proxies/p/toxics/timeout_downstream")
        assert read_end(sock) == (b"", "fin")


# -- reset_peer -------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
@pytest.mark.parametrize("timeout", [0, 200])
def test_reset_peer(server: Server, upstream: Upstream, stream: str, timeout: int) -> None:
    at = server.proxy(upstream)
    server.toxic("reset_peer", stream=stream, timeout=timeout)
    with client(at) as sock:
        start = time.monotonic()
        sock.sendall(b"ping")
        assert read_end(sock) == (b"", "reset")
        took(start, timeout / 1000)


def test_reset_peer_leaves_idle_connections_alone(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("reset_peer", timeout=0)
    with client(at, within_s=0.3) as sock, pytest.raises(TimeoutError):
        sock.recv(1)


# -- slicer -----------------------------------------------------------------------------------


def test_slicer_keeps_data_and_cuts_it(server: Server) -> None:
    data = bytes(range(200)) * 10
    with sends(data) as upstream:
        at = server.proxy(upstream)
        server.toxic("slicer", average_size=100, size_variation=30, delay=20_000)
        with client(at) as sock:
            start = time.monotonic()
            sock.sendall(b"go")
            parts: list[bytes] = []
            while part := sock.recv(65536):
                parts.append(part)
            assert b"".join(parts) == data
            # 16 to 32 slices, 20 ms after each
            took(start, 0.25)
            assert len(parts) >= 8
            assert max(map(len, parts)) < 700


def test_slicer_without_delay_keeps_data(server: Server) -> None:
    data = bytes(range(256)) * 1024
    with sends(data) as upstream:
        at = server.proxy(upstream)
        server.toxic("slicer", average_size=64, size_variation=64, delay=0)
        with client(at) as sock:
            sock.sendall(b"go")
            assert read_end(sock) == (data, "fin")


# -- limit_data -------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "passed"), [(100, 100), (0, 0), (-5, 0), (5000, 300)])
def test_limit_data_passes_so_much_and_closes(server: Server, limit: int, passed: int) -> None:
    with sends(b"x" * 300) as upstream:
        at = server.proxy(upstream)
        server.toxic("limit_data", bytes=limit)
        with client(at) as sock:
            sock.sendall(b"go")
            assert read_end(sock) == (b"x" * passed, "fin")


def test_limit_data_counts_from_when_it_was_added(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    with client(at) as sock:
        round_trip_s(sock, b"a" * 50)
        server.toxic("limit_data", bytes=20)
        round_trip_s(sock, b"b" * 15)
        server.ok("PATCH", "/proxies/p/toxics/limit_data_downstream", {"attributes": {"bytes": 30}})
        sock.sendall(b"c" * 40)
        assert read_end(sock) == (b"c" * 15, "fin")


# -- noop, chains, toxicity -------------------------------------------------------------------


def test_noop_does_nothing(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("noop")
    with client(at) as sock:
        assert min(round_trip_s(sock, b"x" * 1000) for _ in range(20)) < 0.05


def test_toxics_form_a_chain(server: Server) -> None:
    with sends(b"x" * 50_000) as upstream:
        at = server.proxy(upstream)
        server.toxic("latency", latency=200)
        server.toxic("bandwidth", rate=100)
        server.toxic("limit_data", bytes=30_000)
        with client(at) as sock:
            start = time.monotonic()
            sock.sendall(b"go")
            data, end = read_end(sock)
            assert (len(data), end) == (30_000, "fin")
            took(start, 0.2 + 0.3 - 0.05)


def test_toxicity_is_drawn_per_connection(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("limit_data", bytes=0, toxicity=0.5)
    hit = 0
    for _ in range(60):
        with client(at) as sock:
            sock.sendall(b"p")
            first = sock.recv(1)
            hit += not first
            if first:  # the rest of the connection is spared too
                round_trip_s(sock)
    assert 10 <= hit <= 50


def test_toxicity_of_zero_spares_everybody(server: Server, upstream: Upstream) -> None:
    at = server.proxy(upstream)
    server.toxic("timeout", timeout=1, toxicity=0)
    for _ in range(10):
        with client(at) as sock:
            round_trip_s(sock)


# -- connections ------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1"])
def test_refused_upstream_accepts_and_closes(server: Server, address: str) -> None:
    at = server.proxy(address)
    with client(at) as sock:
        assert read_end(sock)[0] == b""


@pytest.mark.parametrize("address", ["no-port", "127.0.0.1:bad-port-name", "nosuch.invalid:1"])
def test_impossible_upstream_accepts_and_closes(server: Server, address: str) -> None:
    at = server.proxy(address)
    with client(at) as sock:
        assert read_end(sock)[0] == b""


def test_mixed_families(server: Server) -> None:
    with Upstream(host="::1") as six, Upstream() as four:
        for name, upstream, listen in (
            ("four-six", six, "127.0.0.1:0"),
            ("six-four", four, "[::1]:0"),
        ):
            with client(server.proxy(upstream, name=name, listen=listen)) as sock:
                round_trip_s(sock)


def test_upstream_by_name(server: Server, upstream: Upstream) -> None:
    with client(server.proxy(f"localhost:{upstream.port}")) as sock:
        round_trip_s(sock)


def test_large_transfer_in_both_directions_at_once(server: Server, upstream: Upstream) -> None:
    data = bytes(range(256)) * 16_384  # 4 MB
    at = server.proxy(upstream)
    with client(at) as sock:
        writer = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
        writer.start()
        assert read_exactly(sock, len(data)) == data
        writer.join(5)


def test_end_from_the_upstream_reaches_the_client_after_the_data(server: Server) -> None:
    data = b"y" * 1_000_000
    with sends(data) as upstream, client(server.proxy(upstream)) as sock:
        sock.sendall(b"go")
        assert read_end(sock) == (data, "fin")


def test_end_from_the_client_reaches_the_upstream(server: Server) -> None:
    got: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        got.append(read_end(sock)[0])

    with Upstream(serve) as upstream:
        with client(server.proxy(upstream)) as sock:
            sock.sendall(b"bye")
        wait_for(lambda: got == [b"bye"], "the upstream sees data and end")


def test_reset_from_the_client_ends_the_upstream_connection(server: Server) -> None:
    ended = threading.Event()

    def serve(sock: socket.socket) -> None:
        read_end(sock)
        ended.set()

    with Upstream(serve) as upstream:
        with client(server.proxy(upstream)) as sock:
            sock.sendall(b"x")
            wait_for(lambda: upstream.accepted == 1, "the upstream has the connection")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ended.wait(5)
