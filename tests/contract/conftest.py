"""A Toxiproxy of each kind, with a service behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ports_support import free_port
from toxiproxy_support import Lab, http_service

from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.model.project import Target


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("started", marks=pytest.mark.real)]
)
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    real_server: Callable[..., str],
) -> Iterator[ServerChoice]:
    if request.param == "started":
        real_server("toxiproxy-server")
    made = choose_server(None, log_dir=tmp_path_factory.mktemp("log"), force_kind=request.param)
    yield made
    made.stop()


@pytest.fixture
def lab(server: ServerChoice) -> Iterator[Lab]:
    with http_service() as upstream:
        target = Target(
            name="pay",
            proxy="payments",
            listen=f"127.0.0.1:{free_port()}",
            upstream=f"127.0.0.1:{upstream}",
            probe="http:/",
        )
        made = Lab(server=server, target=target, upstream=upstream)
        yield made
        made.clean()
