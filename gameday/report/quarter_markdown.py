"""`report.md` of a quarter: the same sections as the page, with maps as tables."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.quarter_report import CoverageMap, MapCell, Quarter
from gameday.report import quarter_page
from gameday.report.mdtext import one_line, sentence, table
from gameday.report.quarter_parts import Block, Section

_FOLDED = ("appendix",)


def render(quarter: Quarter) -> str:
    """The whole file."""
    lines = [f"# {quarter.period}{', so far' if quarter.running else ''}", ""]
    lines += [f"- {sentence(one)}" for one in quarter.sentences]
    lines += ["", *_cards(quarter), "", *_exposures(quarter), "", *_decisions(quarter)]
    for one in quarter_page.sections(quarter):
        if one.id not in _FOLDED:
            lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _cards(quarter: Quarter) -> Iterator[str]:
    rows = [(c.title, f"**{c.value}**", c.detail, c.before) for c in quarter_page.cards(quarter)]
    yield from table(["", "value", "of", "last quarter"], rows)


def _exposures(quarter: Quarter) -> Iterator[str]:
    yield "## Top exposures"
    yield ""
    for one in quarter.exposures:
        tier = "" if one.tier is None else f", tier {one.tier}"
        late = ", overdue" if one.overdue else ""
        text = (
            f"**{one.severity}**: {one.title} ({one.service}{tier}; "
            f"{one.owner or 'nobody has it'}; due {one.due}{late}; {one.id})"
        )
        yield f"1. {one_line(text)}"
    if not quarter.exposures:
        yield "None is known."


def _decisions(quarter: Quarter) -> Iterator[str]:
    yield "## Decisions asked for"
    yield ""
    yield from (f"1. {sentence(one)}" for one in quarter.decisions)
    if not quarter.decisions:
        yield "None."


def _section(one: Section) -> Iterator[str]:
    yield f"## {one.title}"
    yield ""
    yield sentence(one.lead)
    for found in one.blocks:
        yield from _block(found)


def _block(one: Block) -> Iterator[str]:
    if one.title:
        yield ""
        yield f"### {one_line(one.title)}"
    if one.map is not None:
        yield ""
        yield from _map(one.map)
    for found in one.tables:
        if found.title:
            yield ""
            yield f"#### {one_line(found.title)}"
        if found.rows:
            yield ""
            yield from table(found.head, found.rows)
        if found.notes:
            yield ""
            yield from (f"- {sentence(note)}" for note in found.notes)


def _map(one: CoverageMap) -> Iterator[str]:
    rows = [[name, *map(_cell, cells)] for name, cells in quarter_page.map_rows(one)]
    yield from table(["", *(one_line(mode).replace("|", "\\|") for mode in one.modes)], rows)


def _cell(cell: MapCell) -> str:
    if not cell.letter:
        return "never" if cell.needed else "·"
    old = "" if cell.fresh else " (old)"
    return f"**{cell.letter}** {cell.age_days} d{old}"
