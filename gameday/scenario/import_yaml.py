"""Imported journeys, and how they are written: YAML with comments for the person who goes on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.model.template import names_in

WIDTH = 96
#: Steps of all journeys together: the numbers of more names are not told apart anyway.
MAX_STEPS = 200
#: A body that is larger or deeper is left out.
MAX_BODY, MAX_BODY_DEPTH = 16 * 1024, 12
_PLAIN = re.compile(r"[A-Za-z/_][A-Za-z0-9_/.%?=&+-]*(?: [A-Za-z0-9_/.\[\]-]+)*")
_IN_FLOW = re.compile(r"[A-Za-z/_][A-Za-z0-9_/.-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(slots=True, kw_only=True)
class ImportedStep:
    """One request. In `path` and bodies, `{{ name }}` stands for a value that is still needed."""

    method: str
    path: str
    name: str
    status: int | None = None
    json: Any = None
    body: str | None = None
    form: dict[str, str] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def needed(self) -> Iterator[str]:
        """The names of the values that it needs."""
        yield from names_in([self.path, self.json, self.body, self.form, self.headers])


@dataclass(slots=True, kw_only=True)
class Imported:
    """What was found: journeys with their steps, `auth`, a pause, and notes for the reader."""

    source: str
    origin: str = ""  # the address that the paths belong to
    journeys: dict[str, list[ImportedStep]] = field(default_factory=dict)
    think_ms: tuple[int, int] = (0, 0)
    auth: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many steps there are."""
        return sum(map(len, self.journeys.values()))

    def note(self, text: str) -> None:
        """Write something down for the reader, once."""
        if text not in self.notes:
            self.notes.append(text)


def written(imported: Imported, *, target: str) -> str:
    """The `load` of a scenario."""
    lines = [_comment(f"From {imported.source}, by `gameday load import`.", 0)]
    lines += [_comment(f"- {note}", 0) for note in imported.notes]
    lines += ["load:", f"  target: {_scalar(target)}{_beside(_url_hint(imported))}"]
    lines.append("  arrivals: 10/s  # choose your own")
    if imported.auth:
        lines.append(f"  auth: {_flow(imported.auth)}  # set this variable, or name another")
    lines += _data_hint(imported)
    lines.append("  journeys:")
    low, high = imported.think_ms
    for name, steps in imported.journeys.items():
        lines.append(f"    {_scalar(name)}:")
        if high:
            lines.append(f"      think: {_seconds(low)}..{_seconds(high)}")
        lines.append("      steps:")
        for step in steps:
            lines += _step(step)
    return "\n".join(lines) + "\n"


def fits(value: Any) -> bool:
    """Whether a body is small and flat enough to be written."""
    if _depth(value) > MAX_BODY_DEPTH:
        return False
    return len(json.dumps(value, ensure_ascii=False, default=str)) <= MAX_BODY


def tame(value: Any) -> Any:
    """Foreign JSON without what means something here: `{{` and numbers that are none."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {text_of(str(key)): tame(part) for key, part in value.items()}
    if isinstance(value, list):
        return [tame(part) for part in value]
    return value


def text_of(text: str) -> str:
    """Foreign text that can be written: no place of a value, nothing that is not Unicode."""
    while "{{" in text:
        text = text.replace("{{", "{ {")
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str, length: int = 300) -> str:
    """Foreign text for a comment."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * length])
    return " ".join(kept.split())[:length]


def _step(step: ImportedStep) -> Iterator[str]:
    if step.note:
        yield _comment(step.note, 8)
    yield f"        - {step.method.lower()}: {_scalar(step.path)}"
    rows: dict[str, Any] = {}
    if step.name != f"{step.method.upper()} {step.path}":
        rows["name"] = step.name
    rows |= {"headers": step.headers} if step.headers else {}
    rows |= {"json": step.json} if step.json is not None else {}
    rows |= {"form": step.form} if step.form else {}
    rows |= {"body": step.body} if step.body is not None else {}
    rows |= {"expect": {"status": step.status}} if step.status is not None else {}
    for key, value in rows.items():
        yield from _row(key, value, 10)


def _row(key: str, value: Any, indent: int) -> Iterator[str]:
    head = f"{' ' * indent}{_scalar(key)}:"
    line = f"{head} {_flow(value) if isinstance(value, Mapping | list) else _scalar(value)}"
    if len(line) <= WIDTH or not isinstance(value, Mapping | list) or not value:
        yield line
        return
    yield head
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _row(name, part, indent + 2)
        return
    for part in value:
        yield f"{' ' * (indent + 2)}- {_flow(part)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_word(key)}: {_flow(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(part) for part in value) + "]"
    return _word(value) if isinstance(value, str) else _scalar(value)


def _word(text: str) -> str:
    plain = _IN_FLOW.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else _quoted(text)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable() and c != "\ufeff":
        return c
    code = ord(c)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _comment(text: str, indent: int) -> str:
    return f"{' ' * indent}# {one_line(text)}"


def _beside(text: str) -> str:
    return f"  # {one_line(text)}" if text else ""


def _url_hint(imported: Imported) -> str:
    origin = f", with the url {imported.origin}" if imported.origin else ""
    return f"a target of gameday.yaml{origin}"


def _data_hint(imported: Imported) -> Iterator[str]:
    """Values that are used and that nothing gives, as the beginning of `data`."""
    steps = [step for steps in imported.journeys.values() for step in steps]
    names = dict.fromkeys(name for step in steps for name in step.needed)
    if not names:
        return
    yield "  # These values are needed: from CSV files, or by `capture` in a step before."
    yield "  # data:"
    for name in names:
        yield f"  #   {name}: {{csv: data/{name}.csv, column: {name}}}"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g}s"


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_BODY_DEPTH:
        depth += 1
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = below
    return depth
