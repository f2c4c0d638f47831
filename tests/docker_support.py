"""A real Docker engine for tests: containers and networks of their own, all removed at the end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from ports_support import free_port

SCRIPT = Path(__file__).parents[1] / ".ci" / "docker-engine"
BOX = "gameday-test/box:1"
HELPER = "gameday-test/helper:1"
#: Opts a container in.
ALLOW = {"gameday.allow": "true"}
_UNSET = (
    "GAMEDAY_TEST_DOCKER is not set: this was NOT tested against a real Docker engine; start a "
    'private one with `eval "$(.ci/docker-engine start DIR)"`'
)


def wait_until(what: str, condition: Callable[[], object], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


@dataclass
class DockerLab:
    """An engine, and what one test makes on it. Names are unique, so tests may run side by side."""

    url: str
    client: docker.DockerClient
    tag: str = field(default_factory=lambda: "gdt" + uuid.uuid4().hex[:10])
    made: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    def name(self, short: str) -> str:
        return f"{self.tag}-{short}"

    def run(self, short: str = "box", *, allow: bool = True, image: str = BOX, **more: Any) -> Any:
        """A running container (SDK object) named `<tag>-<short>`, opted in unless told otherwise.

        `labels`, `network`, `ports`, `command`, `mem_limit`, … go to the SDK as they are.
        """
        more.setdefault("stop_signal", "SIGKILL")
        labels = {**(ALLOW if allow else {}), **more.pop("labels", {}), "gdt": self.tag}
        name = self.name(short)
        self.made.append(name)
        return self.client.containers.run(image, name=name, labels=labels, detach=True, **more)

    def http(self, short: str = "box", **more: Any) -> tuple[Any, int]:
        """A container whose httpd is published on a fixed port of 127.0.0.1, and answers there.

        Alone on a network of its own, so that nobody takes its address while it is away.
        """
        port = free_port()
        if "network" not in more and "network_mode" not in more:
            more["network"] = self.network(f"of-{short}").name
        box = self.run(short, ports={"80/tcp": ("127.0.0.1", port)}, **more)
        wait_until("httpd answers", lambda: http_ok(port))
        return box, port

    def network(self, short: str = "net", **more: Any) -> Any:
        """A network of its own (SDK object)."""
        name = self.name(short)
        self.networks.append(name)
        return self.client.networks.create(name, labels={"gdt": self.tag}, **more)

    def exec(self, container: Any, *command: str) -> tuple[int, str]:
        """What a command in the container ends with, and what it says."""
        code, output = container.exec_run(list(command))
        return int(code), output.decode("utf-8", "replace")

    def listed(self, label: str | None = None, *, every: bool = True) -> dict[str, str]:
        """Name -> labels as a text, of all containers of the engine, or of those that run.

        The list of the SDK looks at each container once more, and fails when one of another test
        has gone meanwhile.
        """
        filters = {"label": label} if label else None
        found = self.client.api.containers(all=every, filters=filters)
        return {c["Names"][0].lstrip("/"): str(c["Labels"]) for c in found if c["Names"]}

    def clean(self) -> None:
        """Remove all that carries this test's names, and whatever was made for it."""
        with suppress(DockerException, OSError):  # a test may have ended its own engine
            self._clean()

    def _clean(self) -> None:
        names = [*self.listed(f"gdt={self.tag}")]
        names += [n for n, labels in self.listed("gameday.run").items() if self.tag in n + labels]
        for name in {*names, *self.made}:
            with suppress(DockerException):
                self.client.api.remove_container(name, force=True, v=True)
        for name in self.networks:
            with suppress(DockerException):
                self.client.api.remove_network(name)


def http_ok(port: int, timeout_s: float = 1.0) -> bool:
    """Whether an HTTP server answers on that port of 127.0.0.1 with a 200."""
    return http_status(port, timeout_s) == 200


def http_status(port: int, timeout_s: float = 1.0) -> int | None:
    """The status of GET /, None when there is no answer. A pause is seen as None, too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def missing(message: str) -> None:
    """A loud skip; a failure where real servers are required."""
    if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def docker_lab(url: str) -> Iterator[DockerLab]:
    client = docker.DockerClient(base_url=url, version="auto", timeout=30)
    lab = DockerLab(url=url, client=client)
    try:
        yield lab
    finally:
        lab.clean()
        client.close()


@pytest.fixture
def docker_engine() -> Iterator[DockerLab]:
    """The engine of GAMEDAY_TEST_DOCKER (a unix:// address) with nothing of this test on it."""
    url = os.environ.get("GAMEDAY_TEST_DOCKER")
    if not url:
        missing(_UNSET)
    assert url
    with docker_lab(url) as lab:
        yield lab


@dataclass
class OwnEngine:
    """A second engine, which a test may stop, restart or freeze."""

    directory: Path
    url: str

    @property
    def pid(self) -> int:
        return int((self.directory / "docker.pid").read_text())

    def start(self) -> None:
        _script("start", self.directory)

    def end(self, how: int = signal.SIGTERM) -> None:
        """End the daemon, and wait until it is gone. Its containers end, or are left alone."""
        pid = self.pid
        os.kill(pid, how)
        wait_until("the daemon is gone", lambda: not Path(f"/proc/{pid}/exe").exists(), 30)


def _script(what: str, directory: Path) -> str:
    done = subprocess.run(
        [str(SCRIPT), what, str(directory)], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def own_engine() -> Iterator[OwnEngine]:
    """An engine of this test alone; where none is asked for, a loud skip as with the other."""
    if not os.environ.get("GAMEDAY_TEST_DOCKER"):
        missing(_UNSET)
    with started_engine() as made:
        yield made


@contextmanager
def started_engine() -> Iterator[OwnEngine]:
    """An engine for the block, with nothing left of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="gdt") as short:  # a socket's path must be short
        made = OwnEngine(directory=Path(short), url=f"unix://{short}/docker.sock")
        try:
            made.start()
            yield made
        finally:
            _script("stop", made.directory)


class _Gateway(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut here on purpose."""


@contextmanager
def holding_gateway(url: str, held: str) -> Iterator[str]:
    """Another address of the engine at *url*, which keeps back some answers for ever.

    The requests arrive at the engine, also those whose first line contains *held*.
    """
    over = threading.Event()
    behind = url.removeprefix("unix://")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(behind)
                hold = threading.Event()
                back = threading.Thread(target=self.back, args=(engine, hold), daemon=True)
                back.start()
                while data := self.request.recv(65_536):
                    if held.encode() in data.partition(b"\r\n")[0]:
                        hold.set()
                    engine.sendall(data)
                with suppress(OSError):
                    engine.shutdown(socket.SHUT_RDWR)
                back.join(5)

        def back(self, engine: socket.socket, hold: threading.Event) -> None:
            with suppress(OSError):
                while data := engine.recv(65_536):
                    if hold.is_set():
                        over.wait(30)
                        return
                    self.request.sendall(data)
                self.request.shutdown(socket.SHUT_RDWR)

    with tempfile.TemporaryDirectory(prefix="gdt") as short:
        place = f"{short}/gateway.sock"
        with _Gateway(place, Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"unix://{place}"
            finally:
                over.set()
                server.shutdown()
                thread.join(5)
