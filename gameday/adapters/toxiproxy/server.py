"""Which Toxiproxy a run uses: the one it is given, one from PATH started for it, or the embedded.

A server that is started here lives in a session of its own. It must not end with the runner: the
traffic flows through it, and the sentinel reads back there that the faults are out.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.adapters.toxiproxy.client import ToxiproxyClient, address_of
from gameday.errors import AdapterError, UsageError
from gameday.processes import Life, identity_of, kill, life_of

PROGRAM = "toxiproxy-server"
READY_S = 15.0
STOP_S = 3.0
_TRIES = 5


@dataclass(slots=True, kw_only=True)
class ServerChoice:
    """The server of a run. `stop()` ends it if it was started for the run.

    `process` tells the process from all others (None for a given server); undo records carry it.
    `keep_fd` is the end of a pipe that keeps an embedded server alive: hand it to the sentinel.
    """

    kind: str  # given, started or embedded
    url: str
    version: str
    pid: int | None = None
    process: Mapping[str, Any] | None = None
    keep_fd: int | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """For `run.parts` in the journal."""
        return {
            "kind": self.kind,
            "url": self.url,
            "version": self.version,
            "pid": self.pid,
            "process": self.process,
        }

    def stop(self) -> None:
        """End a started server, hard if it does not end in time. Idempotent."""
        if self.keep_fd is not None:
            with suppress(OSError):
                os.close(self.keep_fd)
            self.keep_fd = None
        child = self._child
        if child is None:
            return
        self._child = None
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_S)


def choose_server(
    given_url: str | None,
    *,
    log_dir: Path,
    force_kind: str | None = None,
    seed: int | None = None,
) -> ServerChoice:
    """The server that a run uses, answering.

    *force_kind* is `given`, `started`, `embedded` or the URL of a server; without it, a given
    address wins over `toxiproxy-server` on PATH, and that over the embedded one. Raises
    `AdapterError` when the server does not answer, `UsageError` for an impossible choice.
    """
    kind, url = _kind_of(given_url, force_kind)
    if kind == "given":
        return _given(url or "")
    log_dir.mkdir(parents=True, exist_ok=True)
    log = log_dir / "toxiproxy.log"
    if kind == "embedded":
        return _start_embedded(log, seed)
    return _start_real(log)


def is_given(given_url: str | None, force_kind: str | None = None) -> bool:
    """Whether `choose_server` would take a server that is there, and start none.

    Raises `UsageError` for an impossible choice.
    """
    return _kind_of(given_url, force_kind)[0] == "given"


def what_would_be_used(given_url: str | None) -> str:
    """One line for people, starting nothing. Raises `AdapterError` if a given one is silent."""
    kind, url = _kind_of(given_url, None)
    if kind == "given":
        found = _given(url or "")
        return f"{found.version} at {found.url}, given in the project file"
    if kind == "started":
        return f"{_version_of_program()}, `{shutil.which(PROGRAM)}`, started for each run"
    return f"the embedded one, started for each run (there is no `{PROGRAM}` on PATH)"


def stop_process(process: Mapping[str, Any]) -> bool:
    """End a server that a dead run left behind; True if it is gone."""
    kill(process)
    return life_of(process) is not Life.ALIVE


def _kind_of(given_url: str | None, force_kind: str | None) -> tuple[str, str | None]:
    if force_kind in (None, ""):
        if given_url:
            return "given", given_url
        return ("started" if shutil.which(PROGRAM) else "embedded"), None
    if force_kind in ("started", "embedded"):
        return force_kind, None
    if force_kind == "given":
        if not given_url:
            raise UsageError("no Toxiproxy is given: the environment has no address of one")
        return "given", given_url
    return "given", str(address_of(str(force_kind)))


def _given(url: str) -> ServerChoice:
    client = ToxiproxyClient(url, within_s=5.0)
    client.proxies()
    return ServerChoice(kind="given", url=client.url, version=client.software())


def _version_of_program() -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise UsageError(f"there is no `{PROGRAM}` on PATH; install it, or use the embedded one")
    try:
        answer = subprocess.run(  # noqa: S603 - a program that the user installed
            [program, "-version"], capture_output=True, timeout=5, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AdapterError(f"`{program} -version` fails: {error}") from error
    return answer.stdout.strip() or PROGRAM


def _start_real(log: Path) -> ServerChoice:
    program = shutil.which(PROGRAM)
    if program is None:
        raise UsageError(f"there is no `{PROGRAM}` on PATH; install it, or use the embedded one")
    for _ in range(_TRIES):
        port = _free_port()
        child = _spawn([program, "-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"], log)
        try:
            version = _until_ready(f"http://127.0.0.1:{port}", child, log)
        except AdapterError:
            taken = _ended_at_once(child)
            _end(child)
            if not taken:
                raise
            continue  # somebody took the port between our look and its bind
        return _started("started", f"http://127.0.0.1:{port}", version, child)
    raise AdapterError(f"`{program}` does not start; its words are in `{log}`")


def _start_embedded(log: Path, seed: int | None) -> ServerChoice:
    life_r, life_w = os.pipe()
    ready_r, ready_w = os.pipe()
    command = [
        sys.executable, "-m", "gameday.proxy", "--host", "127.0.0.1", "--port", "0",
        "--die-with-fd", str(life_r), "--ready-fd", str(ready_w),
        *([] if seed is None else ["--seed", str(seed)]),
    ]  # fmt: skip
    try:
        child = _spawn(command, log, pass_fds=(life_r, ready_w))
    except OSError:
        for fd in (life_w, ready_r):
            os.close(fd)
        raise
    finally:
        os.close(life_r)
        os.close(ready_w)
    try:
        port = _port_from(ready_r, log)
        url = f"http://127.0.0.1:{port}"
        version = _until_ready(url, child, log)
    except AdapterError:
        os.close(life_w)
        _end(child)
        raise
    choice = _started("embedded", url, version, child)
    choice.keep_fd = life_w
    return choice


def _started(kind: str, url: str, version: str, child: subprocess.Popen[bytes]) -> ServerChoice:
    return ServerChoice(
        kind=kind,
        url=url,
        version=version,
        pid=child.pid,
        process=identity_of(child.pid),
        _child=child,
    )


def _spawn(
    command: list[str], log: Path, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own program, or one that the user installed
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )


def _until_ready(url: str, child: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_S
    client = ToxiproxyClient(url)
    while time.monotonic() < deadline and child.poll() is None:
        if client.alive() and child.poll() is None:
            return client.software()
        time.sleep(0.02)
    raise AdapterError(f"the Toxiproxy at {url} did not start; its words are in `{log}`")


def _port_from(fd: int, log: Path) -> int:
    """The port in the line that the embedded server writes once it listens."""
    with os.fdopen(fd, "rb") as ready:
        os.set_blocking(fd, False)
        deadline, line = time.monotonic() + READY_S, b""
        while time.monotonic() < deadline:
            part = ready.read()
            if part == b"":
                break
            line += part or b""
            if line.endswith(b"\n"):
                return int(json.loads(line)["port"])
            time.sleep(0.01)
    raise AdapterError(f"the embedded Toxiproxy did not start; its words are in `{log}`")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ended_at_once(child: subprocess.Popen[bytes]) -> bool:
    return child.poll() is not None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait(STOP_S)
