"""Processes that a run starts before its load and ends after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host import commands
from gameday.adapters.host.faketime import TRUE_TIME, clock_file, sleeps, why_not_under
from gameday.adapters.host.files import replace
from gameday.adapters.host.notes import checked, drop_note, folder, put_note
from gameday.adapters.host.proc import marked, named_by
from gameday.adapters.host.service import MARKER, start
from gameday.adapters.host.targets import marker_of, pidfile_of, process_ref, service_of
from gameday.errors import AdapterError, NoEffectError
from gameday.model.project import Target
from gameday.ports import Undo
from gameday.processes import own_identity

OPEN_S = 6.0


class HostTarget:
    """The process of a target: one that is there (mode `kept`), or one that the run starts.

    *logs* is the folder for what it says; the folder of notes unless given.
    """

    def __init__(
        self,
        directory: Path,
        run_id: str,
        target: Target,
        *,
        commands: tuple[str, ...],
        logs: Path | None = None,
    ) -> None:
        self._directory, self._run, self._target = directory.resolve(), run_id, target
        self._commands, self._logs = commands, logs.resolve() if logs else None

    def prepare(self) -> Undo:
        """Look which of both it is. Raises `NoEffectError` when it must not be started."""
        ref = process_ref(self._target)
        undo: dict[str, Any] = {
            "kind": "host",
            "directory": str(self._directory),
            "run": checked(self._run, "run"),
            "target": checked(self._target.name, "target"),
            "by": own_identity(),
            "pidfile": pidfile_of(self._directory, ref),
            "marker": marker_of(self._directory, self._run, self._target),
        }
        if not ref.start:
            if undo["pidfile"] is not None:
                named_by(Path(undo["pidfile"]))
            return {**undo, "mode": "kept"}
        what = f"`start` of target `{self._target.name}`"
        command = commands.allowed(ref.start, self._directory, self._commands, what)
        self._refuse_running(undo)
        clock = clock_file(self._directory, self._run, self._target)
        return {
            **undo,
            "mode": "started",
            "clock_file": str(clock) if clock else None,
            "service": service_of(
                self._directory, self._run, self._target, command=command, logs=self._logs
            ),
        }

    def open(self, undo: Undo) -> Mapping[str, Any]:
        """Start it if the record says so, and read back that it runs (and answers)."""
        if undo["mode"] == "kept":
            return {"started": False}
        self._refuse_running(undo)
        put_note(self._directory, undo)
        clock = Path(undo["clock_file"]) if undo["clock_file"] else None
        try:
            folder(self._directory, make=True)
            if clock is not None:
                replace(clock, TRUE_TIME)
            facts = start(undo, within_s=OPEN_S)
        except (NoEffectError, OSError) as error:
            if clock is not None:
                clock.unlink(missing_ok=True)
            drop_note(self._directory, undo)
            raise NoEffectError(str(error)) from error
        if clock is None:
            return {"started": True, **facts}
        return {"started": True, **facts, **self._under_clock(undo, clock)}

    def _under_clock(self, undo: Undo, clock: Path) -> dict[str, Any]:
        reasons = [why_not_under(s.pid, clock) for s in marked(MARKER, undo["marker"])]
        if not reasons or all(reasons):
            raise AdapterError(
                f"the clock of target `{undo['target']}` cannot be changed: "
                f"{next(iter(reasons), None) or 'it has ended'}"
            )
        extra = {k: v for k, v in undo["service"]["extra"].items() if k != MARKER}
        return {"clock_file": str(clock), "monotonic_sleep": sleeps(extra)}

    def _refuse_running(self, undo: Mapping[str, Any]) -> None:
        name = self._target.name
        running = marked(MARKER, undo["marker"])
        if running:
            raise NoEffectError(
                f"target `{name}` runs already for this run (process {running[0].pid})"
            )
        if undo["pidfile"] is None:
            return
        try:
            there = named_by(Path(undo["pidfile"]))
        except NoEffectError:
            return
        raise NoEffectError(
            f"target `{name}` runs already: the pidfile `{undo['pidfile']}` names process "
            f"{there['pid']}; end it, or leave `start` out so that the run takes it as it is"
        )
