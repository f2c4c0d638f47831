"""The metrics endpoint: where it listens, what it answers, and that nothing waits for it."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request

import pytest

from gameday.adapters.metrics_endpoint import MAX_SCRAPES, MetricsEndpoint, address_of
from gameday.errors import RefusedError, UsageError


def text(accept: str) -> tuple[str, str]:
    return "text/plain", f"accepts {accept}\n"


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]:9464", ("::1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
    ],
)
def test_without_an_address_it_is_this_machine_alone(listen: str, address: tuple[str, int]) -> None:
    assert address_of(listen) == address


@pytest.mark.parametrize("listen", ["", "host", "1:2:3", "127.0.0.1:", "70000", "http://x:1", "-1"])
def test_what_is_no_address_is_said(listen: str) -> None:
    with pytest.raises(UsageError, match="is not an address; write a port"):
        address_of(listen)


def test_a_scrape_gets_what_it_accepts() -> None:
    endpoint = MetricsEndpoint("0", text)
    try:
        asked = urllib.request.Request(endpoint.url, headers={"Accept": "application/openmetrics"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.read() == b"accepts application/openmetrics\n"
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(endpoint.url.replace("/metrics", "/"), timeout=10)
        assert missing.value.code == 404
        missing.value.close()
        assert endpoint.url.startswith("http://127.0.0.1:")
    finally:
        endpoint.close()


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RefusedError, match=f"cannot be served at `{port}`"):
            MetricsEndpoint(str(port), text)


def test_scrapes_that_hang_hold_nobody_up() -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def slow(accept: str) -> tuple[str, str]:
        if accept == "slow":
            inside.release()
            go.wait(20)
        return text(accept)

    endpoint = MetricsEndpoint("0", slow)
    port = int(endpoint.url.rpartition(":")[2].partition("/")[0])
    waiting = [
        http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(MAX_SCRAPES)
    ]
    try:
        for one in waiting[:-1]:
            one.request("GET", "/metrics", headers={"Accept": "slow"})
            assert inside.acquire(timeout=10)
        with urllib.request.urlopen(endpoint.url, timeout=10) as answer:
            assert answer.status == 200
        waiting[-1].request("GET", "/metrics", headers={"Accept": "slow"})
        assert inside.acquire(timeout=10)
        with pytest.raises(urllib.error.HTTPError) as busy:
            urllib.request.urlopen(endpoint.url, timeout=10)
        assert busy.value.code == 503
        busy.value.close()
        go.set()
        assert [one.getresponse().read() for one in waiting] == [b"accepts slow\n"] * MAX_SCRAPES
    finally:
        go.set()
        for one in waiting:
            one.close()
        endpoint.close()
