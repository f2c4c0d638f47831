"""The published JSON Schema and the parser say the same about the shape of a file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gameday.model.diagnostics import Diagnostic, Severity
from gameday.scenario.build import (
    profiles_of,
    project_reader,
    read_document,
    read_project_document,
)
from gameday.scenario.lint import lint
from gameday.scenario.load import load_file, load_text
from gameday.scenario.schema import project_schema, scenario_schema
from gameday.scenario.scope import Scope
from gameday.scenario.starter import starter_files
from tests.unit.scenario.forms import FORMS, PLACES, SMALL
from tests.unit.scenario.golden import ROOT
from tests.unit.scenario.samples import PROJECT, SCENARIO, changed, text_of

VALIDATOR = jsonschema.Draft202012Validator
SCENARIOS = VALIDATOR(scenario_schema())
PROJECTS = VALIDATOR(project_schema())
#: What only the parser can see: more than shapes and words.
BEYOND_SHAPES = {"load/ambiguous-name", "fault/attribute", "target/same-proxy", "alerting/source"}
#: What the schema sees in part only: bounds, other languages, and what must be there together.
IN_PART = {
    "fault/attribute", "fault/option", "fault/call", "stage/kind", "path/outside",
    "value/address", "value/argument", "value/date", "value/match", "value/regex",
    "value/timezone", "target/same-proxy", "target/same-place",
    "policy/budget", "policy/fault", "policy/freeze", "policy/hours", "policy/production",
    "policy/target", "alerting/auth", "alerting/incomplete", "alerting/name", "alerting/proof",
    "alerting/value",
}  # fmt: skip
LIBRARY = Path(__file__).parents[3] / "scenarios"


#: Rules about a part's being there at all, which the schema has too.
SHAPES = {"fault/none", "scenario/no-stop-condition", "expect/no-baseline", "value/empty"}
#: Values that the parser refuses for their size alone, which no pattern can weigh. (Nor does a
#: schema see that a profile takes out what the scenario needs.)
SIZES = {"value/whole-seconds", "value/duration"}


def complaints(
    data: Any, *, project: bool, beyond: Collection[str] = frozenset(BEYOND_SHAPES)
) -> set[str]:
    """Codes of errors about the shape of a file, in all its profiles."""
    document = load_text(text_of(data), "x.yaml")
    if project:
        found = read_project_document(document, Path("x.yaml"))[2]
        return {d.code for d in found if _refuses(d)} - set(beyond)
    codes: set[str] = set()
    for profile in (None, *profiles_of(document)):
        reading = read_document(document, profile)
        assert reading.scenario is not None
        scope = Scope(scenario=reading.scenario, marks=reading.marks, broken=reading.broken)
        codes |= {d.code for d in reading.diagnostics if _refuses(d)}
        codes |= {d.code for d in lint(scope)} & SHAPES
    return codes - set(beyond)


def _refuses(found: Diagnostic) -> bool:
    return found.severity is Severity.ERROR


def test_the_schemas_are_schemas() -> None:
    for schema in (scenario_schema(), project_schema()):
        VALIDATOR.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["additionalProperties"] is False
        json.dumps(schema, allow_nan=False)


def _described(schema: Any, path: str = "") -> Iterator[str]:
    if isinstance(schema, dict):
        for key, part in schema.get("properties", {}).items():
            if isinstance(part, dict) and not path.startswith("/Part"):
                yield f"{key}" if "description" not in part else ""
        for name, part in schema.get("$defs", {}).items():
            if not name.endswith("Part"):
                yield from _described(part, f"{path}/{name}")


def test_every_key_is_explained() -> None:
    for schema in (scenario_schema(), project_schema()):
        assert set(_described(schema)) == {""}


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.name)
def test_the_library_is_valid(path: Path) -> None:
    document = load_file(path)
    assert document.root is not None
    validator = PROJECTS if path.name == "gameday.yaml" else SCENARIOS
    assert [error.message for error in validator.iter_errors(document.root.plain())] == []


def test_the_starter_and_the_samples_are_valid() -> None:
    starter = starter_files()
    for text, validator in (
        (starter["gameday.yaml"], PROJECTS),
        (starter["scenarios/first.yaml"], SCENARIOS),
        (text_of(PROJECT), PROJECTS),
        (text_of(SCENARIO), SCENARIOS),
    ):
        root = load_text(text, "x.yaml").root
        assert root is not None
        assert [error.message for error in validator.iter_errors(root.plain())] == []


VALUES: tuple[Any, ...] = (
    None, True, 0, 1, 1.5, "", " ", "x", "a b", "/x", "5s", "5", "0.5s", "5%", "100%", "100.5%",
    "50/s", "127.0.0.1:80", "http://h:1", [], ["x"], {}, {"a": 1}, {"a": "b"}, "p95 < 1s",
    "errors < 1", "steady within 5s", "errors > 5% over 3s", ["errors < 1%"], "99% < 5s", "16B",
    "1KB/s", "upstream",
)  # fmt: skip


FORM_VALUES: tuple[Any, ...] = (
    {"env": "X"}, {"env": "X", "file": "y"}, {"env": "X", "prefix": ""}, {"file": "a b"}, ["a", ""],
    ["", "a"], [0, 2], [-1], 404, 1000, "+1h", "-5m", "app=x", "mon-fri", "tue", ["sun"], "09:30",
    "2026-12-20", "25:00", 0.5, False, "1GiB", "unix:///x", "tcp://h:1", "k/v=*", "container.*",
    {"type": "pause"}, {"type": "cpu"}, {"type": "cpu", "cpus": 2}, {"type": "expired"},
    {"type": "stress"}, {"type": "skew", "offset": "-1d"}, {"run": ["x"]}, {"get": "http://h/x"},
    {"alert": "X"}, {"http": "http://h"}, {"promql": "x", "below": 3}, {"name": "c"}, "local",
    "production", "a-b:1", "pidfile",
)  # fmt: skip


def paths_of(data: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of everything in plain data."""
    items: Any = ()
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    for key, part in items:
        here = f"{path}.{key}" if path else str(key)
        yield here
        yield from paths_of(part, here)


