"""What the load benchmarks share: a fast server, processes on a core of their own, our load."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gameday.adapters.locust.driver import LocustLoad
from gameday.model.event import Event
from gameday.model.scenario import LoadSpec
from gameday.model.window import Tick, tick_from_json

NGINX = """daemon off; master_process off; pid {dir}/pid; error_log /dev/null;
events {{ worker_connections 16384; }} worker_rlimit_nofile 20000;
http {{ access_log off; keepalive_requests 1000000000;
client_body_temp_path {dir}; proxy_temp_path {dir};
fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
server {{ listen 127.0.0.1:{port} backlog=4096;
location = /status {{ stub_status; }} location / {{ return 200 "ok"; }} }} }}
"""
OWN = """
import asyncio, sys
seen = 0
class Ok(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        global seen
        n = data.count(b"\\r\\n\\r\\n")
        seen += n
        body = b"ok"
        if data.startswith(b"GET /status "):
            body = f"Active: 1\\nserver\\n 0 0 {seen}\\n".encode()
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b"
            % (len(body), body) * n)
async def main():
    server = await asyncio.get_running_loop().create_server(
        Ok, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""
#: One core for the server (and this process), another for the generator, where there are two.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, GENERATOR_CORE = CORES[0], CORES[-1]


class FastServer:
    """A server that answers `ok` at once, on a core of its own, and counts requests."""

    def __init__(self, url: str, kind: str) -> None:
        self.url, self.kind = url, kind
        self._asked = 0

    def requests(self) -> int:
        """How many requests of others it has read so far."""
        self._asked += 1
        with urllib.request.urlopen(f"{self.url}status", timeout=5) as answer:
            return int(answer.read().split(b"\n")[2].split()[2]) - self._asked


@contextmanager
def fast_server(directory: Path) -> Iterator[FastServer]:
    """nginx where it is installed, else a server of Python's own, which then is the limit."""
    port = free_port()
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(dir=directory, port=port))
        command = [nginx, "-c", str(config)]
    else:
        command = [sys.executable, "-c", OWN, str(port)]
    child = subprocess.Popen(pinned(command, SERVER_CORE))
    try:
        wait_for_port(port)
        yield FastServer(f"http://127.0.0.1:{port}/", "nginx" if nginx else "asyncio")
    finally:
        child.terminate()
        child.wait(10)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for_port(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after 10 s")


def pinned(command: list[str], core: int) -> list[str]:
    """*command* on one core, where there is `taskset`."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core), *command] if taskset else command


def pinned_python(directory: Path, core: int, program: str = "") -> str:
    """A Python on one core, for `LocustLoad`; with *program* it runs that instead of the module."""
    path = directory / f"python-{core}-{abs(hash(program)) % 10**8}"
    call = f'{sys.executable} "$@"'
    if program:
        source = path.with_suffix(".py")
        source.write_text(program)
        call = f"{sys.executable} {source}"
    path.write_text("#!/bin/sh\nexec " + " ".join(pinned([call], core)) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class OurLoad:
    """Our load while it runs; `ticks` has what it reported so far."""

    def __init__(self, spec: LoadSpec, url: str, directory: Path, python: str) -> None:
        self._events: list[Event] = []
        self.load = LocustLoad(spec, url, directory, python=python)
        self.origin_ns = time.monotonic_ns()
        self.facts = dict(
            self.load.start(
                self._events.append,
                origin_wall_ms=int(time.time() * 1000),
                origin_mono_ns=self.origin_ns,
            )
        )
        self.first_second = int(self.facts["first_second"])

    @property
    def pid(self) -> int:
        return int(self.facts["pid"])

    @property
    def ticks(self) -> list[Tick]:
        return [tick_from_json(e.data) for e in list(self._events) if e.kind == "load.window"]

    def mono_s(self, second: float) -> float:
        """The monotonic time of a second after the first one of the load."""
        return self.origin_ns / 1e9 + self.first_second + second

    def sleep_until(self, second: float) -> None:
        time.sleep(max(0.0, self.mono_s(second) - time.monotonic()))


@contextmanager
def our_load(
    spec: LoadSpec, url: str, directory: Path, python: str = sys.executable
) -> Iterator[OurLoad]:
    """Our load under way; stopped at the end."""
    made = OurLoad(spec, url, directory, python)
    try:
        yield made
    finally:
        made.load.stop()


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process so far, in seconds."""
    return (
        sum(
            int(task.joinpath("schedstat").read_text().split()[0])
            for task in Path(f"/proc/{pid}/task").iterdir()
        )
        / 1e9
    )


def busy() -> str:
    """How loaded the machine is, in words for the head of a table."""
    one, five, _ = os.getloadavg()
    how = "" if os.sched_getscheduler(0) == os.SCHED_OTHER else ", before others (real-time)"
    return f"load average {one:.2f} (1 min), {five:.2f} (5 min), {len(CORES)} cores{how}"
