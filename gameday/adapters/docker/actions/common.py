"""What several actions look at: published ports, and what may not be stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic, sleep
from typing import Any

from gameday.adapters.docker.engine import Engine, Found
from gameday.errors import AdapterError, NoEffectError

_POLL_S = 0.03


def refuse_unless_running(container: Found, *, paused_is_fine: bool = False) -> None:
    """Raise `NoEffectError` unless the container runs, and is not frozen."""
    if not container.running or container.state.get("Restarting"):
        raise NoEffectError(
            f"container `{container.name}` does not run (it is "
            f"{container.state.get('Status', '?')}); start it first"
        )
    if container.paused and not paused_is_fine:
        raise NoEffectError(
            f"container `{container.name}` is paused already; unpause it first "
            f"(`docker unpause {container.name}`)"
        )


def refuse_auto_remove(container: Found) -> None:
    """Raise `NoEffectError` for a container that is gone as soon as it ends."""
    if container.host.get("AutoRemove"):
        raise NoEffectError(
            f"container `{container.name}` was started with `--rm`: once it ends it is removed, "
            "and nothing can bring it back; start it without, or use `type: pause`"
        )


def refuse_random_ports(container: Found) -> None:
    """Raise `NoEffectError` when a published port would be another one afterwards."""
    moving = [
        port
        for port, bindings in (container.host.get("PortBindings") or {}).items()
        if any(not str(b.get("HostPort") or "").strip("0").isdigit() for b in bindings or ())
    ]
    if container.host.get("PublishAllPorts"):
        moving += [p for p in published(container) if p not in moving]
    if moving:
        raise NoEffectError(
            f"container `{container.name}` publishes {', '.join(sorted(moving))} on a port that "
            "the engine chooses, and it would choose another one afterwards; publish it on a fixed "
            "port, or use `type: pause`"
        )


def published(container: Found) -> dict[str, list[str]]:
    """Port of the container -> addresses of the host on which it is published now."""
    ports = (container.attrs.get("NetworkSettings") or {}).get("Ports") or {}
    return {
        port: sorted({f"{b.get('HostIp', '')}:{b.get('HostPort', '')}" for b in bindings})
        for port, bindings in ports.items()
        if bindings
    }


def addresses(container: Found) -> dict[str, str]:
    """Network -> IPv4 address of the container on it now."""
    return {n: str(e.get("IPAddress") or "") for n, e in container.networks.items()}


def moved(container: Found, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is not where it was: `ports_changed`, `addresses_changed`; empty when all is."""
    found: dict[str, Any] = {}
    for key, then, now in (
        ("ports_changed", before.get("ports") or {}, published(container)),
        ("addresses_changed", before.get("addresses") or {}, addresses(container)),
    ):
        names = [n for n in then if now.get(n) != then[n]]
        if names:
            found[key] = {n: {"before": then[n], "now": now.get(n)} for n in sorted(names)}
    return found


def read_until(
    engine: Engine,
    container: str,
    what: str,
    good: Callable[[Found], bool],
    within_s: float = 3.0,
) -> Found:
    """Look at a container until it is as wanted. Raises `AdapterError` saying *what* is not."""
    deadline = monotonic() + engine.left_s(within_s)
    while True:
        found = engine.inspect(container)
        if good(found):
            return found
        if monotonic() > deadline:
            status = found.state.get("Status", "?")
            raise AdapterError(f"container `{found.name}` {what} (it is {status})")
        sleep(_POLL_S)
