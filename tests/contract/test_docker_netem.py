"""A shaped network, on a real engine: late or slow as far as the kernel can, and then as before."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from docker_helper_support import (
    address,
    connects,
    docker_engine,
    fault,
    in_its_network,
    left_behind,
    put_in,
    revert,
    revert_elsewhere,
)
from docker_support import BOX, DockerLab, OwnEngine, wait_until

from gameday.adapters.docker.actions.netem import disciplines, handle_of
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import NoEffectError

__all__ = ["docker_engine"]
pytestmark = pytest.mark.real
#: 100 000 bytes are on offer; this makes them take about a second.
SLOW = {"rate": 80}
#: What somebody else has put on an interface.
THEIRS = "dev eth0 root handle 7: tbf rate 1gbit burst 1mb latency 9ms"


def shaped(lab: DockerLab, box: Any) -> list[str]:
    found = disciplines(in_its_network(lab, box, "tc -s qdisc show"))
    return [f"{one.device} {one.kind} {one.handle}" for one in found]


def kernel_can(lab: DockerLab, box: Any) -> bool:
    said = in_its_network(
        lab, box, "tc qdisc add dev lo root netem delay 1ms 2>/dev/null && echo it can; "
        "tc qdisc del dev lo root 2>/dev/null; true"
    )  # fmt: skip
    return "it can" in said


def fetch_s(box: Any) -> float:
    began = time.monotonic()
    with urllib.request.urlopen(f"http://{address(box)}/big", timeout=20) as answer:
        assert len(answer.read()) == 100_000
    return time.monotonic() - began


def running(lab: DockerLab) -> Any:
    box = lab.run()
    wait_until("httpd answers", lambda: connects(address(box)) == "ok")
    return box


def test_a_rate_is_felt_and_goes(docker_engine: DockerLab) -> None:
    box = running(docker_engine)
    before = shaped(docker_engine, box)

    with put_in(docker_engine, box, "netem", **SLOW) as (undo, facts):
        assert fetch_s(box) > 0.7  # 100 000 bytes less a full bucket, at 80 000 a second
        assert facts["discipline"].startswith("tbf rate 640kbit")
        assert shaped(docker_engine, box) != before
        said = revert(undo)

    assert said["matched_bytes"] >= 100_000
    assert shaped(docker_engine, box) == before
    assert left_behind(docker_engine) == []


def test_who_comes_and_goes_does_not_change_the_address_that_others_answer_to(
    own_engine: OwnEngine,
) -> None:
    """A bridge without an address of its own takes one of its ports'.

    A container that is in the middle of an answer then sends the rest to an address that is gone,
    for minutes: nobody asks it anything that would tell it the new one.
    """
    number = (own_engine.directory / "number").read_text().strip()
    chosen = Path(f"/sys/class/net/gdeng{number}/addr_assign_type").read_text().strip()

    assert chosen == "3"  # set, and not stolen from a port


def test_a_delay_is_felt_or_the_kernel_is_said_not_to_know_it(docker_engine: DockerLab) -> None:
    box = running(docker_engine)
    made = fault(docker_engine, box, "netem", delay=300)

    if kernel_can(docker_engine, box):
        undo = made.prepare()
        made.inject(undo)
        began = time.monotonic()
        assert connects(address(box), wanted="ok") == "ok"
        assert time.monotonic() - began > 0.29
        assert UNDOER.revert(undo)
    else:
        with pytest.raises(NoEffectError, match=r"kernel .* cannot do `netem`.*modprobe sch_netem"):
            made.prepare()

    assert not any("netem" in one for one in shaped(docker_engine, box))
    assert left_behind(docker_engine) == []


def test_what_somebody_else_put_there_is_refused_and_stays(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    early = fault(docker_engine, box, "netem", **SLOW)
    undo = early.prepare()
    in_its_network(
        docker_engine,
        box,
        "tc qdisc add dev eth0 root handle 7: tbf rate 1gbit burst 1mb latency 9ms",
    )
    theirs = shaped(docker_engine, box)

    with pytest.raises(NoEffectError, match="which somebody put there"):
        fault(docker_engine, box, "netem", id="late", **SLOW).prepare()
    with pytest.raises(NoEffectError, match="0 of 1"):
        early.inject(undo)
    UNDOER.revert(undo)

    assert shaped(docker_engine, box) == theirs == ["eth0 tbf 7:"]


def test_what_somebody_put_in_our_place_meanwhile_stays(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "netem", **SLOW) as (undo, _):
        in_its_network(
            docker_engine,
            box,
            f"tc qdisc del dev eth0 root && tc qdisc add {THEIRS}",
        )
        assert not UNDOER.revert(undo)["containers"][0]["interfaces"]

        assert shaped(docker_engine, box) == ["eth0 tbf 7:"]


def test_every_interface_is_shaped_and_one_that_came_back_bare_is_no_trouble(
    docker_engine: DockerLab,
) -> None:
    net = docker_engine.network()
    box = docker_engine.run()
    net.connect(box.name)
    handle = handle_of(docker_engine.tag, "f")

    with put_in(docker_engine, box, "netem", **SLOW) as (undo, facts):
        assert facts["devices"] == ["eth0", "eth1"]
        assert shaped(docker_engine, box) == [f"eth0 tbf {handle}", f"eth1 tbf {handle}"]
        in_its_network(docker_engine, box, "tc qdisc del dev eth1 root")

        assert UNDOER.present(undo)
        assert revert_elsewhere(undo)["interfaces"] == 1

    assert [one.split()[1] for one in shaped(docker_engine, box)] == ["noqueue", "noqueue"]


def test_a_restart_and_a_removal_take_it_along(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "netem", **SLOW) as (undo, _):
        box.restart(timeout=0)
        assert revert(undo)["restarted"] is True
        box.stop(timeout=0)
        assert revert(undo)["stopped"] is True
        box.remove(force=True)
        assert revert(undo)["gone"] is True


def test_options_and_images_that_cannot_be_are_refused(docker_engine: DockerLab) -> None:
    box = docker_engine.run()

    with pytest.raises(NoEffectError, match="needs `delay`, `loss` or `rate`"):
        fault(docker_engine, box, "netem").prepare()
    with pytest.raises(NoEffectError, match="`tc` of the helper image"):
        fault(docker_engine, box, "netem", image=BOX, **SLOW).prepare()
