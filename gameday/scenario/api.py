"""What commands ask of the files: check them all, find them, make one plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gameday.errors import ScenarioError
from gameday.model.day import Day
from gameday.model.diagnostics import Diagnostic, has_errors, in_order
from gameday.model.plan import Plan
from gameday.model.project import Environment, Project
from gameday.model.proof import RunbookProof
from gameday.model.scenario import Scenario
from gameday.scenario.build import (
    Reading,
    find_project,
    profiles_of,
    read_document,
    read_project_document,
)
from gameday.scenario.compile import compile_plan
from gameday.scenario.days import DayReading, against_project, read_day
from gameday.scenario.lint import lint, lint_project, unknown_environment
from gameday.scenario.load import Document, load_file
from gameday.scenario.node import Marks
from gameday.scenario.readiness_check import problems_in, readiness_files
from gameday.scenario.scope import Scope
from gameday.scenario.sniff import PROJECT_FILE, is_day_file, is_ours

#: The environment that is meant when none is named.
DEFAULT_ENVIRONMENT = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What `check` found: all diagnostics in order, and the scenarios without errors.

    `days` counts the plans of days, with or without errors, and `ready` the files of readiness.
    """

    diagnostics: tuple[Diagnostic, ...]
    scenarios: tuple[Scenario, ...]
    days: int = 0
    ready: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """A project file as read, with the environment that is meant. None for what has errors."""

    project: Project | None
    marks: Marks
    environment: Environment | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Checker:
    """One check of many files: each project is read once."""

    project: Path | None
    environment: str | None
    places: dict[Path, _Place] = field(default_factory=dict)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)  # (project, id) -> file
    used: dict[Path, set[str]] = field(default_factory=dict)  # project -> targets that are used
    found: list[Diagnostic] = field(default_factory=list)
    days: int = 0

    def place_of(self, scenario: Path) -> tuple[Path | None, _Place | None]:
        path = self.project or find_project(scenario.absolute().parent)
        if path is None:
            return None, None
        key = path.absolute()
        if key not in self.places:
            self.places[key] = _read_place(path, self.environment)
            self.found.extend(self.places[key].diagnostics)
        return key, self.places[key]

    def file(self, path: Path, profile: str | None, *, all_profiles: bool) -> Scenario | None:
        """A file of any kind; the scenario, where it is one without errors."""
        if path.name == PROJECT_FILE:
            key = path.absolute()
            if key not in self.places:
                self.places[key] = _read_place(path, self.environment)
                self.found.extend(self.places[key].diagnostics)
            return None
        if is_day_file(path):
            self.day(path)
            self.days += 1
            return None
        return self.scenario(path, profile, all_profiles=all_profiles)

    def scenario(self, path: Path, profile: str | None, *, all_profiles: bool) -> Scenario | None:
        document = load_file(path, shown=_shown(path))
        key, place = self.place_of(path)
        wanted: list[str | None] = [profile]
        if profile is None and all_profiles:
            wanted += profiles_of(document)
        readings = [_checked(document, name, place) for name in wanted]
        self.found.extend(_together(readings))
        if place is None:
            self.found.append(_no_project(document.marks))
        if document.root is None or readings[0].scenario is None:
            return None
        if key is not None:
            targets = (t for reading in readings for t in _targets(reading))
            self.used.setdefault(key, set()).update(targets)
        self._count_id(readings[0], str(key))
        sound = not any(has_errors(reading.diagnostics) for reading in readings)
        return readings[0].scenario if sound else None

    def day(self, path: Path) -> DayReading:
        """The plan of a day, with what is wrong with it and with the scenarios that it names."""
        key, place = self.place_of(path)
        base = key.parent if key is not None else path.absolute().parent
        reading = read_day(path, shown=_shown(path), base=base)
        found = list(reading.diagnostics)
        if place is None:
            found.append(_no_project(reading.marks))
        if reading.day is not None:
            if place is not None and place.project is not None:
                found.extend(against_project(reading.day, reading.marks, place.project))
            found.extend(self._scenarios_of(reading, base))
        self.found.extend(found)
        reading = replace(reading, diagnostics=in_order(found))
        return replace(reading, day=None) if has_errors(found) else reading

    def _scenarios_of(self, reading: DayReading, base: Path) -> Iterator[Diagnostic]:
        """What is wrong with the scenarios of a day, each said once, in the plan."""
        day = reading.day
        for number, item in enumerate(day.items if day is not None else ()):
            if day is None or item.scenario is None:
                continue
            alone = _Checker(project=self.project, environment=day.environment)
            path = base / item.scenario
            if path.is_file() and not is_day_file(path):
                alone.scenario(path, item.profile, all_profiles=False)
                wrong = next((d for d in in_order(alone.found) if has_errors([d])), None)
                said = None if wrong is None else f"{wrong.where}: {wrong.summary}"
                hint = f"`gameday check {item.scenario}` says everything"
            else:
                said = f"there is no scenario `{item.scenario}`"
                hint = "write the path of a scenario file, from the folder of the project file"
            if said is not None:
                place = ("items", number, "scenario")
                yield reading.marks.problem("day/scenario", place, said, hint)

    def _count_id(self, reading: Reading, project: str) -> None:
        if reading.scenario is None or "id" in reading.broken:
            return
        file, name = reading.marks.file, reading.scenario.id
        first = self.ids.setdefault((project, name), file)
        if first != file:
            self.found.append(
                reading.marks.problem(
                    "scenario/duplicate-id",
                    ("id",),
                    f"`{name}` is also the id of `{first}`",
                    "give each scenario an id of its own",
                )
            )

    def unused_targets(self, project: Path) -> Iterator[Diagnostic]:
        """Targets that none of the project's checked scenarios loads or breaks."""
        place, used = self.places[project], self.used.get(project, set())
        if not used or place.project is None:
            return
        for environment in place.project.environments.values():
            for name in environment.targets.keys() - used:
                yield place.marks.problem(
                    "target/unused",
                    ("environments", environment.name, "targets", name),
                    f"no scenario loads or breaks the target `{name}`",
                    "write a scenario for it, or remove it",
                    key=True,
                )


