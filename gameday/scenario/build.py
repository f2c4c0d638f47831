"""From a YAML tree to the values of `gameday.model`: scenarios and projects.

What is read here is checked for its own sake: shapes, units, words. What parts say about each
other is `lint`. So that every problem is seen at once, a scenario with errors is still built: the
broken parts are replaced by stand-ins and named in `broken`, and rules that need them are left out.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from gameday.model.diagnostics import Diagnostic, has_errors, in_order
from gameday.model.project import Project
from gameday.model.scenario import Scenario
from gameday.scenario.convert import project_of, scenario_of
from gameday.scenario.documents import ProjectDoc, ScenarioDoc
from gameday.scenario.load import Document, load_file
from gameday.scenario.node import Marks, Node, Path, merged, without
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import Problem, Reader

#: What a scenario is, whatever the profile.
FIXED_KEYS = ("gameday", "id", "service", "owner", "profiles")
_EXPECT_PARTS = (
    "baseline",
    "fault",
    "recovery",
    "alerts",
    "quiet",
    "tolerate",
    "runbooks",
    "answers",
)
_STAND_INS: Mapping[str, Any] = {
    "gameday": 1,
    "id": "x",
    "title": "x",
    "service": "x",
    "owner": "x",
    "hypothesis": "x",
    "load": {"target": "x", "arrivals": "1/s", "journeys": {"x": {"steps": [{"get": "/"}]}}},
    "phases": {"baseline": "1s", "fault": "1s", "recovery": "1s"},
    "faults": [],
    "expect": {},
}
#: Parts in which as much as possible is kept, so that rules inside them can still be asked.
_REPAIRED = (("load",), ("faults",))
#: What stands for an entry of a list that cannot be read: tried one after the other.
_ENTRIES: tuple[Any, ...] = ({}, "x", 200, {})
_MISSING: Mapping[str, Any] = {
    "target": "x",
    "steps": [{"get": "/"}],
    "run": ["x"],
    "module": "x",
    "func": "x",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading a scenario gave. `broken` names the parts of `scenario` that are stand-ins.

    `scenario` is None only when nothing at all could be read.
    """

    scenario: Scenario | None
    marks: Marks
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[str] = frozenset()

    @property
    def whole(self) -> Scenario | None:
        """The scenario, if nothing is wrong with it."""
        return None if self.broken or has_errors(self.diagnostics) else self.scenario


@cache
def scenario_reader() -> Reader[ScenarioDoc]:
    """The reader of scenario files; built once."""
    return Reader(ScenarioDoc)


@cache
def project_reader() -> Reader[ProjectDoc]:
    """The reader of project files; built once."""
    return Reader(ProjectDoc)


def read_scenario(
    path: FilePath, profile: str | None = None
) -> tuple[Scenario | None, Marks, list[Diagnostic]]:
    """One scenario with a profile applied, the places of its parts, and everything wrong with it.

    None instead of the scenario when it has errors. Never raises for what is in the file.
    """
    reading = read_document(load_file(path), profile)
    return reading.whole, reading.marks, list(reading.diagnostics)


def read_project(path: FilePath) -> tuple[Project | None, Marks, list[Diagnostic]]:
    """The project file, the places of its parts, and everything wrong with it.

    None instead of the project when it has errors. Never raises for what is in the file.
    """
    return read_project_document(load_file(path), path)


def read_project_document(
    document: Document, path: FilePath
) -> tuple[Project | None, Marks, list[Diagnostic]]:
    """As `read_project`, of a document that was loaded from *path*."""
    found = list(document.diagnostics)
    if document.root is None:
        return None, document.marks, found
    doc, problems = project_reader().read(document.root.plain())
    found.extend(_diagnostic(problem, document.marks) for problem in problems)
    if doc is None:
        return None, document.marks, list(in_order(found))
    project, wrong = project_of(doc, document.marks, directory=path.resolve().parent)
    found.extend(wrong)
    return None if has_errors(found) else project, document.marks, list(in_order(found))


def find_project(start: FilePath) -> FilePath | None:
    """The nearest `gameday.yaml` in the directory of *start* or above it."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if os.path.isfile(folder / "gameday.yaml"):  # noqa: PTH113 - a folder may be closed to us
            return folder / "gameday.yaml"
    return None


def profiles_of(document: Document) -> tuple[str, ...]:
    """The names of a scenario's profiles, in the order of the file."""
    node = document.root.child("profiles") if document.root else None
    return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()


def read_document(document: Document, profile: str | None = None) -> Reading:
    """As `read_scenario`, of a document that was loaded, and as far as it can be understood."""
    root, marks = document.root, document.marks
    found = list(document.diagnostics)
    if root is None:
        return Reading(scenario=None, marks=marks, diagnostics=tuple(found))
    if profile is not None:
        root, wrong = _with_profile(root, profile, marks)
        found.extend(wrong)
        marks = Marks(file=marks.file, lines=marks.lines, root=root)
    data = root.plain()
    doc, problems = scenario_reader().read(data)
    found.extend(_diagnostic(problem, marks) for problem in problems)
    broken = frozenset(part for problem in problems for part in _parts_of(problem))
    holes: list[Path] = []
    if doc is None:
        doc, holes = _understood(data, problems, broken)
    scenario, wrong, also_broken = scenario_of(doc, marks, profile=profile or "", broken=broken)
    found.extend(_outside(wrong, holes, marks))
    return Reading(
        scenario=scenario,
        marks=marks,
        diagnostics=in_order(found),
        broken=broken | also_broken,
    )


