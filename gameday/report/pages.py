"""`report.html`, and the figure as pictures, as files of a run directory.

They come after every other report is written: drawing takes seconds and may fail, and neither may
lose the verdict. Each file is put in place in one step; a picture that could not be drawn again is
taken away, so that none of another state of the run stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.report import html, markdown
from gameday.report.drawing import Drawing, DrawingError, drawn
from gameday.report.figure import Figure, figure_of
from gameday.report.page import RAW, page_of

PAGE, SVG, PNG = "report.html", "overview.svg", "overview.png"
#: Set to `off`, nothing is drawn: for machines on which three seconds a run matter.
SWITCH = "GAMEDAY_FIGURE"


def write_pages(
    run_dir: Path,
    plan: Plan,
    timeline: Timeline,
    report: Report,
    *,
    draw: Callable[[Any], Drawing] = drawn,
) -> list[Path]:
    """Draw the figure and write the page, the pictures, and `report.md` with the picture in it.

    Raises `OSError` if a file cannot be written; a figure that cannot be drawn is told in them.
    """
    figure, drawing, why = _drawn(plan, timeline, draw)
    written = []
    if drawing is not None:
        written.append(put(run_dir / SVG, drawing.svg.encode()))
        written.append(put(run_dir / PNG, drawing.png))
    else:
        (run_dir / SVG).unlink(missing_ok=True)
        (run_dir / PNG).unlink(missing_ok=True)
    written.append(put(run_dir / "report.md", _with_picture(report, drawing, why).encode()))
    beside = [name for name, _ in RAW if (run_dir / name).exists()]
    script = "" if drawing is None else drawing.script
    page = page_of(report, plan, timeline)
    text = html.render(page, html.Drawn(figure=figure, script=script, why=why), beside)
    written.append(put(run_dir / PAGE, text.encode()))
    return written


def put(path: Path, content: bytes) -> Path:
    """Write *path* in one step: a reader never sees half of it."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    os.replace(draft, path)  # noqa: PTH105 - the same call as for the other reports
    return path


def _drawn(
    plan: Plan, timeline: Timeline, draw: Callable[[Any], Drawing]
) -> tuple[Figure | None, Drawing | None, str]:
    """The figure, what was drawn of it, and why it was not; "" where there is none to draw."""
    try:
        figure = figure_of(plan, timeline)
    except Exception as error:  # noqa: BLE001 - the verdict and what is dirty must be told anyway
        what = f"{type(error).__name__}: {error}"
        return None, None, f"by a bug of ours, please report it: {what}"
    if figure is None:
        return None, None, ""
    if os.environ.get(SWITCH, "").lower() == "off":
        return figure, None, f"`{SWITCH}=off` says so"
    try:
        return figure, draw(figure.spec), ""
    except DrawingError as error:
        return figure, None, str(error)
    except KeyboardInterrupt:
        return figure, None, "it was interrupted"


def _with_picture(report: Report, drawing: Drawing | None, why: str) -> str:
    """`report.md` with the picture, or with why there is none, after the answer."""
    line = ""
    if drawing is not None:
        line = f"[![The run at a glance]({PNG})]({SVG})"
    elif why and not why.startswith("`"):
        line = f"The figure could not be drawn: {markdown.one_line(why)}."
    return markdown.render(report, line)
