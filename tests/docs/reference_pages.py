"""Writes `docs/reference/` from the documents of the files, their JSON Schema, and the commands.

python -m tests.docs.reference_pages

Types, defaults and allowed values are those of the parsers: a limit is asked of the parser itself,
which says it in the hint with which it refuses a value.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from gameday.scenario import day_docs as d
from gameday.scenario import fields as f
from gameday.scenario import fields_alerts as a
from gameday.scenario import fields_answers as n
from gameday.scenario import fields_calls as c
from gameday.scenario import fields_load as w
from gameday.scenario import fields_places as p
from gameday.scenario import findings_docs as g
from gameday.scenario import ticket_docs as t
from gameday.scenario.documents import ProjectDoc, ScenarioDoc
from gameday.scenario.fault_docs import HOLD
from gameday.scenario.policy_docs import PolicyDoc
from gameday.scenario.schema import day_schema, project_schema, scenario_schema
from gameday.scenario.toxic import TOXIC
from gameday.scenario.validate import Either, FieldError, Forms, Scalar
from tests.docs.reference_commands import commands_page
from tests.docs.reference_faults import fault_sections, listed, span

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_SCENARIO = "../scenario.md"
_CONDITION = f"[condition]({_SCENARIO}#conditions)"
#: What people write, and what of it is allowed.
_WORDS: Mapping[Scalar, tuple[str, str]] = {
    f.TEXT: ("text", "not empty"),
    f.NAME: ("name", "letters, digits, `-`, `_`, `.`; at most 63"),
    f.DURATION: ("duration", "at most `7d`"),
    f.SECONDS: ("duration", "whole seconds, `1s` to `7d`"),
    f.SECONDS_FROM_0: ("duration", "whole seconds, `0s` to `7d`"),
    f.SHARE: ("share", "`0%` to `100%`"),
    f.RATE: ("rate", "at most `100000/s`"),
    f.URL: ("address", "`http://…` or `https://…`"),
    f.LISTEN: ("address", "`host:port`; port 0 is any free one"),
    f.ADDRESS: ("address", "`host:port`"),
    f.HOST: ("host", "a name, with or without a port"),
    f.REQUEST_PATH: ("path", "begins with `/`"),
    f.PROBE: ("probe", "`http:/path`, `postgres`, `redis`, `tcp`"),
    f.SLO: ("objective", "`99.9%`, or `99% < 500ms`"),
    f.JSON: ("any JSON", ""),
    f.EXPECTED: (_CONDITION, "without `over` and `for`"),
    f.EXPECTED_AFTER: (_CONDITION, "without `over` and `for`; or `steady within 30s`"),
    f.CONDITION: (_CONDITION, "also with `over` and `for`"),
    f.VERSION: ("number", "`1`"),
    f.TRUE: ("switch", "`true`"),
    f.YES: ("switch", "`true`"),
    f.PROFILE: ("mapping", "any keys but `gameday`, `id`, `service`, `owner`"),
    t.PROJECT_KEY: ("text", "capital letters, digits and `_`, as in `OPS-12`: `OPS`"),
    t.TABLE: ("text", "small letters, digits and `_`"),
    a.EFFECT: ("effect", "`errors 50%`, `latency 800ms`, `latency 800ms on 30%`, `down`"),
    n.ASKED_PATH: ("path", "begins with `/`"),
    w.STEP_PATH: ("path", "begins with `/`; may hold `{{ name }}`"),
    w.VALUE: ("name", "letters, digits and `_`"),
    w.UNDER: ("duration", "above 0, at most `7d`"),
    w.THINK: ("duration", "one, or two as in `0.5s..2s`; at most `10m`"),
    w.CONTAINED: ("text", "not empty"),
    w.PROCESSES: ("whole number", "1 to 64, or `auto`"),
    c.AS_WRITTEN: ("text", ""),
    c.ARGUMENT: ("text", ""),
    c.REGEX: ("regular expression", "of Python"),
    c.MATCH: ("[JMESPath](https://jmespath.org)", "an expression"),
    c.CALL_URL: ("address", "`http://…` or `https://…`"),
    c.JSON_MAPPING: ("mapping", "any JSON"),
    c.ENV_NAME: ("name", "of an environment variable"),
    c.MODULE: ("name", "of a Python module"),
    c.FUNCTION: ("name", "of a Python function"),
    p.CONTAINER: ("name", "of a container"),
    p.LABEL: ("label", "`key=value`"),
    p.ENGINE: ("address", "`unix:///path` or `tcp://host:port`"),
    p.IMAGE: ("name", "of an image"),
    p.MINUTE: ("time of day", "`00:00` to `23:59`"),
    p.DATE: ("date", "`2026-12-20`"),
    p.ZONE: ("time zone", "such as `Europe/Berlin`"),
    p.DAY_RANGE: ("days", "`mon-fri`"),
    p.SWITCH: ("switch", "`true`, `false`"),
    g.DAYS: ("days", "`1d` to `3650d`"),
    g.STORE: ("place", "a folder, `sqlite:FILE`, `postgresql://…`"),
    g.ROLE_NAME: ("role", "small letters, digits, `-`, `_`, `.`"),
    d.MOMENT: ("moment", "`2026-12-01 09:00`"),
    d.KEPT: ("days", "`1d` to `3650d`"),
    d.WORD: ("text", "one line, not empty"),
    d.WITHIN: ("duration", "`1s` to `4h`"),
    d.TARGET: ("duration", "`1s` to `7d`"),
    d.EVERY: ("duration", "`1m` to `4h`"),
    d.AT: ("duration", "`0s` to `8h`"),
    HOLD: ("text", "`until mitigated`"),
    TOXIC: ("[toxic](#toxics)", ""),
}  # fmt: skip
_TABLE = "| key | type | default | allowed | what |\n|---|---|---|---|---|"
_HEAD = """\
# {title}

