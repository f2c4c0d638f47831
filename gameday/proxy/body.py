"""Reading request bodies the way Go's `encoding/json` does, down to the wording of errors.

Clients compare these texts, and some depend on the leniency: field names in any case, `null` leaves
the default, whatever follows the first JSON value is ignored.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from gameday.proxy.errors import bad_body

_SPACE = " \t\r\n"
_LITERALS = ("true", "false", "null")
_INT64 = 1 << 63

_WHERE = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": (
        "looking for beginning of object key string"
    ),
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting ':' delimiter": "after object key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A JSON number as it was written, so that `1.0` is not taken for an integer."""

    text: str


def _reject_constant(name: str) -> NoReturn:
    raise bad_body(f"invalid character {name[0]!r} looking for beginning of value")


_DECODER = json.JSONDecoder(
    parse_float=lambda text: Number(text=text),
    parse_int=lambda text: Number(text=text),
    parse_constant=_reject_constant,
)


def decode(body: bytes) -> object:
    """Return the first JSON value of `body`; numbers are `Number`.

    Raises `ApiError` 400 for an empty, cut or malformed body.
    """
    text = body.decode("utf-8", "replace").lstrip(_SPACE)
    if not text:
        raise bad_body("EOF")
    try:
        value: object = _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise bad_body(_reason(text, error)) from None
    except RecursionError:
        raise bad_body("exceeded max depth") from None
    return value


def _reason(text: str, error: json.JSONDecodeError) -> str:
    # newer Pythons point at the comma, Go at what stands behind it
    begin = error.pos + error.msg.startswith("Illegal trailing comma")
    rest = text[begin:].strip(_SPACE)
    cut = not rest or error.msg.startswith("Unterminated string")
    if cut or any(literal.startswith(rest) for literal in _LITERALS):
        return "unexpected EOF"
    where = _WHERE.get(error.msg, "in string literal")
    shown = "'\"'" if rest[0] == '"' else f"'{rest[0]}'"
    return f"invalid character {shown} {where}"


def kind(value: object) -> str:
    """Return Go's word for the kind of a decoded value, as used in its error texts."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case Number():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def as_object(value: object, go_type: str) -> dict[str, object]:
    """Return `value` as an object with its keys case-folded; `null` is the empty object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_body(f"json: cannot unmarshal {kind(value)} into Go value of type {go_type}")
    return {key.casefold(): item for key, item in value.items()}


def wrong_type(value: object, field: str, go_type: str) -> NoReturn:
    """Raise the 400 for a field of the wrong type; `field` is `Owner.name`."""
    shown = kind(value)
    if isinstance(value, Number) and go_type.startswith(("int", "float")):
        shown = f"number {value.text[:80]}"
    raise bad_body(f"json: cannot unmarshal {shown} into Go struct field {field} of type {go_type}")


def text_field(fields: Mapping[str, object], owner: str, name: str, default: str) -> str:
    """Return the string in `name`, or `default` when it is missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        wrong_type(value, f"{owner}.{name}", "string")
    # half of a surrogate pair cannot be written back; Go replaces it on reading
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def flag_field(fields: Mapping[str, object], owner: str, name: str, *, default: bool) -> bool:
    """Return the boolean in `name`, or `default` when it is missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        wrong_type(value, f"{owner}.{name}", "bool")
    return value


def float32_field(fields: Mapping[str, object], owner: str, name: str, default: float) -> float:
    """Return the number in `name` rounded to 32 bits, or `default` when missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, Number):
        wrong_type(value, f"{owner}.{name}", "float32")
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", float(value.text)))[0]
    except OverflowError:
        wrong_type(value, f"{owner}.{name}", "float32")
    if rounded in (float("inf"), float("-inf")):
        wrong_type(value, f"{owner}.{name}", "float32")
    return rounded


def float64_field(fields: Mapping[str, object], owner: str, name: str, default: float) -> float:
    """Return the number in `name`, or `default` when it is missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    number = float(value.text) if isinstance(value, Number) else float("inf")
    if number in (float("inf"), float("-inf")):
        wrong_type(value, f"{owner}.{name}", "float64")
    return number


def int_field(
    fields: Mapping[str, object], owner: str, name: str, default: int, go_type: str = "int64"
) -> int:
    """Return the 64-bit integer in `name`, or `default` when it is missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, Number) or not _is_int64(value.text):
        wrong_type(value, f"{owner}.{name}", go_type)
    return int(value.text)


def _is_int64(text: str) -> bool:
    digits = text.removeprefix("-")
    if not digits.isdigit() or len(digits) > len(str(_INT64)):
        return False
    return -_INT64 <= int(text) < _INT64


def shortest_float32(value: float) -> float | int:
    """Return the shortest number that reads back as the same 32-bit float (`0.1`, not 0.1000…1)."""
    if value == int(value) and abs(value) < 1e21:
        return int(float(f"{value:.9g}"))
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.unpack("<f", struct.pack("<f", short))[0] == value:
            return short
    return value


def encode(value: object) -> bytes:
    """Return `value` as compact JSON with Go's escapes for markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(char, escape)
    return text.encode("utf-8")
