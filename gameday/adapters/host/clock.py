"""Another time for one process, through the file of the libfaketime it was started under."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host.faketime import (
    FILE,
    clock_file,
    is_true_time,
    offset_text,
    why_not_under,
)
from gameday.adapters.host.files import inside, keep, replace
from gameday.adapters.host.notes import checked, find_note, put_note, turn
from gameday.adapters.host.proc import environment_of, table
from gameday.adapters.host.sockets import connections
from gameday.adapters.host.targets import look, process_ref
from gameday.errors import AdapterError, NoEffectError
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo
from gameday.processes import own_identity


class ClockFault:
    """`clock.skew`: the process sees a time that is so far ahead or behind. Staged."""

    def __init__(self, directory: Path, run_id: str, target: Target, spec: FaultSpec) -> None:
        self._directory, self._run = directory.resolve(), run_id
        self._target, self._spec = target, spec

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        checked(self._run, "run")
        checked(self._spec.id, "fault")
        offset_text(self._offset_ms)
        path = self._path()
        started = process_ref(self._target).start
        before = "+0\n" if started and not path.exists() else self._before(path)
        pids = self._under(path)
        if not pids and not started:
            raise NoEffectError(
                f"no process runs under the clock file `{path}` of target `{self._target.name}`; "
                f"start it with libfaketime, {FILE} and FAKETIME_NO_CACHE=1, or let the run start "
                "it (`start` and `clock: true`)"
            )
        count = connections(pids) if pids else None
        return {
            "kind": "host",
            "mode": "clock",
            "directory": str(self._directory),
            "run": self._run,
            "fault": self._spec.id,
            "target": self._target.name,
            "by": own_identity(),
            "path": str(path),
            "before": before,
            "facts": {"processes": len(pids), **({} if count is None else {"connections": count})},
        }

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Write the offset, and read it back. May be called again with another offset."""
        with turn(undo):
            return self._inject(undo)

    def _inject(self, undo: Undo) -> Mapping[str, Any]:
        path = self._path()
        pids = self._under(path)
        if not pids:
            raise NoEffectError(f"no process runs under the clock file `{path}` any more")
        if find_note(self._directory, undo) is None:
            self._before(path)
        count = connections(pids)
        text = offset_text(self._offset_ms)
        put_note(self._directory, undo)
        try:
            replace(path, text, like=keep(path))
            now = keep(path).data
        except OSError as error:
            raise AdapterError(f"the clock file `{path}` cannot be written: {error}") from error
        if now != text:
            raise AdapterError(f"somebody else writes the clock file `{path}` at the same time")
        facts = {"read_back": True, "offset_ms": self._offset_ms, "processes": len(pids)}
        return facts if count is None else {**facts, "connections": count}

    @property
    def _offset_ms(self) -> int:
        options = self._spec.action.options if self._spec.action is not None else {}
        if not isinstance(options.get("offset"), int):
            raise NoEffectError(f"fault `{self._spec.id}` needs an `offset`, such as `+1h`")
        return int(options["offset"])

    def _path(self) -> Path:
        own = clock_file(self._directory, self._run, self._target)
        if own is not None:
            return own
        name = process_ref(self._target).clock_file
        if not name:
            raise NoEffectError(
                f"target `{self._target.name}` has no clock that can be changed: give it a "
                "`clock_file`, or `start` with `clock: true`"
            )
        return inside(self._directory, name, "the clock file")

    def _before(self, path: Path) -> str:
        try:
            data = keep(path).data
        except OSError as error:
            raise NoEffectError(
                f"the clock file `{path}` cannot be read: {error.strerror}; it has to hold `+0`"
            ) from None
        if not is_true_time(data):
            raise NoEffectError(
                f"the clock file `{path}` says `{data[:40].decode(errors='replace').strip()}`; it "
                "has to hold `+0`, so that the skew counts from the true time"
            )
        return data.decode()

    def _under(self, path: Path) -> list[int]:
        """The processes whose clock follows the file; `NoEffectError` if a named one's does not."""
        ref = process_ref(self._target)
        if ref.pidfile is None and not ref.start:
            named = (s.pid for s in table().values() if FILE in environment_of(s.pid))
            return [pid for pid in named if why_not_under(pid, path) is None]
        found = look(self._directory, self._run, self._target)
        if found.root is None:
            return []
        why = why_not_under(found.root["pid"], path)
        follow = [pid for pid in found.pids if why_not_under(pid, path) is None]
        if why is not None and not (ref.start and follow):
            raise NoEffectError(
                f"the clock of process {found.root['pid']} of target `{self._target.name}` does "
                f"not follow `{path}`: {why}"
            )
        return follow
