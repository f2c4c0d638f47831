"""The page of two runs over each other: one file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from gameday.report.compared_figure import figure_of_two
from gameday.report.compared_runs import RunsCompared, Side
from gameday.report.compared_text import CHANCE, sentence_of, tables
from gameday.report.drawing import Drawing, DrawingError, drawn
from gameday.report.html import Live, filled
from gameday.report.markdown import CHANGES

_TONES = {"worse": "fail", "better": "pass", "no_change_shown": "pass", "not_compared": "unknown"}


def render_page(
    found: RunsCompared, before: Side, now: Side, *, draw: Callable[[Any], Drawing] = drawn
) -> str:
    """The whole page. A figure that cannot be drawn is told in it; the tables stand.

    Without JavaScript the figure is a picture, which cannot be zoomed.
    """
    figure, picture, live, why = figure_of_two(before, now), "", None, ""
    if figure is None:
        why = "one of the two runs has no load"
    else:
        try:
            drawing = draw(figure.spec)
            svg = base64.b64encode(drawing.svg.encode()).decode()
            picture = f"data:image/svg+xml;base64,{svg}"
            live = Live(spec=figure.spec, script=drawing.script)
        except DrawingError as error:
            why = str(error)
    return filled(
        "compared.html",
        live,
        found=found,
        word=CHANGES[found.change].replace("*", ""),
        tone=_TONES[found.change.value],
        sentence=sentence_of(found),
        tables=tables(found),
        figure=figure,
        picture=picture,
        why=why,
        chance=CHANCE,
    )
