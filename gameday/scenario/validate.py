"""Checks plain data against document classes; the only module that wraps pydantic.

A document class is a frozen dataclass (`@document`) whose fields are annotated with markers. Every
error that pydantic can give for such a class is turned into one of our own problems; a kind that is
not in the table would be a bug of ours, and a test with random documents looks for one.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic import ValidationError as _PydanticError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gameday.scenario.node import Path
from gameday.scenario.suggest import did_you_mean, nearest

T = TypeVar("T")
JsonSchema = dict[str, Any]


class FieldError(ValueError):
    """Raised by a field's parser: which code, what is wrong, what to do."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        self.code, self.summary, self.hint = code, summary, hint
        super().__init__(summary)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a document. `meant` is the key that was probably meant."""

    code: str
    path: Path
    summary: str
    hint: str = ""
    at_key: bool = False
    meant: str | None = None

    @property
    def missing(self) -> bool:
        """Whether it is about something that is not there."""
        return self.code == "document/missing-key"


@dataclass_transform(frozen_default=True, kw_only_default=True)
def document(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass that refuses unknown keys."""
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    made.__pydantic_config__ = ConfigDict(extra="forbid", title=cls.__name__)  # type: ignore[attr-defined]
    return made


def about(text: str, *, key: str | None = None) -> Any:
    """Field marker: what it is for, shown by editors and in hints.

    *key* is how it is written where Python does not allow that as a name.
    """
    return Field(description=text) if key is None else Field(description=text, alias=key)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """Field marker: *parse* makes the value (or raises FieldError), *schema* is its JSON Schema."""

    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return dict(self.schema)

    def _checked(self, value: Any) -> Any:
        try:
            return self.parse(value)
        except FieldError as error:
            context = {"code": error.code, "summary": error.summary, "hint": error.hint}
            raise PydanticCustomError("field", "{summary}", context) from None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Either:
    """Field marker: a mapping or list as *whole* says, or anything else as *short* reads it.

    With *schema* false the short form is only there to say what is wrong with it.
    """

    whole: Any
    short: Scalar
    schema: bool = True

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        wanted = list if typing.get_origin(self.whole) is list else dict

        def read(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return inner(value) if isinstance(value, wanted) else self.short._checked(value)

        inner = handler.generate_schema(self.whole)
        return core_schema.no_info_wrap_validator_function(read, inner)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        whole = handler(schema)
        return {"anyOf": [dict(self.short.schema), whole]} if self.schema else dict(whole)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forms:
    """Field marker: a mapping, a list, or anything else, each read in its own way."""

    mapping: Any
    entries: Any
    short: Scalar
    entries_schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def first(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return _Read(inner(value)) if isinstance(value, dict) else value

        def second(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, _Read):
                return value.value
            return inner(value) if isinstance(value, list) else self.short._checked(value)

        wrap = core_schema.no_info_wrap_validator_function
        mapping, entries = (
            handler.generate_schema(self.mapping),
            handler.generate_schema(self.entries),
        )
        return core_schema.chain_schema([wrap(first, mapping), wrap(second, entries)])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        steps = typing.cast("core_schema.ChainSchema", schema)["steps"]
        mapping, entries = (handler(step) for step in steps)
        return {"anyOf": [dict(self.short.schema), {**entries, **self.entries_schema}, mapping]}


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """What the first reading of `Forms` has read, and the second must let pass."""

    value: Any


class Given:
    """Field marker for an optional part: it may be left out, but null is not a value of it."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        inner = next(part for part in typing.get_args(source) if part is not type(None))
        return handler(inner)


GIVEN = Given()


class Reader(Generic[T]):
    """Reads documents of one class. Building one costs milliseconds: build once, use often."""

    def __init__(self, cls: type[T]) -> None:
        self._adapter = TypeAdapter(cls)
        self.schema: JsonSchema = _tidy(self._adapter.json_schema())

    def read(self, data: Any) -> tuple[T | None, list[Problem]]:
        """The document, or None with everything that is wrong."""
        try:
            return self._adapter.validate_python(data), []
        except _PydanticError as error:
            rows = error.errors(include_url=False)
            found = [self._problem(typing.cast("dict[str, Any]", row)) for row in rows]
            meant = {(*p.path[:-1], p.meant) for p in found if p.meant is not None}
            return None, [p for p in found if not (p.missing and p.path in meant)]

    def _problem(self, row: dict[str, Any]) -> Problem:
        path: Path = tuple(row["loc"])
        at_key = bool(path) and path[-1] == "[key]"
        if at_key:
            path = path[:-1]
        match row["type"]:
            case "field":
                context = row["ctx"]
                summary = context["summary"]
                if not at_key:
                    summary = with_key(summary, path, row["input"])
                return Problem(
                    code=context["code"],
                    path=path,
                    summary=summary if "`" in summary else f"{_name(path)}: {summary}",
                    hint=context["hint"],
                    at_key=at_key,
                )
            case "missing":
                return self._missing(path)
            case "unexpected_keyword_argument":
                return self._unknown(path)
            case kind:
                return self._wrong_type(path, row["input"], _WANTED[kind])

    def _missing(self, path: Path) -> Problem:
        *around, name = path
        known = self._schema_at(tuple(around)).get("properties", {})
        what = known.get(name, {}).get("description", "")
        return Problem(
            code="document/missing-key",
            path=path,
            summary=f"`{name}` is missing" + _inside(tuple(around), "from"),
            hint=f"add `{name}:`" + (f", {what}" if what else ""),
            at_key=True,
        )

    def _unknown(self, path: Path) -> Problem:
        *around, name = path
        known = list(self._schema_at(tuple(around)).get("properties", {}))
        return Problem(
            code="document/unknown-key",
            path=path,
            summary=f"`{name}` is not a key" + _inside(tuple(around), "of"),
            hint=did_you_mean(str(name), known, what="the keys are"),
            at_key=True,
            meant=nearest(str(name), known),
        )

    def _wrong_type(self, path: Path, value: Any, wanted: tuple[str, str]) -> Problem:
        return Problem(
            code="document/wrong-type",
            path=path,
            summary=f"{_name(path)} is {kind_of(value)}; it must be {wanted[0]}",
            hint=wanted[1],
        )

    def _schema_at(self, path: Path) -> JsonSchema:
        """The part of the JSON Schema that describes the value at *path*."""
        part = self.schema
        for step in path:
            if isinstance(step, int):
                part = part.get("items", {})
            else:
                part = part.get("properties", {}).get(step) or part.get("additionalProperties", {})
            part = self._resolved(part)
        return part

    def _resolved(self, part: JsonSchema) -> JsonSchema:
        """What a reference leads to; of alternatives the mapping or list."""
        for one in part.get("anyOf", ()):
            if "$ref" in one or "items" in one:
                part = one
        if "$ref" in part:
            found: JsonSchema = self.schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
            return found
        return part


def kind_of(value: Any) -> str:
    """What sort of value this is, in words."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


_MAPPING = ("a mapping", "write `key: value` lines below it")
_WANTED = {
    "dataclass_type": _MAPPING,
    "dict_type": _MAPPING,
    "list_type": ("a list", "write `[…]`, or lines that begin with `- `"),
}


def _name(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    if not path:
        return "the file"
    return f"`{path[-1]}`" if isinstance(path[-1], str) else f"an entry of `{names[-1]}`"


def _inside(path: Path, word: str) -> str:
    return f" {word} {_name(path)}" if path else ""


def shown(value: Any) -> str:
    """A value in YAML's words, not in Python's."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
        case _:
            return str(value)


def with_key(summary: str, path: Path, value: Any) -> str:
    """A summary that begins with the bare value gets its key: `latency: 800` has no unit."""
    bare = next((b for b in (f"`{shown(value)}`", f"`{value}`") if summary.startswith(b)), None)
    if bare is None or not path or not isinstance(path[-1], str):
        return summary
    given = "" if value is None else f" {shown(value)}"
    return f"`{path[-1]}:{given}`{summary[len(bare) :]}"


def _tidy(schema: Any) -> Any:
    """Without pydantic's titles and null defaults, which say nothing to people."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return dict(_tidy_items(schema))


def _tidy_items(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, part in schema.items():
        if key in ("properties", "$defs"):
            yield key, {name: _tidy(inner) for name, inner in part.items()}
        elif key == "patternProperties":  # of a mapping with keys of one kind: and no others
            ((pattern, inner),) = part.items()
            yield "propertyNames", {"pattern": pattern}
            yield "additionalProperties", _tidy(inner)
        elif key == "title" or (key == "default" and part in (None, {}, [])):
            continue
        else:
            yield key, _tidy(part)


class Codec(Generic[T]):
    """Writes and reads our own values (not people's) as plain JSON data, exactly."""

    def __init__(self, cls: type[T]) -> None:
        self._adapter = TypeAdapter(cls)

    def dump(self, value: T) -> Any:
        """Plain JSON data."""
        return self._adapter.dump_python(value, mode="json")

    def load(self, text: str) -> T:
        """The value. Raises ValueError if the text is not one."""
        return self._adapter.validate_json(text, strict=True)
