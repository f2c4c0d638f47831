"""Keeping the index of runs up to date with the run directories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.app.run_json import read_json
from gameday.errors import UsageError
from gameday.model.quarter import RunSeen
from gameday.model.report import SCHEMA

if TYPE_CHECKING:
    from gameday.adapters.run_index import Indexed, RunIndex

#: Beside the run directories, unless said otherwise.
INDEX = ".runs.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All runs of an index, what was read now, and what could not be."""

    runs: tuple[RunSeen, ...]
    read: int
    unread: tuple[str, ...]


def index_at(place: str | None, reports: Path) -> RunIndex:
    """The index that *place* names: `sqlite:FILE`, `postgresql://…`; beside the runs for None."""
    from gameday.adapters.run_index import RunIndex

    if place is None:
        return RunIndex.sqlite(reports / INDEX)
    kind, colon, rest = place.partition(":")
    if colon and kind in ("postgresql", "postgres"):
        return RunIndex.postgres(place)
    if colon and kind == "sqlite" and rest.removeprefix("//"):
        return RunIndex.sqlite(Path(rest.removeprefix("//")))
    raise UsageError(
        f"`{place}` is no place for an index; write `sqlite:FILE` or `postgresql://host/database`"
    )


def bring_up(index: RunIndex, reports: Path, *, rebuild: bool = False) -> Known:
    """Read what is new or changed below *reports* into *index*, and give back all runs.

    Raises `UsageError` if the index cannot be used.
    """
    if not reports.is_dir():
        raise UsageError(f"there is no folder `{reports}`; say with `--reports` where the runs are")
    if rebuild:
        index.clear()
    known = index.stamps()
    unread: dict[str, str] = {}
    found = list(_new(reports, known, unread))
    if found:
        index.put(found)
    for name in index.older():
        unread.setdefault(
            name,
            f"`{name}` was read by another version of gameday, and is not here to be read again",
        )
    # what was read of a run before its result was lost or damaged is not known any more
    runs = tuple(run for run in index.all() if run.run not in unread)
    return Known(runs=runs, read=len(found), unread=tuple(unread.values()))


def _new(reports: Path, known: Any, unread: dict[str, str]) -> Iterator[Indexed]:
    from gameday.adapters.run_index import Indexed

    for entry in sorted(os.scandir(reports), key=lambda one: one.name):
        if not entry.is_dir() or not (Path(entry.path) / "journal.jsonl").exists():
            continue
        stamp = _stamp(Path(entry.path))
        if stamp is None:
            unread[entry.name] = f"`{entry.name}` has no `result.json`; `gameday report` makes it"
        elif known.get(entry.name) != stamp:
            run = _read(Path(entry.path))
            if isinstance(run, RunSeen):
                yield Indexed(stamp=stamp, run=run)
            else:
                unread[entry.name] = f"`{entry.name}`: {run}"


def _stamp(run: Path) -> str | None:
    """Of the result, and of the plan, which is written before it and never again."""
    try:
        seen = (run / "result.json").stat()
    except OSError:
        return None
    return f"{seen.st_mtime_ns}:{seen.st_size}"


def _read(run: Path) -> RunSeen | str:
    """The run, or why it cannot be read."""
    from gameday.programme.quarter_run import run_seen

    result = read_json(run / "result.json")
    if result is None:
        return "its `result.json` cannot be read"
    if result.get("schema") != SCHEMA:
        return f"its `result.json` is of version {result.get('schema')}, not {SCHEMA}"
    if result.get("run_id") != run.name:
        return "its `result.json` is of another run"
    try:
        return run_seen(result, read_json(run / "plan.json") or {})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return "its `result.json` lacks what is needed; `gameday report` writes it again"
