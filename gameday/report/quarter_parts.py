"""What a section of a quarter's page is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gameday.model.quarter_report import CoverageMap, Number, Quarter
from gameday.report.page import Table
from gameday.report.quarter_text import NAMES, value_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a section: a map, tables, or the name of a figure, maybe behind a `fold`."""

    title: str = ""
    map: CoverageMap | None = None
    figure: str = ""
    caption: str = ""
    tables: Sequence[Table] = ()
    fold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the page."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Block]


def groups(quarter: Quarter) -> list[tuple[str, str]]:
    """Environments and kinds, GameDays of the most important one first."""
    return [(one.environment, one.kind) for one in quarter.maps]


def fold(place: int, name: str) -> str:
    """Everything but what leads stands behind its name."""
    return "" if place == 0 else name


def numbers_of(
    quarter: Quarter, group: tuple[str, str], *names: str, prefix: str = ""
) -> list[Number]:
    """Numbers of one environment and kind; *prefix* chooses over what they are."""
    order = {name: place for place, name in enumerate(names)}
    found = [
        one
        for one in quarter.numbers
        if one.name in order
        and (one.environment, one.kind) == group
        and (one.subject.startswith(f"{prefix}:") if prefix else not one.subject)
    ]
    return sorted(found, key=lambda one: (one.subject, order[one.name]))


def times(name: str, caption: str, numbers: Iterable[Number], *columns: str) -> Table:
    """One line a subject, one column a number."""
    rows: dict[str, dict[str, str]] = {}
    for one in numbers:
        rows.setdefault(one.subject.partition(":")[2], {})[one.name] = value_text(one)
    shown = [name for name in columns if any(name in of for of in rows.values())]
    return Table(
        id=name,
        caption=caption,
        head=["", *(NAMES[column].lower() for column in shown)],
        rows=[[subject, *(of.get(c, "") for c in shown)] for subject, of in rows.items()],
    )
