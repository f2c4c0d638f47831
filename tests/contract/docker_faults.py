"""Faults on containers of a test, and what of a container has to be as it was."""

from __future__ import annotations

from typing import Any

from docker_support import DockerLab

from gameday.adapters.docker.fault import ContainerFault
from gameday.model.project import ContainerRef, DockerSpec, Target
from gameday.model.scenario import ActionSpec, FaultSpec

RUN = "run-1"


def container_fault(
    lab: DockerLab,
    ref: str | ContainerRef,
    kind: str,
    *,
    run: str = RUN,
    fault: str = "broken",
    url: str | None = None,
    allow: tuple[str, ...] = (),
    **options: Any,
) -> ContainerFault:
    """A fault on the container of that name, or on those of a reference."""
    container = ref if isinstance(ref, ContainerRef) else ContainerRef(name=ref)
    spec = FaultSpec(
        id=fault,
        target="pay",
        action=ActionSpec(family="container", type=kind, options=options),
    )
    docker = DockerSpec(url=url or lab.url, allow=allow, helper_image="gameday-test/helper:1")
    return ContainerFault(docker, run, Target(name="pay", container=container), spec, seed=7)


def attrs(lab: DockerLab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.client.api.inspect_container(name)
    return found


def comparable(lab: DockerLab, name: str) -> dict[str, Any]:
    """All of a container that a fault may have touched and must have put back."""
    now = attrs(lab, name)
    host = dict(now["HostConfig"])
    host["CpuQuota"] = max(0, host["CpuQuota"] or 0)  # 0 and -1 both mean no limit
    endpoints = {
        network: {
            key: sorted(set(e[key])) if key == "Aliases" and e[key] else e[key]
            for key in ("Aliases", "Links", "IPAMConfig", "IPAddress", "NetworkID", "DriverOpts")
        }
        for network, e in now["NetworkSettings"]["Networks"].items()
    }
    return {
        "id": now["Id"],
        "running": now["State"]["Running"],
        "paused": now["State"]["Paused"],
        "host": host,
        "endpoints": endpoints,
        "ports": {p: b for p, b in now["NetworkSettings"]["Ports"].items() if b},
        "restarts": now["RestartCount"],
    }


def ours(lab: DockerLab) -> list[str]:
    """Names of the containers that gameday made for this test's containers."""
    return sorted(n for n, labels in lab.listed("gameday.run").items() if lab.tag in n + labels)
