"""How many bytes came to a container and went from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gameday.adapters.docker.engine import Engine, Found

_RX_BYTES, _TX_BYTES = 0, 8  # columns of /proc/net/dev


def traffic_bytes(engine: Engine, containers: Sequence[Found]) -> int | None:
    """Bytes in and out on all networks of these containers since they were started.

    None where they are not counted for the container alone: on the network of the host, or none.
    """
    total = 0
    for container in containers:
        if not container.networks or "host" in container.networks:
            return None
        seen = _from_proc(container)
        # An engine takes up to a second for its own counters: it samples once in that time.
        total += engine.traffic_bytes(container.id) if seen is None else seen
    return total


def _from_proc(container: Found) -> int | None:
    """The counters of its main process, if that is to be seen from here."""
    pid = int(container.state.get("Pid") or 0)
    place = Path(f"/proc/{pid}")
    try:
        # The number means this process only if the engine runs on this host.
        if pid <= 0 or container.id not in (place / "cgroup").read_text():
            return None
        return sum_of((place / "net/dev").read_text())
    except OSError:
        return None


def sum_of(table: str) -> int:
    """Bytes received and sent, of /proc/net/dev, without the loopback."""
    total = 0
    for line in table.splitlines():
        name, colon, numbers = line.partition(":")
        fields = numbers.split()
        if colon and name.strip() != "lo" and len(fields) > _TX_BYTES:
            total += int(fields[_RX_BYTES]) + int(fields[_TX_BYTES])
    return total
