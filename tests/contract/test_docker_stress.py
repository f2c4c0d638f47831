"""Stress beside a container, on a real engine: it takes from the container, and nothing stays."""

from __future__ import annotations

import time
from typing import Any

import pytest
from docker_helper_support import (
    docker_engine,
    fault,
    left_behind,
    put_in,
    revert,
    revert_elsewhere,
)
from docker_support import BOX, DockerLab, wait_until

from gameday.adapters.docker.actions.stress import LONGEST_S
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import NoEffectError

__all__ = ["docker_engine"]
pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def groups(docker_engine: DockerLab) -> None:
    """These need control groups of version 1; what happens elsewhere has unit tests."""
    info = docker_engine.client.info()
    if (str(info.get("CgroupVersion", "1")), info.get("CgroupDriver")) != ("1", "cgroupfs"):
        pytest.skip("this engine has no control groups of version 1: stress was NOT tested here")


def burn(lab: DockerLab, box: Any) -> float:
    began = time.monotonic()
    count = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done"
    assert lab.exec(box, "sh", "-c", count)[0] == 0
    return time.monotonic() - began


def stress_helpers(lab: DockerLab) -> list[Any]:
    """The helpers of this test's run, in whatever state."""
    labels = [f"gameday.run={lab.tag}", "gameday.role=helper"]
    found = lab.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    return list(found)


def test_work_in_the_container_takes_longer_and_then_not(docker_engine: DockerLab) -> None:
    box = docker_engine.run(nano_cpus=300_000_000)
    calm = min(burn(docker_engine, box) for _ in range(2))

    with put_in(docker_engine, box, "stress", cpu=3) as (undo, facts):
        assert facts["workers"]["stress-ng-cpu"] == 3
        assert box.id in facts["group"]
        stressed = burn(docker_engine, box)
        said = revert(undo)

    assert stressed > 1.3 * calm
    assert said["ran_until_now"] is True
    assert left_behind(docker_engine) == []


def test_all_workers_are_in_the_containers_group(docker_engine: DockerLab) -> None:
    """Its memory limit holds for them too, as the engine counts it."""
    box = docker_engine.run(mem_limit="200m")
    with put_in(docker_engine, box, "stress", cpu=1, memory=50_000_000, io=1) as (undo, facts):
        assert set(facts["workers"]) == {"stress-ng-cpu", "stress-ng-vm", "stress-ng-io"}
        wait_until(
            "the memory is the container's",
            lambda: box.stats(stream=False)["memory_stats"]["usage"] > 45_000_000,
        )
        (helper,) = stress_helpers(docker_engine)
        assert helper.attrs["HostConfig"]["CgroupParent"] == facts["group"]
        assert helper.attrs["HostConfig"]["AutoRemove"] is True
        assert f"{LONGEST_S}s" in helper.attrs["Config"]["Cmd"]
        assert not helper.attrs["HostConfig"]["CapAdd"]
        assert revert_elsewhere(undo)["helpers"] == 1


def test_a_helper_that_is_killed_is_no_fault_any_more_and_is_said(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "stress", cpu=1) as (undo, _):
        (helper,) = stress_helpers(docker_engine)
        helper.kill()
        wait_until("it is gone", lambda: stress_helpers(docker_engine) == [])

        assert revert(undo)["ran_until_now"] is False


@pytest.mark.parametrize("how", ["restart", "remove", pytest.param("kill", marks=pytest.mark.slow)])
def test_it_never_outlives_the_process_that_it_is_beside(
    docker_engine: DockerLab, how: str
) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "stress", cpu=1) as (undo, _):
        ends = {"restart": {"timeout": 0}, "remove": {"force": True}}
        getattr(box, how)(**ends.get(how, {}))

        wait_until("it is gone", lambda: stress_helpers(docker_engine) == [])
        facts = revert(undo)

    assert facts.get("gone") or facts["ran_until_now"] is False
    assert left_behind(docker_engine) == []


def test_one_container_of_several_is_mended_without_the_others(docker_engine: DockerLab) -> None:
    one, two = docker_engine.run("one"), docker_engine.run("two")
    with (
        put_in(docker_engine, one, "stress", cpu=1) as (first, _),
        put_in(docker_engine, two, "stress", cpu=1) as (second, _),
    ):
        revert(first)
        assert UNDOER.present(second)


def test_what_cannot_be_is_refused(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    hosts = docker_engine.run("hosts", pid_mode="host")

    with pytest.raises(NoEffectError, match="needs `cpu`, `memory` or `io`"):
        fault(docker_engine, box, "stress").prepare()
    with pytest.raises(NoEffectError, match=r"helper image .* cannot be used: .*stress-ng"):
        fault(docker_engine, box, "stress", image=BOX, cpu=1).prepare()
    with pytest.raises(NoEffectError, match="shares its process numbers"):
        fault(docker_engine, hosts, "stress", cpu=1).prepare()
    assert left_behind(docker_engine) == []
