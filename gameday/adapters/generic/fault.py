"""Putting in a fault that somebody else's program, service or function makes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gameday.adapters.generic.asking import Asking
from gameday.adapters.generic.place import Place, passed_on
from gameday.adapters.host.notes import drop_note, note_path, put_note
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.faults import CALLS, GENERIC
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo

_NEEDED = ("inject", "revert", "present")


class GenericFault:
    """A fault of the family `command`, `http` or `python`.

    *directory* is that of the project file; *commands* is the allow-list of the environment.
    """

    def __init__(
        self,
        directory: Path,
        run_id: str,
        target: Target,
        spec: FaultSpec,
        *,
        commands: tuple[str, ...],
    ) -> None:
        action = spec.action
        if action is None or action.family not in GENERIC:
            raise ValueError(f"fault `{spec.id}` is none of {', '.join(GENERIC)}")
        self._family, self._target = action.family, target
        self._calls: dict[str, Any] = {n: action.options[n] for n in CALLS if n in action.options}
        self._place = Place(
            directory=directory.absolute(),
            commands=tuple(commands),
            run=run_id,
            fault=spec.id,
            environ=passed_on(),
            programs={},
        )
        self._asking = Asking(self._family, self._calls, self._place)

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what cannot be undone. Returns the undo record.

        Raises `NoEffectError` with all problems of the calls, or when the fault is in place already
        or cannot be seen.
        """
        fault = self._place.fault
        missing = [name for name in _NEEDED if name not in self._calls]
        if missing:
            raise NoEffectError(f"fault `{fault}` has no call {_quoted(missing)}")
        note_path(self._place.directory, {"run": self._place.run, "fault": fault})
        if problems := self._asking.problems():
            raise NoEffectError(f"fault `{fault}` cannot be made:\n" + "\n".join(problems))
        try:
            there = self._asking.present()
        except CannotSeeError as error:
            raise NoEffectError(
                f"nothing is injected that cannot be seen before: {error}; `present` has to say "
                "that the fault is not in place"
            ) from error
        if there:
            raise NoEffectError(
                f"fault `{fault}` is in place already, says its `present` "
                f"({self._asking.shown('present')}); take it out first"
            )
        return self._record()

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Make the call, and look until the fault is in place or the time of the call is over.

        Facts: `read_back`, `took_ms`, and `effect` where there is such a call, with `effect_error`
        when it was not shown. Raises `NoEffectError` only when the call was not made.
        """
        began = time.monotonic()
        deadline = began + self._asking.within_s("inject")
        put_note(self._place.directory, undo)
        outcome = self._asking.ask("inject")
        if not outcome.started:
            with suppress(AdapterError):  # a note that stays is no reason to doubt
                drop_note(self._place.directory, undo)
            raise NoEffectError(self._asking.told("inject", outcome.why))
        if not outcome.ok:
            raise AdapterError(self._asking.told("inject", outcome.why))
        if why := self._asking.becomes(True, deadline):
            raise AdapterError(f"fault `{self._place.fault}` was asked for, but: {why}")
        facts = {"read_back": True, "took_ms": round((time.monotonic() - began) * 1000)}
        return {**facts, **(self._effect() if self._asking.has("effect") else {})}

    def _effect(self) -> dict[str, Any]:
        why = self._asking.shows("effect")
        return {"effect": False, "effect_error": why} if why else {"effect": True}

    def _record(self) -> Undo:
        programs = {}
        if self._family == "command":
            words = {str(self._calls[name]["run"][0]) for name in ("revert", "present")}
            programs = {w: self._place.program(w) for w in sorted(words) if "/" not in w}
        return {
            "kind": self._family,
            "run": self._place.run,
            "fault": self._place.fault,
            "target": self._target.name,
            "directory": str(self._place.directory),
            "commands": list(self._place.commands),
            "environ": dict(self._place.environ),
            "programs": programs,
            "calls": {name: dict(self._calls[name]) for name in ("revert", "present")},
            "facts": {name: self._asking.shown(name) for name in self._calls},
        }


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
