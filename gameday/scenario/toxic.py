"""Toxics as people write them: attributes with units, turned into those of the Toxiproxy API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import ToxicSpec
from gameday.model.toxics import (
    KINDS,
    STREAMS,
    TOXICS,
    AttributeSpec,
    problems_of,
    warnings_of,
)
from gameday.model.units import (
    UnitError,
    bandwidth_kb_per_s,
    duration_ms,
    duration_us,
    ratio,
    size_bytes,
)
from gameday.scenario.fields import SHARE, split_hint
from gameday.scenario.node import Marks, Path
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import (
    FieldError,
    JsonSchema,
    Scalar,
    kind_of,
    shown,
    with_key,
)


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UnitError(f"`{shown(value)}` is not a whole number; write it without quotes and unit")


def _text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    hint = "put it in quotes" if isinstance(value, (bool, int, float)) else "write one line of text"
    raise UnitError(f"`{shown(value)}` is {kind_of(value)}, it must be text; {hint}")


_UNITS: Mapping[str, tuple[Callable[[object], int | float | str], str]] = {
    "ms": (duration_ms, "value/duration"),
    "us": (duration_us, "value/duration"),
    "bytes": (size_bytes, "value/size"),
    "KB/s": (bandwidth_kb_per_s, "value/bandwidth"),
    "share": (ratio, "value/share"),
    "count": (_whole, "value/number"),
    "status": (_whole, "value/number"),
    "text": (_text, "document/wrong-type"),
}
_PATTERNS = {
    "ms": r"^\s*(?:[0-9.]+(?:us|ms|s|m|h|d))+\s*$",
    "us": r"^\s*(?:[0-9.]+(?:us|ms|s|m|h|d))+\s*$",
    "bytes": r"^\s*[0-9.]+ ?(?:B|KB|MB|KiB|MiB)\s*$",
    "KB/s": r"^\s*[0-9.]+ ?(?:B|KB|MB|KiB|MiB) ?/s\s*$",
}


_WITH_UNIT = {"text": "", "count": "", "status": ""}
_INSTEAD = {
    "stream": "remove it, there is no direction to choose",
    "toxicity": "write `share: 20%`, the share of the requests",
}


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise FieldError(
        "document/wrong-type",
        f"`toxic` is {kind_of(value)}; it must be a mapping",
        "write `{type: latency, latency: 800ms}`",
    )


def toxic_schema() -> JsonSchema:
    """JSON Schema of a toxic: one alternative a type."""
    return {"oneOf": [_schema_of(kind, specs) for kind, specs in TOXICS.items()]}


def _schema_of(kind: str, specs: Mapping[str, AttributeSpec]) -> JsonSchema:
    about = KINDS[kind]
    properties: JsonSchema = {"type": {"const": kind}}
    if about.streams:
        properties["stream"] = {
            "enum": list(STREAMS),
            "description": "downstream is what the client reads",
        }
    if about.toxicity:
        properties["toxicity"] = {
            **SHARE.schema,
            "description": "the share of connections that it touches",
        }
    for name, spec in specs.items():
        properties[name] = {**_value_schema(spec), "description": spec.help}
    only = " (only gameday's embedded server can do it)" if about.embedded else ""
    return {
        "type": "object",
        "description": about.help + only,
        "additionalProperties": False,
        "required": ["type", *(name for name, spec in specs.items() if spec.required)],
        "properties": properties,
    }


def _value_schema(spec: AttributeSpec) -> JsonSchema:
    if spec.unit == "share":
        return dict(SHARE.schema)
    if spec.unit in ("count", "status"):
        return {"type": "integer", "minimum": spec.minimum, "maximum": spec.maximum}
    if spec.unit == "text":
        text: JsonSchema = {"type": "string", "minLength": 1, "maxLength": spec.maximum}
        return {**text, "pattern": f"^(?:{spec.pattern})$"} if spec.pattern else text
    quantity: list[JsonSchema] = [{"type": "string", "pattern": _PATTERNS[spec.unit]}]
    if spec.unit in ("ms", "us"):
        quantity.append({"const": 0})
    return {"anyOf": quantity}


TOXIC = Scalar(_mapping, toxic_schema())


def read_toxic(
    raw: Mapping[str, Any], path: Path, marks: Marks
) -> tuple[ToxicSpec | None, list[Diagnostic]]:
    """The toxic written at *path*, or None with everything that is wrong with it."""
    found = list(_wrong_common(raw, path, marks))
    kind = raw.get("type")
    specs = TOXICS.get(kind) if isinstance(kind, str) else None
    if specs is None or not isinstance(kind, str):
        return None, [*found, _unknown_type(kind, path, marks)]
    found.extend(_wrong_keys(kind, specs, raw, path, marks))
    attributes: dict[str, int | float | str] = {}
    for name in specs.keys() & raw.keys():
        read, code = _UNITS[specs[name].unit]
        try:
            attributes[name] = read(raw[name])
        except (UnitError, OverflowError) as error:
            found.append(_wrong_unit(code, error, raw[name], (*path, name), marks))
    if found:
        return None, found
    toxicity = ratio(raw.get("toxicity", "100%"))
    stream = raw.get("stream", STREAMS[0])
    for text in problems_of(kind, attributes, toxicity, stream):
        where = _attribute_of(text, kind)
        found.append(marks.problem("fault/attribute", (*path, where), *split_hint(text)))
    if found:
        return None, found
    ordered = {name: attributes[name] for name in specs if name in attributes}
    found.extend(
        marks.problem(
            "fault/doubtful-toxic", path, f"`{kind}`: {text}", "change it, or leave it out"
        )
        for text in warnings_of(kind, attributes, toxicity)
    )
    return ToxicSpec(type=kind, stream=stream, toxicity=toxicity, attributes=ordered), found


def _unknown_type(kind: object, path: Path, marks: Marks) -> Diagnostic:
    if kind is None:
        return marks.problem(
            "document/missing-key",
            path,
            "`type` is missing from `toxic`",
            f"add `type:`, one of {', '.join(TOXICS)}",
        )
    return marks.problem(
        "fault/unknown-toxic",
        (*path, "type"),
        f"`{kind}` is not a type of toxic",
        did_you_mean(str(kind), TOXICS),
    )


def _wrong_common(raw: Mapping[str, Any], path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if "stream" in raw and raw["stream"] not in STREAMS:
        yield marks.problem(
            "value/choice",
            (*path, "stream"),
            f"`{raw['stream']}` is not a stream",
            did_you_mean(str(raw["stream"]), STREAMS),
        )
    if "toxicity" in raw:
        try:
            ratio(raw["toxicity"])
        except UnitError as error:
            yield _wrong_unit("value/share", error, raw["toxicity"], (*path, "toxicity"), marks)


def _wrong_keys(
    kind: str, specs: Mapping[str, AttributeSpec], raw: Mapping[str, Any], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    about = KINDS[kind]
    offered = {"type": True, "stream": about.streams, "toxicity": about.toxicity}
    known = (*(name for name, there in offered.items() if there), *specs)
    for name in raw:
        if name not in known:
            yield marks.problem(
                "document/unknown-key",
                (*path, name),
                f"`{name}` is not a key of a `{kind}` toxic",
                _INSTEAD[name]
                if name in offered
                else did_you_mean(name, known, what="the keys are"),
                key=True,
            )
    for name, spec in specs.items():
        if spec.required and name not in raw:
            yield marks.problem(
                "document/missing-key",
                path,
                f"`{name}` is missing from the `{kind}` toxic",
                f"add `{name}:`{_WITH_UNIT.get(spec.unit, ' with its unit')}, {spec.help}",
            )


def _wrong_unit(code: str, error: Exception, value: object, path: Path, marks: Marks) -> Diagnostic:
    summary, hint = split_hint(str(error))
    return marks.problem(code, path, with_key(summary, path, value), hint)


def _attribute_of(text: str, kind: str) -> str:
    found = re.search(rf"`{re.escape(kind)}\.(\w+)`", text)
    return found[1] if found else "type"
