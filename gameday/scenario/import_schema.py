"""A value that fits a schema of an OpenAPI document: its examples first, else made up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gameday.scenario.import_parts import Part

#: Levels of a value, below which only what is required goes on, and after which nothing does.
DEPTH, MOST_DEPTH = 4, 8
#: Parts of one value: schemas that refer to one another can be endless in width, too.
MOST_PARTS = 400

_FORMATS = {
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "user@example.com",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "aGVsbG8=",
}
_NONE = object()


class Samples:
    """Makes values for the schemas of one document."""

    def __init__(self, root: Part) -> None:
        self._root = root
        self._parts = 0
        self._above: list[str] = []  # the schemas that this one is a part of

    def of(self, schema: Part) -> Any:
        """A value that fits *schema*; None where it cannot be told."""
        self._parts = 0
        return self._value(schema, 0)

    def given(self, part: Part) -> Any:
        """The example, default or first choice that is written for a schema or a parameter."""
        value = self._given(part)
        return None if value is _NONE else value

    def _given(self, part: Part) -> Any:
        if not isinstance(part.value, Mapping):
            return _NONE
        for key in ("example", "x-example", "default", "const"):
            if key in part.value:
                return part.value[key]
        if (choices := list(part.child("enum").parts())) or (
            choices := list(self._examples(part.child("examples")))
        ):
            return choices[0].value
        return _NONE

    def _examples(self, part: Part) -> Iterator[Part]:
        """A list of values (schemas), or named ones (parameters and bodies)."""
        if isinstance(part.value, list):
            yield from part.parts()
            return
        for _, one in part.items():
            example = one.resolved(self._root)
            if isinstance(example.value, Mapping) and "value" in example.value:
                yield example.child("value")

    def _value(self, schema: Part, depth: int) -> Any:
        self._parts += 1
        if depth > MOST_DEPTH or self._parts > MOST_PARTS or not schema:
            return None
        if isinstance(schema.value, bool):  # 3.1: anything, or nothing
            return None
        schema = schema.resolved(self._root)
        given = self._given(schema)
        if given is not _NONE:
            return given
        if schema.where in self._above:
            return None  # it has itself as a part, and would never end
        self._above.append(schema.where)
        try:
            return self._chosen(schema, depth)
        finally:
            self._above.pop()

    def _chosen(self, schema: Part, depth: int) -> Any:
        for key in ("oneOf", "anyOf"):
            for one in schema.child(key).parts():
                return self._value(one, depth)
        return self._made(schema, depth)

    def _made(self, schema: Part, depth: int) -> Any:
        kind = _type(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            part = self._value(schema.child("items"), depth + 1)
            return [] if part is None else [part]
        if kind in ("integer", "number"):
            least = schema.child("minimum").number(1)
            return int(least) if kind == "integer" or least.is_integer() else least
        if kind == "boolean":
            return True
        return None if kind == "null" else _text(schema)

    def _object(self, schema: Part, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in schema.child("allOf").parts():
            part = self._value(one, depth + 1)
            made |= part if isinstance(part, dict) else {}
        required = {one.text() for one in schema.child("required").parts()}
        for name, below in schema.child("properties").items():
            if depth >= DEPTH and name not in required:
                continue
            described = below if isinstance(below.value, bool) else below.resolved(self._root)
            if isinstance(described.value, Mapping) and described.value.get("readOnly") is True:
                continue
            value = self._value(described, depth + 1)
            if value is not None or name in required:
                made[name] = value
        return made


def _type(schema: Part) -> str:
    kind = schema.child("type")
    if isinstance(kind.value, list):
        kinds = [one.text() for one in kind.parts()]
        return next((one for one in kinds if one != "null"), "null")
    if kind:
        return kind.text()
    if schema.child("properties") or schema.child("allOf"):
        return "object"
    return "array" if schema.child("items") else "string"


def _text(schema: Part) -> str:
    text = _FORMATS.get(schema.child("format").text(), "text")
    least = int(min(200, max(0, schema.child("minLength").number(0))))
    most = int(max(0, min(1000, schema.child("maxLength").number(1000))))
    return text.ljust(least, "x")[:most]
