"""Taking faults of this host out, from their undo records alone, in any process."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host.certificate_undo import planted, put_back
from gameday.adapters.host.files import keep, overwrite, replace
from gameday.adapters.host.holding import give_back, has_note
from gameday.adapters.host.notes import drop_note, find_note, turn
from gameday.adapters.host.proc import Identity, alive, family, identities, send, state_of, table
from gameday.adapters.host.proc import until as wait_until
from gameday.adapters.host.service import back, bring_back, closed, end, marked_family, running
from gameday.errors import AdapterError, CannotSeeError
from gameday.ports import Undo
from gameday.processes import Life, life_of

#: Together less than the limit of a call of the engine, which covers revert and present.
CONTINUE_S = 3.0
RESTART_S = 6.0


class HostUndoer:
    """`registry.undoer("host")`: stateless, everything it needs is in the record.

    Modes: `process.stop`, `process.kill`, `certificate`, `clock` (faults), `started` (a process of
    the run), `kept` (one that was there: nothing is owed), `lease`. `present` speaks of the fault
    alone; a note whose fault is out already is removed by the revert that is owed anyway.
    """

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Mend it. Idempotent; raises `AdapterError` when it could not be done."""
        with turn(undo):
            match undo["mode"]:
                case "process.stop":
                    return _continue(undo)
                case "process.kill":
                    return _restart(undo)
                case "clock":
                    return _set_clock_back(undo)
                case "certificate":
                    return put_back(undo)
                case "started":
                    _refuse_elsewhere(undo)
                    return end(undo)
                case "lease":
                    return {"released": give_back(undo)}
                case _:
                    return {}

    def present(self, undo: Undo) -> bool:
        """Whether the fault, or half of it, is still there. Raises `CannotSeeError`."""
        match undo["mode"]:
            case "process.stop":
                return any(state_of(i) == "T" for i in _stopped_by(undo))
            case "process.kill":
                killed = _killed(undo)
                return not (killed is None or alive(killed) or closed(undo) or back(undo, killed))
            case "clock":
                return _skewed(undo)
            case "certificate":
                return planted(undo)
            case "started":
                _refuse_elsewhere(undo)
                return running(undo)
            case "lease":
                return has_note(undo)
            case _:
                return False


UNDOER = HostUndoer()


def _continue(undo: Undo) -> Mapping[str, Any]:
    meant = _stopped_by(undo)
    stopped = [i for i in meant if state_of(i) == "T"]
    try:
        for identity in reversed(stopped):  # the parents last
            send(identity, signal.SIGCONT)
    except PermissionError as error:
        raise AdapterError(f"a stopped process may not be continued: {error}") from error
    if not wait_until(lambda: all(state_of(i) != "T" for i in stopped), CONTINUE_S):
        still = [i["pid"] for i in stopped if state_of(i) == "T"]
        raise AdapterError(f"processes {still} were continued and are stopped all the same")
    drop_note(Path(undo["directory"]), undo)
    gone = bool(meant) and not any(alive(i) for i in meant)
    return {"continued": len(stopped), **({"gone": True} if gone else {})}


def _stopped_by(undo: Undo) -> list[Identity]:
    """All that may have been stopped: in the record, in the note, or a child of a stopped one."""
    _refuse_elsewhere(undo)
    note = find_note(Path(undo["directory"]), undo)
    recorded = [*undo["processes"], *(note.undo.get("processes", ()) if note else ())]
    root = note.undo.get("root") if note else undo["root"]
    found = {(i["pid"], i["start_ticks"]): i for i in recorded}
    if root is not None and state_of(root) == "T":
        more = [*family(int(root["pid"]), table()), *marked_family(undo["marker"])]
        for identity in identities(s for s in more if s.state == "T"):
            found.setdefault((identity["pid"], identity["start_ticks"]), identity)
    left_alone = {(i["pid"], i["start_ticks"]) for i in undo["left_alone"]}
    return [i for key, i in found.items() if key not in left_alone]


def _restart(undo: Undo) -> Mapping[str, Any]:
    directory, killed = Path(undo["directory"]), _killed(undo)
    facts: Mapping[str, Any] = {}
    if killed is not None and closed(undo):
        facts = {"gone": True}
    elif killed is not None and not alive(killed):
        facts = bring_back(undo, killed, within_s=RESTART_S)
    drop_note(directory, undo)
    return facts


def _killed(undo: Undo) -> Identity | None:
    """The process that was, or was to be, killed; None if it never came to that."""
    _refuse_elsewhere(undo)
    note = find_note(Path(undo["directory"]), undo)
    root: Identity | None = note.undo.get("root") if note else None
    before: Identity | None = undo["root"]
    return root if root is not None else before


def _set_clock_back(undo: Undo) -> Mapping[str, Any]:
    path, before = Path(undo["path"]), undo["before"].encode()
    facts: dict[str, Any] = {"written": False}
    try:
        kept = keep(path)
        if kept.data != before:
            try:
                replace(path, before, like=kept)
            except OSError:  # no room for a second file
                overwrite(path, before)
            facts = {"written": True}
        if keep(path).data != before:
            raise AdapterError(f"somebody else writes the clock file `{path}` at the same time")
    except FileNotFoundError:
        facts = {"gone": True}  # without it a process sees the true time
    except OSError as error:
        raise AdapterError(f"the clock file `{path}` cannot be put back: {error}") from error
    drop_note(Path(undo["directory"]), undo)
    return facts


def _skewed(undo: Undo) -> bool:
    try:
        return keep(Path(undo["path"])).data != str(undo["before"]).encode()
    except FileNotFoundError:
        return False
    except (OSError, AdapterError) as error:
        raise CannotSeeError(f"the clock file `{undo['path']}` cannot be read: {error}") from error


def _refuse_elsewhere(undo: Undo) -> None:
    """Processes of another host or container cannot be seen from here."""
    if life_of(undo["by"]) is Life.UNKNOWN:
        raise CannotSeeError(
            f"the processes of target `{undo['target']}` are on host "
            f"`{undo['by'].get('host')}`, in another container or number space; clean up there"
        )
