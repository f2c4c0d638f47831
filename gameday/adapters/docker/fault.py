"""Putting faults into containers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gameday.adapters.docker.across import across, errors_of
from gameday.adapters.docker.actions import Mark, action
from gameday.adapters.docker.engine import Engine, Found
from gameday.adapters.docker.lease import who_holds
from gameday.adapters.docker.notes import Place, drop_note, place_of, put_note
from gameday.adapters.docker.resolve import resolve
from gameday.adapters.docker.traffic import traffic_bytes
from gameday.errors import AdapterError, GamedayError, NoEffectError
from gameday.model.faults import FAMILIES
from gameday.model.project import DockerSpec, Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo

#: All calls of one prepare or inject together, and the grace of a stop on top.
CALLS_S = 8.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
#: Actions of one group change the same thing: two of them at a time would not know what was before.
_GROUPS = {"kill": "state", "stop": "state", "restart": "state", "pause": "state"}


class ContainerFault:
    """One action on the containers of a target."""

    def __init__(
        self, docker: DockerSpec, run_id: str, target: Target, spec: FaultSpec, *, seed: int
    ) -> None:
        if spec.action is None or spec.action.family != "container":
            raise ValueError(f"fault `{spec.id}` is not one of containers")
        self._docker, self._run, self._target, self._seed = docker, run_id, target, seed
        self._spec, self._kind = spec, spec.action.type
        known = FAMILIES["container"][self._kind].options
        self._options = {
            name: spec.action.options.get(name, option.default) for name, option in known.items()
        }
        self._within_s = CALLS_S + 2 * int(self._options.get("grace") or 0) / 1000

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        for name in (self._run, self._spec.id):
            if not _NAME.fullmatch(name):
                raise NoEffectError(f"`{name}` cannot be used in names and files of an engine")
        try:
            with self._engine() as engine:
                found = resolve(engine, self._target, self._docker, self._seed)
                parts = [self._part(engine, container) for container in found]
                facts: dict[str, Any] = {"images": sorted({c.image for c in found})}
                facts |= _traffic(engine, found)
                url = engine.url
        except NoEffectError:
            raise
        except AdapterError as error:
            raise NoEffectError(str(error)) from error
        return {
            "kind": "docker",
            "mode": "fault",
            "url": url,
            "run": self._run,
            "fault": self._spec.id,
            "target": self._target.name,
            "action": self._kind,
            "helper_image": self._docker.helper_image,
            "containers": parts,
            "options": self._options,
            "facts": facts,
        }

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Leave a note beside each container, break them, and read back that they are broken.

        Raises `NoEffectError` as long as nothing was changed; anything else leaves it in doubt.
        """
        began = time.monotonic()
        parts: Sequence[Mapping[str, Any]] = undo["containers"]
        try:
            with self._engine() as engine:
                found = [self._still_there(engine, part) for part in parts]
                fresh = [self._may_go_in(engine, part) for part in parts]
                traffic = _traffic(engine, found)
        except NoEffectError:
            raise
        except AdapterError as error:
            raise NoEffectError(str(error)) from error
        self._leave_notes(undo, fresh)
        mark = Mark(run=self._run, fault=self._spec.id)
        act = action(self._kind)

        def put_in(engine: Engine, part: Mapping[str, Any]) -> dict[str, Any]:
            container = engine.inspect(part["id"])
            facts = act.inject(engine, container, self._options, part["before"], mark)
            return {"name": part["name"], **facts}

        results = across(parts, self._engine, put_in)
        self._raise_if_wrong(results, fresh, parts)
        took_ms = round((time.monotonic() - began) * 1000)
        done = [r for r in results if isinstance(r, dict)]
        return {"read_back": True, "took_ms": took_ms, "containers": done, **traffic}

    def _engine(self) -> Engine:
        return Engine(
            self._docker.url, within_s=self._within_s, helper_image=self._docker.helper_image
        )

    def _part(self, engine: Engine, container: Found) -> dict[str, Any]:
        """The part of the undo record of one container."""
        place = place_of(engine, container.name)
        if place is not None and place.run != self._run:
            raise NoEffectError(who_holds(engine.url, place))
        part = {"id": container.id, "name": container.name}
        more = {"run": self._run, "fault": self._spec.id, "options": self._options}
        for part_there in _parts_of_fault(place, self._spec.id):
            if part_there["id"] == container.id and part_there.get("before"):
                return {**part, "before": part_there["before"], **more}  # it is in already
        before = dict(action(self._kind).look(engine, container, self._options))
        return {**part, "before": before, **more}

    def _still_there(self, engine: Engine, part: Mapping[str, Any]) -> Found:
        found = engine.find(part["id"])
        if found is None:
            raise NoEffectError(
                f"container `{part['name']}` is not on {engine.url} any more, or it was made anew"
            )
        if not found.running:
            raise NoEffectError(
                f"container `{part['name']}` does not run any more (it is "
                f"{found.state.get('Status', '?')})"
            )
        return found

    def _may_go_in(self, engine: Engine, part: Mapping[str, Any]) -> bool:
        """False when this fault is in already; refuses beside another one on the same thing."""
        place = place_of(engine, part["name"])
        if place is None:
            return True
        if place.run != self._run:
            raise NoEffectError(who_holds(engine.url, place))
        mine = _GROUPS.get(self._kind, self._kind)
        for fault, note in place.notes.items():
            theirs = _GROUPS.get(str(note.get("action")), str(note.get("action")))
            if fault != self._spec.id and theirs == mine and mine in _ONE_AT_A_TIME:
                raise NoEffectError(
                    f"fault `{fault}` of this run (`{note.get('action')}`) is in place on "
                    f"container `{part['name']}`; `{self._kind}` cannot be put on top of it: let "
                    "one end before the other begins"
                )
        return self._spec.id not in place.notes

    def _leave_notes(self, undo: Undo, fresh: Sequence[bool]) -> None:
        with self._engine() as engine:
            done: list[str] = []
            for part, new in zip(undo["containers"], fresh, strict=True):
                try:
                    put_note(engine, part["name"], self._run, self._spec.id, undo)
                except NoEffectError:
                    _drop_quietly(engine, done, self._run, self._spec.id)
                    raise
                done += [part["name"]] if new else []

    def _raise_if_wrong(
        self,
        results: Sequence[object],
        fresh: Sequence[bool],
        parts: Sequence[Mapping[str, Any]],
    ) -> None:
        errors = errors_of(results)
        if not errors:
            return
        if len(errors) == len(results) and all(isinstance(e, NoEffectError) for e in errors):
            names = [p["name"] for p, new in zip(parts, fresh, strict=True) if new]
            with self._engine() as engine:
                _drop_quietly(engine, names, self._run, self._spec.id)
            raise NoEffectError("; ".join(map(str, errors)))
        raise AdapterError("; ".join(map(str, errors)))


_ONE_AT_A_TIME = ("state", "cpu", "memory", "disconnect")


def _parts_of_fault(place: Place | None, fault: str) -> list[Mapping[str, Any]]:
    note = place.notes.get(fault) if place is not None else None
    return list(note.get("containers", ())) if note else []


def _traffic(engine: Engine, containers: Sequence[Found]) -> dict[str, int]:
    """`traffic_bytes` of all containers together; nothing where it is not counted."""
    counted = traffic_bytes(engine, containers)
    return {} if counted is None else {"traffic_bytes": counted}


def _drop_quietly(engine: Engine, names: Sequence[str], run: str, fault: str) -> None:
    """Take notes away on the way out of an error, as far as that goes."""
    for name in names:
        try:
            drop_note(engine, name, run, fault)
        except GamedayError:
            continue