Every key of {file}, with its type, its default and what is allowed.
*needed* means that there is no default.
{more}

This page is made from the definitions that read the file
(`python -m tests.docs.reference_pages`), and a test keeps it so.
`gameday schema {schema}` prints the same as JSON Schema, for an editor.

| type | written | kept as |
|---|---|---|
| duration | `800ms`, `2s`, `1m30s`; units `us` `ms` `s` `m` `h` `d` | whole milliseconds |
| share | `5%`, `0.1%` | 0 to 1 |
| rate | `100/s`, `30/m` | per second |
| size | `16B`, `1KB` (1000), `1KiB` (1024), also `MB` `MiB` `GB` `GiB` | bytes |
| bandwidth | `100KB/s`, `1MB/s` | KB/s, of 1000 bytes |
| switch | `true`, `false` | |
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One document class, and where it may stand."""

    cls: type
    places: list[str]


def title_of(cls: type) -> str:
    """Its heading: the name in the JSON Schema."""
    return cls.__name__.removesuffix("Doc")


def fields_of(cls: type) -> Iterator[tuple[str, Any, Any, str]]:
    """Key, annotation, default and description of each field."""
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        marks = getattr(hints[field.name], "__metadata__", ())
        info = next((m for m in marks if isinstance(m, FieldInfo)), None)
        key = info.alias if info is not None and info.alias else field.name
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        yield key, hints[field.name], default, (info.description or "") if info else ""


def parts_of(root: type, path: str = "") -> dict[type, Part]:
    """All document classes below *root*, in the order in which a reader meets them."""
    found: dict[type, Part] = {}
    _walk(root, path, found, ())
    return found


def _walk(cls: type, path: str, found: dict[type, Part], around: tuple[type, ...]) -> None:
    found.setdefault(cls, Part(cls, [])).places.append(path or "the file")
    if cls in around or len(found[cls].places) > 1:
        return
    for key, annotation, _, _ in fields_of(cls):
        here = f"{path}.{key}" if path else key
        for inner, suffix in documents_in(annotation):
            _walk(inner, here + suffix, found, (*around, cls))


def documents_in(annotation: Any, suffix: str = "") -> list[tuple[type, str]]:
    """The document classes that a value may be, with how they hang below the key."""
    if dataclasses.is_dataclass(annotation) and str(annotation).count("Doc"):
        return [(typing.cast("type", annotation), suffix)]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return documents_in(arguments[0], suffix)
    if origin is list:
        return documents_in(arguments[0], f"{suffix}[]")
    if origin is dict:
        return documents_in(arguments[1], f"{suffix}.NAME")
    return [found for part in arguments for found in documents_in(part, suffix)]


def words(annotation: Any) -> tuple[str, str]:
    """What a value is, and what of it is allowed."""
    if dataclasses.is_dataclass(annotation):
        name = title_of(typing.cast("type", annotation))
        return f"[{name}](#{name.lower()})", ""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(arguments[0], annotation.__metadata__)
    if origin is list:
        inner, allowed = words(arguments[0])
        return f"list of {inner}", allowed
    if origin is dict:
        inner, allowed = words(arguments[1])
        return f"mapping of {inner}", allowed
    if origin in (typing.Union, types.UnionType):
        return words(next(part for part in arguments if part is not type(None)))
    return {"str": ("text", ""), "Any": ("any", "")}.get(
        getattr(annotation, "__name__", ""), ("", "")
    )


def _annotated(bare: Any, marks: Sequence[Any]) -> tuple[str, str]:
    for mark in marks:
        if isinstance(mark, Scalar):
            return scalar_words(mark)
        if isinstance(mark, Either):
            short, allowed = scalar_words(mark.short) if mark.schema else ("", "")
            whole, more = words(mark.whole)
            both = [one for one in (short, whole) if one]
            return " or ".join(both), "; ".join(
                one for one in dict.fromkeys((allowed, more)) if one
            )
        if isinstance(mark, Forms):
            kinds = [scalar_words(mark.short)[0], words(mark.entries)[0], words(mark.mapping)[0]]
            return " or ".join(kinds), scalar_words(mark.short)[1]
    return words(bare)


def scalar_words(scalar: Scalar) -> tuple[str, str]:
    """The kind of a value and its bounds."""
    if scalar in _WORDS:
        return _WORDS[scalar]
    schema = scalar.schema
    if "enum" in schema:
        return "text", ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "integer":
        return "whole number", f"{schema['minimum']} to {schema['maximum']}"
    if schema is f.DURATION.schema:
        return "duration", hint_of(scalar, "6d", "9d").removeprefix("write ")
    if "oneOf" in schema:
        return "[fault](#faults-of-families)", ""
    if schema.get("not") == {}:
        return "nothing", hint_of(scalar, "x")
    if schema.get("type") == "number":
        return "number", ""
    if "ramp" in str(schema.get("pattern", "")):
        return "stretch", f"[stretches]({_SCENARIO}#arrivals-that-change)"
    raise AssertionError(f"no words for {schema}")


def hint_of(scalar: Scalar, *wrong: Any) -> str:
    """What the parser says is allowed, when it refuses the first of *wrong* that it does refuse."""
    for value in wrong:
        try:
            scalar.parse(value)
        except FieldError as error:
            return error.hint
    raise AssertionError(f"{wrong} are not refused")


def default_words(annotation: Any, default: Any, *, needed: bool) -> str:
    """The default as people would write it."""
    if needed:
        return "*needed*"
    if default in (None, "", 0, False) and not _is_duration(annotation):
        return "`false`" if default is False else "none"
    if dataclasses.is_dataclass(default) or default in ([], {}):
        return "none"
    if _is_duration(annotation):
        low = default[0] if isinstance(default, tuple) else default
        return "none" if low is None else f"`{span(low)}`"
    if default == list(range(7)):
        return "all"
    if words(annotation)[0] == "days":
        return f"`{default}d`"
    if isinstance(default, list):
        return f"`[{', '.join(default)}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _is_duration(annotation: Any) -> bool:
    return words(annotation)[0] == "duration"


def rules_of(schema: Mapping[str, Any]) -> list[str]:
    """Which keys exclude or need each other, from the JSON Schema."""
    rules = []
    for rule in (schema, *schema.get("allOf", ())):
        keys = [one["required"] for one in rule.get("oneOf", ()) if "required" in one]
        names = [key[0] for key in keys if len(key) == 1]
        if names and len(names) == len(rule.get("oneOf", ())):
            rules.append(f"Exactly one of {listed(names)}.")
    for key, needs in schema.get("dependentRequired", {}).items():
        rules.append(f"`{key}` needs {listed(needs)}.")
    return rules


def section(part: Part, schema: Mapping[str, Any], *, top: bool) -> str:
    """One document class: where it stands, its rules, its keys."""
    own = schema if top else schema["$defs"][part.cls.__name__.removesuffix("Doc")]
    required = set(own.get("required", ()))
    rows = [_TABLE]
    for key, annotation, default, what in fields_of(part.cls):
        kind, allowed = words(annotation)
        given = default_words(annotation, default, needed=key in required)
        rows.append(f"| `{key}` | {kind} | {given} | {allowed} | {what} |".replace("|  |", "| |"))
    places = ", ".join(f"`{place}`" for place in dict.fromkeys(part.places))
    about = (part.cls.__doc__ or "").strip()
    where = [] if top else [f"At {places}.", ""]
    rules = rules_of(own)
    heading = "The file" if top else title_of(part.cls)
    said = [about, ""]
    return "\n".join(
        [f"## {heading}", "", *said, *where, *([" ".join(rules), ""] if rules else []), *rows, ""]
    )


def scenario_page() -> str:
    """`scenario.md`."""
    more = f"[The scenario file]({_SCENARIO}) explains them, with examples."
    head = _HEAD.format(
        title="Scenario file: every key", file="a scenario file", more=more, schema="scenario"
    )
    return "\n".join([head, *_sections(ScenarioDoc, scenario_schema()), *fault_sections()])


def project_page() -> str:
    """`project.md`, the policy apart."""
    more = (
        "[The project file](../project-file.md) explains them, with examples. "
        "[Policies](policy.md) have a page of their own."
    )
    head = _HEAD.format(
        title="Project file: every key", file="`gameday.yaml`", more=more, schema="project"
    )
    policy = set(parts_of(PolicyDoc))
    text = "\n".join([head, *_sections(ProjectDoc, project_schema(), without=policy)])
    return text.replace("(#policy)", "(policy.md)")


def policy_page() -> str:
    """`policy.md`."""
    more = (
        "[The policy of an environment](../policy-file.md) has an example, "
        "[Policy](../policy.md) says what each rule asks."
    )
    head = _HEAD.format(
        title="Policy: every key",
        file="`environments.NAME.policy` in `gameday.yaml`",
        more=more,
        schema="project",
    )
    schema = project_schema()
    parts = parts_of(PolicyDoc, "environments.NAME.policy")
    return "\n".join([head, *(section(part, schema, top=False) for part in parts.values())])


def day_page() -> str:
    """`day.md`."""
    more = "[A day](../day.md) explains them, with examples; [drills](../drill.md) have a page."
    head = _HEAD.format(
        title="Plan of a day: every key", file="the plan of a day", more=more, schema="day"
    )
    return "\n".join([head, *_sections(d.DayDoc, day_schema())])


def _sections(root: type, schema: Mapping[str, Any], without: set[type] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return [
        section(part, schema, top=part.cls is root)
        for part in parts_of(root).values()
        if part.cls not in without
    ]


def pages() -> dict[str, str]:
    """File name -> text of each page in `docs/reference/`."""
    return {
        "scenario.md": scenario_page(),
        "project.md": project_page(),
        "policy.md": policy_page(),
        "day.md": day_page(),
        "commands.md": commands_page(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
