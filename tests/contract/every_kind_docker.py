"""A case of the contract for every fault of containers, on a real engine."""

from __future__ import annotations

import re
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker_faults import attrs, comparable, container_fault
from docker_helper_support import address, connects, left_behind
from docker_support import DockerLab, http_ok
from every_kind_support import Bench, Builder
from test_docker_disk import files, full
from test_docker_netem import SLOW, fetch_s
from test_docker_state import BURN, MIB, little_memory, slow

from gameday.model.faults import FAMILIES, call_limit_ms
from gameday.testing.contract import Case


class _Sluice(socketserver.ThreadingUnixStreamServer):
    """Another address of an engine. While it is shut, no answer of the engine gets through."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, place: str, engine: str) -> None:
        super().__init__(place, _Through)
        self.engine, self.open = engine, threading.Event()
        self.open.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients give up: that is no error here."""

    @contextmanager
    def shut(self) -> Iterator[None]:
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


class _Through(socketserver.BaseRequestHandler):
    server: _Sluice

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.engine)
            back = threading.Thread(target=self.back, args=(engine,), daemon=True)
            back.start()
            while data := self.request.recv(65_536):
                engine.sendall(data)
            with suppress(OSError):
                engine.shutdown(socket.SHUT_WR)
            back.join(60)

    def back(self, engine: socket.socket) -> None:
        with suppress(OSError):
            while data := engine.recv(65_536):
                self.server.open.wait(60)
                self.request.sendall(data)
            self.request.shutdown(socket.SHUT_WR)


@contextmanager
def sluice(url: str) -> Iterator[tuple[str, _Sluice]]:
    with tempfile.TemporaryDirectory(prefix="gdt") as short:  # a socket's path must be short
        place = f"{short}/sluice.sock"
        with _Sluice(place, url.removeprefix("unix://")) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"unix://{place}", server
            finally:
                server.open.set()
                server.shutdown()
                thread.join(5)


@dataclass(frozen=True)
class Scene:
    """The container that is broken, and another one beside it where there is one."""

    lab: DockerLab
    box: Any
    port: int
    began: str
    peer: Any = None

    @property
    def started_at(self) -> str:
        return str(attrs(self.lab, self.box.name)["State"]["StartedAt"])

    def reaches_peer(self, where: str) -> bool:
        command = ["timeout", "1", "wget", "-q", "-O", "-", f"http://{where}/"]
        return self.lab.exec(self.box, *command)[0] == 0

    def inside(self, *command: str) -> list[str]:
        """What a program of this host says in the container's network; nothing when it is away."""
        pid = attrs(self.lab, self.box.name)["State"]["Pid"]
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net", *command]
        done = subprocess.run(enter, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.splitlines()

    def around(self) -> dict[str, Any]:
        """All but the container itself: packet rules, queues, files, containers of gameday."""
        rules = [r for r in self.inside("iptables-save", "-t", "filter") if r.startswith("-A")]
        # An engine gives a container that comes back to a network an interface of another number.
        queues = [re.sub(r"\beth\d+", "eth", q) for q in self.inside("tc", "qdisc", "show")]
        disk = files(self.lab, self.box, "/scratch")
        return {"rules": rules, "queues": queues, "files": disk, "ours": left_behind(self.lab)}


def silent(scene: Scene) -> bool:
    return not http_ok(scene.port)


def unreachable(how: str) -> Callable[[Scene], bool]:
    return lambda scene: connects(address(scene.box), wanted=how) == how


def stressed(scene: Scene) -> bool:
    """Whether stress-ng runs in the control group of the container, as this host sees it."""
    found = False
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().startswith("stress-ng"):
                found |= scene.box.id in (process / "cgroup").read_text()
    return found


@dataclass(frozen=True)
class How:
    """What one type is put in with, and how it is felt."""

    felt: Callable[[Scene], bool]
    options: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    peer: bool = False
    lasts: bool = True


#: Type of a container fault -> how.
CONTAINER: Mapping[str, How] = {
    "kill": How(silent),
    "stop": How(silent, {"grace": 1_000}),
    "restart": How(lambda s: s.started_at != s.began, {"grace": 1_000}, lasts=False),
    "pause": How(silent),
    "disconnect": How(silent),
    "cpu": How(lambda s: slow(s.lab, s.box.name, s.port), {"cpus": 0.1}, {"command": BURN}),
    "memory": How(
        lambda s: little_memory(s.lab, s.box.name, s.port),
        {"limit": 16 * MIB},
        {"mem_limit": "128m"},
    ),
    "stress": How(stressed, {"cpu": 1}),
    "drop": How(unreachable("timeout")),
    "reset": How(unreachable("refused")),
    "loss": How(unreachable("timeout"), {"share": 1.0}),
    "dns": How(lambda s: not s.reaches_peer(s.peer.name), peer=True),
    "blackhole": How(lambda s: not s.reaches_peer(address(s.peer)), peer=True),
    "disk": How(
        lambda s: full(s.lab, s.box, "/scratch", 8), {"path": "/scratch", "reserve": 2_000_000}
    ),
    # The kernel of a container's host often has no netem; `rate` alone goes everywhere.
    "netem": How(lambda s: fetch_s(s.box) > 0.7, SLOW),
}


def container_case(kind: str) -> Builder:
    how = CONTAINER[kind]

    @contextmanager
    def build(bench: Bench) -> Iterator[Case]:
        lab: DockerLab = bench.fixture("docker_engine")
        if kind == "stress":
            info = lab.client.info()
            there = (str(info.get("CgroupVersion", "1")), info.get("CgroupDriver"))
            if there != ("1", "cgroupfs"):
                pytest.skip("this engine has no control groups of version 1: NOT tested here")
        net = lab.network().name
        peer = lab.run("peer", network=net) if how.peer else None
        tmpfs = {"/scratch": "size=16m,mode=1777"}
        box, port = lab.http(network=net, tmpfs=tmpfs, **how.run)
        scene = Scene(lab, box, port, attrs(lab, box.name)["State"]["StartedAt"], peer)
        options = dict(how.options)
        if kind == "blackhole":
            options["peer"] = peer.name
        assert kind in FAMILIES["container"]
        with sluice(lab.url) as (url, gate):
            yield Case(
                make=lambda: container_fault(lab, box.name, kind, run=lab.tag, url=url, **options),
                snapshot=lambda: {**comparable(lab, box.name), **scene.around()},
                untouched=lambda: {**attrs(lab, box.name), **scene.around()},
                broken=lambda: how.felt(scene),
                hang=gate.shut,
                limit_s=call_limit_ms("container", kind, options) / 1000,
                lasts=how.lasts,
            )

    return build
