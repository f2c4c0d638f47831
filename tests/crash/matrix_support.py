"""One scenario with two toxics, a container pause and a network disconnect; and its observer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from crash_support import wait_until
from docker.errors import DockerException
from docker_support import DockerLab
from ports_support import free_port
from relays import HoldingRelay, tcp_relay, unix_relay

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.errors import AdapterError
from gameday.journal import read
from gameday.model.event import ACTION_KINDS, Event
from gameday.processes import gone_within, kill
from gameday.sentinel import owner

SCRIPT = Path(__file__).with_name("matrix_runner.py")
SERVICE = Path(__file__).parents[1] / "e2e" / "service.py"
#: How long one inject or revert may take in this scenario.
CALL_S = 2.0
FAULTS = ("slow", "late", "freeze", "apart")


@dataclass
class Stage:
    """Servers, containers and a project; and one run of it."""

    directory: Path
    server: ServerChoice
    lab: DockerLab
    toxiproxy: HoldingRelay
    docker: HoldingRelay
    ports: dict[str, int]
    urls: dict[str, str]
    runner: subprocess.Popen[bytes] | None = None

    @property
    def reports(self) -> Path:
        return self.directory / "reports"

    @property
    def run_dir(self) -> Path:
        return next(p.parent for p in self.reports.glob("*/journal.jsonl"))

    def write(self) -> None:
        ports = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        targets: dict[str, Any] = {
            "front": {"url": f"http://{ports['front']}"},
            "back": {"proxy": "back", "listen": ports["via"], "upstream": ports["back"]},
            "side": {"proxy": "side", "listen": ports["side"], "upstream": ports["back"]},
            "cache": {"container": self.lab.name("cache")},
            "queue": {"container": self.lab.name("queue")},
        }
        local = {
            "targets": targets,
            "toxiproxy": {"url": self.urls["toxiproxy"]},
            "docker": {"url": self.urls["docker"]},
        }
        project = {"gameday": 1, "environments": {"local": local}}
        latency = {"type": "latency", "latency": "60ms"}
        scenario = {
            "gameday": 1,
            "id": "matrix",
            "title": "Everything breaks at once",
            "service": "front",
            "owner": "team",
            "hypothesis": "It does not matter: the run is going to be killed.",
            "call_limit": f"{CALL_S:g}s",
            "load": {
                "target": "front",
                "arrivals": "10/s",
                "timeout": "2s",
                "journeys": {"work": {"steps": [{"get": "/work"}]}},
            },
            "phases": {"warmup": "0s", "baseline": "1s", "fault": "2s", "recovery": "1s"},
            "faults": [
                {"id": "slow", "target": "back", "toxic": dict(latency)},
                {"id": "late", "target": "side", "toxic": dict(latency)},
                {"id": "freeze", "target": "cache", "container": {"type": "pause"}},
                {"id": "apart", "target": "queue", "container": {"type": "disconnect"}},
            ],
            "expect": {"baseline": ["errors < 50%"], "fault": ["errors < 50%"]},
            "stop_when": ["errors > 90% for 30s"],
        }
        self.directory.mkdir(exist_ok=True)
        (self.directory / "gameday.yaml").write_text(yaml.safe_dump(project))
        (self.directory / "matrix.yaml").write_text(yaml.safe_dump(scenario))

    def start(self, deed: dict[str, Any]) -> None:
        """Start the run in a process group of its own."""
        self.write()
        with self.output.open("wb") as output:
            self.runner = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(deed), *self._run()],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def gameday(self, *arguments: str, within_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """The command as people call it."""
        return subprocess.run(
            [sys.executable, "-m", "gameday", *arguments],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def run_again(self) -> subprocess.CompletedProcess[str]:
        return self.gameday(*self._run())

    def _run(self) -> list[str]:
        return ["run", "matrix.yaml", "--quiet", "--reports", str(self.reports)]

    def hit(self, name: str) -> None:
        """A signal from outside; SIGKILL and SIGSTOP to the whole group."""
        assert self.runner is not None
        number = signal.Signals[f"SIG{name}"]
        with contextlib.suppress(ProcessLookupError):
            if name in ("KILL", "STOP"):
                os.killpg(self.runner.pid, number)
            else:
                os.kill(self.runner.pid, number)

    def ended(self, within_s: float) -> int:
        """The runner's exit code."""
        assert self.runner is not None
        return self.runner.wait(within_s)

    @property
    def alive(self) -> bool:
        return self.runner is not None and self.runner.poll() is None

    @property
    def output(self) -> Path:
        return self.directory / "output.txt"

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def events(self) -> list[Event]:
        try:
            return list(read(self.run_dir / "journal.jsonl").events)
        except (StopIteration, OSError):
            return []

    def actions(self) -> list[Event]:
        return [e for e in self.events() if e.kind in ACTION_KINDS]

    # --- the observer: asks the servers themselves, not through the relays

    def in_place(self) -> set[str]:
        """Which faults are in place now, as the servers say."""
        found: set[str] = set()
        client = ToxiproxyClient(self.server.url, within_s=2.0)
        for name, proxy in client.proxies().items():
            if name in ("back", "side") and (proxy.toxics or not proxy.enabled):
                found.add({"back": "slow", "side": "late"}[name])
        if self._attrs("cache")["State"]["Paused"]:
            found.add("freeze")
        if self._aliases() is None:
            found.add("apart")
        return found

    def off(self) -> bool:
        with contextlib.suppress(AdapterError, DockerException):
            return not self.in_place()
        return False

    def spotless(self) -> bool:
        """Whether nothing of the run is left at all: no proxy, note, lease or helper."""
        with contextlib.suppress(AdapterError, DockerException):
            left = list(self.lab.listed())
            ours = [name for name in left if name.startswith("gameday") and self.lab.tag in name]
            proxies = ToxiproxyClient(self.server.url, within_s=2.0).proxies()
            return not ours and not proxies and self.off()
        return False

    def as_before(self) -> bool:
        """Whether the containers are exactly what they were: running, on their network, by name."""
        cache, queue = self._attrs("cache")["State"], self._attrs("queue")["State"]
        aliases = self._aliases() or []
        return bool(cache["Running"] and queue["Running"] and "the-queue" in aliases)

    def sentinel(self) -> Any:
        return owner.read(self.run_dir).sentinel

    def end_sentinel(self) -> None:
        """Kill the sentinel, if there is one by now, and wait for its end."""
        with contextlib.suppress(StopIteration):
            found = self.sentinel()
            if found is not None:
                kill(found)
                gone_within(found, 5.0)

    def _attrs(self, short: str) -> Any:
        return self.lab.client.api.inspect_container(self.lab.name(short))

    def _aliases(self) -> list[str] | None:
        networks = self._attrs("queue")["NetworkSettings"]["Networks"]
        there = networks.get(self.lab.name("net"))
        return None if there is None else list(there.get("Aliases") or [])

    def clean(self) -> None:
        """End everything that this stage started."""
        if self.runner is not None:
            self.hit("KILL")
            self.runner.wait(10)
        with contextlib.suppress(StopIteration):
            known = owner.read(self.run_dir)
            for process in [known.sentinel, *(part.process for part in known.parts)]:
                if process is not None:
                    kill(process)


