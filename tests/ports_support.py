"""Ports that nobody else takes between their choice and their use.

Below the range from which Linux takes ports of outgoing connections, each test process in a part of
its own, and each port once before any is used again.
"""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _PART, _PARTS = 12_000, 1_000, 8
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
#: Begin elsewhere each time: what an earlier run of the tests used may linger for a while.
_START = os.getpid() % _PART
_NEXT = itertools.count(_START)


def free_port(host: str = "127.0.0.1") -> int:
    """A port of *host* on which nothing listens."""
    for _ in range(_PART):
        port = _FIRST + _WORKER * _PART + next(_NEXT) % _PART
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
