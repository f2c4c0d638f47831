"""A case of the contract for every toxic, and what the cases of all kinds share."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ports_support import free_port
from toxiproxy_support import FOREIGN, Lab, down, http_service, toxic

from gameday.adapters.toxiproxy.server import ServerChoice
from gameday.model.project import Target
from gameday.testing.contract import Case


@dataclass(frozen=True)
class Bench:
    """What a case is made with."""

    directory: Path
    fixture: Callable[[str], Any]

    def server(self, kind: str) -> ServerChoice:
        """A Toxiproxy of that kind, answering."""
        choice: ServerChoice = self.fixture("toxiproxies")(kind)
        return choice


#: Makes a case on a bench; what it needs is there in the block.
Builder: TypeAlias = Callable[[Bench], AbstractContextManager[Case]]
#: A client gives up after so long.
PATIENCE_S = 1.0
SIZE = 3000


@dataclass(frozen=True)
class Answer:
    """What came of one request over a plain socket. `end` is `close`, `reset` or `silence`."""

    head: bytes
    body: bytes
    end: str
    took_s: float

    @property
    def whole(self) -> bool:
        return self.end == "close" and b" 200 OK" in self.head and len(self.body) == SIZE


def ask(port: int) -> Answer:
    began = time.monotonic()
    data, end = b"", "close"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while more := connection.recv(65536):
                data += more
                connection.settimeout(max(0.01, began + PATIENCE_S - time.monotonic()))
    except TimeoutError:
        end = "silence"
    except OSError:
        end = "reset"
    head, _, body = data.partition(b"\r\n\r\n")
    return Answer(head=head, body=body, end=end, took_s=time.monotonic() - began)


def late(answer: Answer) -> bool:
    return answer.took_s > 0.5


def cut(answer: Answer) -> bool:
    return answer.end != "silence" and not answer.whole


#: Kind of toxic -> its attributes, and how one answer shows it.
TOXIC: Mapping[str, tuple[dict[str, Any], Callable[[Answer], bool]]] = {
    "latency": ({"latency": 600}, late),
    "bandwidth": ({"rate": 3}, late),
    "slow_close": ({"delay": 600}, late),
    "timeout": ({"timeout": 0}, lambda a: not a.head),
    "reset_peer": ({"timeout": 0}, cut),
    "slicer": ({"average_size": 50, "delay": 20_000}, late),
    "limit_data": ({"bytes": 500}, cut),
    "http_status": ({"status": 503}, lambda a: b" 503 " in a.head),
    "http_delay": ({"delay": 600}, late),
    "http_truncate": ({"bytes": 100}, cut),
    "http_corrupt": ({"portion": 0.5}, lambda a: len(a.body) == SIZE and bool(a.body.strip(b"x"))),
    "http_header": ({"remove": "Connection"}, lambda a: a.whole and b"Connection:" not in a.head),
    "stall": ({"loss": 0.9, "pause": 800, "longest": 800}, late),
    "slow_connect": ({"delay": 600}, late),
    "proxy_bandwidth": ({"rate": 3}, late),
}


def proxies(url: str) -> Any:
    """All that a Toxiproxy has, as it says itself."""
    with urllib.request.urlopen(f"{url}/proxies", timeout=10) as answer:
        return json.load(answer)


@contextmanager
def hung(pid: int) -> Iterator[None]:
    """A process that is there, whose port takes connections, and which answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def toxic_case(kind: str, where: str) -> Builder:
    """A toxic of that kind, or `down`, on a server `where` (`embedded` or `started`)."""

    @contextmanager
    def build(bench: Bench) -> Iterator[Case]:
        server = bench.server(where)
        pid = server.pid
        assert pid is not None
        attributes, shows = TOXIC.get(kind, ({}, cut))
        spec = down("dead") if kind == "down" else toxic("broken", kind, **attributes)
        assert spec.kind == kind
        with http_service(SIZE) as upstream:
            target = Target(
                name="pay",
                proxy="payments",
                listen=f"127.0.0.1:{free_port()}",
                upstream=f"127.0.0.1:{upstream}",
            )
            lab = Lab(server=server, target=target, upstream=upstream)
            lab.create(FOREIGN)
            try:
                yield Case(
                    make=lambda: lab.fault(spec),
                    snapshot=lambda: proxies(lab.url),
                    # A stall loses nine pieces of ten, not all: two of six have to show it.
                    broken=lambda: (
                        sum(shows(ask(lab.port)) for _ in range(6)) >= 2
                        if kind == "stall"
                        else shows(ask(lab.port))
                    ),
                    hang=lambda: hung(pid),
                )
            finally:
                lab.clean()

    return build