def check(
    paths: Sequence[Path],
    *,
    project: Path | None = None,
    environment: str | None = None,
    profile: str | None = None,
    all_profiles: bool = True,
) -> CheckResult:
    """Check files of every kind: scenarios, projects, days, readiness; directories are searched.

    Each scenario is checked as it stands and in each of its profiles, or in *profile* alone, in
    *environment* (`local`, or the only one there is). The project is *project*, else the nearest
    `gameday.yaml` above a scenario. Where a directory with the project file in it is checked, its
    targets that no scenario uses are named. Never raises for what is in the files.
    """
    checker = _Checker(project=project, environment=environment)
    scenarios = []
    ready: dict[Path, Path] = {}
    for path in paths:
        before = len(checker.found)
        named = readiness_files([path], project)
        files = [file for file in _files_under([path]) if file not in named]
        projects = [file for file in files if file.name == PROJECT_FILE]
        for file in files:
            scenario = checker.file(file, profile, all_profiles=all_profiles)
            if scenario is not None:
                scenarios.append(scenario)
        if os.path.isdir(path):  # noqa: PTH112 - one that may not be looked into is none
            for file in projects:
                checker.found.extend(checker.unused_targets(file.absolute()))
        below = any(file.is_relative_to(path) for file in named)  # not beside it, in the project
        if not files and not below and len(checker.found) == before:
            checker.found.append(_no_scenario(path))
        for file in named:
            ready.setdefault(file.resolve(), file)
    known = {key: place.project for key, place in checker.places.items()}
    found = checker.found + problems_in(ready.values(), project=project, known=known, shown=_shown)
    return CheckResult(
        diagnostics=in_order(found), scenarios=tuple(scenarios), days=checker.days, ready=len(ready)
    )


def plan_for(
    path: Path,
    *,
    project: Path | None = None,
    environment: str | None = None,
    profile: str | None = None,
    seed: int = 0,
    proofs: Callable[[Scenario, Project, Environment], Sequence[RunbookProof]] | None = None,
    run_runbooks: bool = False,
    control: bool = False,
) -> Plan:
    """The plan of one scenario file. Raises ScenarioError with everything that is wrong.

    *proofs* reads the runbooks that are to be proven.
    """
    checker = _Checker(project=project, environment=environment)
    document = load_file(path, shown=_shown(path))
    _, place = checker.place_of(path)
    reading = _checked(document, profile, place)
    found = [*checker.found, *reading.diagnostics]
    if place is None:
        found.append(_no_project(document.marks))
    if has_errors(found):
        raise ScenarioError(found)
    scenario = reading.whole
    if scenario is None or place is None or place.project is None or place.environment is None:
        raise AssertionError("nothing is wrong, and yet something is missing")
    return compile_plan(
        scenario,
        place.project,
        environment=place.environment.name,
        seed=seed,
        marks=reading.marks,
        runbooks=proofs(scenario, place.project, place.environment) if proofs else (),
        run_runbooks=run_runbooks,
        control=control,
    )


