"""Choosing scenarios by their tags: `smoke and not (slow or docker)`, as pytest's `-m` has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import UsageError
from gameday.model.diagnostics import Diagnostic
from gameday.scenario.build import read_document
from gameday.scenario.load import load_file

_TOKEN = re.compile(r"\s*(?:([()])|([\w:+\-./]+)|(\S))")
_DEEPEST = 50
Match = Callable[[Collection[str]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The tags of a scenario file, or why they cannot be known."""

    path: Path
    tags: tuple[str, ...] = ()
    problems: tuple[Diagnostic, ...] = ()


def tags_of(path: Path, profile: str | None = None) -> Tags:
    """The tags that a scenario file has in *profile*, whatever else is wrong in it."""
    document = load_file(path, shown=str(path))
    reading = read_document(document, profile)
    if reading.scenario is not None and "tags" not in reading.broken:
        return Tags(path=path, tags=tuple(reading.scenario.tags))
    return Tags(path=path, problems=tuple(reading.diagnostics or document.diagnostics))


def tag_expression(text: str) -> Match:
    """What says whether a scenario with some tags is meant. Raises UsageError for what is none."""
    reader = _Reader(text)
    match = reader.either(0)
    reader.end()
    return match


class _Reader:
    """Reads `or` of `and` of `not` of a tag or something in parentheses."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def either(self, depth: int) -> Match:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda tags: any(part(tags) for part in parts)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._wrong("`and`, `or` or the end")

    def _both(self, depth: int) -> Match:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda tags: all(part(tags) for part in parts)

    def _one(self, depth: int) -> Match:
        if depth > _DEEPEST:
            raise UsageError(f"`-m` is nested deeper than {_DEEPEST} levels; write it simpler")
        if self._take("not"):
            part = self._one(depth + 1)
            return lambda tags: not part(tags)
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise self._wrong("`)`")
            return inner
        word = self._next()
        if word in ("", "and", "or", "(", ")") or not re.fullmatch(r"[\w:+\-./]+", word):
            raise self._wrong("a tag, `not` or `(`")
        self._at += 1
        return lambda tags: word in tags

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        found = self._next() == word
        self._at += found
        return found

    def _wrong(self, expected: str) -> UsageError:
        there = self._at < len(self._tokens)
        where = f"column {self._tokens[self._at][1] + 1}" if there else "the end"
        found = f", not `{self._next()}`" if there else ""
        return UsageError(
            f"`-m {self._text}`: at {where}, {expected} is expected{found}; "
            "write tags with `and`, `or`, `not` and parentheses, as `smoke and not slow`"
        )


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for found in _TOKEN.finditer(text):
        yield found[found.lastindex or 0], found.start(found.lastindex or 0)
