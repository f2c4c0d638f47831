"""Taking fields out of a copy of the evidence, and telling by hash what was taken. Pure.

A field is named by the end of its path in JSON, such as `text`, `labels.instance`, or, for events
of one kind, `human.note:data.text`. Wherever else the same text stands, it is taken out too: a name
does not become less of one because it also stands in a finding. Documents that are made from the
rest (pages, pictures, reports) are left out of the copy: they cannot be searched with certainty.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.errors import UsageError
from gameday.plain import canonical
from gameday.programme.evidence.manifest import JOURNAL, NOTE

#: What the chain of a journal rests on, and what says which event it is.
CHAIN = frozenset({"v", "seq", "at_ms", "kind", "phase", "cause", "prev", "hash"})
#: A shorter text is taken out where it was named, and not searched for everywhere.
SEARCHED_MIN = 4
_MADE = (".html", ".svg", ".png", ".md", ".xml", "summary.txt")
_MARK = "redacted sha256:"
_SPEC = re.compile(r"(?:(?P<kind>[a-z]+(?:\.[a-z]+)+):)?(?P<path>[^\s:.]+(?:\.[^\s:.]+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Which fields are meant: those whose path ends with `path`; of events of `kind`, if given."""

    path: tuple[str, ...]
    kind: str | None = None


@dataclass(slots=True, kw_only=True)
class Copy:
    """A copy in the making: its files, what was taken out, and the texts that are searched for."""

    files: dict[str, bytes] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    pattern: re.Pattern[str] | None = None  # all of them, once they are known


def parse_field(text: str) -> Field:
    """Read `--field`. Raises `UsageError` for what is none, or what the chain rests on."""
    found = _SPEC.fullmatch(text)
    if found is None:
        raise UsageError(
            f"`{text}` names no field; write the end of its path, such as `labels.instance`, or "
            "`human.note:data.text` for events of one kind"
        )
    path = tuple(found["path"].split("."))
    if len(path) == 1 and path[0] in CHAIN:
        raise UsageError(f"`{text}` cannot be taken out: the chain of the journal rests on it")
    return Field(path=path, kind=found["kind"])


def redact(files: Mapping[str, bytes], fields: tuple[Field, ...]) -> Copy:
    """The copy. *files* are those of a bundle without its manifest. They stay as they are.

    Raises `UsageError` if a field stands nowhere, or if something that was taken out would still
    stand in the copy.
    """
    made = {name: raw for name, raw in sorted(files.items()) if name.endswith(_MADE)}
    kept = {name: raw for name, raw in sorted(files.items()) if name not in made}
    copy = Copy()
    seen: set[Field] = set()
    for name, raw in kept.items():  # first all that is named, so that every text is known
        _each(name, raw, fields, copy, seen)
    missing = [f for f in fields if f not in seen]
    if missing:
        path = ".".join(missing[0].path)
        raise UsageError(f"`{path}` stands nowhere in this evidence: nothing was written")
    copy.taken.clear()
    copy.pattern = _pattern(copy.texts)
    for name, raw in kept.items():
        copy.files[name] = _each(name, raw, fields, copy, seen)
    for name, raw in made.items():
        sha256 = hashlib.sha256(raw).hexdigest()
        copy.taken.append({"file": name, "whole": True, "sha256": sha256})
    _refuse_left(copy)
    return copy


def _each(name: str, raw: bytes, fields: tuple[Field, ...], copy: Copy, seen: set[Field]) -> bytes:
    """One file without them: line by line, as a whole, or as text."""
    walk = _Walk(fields=fields, copy=copy, seen=seen, file=name)
    if name.endswith(".jsonl"):
        lines = raw.split(b"\n")
        return b"\n".join(walk.line(number, line) for number, line in enumerate(lines, start=1))
    if name.endswith(".json"):
        return walk.document(raw)
    return walk.text(raw)


def _pattern(texts: set[str]) -> re.Pattern[str] | None:
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first))) if texts else None


