"""Which findings name a run: in the register of a project, or in a place that somebody named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gameday.adapters.evidence_archive import read_bytes
from gameday.errors import RefusedError, UsageError
from gameday.programme.evidence.manifest import json_text

#: As the commands of the register have it.
STORE_ENV = "GAMEDAY_FINDINGS"
_FINDING_MAX = 8 * 1024 * 1024
_LOOKED_AT_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All findings of one place: its name, and each finding's own name with its text."""

    name: str
    texts: Mapping[str, bytes]

    def naming(self, run_id: str) -> dict[str, bytes]:
        """Those in which the run is named."""
        return {name: raw for name, raw in self.texts.items() if run_id.encode() in raw}


def findings_of(directory: Path, given: Path | None = None) -> Findings | None:
    """The findings of a project, or those in the place that was *given*; None if there are none.

    A project file in *directory* says where its register is; without one it is `findings`, or
    `findings.yaml`. Raises a `GamedayError` if anything of it cannot be read: then it is not known
    which runs are named.
    """
    if given is not None:
        if not given.exists():
            raise UsageError(f"there is no `{given}`: `--findings` is a file or a folder")
        return _in_files(given)
    store, project = os.environ.get(STORE_ENV), directory / "gameday.yaml"
    if store or project.is_file():
        return _in_register(store, project)
    found = (directory / name for name in ("findings", "findings.yaml"))
    place = next((path for path in found if path.exists()), None)
    return None if place is None else _in_files(place)


def _in_register(store: str | None, project: Path) -> Findings | None:
    """Of the store that is named, from where we are; else of that of the project file."""
    from gameday.app.finding_store import register_of, store_at
    from gameday.model.finding_codec import to_plain

    base = Path() if store else project.parent
    place = store or register_of(project=project).policy.store
    kind, colon, rest = place.partition(":")
    if not colon:
        return _in_files(base / place) if (base / place).exists() else None
    if kind == "sqlite" and not (base / rest.removeprefix("//")).exists():
        return None  # looking must not make one
    texts = {f"{one.id}.json": json_text(to_plain(one)) for one in store_at(place, base).all()}
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
