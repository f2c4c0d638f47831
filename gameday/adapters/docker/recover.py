"""Cleaning up an engine by what lies on it, without any journal."""

from __future__ import annotations

from gameday.adapters.docker.actions import FAULT_LABEL, ROLE_LABEL, RUN_LABEL
from gameday.adapters.docker.engine import Engine
from gameday.adapters.docker.lease import CALLS_S, held, who_holds
from gameday.adapters.docker.notes import Place, place_of, places
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import AdapterError, RefusedError
from gameday.model.recovery import RecoveryReport

__all__ = ["recover_target"]


def recover_target(url: str, *, force: bool = False) -> RecoveryReport:
    """Take everything of gameday off the containers of the engine at *url*, and read that back.

    What is not gameday's is not touched. Containers that a live run holds are left alone, and said
    to be, unless *force* is given; when there is nothing else, `RefusedError` names that run.
    Raises `AdapterError` when the engine cannot be asked.
    """
    lines: list[str] = []
    failed: list[str] = []
    with Engine(url, within_s=CALLS_S) as engine:
        found = places(engine)
    live = [] if force else [p for p in found if held(p)]
    mine = [p for p in found if p not in live]
    if live and not mine:
        raise RefusedError(who_holds(url, live[0]))
    lines += [f"left alone: {who_holds(url, place)}" for place in live]
    _revert_faults(url, mine, lines, failed)
    spared = {p.run for p in live}
    try:
        _sweep_helpers(url, spared, lines)
        _remove_places(url, mine, lines)
        dirty = _left(url, spared)
    except AdapterError as error:
        failed.append(str(error))
        dirty = tuple(p.container for p in mine)
    lines.extend(f"failed: {text}" for text in failed)
    return RecoveryReport(lines=tuple(lines) or ("nothing of gameday was there",), dirty=dirty)


def _revert_faults(url: str, mine: list[Place], lines: list[str], failed: list[str]) -> None:
    """Each noted fault once; the last one to be put in is the first one out, as far as is known."""
    seen: set[tuple[str, str]] = set()
    for place in mine:
        for fault, note in reversed(list(place.notes.items())):
            if (place.run, fault) in seen:
                continue
            seen.add((place.run, fault))
            what = f"fault `{fault}` of run `{place.run}`"
            if "containers" not in note or "action" not in note:
                failed.append(f"the note of {what} on container `{place.container}` is unreadable")
                continue
            try:
                UNDOER.revert({**note, "url": url})
            except (AdapterError, KeyError) as error:
                failed.append(f"{what}: {error}")
            else:
                names = ", ".join(f"`{part['name']}`" for part in note["containers"])
                lines.append(f"took {what} ({note['action']}) off {names}")


def _sweep_helpers(url: str, spared: set[str], lines: list[str]) -> None:
    """Helper containers, running or not, of runs that do not live."""
    with Engine(url, within_s=CALLS_S) as engine:
        for each in engine.containers(every=True, labels=[RUN_LABEL]):
            labels = each.get("Labels") or {}
            run = labels[RUN_LABEL]
            if labels.get(ROLE_LABEL) != "lease" and run not in spared:
                engine.remove(each["Id"])
                whose = f"fault `{labels.get(FAULT_LABEL, '?')}` of run `{run}`"
                lines.append(f"removed a helper container of {whose}")


def _remove_places(url: str, mine: list[Place], lines: list[str]) -> None:
    """Lease containers in which no note is left; a fault that could not be mended keeps its own."""
    with Engine(url, within_s=CALLS_S) as engine:
        for place in mine:
            now = place_of(engine, place.container)
            if now is not None and now.id == place.id and not now.notes:
                engine.remove(now.id)
                lines.append(f"gave container `{place.container}` back")


def _left(url: str, spared: set[str]) -> tuple[str, ...]:
    """What of gameday is still there, by name."""
    with Engine(url, within_s=CALLS_S) as engine:
        found = engine.containers(every=True, labels=[RUN_LABEL])
    left = [c for c in found if (c.get("Labels") or {}).get(RUN_LABEL) not in spared]
    return tuple(
        sorted(str(c["Names"][0]).lstrip("/") if c.get("Names") else c["Id"] for c in left)
    )
