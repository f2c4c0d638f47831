"""Workers on other hosts, as the runner is told of them. No Locust here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gameday.adapters.locust.clocks import Offset
from gameday.adapters.locust.protocol import Rate, Start, parse_command, write_command
from gameday.model.project import LoadPlace

#: Locust's kind of message in which ours travel between master and workers.
KIND = "gameday"
#: The version of what master and workers say to each other.
VERSION = 1
#: How often the master shows that it is there, and how long a worker goes on without it.
BEAT_S, BEATLESS_S = 0.5, 2.5
#: How often the clocks are compared again.
CLOCK_EVERY_S = 10.0
#: Environment variables: what the bridge is told, and where a worker finds its master.
GATHER_VAR, MASTER_VAR = "GAMEDAY_LOAD_GATHER", "GAMEDAY_LOAD_MASTER"
#: Set on hosts of their own: where their copy of the locustfile is; empty if they have none.
FILE_VAR = "GAMEDAY_LOAD_FILE"
BRIDGE = "gameday.adapters.locust.agent_bridge"
WORKER = "gameday.adapters.locust.agent_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Where workers of other hosts come to, the token that they know, how long they are awaited."""

    listen: str
    token: str
    wait_ms: int = LoadPlace().wait_ms

    def told(self, workers: int) -> str:
        """What the bridge is told, as text."""
        host, port = split_address(self.listen)
        told = {"host": host, "port": port, "token": self.token, "workers": workers}
        return json.dumps(told)


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[host]:port` as two. Raises ValueError."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:\s]+)):([0-9]{1,5})", address)
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError(f"`{address}` is no address; write `HOST:PORT`")
    return found[1] or found[2], int(found[3])


def name_for(host: str, taken: Iterable[str]) -> str:
    """What a worker is called: its host, and a number if there are several of them."""
    base = re.sub(r"[^A-Za-z0-9._-]", "-", host)[:60] or "worker"
    names, name, number = set(taken), base, 1
    while name in names:
        number += 1
        name = f"{base}-{number}"
    return name


def translated(line: bytes, clock: Offset) -> bytes:
    """A line of the runner with its times on the clock of the worker that gets it."""
    command = parse_command(line)
    if isinstance(command, Start):
        return write_command(
            Start(
                origin_wall_ms=command.origin_wall_ms,
                origin_mono_ns=clock.theirs(command.origin_mono_ns),
                second=command.second,
            )
        )
    if isinstance(command, Rate) and command.at_mono_ns is not None:
        return write_command(Rate(per_s=command.per_s, at_mono_ns=clock.theirs(command.at_mono_ns)))
    return line if line.endswith(b"\n") else line + b"\n"
