"""Files that journeys need, CSV files and those to send: checked before, read when a run begins."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as FilePath

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import Feeder, LoadSpec, RequestStep
from gameday.model.template import names_of
from gameday.scenario.node import Path
from gameday.scenario.places import leaves, outside
from gameday.scenario.sample import iterations
from gameday.scenario.scope import Scope, rule

MAX_BYTES = 1024 * 1024
#: All columns together, as they travel to the load process.
MAX_TRAVELLING = 2 * MAX_BYTES
#: All files that steps send, together.
MAX_UPLOADED = MAX_BYTES // 2


class FeederError(ValueError):
    """A file that cannot feed; `str()` says why, and `hint` what to do."""

    def __init__(self, summary: str, hint: str) -> None:
        super().__init__(summary)
        self.hint = hint


def fed(data: Mapping[str, Feeder], directory: FilePath) -> dict[str, Feeder]:
    """*data* with the values of its columns. Raises FeederError."""
    found = {
        name: replace(feeder, values=read_column(feeder, directory))
        for name, feeder in data.items()
    }
    size = sum(len(json.dumps(one.values, ensure_ascii=False).encode()) for one in found.values())
    if size > MAX_TRAVELLING:
        raise FeederError("the columns of `data` are more than 2 MiB", "take fewer rows or columns")
    return found


def read_column(feeder: Feeder, directory: FilePath) -> tuple[str, ...]:
    """The values of a column, in the order of the file. Raises FeederError."""
    text = _text(feeder.csv, directory)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        names = csv.DictReader(io.StringIO(text, newline="")).fieldnames or ()
    except csv.Error as error:
        raise FeederError(f"`{feeder.csv}` is not CSV: {error}", "check its quotes") from None
    if feeder.column not in names:
        raise FeederError(
            f"`{feeder.csv}` has no column `{feeder.column}`",
            f"its first line names {', '.join(f'`{name}`' for name in names[:10]) or 'none'}",
        )
    values = [row[feeder.column] for row in rows]
    if None in values:
        short = values.index(None) + 2
        raise FeederError(
            f"row {short} of `{feeder.csv}` has no `{feeder.column}`", "write all its columns"
        )
    if not values:
        raise FeederError(f"`{feeder.csv}` has no rows", "write some below its first line")
    return tuple(values)


def uploaded(load: LoadSpec, directory: FilePath) -> LoadSpec:
    """*load* with the contents of the files that its steps send. Raises FeederError."""
    left = MAX_UPLOADED

    def filled(step: RequestStep) -> RequestStep:
        nonlocal left
        files = {}
        for name, file in step.files.items():
            raw = _raw(file.path, directory)
            left -= len(raw)
            files[name] = replace(file, content=base64.b64encode(raw).decode())
        return replace(step, files=files)

    made = load.with_steps(filled)
    if left < 0:
        raise FeederError("the `files` of all steps are more than 512 KiB", "send smaller ones")
    return made


def _text(name: str, directory: FilePath) -> str:
    try:
        return _raw(name, directory).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeederError(f"`{name}` is not UTF-8", "save it as UTF-8") from None


def _raw(name: str, directory: FilePath) -> bytes:
    try:
        path = (directory / name).resolve()
        if not path.is_relative_to(directory.resolve()):
            raise FeederError(
                f"`{name}` leads out of the project", "put the file into the project's folder"
            )
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, FeederError):
            raise
        raise FeederError(
            f"there is no file `{name}`", "write its path relative to the folder of `gameday.yaml`"
        ) from None
    if len(raw) > MAX_BYTES:
        raise FeederError(f"`{name}` is larger than 1 MiB", "take less of it")
    return raw


def feeders(scope: Scope) -> Iterator[Diagnostic]:
    """Every column is there, and `unique` has enough rows for the run."""
    if scope.project is None:
        return
    for name, feeder in scope.scenario.load.data.items():
        path = ("load", "data", name)
        if leaves(scope.project.directory, feeder.csv):
            yield outside(feeder.csv, (*path, "csv"), scope.marks)
            continue
        try:
            rows = len(read_column(feeder, FilePath(scope.project.directory)))
        except FeederError as error:
            yield scope.marks.problem("load/data", path, str(error), error.hint)
            continue
        needed = _visits(scope, name)
        if feeder.pick == "unique" and needed is not None and rows < int(needed):
            yield scope.marks.problem(
                "load/data",
                path,
                f"the {rows} rows of `{feeder.csv}` are not enough for {needed:.0f} visits",
                "add rows, or let `pick` be `sequential`, which begins again",
            )


def uploads(scope: Scope) -> Iterator[Diagnostic]:
    """The files that steps send are there, and not too large."""
    if scope.project is None:
        return
    for path, step in _placed(scope.scenario.load):
        for name, file in step.files.items():
            where = (*path, "files", name)
            if leaves(scope.project.directory, file.path):
                yield outside(file.path, where, scope.marks)
                continue
            alone = LoadSpec(target="", setup=(replace(step, files={name: file}),))
            try:
                uploaded(alone, FilePath(scope.project.directory))
            except FeederError as error:
                yield scope.marks.problem("load/data", where, str(error), error.hint)


def _placed(load: LoadSpec) -> Iterator[tuple[Path, RequestStep]]:
    """Every step with its place in the file."""
    parts: list[tuple[Path, tuple[RequestStep, ...]]] = [
        (("load", "setup"), load.setup),
        *((("load", "journeys", j.name, "steps"), j.steps) for j in load.journeys),
        (("load", "teardown"), load.teardown),
    ]
    for path, steps in parts:
        for position, step in enumerate(steps):
            yield (*path, position), step


def _visits(scope: Scope, name: str) -> float | None:
    """How many visits of a whole run use a value; None if not known."""
    phases, load = scope.scenario.phases, scope.scenario.load
    length_ms = phases.warmup_ms + phases.baseline_ms + phases.recovery_ms
    begun = iterations(load, length_ms + scope.phase_ms("fault"))
    if not load.rates or begun is None:
        return None
    total = sum(journey.weight for journey in load.journeys)
    users = [
        journey.weight
        for journey in load.journeys
        if any(name in names_of(step) for step in journey.steps)
    ]
    return begun * sum(users) / total if total else None


RULES = (
    rule(feeders, "load/data", "path/outside", needs=("load", "phases"), linked=True),
    rule(uploads, "load/data", "path/outside", needs=("load",), linked=True),
)
