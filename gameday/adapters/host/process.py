"""Stopping and killing processes that a pidfile names or that the run has started."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host import commands
from gameday.adapters.host.notes import checked, drop_note, find_note, put_note, turn
from gameday.adapters.host.proc import (
    alive,
    identities,
    paired,
    refuse_untouchable,
    send,
    stat_of,
    state_of,
    until,
)
from gameday.adapters.host.sockets import connections
from gameday.adapters.host.targets import (
    Found,
    look,
    marker_of,
    members_of,
    pidfile_of,
    process_ref,
    service_of,
)
from gameday.errors import AdapterError, NoEffectError
from gameday.model.faults import FAMILIES
from gameday.model.project import ProcessRef, Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo
from gameday.processes import own_identity

STOP_S = 5.0
KILL_S = 5.0


class ProcessFault:
    """`process.stop` and `process.kill` on the process of a target.

    `stop` stops the process and all its descendants, since the workers of a forking server would
    go on answering without it; `kill` signals the process alone.
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
        self._directory, self._run = directory.resolve(), run_id
        self._target, self._spec, self._commands = target, spec, commands

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        checked(self._run, "run")
        checked(self._spec.id, "fault")
        ref = process_ref(self._target)
        found = look(self._directory, self._run, self._target)
        self._refuse(found)
        still = [s for s in found.members if s.state not in "Tt"]
        undo: dict[str, Any] = {
            "kind": "host",
            "mode": f"process.{self._type}",
            "directory": str(self._directory),
            "run": self._run,
            "fault": self._spec.id,
            "target": self._target.name,
            "by": own_identity(),
            "pidfile": pidfile_of(self._directory, ref),
            "marker": marker_of(self._directory, self._run, self._target),
            "root": found.root,
            "facts": _facts(found),
        }
        if self._type == "stop":
            left_alone = [s for s in found.members if s.state in "Tt"]
            return {
                **undo,
                "processes": identities(still),
                "left_alone": identities(left_alone),
            }
        return {**undo, "signal": self._signal, "service": self._restart(ref)}

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Stop or kill, and read back. Raises `NoEffectError` as long as nothing was changed."""
        with turn(undo):
            return self._inject(undo)

    def _inject(self, undo: Undo) -> Mapping[str, Any]:
        found = look(self._directory, self._run, self._target)
        if found.root is None:
            raise NoEffectError(f"the process of target `{self._target.name}` does not run")
        if undo["root"] is not None and dict(undo["root"]) != found.root:
            raise NoEffectError(
                f"the process of target `{self._target.name}` was replaced since the run looked at "
                f"it: it was {undo['root']['pid']}, now it is {found.root['pid']}"
            )
        self._refuse(found, again=find_note(self._directory, undo) is not None)
        facts = _facts(found)
        if self._type == "stop":
            return {**facts, **self._stop(undo, found)}
        return {**facts, **self._kill(undo, found)}

    @property
    def _type(self) -> str:
        return self._spec.action.type if self._spec.action is not None else ""

    @property
    def _signal(self) -> str:
        options = self._spec.action.options if self._spec.action is not None else {}
        default = FAMILIES["process"]["kill"].options["signal"].default
        return str(options.get("signal", default))

    def _refuse(self, found: Found, *, again: bool = False) -> None:
        what = f"target `{self._target.name}`"
        refuse_untouchable(found.members, what)
        root = stat_of(found.root["pid"]) if found.root is not None else None
        if root is not None and root.state in "Tt" and not again:
            raise NoEffectError(
                f"{what} is stopped already (process {root.pid}): a fault in it could not be told "
                "from that; continue it first (`kill -CONT`)"
            )

    def _restart(self, ref: ProcessRef) -> dict[str, Any]:
        """How the process is brought back. Raises `NoEffectError` if that is not allowed."""
        command = ref.restart or ref.start
        if not command:
            raise NoEffectError(
                f"target `{self._target.name}` has no `restart`: a process that is killed has to "
                "be brought back; add the command to the project file"
            )
        what = f"`restart` of target `{self._target.name}`"
        return service_of(
            self._directory,
            self._run,
            self._target,
            command=commands.allowed(command, self._directory, self._commands, what),
        )

    def _stop(self, undo: Undo, found: Found) -> Mapping[str, Any]:
        left_alone = [dict(i) for i in undo["left_alone"]]
        known: dict[int, dict[str, Any]] = {i["pid"]: dict(i) for i in undo["processes"]}
        put_note(self._directory, {**undo, "root": found.root})
        deadline = time.monotonic() + STOP_S
        while True:
            now = members_of(found.root or {}, undo["marker"])
            news = [
                stat
                for stat, identity in paired(now)
                if identity != known.get(stat.pid)
                and identity not in left_alone
                and stat.state not in "Tt"
            ]
            if news:
                refuse_untouchable(news, f"target `{self._target.name}`")
                known.update({i["pid"]: i for i in identities(news)})
                record = {**undo, "root": found.root, "processes": list(known.values())}
                put_note(self._directory, record)
            for identity in known.values():
                if state_of(identity) not in (None, "T"):
                    send(identity, signal.SIGSTOP)
            states = {pid: state_of(identity) for pid, identity in known.items()}
            if not news and all(state in (None, "T") for state in states.values()):
                break
            if time.monotonic() > deadline:
                awake = [pid for pid, state in states.items() if state not in (None, "T")]
                raise AdapterError(f"processes {awake} do not stop within {STOP_S:.0f} s")
            time.sleep(0.01)
        if found.root is None or state_of(found.root) != "T":
            raise AdapterError(f"the process of target `{self._target.name}` ended meanwhile")
        stopped = [pid for pid, state in states.items() if state == "T"]
        return {"read_back": True, "stopped": len(stopped), "pid": found.root["pid"]}

    def _kill(self, undo: Undo, found: Found) -> Mapping[str, Any]:
        root = dict(found.root or {})
        put_note(self._directory, {**undo, "root": root})
        try:
            sent = send(root, signal.Signals[f"SIG{undo['signal']}"])
        except PermissionError as error:
            drop_note(self._directory, undo)
            raise NoEffectError(f"process {root['pid']} may not be signalled: {error}") from None
        if not sent:
            drop_note(self._directory, undo)
            raise NoEffectError(f"process {root['pid']} had ended before it was signalled")
        if not until(lambda: not alive(root), KILL_S):
            raise AdapterError(
                f"process {root['pid']} got SIG{undo['signal']} and still runs after {KILL_S:.0f} s"
            )
        return {"read_back": True, "pid": root["pid"], "signal": undo["signal"]}


def _facts(found: Found) -> dict[str, Any]:
    if found.root is None:
        return {}
    count = connections(found.pids)
    facts = {"processes": len(found.members), "pid": found.root["pid"]}
    return facts if count is None else {**facts, "connections": count}
