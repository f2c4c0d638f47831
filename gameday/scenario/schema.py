"""JSON Schema of the files, for editors: made from the same definitions as the parser."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from gameday.scenario.build import FIXED_KEYS, project_reader, scenario_reader
from gameday.scenario.days import day_reader
from gameday.scenario.journeys import METHODS
from gameday.scenario.schema_rules import (
    breakpoint_rules,
    environment_rules,
    fault_rules,
    one_of,
    preset_rules,
    signal_rules,
)
from gameday.scenario.validate import JsonSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def scenario_schema() -> JsonSchema:
    """The schema of scenario files."""
    schema = copy.deepcopy(scenario_reader().schema)
    parts = _partial(schema)
    one_of(schema["$defs"]["LoadDoc"], ("arrivals", "users"), ("journeys", "locustfile"))
    one_of(schema["$defs"]["StepDoc"], METHODS)
    preset_rules(schema["$defs"])
    fault_rules(schema["$defs"])
    signal_rules(schema["$defs"])
    one_of(schema["$defs"]["CaptureDoc"], ("json", "header", "regex"))
    pairs = itertools.combinations(("json", "body", "form"), 2)
    schema["$defs"]["StepDoc"]["not"] = {"anyOf": [{"required": [*pair]} for pair in pairs]}
    some = {"required": ["files"], "properties": {"files": {"minProperties": 1}}}
    schema["$defs"]["StepDoc"]["not"]["anyOf"] += [
        {"allOf": [some, {"required": [other]}]} for other in ("json", "body")
    ]
    schema["$defs"]["StepDoc"]["properties"]["form"]["minProperties"] = 1
    one_of(schema["$defs"]["AuthDoc"], ("bearer", "basic"))
    schema["$defs"]["JourneyDoc"]["properties"]["steps"]["minItems"] = 1
    schema["$defs"]["LoadDoc"]["properties"]["journeys"]["minProperties"] = 1
    schema["$defs"]["LoadDoc"]["dependentRequired"] = {
        "think": ["users"],
        "spread": ["arrivals"],
        "classes": ["locustfile"],
        "data": ["journeys"],
        "auth": ["journeys"],
        "setup": ["journeys"],
        "teardown": ["journeys"],
    }
    expect = schema["$defs"]["ExpectDoc"]
    expect["properties"]["baseline"]["minItems"] = 1
    expect["properties"]["quiet"]["items"]["minProperties"] = 1
    expect["required"] = ["baseline"]
    properties = schema["properties"]
    breakpoint_rules(schema)
    properties["stop_when"]["minItems"] = 1
    schema["required"] = [*schema["required"], "stop_when"]
    schema["$defs"].update(parts)
    properties["profiles"]["additionalProperties"] = {"$ref": f"{_REF}Profile"}
    return _headed(schema, "gameday scenario")


def project_schema() -> JsonSchema:
    """The schema of `gameday.yaml`."""
    schema = copy.deepcopy(project_reader().schema)
    schema["properties"]["environments"]["minProperties"] = 1
    environment_rules(schema["$defs"])
    return _headed(schema, "gameday project")


def day_schema() -> JsonSchema:
    """The schema of plans of days."""
    schema = copy.deepcopy(day_reader().schema)
    parts = schema["$defs"]
    schema["properties"]["items"]["minItems"] = 1
    one_of(parts["DayItemDoc"], ("scenario", "tabletop", "drill"))
    parts["TabletopDoc"]["properties"]["cards"]["minItems"] = 1
    parts["DrillStepDoc"]["properties"]["run"]["minItems"] = 1
    for name in ("steps", "checks"):
        parts["DrillDoc"]["properties"][name]["minItems"] = 1
    parts["DrillDoc"]["dependentRequired"] = {"rpo": ["newest"], "newest": ["rpo"]}
    return _headed(schema, "gameday day")


def _headed(schema: JsonSchema, title: str) -> JsonSchema:
    """With the dialect first, and class names that mean something to people."""
    renamed = _renamed({"$schema": DIALECT, "title": title, **schema})
    assert isinstance(renamed, dict)  # noqa: S101 - for the type checker: a dict stays a dict
    return renamed


def _partial(schema: JsonSchema) -> JsonSchema:
    """Definitions of what a profile may say: any part of the document, or null to take it out.

    Mappings merge, so nothing in them is required; lists replace, so their entries are whole.
    """
    parts: JsonSchema = {}
    top = {key: value for key, value in schema["properties"].items() if key not in FIXED_KEYS}
    parts["Profile"] = {
        "type": "object",
        "additionalProperties": False,
        "description": "what is different in this profile",
        "properties": {key: _part(value, schema, parts) for key, value in top.items()},
    }
    return parts


def _part(value: JsonSchema, schema: JsonSchema, parts: JsonSchema) -> JsonSchema:
    """The partial form of one value's schema."""
    if "$ref" in value:
        name = value["$ref"].removeprefix(_REF)
        if f"{name}Part" not in parts:
            parts[f"{name}Part"] = {}
            whole = schema["$defs"][name]
            parts[f"{name}Part"] = {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    key: _part(inner, schema, parts) for key, inner in whole["properties"].items()
                },
            }
        value = {**value, "$ref": f"{_REF}{name}Part"}
    elif any("$ref" in one for one in value.get("anyOf", ())):
        forms = [
            _part(one, schema, parts)["anyOf"][0] if "$ref" in one else one
            for one in value["anyOf"]
        ]
        value = {**value, "anyOf": forms}
    elif isinstance(value.get("additionalProperties"), dict):
        inner = _part(value["additionalProperties"], schema, parts)
        value = {**value, "additionalProperties": inner}
    description = {"description": value["description"]} if "description" in value else {}
    return {**description, "anyOf": [value, {"type": "null"}]}


def _renamed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_renamed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: JsonSchema = {}
    for key, part in schema.items():
        if key == "$defs":
            made[key] = {_name(name): _renamed(inner) for name, inner in part.items()}
        elif key == "$ref":
            made[key] = _REF + _name(part.removeprefix(_REF))
        else:
            made[key] = _renamed(part)
    return made


def _name(name: str) -> str:
    return name.removesuffix("Doc")
