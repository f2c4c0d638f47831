"""Leases and notes on a real engine; cleaning one up without a journal; engines that fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from docker_faults import attrs, comparable, container_fault, ours
from docker_support import (
    BOX,
    HELPER,
    DockerLab,
    OwnEngine,
    docker_lab,
    holding_gateway,
    http_ok,
    started_engine,
    wait_until,
)

from gameday.adapters.docker.engine import Engine
from gameday.adapters.docker.lease import DockerLease, leases_on
from gameday.adapters.docker.notes import lease_name, place_of
from gameday.adapters.docker.recover import recover_target
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, GamedayError, NoEffectError, RefusedError
from gameday.model.project import ContainerRef, DockerSpec, Target
from gameday.processes import identity_of

pytestmark = pytest.mark.real
MIB = 2**20


def lease(lab: DockerLab, container: str, run: str = "run-1", ttl_s: float = 30.0) -> DockerLease:
    return DockerLease(DockerSpec(url=lab.url), run, container, ttl_s=ttl_s)


def make_owner_dead(lab: DockerLab, container: str) -> None:
    """As if the process that took the lease were gone, and its time over."""
    with Engine(lab.url) as engine:
        place = place_of(engine, container)
        assert place is not None
        assert place.lease is not None
        owner = {**place.lease["owner"], "start_ticks": 1}
        text = json.dumps({**place.lease, "owner": owner, "expires_wall_ms": 0})
        engine.put_files(place.id, {"gameday/lease.json": text.encode()})


def test_one_run_at_a_time_holds_a_container(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http()
    before = attrs(lab, box.name)
    mine, other = lease(lab, box.name), lease(lab, box.name, "run-2")
    assert not UNDOER.present(mine.undo)
    undo = mine.take()
    assert UNDOER.present(undo)
    assert attrs(lab, lease_name(box.name))["State"]["Status"] == "created"
    mine.take()
    with pytest.raises(
        RefusedError, match=r"is held by run `run-1` on host `.+`.+recover --target"
    ):
        other.take()
    with pytest.raises(RefusedError, match="is held by run `run-1`"):
        other.renew()
    other.release()
    mine.renew()
    with pytest.raises(NoEffectError, match="is held by run `run-1`"):
        container_fault(lab, box.name, "pause", run="run-2").prepare()
    mine.release()
    mine.release()
    assert not UNDOER.present(undo)
    other.take()
    other.release()
    assert not ours(lab)
    assert attrs(lab, box.name) == before
    assert http_ok(port)


def test_only_one_of_many_gets_it(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()

    def take(number: int) -> str:
        try:
            lease(lab, box.name, f"run-{number}").take()
        except RefusedError:
            return ""
        return f"run-{number}"

    with ThreadPoolExecutor(8) as pool:
        (winner,) = [run for run in pool.map(take, range(8)) if run]
    with Engine(lab.url) as engine:
        place = place_of(engine, box.name)
    assert place is not None
    assert place.run == winner
    assert place.lease is not None
    assert place.lease["run"] == winner


def test_renewing_moves_the_end_and_makes_a_lost_lease_anew(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    mine = lease(lab, box.name, ttl_s=100)
    mine.take()
    with Engine(lab.url) as engine:
        place = place_of(engine, box.name)
        assert place is not None
        assert place.lease is not None
        first = place.lease["expires_wall_ms"]
        wait_until("time goes by", lambda: time.time() * 1000 + 100_000 > first + 5)
        mine.renew()
        place = place_of(engine, box.name)
        assert place is not None
        assert place.lease is not None
        assert place.lease["expires_wall_ms"] > first
        engine.remove(lease_name(box.name))  # `docker container prune` does that
        mine.renew()
        assert place_of(engine, box.name) is not None
    assert UNDOER.present(mine.undo)


def test_a_dead_owner_is_named_and_recovery_is_shown(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    lease(lab, box.name).take()
    make_owner_dead(lab, box.name)
    with pytest.raises(RefusedError) as caught:
        lease(lab, box.name, "run-2").take()
    text = str(caught.value)
    assert text.startswith("run `run-1` on host `")
    assert f"left container `{box.name}` on the Docker engine" in text
    assert f"`gameday recover --target {lab.url}`" in text


def test_an_owner_on_another_host_holds_it_until_its_time_is_over(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    box = lab.run()
    lease(lab, box.name).take()
    with Engine(lab.url) as engine:
        place = place_of(engine, box.name)
        assert place is not None
        for until, said in ((time.time() + 60, "is held by"), (time.time() - 1, "without clean")):
            owner = {**identity_of(os.getpid()), "host": "elsewhere"}
            text = json.dumps({"run": "run-1", "expires_wall_ms": until * 1000, "owner": owner})
            engine.put_files(place.id, {"gameday/lease.json": text.encode()})
            with pytest.raises(RefusedError, match=said):
                lease(lab, box.name, "run-2").take()


def test_a_lease_leaves_no_volume_and_needs_no_program(docker_engine: DockerLab) -> None:
    lab = docker_engine
    image = f"gameday-test/{lab.tag}:1"
    first = lab.run("first")
    first.commit(repository=image.partition(":")[0], tag="1", changes=["VOLUME /data"])
    try:
        box = lab.run(image=image)
        volumes = {v.name for v in lab.client.volumes.list()}
        mine = lease(lab, box.name)
        mine.take()
        own = attrs(lab, lease_name(box.name))["Mounts"]
        mine.release()
        left = {v.name for v in lab.client.volumes.list()}
        assert not {m["Name"] for m in own} & left
        assert {m["Name"] for m in attrs(lab, box.name)["Mounts"]} <= volumes & left
    finally:
        lab.clean()
        lab.client.images.remove(image, force=True)


def test_where_the_image_is_gone_the_reason_is_said(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    found = attrs(lab, box.name)
    assert found["Image"].startswith("sha256:")

    class Without(Engine):
        def create(self, name: str | None, config: Any) -> str:
            return super().create(name, {**config, "Image": "sha256:" + "0" * 64})

    from gameday.adapters.docker.notes import make_place

    with Without(lab.url) as engine, pytest.raises(AdapterError, match=r"its image .* is not on"):
        make_place(engine, box.name, "run-1", None)
    with Engine(lab.url) as engine, pytest.raises(AdapterError, match="No such container"):
        make_place(engine, lab.name("nix"), "run-1", None)


def test_leases_are_on_the_containers_that_the_fault_will_choose(docker_engine: DockerLab) -> None:
    lab = docker_engine
    for n in range(4):
        lab.run(f"web{n}", labels={"app": lab.tag})
    lab.run("bystander")
    docker = DockerSpec(url=lab.url)
    for pick, seed in (("one", 7), ("all", 7)):
        ref = ContainerRef(label=f"app={lab.tag}", pick=pick)
        taken = leases_on(docker, "run-1", Target(name="pay", container=ref), seed=seed)
        undo = container_fault(lab, ref, "pause").prepare()
        assert [t.undo["container"] for t in taken] == [p["name"] for p in undo["containers"]]


def test_the_note_lies_there_before_anything_is_broken(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http()
    mine = lease(lab, box.name)
    mine.take()
    fault = container_fault(lab, box.name, "pause")
    undo = fault.prepare()
    with holding_gateway(lab.url, "/pause") as url:
        slow = container_fault(lab, box.name, "pause", url=url)
        began = time.monotonic()
        with pytest.raises(AdapterError, match="did not answer in time") as caught:
            slow.inject(undo)
        assert time.monotonic() - began < 20
        assert not isinstance(caught.value, NoEffectError)
    with Engine(lab.url) as engine:
        place = place_of(engine, box.name)
    assert place is not None
    assert json.loads(json.dumps(place.notes["broken"])) == undo
    wait_until("the call has landed all the same", lambda: not http_ok(port))
    assert UNDOER.present(undo)
    mine.release()  # notes are left: the container stays for whoever cleans up
    assert ours(lab) == [lease_name(box.name)]
    with pytest.raises(RefusedError, match="without cleaning up"):
        lease(lab, box.name, "run-2").take()
    UNDOER.revert(undo)
    assert http_ok(port)
    assert not ours(lab)


def test_a_fault_that_is_refused_leaves_no_note(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    fault = container_fault(lab, box.name, "pause")
    undo = fault.prepare()
    lease(lab, box.name, "run-2").take()
    with pytest.raises(NoEffectError, match="is held by run `run-2`"):
        fault.inject(undo)
    assert not attrs(lab, box.name)["State"]["Paused"]
    with Engine(lab.url) as engine:
        place = place_of(engine, box.name)
    assert place is not None
    assert not place.notes


def helper(lab: DockerLab, run: str, short: str) -> str:
    """A helper container as an action leaves it when it is cut off."""
    labels = {"gameday.run": run, "gameday.fault": "lost", "gameday.role": "helper"}
    return str(lab.run(short, allow=False, image=HELPER, labels=labels).name)


def test_an_engine_is_cleaned_up_without_a_journal(own_engine: OwnEngine) -> None:
    with docker_lab(own_engine.url) as lab:
        assert recover_target(lab.url).lines == ("nothing of gameday was there",)
        boxes = {n: lab.http(n)[0] for n in ("frozen", "alone", "slower", "live", "gone")}
        before = {n: comparable(lab, box.name) for n, box in boxes.items()}
        for short, kind, options in (
            ("frozen", "pause", {}),
            ("alone", "disconnect", {}),
            ("slower", "cpu", {"cpus": 0.1}),
            ("gone", "stop", {"grace": 0}),
        ):
            name = boxes[short].name
            lease(lab, name, "run-dead").take()
            fault = container_fault(
                lab, name, kind, run="run-dead", fault=f"f-{short}", url=lab.url, **options
            )
            fault.inject(fault.prepare())
            make_owner_dead(lab, name)
        lab.client.api.remove_container(boxes["gone"].id, force=True)
        lease(lab, boxes["live"].name, "run-live").take()
        held = container_fault(lab, boxes["live"].name, "pause", run="run-live", fault="f-live")
        held_undo = held.prepare()
        held.inject(held_undo)
        dead_helper, live_helper = helper(lab, "run-dead", "h1"), helper(lab, "run-live", "h2")
        report = recover_target(lab.url)
        assert report.clean, report
        said = "\n".join(report.lines)
        assert "left alone: container `" in said
        for short, kind in (("frozen", "pause"), ("alone", "disconnect"), ("slower", "cpu")):
            assert f"took fault `f-{short}` of run `run-dead` ({kind}) off" in said
            assert comparable(lab, boxes[short].name) == before[short]
        left = lab.listed()
        assert dead_helper not in left
        assert live_helper in left
        assert UNDOER.present(held_undo)
        with pytest.raises(RefusedError, match="is held by run `run-live`"):
            recover_target(lab.url)
        report = recover_target(lab.url, force=True)
        assert report.clean, report
        assert comparable(lab, boxes["live"].name) == before["live"]
        assert not lab.listed("gameday.run")


def test_what_cannot_be_mended_stays_noted_and_is_called_dirty(own_engine: OwnEngine) -> None:
    with docker_lab(own_engine.url) as lab:
        box, port = lab.http()
        fault = container_fault(lab, box.name, "stop", grace=0)
        fault.inject(fault.prepare())
        blocker = lab.run("blocker", ports={"80/tcp": ("127.0.0.1", port)})
        report = recover_target(lab.url)
        assert report.dirty == (lease_name(box.name),)
        assert any("failed: fault `broken`" in line for line in report.lines), report
        blocker.remove(force=True)
        assert recover_target(lab.url).clean
        wait_until("httpd answers", lambda: http_ok(port))
        assert not ours(lab)


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_an_engine_that_was_restarted_in_the_middle(own_engine: OwnEngine, how: int) -> None:
    with docker_lab(own_engine.url) as lab:
        undos: dict[str, Any] = {}
        before: dict[str, Any] = {}
        for kind, options in (
            ("pause", {}),
            ("stop", {"grace": 0}),
            ("disconnect", {}),
            ("cpu", {"cpus": 0.1}),
        ):
            box, _ = lab.http(kind)
            before[kind] = comparable(lab, box.name)
            fault = container_fault(lab, box.name, kind, fault=f"f-{kind}", **options)
            undos[kind] = fault.prepare()
            fault.inject(undos[kind])
        own_engine.end(how)
        for undo in undos.values():
            with pytest.raises(CannotSeeError, match=r"no Docker engine answers|went away"):
                UNDOER.present(undo)
            with pytest.raises(AdapterError, match=r"no Docker engine answers|went away"):
                UNDOER.revert(undo)
        own_engine.start()
        for kind, undo in undos.items():
            assert UNDOER.present(undo), kind
            UNDOER.revert(undo)
            assert not UNDOER.present(undo), kind
            now = comparable(lab, undo["containers"][0]["name"])
            for key in ("NanoCpus", "CpuQuota", "Memory", "PortBindings", "RestartPolicy"):
                assert now["host"][key] == before[kind]["host"][key]
            assert set(now["endpoints"]) == set(before[kind]["endpoints"])
            assert not now["paused"]
        # What the engine itself ended is not ours to start; what we stopped runs again.
        assert comparable(lab, lab.name("stop"))["running"]
        assert not ours(lab)


def test_every_call_ends_in_time_when_the_engine_hangs(own_engine: OwnEngine) -> None:
    with docker_lab(own_engine.url) as lab:
        box, port = lab.http()
        mine = lease(lab, box.name)
        mine.take()
        fault = container_fault(lab, box.name, "pause")
        undo = fault.prepare()
        calls: list[tuple[str, Callable[[], object], type[GamedayError]]] = [
            ("prepare", fault.prepare, NoEffectError),
            ("inject", lambda: fault.inject(undo), NoEffectError),
            ("revert", lambda: UNDOER.revert(undo), AdapterError),
            ("present", lambda: UNDOER.present(undo), CannotSeeError),
            ("renew", mine.renew, AdapterError),
            ("recover", lambda: recover_target(lab.url), AdapterError),
        ]
        pid = own_engine.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(len(calls)) as pool:
                for (name, _, kind), (took_s, error) in zip(
                    calls, pool.map(lambda call: timed(call[1]), calls), strict=True
                ):
                    assert isinstance(error, kind), (name, error)
                    assert "did not answer in time" in str(error), name
                    assert took_s < 15, name  # the limits are 8 s and less
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until("it answers again", lambda: not UNDOER.present(undo))
        assert http_ok(port)
        fault.inject(undo)
        assert not http_ok(port)
        UNDOER.revert(undo)
        mine.release()
        assert not ours(lab)


def timed(call: Callable[[], object]) -> tuple[float, BaseException | None]:
    began = time.monotonic()
    try:
        call()
    except GamedayError as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None


@pytest.mark.parametrize(
    "held",
    [
        "/pause",
        "/json",
        pytest.param("/archive", marks=pytest.mark.slow),
        pytest.param("/create", marks=pytest.mark.slow),
    ],
)
def test_an_inject_whose_answer_is_held_back_ends_in_time_and_is_mended(
    docker_engine: DockerLab, held: str
) -> None:
    lab = docker_engine
    box, port = lab.http()
    undo = container_fault(lab, box.name, "pause").prepare()
    with holding_gateway(lab.url, held) as url:
        took_s, error = timed(lambda: container_fault(lab, box.name, "pause", url=url).inject(undo))
        assert isinstance(error, AdapterError)
        assert isinstance(error, NoEffectError) == (held == "/json")
        assert took_s < 20
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert http_ok(port)
    assert not ours(lab)


def test_the_script_takes_back_all_that_its_engine_left(docker_engine: DockerLab) -> None:
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    before = forward.read_text()
    with started_engine() as made:
        number = (made.directory / "number").read_text().strip()
        with docker_lab(made.url) as lab:
            lab.http()
            assert f"gameday-engine-{number}" in said("iptables", "-w", "5", "-S", "FORWARD")
            assert f" 10.213.{16 * int(number)}.1/24 " in said("ip", "-o", "address")
            lab.made.clear()  # what a test left behind goes with the engine
            lab.tag = "nobody"
        pid, directory = made.pid, made.directory
    mounts = Path("/proc/mounts").read_text()
    assert str(directory) not in mounts
    assert not directory.exists()
    assert not Path(f"/proc/{pid}/exe").exists()
    assert str(directory) not in said("ps", "-eo", "args")
    assert forward.read_text() == before


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def test_images_for_the_tests_are_there(docker_engine: DockerLab) -> None:
    with Engine(docker_engine.url) as engine:
        assert engine.has_image(BOX)
        assert engine.has_image(HELPER)
        assert not engine.has_image("gameday-test/nix:1")