@pytest.mark.parametrize(("number", "path"), [*enumerate(sorted(paths_of(SCENARIO)))])
def test_parser_and_schema_agree_on_scenarios(number: int, path: str) -> None:
    for value in (*VALUES[number % 2 :: 2], ...):  # half of them a path: it takes its time
        data = changed(SCENARIO, path, value)
        found, valid = complaints(data, project=False), SCENARIOS.is_valid(data)
        unseen = SIZES | ({"document/missing-key"} if path.startswith("profiles.") else set())
        assert valid == (not found) or (valid and found <= unseen), (path, value, valid, found)


@pytest.mark.parametrize("path", sorted(paths_of(PROJECT)))
def test_parser_and_schema_agree_on_projects(path: str) -> None:
    for value in (*VALUES, ...):
        data = changed(PROJECT, path, value)
        found, valid = complaints(data, project=True), PROJECTS.is_valid(data)
        assert valid == (not found), (path, value, valid, found)


ONE_BY_ONE = [
    *({**SMALL, "faults": [fault]} for fault in FORMS["faults"]),
    *({**SMALL, "stop_when": [stop]} for stop in FORMS["stop_when"]),
]
FORM_PATHS = [
    (number, path)
    for number, data in enumerate(ONE_BY_ONE)
    for path in sorted(paths_of(data))
    if path.startswith(("faults.", "stop_when.", "call_limit"))
]


@pytest.mark.parametrize(("number", "path"), FORM_PATHS)
def test_parser_and_schema_agree_on_all_forms(number: int, path: str) -> None:
    for value in (*some(path, of=4), ...):
        data = changed(ONE_BY_ONE[number], path, value)
        found = complaints(data, project=False, beyond=())
        valid = SCENARIOS.is_valid(data)
        assert valid == (not found) or (valid and found <= SIZES | IN_PART), (path, value, found)


@pytest.mark.parametrize("path", sorted(p for p in paths_of(PLACES) if p.startswith("env")))
def test_parser_and_schema_agree_on_all_places(path: str) -> None:
    for value in (*some(path, of=3), ...):
        data = changed(PLACES, path, value)
        found, valid = complaints(data, project=True, beyond=()), PROJECTS.is_valid(data)
        assert valid == (not found) or (valid and found <= SIZES | IN_PART), (path, value, found)


def some(path: str, *, of: int) -> tuple[Any, ...]:
    """A part of all values, another one for each path: all of them would take their time."""
    return (VALUES + FORM_VALUES)[zlib.crc32(path.encode()) % of :: of]


def test_all_forms_are_valid() -> None:
    for data, validator, project in ((FORMS, SCENARIOS, False), (PLACES, PROJECTS, True)):
        assert complaints(data, project=project) == set()
        assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    "code",
    sorted(
        p.parent.name + "/" + p.name
        for p in ROOT.glob("*/*")
        if p.parent.name in ("document", "value")
    ),
)
def test_golden_cases_of_shapes_are_invalid_in_the_schema_too(code: str) -> None:
    files = {name: ROOT / code / name for name in ("scenario.yaml", "gameday.yaml")}
    wrong = []
    for name, path in files.items():
        if path.exists():
            root = load_file(path).root
            assert root is not None
            validator = SCENARIOS if name == "scenario.yaml" else PROJECTS
            wrong.extend(validator.iter_errors(root.plain()))
    assert wrong or code in {"value/json", "value/whole-seconds", *IN_PART}


def test_every_property_of_the_schema_is_read() -> None:
    assert set(project_schema()["properties"]) == set(project_reader().schema["properties"])
