"""THE figure of a run: one Vega-Lite definition, for the page, for the SVG and for the PNG.

Swim lanes over latency, rates, what is under way and how fast the budgets burn: one time axis, the
same shading of faults on every panel, zoom and cursor linked. The definition is plain data; text
from outside stands in it as data only, never as an expression. Pure.

Colours are those that people with any colour vision tell apart, and none of them stands alone:
failed requests have another shape, percentiles another dash, alerts a mark or a dashed edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.units import format_ms
from gameday.report.figure_lanes import Lanes, lanes_of
from gameday.report.figure_panels import burn_panel, latency_panel, load_panels
from gameday.report.figure_parts import PARAMS, Json, Panel, datasets_of, panel_of
from gameday.report.figure_series import KINDS, Series, series_of

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH = 860
LANE_HEIGHT = 21
#: Room for the names of lanes, the same on every panel so that the panels stand in line.
LABELS_WIDTH = 128
#: A word in a bar is cut to what fits, also when zoomed.
_ROOM = "max(1, scale('x', datum.over) - scale('x', max(datum.t, domain('x')[0])) - 8)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The definition, what has to be said beside it, and the same as tables."""

    spec: Json
    summary: str
    captions: tuple[str, ...]
    series: Series
    lanes: Lanes


def figure_of(plan: Plan, timeline: Timeline) -> Figure | None:
    """The figure of a run; None where nothing was begun that could be drawn."""
    if timeline.first("run.opened") is None:
        return None
    series = series_of(plan, timeline)
    lanes = lanes_of(plan, timeline, series.end_ms)
    if not lanes.names and not series.bins:
        return None
    slow = {s.name: s.latency_ms for s in plan.service.slos if s.latency_ms is not None}
    panels = [_lane_panel(lanes)] if lanes.names else []
    if series.bins:
        panels += [latency_panel(series, slow), *load_panels(series)]
    if any(point.rate is not None for point in series.burn):
        panels.append(burn_panel(series))
    summary = _summary(series, lanes, panels)
    return Figure(
        spec=_spec(panels, series, lanes, summary),
        summary=summary,
        captions=tuple(_captions(series, lanes)),
        series=series,
        lanes=lanes,
    )


def _spec(panels: Sequence[Panel], series: Series, lanes: Lanes, summary: str) -> Json:
    last = panels[-1]
    return {
        "$schema": SCHEMA,
        "description": summary,
        "usermeta": {"end_ms": series.end_ms, "bin_ms": series.bin_ms},
        "background": {"expr": "ground"},
        "padding": 6,
        "params": [
            *PARAMS,
            zoom_of(panels),
        ],
        "datasets": datasets_of(series, lanes),
        "vconcat": [
            panel_of(panel, width=WIDTH, end_ms=series.end_ms, axis=panel is last)
            for panel in panels
        ],
        "spacing": 12,
        "resolve": {
            "scale": {"x": "shared", "color": "independent", "strokeDash": "independent"},
            "legend": {"color": "independent", "strokeDash": "independent"},
        },
        "config": config(),
    }


def zoom_of(panels: Sequence[Panel]) -> Json:
    """One zoom of the time axis, which all *panels* follow."""
    return {
        "name": "zoom",
        "select": {
            "type": "interval",
            "encodings": ["x"],
            # the wheel alone scrolls the page
            "zoom": "wheel![event.ctrlKey || event.metaKey]",
        },
        "bind": "scales",
        "views": [f"view_{panel.name}" for panel in panels],
    }


def config() -> Json:
    """How everything looks that no panel says itself."""
    ink, soft, faint = {"expr": "ink"}, {"expr": "soft"}, {"expr": "faint"}
    return {
        "font": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "view": {"stroke": faint},
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "domainColor": faint,
            "tickColor": faint,
            "gridColor": faint,
            "gridOpacity": 0.6,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "axisY": {"minExtent": LABELS_WIDTH, "maxExtent": LABELS_WIDTH},
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": ink,
            "fontSize": 12.5,
            "fontWeight": 600,
            "subtitleColor": soft,
            "subtitleFontSize": 11,
            "offset": 6,
        },
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "title": None,
            "offset": 4,
            "labelColor": soft,
            "labelFontSize": 11,
            "labelLimit": 260,
            "symbolSize": 90,
            "symbolStrokeWidth": 2,
            "columnPadding": 12,
        },
    }


_START: Json = {"field": "t", "type": "temporal"}
_TIP: Json = {"field": "text", "type": "nominal"}


