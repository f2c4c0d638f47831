"""Two runs in one figure: latency and rates on one time axis, moved so that their faults meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gameday.model.units import format_ms
from gameday.report.compared_runs import Side
from gameday.report.figure import SCHEMA, WIDTH, config, zoom_of
from gameday.report.figure_lanes import Bar, lanes_of
from gameday.report.figure_parts import PARAMS, Json, Panel, panel_of
from gameday.report.figure_series import QUANTILES, Series, series_of

NAMES = ("before", "after")
COLOURS = ("#868e96", "#2f7fc1")
_DASHES = ([6, 3], [1, 0])
_SHADES = ("#868e96", "#e0a100")
_RATES = {"asked": "asked", "good": "good", "failed": "failed, or cut off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFigure:
    """The definition, one sentence for those who do not see it, and what has to be said beside."""

    spec: Json
    summary: str
    captions: tuple[str, ...]


def figure_of_two(before: Side, now: Side) -> ComparedFigure | None:
    """The figure; None where one of the two has no load to draw."""
    sides = (before, now)
    series = tuple(series_of(side.plan, side.timeline) for side in sides)
    if not all(one.bins for one in series):
        return None
    moves = _moves(sides)
    end_ms = max(one.end_ms + move for one, move in zip(series, moves, strict=True))
    panels = [
        *_latency(series),
        *(_panel("rates", f, f"{_RATES[f]} requests a second") for f in _RATES),
    ]
    summary = (
        f"{len(panels)} panels over one time axis of {format_ms(end_ms)}: latency and rates of "
        "both runs; their faults are shaded. The tables below say the same in numbers."
    )
    last = panels[-1]
    spec: Json = {
        "$schema": SCHEMA,
        "description": summary,
        "usermeta": {
            "end_ms": end_ms,
            "bin_ms": max(one.bin_ms for one in series),
            "runs": list(NAMES),
        },
        "background": {"expr": "ground"},
        "padding": 6,
        "params": [*PARAMS, zoom_of(panels)],
        "datasets": _datasets(sides, series, moves),
        "vconcat": [
            panel_of(panel, width=WIDTH, end_ms=end_ms, axis=panel is last) for panel in panels
        ],
        "spacing": 12,
        "resolve": {"scale": {"x": "shared"}},
        "config": config(),
    }
    return ComparedFigure(spec=spec, summary=summary, captions=tuple(_captions(moves, series)))


def _moves(sides: Sequence[Side]) -> tuple[int, ...]:
    """By how much each run is drawn later (ms), so that their first faults were in at one place."""
    ons = [min((row.on_ms for row in s.report.faults if row.on_ms is not None), default=None)
           for s in sides]  # fmt: skip
    known = [on for on in ons if on is not None]
    if len(known) < len(sides):
        return (0, 0)
    return tuple(max(known) - on for on in known)


def _latency(series: Sequence[Series]) -> list[Panel]:
    """A panel for each percentile that can be drawn of both runs."""
    drawn = [q for q in QUANTILES if all(q in one.window_ms for one in series)]
    return [_panel("quantiles", q, f"{q} of good answers (ms, log scale)", log=True) for q in drawn]


def _panel(data: str, name: str, title: str, *, log: bool = False) -> Panel:
    scale: Json = {"type": "log"} if log else {"zero": True}
    channels: Json = {
        "color": {
            "field": "run", "type": "nominal",
            "scale": {"domain": list(NAMES), "range": list(COLOURS)},
        },
        "strokeDash": {
            "field": "run", "type": "nominal",
            "scale": {"domain": list(NAMES), "range": list(_DASHES)},
        },
    }  # fmt: skip
    y: Json = {"field": "y", "type": "quantitative", "scale": scale,
               "axis": {"title": None, "tickCount": 4}}  # fmt: skip
    layer: Json = {
        "data": {"name": data},
        "transform": [{"filter": f"datum.name === '{name}'"}],
        "mark": {"type": "line", "clip": True, "strokeWidth": 1.8},
        "encoding": {"x": {"field": "t", "type": "temporal"}, "y": y, **channels},
    }
    return Panel(name=f"{data}_{name}", title=title[:1].upper() + title[1:] if not log else title,
                 height=95, layers=[layer], load=False)  # fmt: skip


def _datasets(sides: Sequence[Side], series: Sequence[Series], moves: Sequence[int]) -> Json:
    runs = list(zip(NAMES, sides, series, moves, _SHADES, strict=True))
    return {
        "one": [{}],
        "gaps": [],
        "stops": [
            {"t": stop.at_ms + move, "text": f"{name}: {stop.text}"}
            for name, side, one, move, _ in runs
            for stop in lanes_of(side.plan, side.timeline, one.end_ms).stops
        ],
        "shade": [
            {"t": bar.start_ms + move, "over": bar.end_ms + move, "fill": shade}
            for _, side, one, move, shade in runs
            for bar in _faults(side, one)
        ],
        "quantiles": [
            {"run": name, "name": w.name, "t": at_ms + move, "y": w.value_ms}
            for name, _, one, move, _ in runs
            for w in one.quantiles
            for at_ms in (w.start_ms, w.end_ms)
        ],
        "rates": [
            {"run": name, "name": kind, "t": b.at_ms + one.bin_ms // 2 + move, "y": value}
            for name, _, one, move, _ in runs
            for b in one.bins
            for kind, value in (
                ("asked", b.asked),
                ("good", b.good),
                ("failed", None if b.ended is None or b.good is None else b.ended - b.good),
            )
        ],
    }


def _faults(side: Side, series: Series) -> Iterable[Bar]:
    return lanes_of(side.plan, side.timeline, series.end_ms).faults


def _captions(moves: Sequence[int], series: Sequence[Series]) -> Iterable[str]:
    yield "Grey and dashed: the run before. Blue: the run after. Shaded: the faults of each."
    moved = [(name, ms) for name, ms in zip(NAMES, moves, strict=True) if ms]
    for name, ms in moved:
        yield (
            f"The run {name} is drawn {format_ms(ms)} later than it was, so that the first faults "
            "of both were in at the same place."
        )
    if not moved:
        yield "Both stand at their own run time."
    for name, one in zip(NAMES, series, strict=True):
        yield f"Rates of the run {name} are means over {format_ms(one.bin_ms)}."
    yield "Percentiles are of good answers alone; a window with too few of them is a gap."
    missing = [q for q in QUANTILES if not all(q in one.window_ms for one in series)]
    if missing:
        yield f"Too few good answers to draw {' and '.join(missing)} of both."
