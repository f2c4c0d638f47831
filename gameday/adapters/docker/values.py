"""What an engine shows of a container, and what a program in one said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One container. `attrs` is what `docker inspect` shows, as it was when it was looked at."""

    id: str
    name: str
    attrs: Mapping[str, Any]

    @property
    def state(self) -> Mapping[str, Any]:
        """`Running`, `Paused`, `Restarting`, `Status`, `StartedAt`, `Pid` and so on."""
        return self.attrs.get("State") or {}

    @property
    def running(self) -> bool:
        """Whether its main process is there; a paused one is running too."""
        return bool(self.state.get("Running"))

    @property
    def paused(self) -> bool:
        """Whether it is frozen."""
        return bool(self.state.get("Paused"))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return (self.attrs.get("Config") or {}).get("Labels") or {}

    @property
    def host(self) -> Mapping[str, Any]:
        """Its HostConfig: limits, network mode, restart policy and so on."""
        return self.attrs.get("HostConfig") or {}

    @property
    def networks(self) -> Mapping[str, Mapping[str, Any]]:
        """Network name -> endpoint, as `docker inspect` shows them."""
        return (self.attrs.get("NetworkSettings") or {}).get("Networks") or {}

    @property
    def image(self) -> str:
        """The id of its image."""
        return str(self.attrs.get("Image", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program said (both streams) and ended with."""

    code: int
    output: str
