"""Taking faults out of containers, from their undo records alone, in any process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.across import across, errors_of
from gameday.adapters.docker.actions import action
from gameday.adapters.docker.engine import Engine, Found
from gameday.adapters.docker.notes import drop_note, place_of, put_lease
from gameday.errors import AdapterError, CannotSeeError
from gameday.ports import Undo

#: Together less than the limit of a call of the runner, which covers both.
REVERT_S = 6.5
PRESENT_S = 3.0


class DockerUndoer:
    """`registry.undoer("docker")`: stateless, everything it needs is in the record.

    Modes: `fault`, `lease`. A container that is proven gone is no debt, and neither is one that
    somebody made anew under the same name: it never had the fault.
    """

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Mend it. Idempotent; raises `AdapterError` when it could not be done."""
        if undo["mode"] == "lease":
            return _release(undo)
        act, parts = action(undo["action"]), list(undo["containers"])

        def mend(engine: Engine, part: Mapping[str, Any]) -> dict[str, Any]:
            found = engine.find(part["id"])
            if found is None:
                left = getattr(act, "revert_gone", None)  # what outlives its container
                facts = left(engine, part) if left is not None else {}
                drop_note(engine, part["name"], undo["run"], undo["fault"])
                return {"name": part["name"], "gone": True, **facts, **_replaced(engine, part)}
            facts = {"name": part["name"], **act.revert(engine, found, part)}
            now = engine.find(part["id"])
            if now is not None and act.present(engine, now, part):
                raise AdapterError(
                    f"`{undo['action']}` is still in place on container `{part['name']}`"
                )
            drop_note(engine, part["name"], undo["run"], undo["fault"])
            return facts

        results = across(parts, lambda: _engine(undo, REVERT_S), mend)
        if errors := errors_of(results):
            raise AdapterError("; ".join(map(str, errors)))
        done = [r for r in results if isinstance(r, dict)]
        gone = bool(done) and all(r.get("gone") for r in done)
        return {"containers": done, **({"gone": True} if gone else {})}

    def present(self, undo: Undo) -> bool:
        """Whether the fault, half of it, or its note is still there. Raises `CannotSeeError`."""
        if undo["mode"] == "lease":
            return _holds(undo)
        act = action(undo["action"])

        def look(engine: Engine, part: Mapping[str, Any]) -> bool:
            found = engine.find(part["id"])
            if found is None:
                left = getattr(act, "present_gone", None)
                return bool(left(engine, part)) if left is not None else False
            if act.present(engine, found, part):
                return True
            place = place_of(engine, part["name"])
            return place is not None and place.run == undo["run"] and undo["fault"] in place.notes

        results = across(list(undo["containers"]), lambda: _engine(undo, PRESENT_S), look)
        if any(r is True for r in results):
            return True
        if errors := errors_of(results):
            raise CannotSeeError("; ".join(map(str, errors)))
        return False


UNDOER = DockerUndoer()


def _engine(undo: Undo, within_s: float) -> Engine:
    return Engine(
        undo["url"],
        timeout_s=within_s / 2,
        within_s=within_s,
        helper_image=undo.get("helper_image"),
    )


def _replaced(engine: Engine, part: Mapping[str, Any]) -> dict[str, Any]:
    """A note when somebody made a container of that name anew; it is not ours to touch."""
    found: Found | None = engine.find(part["name"])
    return {"replaced": found.id} if found is not None and found.name == part["name"] else {}


def _holds(undo: Undo) -> bool:
    try:
        with _engine(undo, PRESENT_S) as engine:
            place = place_of(engine, undo["container"])
    except CannotSeeError:
        raise
    except AdapterError as error:
        raise CannotSeeError(str(error)) from error
    return place is not None and place.run == undo["run"] and place.lease is not None


def _release(undo: Undo) -> dict[str, Any]:
    """Give the lease back; with notes that are left it stays, and whoever comes is refused."""
    with _engine(undo, REVERT_S) as engine:
        place = place_of(engine, undo["container"])
        if place is None or place.run != undo["run"]:
            return {"released": False}
        if place.notes:
            put_lease(engine, place.id, None)
        else:
            engine.remove(place.id)
        return {"released": place.lease is not None}
