"""Where every part of the shop listens, and where its proxy does."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import Any, ClassVar

HOST = "127.0.0.1"
GATEWAYS = ("gateway-1", "gateway-2", "gateway-3")
NAMES = ("shop", *GATEWAYS, "payments", "inventory", "postgres", "redis")
#: The gateway that may live in a container: no scenario breaks its process.
BOXED = "gateway-2"
#: What lives in a container with it: the database, whose data then have a volume of their own.
BOXES = (BOXED, "postgres")
#: The gateway whose clock may be moved.
CLOCKED = "gateway-3"
KINDS = {
    "shop": "balancer",
    **dict.fromkeys(GATEWAYS, "gateway"),
    **{name: name for name in ("payments", "inventory", "postgres", "redis")},
}
_DIRECT_BASE, _VIA_BASE = 18701, 18801
#: Below the range from which Linux takes the ports of outgoing connections, so that none of those
#: can sit on a port between its choice and its use.
_FREE_RANGE = (20_000, 32_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the shop: `port` is its own, `via_port` that of its proxy."""

    name: str
    port: int
    via_port: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All parts. The part `shop` is the balancer, the edge of the whole.

    `tls_port` is its second port, with TLS, which has no proxy.
    """

    PARTS: ClassVar[tuple[str, ...]] = NAMES
    parts: tuple[Part, ...]
    tls_port: int

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Names of everything that is reached through a proxy (the edge included)."""
        return tuple(part.name for part in self.parts)

    def part(self, name: str) -> Part:
        """The part called *name*. Raises KeyError, naming the ones there are."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(f"no part `{name}`; there are {', '.join(self.PARTS)}")

    def direct(self, name: str) -> str:
        """`host:port` of the part itself: the upstream of its proxy."""
        return f"{HOST}:{self.part(name).port}"

    def via(self, name: str) -> str:
        """`host:port` on which the part's proxy listens."""
        return f"{HOST}:{self.part(name).via_port}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for the parts' configuration."""
        ports = {part.name: [part.port, part.via_port] for part in self.parts}
        return {**ports, "tls": self.tls_port}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Topology:
        """The inverse of `to_json`."""
        ports = {name: (int(data[name][0]), int(data[name][1])) for name in NAMES}
        return _topology(ports, int(data["tls"]))


def container_name(topology: Topology, name: str = BOXED) -> str:
    """Of a part that may live in one: there is one shop a port."""
    return f"gameday-shop-{topology.part(name).port}"


def default_topology() -> Topology:
    """The fixed ports that `scenarios/gameday.yaml` names: parts 187xx, proxies 188xx."""
    ports = {n: (_DIRECT_BASE + i, _VIA_BASE + i) for i, n in enumerate(NAMES)}
    return _topology(ports, _DIRECT_BASE + len(NAMES))


def free_topology() -> Topology:
    """Ports that are free now, for every part and every proxy."""
    *ports, tls = free_ports(2 * len(NAMES) + 1)
    return _topology({n: (ports[2 * i], ports[2 * i + 1]) for i, n in enumerate(NAMES)}, tls)


def free_ports(count: int) -> list[int]:
    """*count* different loopback ports on which nothing listens now. Raises OSError if too few."""
    low, high = _FREE_RANGE
    found: list[int] = []
    for port in random.sample(range(low, high), k=high - low):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    if len(found) < count:
        raise OSError(f"only {len(found)} of {count} ports between {low} and {high} are free")
    return found


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _topology(ports: dict[str, tuple[int, int]], tls_port: int) -> Topology:
    return Topology(
        tls_port=tls_port,
        parts=tuple(
            Part(name=name, port=direct, via_port=via, kind=KINDS[name])
            for name, (direct, via) in ports.items()
        ),
    )
