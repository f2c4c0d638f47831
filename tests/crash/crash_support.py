"""Real servers, real processes: what is left when a runner is killed or stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports_support import free_port

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.errors import AdapterError
from gameday.processes import gone_within, kill
from gameday.sentinel import owner

SCRIPT = Path(__file__).with_name("crash_runner.py")


def wait_until(what: str, condition: Callable[[], bool], within_s: float) -> float:
    """Wait for *condition*; returns how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Scene:
    """A run directory, a server that outlives the run, and a runner in a process group."""

    run_dir: Path
    server: ServerChoice
    listen: str
    upstream: str
    runner: subprocess.Popen[str] | None = None

    @property
    def client(self) -> ToxiproxyClient:
        return ToxiproxyClient(self.server.url)

    def start(self, mode: str, *more: str) -> str:
        """Start the runner; returns its first word."""
        self.runner = subprocess.Popen(
            [
                sys.executable, str(SCRIPT), str(self.run_dir), self.server.url,
                self.listen, self.upstream, mode, *more,
            ],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.runner.stdout is not None
        return self.runner.stdout.readline().strip()

    def signal(self, number: int) -> None:
        """To the runner's whole process group."""
        assert self.runner is not None
        os.killpg(self.runner.pid, number)

    def off(self) -> bool:
        """Whether nothing of the run is on the server: no toxic, no proxy, no note."""
        with contextlib.suppress(AdapterError):
            return not self.client.proxies()
        return False

    def sentinel_ended(self, within_s: float = 120.0) -> bool:
        sentinel = owner.read(self.run_dir).sentinel
        return sentinel is not None and gone_within(sentinel, within_s)


def scene_in(tmp_path: Path, kind: str) -> Iterator[Scene]:
    run_dir = tmp_path / "run-1"
    run_dir.mkdir()
    server = choose_server(None, log_dir=tmp_path, force_kind=kind)
    made = Scene(
        run_dir=run_dir,
        server=server,
        listen=f"127.0.0.1:{free_port()}",
        upstream=f"127.0.0.1:{free_port()}",
    )
    try:
        yield made
    finally:
        if made.runner is not None:
            with contextlib.suppress(ProcessLookupError):
                made.signal(signal.SIGKILL)
            made.runner.wait(60)
            assert made.runner.stdout is not None
            made.runner.stdout.close()
        sentinel = owner.read(run_dir).sentinel
        if sentinel is not None:
            kill(sentinel)
        server.stop()


def end_process(process: Any) -> bool:
    return kill(process) and gone_within(process, 60)


class Relay:
    """Carries bytes to a port, but holds one request back until it is let go."""

    def __init__(self, to: int, hold_back: bytes) -> None:
        self.to, self.hold_back = to, hold_back
        self.port = free_port()
        self.held, self.let_go, self.passed = (threading.Event() for _ in range(3))

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            request = client.recv(65536)
            while b"\r\n\r\n" not in request or not _body_is_whole(request):
                request += client.recv(65536)
            slow = self.hold_back in request.partition(b"\r\n")[0]
            if slow:
                self.held.set()
                self.let_go.wait(120)
            server.sendall(request)
            server.settimeout(5)
            answer = server.recv(65536)
            if slow:
                self.passed.set()
            try:
                client.sendall(answer)
            except OSError:
                return


def _body_is_whole(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return True


@contextmanager
def slow_relay(to: int, *, hold_back: bytes) -> Iterator[Relay]:
    relay = Relay(to, hold_back)
    with socket.create_server(("127.0.0.1", relay.port)) as listener:
        thread = threading.Thread(target=relay.serve, args=(listener,), daemon=True)
        thread.start()
        yield relay
        time.sleep(0.05)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
