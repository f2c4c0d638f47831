"""Faults on packets, on a real engine: felt from outside, and taken out to the last rule."""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path

import pytest
from docker_helper_support import (
    address,
    connects,
    docker_engine,
    fault,
    in_its_network,
    left_behind,
    packet_rules,
    put_in,
    revert,
    revert_elsewhere,
    silent_engine,
)
from docker_support import BOX, DockerLab, wait_until

from gameday.adapters.docker.actions import network
from gameday.adapters.docker.engine import Engine
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError

__all__ = ["docker_engine"]
pytestmark = pytest.mark.real


def test_prepare_changes_nothing(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    before = packet_rules(docker_engine, box)

    undo = fault(docker_engine, box, "drop").prepare()

    assert packet_rules(docker_engine, box) == before
    assert not UNDOER.present(undo)
    assert left_behind(docker_engine) == []


@pytest.mark.parametrize(
    ("kind", "options", "felt"),
    [
        ("drop", {}, "timeout"),
        pytest.param("drop", {"direction": "in"}, "timeout", marks=pytest.mark.slow),
        ("drop", {"direction": "out", "port": 80}, "timeout"),
        ("drop", {"port": 81}, "ok"),
        ("reset", {"port": 80}, "refused"),
        pytest.param("reset", {"direction": "in"}, "refused", marks=pytest.mark.slow),
        pytest.param("loss", {"share": 1.0}, "timeout", marks=pytest.mark.slow),
        pytest.param("loss", {"share": 0.0}, "ok", marks=pytest.mark.slow),
    ],
)
def test_a_connection_from_outside_feels_it_and_recovers(
    docker_engine: DockerLab, kind: str, options: dict[str, object], felt: str
) -> None:
    box = docker_engine.run()
    where = address(box)
    wait_until("httpd answers", lambda: connects(where) == "ok")

    with put_in(docker_engine, box, kind, **options) as (undo, _):
        assert connects(where, wanted=felt) == felt
        facts = revert(undo)

    assert connects(where, wanted="ok") == "ok"
    assert (facts["matched_packets"] > 0) == (felt != "ok")
    assert facts["rules"] > 0
    assert packet_rules(docker_engine, box) == []
    assert left_behind(docker_engine) == []


def test_an_open_connection_is_reset(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    wait_until("httpd answers", lambda: connects(address(box)) == "ok")
    with (
        socket.create_connection((address(box), 80), timeout=5) as open_one,
        put_in(docker_engine, box, "reset", port=80),
    ):
        open_one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            open_one.recv(1)


def test_a_share_of_the_packets_is_lost(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    where = address(box)

    with put_in(docker_engine, box, "loss", share=0.3, direction="in") as (undo, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(500):
                sender.sendto(b"x", (where, 9))
        facts = revert(undo)

    assert 100 <= facts["matched_packets"] <= 200  # 150 are meant; five standard deviations are 51


@pytest.mark.parametrize(("how", "code"), [("refuse", 1), ("drop", 143)])
def test_names_cannot_be_looked_up(docker_engine: DockerLab, how: str, code: int) -> None:
    """By Docker's own resolver: `refuse` fails at once, `drop` lets it wait until it is ended."""
    net = docker_engine.network()
    other = docker_engine.run("other", network=net.name)
    box = docker_engine.run(network=net.name)
    by_name = ["timeout", "1.5", "wget", "-q", "-O", "-", f"http://{other.name}/"]
    by_address = [*by_name[:-1], f"http://{address(other)}/"]
    wait_until("httpd answers", lambda: docker_engine.exec(box, *by_name)[0] == 0)

    with put_in(docker_engine, box, "dns", how=how) as (undo, _):
        got, said = docker_engine.exec(box, *by_name)
        assert got == code, said
        assert how == "drop" or "bad address" in said
        assert docker_engine.exec(box, *by_address)[0] == 0
        assert revert(undo)["matched_packets"] > 0

    assert docker_engine.exec(box, *by_name)[0] == 0


def test_another_resolver_than_dockers_is_refused_too(docker_engine: DockerLab) -> None:
    box = docker_engine.run(dns=["192.0.2.53"])  # nobody is there

    with put_in(docker_engine, box, "dns") as (undo, _):
        code, said = docker_engine.exec(box, "timeout", "4", "nslookup", "example.org")
        assert code == 1, said  # not 143: it did not have to wait for the silence
        assert revert(undo)["matched_packets"] > 0


def test_one_peer_is_cut_off_and_another_is_not(docker_engine: DockerLab) -> None:
    net = docker_engine.network()
    cut, kept = (docker_engine.run(name, network=net.name) for name in ("cut", "kept"))
    box = docker_engine.run(network=net.name)

    def reaches(other: object) -> bool:
        url = f"http://{address(other)}/"
        return docker_engine.exec(box, "timeout", "0.5", "wget", "-q", "-O", "-", url)[0] == 0

    wait_until("both answer", lambda: reaches(cut) and reaches(kept))
    with put_in(docker_engine, box, "blackhole", peer=cut.name) as (undo, facts):
        assert facts["peers"] == [f"{address(cut)}/32"]
        assert not reaches(cut)
        assert reaches(kept)
        revert(undo)

    assert reaches(cut)


def test_rules_of_others_stay_as_they_are(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    in_its_network(
        docker_engine,
        box,
        "iptables -A INPUT -p tcp --dport 80 -j ACCEPT && iptables -A OUTPUT -j DROP -p udp "
        '--dport 7 -m comment --comment "about gameday:x:y" && iptables -A INPUT ! -i lo -j ACCEPT',
    )
    before = packet_rules(docker_engine, box)

    with put_in(docker_engine, box, "drop") as (undo, _):
        assert connects(address(box)) == "timeout"  # also in front of somebody's ACCEPT
        revert(undo)

    assert packet_rules(docker_engine, box) == before


def test_two_faults_on_one_container_end_on_their_own(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    where = address(box)

    with (
        put_in(docker_engine, box, "drop", id="one", port=80) as (one, _),
        put_in(docker_engine, box, "drop", id="one.two", port=80) as (two, _),
    ):
        revert(one)
        assert UNDOER.present(two)
        assert connects(where) == "timeout"
        revert(two)

    assert connects(where, wanted="ok") == "ok"


def test_half_of_it_is_still_a_fault_and_is_taken_out(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "drop") as (undo, _):
        ours = packet_rules(docker_engine, box)
        in_its_network(docker_engine, box, f"iptables {ours[0].replace('-A', '-D', 1)}")

        assert UNDOER.present(undo)
        assert revert(undo)["rules"] == 1
        assert revert(undo)["rules"] == 0


def test_another_process_takes_it_out_of_a_frozen_container(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "drop") as (undo, _):
        box.pause()

        assert revert_elsewhere(undo)["rules"] == 2

        box.unpause()
    assert connects(address(box), wanted="ok") == "ok"


def test_a_restart_takes_the_rules_along(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "drop") as (undo, _):
        box.restart(timeout=0)

        facts = revert(undo)

    assert facts["rules"] == 0
    assert facts["restarted"] is True
    assert connects(address(box), wanted="ok") == "ok"


def test_a_container_that_was_stopped_or_removed_owes_nothing(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "drop") as (undo, _):
        box.stop(timeout=0)
        assert revert(undo)["stopped"] is True
        box.remove(force=True)
        assert revert(undo)["gone"] is True
    assert left_behind(docker_engine) == []


def test_a_helper_that_is_killed_half_way_leaves_a_fault_that_can_be_taken_out(
    docker_engine: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = docker_engine.run()
    real = network.insert_script

    def dies(comment: str, rules: list[network.Rule]) -> str:
        first = real(comment, rules[:1])
        return f"{first}\nkill -KILL $$"

    monkeypatch.setattr(network, "insert_script", dies)
    made = fault(docker_engine, box, "drop")
    undo = made.prepare()
    with pytest.raises(AdapterError) as caught:
        made.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert UNDOER.present(undo)

    assert revert(undo)["rules"] == 1

    assert left_behind(docker_engine) == []


def test_rules_that_the_kernel_refuses_leave_nothing(
    docker_engine: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = docker_engine.run()
    good = network.rules_of("drop", {"direction": "in"})
    monkeypatch.setattr(
        network,
        "rules_of",
        lambda *_: [*good, ("INPUT", "-m", "nothing-of-that-name", "-j", "DROP")],
    )
    made = fault(docker_engine, box, "drop")
    undo = made.prepare()

    with pytest.raises(NoEffectError, match="nothing-of-that-name"):
        made.inject(undo)

    assert packet_rules(docker_engine, box) == []
    assert not UNDOER.present(undo)


def test_rules_that_another_run_left_are_not_built_upon(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    comment = "-m comment --comment gameday:older:f"
    in_its_network(docker_engine, box, f"iptables -A INPUT -p tcp --dport 7 {comment} -j DROP")
    made = fault(docker_engine, box, "drop")

    with pytest.raises(NoEffectError, match="run `older`"):
        made.inject(made.prepare())


def test_the_helper_image_is_never_pulled(docker_engine: DockerLab) -> None:
    box = docker_engine.run()

    with pytest.raises(NoEffectError, match=r"get it with `docker -H \S+ pull no/such:1`"):
        fault(docker_engine, box, "drop", image="no/such:1").prepare()
    with pytest.raises(NoEffectError, match="helper_image"):
        fault(docker_engine, box, "drop", image=None).prepare()


def test_an_image_without_the_tools_is_refused(docker_engine: DockerLab) -> None:
    box = docker_engine.run()

    with pytest.raises(NoEffectError, match="iptables-save"):
        fault(docker_engine, box, "drop", image=BOX).prepare()


def test_only_a_network_of_its_own_is_broken(docker_engine: DockerLab) -> None:
    beside = f"container:{docker_engine.run('other').id}"

    for mode, why in (
        ("host", "network of the host"),
        ("none", "no network"),
        (beside, "name that one"),
    ):
        name = f"with-{mode.partition(':')[0]}"
        box = docker_engine.run(name, network_mode=mode, command=["sleep", "100"])
        with pytest.raises(NoEffectError, match=why):
            fault(docker_engine, box, "drop").prepare()


def test_peers_that_cannot_be_meant_are_refused(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    apart = docker_engine.run("apart", network=docker_engine.network().name)

    for kind, peer, why in (
        ("drop", "shop-db", "`blackhole` only"),
        ("drop", "::1", "IPv6"),
        ("blackhole", "no-such-container", "neither"),
        ("blackhole", "0.0.0.0/0", "everybody"),
        ("blackhole", apart.name, "shares with"),
    ):
        with pytest.raises(NoEffectError, match=why):
            fault(docker_engine, box, kind, peer=peer).prepare()


def test_ipv6_would_get_through_and_is_refused(docker_engine: DockerLab) -> None:
    import docker.types

    pool = docker.types.IPAMPool(subnet="fd00:6d65::/64")
    net = docker_engine.network(enable_ipv6=True, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    box = docker_engine.run(network=net.name)

    with pytest.raises(NoEffectError, match="IPv4 only"):
        fault(docker_engine, box, "drop").prepare()


def test_an_engine_that_hangs_is_given_up(docker_engine: DockerLab) -> None:
    box = docker_engine.run()
    with put_in(docker_engine, box, "drop") as (undo, _), tempfile.TemporaryDirectory() as folder:
        with silent_engine(Path(folder)) as url:
            began = time.monotonic()
            with pytest.raises(AdapterError, match="did not answer in time"):
                UNDOER.revert({**undo, "url": url})
            with pytest.raises(CannotSeeError):
                UNDOER.present({**undo, "url": url})
            assert time.monotonic() - began < 15
        assert UNDOER.present(undo)


def test_helpers_are_bounded_and_have_few_rights(docker_engine: DockerLab) -> None:
    """As the engine shows one that is held for a moment."""
    from gameday.adapters.docker.actions import Mark
    from gameday.adapters.docker.helper_container import PACKETS, Place, helpers, start_long, sweep

    box = docker_engine.run()
    mark = Mark(run=docker_engine.tag, fault="f")
    with Engine(docker_engine.url) as engine:
        made = start_long(
            engine,
            ["sleep", "30"],
            image=BOX,
            mark=mark,
            place=Place(target=box.id, network=True, capabilities=PACKETS),
        )
        found = engine.inspect(made)
        assert found.host["Privileged"] is False
        assert sorted(c.removeprefix("CAP_") for c in found.host["CapAdd"]) == sorted(PACKETS)
        assert found.host["CapDrop"] == ["ALL"]
        assert found.host["NetworkMode"] == f"container:{box.id}"
        assert {**mark.labels}.items() <= dict(found.labels).items()
        assert len(helpers(engine, mark, box.id)) == 1
        assert helpers(engine, mark, "another") == []
        assert sweep(engine, mark, box.id) == 1
        assert helpers(engine, mark, box.id) == []


def test_no_container_is_left_when_a_helper_cannot_start(docker_engine: DockerLab) -> None:
    from gameday.adapters.docker.actions import Mark
    from gameday.adapters.docker.helper_container import NotStartedError, Place, run_script

    mark = Mark(run=docker_engine.tag, fault="f")
    stopped = docker_engine.run(command=["true"])
    stopped.wait(timeout=10)
    with Engine(docker_engine.url) as engine:
        place = Place(target=stopped.id, network=True)
        with pytest.raises(NotStartedError, match="non running"):
            run_script(engine, "true", image=BOX, mark=mark, place=place)

    assert left_behind(docker_engine) == []


def test_a_script_that_does_not_end_is_ended(docker_engine: DockerLab) -> None:
    from gameday.adapters.docker.actions import Mark
    from gameday.adapters.docker.helper_container import Place, run_script

    box = docker_engine.run()
    mark = Mark(run=docker_engine.tag, fault="f")
    with (
        Engine(docker_engine.url) as engine,
        pytest.raises(CannotSeeError, match="still runs"),
    ):
        run_script(
            engine, "sleep 60", image=BOX, mark=mark, place=Place(target=box.id), within_s=0.5
        )

    assert left_behind(docker_engine) == []
