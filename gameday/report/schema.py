"""The JSON Schema of `result.json`, made from the types of the report itself."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from gameday.model.readiness import READINESS_SCHEMA, Readiness
from gameday.model.report import SCHEMA, Report
from gameday.model.verdict import Finding

_PLAIN: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}
_FINDING_DOCS = {
    "check": "name of the check, also its page in the docs",
    "subject": "what it was asked about",
    "outcome": "its answer",
    "summary": "the answer in one sentence",
    "expectation": "what was expected",
    "evidence": "lines of the journal (`seq`) it rests on",
    "validity": "whether it asks if the run could have shown anything",
    "facts": "numbers, with units in their names",
}


def json_schema() -> dict[str, Any]:
    """The schema of this version. New fields may be added within a version, so more is allowed."""
    return schema_of(Report, SCHEMA, "result.json of gameday")


def readiness_schema() -> dict[str, Any]:
    """The schema of what `gameday readiness --json` prints."""
    return schema_of(Readiness, READINESS_SCHEMA, "readiness of gameday")


def schema_of(kind: Any, version: int, title: str) -> dict[str, Any]:
    """The schema of a document that is a dataclass with `schema`, its version."""
    found: dict[str, Any] = {}
    root = _object(kind, found)
    root["properties"]["schema"] = {**root["properties"]["schema"], "const": version}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": dict(sorted(found.items())),
    }


def render() -> str:
    """The file as it is published."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def tables() -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """For the docs: name of each object, what it is, and its fields with type and meaning."""
    schema = json_schema()
    objects = {"The document": schema, **schema["$defs"]}
    for name, spec in objects.items():
        if spec.get("type") != "object":
            continue
        rows = [
            (key, _type_text(value), value.get("description", ""))
            for key, value in spec["properties"].items()
        ]
        yield name, spec.get("description", ""), rows


def _object(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {}
    for one in fields(kind):
        doc = one.metadata.get("doc") or (_FINDING_DOCS.get(one.name) if kind is Finding else "")
        properties[one.name] = {**_type(hints[one.name], found), "description": doc}
    return {
        "type": "object",
        "description": (kind.__doc__ or "").split("\n")[0],
        "properties": properties,
        "required": [one.name for one in fields(kind)],
    }


def _type(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        rest = [_type(arg, found) for arg in args if arg is not type(None)]
        return {"anyOf": [*rest, {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _type(args[0], found)}
    if origin is not None:  # a mapping
        return {"type": "object", "additionalProperties": _type(args[1], found)}
    name = str(hint.__name__)
    if name not in found:
        found[name] = {}  # a reference to itself ends here
        found[name] = _enum(hint) if issubclass(hint, Enum) else _object(hint, found)
    return {"$ref": f"#/$defs/{name}"}


def _enum(kind: type[Enum]) -> dict[str, Any]:
    plain = "integer" if issubclass(kind, int) else "string"
    return {"type": plain, "enum": [member.value for member in kind]}


def _type_text(spec: Mapping[str, Any]) -> str:
    if "$ref" in spec:
        return str(spec["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in spec:
        return " or ".join(_type_text(part) for part in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type_text(spec['items'])}"
    if spec.get("type") == "object":
        inner = _type_text(spec["additionalProperties"]) if spec.get("additionalProperties") else ""
        return f"map to {inner}" if inner else "map"
    return str(spec.get("type", "any"))
