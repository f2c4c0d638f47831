"""What every diagnostic about a file has to be: of the table, at a place, and about something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.build import project_reader, scenario_reader
from gameday.scenario.codes import CODES, one_line
from gameday.scenario.load import load_file
from gameday.scenario.render import render, to_json
from gameday.scenario.validate import shown

_LINES = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
#: Of a text that cannot be taken apart there is nothing to name but the place.
NAMELESS = frozenset(
    {
        "file/unreadable", "file/too-large", "file/not-utf8", "file/not-printable", "file/empty",
        "yaml/syntax", "yaml/tab", "yaml/too-deep", "yaml/several-documents", "yaml/key-not-text",
    }
)  # fmt: skip


@dataclass
class Tally:
    """How many files were looked at, and how many of them were right. Real counts of real calls."""

    examples: int = 0
    valid: int = 0

    def count(self, *, valid: bool) -> None:
        self.examples += 1
        self.valid += valid

    @property
    def share(self) -> float:
        return self.valid / max(1, self.examples)


def check_told(found: Iterable[Diagnostic], files: Iterable[Path]) -> None:
    """Everything that is said about these files is said well."""
    found = tuple(found)
    raws = {path.name: path.read_bytes().decode("utf-8", "replace") for path in files}
    words = {word for path in files for word in _words(path)} if found else set()
    for one in found:
        _check_text(one)
        assert one.mark is not None, one
        name = Path(one.mark.file).name
        assert name in raws, one
        lines = _LINES.split(raws[name])
        assert 1 <= one.mark.line <= len(lines), one
        assert 1 <= one.mark.column <= len(lines[one.mark.line - 1]) + 1, one
        assert one.mark.length >= 1, one
        named = _names(one.summary, words) or _occurs(one.summary, raws.values())
        assert named or one.code in NAMELESS, one
    to_json(found)
    assert render(found).replace("\n", "").replace("\t", "").isprintable()


def _check_text(one: Diagnostic) -> None:
    assert one.code in CODES
    assert one.severity is CODES[one.code].severity
    for text in (one.summary, one.hint):
        assert text, one
        assert text.isprintable(), one
        assert len(text) <= 300, one


def _names(summary: str, words: set[str]) -> bool:
    """Whether a key of the format, or a key or value of the files, stands there in quotes."""
    if summary.startswith("the file is "):  # of the whole of it there is no name
        return True
    quoted = re.findall(r"`([^`]*)", summary)
    if any(part in known_keys() or part.split(":")[0] in known_keys() for part in quoted):
        return True
    return any(f"`{word}" in summary for word in words)


def _occurs(summary: str, raws: Iterable[str]) -> bool:
    """Whether something that stands in quotes stands in one of the files as it is."""
    quoted = [part.casefold() for part in re.findall(r"`([^`]+)`", summary)]
    return any(part in raw.casefold() for raw in raws for part in quoted)


def _words(path: Path) -> Iterator[str]:
    root = load_file(path).root
    yield path.name
    if root is not None:
        for value in _flat(root.plain()):
            yield one_line(shown(value))[:200].strip("…")
            yield one_line(str(value))[:200].strip("…")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _flat(part)
    elif isinstance(value, list):
        for part in value:
            yield from _flat(part)
    yield value


@cache
def known_keys() -> frozenset[str]:
    """Every key that the two files can have."""
    return frozenset(_keys([scenario_reader().schema, project_reader().schema]))


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _keys(part)