def day_for(path: Path, *, project: Path | None = None) -> tuple[Day, Project, list[Diagnostic]]:
    """The plan of a day, its project, and what there is to warn of.

    Raises ScenarioError with everything that is wrong.
    """
    checker = _Checker(project=project, environment=None)
    reading = checker.day(path)
    _, place = checker.place_of(path)
    found = [d for d in checker.found if d.code != "project/choose-environment"]
    if has_errors(found):
        raise ScenarioError(found)
    if reading.day is None or place is None or place.project is None:
        raise AssertionError("nothing is wrong, and yet something is missing")
    return reading.day, place.project, found


def scenario_files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files of *paths*, directories searched, each once, in order."""
    found = (
        file
        for file in _files_under(paths)
        if file.name != PROJECT_FILE and not (is_day_file(file) and file not in paths)
    )
    return list(dict.fromkeys(found))


def _files_under(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as they were named, and those in directories that look like ours."""
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - one that may not be looked into is none
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if "journal.jsonl" in names:  # a run's own directory, with a copy of its scenario
                folders.clear()
                continue
            for name in sorted(names):
                if name.endswith((".yaml", ".yml")) and is_ours(Path(folder) / name):
                    yield Path(folder) / name


def _read_place(path: Path, environment: str | None) -> _Place:
    project, marks, found = read_project_document(load_file(path, shown=_shown(path)), path)
    chosen = None
    if project is not None:
        found = [*found, *lint_project(project, marks)]
        chosen, wrong = _chosen(project, marks, environment)
        found.extend(wrong)
    return _Place(project=project, marks=marks, environment=chosen, diagnostics=in_order(found))


def _chosen(
    project: Project, marks: Marks, name: str | None
) -> tuple[Environment | None, list[Diagnostic]]:
    known = project.environments
    if name is None and DEFAULT_ENVIRONMENT not in known and len(known) > 1:
        choice = ", ".join(f"`{one}`" for one in sorted(known))
        return None, [
            marks.problem(
                "project/choose-environment",
                ("environments",),
                f"there are several `environments`, and none is `{DEFAULT_ENVIRONMENT}`",
                f"choose one with `--env`: {choice}",
                key=True,
            )
        ]
    if name is None:
        name = DEFAULT_ENVIRONMENT if DEFAULT_ENVIRONMENT in known else next(iter(known))
    if name not in known:
        return None, [unknown_environment(name, project, marks)]
    return known[name], []


def _checked(document: Document, profile: str | None, place: _Place | None) -> Reading:
    """A scenario as read, with what the rules say."""
    reading = read_document(document, profile)
    if reading.scenario is None:
        return reading
    scope = Scope(
        scenario=reading.scenario,
        marks=reading.marks,
        broken=reading.broken,
        project=place.project if place else None,
        environment=place.environment if place else None,
    )
    return replace(reading, diagnostics=in_order((*reading.diagnostics, *lint(scope))))


def _together(readings: Sequence[Reading]) -> Iterator[Diagnostic]:
    """All problems; one that only a profile has comes with its name."""
    first, *others = readings
    yield from first.diagnostics
    known = {(found.code, found.mark) for found in first.diagnostics}
    for reading in others:
        name = reading.scenario.profile if reading.scenario else ""
        for found in reading.diagnostics:
            if found.code.startswith("profile/"):
                yield found
            elif (found.code, found.mark) not in known:
                yield replace(found, summary=f"{found.summary}, in the profile `{name}`")


def _targets(reading: Reading) -> Iterator[str]:
    if reading.scenario is not None:
        yield reading.scenario.load.target
        yield from (fault.target for fault in reading.scenario.faults)


def _no_project(marks: Marks) -> Diagnostic:
    return marks.problem(
        "project/not-found",
        (),
        f"there is no `{PROJECT_FILE}` beside this file or above it",
        "write one with `gameday init`, or name it with `--project`",
    )


def _no_scenario(path: Path) -> Diagnostic:
    return Marks(file=_shown(path)).problem(
        "file/no-scenario",
        (),
        "there is no scenario under this path",
        "a scenario is a `.yaml` file with `gameday: 1` and an `id`",
    )


def _shown(path: Path) -> str:
    """A path as people know it: relative to where they are, when it lies below."""
    if not path.is_absolute():
        return str(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
