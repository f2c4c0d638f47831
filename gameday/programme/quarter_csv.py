"""Comma-separated values from other tools, with the place of every cell, so that errors have one.

Quotes as in RFC 4180: a cell in quotes may hold commas, line ends and doubled quotes. A first line
names the columns, in any order; lines that are empty or begin with `#` are left out.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from gameday.errors import UsageError

PROBLEMS_MAX = 20
ROWS_MAX = 100_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One cell: what stands in it, and where it begins (from 1)."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table that may be imported."""

    name: str
    what: str
    needed: bool = False


class ProblemError(ValueError):
    """What is wrong with one cell; the place is added by who reads it."""


class Row:
    """One line of a table. What is wrong with a cell goes to *problems*, and None comes back."""

    def __init__(
        self, file: str, names: Sequence[str], line: Sequence[Spot], problems: list[str]
    ) -> None:
        self._file, self._at, self._problems = file, line[0], problems
        self._names, self._cells = names, dict(zip(names, line, strict=False))

    def has(self, name: str) -> bool:
        """Whether the table has the column *name*, whatever stands in this line."""
        return name in self._names

    def get(self, name: str, read: Callable[[str], _T]) -> _T | None:
        """The cell *name* as *read* has it; None if it is empty or wrong."""
        spot = self._cells.get(name)
        if spot is None or not spot.text:
            return None
        try:
            return read(spot.text)
        except ProblemError as error:
            self._problems.append(f"{self._file}:{spot.line}:{spot.column}: {error}")
            return None

    def needed(self, name: str, read: Callable[[str], _T]) -> _T | None:
        """The same; an empty cell is wrong."""
        spot = self._cells.get(name)
        if spot is None or not spot.text:
            at = spot or self._at
            self._problems.append(f"{self._file}:{at.line}:{at.column}: `{name}` is empty")
            return None
        return self.get(name, read)


def rows_of(
    text: str, file: str, columns: Sequence[Column], make: Callable[[Row], _T | None]
) -> tuple[_T, ...]:
    """Every line of *text*, as *make* has it. Raises `UsageError` with all problems and places."""
    problems: list[str] = []
    lines = [line for line in _lines(text, file) if _counts(line)]
    if not lines:
        raise UsageError(f"{file}:1:1: there is no first line; write `{_example(columns)}`")
    names = _header(lines[0], file, columns)
    found = []
    for line in lines[1:]:
        if len(line) > len(names):
            spot = line[len(names)]
            problems.append(
                f"{file}:{spot.line}:{spot.column}: one cell too many; there are "
                f"{len(names)} columns"
            )
            continue
        row = Row(file, names, line, problems)
        made = make(row)
        if made is not None:
            found.append(made)
    if len(found) > ROWS_MAX:
        raise UsageError(f"{file}: more than {ROWS_MAX} lines; give the year that is asked for")
    if problems:
        more = len(problems) - PROBLEMS_MAX
        told = problems[:PROBLEMS_MAX] + ([f"… and {more} more"] if more > 0 else [])
        raise UsageError("\n".join(told))
    return tuple(found)


def _counts(line: Sequence[Spot]) -> bool:
    return any(spot.text for spot in line) and not line[0].text.startswith("#")


def _example(columns: Sequence[Column]) -> str:
    return ",".join(column.name for column in columns)


def _header(line: Sequence[Spot], file: str, columns: Sequence[Column]) -> list[str]:
    known = [column.name for column in columns]
    problems, names = [], []
    for spot in line:
        name = spot.text.lower().replace(" ", "_")
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are `{', '.join(known)}`"
            problems.append(f"{file}:{spot.line}:{spot.column}: no column `{spot.text}`; {hint}")
        elif name in names:
            problems.append(f"{file}:{spot.line}:{spot.column}: column `{name}` is there twice")
        names.append(name)
    missing = [column.name for column in columns if column.needed and column.name not in names]
    if missing and not problems:
        problems.append(
            f"{file}:{line[0].line}:1: there is no column `{missing[0]}`; needed are "
            f"`{', '.join(c.name for c in columns if c.needed)}`"
        )
    if problems:
        raise UsageError("\n".join(problems))
    return names


def _lines(text: str, file: str) -> Iterator[list[Spot]]:
    """The cells of each line."""
    place, line, column = 0, 1, 1
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    cells: list[Spot] = []
    while place <= len(text):
        quoted = text.startswith('"', place)
        end = _quoted_end(text, place) if quoted else _plain_end(text, place)
        if end is None:
            raise UsageError(f"{file}:{line}:{column}: a quote that does not end")
        raw = text[place:end]
        value = raw[1:-1].replace('""', '"') if quoted else raw
        cells.append(Spot(text=value.strip(), line=line, column=column))
        inner = raw.count("\n")
        column = len(raw) - raw.rfind("\n") if inner else column + len(raw)
        line += inner
        after = text[end : end + 1]
        if after not in {"", ",", "\n"}:
            raise UsageError(f"{file}:{line}:{column}: after a quote comes a comma or a line end")
        place = end + 1
        if after == ",":
            column += 1
            continue
        yield cells
        cells, line, column = [], line + 1, 1


def _plain_end(text: str, place: int) -> int:
    ends = [at for mark in ",\n" if (at := text.find(mark, place)) >= 0]
    return min(ends, default=len(text))


def _quoted_end(text: str, place: int) -> int | None:
    at = place + 1
    while (at := text.find('"', at)) >= 0:
        if not text.startswith('""', at):
            return at + 1
        at += 2
    return None


def word(text: str) -> str:
    """Anything but what could be taken for a formula or for structure; at most 200 characters."""
    if len(text) > 200 or not text.isprintable():
        raise ProblemError("a text of at most 200 characters on one line is meant here")
    return text


def day_item(text: str) -> str:
    """`DAY/ITEM`: a drill in the plan of a day."""
    day, slash, item = text.partition("/")
    if not (day and slash and item) or "/" in item:
        raise ProblemError(f"`{text}` is no drill of a day; write `DAY/ITEM` as its plan has them")
    return word(text)


def time_of(text: str) -> datetime.datetime:
    """`2026-11-03T14:52:07Z`, or a day, which is its first moment in UTC."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ProblemError(
            f"`{text}` is no time; write one such as `2026-11-03T14:52:07Z`, or `2026-11-03`"
        ) from None
    if found.tzinfo is None:
        if len(text) > len("2026-11-03"):
            raise ProblemError(f"`{text}` has no time zone; write `{text}Z` for UTC")
        found = found.replace(tzinfo=datetime.UTC)
    return found.astimezone(datetime.UTC)


def seconds(text: str) -> float:
    """A number of seconds that is not negative."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise ProblemError(f"`{text}` is no number of seconds; write one such as `900`")
    return found


def tier(text: str) -> int:
    """A whole number from 0 to 9."""
    if not (len(text) == 1 and text.isascii() and text.isdigit()):
        raise ProblemError(f"`{text}` is no tier; write a digit, 0 is the highest")
    return int(text)


def one_of(*allowed: str) -> Callable[[str], str]:
    """A reader of one of these words."""

    def read(text: str) -> str:
        found = text.lower().replace("-", "_").replace(" ", "_")
        if found not in allowed:
            raise ProblemError(f"`{text}` is none of `{'`, `'.join(allowed)}`")
        return found

    return read
