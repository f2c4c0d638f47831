"""What can be done to a container: one object an action, found by the name of its type.

An action looks, breaks and mends one container. It keeps nothing in itself: what it needs to mend
is in the part of the undo record that belongs to that container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from gameday.adapters.docker.engine import Engine, Found

#: Labels of everything that gameday creates on an engine.
RUN_LABEL, FAULT_LABEL, ROLE_LABEL = "gameday.run", "gameday.fault", "gameday.role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Whose a change is: the run and the fault. Goes onto everything that is created."""

    run: str
    fault: str

    @classmethod
    def of(cls, part: Mapping[str, Any]) -> Mark:
        """That of a part of an undo record."""
        return cls(run=part["run"], fault=part["fault"])

    @property
    def labels(self) -> dict[str, str]:
        """For a helper container; what carries them is removed by `gameday recover --target`."""
        return {RUN_LABEL: self.run, FAULT_LABEL: self.fault, ROLE_LABEL: "helper"}


class Action(Protocol):
    """One way to break a container.

    `options` are those of the scenario in the units of `gameday.model.faults`, with its
    defaults filled in (None where there is none). `part` of an undo record is plain JSON:

        {"id": …, "name": …, "before": what look returned, "run": …, "fault": …, "options": {…}}

    `container` was inspected just before. `engine.helper_image` is the image for helpers, or None.
    Engine errors may go through as they are; the caller turns them into what it owes to its own.
    """

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The state before, as plain JSON; changes nothing. Raises `NoEffectError` to refuse."""
        ...

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Break it and read that back. Returns facts.

        Staged actions are called again with other options while they are in. Raises
        `NoEffectError` only when it is certain that nothing changed.
        """
        ...

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Mend it. Idempotent, also when it was never broken, or half. Returns facts."""
        ...

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether it, or half of it, is in place: read back."""
        ...


_HERE = "gameday.adapters.docker.actions"
#: Type of a `container` fault -> where its action is.
TABLE: Mapping[str, str] = {
    "kill": f"{_HERE}.state:KILL",
    "stop": f"{_HERE}.state:STOP",
    "restart": f"{_HERE}.state:RESTART",
    "pause": f"{_HERE}.state:PAUSE",
    "disconnect": f"{_HERE}.endpoint:DISCONNECT",
    "cpu": f"{_HERE}.limits:CPU",
    "memory": f"{_HERE}.limits:MEMORY",
    "stress": f"{_HERE}.stress:STRESS",
    "drop": f"{_HERE}.network:DROP",
    "reset": f"{_HERE}.network:RESET",
    "loss": f"{_HERE}.network:LOSS",
    "dns": f"{_HERE}.network:DNS",
    "blackhole": f"{_HERE}.network:BLACKHOLE",
    "disk": f"{_HERE}.disk:DISK",
    "netem": f"{_HERE}.netem:NETEM",
}


def action(kind: str) -> Action:
    """The action of a type of `FAMILIES["container"]`. Raises KeyError."""
    module, _, name = TABLE[kind].partition(":")
    return cast("Action", getattr(import_module(module), name))
