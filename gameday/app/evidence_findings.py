"""Which findings name a run: in the register of a project, or in a place that somebody named."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gameday.adapters.evidence_archive import read_bytes
from gameday.app.rundir import RunDir
from gameday.errors import RefusedError, UsageError
from gameday.model.event import Event
from gameday.programme.evidence.manifest import json_text

#: As the commands of the register have it.
STORE_ENV = "GAMEDAY_FINDINGS"
_DATABASES = ("sqlite", "postgresql", "postgres")
_FINDING_MAX = 8 * 1024 * 1024
_LOOKED_AT_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All findings of one place: its name, and each finding's own name with its text."""

    name: str
    texts: Mapping[str, bytes]

    def naming(self, run_ids: Collection[str]) -> dict[str, bytes]:
        """Those in which the run is named, by any of the names that it has."""
        wanted = [name.encode() for name in run_ids if name]
        found = self.texts.items()
        return {name: raw for name, raw in found if any(one in raw for one in wanted)}


def names_of(where: RunDir, events: Sequence[Event]) -> frozenset[str]:
    """The names of a run: that of its directory now, and that under which it was run."""
    opened = events[0] if events and events[0].kind == "run.opened" else None
    return frozenset({where.run_id, opened.subject if opened else where.run_id})


def findings_of(directory: Path, given: Path | None = None) -> tuple[Findings, ...]:
    """The findings of a project, or those in the place that was *given*: none if there are none.

    A project file in *directory* says where its register is; without one it is `findings`, or
    `findings.yaml`. A store that GAMEDAY_FINDINGS names is asked as well, and never instead of it.
    Raises a `GamedayError` if anything of it cannot be read: then it is not known which runs are
    named.
    """
    if given is not None:
        if not given.exists():
            raise UsageError(f"there is no `{given}`: `--findings` is a file or a folder")
        return (_in_files(given),)
    found = (_of_variable(), _of_project(directory))
    return tuple(one for one in found if one is not None)


def _of_variable() -> Findings | None:
    """Of the store that the variable names, from where we are. It has to be there."""
    place = os.environ.get(STORE_ENV)
    if not place:
        return None
    found = _in_register(place, Path())
    if found is None:
        raise UsageError(
            f"there is no register of findings at `{place}`, which {STORE_ENV} names; "
            "correct it, or take it out of the environment"
        )
    return found


def _of_project(directory: Path) -> Findings | None:
    from gameday.app.finding_store import register_of

    project = directory / "gameday.yaml"
    if project.is_file():
        return _in_register(register_of(project=project).policy.store, directory)
    found = (directory / name for name in ("findings", "findings.yaml"))
    place = next((path for path in found if path.exists()), None)
    return None if place is None else _in_files(place)


def _in_register(place: str, base: Path) -> Findings | None:
    """Of a store; None where it is not there. Looking makes none."""
    from gameday.app.finding_store import store_at
    from gameday.model.finding_codec import to_plain

    store = store_at(place, base)
    if not store.exists():
        return None
    if place.partition(":")[0] not in _DATABASES:
        return _in_files(base / place)
    texts = {f"{one.id}.json": json_text(to_plain(one)) for one in store.all()}
    return Findings(name="the register", texts=texts)


def _in_files(place: Path) -> Findings:
    top = place if place.is_dir() else place.parent
    texts = {path.relative_to(top).as_posix(): raw for path, raw in _files(place)}
    return Findings(name=f"`{place.name}`", texts=texts)


def _files(place: Path) -> Iterator[tuple[Path, bytes]]:
    paths = [place] if not place.is_dir() else sorted(p for p in place.rglob("*") if not p.is_dir())
    if len(paths) > _LOOKED_AT_MAX:
        raise RefusedError(f"`{place}` has more than {_LOOKED_AT_MAX} files: name another place")
    for path in paths:
        yield path, read_bytes(path, _FINDING_MAX)
