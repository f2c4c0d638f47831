"""The files of a quarter: the page, Markdown, JSON, and every table as comma-separated values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.model.quarter_report import Cell, Quarter, Sheet
from gameday.report import html, quarter_markdown
from gameday.report.drawing import DrawingError, pictures
from gameday.report.json_ import plain
from gameday.report.pages import put
from gameday.report.quarter_figure import figures
from gameday.report.text import encodable

PAGE, MARKDOWN, JSON = "report.html", "report.md", "quarter.json"
#: Tables that are fields of the document under other names: numbers, maps, dots, flow.
_FIELDS = ("kpis", "coverage", "detections", "findings_flow")
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_quarter(
    folder: Path,
    quarter: Quarter,
    *,
    draw: Callable[[Mapping[str, Any]], Mapping[str, str]] = pictures,
) -> list[Path]:
    """Write all files into *folder*. Raises `OSError` if one cannot be written.

    Figures that cannot be drawn are told on the page; its tables say the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    specs = figures(quarter)
    with ThreadPoolExecutor(max_workers=1) as beside:  # it waits for another process
        drawing = beside.submit(draw, specs) if specs else None
        texts = {f"{sheet.name}.csv": render_csv(sheet) for sheet in quarter.sheets}
        texts = {MARKDOWN: quarter_markdown.render(quarter), JSON: render_json(quarter), **texts}
        written = [put(folder / name, text.encode()) for name, text in texts.items()]
    drawn: Mapping[str, str] = {}
    why = ""
    try:
        drawn = drawing.result() if drawing is not None else {}
    except DrawingError as error:
        why = str(error)
    page = html.render_quarter(quarter, drawn, why, sorted(texts))
    return [put(folder / PAGE, page.encode()), *written]


def render_json(quarter: Quarter) -> str:
    """The whole report; tables as columns and rows, those left out that are fields of their own."""
    sheets = tuple(one for one in quarter.sheets if one.name not in _FIELDS)
    quarter = replace(quarter, sheets=sheets, pages={})
    return json.dumps(plain(quarter), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def render_csv(sheet: Sheet) -> str:
    """One table. What is not known is empty; what looks like a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows([_cell(cell) for cell in row] for row in sheet.rows)
    return out.getvalue()


def _cell(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if not isinstance(cell, str):
        return cell
    text = encodable(" ".join(cell.split()))
    return f"'{text}" if text.startswith(_FORMULA) else text
