"""The files of readiness among those that `check` looks at: which they are, and what is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from gameday.model.diagnostics import Diagnostic
from gameday.model.project import Project
from gameday.scenario.build import find_project, read_project
from gameday.scenario.load import load_file
from gameday.scenario.readiness import read_policy, read_service, read_waivers

FOLDER, SERVICES = "readiness", "services"
_SNIFFED = 64 * 1024


class ReadyFile(StrEnum):
    """What a file of readiness is about; the value is the first key of its format."""

    POLICY = "gameday_readiness"
    SERVICE = "gameday_service"
    WAIVERS = "gameday_waivers"


_KEYS = re.compile(
    rf"""^["']?(?P<key>{"|".join(ReadyFile)})["']?[ \t]*:""",
    re.MULTILINE,
)
_NAMES = {"policy": ReadyFile.POLICY, "waivers": ReadyFile.WAIVERS}


def ready_file(path: Path) -> ReadyFile | None:
    """What kind of a file of readiness *path* is, by what it says, else by its place; or None."""
    if path.suffix not in (".yaml", ".yml"):
        return None
    try:
        with path.open("rb") as file:
            found = _KEYS.search(file.read(_SNIFFED).decode("utf-8", errors="replace"))
    except OSError:
        return None
    if found is not None:
        return ReadyFile(found["key"])
    folder = path.absolute().parent
    if folder.name == FOLDER:
        return _NAMES.get(path.stem)
    in_services = (folder.parent.name, folder.name) == (FOLDER, SERVICES)
    return ReadyFile.SERVICE if in_services else None


def readiness_files(paths: Iterable[Path], project: Path | None) -> list[Path]:
    """Those that are named, those below directories that are, and those of their projects."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _of(path, project):
            if ready_file(file) is not None:
                found.setdefault(file.resolve(), file)
    return list(found.values())


def _of(path: Path, project: Path | None) -> Iterator[Path]:
    if not os.path.isdir(path):  # noqa: PTH112 - one that may not be looked into is none
        yield path
        return
    yield from _below(path)
    file = project or find_project(path.absolute())
    if file is not None:
        yield from _below(file.parent / FOLDER)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "journal.jsonl" in names:
            folders.clear()
            continue
        yield from (Path(place) / name for name in sorted(names))


def problems_in(
    files: Iterable[Path],
    *,
    project: Path | None,
    known: Mapping[Path, Project | None],
    shown: Callable[[Path], str],
) -> list[Diagnostic]:
    """Everything that is wrong with *files*, and with project files that are not *known* yet.

    Never raises for what is in the files.
    """
    projects = dict(known)
    found: list[Diagnostic] = []
    for path in files:
        kind = ready_file(path)
        if kind is ReadyFile.POLICY:
            found += read_policy(path, shown=shown(path))[1]
        elif kind is ReadyFile.WAIVERS:
            found += read_waivers(path, shown=shown(path))[1]
        elif kind is ReadyFile.SERVICE:
            file = project or find_project(path.absolute().parent)
            if file is not None and file.absolute() not in projects:
                projects[file.absolute()], _, wrong = read_project(file)
                found += wrong
            read = None if file is None else projects[file.absolute()]
            found += _service(path, shown(path), read, broken=file is not None and read is None)
    return found


def _service(path: Path, shown: str, project: Project | None, *, broken: bool) -> list[Diagnostic]:
    read, found = read_service(path, shown=shown, project=project, broken=broken)
    if read is not None and path.parent.name == SERVICES and read.service.name != path.stem:
        name = read.service.name
        problem = load_file(path, shown=shown).marks.problem(
            "value/choice",
            ("service",),
            f"this is about `{name}`, and `gameday readiness {path.stem}` looks for it here",
            f"name the file `{name}.yaml`, or write `service: {path.stem}`",
        )
        found = [*found, problem]
    return found
