"""`disconnect`: a container is taken off one network, and put back as it was on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.common import (
    addresses,
    moved,
    published,
    read_until,
    refuse_random_ports,
    refuse_unless_running,
)
from gameday.adapters.docker.engine import Engine, EngineError, Found, NotThereError
from gameday.errors import NoEffectError

#: What was asked for when the container was put on the network; the rest the engine works out.
_CONFIG = ("Aliases", "Links", "IPAMConfig", "DriverOpts", "GwPriority")


def config_of(endpoint: Mapping[str, Any], container_id: str) -> dict[str, Any]:
    """What has to be asked for to get this endpoint again.

    The short id of the container is among the aliases; the engine puts it there by itself.
    """
    config = {key: endpoint[key] for key in _CONFIG if endpoint.get(key)}
    aliases = [a for a in config.get("Aliases", ()) if a != container_id[:12]]
    if aliases:
        config["Aliases"] = list(dict.fromkeys(aliases))
    else:
        config.pop("Aliases", None)
    return config


def _chosen(container: Found, wanted: str | None) -> str:
    """The name of the network to take it off. Raises `NoEffectError`."""
    mode = str(container.host.get("NetworkMode", ""))
    names = sorted(container.networks)
    if mode in ("host", "none") or mode.startswith("container:") or not names:
        raise NoEffectError(
            f"container `{container.name}` has no network of its own to be taken off (its network "
            f"mode is `{mode}`)"
        )
    if wanted is None:
        if len(names) > 1:
            raise NoEffectError(
                f"container `{container.name}` is on {len(names)} networks; say which one with "
                f"`network`: {', '.join(f'`{n}`' for n in names)}"
            )
        return names[0]
    if wanted not in names:
        raise NoEffectError(
            f"container `{container.name}` is not on network `{wanted}`; it is on "
            f"{', '.join(f'`{n}`' for n in names)}"
        )
    return wanted


class _Disconnect:
    """Off the network: no packets, no name there, and its published ports are closed."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Choose the network and record how the container is on it."""
        refuse_unless_running(container, paused_is_fine=True)
        name = _chosen(container, options.get("network"))
        refuse_random_ports(container)
        if container.host.get("Links") and name == "bridge":
            raise NoEffectError(
                f"container `{container.name}` has `--link`s on the default network, which cannot "
                "be put back; use a network of your own"
            )
        endpoint = container.networks[name]
        return {
            "network": name,
            "network_id": endpoint.get("NetworkID"),
            "endpoint": config_of(endpoint, container.id),
            "ports": published(container),
            "addresses": {name: addresses(container)[name]},
        }

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Take it off, and read back that it is off."""
        name = before["network"]
        engine.disconnect(before["network_id"], container.id)
        read_until(
            engine, container.id, f"is still on network `{name}`", lambda c: not _on(c, before)
        )
        return {"network": name}

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Put it back with its aliases, links and fixed address."""
        before = part["before"]
        name = before["network"]
        facts: dict[str, Any] = {"network": name, "connected": False}
        if not _on(container, before):
            if _network_gone(engine, before):
                return {**facts, "network_gone": True}
            try:
                engine.connect(before["network_id"], container.id, before["endpoint"])
            except EngineError:
                if not _on(engine.inspect(container.id), before):  # else somebody was quicker
                    raise
            facts["connected"] = True
        now = read_until(
            engine, container.id, f"is not on network `{name}`", lambda c: _on(c, before)
        )
        changed = moved(now, before) if now.running else {}
        return {**facts, **changed, **_other(now, before)}

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether it is off a network that is still there."""
        return not _on(container, part["before"]) and not _network_gone(engine, part["before"])


def _on(container: Found, before: Mapping[str, Any]) -> bool:
    endpoint = container.networks.get(before["network"])
    # A stopped container shows its networks without the id, on some engines.
    return endpoint is not None and endpoint.get("NetworkID") in ("", None, before["network_id"])


def _network_gone(engine: Engine, before: Mapping[str, Any]) -> bool:
    """Whether somebody removed the network; one made again under its name is another one."""
    try:
        engine.network(before["network_id"])
    except NotThereError:
        return True
    return False


def _other(container: Found, before: Mapping[str, Any]) -> dict[str, Any]:
    """What of the endpoint is not as it was."""
    now = config_of(container.networks[before["network"]], container.id)
    names = sorted(
        k for k in {*now, *before["endpoint"]} if now.get(k) != before["endpoint"].get(k)
    )
    return {"endpoint_changed": names} if names else {}


DISCONNECT = _Disconnect()