def _lane_panel(lanes: Lanes) -> Panel:
    y: Json = {
        "field": "lane",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": list(lanes.names), "paddingInner": 0.28, "paddingOuter": 0.14},
        "axis": {
            "title": None,
            "grid": False,
            "ticks": False,
            "domain": False,
            "labelLimit": LABELS_WIDTH - 8,
            "labelFontSize": 12,
        },
    }
    return Panel(
        name="lanes",
        title="What happened",
        subtitle="dashed: alert pending · filled: firing, ! if not expected · ▼ delivered · "
        "● people · dark edge of a fault: its call",
        height=len(lanes.names) * LANE_HEIGHT,
        load=False,
        layers=(_lane_bars(y), _lane_words(y), _lane_dots(y)),
    )


def _lane_bars(y: Json) -> Json:
    fill: Json = {"field": "fill", "type": "nominal", "scale": None}
    call = {"test": "datum.style === 'call'", "value": {"expr": "ink"}}
    dashed = {"test": "datum.style === 'pending'", "value": [3, 2]}
    return {
        "data": {"name": "bars"},
        "mark": {"type": "bar", "clip": True, "cornerRadius": 2, "strokeWidth": 1.4},
        "encoding": {
            "x": _START,
            "x2": {"field": "over"},
            "y": y,
            "fill": {"condition": call, **fill},
            "fillOpacity": {"field": "o", "type": "quantitative", "scale": None, "legend": None},
            "stroke": {**fill, "field": "edge"},
            "strokeDash": {"condition": dashed, "value": [1, 0]},
            "tooltip": _TIP,
        },
    }


def _lane_words(y: Json) -> Json:
    return {
        "data": {"name": "bars"},
        "transform": [{"filter": "datum.label !== ''"}],
        "mark": {
            "type": "text",
            "align": "left",
            "baseline": "middle",
            "dx": 5,
            "clip": True,
            "fontSize": 11,
            "color": {"expr": "ink"},
            "limit": {"expr": _ROOM},
        },
        "encoding": {"x": _START, "y": y, "text": {"field": "label"}, "tooltip": _TIP},
    }


def _lane_dots(y: Json) -> Json:
    styles, shapes = ["delivered", "person", "stop"], ["triangle-down", "circle", "square"]
    return {
        "data": {"name": "dots"},
        "mark": {
            "type": "point",
            "filled": True,
            "size": 80,
            "clip": True,
            "opacity": 1,
            "stroke": {"expr": "ground"},
            "strokeWidth": 1,
        },
        "encoding": {
            "x": _START,
            "y": y,
            "shape": {
                "field": "style",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": styles, "range": shapes},
            },
            "fill": {"field": "fill", "type": "nominal", "scale": None},
            "tooltip": _TIP,
        },
    }


def _summary(series: Series, lanes: Lanes, panels: Sequence[Panel]) -> str:
    """One sentence for those who do not see it."""
    titles = ", ".join(panel.title[:1].lower() + panel.title[1:] for panel in panels)
    return (
        f"{len(panels)} panels over one time axis of {format_ms(series.end_ms)}: {titles}; "
        f"{len(lanes.faults)} fault{'s' if len(lanes.faults) != 1 else ''} shaded on each. "
        "The tables below say the same."
    )


def _captions(series: Series, lanes: Lanes) -> Iterable[str]:
    """How the numbers were cut down, and what was left out."""
    if series.bins:
        width = format_ms(series.bin_ms)
        yield (
            f"Each cell counts requests that were meant to start within {width}, "
            f"{series.per_decade} cells to a power of ten of latency; darker is more. "
            f"{series.n} requests are shown, every one counted in a cell."
        )
        drawn = [f"{name} over {format_ms(ms)}" for name, ms in series.window_ms.items()]
        missing = [q for q in ("p50", "p95", "p99") if q not in series.window_ms]
        if drawn:
            yield (
                f"Percentiles are of good answers alone, in windows that hold enough of them: "
                f"{', '.join(drawn)}; a window with too few is a gap."
            )
        if missing:
            yield f"Too few good answers to draw {' and '.join(missing)}."
        yield "Asked counts visits that were due; finished and good count requests."
        if any(cell.kind == KINDS[2] for cell in series.heat):
            yield "Grey dots: requests under way while a connection was being cut; never judged."
    if series.gaps:
        lost = sum(b - a for a, b in series.gaps)
        yield f"The load told nothing for {format_ms(lost)}; these stretches are drawn as gaps."
    if series.bins and not series.burn:
        yield "The service has no objective, so there is no burn rate."
    if lanes.left_out:
        yield f"{lanes.left_out} alerts share one lane."