def _refuse_left(copy: Copy) -> None:
    told = {**copy.files, NOTE: json.dumps(copy.taken, ensure_ascii=False).encode()}
    for text in sorted(copy.texts):
        forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        for name, raw in told.items():
            inside = any(form.encode("utf-8", "surrogatepass") in raw for form in forms)
            if inside or text in name:
                raise UsageError(
                    f"what was taken out still stands in `{name}`, in its name or as a part of "
                    "something that cannot be changed: nothing was written"
                )


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One file. `event` is the number of the event in whose line we are."""

    fields: tuple[Field, ...]
    copy: Copy
    seen: set[Field]
    file: str
    event: int | None = None
    kind: str | None = None
    changed: bool = False

    def line(self, number: int, line: bytes) -> bytes:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return self.text(line)
        self.event, self.kind, self.changed = None, None, False
        if self.file == JOURNAL and isinstance(value, dict):
            self.event = value.get("seq") if type(value.get("seq")) is int else number - 1
            self.kind = str(value.get("kind"))
        new = self._value(value, ())
        if not self.changed:
            return line
        if self.file == JOURNAL and isinstance(new, dict):
            digest = new.pop("hash", "")
            return f'{canonical(new)[:-1]},"hash":{json.dumps(digest)}}}'.encode()
        return json.dumps(new, ensure_ascii=False).encode()

    def document(self, raw: bytes) -> bytes:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            return self.text(raw)
        new = self._value(value, ())
        return (
            json.dumps(new, indent=1, ensure_ascii=False).encode() + b"\n" if self.changed else raw
        )

    def text(self, raw: bytes) -> bytes:
        if self.copy.pattern is None:
            return raw
        return self._searched(raw.decode("utf-8", "surrogateescape"), ()).encode(
            "utf-8", "surrogateescape"
        )

    def _value(self, value: Any, path: tuple[str, ...]) -> Any:
        if path and (meant := self._meant(path)):
            self.seen |= meant
            return self._taken(value, path)
        if isinstance(value, dict):
            return {
                self._string(k, (*path, k), key=True): self._value(v, (*path, k))
                for k, v in value.items()
            }
        if isinstance(value, list):
            return [self._value(one, path) for one in value]
        return self._string(value, path) if isinstance(value, str) else value

    def _meant(self, path: tuple[str, ...]) -> set[Field]:
        if self.file == JOURNAL and len(path) == 1 and path[0] in CHAIN:
            return set()
        return {
            f
            for f in self.fields
            if path[-len(f.path) :] == f.path and (f.kind is None or f.kind == self.kind)
        }

    def _taken(self, value: Any, path: tuple[str, ...]) -> str:
        for text in _texts_in(value):
            if len(text) >= SEARCHED_MIN and not text.startswith(_MARK):
                self.copy.texts.add(text)
        return self._mark(value, ".".join(path))

    def _string(self, text: str, path: tuple[str, ...], *, key: bool = False) -> str:
        if self.file == JOURNAL and len(path) == 1 and (key or path[0] in CHAIN):
            return text
        return self._searched(text, path)

    def _searched(self, text: str, path: tuple[str, ...]) -> str:
        if self.copy.pattern is None:
            return text
        return self.copy.pattern.sub(lambda found: self._mark(found[0], ".".join(path)), text)

    def _mark(self, value: Any, path: str) -> str:
        """What stands there instead; and a line in the note."""
        text = value if isinstance(value, str) else canonical(value)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if self.copy.pattern is not None:
            path = self.copy.pattern.sub("…", path)
        row: dict[str, Any] = {"file": self.file, "field": path, "sha256": digest}
        self.changed = True
        self.copy.taken.append({**row, "event": self.event} if self.event is not None else row)
        return _MARK + digest


def _texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts_in(one)]
    return [text for one in value for text in _texts_in(one)] if isinstance(value, list) else []
