"""What a proxy adds by itself is measured, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.overhead import measure_overhead
from gameday.adapters.toxiproxy.server import choose_server


@pytest.mark.parametrize("kind", ["embedded", pytest.param("started", marks=pytest.mark.real)])
def test_a_proxy_adds_something_and_it_is_told(
    kind: str, tmp_path: Path, real_server: Callable[..., str]
) -> None:
    if kind == "started":
        real_server("toxiproxy-server")
    server = choose_server(None, log_dir=tmp_path, force_kind=kind)
    try:
        found = measure_overhead(server.url, "r1", rounds=300)
        left = ToxiproxyClient(server.url).proxies()
    finally:
        server.stop()

    assert found is not None
    assert found.n >= 100
    assert 0 < found.added_p50_ms < 100
    assert found.added_p99_ms >= 0
    assert left == {}


def test_a_latency_on_the_way_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the number means something: a slow proxy shows."""
    server = choose_server(None, log_dir=tmp_path, force_kind="embedded")
    create = ToxiproxyClient.create

    def slow(self: ToxiproxyClient, name: str, **options: object) -> object:
        from gameday.adapters.toxiproxy.state import ToxicState

        made = create(self, name, **options)  # type: ignore[arg-type]
        self.add_toxic(
            name,
            ToxicState(
                name="slow", type="latency", stream="downstream", toxicity=1.0,
                attributes={"latency": 5, "jitter": 0},
            ),
        )  # fmt: skip
        return made

    monkeypatch.setattr(ToxiproxyClient, "create", slow)
    try:
        found = measure_overhead(server.url, "r1", rounds=120)
    finally:
        server.stop()

    assert found is not None
    assert found.added_p50_ms >= 5
