"""Runs without a result that can be read, as evidence: their runner died, or is still at work.

What such a run showed, and left in place, is not known, so it casts doubt on what passed before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.app.run_json import read_json
from gameday.app.rundir import RunDir
from gameday.errors import JournalError
from gameday.journal import read
from gameday.model.event import Event
from gameday.model.project import ENVIRONMENT_KINDS, kind_of_environment
from gameday.model.readiness_evidence import RunSeen
from gameday.model.verdict import Outcome, RunStatus

#: So many journals are read, those of the newest runs.
LOOKED_AT_MAX = 200
NOTES_MAX = 10
_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The runs of one service that have no result, and what is to be told of any."""

    runs: tuple[RunSeen, ...]
    notes: tuple[str, ...]


def unfinished_of(service: str, paths: Iterable[Path]) -> Unfinished:
    """Those of *paths*, the newest first, whose plan names *service*. Never raises for them."""
    found = list(paths)
    runs: list[RunSeen] = []
    notes: list[str] = []
    for path in found[:LOOKED_AT_MAX]:
        try:
            run = doubtful(service, path)
        except ValueError:
            notes.append(f"`{path}` has no result, and nothing tells of which service it was")
            continue
        if run is not None:
            runs.append(run)
            how = f"`gameday report {path}` judges it"
            notes.append(f"`{path}` has no result: its runner died, or is at work; {how}")
    left = len(notes) - NOTES_MAX
    if left > 0:
        notes[NOTES_MAX:] = [f"{left} more runs have no result"]
    if len(found) > LOOKED_AT_MAX:
        notes.append(f"of the runs without a result only the newest {LOOKED_AT_MAX} were looked at")
    return Unfinished(runs=tuple(runs), notes=tuple(notes))


def doubtful(service: str, path: Path) -> RunSeen | None:
    """The run in *path* as one of which nothing but doubt is known; None if of another service.

    Raises ValueError where plan or journal do not tell that.
    """
    where = RunDir(path=path)
    plan = read_json(where.plan)
    if plan is None:
        raise ValueError("there is no plan that can be read")
    try:
        return _seen(where, plan, service)
    except (JournalError, OSError, *_ERRORS) as error:
        raise ValueError(f"it cannot be read: {error}") from None


def _seen(where: RunDir, plan: Mapping[str, Any], service: str) -> RunSeen | None:
    """The run, if it was of *service*. Raises where plan or journal do not say enough."""
    scenario, place = plan["scenario"], plan["environment"]
    if scenario["service"] != service:
        return None
    events = read(where.journal).events
    opened = next((one for one in events if one.kind == "run.opened"), None)
    environment, kind = str(place["name"]), place.get("kind")
    return RunSeen(
        id=where.run_id,
        where=str(where.path),
        scenario=str(scenario["id"]),
        environment=environment,
        kind=kind if kind in ENVIRONMENT_KINDS else kind_of_environment(environment),
        profile=str(scenario.get("profile") or ""),
        version=str(opened.data.get("service_version") or "") if opened is not None else "",
        ended=_last_heard(where, opened, events),
        outcome=Outcome.INCONCLUSIVE,
        status=RunStatus.INCOMPLETE,
        clean=False,
        control=plan.get("control") is True,
        sound=False,
        reason="it has no result that can be read",
    )


def _last_heard(where: RunDir, opened: Event | None, events: tuple[Event, ...]) -> datetime:
    """The time of the last event; without one, when the journal was last written."""
    if opened is None:
        return datetime.fromtimestamp(where.journal.stat().st_mtime, UTC)
    origin = int(opened.data["origin_wall_ms"])
    return datetime.fromtimestamp((origin + events[-1].at_ms) / 1000, UTC)
