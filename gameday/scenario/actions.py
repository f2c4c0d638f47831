"""Faults beside toxics as people write them: options with units, by the table of families."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.model.faults import FAMILIES, GENERIC, ActionKind, OptionSpec
from gameday.model.scenario import ActionSpec
from gameday.model.units import (
    UnitError,
    bandwidth_kb_per_s,
    duration_ms,
    ratio,
    signed_ms,
    size_bytes,
)
from gameday.scenario.fields import DURATION, SHARE, split_hint
from gameday.scenario.node import Marks, Path
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import FieldError, JsonSchema, Scalar, kind_of, shown, with_key

#: Families whose options are plain values, as the table lists them.
PLAIN = tuple(family for family in FAMILIES if family not in GENERIC)
#: Actions that do nothing at all without an option.
NEED_AN_OPTION = (("container", "stress"), ("container", "netem"))

_SIZE = r"^\s*[0-9.]+ ?(?:B|KB|MB|GB|KiB|MiB|GiB)\s*$"
_READ: Mapping[str, tuple[Callable[[object], float], str]] = {
    "ms": (duration_ms, "value/duration"),
    "signed ms": (signed_ms, "value/duration"),
    "bytes": (size_bytes, "value/size"),
    "KB/s": (bandwidth_kb_per_s, "value/bandwidth"),
    "share": (ratio, "value/share"),
}
_SCHEMAS: Mapping[str, JsonSchema] = {
    "ms": dict(DURATION.schema),
    "signed ms": {
        "type": "string",
        "pattern": r"^\s*[+-](?:[0-9.]+(?:us|ms|s|m|h|d))+\s*$",
        "examples": ["+1h", "-5m"],
    },
    "bytes": {"type": "string", "pattern": _SIZE},
    "KB/s": {"type": "string", "pattern": _SIZE.replace(r"\s*$", r" ?/s\s*$")},
    "share": dict(SHARE.schema),
    "text": {"type": "string", "pattern": r"\S"},
}
_EXAMPLES = {
    "container": "{type: pause}",
    "process": "{type: stop}",
    "certificate": "{type: expired}",
    "clock": "{type: skew, offset: +1h}",
}


def action_field(family: str) -> Scalar:
    """The field of a fault under which an action of *family* stands."""

    def mapping(value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        raise FieldError(
            "document/wrong-type",
            f"`{family}` is {kind_of(value)}; it must be a mapping",
            f"write `{_EXAMPLES[family]}`",
        )

    return Scalar(mapping, action_schema(family))


def action_schema(family: str, *, staged: bool = False) -> JsonSchema:
    """JSON Schema of an action: one alternative a type; with *staged* only those with stages."""
    kinds = {t: kind for t, kind in FAMILIES[family].items() if kind.staged or not staged}
    return {"oneOf": [_schema_of(family, type_, kind) for type_, kind in kinds.items()]}


def _schema_of(family: str, type_: str, kind: ActionKind) -> JsonSchema:
    properties: JsonSchema = {"type": {"const": type_, "description": kind.help}}
    for name, spec in kind.options.items():
        properties[name] = {**_schema_of_option(spec), "description": spec.help}
    schema: JsonSchema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", *(name for name, spec in kind.options.items() if spec.required)],
        "properties": properties,
    }
    if (family, type_) in NEED_AN_OPTION:
        schema["minProperties"] = 2
    return schema


def _schema_of_option(spec: OptionSpec) -> JsonSchema:
    match spec.unit:
        case "choice":
            return {"enum": list(spec.choices)}
        case "count" | "number":
            kind = "integer" if spec.unit == "count" else "number"
            return {"type": kind, "minimum": spec.minimum, "maximum": spec.maximum}
        case unit:
            return dict(_SCHEMAS[unit])


def read_action(
    family: str, raw: Mapping[str, Any], path: Path, marks: Marks
) -> tuple[ActionSpec | None, list[Diagnostic]]:
    """The action of *family* written at *path*, or None with everything that is wrong with it."""
    kinds = FAMILIES[family]
    type_ = raw.get("type")
    kind = kinds.get(type_) if isinstance(type_, str) else None
    if kind is None or not isinstance(type_, str):
        return None, [_unknown_type(family, type_, path, marks)]
    found = list(_wrong_keys(family, type_, raw, path, marks))
    options: dict[str, Any] = {}
    for name, spec in kind.options.items():
        if name not in raw:
            continue
        try:
            options[name] = _read(family, type_, name, spec, raw[name])
        except FieldError as error:
            at = (*path, name)
            summary = with_key(error.summary, at, raw[name])
            found.append(marks.problem(error.code, at, summary, error.hint))
    if found:
        return None, found
    return ActionSpec(family=family, type=type_, options=options), found


def _unknown_type(family: str, type_: object, path: Path, marks: Marks) -> Diagnostic:
    known = FAMILIES[family]
    if type_ is None:
        return marks.problem(
            "document/missing-key",
            path,
            f"`type` is missing from `{family}`",
            f"add `type:`, one of {', '.join(known)}",
        )
    return marks.problem(
        "fault/unknown-action",
        (*path, "type"),
        f"`{shown(type_)}` is not a type of `{family}` fault",
        did_you_mean(str(type_), known),
    )


def _wrong_keys(
    family: str, type_: str, raw: Mapping[str, Any], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    options = FAMILIES[family][type_].options
    known = ("type", *options)
    for name in raw:
        if name not in known:
            yield marks.problem(
                "document/unknown-key",
                (*path, name),
                f"`{name}` is not a key of the `{family}` fault `{type_}`",
                did_you_mean(name, known, what="the keys are"),
                key=True,
            )
    for name, spec in options.items():
        if spec.required and name not in raw:
            yield marks.problem(
                "document/missing-key",
                path,
                f"`{name}` is missing from the `{family}` fault `{type_}`",
                f"add `{name}:`, {spec.help}",
            )
    if (family, type_) in NEED_AN_OPTION and not options.keys() & raw.keys():
        yield marks.problem(
            "fault/no-option",
            path,
            f"the `{family}` fault `{type_}` has no option, so nothing would happen",
            f"add one of {', '.join(f'`{name}`' for name in options)}",
        )


def _read(family: str, type_: str, name: str, spec: OptionSpec, value: Any) -> Any:
    """The value of one option in the unit of the table. Raises FieldError."""
    if spec.unit in _READ:
        return _quantity(spec, value)
    if spec.unit in ("count", "number"):
        return _number(spec, value)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(
            "document/wrong-type",
            f"`{shown(value)}` is {kind_of(value)}; it must be text",
            "put it in quotes",
        )
    text = value.strip()
    if spec.unit == "choice" and text not in spec.choices:
        raise FieldError(
            "value/choice", f"`{text}` is not possible here", did_you_mean(text, spec.choices)
        )
    if name == "peer" and type_ != "blackhole":
        _network(text)
    if (type_, name) == ("disk", "path") and not text.startswith("/"):
        raise FieldError(
            "fault/option",
            f"`{text}` is not a place in the container",
            "write where the volume or tmpfs is mounted, such as `/var/lib/data`",
        )
    return text


def _quantity(spec: OptionSpec, value: Any) -> float:
    read, code = _READ[spec.unit]
    try:
        number = read(value)
    except UnitError as error:
        raise FieldError(code, *split_hint(str(error))) from None
    except OverflowError:
        raise FieldError(code, f"`{value}` is too much", "write less") from None
    if not spec.minimum <= number <= spec.maximum or (spec.unit == "signed ms" and number == 0):
        raise FieldError("fault/option", f"`{value}` is out of bounds", _bounds(spec))
    return number


def _number(spec: OptionSpec, value: Any) -> float:
    wanted = (int,) if spec.unit == "count" else (int, float)
    right = not isinstance(value, bool) and isinstance(value, wanted) and math.isfinite(value)
    if not right or not spec.minimum <= value <= spec.maximum:
        raise FieldError("value/number", f"`{shown(value)}` is not possible here", _bounds(spec))
    number: float = value
    return number


def _network(text: str) -> None:
    try:
        ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise FieldError(
            "fault/option",
            f"`{text}` is not an IPv4 address or network",
            "write `10.0.0.5` or `10.0.0.0/24`",
        ) from None


def _bounds(spec: OptionSpec) -> str:
    """What is possible, in the words of the file."""
    if spec.unit == "signed ms":
        return f"write a shift other than 0 of at most `{spec.maximum / 86_400_000:.0f}d`"
    low, high = _bound(spec.unit, spec.minimum), _bound(spec.unit, spec.maximum)
    what = "a whole number" if spec.unit == "count" else "a value"
    return f"write {what} from {low} to {high}"


def _bound(unit: str, value: float) -> str:
    if unit == "bytes":
        mib, rest = divmod(int(value), 2**20)
        return f"{mib}MiB" if not rest else f"{value / 1_000_000:g}MB"
    return f"{value:.0f}{unit}" if unit in ("ms", "KB/s") else f"{value:g}"
