"""The scenarios that come with gameday: which there are, what they need, and a copy of them."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import gameday
from gameday.errors import UsageError
from gameday.model.scenario import FaultSpec, Scenario
from gameday.model.toxics import embedded_only
from gameday.model.verdict import ExitCode
from gameday.scenario.build import read_scenario

PROFILE = "smoke"
PROJECT_FILE = "gameday.yaml"
_NUMBER = re.compile(r"S\d\d")
#: What a fault needs beside the proxies that gameday brings itself.
_NEEDS = {
    "process": "processes of this host (Linux)",
    "container": "Docker",
    "clock": "libfaketime",
    "command": "`python3` with gameday on PATH",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One scenario of the library.

    `number` is that of the canonical list, such as `S01`, or empty; `seconds` are those of all its
    phases in the profile `smoke`.
    """

    name: str
    number: str
    title: str
    tags: tuple[str, ...]
    needs: tuple[str, ...]
    seconds: int
    runbooks: tuple[str, ...]


def scenario_folder() -> Path:
    """The folder of the shop's scenarios. Raises `UsageError` if it did not come along."""
    package = Path(gameday.__file__).parent
    for folder in (package.parent / "scenarios", package / "scenario_files"):
        if (folder / "payments-slow.yaml").is_file():
            return folder
    raise UsageError("the shop's scenarios did not come with this installation; install it again")


def library() -> tuple[Entry, ...]:
    """All scenarios: those of the canonical list in its order, then the others by name."""
    files = (f for f in scenario_folder().glob("*.yaml") if f.name != PROJECT_FILE)
    return tuple(sorted(map(_entry, files), key=lambda one: (one.number or "T", one.name)))


def list_command(tags: Sequence[str], *, as_json: bool) -> ExitCode:
    """Print those with all of *tags*."""
    found = [one for one in library() if set(tags) <= set(one.tags)]
    if not found:
        known = sorted({tag for one in library() for tag in one.tags})
        wanted = " and ".join(f"`{tag}`" for tag in tags)
        raise UsageError(f"no scenario has the tag {wanted}; there are {', '.join(known)}")
    lines = (json.dumps(asdict(one)) for one in found) if as_json else _table(found)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return ExitCode.PASS


def show_command(name: str) -> ExitCode:
    """Print the file of a scenario, as it is."""
    sys.stdout.write(_file(name).read_text(encoding="utf-8"))
    return ExitCode.PASS


def copy_command(name: str, directory: Path, *, force: bool) -> ExitCode:
    """Copy a scenario with what it needs into *directory*, so that `gameday check` passes there.

    A project file that is there stays: the targets and alerts are then yours. Nothing is
    overwritten unless *force*.
    """
    folder, entry = scenario_folder(), _entry(_file(name))
    own_project = (directory / PROJECT_FILE).exists() and not force
    names = [f"{entry.name}.yaml", *entry.runbooks]
    if not own_project:
        books = (f"runbooks/{book.name}" for book in (folder / "runbooks").glob("*.md"))
        names = [*dict.fromkeys([PROJECT_FILE, *names, *sorted(books)])]
    there = [one for one in names if (directory / one).is_file()]
    other = [n for n in there if (directory / n).read_bytes() != (folder / n).read_bytes()]
    if other and not force:
        raise UsageError(
            f"`{directory / other[0]}` is there already and is another; nothing was copied. "
            "Choose another directory, or write `--force` to overwrite it"
        )
    try:
        for one in names:
            (directory / one).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / one, directory / one)
    except OSError as error:
        raise UsageError(f"`{directory}` cannot be written: {error.strerror}") from None
    sys.stdout.write("".join(f"{directory / one}\n" for one in names))
    if own_project:
        sys.stdout.write(
            f"`{directory / PROJECT_FILE}` was there and stays: it has to name the targets and "
            "alerts of the scenario\n"
        )
    sys.stdout.write(f"next: gameday check {directory}\n")
    return ExitCode.PASS


def _file(name: str) -> Path:
    """By its name, or by its number in the canonical list. Raises UsageError."""
    wanted = name.removesuffix(".yaml")
    for one in library():
        if wanted in (one.name, one.number):
            return scenario_folder() / f"{one.name}.yaml"
    known = ", ".join(one.name for one in library())
    raise UsageError(f"there is no scenario `{name}`; there are {known}")


def _entry(file: Path) -> Entry:
    scenario = read_scenario(file, PROFILE)[0] or read_scenario(file)[0]
    if scenario is None:
        raise UsageError(f"`{file}` is broken; install gameday again, or see `gameday check`")
    return Entry(
        name=file.stem,
        number=next((tag for tag in scenario.tags if _NUMBER.fullmatch(tag)), ""),
        title=scenario.title,
        tags=tuple(tag for tag in scenario.tags if not _NUMBER.fullmatch(tag)),
        needs=tuple(dict.fromkeys(need for f in scenario.faults for need in _needs(f))),
        seconds=scenario.phases.played_ms // 1000,
        runbooks=_runbooks(scenario),
    )


def _runbooks(scenario: Scenario) -> tuple[str, ...]:
    expect = scenario.expect
    linked = [alert.runbook for alert in expect.alerts if alert.runbook]
    return tuple(dict.fromkeys([*linked, *(one.path for one in expect.runbooks)]))


def _needs(fault: FaultSpec) -> Iterator[str]:
    if fault.action is not None:
        yield _NEEDS.get(fault.action.family, fault.action.family)
    elif fault.toxic is not None and embedded_only(fault.toxic.type):
        yield "the embedded Toxiproxy"


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    rows = [("id", "name", "s", "tags", "needs")]
    rows += [
        (e.number or "-", e.name, str(e.seconds), " ".join(e.tags), ", ".join(e.needs) or "-")
        for e in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"{'  '.join(cells)}  {row[4]}".rstrip()
