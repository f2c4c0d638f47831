"""Parts in containers: they serve, die and come back, and nothing of them stays."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from docker_support import DockerLab
from shop_support import wait_until

from gameday.demo.boxed import DATA, _create, _outermost
from gameday.demo.engine import IMAGE, Engine, EngineError, small_root
from gameday.demo.shop import Shop, ShopError
from gameday.demo.tools import PROGRAMS, tools
from gameday.demo.topology import BOXED, container_name, free_topology
from gameday.demo.wishes import restart_part


@pytest.fixture
def shop(tmp_path: Path, docker_engine: DockerLab) -> Iterator[Shop]:
    with Shop(free_topology(), tmp_path / "shop", proxied=False, docker=docker_engine.url) as made:
        made.start()
        yield made


def box_of(engine: DockerLab, shop: Shop, part: str = BOXED) -> Any:
    """What the engine says of the container; None when there is none."""
    name = container_name(shop.settings.topology, part)
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
    assert box_of(docker_engine, shop, "postgres") is None
    # Beside this test another one may have a shop on the same engine, made of the same image.
    api = docker_engine.client.api
    wait_until(
        "the image is gone, or in use",
        lambda: not api.images(IMAGE) or api.containers(all=True, filters={"ancestor": IMAGE}),
    )


@pytest.mark.real
def test_a_full_volume_refuses_orders_and_nothing_else(
    docker_engine: DockerLab, shop: Shop
) -> None:
    """As the fault does it: from another container, which has nothing but the shop's own image."""
    volume = volume_of(docker_engine, shop)
    assert buy(shop) == 200

    fill = "fallocate -l $(($(stat -f -c %a /full) * $(stat -f -c %S /full))) /full/file"
    in_helper(docker_engine, volume, fill)

    # What is still free on the last pages has to be used up, and each gateway has to see it.
    wait_until(
        "it is full", lambda: [buy(shop) for _ in range(3)] == [503] * 3 and is_full(shop), 60
    )
    assert status(shop, "/products") == 200
    assert shop.processes()["postgres"], "it goes on"

    in_helper(docker_engine, volume, "rm /full/file")
    wait_until("there is room", lambda: buy(shop) == 200 and not is_full(shop), 60)
    report = shop.ledger(10)
    assert (report.lost, report.duplicate, report.pending) == (0, 0, 0)

    shop.stop()
    assert volume not in str(docker_engine.client.api.volumes())


def volume_of(engine: DockerLab, shop: Shop) -> str:
    """The name of the volume that has the data of the database."""
    name = container_name(shop.settings.topology, "postgres")
    mounts = engine.client.api.inspect_container(name)["Mounts"]
    (found,) = (mount for mount in mounts if mount["Type"] == "volume")
    assert found["Destination"] == DATA
    return str(found["Name"])


def in_helper(engine: DockerLab, volume: str, script: str) -> None:
    said = engine.client.containers.run(
        IMAGE, ["/bin/sh", "-ec", script], volumes={volume: {"bind": "/full"}}, remove=True
    )
    assert said == b""


def buy(shop: Shop) -> int:
    return requests.post(f"{shop.url}/checkout", json={"sku": "A1"}, timeout=10).status_code


def is_full(shop: Shop) -> bool:
    return status(shop, "/status/disk") == 503


def status(shop: Shop, path: str) -> int:
    return requests.get(shop.url + path, timeout=10).status_code


@pytest.mark.real
def test_it_ends_with_its_keeper_and_the_next_shop_clears_it_away(
    docker_engine: DockerLab, shop: Shop, tmp_path: Path
) -> None:
    assert shop._keeper is not None
    os.kill(shop._keeper.children[BOXED].pid, signal.SIGKILL)
    wait_until("it ended", lambda: not box_of(docker_engine, shop)["State"]["Running"])
    volume = volume_of(docker_engine, shop)
    holder = docker_engine.client.containers.create(IMAGE, "x", volumes={volume: {"bind": "/x"}})
    shop.stop()
    holder.remove()
    assert box_of(docker_engine, shop) is not None, "nobody was left to remove it"
    assert volume in str(docker_engine.client.api.volumes()), "it was in use"

    with Shop(free_topology(), tmp_path / "next", proxied=False, docker=docker_engine.url) as after:
        after.start()
        assert box_of(docker_engine, shop) is None
        assert box_of(docker_engine, after)["State"]["Running"]
        assert volume not in str(docker_engine.client.api.volumes())


def test_without_an_engine_the_shop_does_not_start(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"
    shop = Shop(free_topology(), tmp_path / "shop", proxied=False, docker=url)

    with pytest.raises(ShopError, match=r"no Docker engine answers at unix://.*; start it, or"):
        shop.start()
    assert shop.processes() == {}


def test_an_engine_elsewhere_is_refused() -> None:
    with pytest.raises(EngineError, match="of this machine only"):
        Engine("tcp://127.0.0.1:2375")


class Shelf(Engine):
    """An engine that has at most one image, and notes what is asked of it."""

    def __init__(self, *, there: bool, used: bool = False, lost: int = 0) -> None:
        super().__init__("unix:///nowhere")
        self.there, self.used, self.lost = there, used, lost
        self.did: list[str] = []

    def remove_image(self, image: str) -> None:
        self.there = self.there and self.used

    def has_image(self, image: str) -> bool:
        return self.there

    def import_image(self, repository: str, tag: str, content: bytes) -> None:
        assert f"{repository}:{tag}" == IMAGE
        self.there = True
        self.did.append("image")

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        self.did.append(name)
        if self.lost:  # another shop removed the image a moment ago
            self.lost -= 1
            raise EngineError("No such image", 404)


def test_an_image_that_was_left_is_made_anew_unless_something_is_made_of_it() -> None:
    for there, used, did in (
        (False, False, ["image", "box"]),
        (True, False, ["image", "box"]),
        (True, True, ["box"]),
    ):
        shelf = Shelf(there=there, used=used)
        _create(shelf, "box", {})
        assert shelf.did == did, (there, used)


def test_an_image_that_another_shop_removes_meanwhile_is_made_again() -> None:
    shelf = Shelf(there=False, lost=2)
    _create(shelf, "box", {})
    assert shelf.did == ["image", "box"] * 3

    with pytest.raises(EngineError, match="No such image"):
        _create(Shelf(there=False, lost=3), "box", {})


def test_folders_within_others_are_not_mounted_again() -> None:
    places = [
        Path("/usr/local/venv"),
        Path("/usr"),
        Path("/opt/x"),
        Path("/usrlocal"),
        Path("/usr"),
    ]

    assert sorted(_outermost(places)) == ["/opt/x", "/usr", "/usrlocal"]


def test_the_root_has_links_and_the_programs_that_are_given() -> None:
    content = small_root({"lib": "usr/lib"}, {"usr/bin/sh": b"program"})
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        links = {entry.name: entry.linkname for entry in archive if not entry.isfile()}
        (program,) = (entry for entry in archive if entry.isfile())
        held = archive.extractfile(program)
        assert held is not None
        assert (program.name, program.mode, held.read()) == ("usr/bin/sh", 0o755, b"program")

    assert links == {"lib": "usr/lib", "proc": "", "dev": "", "sys": ""}


def test_the_programs_come_with_what_they_load() -> None:
    found = tools()

    names = {Path(path).name for path in found}
    assert {"sh", *PROGRAMS} <= names
    assert any(name.startswith(("libc.", "ld-")) for name in names), "or all of them are static"
    assert not any(path.startswith("/") for path in found)
