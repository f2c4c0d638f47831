"""What the tests of faults with helper containers share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker_support import HELPER, DockerLab, missing

from gameday.adapters.docker.fault import ContainerFault
from gameday.adapters.docker.undo import UNDOER
from gameday.model.project import ContainerRef, DockerSpec, Target
from gameday.model.scenario import ActionSpec, FaultSpec

_ELSEWHERE = """
import json, sys
from gameday.adapters.docker.undo import UNDOER
undo = json.load(sys.stdin)
facts = UNDOER.revert(undo)
print(json.dumps({"facts": facts, "present": UNDOER.present(undo)}))
"""


class HelperLab(DockerLab):
    """A lab whose clean-up does not mind that helpers of other tests come and go meanwhile."""

    def _clean(self) -> None:
        for _ in range(50):
            try:
                return super()._clean()
            except NotFound:  # it was there when they were listed
                continue
        return super()._clean()


@pytest.fixture
def docker_engine() -> Iterator[DockerLab]:
    """The engine of the tests, with nothing of this test on it."""
    url = os.environ.get("GAMEDAY_TEST_DOCKER")
    if not url:
        missing("GAMEDAY_TEST_DOCKER is not set: this was NOT tested against a real Docker engine")
    assert url
    client = docker.DockerClient(base_url=url, version="auto", timeout=30)
    lab = HelperLab(url=url, client=client)
    try:
        yield lab
    finally:
        lab.clean()
        client.close()


def fault(
    lab: DockerLab,
    box: Any,
    kind: str,
    *,
    id: str = "f",
    image: str | None = HELPER,
    **options: Any,
) -> ContainerFault:
    """A fault of a run that is named as the test's containers are."""
    target = Target(name="shop", container=ContainerRef(name=box.name))
    action = ActionSpec(family="container", type=kind, options=options)
    spec = FaultSpec(id=id, target="shop", action=action)
    docker = DockerSpec(url=lab.url, helper_image=image)
    return ContainerFault(docker, lab.tag, target, spec, seed=1)


@contextmanager
def put_in(
    lab: DockerLab, box: Any, kind: str, **more: Any
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The fault is in: its undo record, and what inject said of the container. Reverted after."""
    made = fault(lab, box, kind, **more)
    undo = json.loads(json.dumps(made.prepare()))
    facts = made.inject(undo)
    try:
        assert facts["read_back"]
        assert UNDOER.present(undo)
        yield undo, facts["containers"][0]
    finally:
        if "reverted" not in undo:
            UNDOER.revert(undo)


def revert(undo: dict[str, Any]) -> dict[str, Any]:
    """Take it out (which is read back), and return what was said of the container."""
    said = UNDOER.revert(undo)
    undo["reverted"] = True
    return dict(said["containers"][0])


def revert_elsewhere(undo: dict[str, Any]) -> dict[str, Any]:
    """The same in a new process, which knows nothing but the record."""
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        input=json.dumps(undo),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["present"] is False
    undo["reverted"] = True
    return dict(said["facts"]["containers"][0])


def address(box: Any) -> str:
    """The IPv4 address of a container, which this host can reach."""
    box.reload()
    ends = box.attrs["NetworkSettings"]["Networks"].values()
    return str(next(end["IPAddress"] for end in ends if end["IPAddress"]))


def connects(where: str, port: int = 80, *, wanted: str = "timeout") -> str:
    """What a connection comes to: `ok`, `refused`, `timeout` or `reset`.

    Only a `timeout` is waited for shortly: a busy machine may take its time for all others.
    """
    timeout_s = 0.3 if wanted == "timeout" else 8.0
    try:
        socket.create_connection((where, port), timeout=timeout_s).close()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "timeout"
    return "ok"


def in_its_network(lab: DockerLab, box: Any, script: str) -> str:
    """Run something as root in the network of a container, as somebody else might."""
    said: bytes = lab.client.containers.run(
        HELPER,
        ["/bin/sh", "-c", script],
        network_mode=f"container:{box.id}",
        cap_add=["NET_ADMIN"],
        labels={"gdt": lab.tag},
        remove=True,
    )
    return said.decode()


def packet_rules(lab: DockerLab, box: Any) -> list[str]:
    """The rules in the network of a container, without counters and dates."""
    said = in_its_network(lab, box, "iptables-save -t filter")
    return [line for line in said.splitlines() if line.startswith("-A")]


def left_behind(lab: DockerLab) -> list[str]:
    """Containers that gameday made for this test's run, or to look for it, and that are there."""
    made = lab.client.containers.list(
        all=True, filters={"label": f"gameday.run={lab.tag}"}, ignore_removed=True
    )
    return [str(each.name) for each in made]


@contextmanager
def silent_engine(folder: Path) -> Iterator[str]:
    """The address of an engine that takes connections and never says a word."""
    path = folder / "hung.sock"
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        listener.settimeout(0.1)
        done = threading.Event()

        def take() -> None:
            while not done.is_set():
                try:
                    held.append(listener.accept()[0])
                except TimeoutError:
                    continue

        taker = threading.Thread(target=take, daemon=True)
        taker.start()
        try:
            yield f"unix://{path}"
        finally:
            done.set()
            taker.join()
            for each in held:
                each.close()
