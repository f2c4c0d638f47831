"""One gateway in a container: it serves, dies and comes back, and nothing of it stays."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from docker_support import DockerLab
from shop_support import wait_until

from gameday.demo.boxed import _outermost
from gameday.demo.engine import Engine, EngineError, empty_root
from gameday.demo.shop import Shop, ShopError
from gameday.demo.topology import BOXED, container_name, free_topology
from gameday.demo.wishes import restart_part


@pytest.fixture
def shop(tmp_path: Path, docker_engine: DockerLab) -> Iterator[Shop]:
    with Shop(free_topology(), tmp_path / "shop", proxied=False, docker=docker_engine.url) as made:
        made.start()
        yield made


def box_of(engine: DockerLab, shop: Shop) -> Any:
    """What the engine says of the container; None when there is none."""
    name = container_name(shop.settings.topology)
    found = engine.client.api.containers(all=True, filters={"name": f"^/{name}$"})
    return engine.client.api.inspect_container(found[0]["Id"]) if found else None


def answers(shop: Shop) -> bool:
    url = f"http://{shop.settings.topology.direct(BOXED)}/products"
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.real
def test_it_serves_is_killed_and_comes_back(docker_engine: DockerLab, shop: Shop) -> None:
    box = box_of(docker_engine, shop)
    assert box["State"]["Pid"] == shop.processes()[BOXED], "its number is that of this machine"
    assert box["HostConfig"]["CapDrop"] == ["ALL"]
    assert {bind.rsplit(":", 1)[1] for bind in box["HostConfig"]["Binds"][:-1]} == {"ro"}
    assert answers(shop)

    docker_engine.client.api.kill(box["Id"])
    wait_until("it is dead", lambda: not answers(shop))
    assert restart_part(shop.settings.state_dir, BOXED) == ""
    wait_until("it is back", lambda: answers(shop))

    shop.stop()
    assert box_of(docker_engine, shop) is None
    assert not [
        i for i in docker_engine.client.api.images() if "gameday-shop" in str(i["RepoTags"])
    ]


@pytest.mark.real
def test_it_ends_with_its_keeper_and_the_next_shop_clears_it_away(
    docker_engine: DockerLab, shop: Shop, tmp_path: Path
) -> None:
    assert shop._keeper is not None
    os.kill(shop._keeper.children[BOXED].pid, signal.SIGKILL)
    wait_until("it ended", lambda: not box_of(docker_engine, shop)["State"]["Running"])
    shop.stop()
    assert box_of(docker_engine, shop) is not None, "nobody was left to remove it"

    with Shop(free_topology(), tmp_path / "next", proxied=False, docker=docker_engine.url) as after:
        after.start()
        assert box_of(docker_engine, shop) is None
        assert box_of(docker_engine, after)["State"]["Running"]


def test_without_an_engine_the_shop_does_not_start(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"
    shop = Shop(free_topology(), tmp_path / "shop", proxied=False, docker=url)

    with pytest.raises(ShopError, match=r"no Docker engine answers at unix://.*; start it, or"):
        shop.start()
    assert shop.processes() == {}


def test_an_engine_elsewhere_is_refused() -> None:
    with pytest.raises(EngineError, match="of this machine only"):
        Engine("tcp://127.0.0.1:2375")


def test_folders_within_others_are_not_mounted_again() -> None:
    places = [
        Path("/usr/local/venv"),
        Path("/usr"),
        Path("/opt/x"),
        Path("/usrlocal"),
        Path("/usr"),
    ]

    assert sorted(_outermost(places)) == ["/opt/x", "/usr", "/usrlocal"]


def test_the_root_has_links_and_no_files() -> None:
    with tarfile.open(fileobj=io.BytesIO(empty_root({"lib": "usr/lib"}))) as archive:
        found = {entry.name: entry.linkname for entry in archive if not entry.isfile()}

    assert found == {"lib": "usr/lib", "proc": "", "dev": "", "sys": ""}
