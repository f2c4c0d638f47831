"""Which containers a target means, on a real engine; and the calls to it that everything uses."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from docker_faults import container_fault
from docker_support import BOX, DockerLab, OwnEngine, docker_lab, wait_until

from gameday.adapters.docker.engine import (
    ConflictError,
    Engine,
    EngineError,
    NotThereError,
    SilentError,
)
from gameday.adapters.docker.resolve import resolve
from gameday.adapters.docker.traffic import traffic_bytes
from gameday.errors import CannotSeeError, NoEffectError
from gameday.model.project import ContainerRef, DockerSpec, Target

pytestmark = pytest.mark.real


def names(
    lab: DockerLab, ref: ContainerRef, *, seed: int = 1, allow: tuple[str, ...] = ()
) -> list[str]:
    target = Target(name="pay", container=ref)
    with Engine(lab.url) as engine:
        found = resolve(engine, target, DockerSpec(url=lab.url, allow=allow), seed)
    return [container.name.removeprefix(f"{lab.tag}-") for container in found]


def test_a_name_is_the_whole_name_and_opts_in(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run(allow=False)
    assert names(lab, ContainerRef(name=box.name)) == ["box"]
    for other in (box.id, box.id[:12], box.name[:-1], lab.name("nix")):
        with pytest.raises(NoEffectError, match="no container `"):
            names(lab, ContainerRef(name=other))
    box.kill()
    wait_until(
        "it has ended", lambda: lab.client.api.inspect_container(box.id)["State"]["Pid"] == 0
    )
    with pytest.raises(NoEffectError, match=r"does not run .it is exited.; start it first"):
        names(lab, ContainerRef(name=box.name))


def test_a_label_means_those_that_run_and_are_allowed(docker_engine: DockerLab) -> None:
    lab = docker_engine
    mine = {"app": lab.tag}
    for n in range(4):
        lab.run(f"web{n}", labels=mine)
    lab.run("barred", labels=mine, allow=False)
    lab.run("bystander")
    label = f"app={lab.tag}"
    picked = {names(lab, ContainerRef(label=label), seed=seed)[0] for seed in range(20)}
    assert len(picked) > 1
    assert picked <= {"web0", "web1", "web2", "web3"}
    one = [names(lab, ContainerRef(label=label), seed=5) for _ in range(3)]
    assert one[0] == one[1] == one[2]
    everyone = ContainerRef(label=label, pick="all")
    with pytest.raises(NoEffectError, match="-barred` of target `pay` may not be broken: label it"):
        names(lab, everyone)
    allowed = names(lab, everyone, allow=(lab.name("barred"),))
    assert allowed == ["barred", "web0", "web1", "web2", "web3"]
    lab.client.containers.get(lab.name("barred")).kill()
    wait_until("it has ended", lambda: "barred" not in running(lab))
    assert names(lab, everyone) == ["web0", "web1", "web2", "web3"]
    with pytest.raises(NoEffectError, match="no running container with the label `app=nix`"):
        names(lab, ContainerRef(label="app=nix"))


def running(lab: DockerLab) -> str:
    return " ".join(lab.listed(every=False))


def test_what_gameday_made_never_matches(docker_engine: DockerLab) -> None:
    lab = docker_engine
    ours = {"gameday.run": "run-1", "app": lab.tag}
    helper = lab.run("helper", labels=ours)
    with pytest.raises(NoEffectError, match="is gameday's own"):
        names(lab, ContainerRef(name=helper.name))
    with pytest.raises(NoEffectError, match="no running container with the label"):
        names(lab, ContainerRef(label=f"app={lab.tag}"))


def test_a_label_on_everything_is_refused(own_engine: OwnEngine) -> None:
    with docker_lab(own_engine.url) as lab:
        mine = {"app": "all"}
        lab.run("one", labels=mine)
        assert names(lab, ContainerRef(label="app=all")) == ["one"]
        lab.run("two", labels=mine)
        for pick in ("one", "all"):
            with pytest.raises(NoEffectError, match="is on every one of the 2 containers"):
                names(lab, ContainerRef(label="app=all", pick=pick))
        lab.run("three")
        assert names(lab, ContainerRef(label="app=all", pick="all")) == ["one", "two"]


def test_a_target_without_a_container_is_refused(docker_engine: DockerLab) -> None:
    with pytest.raises(NoEffectError, match="target `pay` has no `container`"):
        names(docker_engine, ContainerRef())


def test_errors_say_what_was_asked_and_what_was_wrong(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    with Engine(lab.url) as engine:
        with pytest.raises(NotThereError, match="No such container: nix"):
            engine.inspect("nix")
        assert engine.find("nix") is None
        with pytest.raises(NotThereError):
            engine.network("nix")
        engine.pause(box.id)
        with pytest.raises(ConflictError, match="is already paused"):
            engine.pause(box.id)
        with pytest.raises(ConflictError, match="is paused, unpause the container before exec"):
            engine.exec(box.id, ["true"])
        engine.unpause(box.id)
        with pytest.raises(EngineError, match="is not paused"):
            engine.unpause(box.id)
        with pytest.raises(ConflictError, match="is already in use"):
            engine.create(box.name, {"Image": BOX})
        with pytest.raises(NotThereError, match="No such image"):
            engine.create(None, {"Image": "gameday-test/nix:1"})


def test_a_program_in_a_container_says_all_and_never_holds_us_up(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box = lab.run()
    with Engine(lab.url) as engine:
        answer = engine.exec(box.id, ["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (answer.code, sorted(answer.output.split())) == (3, ["err", "out"])
        assert engine.exec(box.id, ["nix"]).code in (126, 127)
        much = engine.exec(box.id, ["head", "-c", "300000", "/dev/zero"], within_s=20)
        assert len(much.output) == 300_000
        with pytest.raises(CannotSeeError, match="did not end in time"):
            engine.exec(box.id, ["sleep", "30"], within_s=0.5)
        with pytest.raises(CannotSeeError, match="still runs after"):
            engine.wait_exit(box.id, 0.3)


def test_files_go_into_a_container_that_never_ran_and_come_out(docker_engine: DockerLab) -> None:
    lab = docker_engine
    with Engine(lab.url) as engine:
        made = engine.create(lab.name("store"), {"Image": BOX, "Labels": {"gdt": lab.tag}})
        assert engine.get_files(made, "/gameday") == {}
        engine.put_files(made, {"gameday/a.json": b"{}", "gameday/notes/b": b"\x00" * 70_000})
        engine.put_files(made, {"gameday/a.json": b"[]"})
        assert engine.get_files(made, "/gameday") == {"a.json": b"[]", "notes/b": b"\x00" * 70_000}
        assert engine.remove(made)
        assert not engine.remove(made)
        with pytest.raises(NotThereError):
            engine.get_files(made, "/gameday")


def test_traffic_is_counted_alike_from_here_and_by_the_engine(docker_engine: DockerLab) -> None:
    lab = docker_engine
    box, port = lab.http()
    with Engine(lab.url) as engine:
        before = traffic_bytes(engine, [engine.inspect(box.id)])
        told = engine.traffic_bytes(box.id)
        again = traffic_bytes(engine, [engine.inspect(box.id)])
        assert before is not None
        assert told is not None
        assert again is not None
        assert before <= told <= again  # a network says something of its own at any time
        assert again - before < 10_000
        fetch(port, "/big")
        now = traffic_bytes(engine, [engine.inspect(box.id)])
        assert now is not None
        assert now - before > 100_000
        lonely = lab.run("lonely", network_mode="host", command=["sleep", "60"])
        assert traffic_bytes(engine, [engine.inspect(lonely.id)]) is None


def fetch(port: int, path: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return len(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("unix://{}/nix.sock", "no Docker engine answers at unix://.*; start it, or correct"),
        ("tcp://127.0.0.1:1", "no Docker engine answers at tcp://127.0.0.1:1"),
        ("unix://{}", "no Docker engine answers|gave no usable answer"),
        ("nonsense", "at nonsense gave no usable answer"),
    ],
)
def test_an_engine_that_is_not_there_is_said_and_nothing_is_left_open(
    url: str, match: str, tmp_path: Path
) -> None:
    with Engine(url.format(tmp_path)) as engine, pytest.raises(SilentError, match=match):
        engine.info()


def test_a_fault_on_an_engine_that_is_not_there_is_refused(tmp_path: Path) -> None:
    lab = DockerLab(url=f"unix://{tmp_path}/nix.sock", client=None)  # type: ignore[arg-type]
    with pytest.raises(NoEffectError, match="no Docker engine answers"):
        container_fault(lab, "box", "pause").prepare()


def test_the_budget_of_an_engine_ends_all_calls(docker_engine: DockerLab) -> None:
    with Engine(docker_engine.url, timeout_s=5, within_s=0.5) as engine:
        assert engine.left_s(5) <= 0.5
        threading.Event().wait(0.6)  # the budget is one of time
        assert engine.left_s(5) == pytest.approx(0.05)
