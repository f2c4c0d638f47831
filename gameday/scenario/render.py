"""Diagnostics for people and for machines."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping

from gameday.model.diagnostics import Diagnostic, Severity, in_order

_WIDEST = 160


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None) -> str:
    """Each problem with its line, a caret and the hint, then how many there are; "" for none.

    *sources* maps a file's name to its text, for diagnostics that do not carry their line.
    """
    found = in_order(diagnostics)
    if not found:
        return ""
    parts = [part for diagnostic in found for part in _lines(diagnostic, sources or {})]
    return "\n".join([*parts, _count(found)]) + "\n"


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list with one object a problem, in the order of the files."""
    rows = [
        {
            "code": found.code,
            "severity": found.severity.value,
            "file": found.mark.file if found.mark else None,
            "line": found.mark.line if found.mark else None,
            "column": found.mark.column if found.mark else None,
            "length": found.mark.length if found.mark else None,
            "summary": found.summary,
            "hint": found.hint,
        }
        for found in in_order(diagnostics)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _lines(found: Diagnostic, sources: Mapping[str, str]) -> list[str]:
    where = f"{found.where}: " if found.mark else ""
    lines = [f"{where}{found.severity.value}: {found.summary} ({found.code})"]
    text = found.source_line or _line_of(found, sources)
    hint = f" {found.hint}" if found.hint else ""
    if found.mark is None or not text.strip() or not _fits(found, text):
        return [*lines, f"      = {found.hint}"] if found.hint else lines
    before = text[: found.mark.column - 1]
    marked = text[found.mark.column - 1 :][: found.mark.length]
    carets = "^" * max(1, _width(marked))
    blank = "".join("\t" if char == "\t" else " " * _width(char) for char in before)
    lines.append(f"{found.mark.line:5} | {text.rstrip()}")
    lines.append(f"      | {blank}{carets}{hint}")
    return lines


def _line_of(found: Diagnostic, sources: Mapping[str, str]) -> str:
    if found.mark is None or found.mark.file not in sources:
        return ""
    lines = sources[found.mark.file].splitlines()
    return lines[found.mark.line - 1] if found.mark.line <= len(lines) else ""


def _fits(found: Diagnostic, text: str) -> bool:
    """Whether showing the line helps: it is short, and safe to print on a terminal."""
    printable = text.replace("\t", " ").rstrip().isprintable()
    return len(text) <= _WIDEST and printable and found.mark is not None


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _count(found: tuple[Diagnostic, ...]) -> str:
    errors = sum(one.severity is Severity.ERROR for one in found)
    return f"{_plural(errors, 'error')}, {_plural(len(found) - errors, 'warning')}"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
