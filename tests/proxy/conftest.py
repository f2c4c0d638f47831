"""The servers that the suite runs against: ours, and the real one where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from proxy_support import Server, Upstream, start_embedded, start_real

_RUNNING: dict[str, Server] = {}


def _running(kind: str) -> Server:
    server = _RUNNING.get(kind)
    if server is None or server.process.poll() is not None:
        server = _RUNNING[kind] = start_embedded() if kind == "embedded" else start_real()
    return server


@pytest.fixture(scope="session", autouse=True)
def _end_servers() -> Iterator[None]:
    yield
    for server in _RUNNING.values():
        server.end()
    _RUNNING.clear()


def _cleaned(server: Server) -> Iterator[Server]:
    yield server
    try:
        server.clean()
    except (OSError, AssertionError):  # wedged or dead: the next test gets a new one
        server.process.kill() if server.kind == "embedded" else server.end()
        server.end()
        _RUNNING.pop(server.kind)
        if server.kind == "embedded":
            raise


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn, without proxies."""
    if request.param == "real" and shutil.which("toxiproxy-server") is None:
        reason = "`toxiproxy-server` is not on PATH: the contract is only checked on our own server"
        if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    yield from _cleaned(_running(request.param))


@pytest.fixture
def embedded() -> Iterator[Server]:
    """Our server, without proxies."""
    yield from _cleaned(_running("embedded"))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An echo server."""
    with Upstream() as found:
        yield found
