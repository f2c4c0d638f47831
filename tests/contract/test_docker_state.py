"""What every action on the state and the limits of a container keeps to, on a real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker_faults import attrs, comparable, container_fault, ours
from docker_support import DockerLab, http_ok, wait_until

from gameday.adapters.docker.engine import Engine
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import AdapterError, NoEffectError
from gameday.model.project import ContainerRef

pytestmark = pytest.mark.real
MIB = 2**20
BURN = ["sh", "-c", "while :; do :; done & exec httpd -f -p 80 -h /www"]


def not_answering(lab: DockerLab, name: str, port: int) -> bool:
    return not http_ok(port)


def began_anew(lab: DockerLab, name: str, port: int) -> bool:
    state = attrs(lab, name)["State"]
    return bool(state["Running"]) and http_ok(port) and state["ExitCode"] == 0


def slow(lab: DockerLab, name: str, port: int) -> bool:
    """Whether the kernel holds it back at a tenth of a processor, and it runs against that.

    How much it gets says nothing on a machine that is busy with other things.
    """
    read = "cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us"
    box = lab.client.containers.get(name)
    code, said = lab.exec(box, "sh", "-c", f"cd /sys/fs/cgroup; {read}")
    quota, period = said.split()
    assert code == 0, said
    if quota in ("max", "-1") or int(quota) / int(period) > 0.11:
        return False
    with Engine(lab.url) as engine:
        held = throttled(engine, name)
        wait_until("it is held back", lambda: throttled(engine, name) > held, 30)
    return True


def throttled(engine: Engine, name: str) -> int:
    return int(engine.stats(name)["cpu_stats"]["throttling_data"]["throttled_periods"])


def little_memory(lab: DockerLab, name: str, port: int) -> bool:
    box = lab.client.containers.get(name)
    code, _ = lab.exec(box, "sh", "-c", "head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null")
    return code != 0


@dataclass(frozen=True)
class Case:
    kind: str
    seen: Callable[[DockerLab, str, int], bool]
    options: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    label: str = ""


PAUSE = Case("pause", not_answering)
KILL = Case("kill", not_answering)
STOP = Case("stop", not_answering, {"grace": 1_000})
RESTART = Case("restart", began_anew, {"grace": 1_000})
DISCONNECT = Case("disconnect", not_answering)
CPU = Case("cpu", slow, {"cpus": 0.1}, {"command": BURN})
MEMORY = Case("memory", little_memory, {"limit": 16 * MIB}, {"mem_limit": "128m"})
EACH = [PAUSE, KILL, STOP, RESTART, DISCONNECT, CPU, MEMORY]
MORE = [
    Case("cpu", slow, {"cpus": 0.1}, {"command": BURN, "nano_cpus": 900_000_000}, "nano"),
    Case("cpu", slow, {"cpus": 0.1}, {"command": BURN, "cpu_quota": 80_000}, "quota"),
    Case(
        "cpu",
        slow,
        {"cpus": 0.1},
        {"command": BURN, "cpu_quota": 40_000, "cpu_period": 50_000},
        "period",
    ),
    Case(
        "memory",
        little_memory,
        {"limit": 16 * MIB},
        {"mem_limit": "128m", "memswap_limit": "128m", "mem_reservation": "12m"},
        "no-swap",
    ),
    Case(
        "memory",
        little_memory,
        {"limit": 16 * MIB},
        {"mem_limit": "128m", "memswap_limit": -1},
        "any-swap",
    ),
]


def ids(case: Case) -> str:
    return f"{case.kind}-{case.label}" if case.label else case.kind


@pytest.mark.parametrize("case", EACH, ids=ids)
def test_prepare_changes_nothing(docker_engine: DockerLab, case: Case) -> None:
    lab = docker_engine
    box, _ = lab.http(**case.run)
    before = attrs(lab, box.name)
    undo = container_fault(lab, box.name, case.kind, **case.options).prepare()
    assert attrs(lab, box.name) == before
    assert not UNDOER.present(undo)
    assert not ours(lab)
    assert json.loads(json.dumps(undo)) == undo
    assert undo["kind"] == "docker"
    assert undo["facts"]["traffic_bytes"] > 0


@pytest.mark.parametrize("case", [*EACH, *MORE], ids=ids)
def test_it_bites_is_seen_and_leaves_the_container_as_it_was(
    docker_engine: DockerLab, case: Case
) -> None:
    lab = docker_engine
    box, port = lab.http(**case.run)
    before = comparable(lab, box.name)
    fault = container_fault(lab, box.name, case.kind, **case.options)
    undo = fault.prepare()
    if case.kind != "restart":
        assert not case.seen(lab, box.name, port)
    facts = fault.inject(undo)
    assert facts["read_back"]
    assert facts["traffic_bytes"] >= undo["facts"]["traffic_bytes"]
    assert UNDOER.present(undo)
    assert case.seen(lab, box.name, port)
    (part,) = UNDOER.revert(undo)["containers"]
    assert not {"ports_changed", "addresses_changed", "endpoint_changed"} & set(part)
    assert not UNDOER.present(undo)
    assert comparable(lab, box.name) == before
    wait_until("httpd answers again", lambda: http_ok(port))
    assert not ours(lab)
    if case.kind in ("cpu", "memory"):
        assert not case.seen(lab, box.name, port)


@pytest.mark.parametrize("case", EACH, ids=ids)
def test_reverting_twice_or_before_the_fault_changes_nothing(
    docker_engine: DockerLab, case: Case
) -> None:
    lab = docker_engine
    box, _ = lab.http(**case.run)
    fault = container_fault(lab, box.name, case.kind, **case.options)
    undo = fault.prepare()
    before = attrs(lab, box.name)
    UNDOER.revert(undo)
    assert attrs(lab, box.name) == before
    fault.inject(undo)
    UNDOER.revert(undo)
    once = attrs(lab, box.name)
    UNDOER.revert(undo)
    assert attrs(lab, box.name) == once
    assert not ours(lab)


@pytest.mark.parametrize("case", [PAUSE, STOP, DISCONNECT, CPU, MEMORY], ids=ids)
def test_it_is_taken_out_from_the_record_in_another_process(
    docker_engine: DockerLab, case: Case, tmp_path: Path
) -> None:
    lab = docker_engine
    box, _ = lab.http(**case.run)
    before = comparable(lab, box.name)
    fault = container_fault(lab, box.name, case.kind, **case.options)
    undo = fault.prepare()
    fault.inject(undo)
    record = tmp_path / "undo.json"
    record.write_text(json.dumps(undo))
    code = (
        "import json, sys; from gameday import registry;"
        "undo = json.load(open(sys.argv[1])); it = registry.undoer(undo['kind']);"
        "print(it.present(undo)); it.revert(undo); print(it.present(undo))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(record)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["True", "False"], done.stderr
    assert comparable(lab, box.name) == before


@pytest.mark.parametrize("case", EACH, ids=ids)
def test_a_container_that_somebody_removed_is_no_debt(docker_engine: DockerLab, case: Case) -> None:
    lab = docker_engine
    box, _ = lab.http(**case.run)
    fault = container_fault(lab, box.name, case.kind, **case.options)
    undo = fault.prepare()
    fault.inject(undo)
    lab.client.api.remove_container(box.id, force=True)
    assert not UNDOER.present(undo)
    facts = UNDOER.revert(undo)
    assert facts["gone"]
    assert "replaced" not in facts["containers"][0]
    assert not UNDOER.present(undo)
    assert not ours(lab)


def test_a_container_made_anew_under_its_name_is_not_touched(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, _ = lab.http()
    fault = container_fault(lab, box.name, "pause")
    undo = fault.prepare()
    fault.inject(undo)
    lab.client.api.remove_container(box.id, force=True)
    new = lab.run()
    new.pause()
    before = attrs(lab, new.name)
    assert not UNDOER.present(undo)
    facts = UNDOER.revert(undo)
    assert facts["containers"][0]["replaced"] == new.id
    assert attrs(lab, new.name) == before
    assert not ours(lab)


def test_injecting_into_a_container_that_is_gone_or_ended_breaks_nothing(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    box, _ = lab.http()
    fault = container_fault(lab, box.name, "pause")
    undo = fault.prepare()
    box.kill()
    wait_until("it has ended", lambda: not attrs(lab, box.name)["State"]["Running"])
    with pytest.raises(NoEffectError, match="does not run any more"):
        fault.inject(undo)
    lab.client.api.remove_container(box.id, force=True)
    with pytest.raises(NoEffectError, match="any more"):
        fault.inject(undo)
    assert not ours(lab)


def test_what_somebody_else_mended_still_is_ours_until_the_note_is_gone(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    box, port = lab.http()
    fault = container_fault(lab, box.name, "pause")
    undo = fault.prepare()
    fault.inject(undo)
    box.unpause()
    assert http_ok(port)
    assert UNDOER.present(undo)
    (part,) = UNDOER.revert(undo)["containers"]
    assert part["unpaused"] is False
    assert not UNDOER.present(undo)


def test_aliases_links_and_a_fixed_address_come_back(docker_engine: DockerLab) -> None:
    import docker.types

    lab = docker_engine
    subnet = free_subnet(lab)
    pool = docker.types.IPAMPool(subnet=f"{subnet}.0/28")
    net = lab.network("fixed", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    other = lab.run("other", network=net.name)
    name = lab.name("box")
    lab.made.append(name)
    api = lab.client.api
    endpoint = api.create_endpoint_config(
        aliases=["db", "primary"], links={other.name: "peer"}, ipv4_address=f"{subnet}.9"
    )
    api.create_container(
        "gameday-test/box:1",
        name=name,
        networking_config=api.create_networking_config({net.name: endpoint}),
        host_config=api.create_host_config(network_mode=net.name),
    )
    api.start(name)
    before = comparable(lab, name)
    fault = container_fault(lab, name, "disconnect")
    undo = fault.prepare()
    fault.inject(undo)
    assert lab.exec(other, "nslookup", "db")[0] != 0
    (part,) = UNDOER.revert(undo)["containers"]
    assert "endpoint_changed" not in part
    assert comparable(lab, name) == before
    assert f"{subnet}.9" in lab.exec(other, "nslookup", "db")[1]
    assert f"{subnet}.9" in lab.exec(other, "nslookup", "primary")[1]


def free_subnet(lab: DockerLab) -> str:
    """Beside the networks of the engine; parts of it by the test, so that they do not meet."""
    return f"10.214.{int(lab.tag[3:5], 16)}"


def test_of_two_networks_one_is_taken_away(docker_engine: DockerLab) -> None:
    lab = docker_engine
    one, two = lab.network("one"), lab.network("two")
    box = lab.run(network=one.name)
    two.connect(box, aliases=["second"])
    with pytest.raises(NoEffectError, match="is on 2 networks; say which one"):
        container_fault(lab, box.name, "disconnect").prepare()
    with pytest.raises(NoEffectError, match="is not on network `nix`; it is on"):
        container_fault(lab, box.name, "disconnect", network="nix").prepare()
    before = comparable(lab, box.name)
    fault = container_fault(lab, box.name, "disconnect", network=two.name)
    undo = fault.prepare()
    fault.inject(undo)
    assert list(comparable(lab, box.name)["endpoints"]) == [one.name]
    UNDOER.revert(undo)
    assert comparable(lab, box.name) == before


def test_a_network_that_somebody_removed_is_no_debt(docker_engine: DockerLab) -> None:
    lab = docker_engine
    net = lab.network()
    box = lab.run(network=net.name)
    fault = container_fault(lab, box.name, "disconnect")
    undo = fault.prepare()
    fault.inject(undo)
    net.remove()
    (part,) = UNDOER.revert(undo)["containers"]
    assert part["network_gone"]
    assert not UNDOER.present(undo)


def test_limits_go_in_again_with_other_strengths(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run(mem_limit="128m", cpu_quota=90_000)
    before = comparable(lab, box.name)
    first = container_fault(lab, box.name, "cpu", cpus=0.5, fault="slower")
    small = container_fault(lab, box.name, "memory", limit=64 * MIB, fault="smaller")
    undo, undo_small = first.prepare(), small.prepare()
    first.inject(undo)
    small.inject(undo_small)
    container_fault(lab, box.name, "cpu", cpus=0.2, fault="slower").inject(undo)
    container_fault(lab, box.name, "memory", limit=32 * MIB, fault="smaller").inject(undo_small)
    host = attrs(lab, box.name)["HostConfig"]
    assert (host["CpuQuota"], host["Memory"]) == (20_000, 32 * MIB)
    UNDOER.revert(undo)
    assert UNDOER.present(undo_small)
    assert not UNDOER.present(undo)
    UNDOER.revert(undo_small)
    assert comparable(lab, box.name) == before
    assert not ours(lab)


def test_without_a_memory_limit_all_of_the_machine_is_put_back_and_said(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    box = lab.run()
    fault = container_fault(lab, box.name, "memory", limit=16 * MIB)
    undo = fault.prepare()
    fault.inject(undo)
    (part,) = UNDOER.revert(undo)["containers"]
    total = lab.client.info()["MemTotal"]
    assert (part["exact"], part["limit"]) == (False, total)
    host = attrs(lab, box.name)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (total, 2 * total)
    assert not UNDOER.present(undo)
    again = container_fault(lab, box.name, "memory", limit=16 * MIB)
    undo = again.prepare()
    again.inject(undo)
    UNDOER.revert(undo)
    assert attrs(lab, box.name)["HostConfig"]["Memory"] == total


def test_a_container_that_ended_for_want_of_memory_is_started_again(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    grow = "trap 'exec tail -c 60000000 /dev/zero' USR1; while :; do sleep 0.05; done"
    box = lab.run(command=["sh", "-c", grow], mem_limit="256m")
    fault = container_fault(lab, box.name, "memory", limit=16 * MIB)
    undo = fault.prepare()
    fault.inject(undo)
    box.kill("USR1")
    wait_until("it has ended", lambda: not attrs(lab, box.name)["State"]["Running"])
    assert attrs(lab, box.name)["State"]["OOMKilled"]
    assert UNDOER.present(undo)
    (part,) = UNDOER.revert(undo)["containers"]
    assert part["started"]
    assert attrs(lab, box.name)["State"]["Running"]
    assert not UNDOER.present(undo)


def test_a_signal_that_is_ignored_leaves_it_in_doubt_and_is_said(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http()  # the first process of a container ignores what it has no handler for
    fault = container_fault(lab, box.name, "kill", signal="TERM")
    undo = fault.prepare()
    with pytest.raises(AdapterError, match="may ignore that signal: use `signal: KILL`") as caught:
        fault.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert http_ok(port)


@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_a_restart_policy_does_not_undo_it_before_its_time(
    docker_engine: DockerLab, kind: str
) -> None:
    lab = docker_engine
    box, port = lab.http(restart_policy={"Name": "always"})
    fault = container_fault(lab, box.name, kind)
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert not attrs(lab, box.name)["State"]["Running"]
    assert not facts["containers"][0].get("started_again_by_engine")
    UNDOER.revert(undo)
    wait_until("httpd answers again", lambda: http_ok(port))
    assert attrs(lab, box.name)["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_all_containers_of_a_label_are_broken_at_once_and_mended(docker_engine: DockerLab) -> None:
    lab = docker_engine
    mine = {"app": lab.tag}
    boxes = [lab.http(f"web{n}", labels=mine) for n in range(3)]
    lab.run("bystander")
    ref = ContainerRef(label=f"app={lab.tag}", pick="all")
    fault = container_fault(lab, ref, "stop", grace=1_000)
    undo = fault.prepare()
    assert [p["name"] for p in undo["containers"]] == [lab.name(f"web{n}") for n in range(3)]
    fault.inject(undo)
    assert not any(attrs(lab, box.name)["State"]["Running"] for box, _ in boxes)
    assert len(ours(lab)) == 3
    lab.client.api.remove_container(boxes[1][0].id, force=True)
    facts = UNDOER.revert(undo)
    assert [bool(p.get("gone")) for p in facts["containers"]] == [False, True, False]
    assert "gone" not in facts
    assert not UNDOER.present(undo)
    assert not ours(lab)
    assert attrs(lab, lab.name("bystander"))["State"]["Running"]


def test_two_faults_on_the_same_thing_do_not_go_in_together(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http()
    first = container_fault(lab, box.name, "pause", fault="frozen")
    second = container_fault(lab, box.name, "stop", fault="stopped", grace=0)
    undo, undo_second = first.prepare(), second.prepare()
    first.inject(undo)
    with pytest.raises(NoEffectError, match=r"fault `frozen` of this run .* is in place"):
        second.inject(undo_second)
    assert attrs(lab, box.name)["State"]["Paused"]
    UNDOER.revert(undo)
    second.inject(undo_second)
    UNDOER.revert(undo_second)
    wait_until("httpd answers again", lambda: http_ok(port))


@pytest.mark.parametrize("order", ["pd", "dp"])
def test_a_pause_and_a_disconnect_go_out_in_any_order(docker_engine: DockerLab, order: str) -> None:
    lab = docker_engine
    box, port = lab.http()
    before = comparable(lab, box.name)
    faults = {
        "p": container_fault(lab, box.name, "pause", fault="frozen"),
        "d": container_fault(lab, box.name, "disconnect", fault="alone"),
    }
    undos = {}
    for each in "pd":
        undos[each] = faults[each].prepare()
        faults[each].inject(undos[each])
    first, last = order
    UNDOER.revert(undos[first])
    assert not UNDOER.present(undos[first])
    assert UNDOER.present(undos[last])
    UNDOER.revert(undos[last])
    assert comparable(lab, box.name) == before
    wait_until("httpd answers again", lambda: http_ok(port))
    assert not ours(lab)


def test_a_second_prepare_of_a_fault_that_is_in_knows_what_was_before(
    docker_engine: DockerLab,
) -> None:
    lab = docker_engine
    box = lab.run(cpu_quota=90_000)
    fault = container_fault(lab, box.name, "cpu", cpus=0.5)
    undo = fault.prepare()
    fault.inject(undo)
    again = fault.prepare()
    assert again["containers"] == undo["containers"]
    UNDOER.revert(again)
    assert attrs(lab, box.name)["HostConfig"]["CpuQuota"] == 90_000


def test_the_default_network_is_put_back_too(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http(network="bridge")
    fault = container_fault(lab, box.name, "disconnect")
    undo = fault.prepare()
    fault.inject(undo)
    assert not http_ok(port)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    wait_until("httpd answers again", lambda: http_ok(port))


REFUSED = [
    ("pause", {}, {}, "pause", "is paused already; unpause it first"),
    ("kill", {}, {}, "pause", "is paused already"),
    ("pause", {}, {}, "kill", "does not run .it is exited.; start it first"),
    ("kill", {}, {"auto_remove": True}, "", "was started with `--rm`"),
    ("stop", {}, {"auto_remove": True}, "", "was started with `--rm`"),
    ("kill", {}, {"ports": {"80/tcp": ("127.0.0.1", None)}}, "", "publishes 80/tcp on a port that"),
    ("restart", {}, {"ports": {"80/tcp": None}}, "", "publishes 80/tcp on a port that"),
    ("disconnect", {}, {"ports": {"80/tcp": None}}, "", "publishes 80/tcp on a port that"),
    ("disconnect", {}, {"network_mode": "none"}, "", "no network of its own"),
    ("disconnect", {}, {"network_mode": "host", "command": ["sleep", "60"]}, "", "of its own"),
    ("cpu", {"cpus": 900.0}, {}, "", "processors already; `cpus: 900` has to be less"),
    ("cpu", {"cpus": 0.5}, {"nano_cpus": 400_000_000}, "", "has 0.4 processors already"),
    ("cpu", {"cpus": 0.01}, {"cpu_quota": 5_000, "cpu_period": 5_000}, "", "is too little for"),
    ("memory", {"limit": 64 * MIB}, {"mem_limit": "32m"}, "", "bytes of memory already"),
    (
        "memory",
        {"limit": 16 * MIB},
        {"mem_limit": "64m", "mem_reservation": "32m"},
        "",
        "bytes of memory reserved",
    ),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda r: f"{r[0]}-{r[4].split()[-1]}")
def test_what_could_not_be_put_back_or_would_not_be_felt_is_refused(
    docker_engine: DockerLab, refused: tuple[str, dict[str, Any], dict[str, Any], str, str]
) -> None:
    lab = docker_engine
    kind, options, run, first, match = refused
    box = lab.run(**run)
    if first:
        getattr(box, first)()
        wait_until("so", lambda: attrs(lab, box.name)["State"]["Status"] in ("paused", "exited"))
    before = attrs(lab, box.name)
    with pytest.raises(NoEffectError, match=match):
        container_fault(lab, box.name, kind, **options).prepare()
    assert attrs(lab, box.name) == before
