"""A full volume or tmpfs, on a real engine: writes fail with ENOSPC, and one file is deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from docker.errors import NotFound
from docker_helper_support import (
    docker_engine,
    fault,
    left_behind,
    put_in,
    revert,
    revert_elsewhere,
)
from docker_support import BOX, HELPER, DockerLab

from gameday.adapters.docker.actions.disk import DISK, file_name
from gameday.adapters.docker.engine import Engine
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import NoEffectError

__all__ = ["docker_engine"]
pytestmark = pytest.mark.real
MB = 1_000_000


@pytest.fixture
def volume(docker_engine: DockerLab) -> Any:
    """A volume with a size of its own."""
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=32m"}
    made = docker_engine.client.volumes.create(
        docker_engine.name("data"), driver="local", driver_opts=options
    )
    yield made
    docker_engine.clean()
    with suppress(NotFound):
        made.remove(force=True)


def full(lab: DockerLab, box: Any, path: str, megabytes: int) -> bool:
    """Whether writing that much there fails for want of space."""
    write = f"dd if=/dev/zero of={path}/mine bs=1M count={megabytes}"
    code, said = lab.exec(box, "sh", "-c", f"{write}; code=$?; rm -f {path}/mine; exit $code")
    assert code == 0 or "No space left on device" in said, said
    return code != 0


def files(lab: DockerLab, box: Any, path: str) -> list[str]:
    return lab.exec(box, "ls", "-A", path)[1].split()


def test_a_volume_is_full_down_to_the_reserve_and_empty_again(
    docker_engine: DockerLab, volume: Any
) -> None:
    box = docker_engine.run(volumes={volume.name: {"bind": "/data"}}, user="1000")
    docker_engine.client.containers.run(
        BOX, "touch /data/theirs", volumes={volume.name: {"bind": "/data"}}, remove=True
    )
    with put_in(docker_engine, box, "disk", path="/data", reserve=3 * MB) as (undo, facts):
        ours = file_name(docker_engine.tag, "f")
        assert sorted(files(docker_engine, box, "/data")) == sorted([ours, "theirs"])
        assert 3 * MB <= facts["free_bytes"] < 4 * MB
        assert facts["filled_bytes"] > 25 * MB
        said = revert(undo)

    assert said["deleted"] is True
    assert said["free_bytes"] > 30 * MB
    assert files(docker_engine, box, "/data") == ["theirs"]
    assert revert(undo)["deleted"] is False
    assert left_behind(docker_engine) == []


def test_writes_to_a_tmpfs_fail_and_then_not(docker_engine: DockerLab) -> None:
    """The container has no right to look at it and runs as an ordinary user."""
    box = docker_engine.run(tmpfs={"/scratch": "size=16m,mode=1777"}, user="1000", cap_drop=["ALL"],
                            command=["sleep", "600"])  # fmt: skip
    assert not full(docker_engine, box, "/scratch", 8)

    with put_in(docker_engine, box, "disk", path="/scratch/", reserve=2 * MB) as (undo, facts):
        assert full(docker_engine, box, "/scratch", 8)
        assert not full(docker_engine, box, "/scratch", 1)  # the floor is there
        assert facts["free_bytes"] >= 2 * MB
        assert revert_elsewhere(undo)["deleted"] is True

    assert not full(docker_engine, box, "/scratch", 8)


def test_a_file_that_is_gone_or_was_cut_is_no_trouble(docker_engine: DockerLab) -> None:
    box = docker_engine.run(tmpfs={"/scratch": "size=8m"})
    with put_in(docker_engine, box, "disk", path="/scratch", reserve=MB) as (undo, facts):
        docker_engine.exec(box, "truncate", "-s", "10", facts["file"])
        assert UNDOER.present(undo)
        docker_engine.exec(box, "rm", facts["file"])
        assert not files(docker_engine, box, "/scratch")
        assert revert(undo)["deleted"] is False


def test_a_link_of_that_name_is_not_followed(docker_engine: DockerLab) -> None:
    box = docker_engine.run(tmpfs={"/scratch": "size=8m"})
    name = file_name(docker_engine.tag, "f")
    docker_engine.exec(box, "ln", "-s", "/etc/hosts", f"/scratch/{name}")
    made = fault(docker_engine, box, "disk", path="/scratch", reserve=MB)

    with pytest.raises(NoEffectError, match="cannot be made"):
        made.inject(made.prepare())

    assert "localhost" in docker_engine.exec(box, "cat", "/etc/hosts")[1]


def test_a_restart_empties_a_tmpfs_and_not_a_volume(docker_engine: DockerLab, volume: Any) -> None:
    box = docker_engine.run(tmpfs={"/scratch": "size=8m"}, volumes={volume.name: {"bind": "/data"}})
    # Somebody else has the volume too, so that it stays mounted over the restart.
    docker_engine.run("other", volumes={volume.name: {"bind": "/data"}})
    with (
        put_in(docker_engine, box, "disk", id="mem", path="/scratch", reserve=MB) as (mem, _),
        put_in(docker_engine, box, "disk", id="vol", path="/data", reserve=MB) as (vol, _),
    ):
        box.restart(timeout=0)

        assert revert(mem)["deleted"] is False
        assert UNDOER.present(vol)
        box.stop(timeout=0)
        assert revert(mem)["unmounted"] is True
        assert revert(vol)["deleted"] is True


def test_a_volume_outlives_its_container_and_so_does_the_debt(
    docker_engine: DockerLab, volume: Any
) -> None:
    other = docker_engine.run("other", volumes={volume.name: {"bind": "/data"}})
    box = docker_engine.run(volumes={volume.name: {"bind": "/data"}})
    with put_in(docker_engine, box, "disk", path="/data", reserve=MB) as (undo, _):
        box.remove(force=True)
        part = undo["containers"][0]
        assert UNDOER.present(undo)
        with Engine(docker_engine.url, helper_image=HELPER) as engine:
            assert DISK.present_gone(engine, part)
            assert DISK.revert_gone(engine, part)["deleted"] is True
            assert not DISK.present_gone(engine, part)
            assert files(docker_engine, other, "/data") == []

            other.remove(force=True)
            volume.remove()
            assert DISK.revert_gone(engine, part) == {"deleted": False, "unmounted": True}
            assert not DISK.present_gone(engine, part)
        names = [each.name for each in docker_engine.client.volumes.list()]
        assert volume.name not in names  # looking for it did not make it anew


def test_the_undo_of_a_run_finds_the_file_in_the_volume_of_a_removed_container(
    docker_engine: DockerLab, volume: Any
) -> None:
    other = docker_engine.run("other", volumes={volume.name: {"bind": "/data"}})
    box = docker_engine.run(volumes={volume.name: {"bind": "/data"}})
    with put_in(docker_engine, box, "disk", path="/data", reserve=MB) as (undo, _):
        box.remove(force=True)
        assert UNDOER.present(undo)
        facts = UNDOER.revert(undo)
        assert facts["gone"] is True
        assert not UNDOER.present(undo)
        assert files(docker_engine, other, "/data") == []
        assert UNDOER.revert(undo)["gone"] is True


def test_what_must_not_be_filled_is_refused(docker_engine: DockerLab, volume: Any) -> None:
    box = docker_engine.run(
        tmpfs={"/endless": ""},
        volumes={
            "/tmp": {"bind": "/host", "mode": "ro"},
            volume.name: {"bind": "/data"},
            docker_engine.name("plain"): {"bind": "/plain"},
        },
    )
    try:
        for path, reserve, why in (
            ("/", MB, "is no volume or tmpfs"),
            ("/data/sub", MB, "is no volume or tmpfs"),
            ("/host", MB, "folder of the host"),
            ("/endless", MB, "mount it with a `size`"),
            ("/plain", 64 * MB, "disk of the Docker engine itself"),
            ("/data", 64 * MB, "nothing to fill"),
        ):
            with pytest.raises(NoEffectError, match=why):
                fault(docker_engine, box, "disk", path=path, reserve=reserve).prepare()
        assert files(docker_engine, box, "/data") == []
    finally:
        docker_engine.clean()
        docker_engine.client.volumes.get(docker_engine.name("plain")).remove()


def test_a_volume_that_is_read_only_there_is_refused(docker_engine: DockerLab, volume: Any) -> None:
    box = docker_engine.run(volumes={volume.name: {"bind": "/data", "mode": "ro"}})

    with pytest.raises(NoEffectError, match="read-only"):
        fault(docker_engine, box, "disk", path="/data", reserve=MB).prepare()