def _with_profile(root: Node, name: str, marks: Marks) -> tuple[Node, list[Diagnostic]]:
    profiles = root.child("profiles")
    names = list(profiles.value) if profiles and isinstance(profiles.value, dict) else []
    if profiles is None or name not in names:
        return root, [
            marks.problem(
                "profile/unknown",
                ("profiles",),
                f"there is no profile `{name}`",
                did_you_mean(name, names, what="the profiles are"),
                key=True,
            )
        ]
    over = profiles.value[name]
    if not isinstance(over.value, dict):
        return root, []  # the document's own check says so
    fixed = [key for key in over.value if key in FIXED_KEYS]
    found = [
        marks.problem(
            "profile/fixed-key",
            ("profiles", name, key),
            f"a profile may not change `{key}`",
            "remove it, or write a scenario of its own",
            key=True,
        )
        for key in fixed
    ]
    return merged(root, without(over, *fixed)), found


def _diagnostic(problem: Problem, marks: Marks) -> Diagnostic:
    return marks.problem(
        problem.code, problem.path, problem.summary, problem.hint, key=problem.at_key
    )


def _parts_of(problem: Problem) -> Iterable[str]:
    """The parts of the scenario that cannot be relied upon because of a problem."""
    if not problem.path:
        yield from (*_STAND_INS, "stop_when", "profiles")
        return
    top = str(problem.path[0])
    if problem.meant is not None and len(problem.path) == 1:
        top = problem.meant  # an unknown key that was meant to be this one
    if top != "expect":
        yield top
        return
    below = problem.meant or (str(problem.path[1]) if len(problem.path) > 1 else None)
    if below in _EXPECT_PARTS:
        yield f"expect.{below}"
    elif len(problem.path) < 2:
        yield from (f"expect.{part}" for part in _EXPECT_PARTS)


def _understood(
    data: Any, problems: list[Problem], broken: frozenset[str]
) -> tuple[ScenarioDoc, list[Path]]:
    """As much of the document as can be understood, and where the holes in it are."""
    sound = _with_stand_ins(data, problems, broken)
    holes = [problem.path for problem in problems]
    left = [problem for problem in problems if problem.path[:1] in _REPAIRED]
    for entry in _ENTRIES:
        for problem in left:
            _repair(sound, problem, entry)
        doc, left = scenario_reader().read(sound)
        if doc is not None:
            return doc, holes
        holes.extend(problem.path for problem in left)
    for part in {str(problem.path[0]) for problem in left}:
        sound[part] = copy.deepcopy(_STAND_INS[part])
    doc, left = scenario_reader().read(sound)
    if doc is None:
        raise AssertionError(f"stand-ins do not hold: {left}")
    return doc, holes


def _with_stand_ins(data: Any, problems: list[Problem], broken: frozenset[str]) -> dict[str, Any]:
    """*data* with its broken parts replaced, but for those that are repaired from inside."""
    sound: dict[str, Any] = copy.deepcopy(data) if isinstance(data, dict) else {}
    for problem in problems:
        if problem.path[:1] not in _REPAIRED:
            _drop(sound, problem.path)
    for part in broken:
        if (part,) not in _REPAIRED:
            _drop(sound, tuple(part.split(".")))
    for key, value in _STAND_INS.items():
        sound.setdefault(key, copy.deepcopy(value))
    return sound


def _repair(data: dict[str, Any], problem: Problem, entry: Any) -> None:
    """Take the smallest part out that a problem is about, or put in what is missing.

    In a list *entry* takes its place, which keeps the positions of the others.
    """
    *around, last = problem.path
    part: Any = data
    for step in around:
        part = part[step]
    if isinstance(part, list):
        part[int(last)] = copy.deepcopy(entry)
    elif problem.missing:
        part[last] = copy.deepcopy(_STAND_INS.get(str(last), _MISSING.get(str(last), {})))
    else:
        part.pop(last, None)


def _outside(
    found: Iterable[Diagnostic], holes: Iterable[Path], marks: Marks
) -> Iterator[Diagnostic]:
    """What was found, without conclusions from holes: what is said of a part with one in it."""
    around = {path[:length] for path in holes for length in range(1, len(path) + 1)}
    places = {marks.at(path) for path in around} | {marks.key(path) for path in around}
    yield from (diagnostic for diagnostic in found if diagnostic.mark not in places)


def _drop(data: dict[str, Any], path: Path) -> None:
    """Take out the whole part of *data* in which *path* lies."""
    if not path:
        data.clear()
        return
    expect = data.get("expect")
    if path[0] == "expect" and len(path) > 1 and isinstance(expect, dict):
        expect.pop(path[1], None)
    else:
        data.pop(str(path[0]), None)