@contextlib.contextmanager
def stage_in(
    tmp_path: Path,
    lab: DockerLab,
    *,
    hold_toxiproxy: int | None = None,
    hold_docker: int | None = None,
    early: bool = False,
) -> Iterator[Stage]:
    """A stage; `hold_…` say the answer to which changing request never arrives."""
    lab.network("net")
    lab.run("cache", command=["httpd", "-f"])
    box = lab.run("queue", command=["httpd", "-f"], network=lab.name("net"))
    network = lab.client.networks.get(lab.name("net"))
    network.disconnect(box)
    network.connect(box, aliases=["the-queue"])
    ports = {name: free_port() for name in ("front", "back", "via", "side")}
    server = choose_server(None, log_dir=tmp_path, force_kind="started")
    to = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    toxiproxy = HoldingRelay(to=to, hold=hold_toxiproxy, early=early)
    docker = HoldingRelay(to=lab.url.removeprefix("unix://"), hold=hold_docker, early=early)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gdm")))
        port = stack.enter_context(tcp_relay(toxiproxy))
        url = stack.enter_context(unix_relay(docker, short / "docker.sock"))
        stack.enter_context(_service(ports))
        urls = {"toxiproxy": f"http://127.0.0.1:{port}", "docker": url}
        stage = Stage(
            directory=tmp_path / "project", server=server, lab=lab, toxiproxy=toxiproxy,
            docker=docker, ports=ports, urls=urls,
        )  # fmt: skip
        stack.callback(stage.clean)
        yield stage


@contextlib.contextmanager
def _service(ports: dict[str, int]) -> Iterator[None]:
    command = [
        sys.executable, str(SERVICE), "--front", str(ports["front"]), "--back", str(ports["back"]),
        "--back-via", f"127.0.0.1:{ports['via']}",
    ]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL) as child:
        try:
            wait_until("the service answers", lambda: _answers(ports["front"]), 15)
            yield
        finally:
            child.kill()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def stays(what: str, condition: Callable[[], bool], for_s: float) -> None:
    """*condition* holds now and goes on holding."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        assert condition(), f"not any more: {what}"
        time.sleep(0.2)
    assert condition(), f"not any more: {what}"
