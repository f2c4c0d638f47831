"""What all panels of the figure share: the time axis, shading, stops, gaps, cursor, and the data.

Colours that follow the page's theme are parameters (`ink`, `soft`, …); the page sets them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gameday.report.figure_lanes import Bar, Lanes
from gameday.report.figure_series import Series

Json: TypeAlias = dict[str, Any]

OK, FAILED, EDGE = "#2f7fc1", "#d6336c", "#868e96"
EXPECTED, OTHER, PERSON, STOP = "#148f76", "#d9730d", "#6f4fd0", "#d6336c"
PHASE = "#8793a3"
#: One a fault, in its order; again from the first after the last.
FAULTS = ("#e0a100", "#b8509f", "#3a8fb7", "#7a8b00")

#: The theme of a picture on white paper; the page sets them to its own.
LIGHT: Mapping[str, str] = {
    "ink": "#16202b",
    "soft": "#4d5a68",
    "faint": "#cfd6dd",
    "ground": "#ffffff",
}
#: `cursor` is the run time (ms) that is looked at; negative: none.
PARAMS: Sequence[Json] = (
    *({"name": name, "value": value} for name, value in LIGHT.items()),
    {"name": "cursor", "value": -1},
)
CURSOR: Json = {
    "data": {"name": "one"},
    "transform": [{"calculate": "cursor", "as": "t"}],
    "mark": {
        "type": "rule",
        "clip": True,
        "color": {"expr": "ink"},
        "opacity": {"expr": "cursor < 0 ? 0 : 0.75"},
    },
    "encoding": {"x": {"field": "t", "type": "temporal"}},
}
_SHADE: Json = {
    "data": {"name": "shade"},
    "mark": {"type": "rect", "clip": True, "opacity": 0.15, "tooltip": None},
    "encoding": {
        "x": {"field": "t", "type": "temporal"},
        "x2": {"field": "over"},
        "fill": {"field": "fill", "type": "nominal", "scale": None},
    },
}
_SHADE_EDGES: Json = {
    "data": {"name": "shade"},
    "transform": [{"fold": ["t", "over"], "as": ["side", "edge"]}],
    "mark": {"type": "rule", "clip": True, "strokeWidth": 1.2, "strokeDash": [5, 2]},
    "encoding": {
        "x": {"field": "edge", "type": "temporal"},
        "stroke": {"field": "fill", "type": "nominal", "scale": None},
    },
}
_STOPS: Json = {
    "data": {"name": "stops"},
    "mark": {"type": "rule", "clip": True, "color": STOP, "strokeWidth": 1.6},
    "encoding": {
        "x": {"field": "t", "type": "temporal"},
        "tooltip": {"field": "text", "type": "nominal"},
    },
}
_GAPS: Json = {
    "data": {"name": "gaps"},
    "mark": {
        "type": "rect",
        "clip": True,
        "fillOpacity": 0.12,
        "fill": {"expr": "soft"},
        "stroke": {"expr": "soft"},
        "strokeDash": [1, 3],
    },
    "encoding": {"x": {"field": "t", "type": "temporal"}, "x2": {"field": "over"}},
}
_GAP_WORDS: Json = {
    "data": {"name": "gaps"},
    "mark": {
        "type": "text",
        "clip": True,
        "align": "left",
        "baseline": "top",
        "dx": 3,
        "dy": 4,
        "fontSize": 10,
        "y": 0,
        "text": "no data",
        "color": {"expr": "soft"},
    },
    "encoding": {"x": {"field": "t", "type": "temporal"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: its own layers, drawn over what all panels share."""

    name: str
    title: str
    height: int
    layers: Sequence[Json]
    subtitle: str = ""
    load: bool = True  # it shows the load, so gaps of the load are gaps of it


def panel_of(panel: Panel, *, width: int, end_ms: int, axis: bool) -> Json:
    """The view of *panel*; only the last one writes the times under its axis."""
    hours = end_ms >= 3_600_000
    time_axis: Json = {
        "title": "run time (h:min:s)" if hours else "run time (min:s)",
        "format": "%-H:%M:%S" if hours else "%-M:%S",
        "labelOverlap": True,
        "labelFlush": True,
    }
    if not axis:
        time_axis = {**time_axis, "labels": False, "title": None, "ticks": False}
    x: Json = {
        "type": "temporal",
        "axis": {**time_axis, "grid": True, "tickCount": {"expr": "max(3, floor(width / 90))"}},
    }
    shared = [_SHADE, _SHADE_EDGES, *([_GAPS, _GAP_WORDS] if panel.load else [])]
    layers = [_on(layer, x, end_ms) for layer in (*shared, *panel.layers, _STOPS, CURSOR)]
    layers[0] = {"name": f"view_{panel.name}", **layers[0]}
    title: Json = {"text": panel.title}
    if panel.subtitle:
        title["subtitle"] = panel.subtitle
    return {"title": title, "width": width, "height": panel.height, "layer": layers}


def _on(layer: Json, x: Json, end_ms: int) -> Json:
    """*layer* on the time axis that all share.

    Its domain is said by the layers without `x2`: with it the library reads it as mere numbers.
    """
    encoding = layer["encoding"]
    if "value" in encoding["x"]:
        return layer
    scale = (
        {"type": "utc"}
        if "x2" in encoding
        else {"type": "utc", "domain": [{"expr": "0"}, {"expr": f"{end_ms}"}]}
    )
    return {**layer, "encoding": {**encoding, "x": {**x, "scale": scale, **encoding["x"]}}}


def datasets_of(series: Series, lanes: Lanes) -> Json:
    """All data of the figure, by name."""
    colour = {
        lane: FAULTS[place % len(FAULTS)]
        for place, lane in enumerate(dict.fromkeys(bar.lane for bar in lanes.faults))
    }
    least_ms = max(1, series.end_ms // 400)
    return {
        "one": [{}],
        "bars": [_bar(bar, colour, least_ms) for bar in lanes.bars],
        "dots": [
            {"lane": d.lane, "style": d.style, "t": d.at_ms, "text": d.text, "fill": _DOTS[d.style]}
            for d in lanes.dots
        ],
        "shade": [
            {"t": bar.start_ms, "over": bar.end_ms, "fill": colour[bar.lane]}
            for bar in lanes.faults
        ],
        "stops": [{"t": stop.at_ms, "text": stop.text} for stop in lanes.stops],
        "gaps": [{"t": a, "over": b} for a, b in series.gaps],
        "heat": [{"t": c.at_ms, "i": c.index, "k": c.kind, "n": c.n} for c in series.heat],
        "quantiles": [
            {"q": w.name, "t": at_ms, "ms": _short(w.value_ms)}
            for w in series.quantiles
            for at_ms in (w.start_ms, w.end_ms)
        ],
        "load": [
            {
                "t": b.at_ms + series.bin_ms // 2,
                "asked": _short(b.asked),
                "ended": _short(b.ended),
                "good": _short(b.good),
                "under_way": b.in_flight,
                "oldest": b.oldest_ms,
            }
            for b in series.bins
        ],
        "burn": [{"t": p.at_ms, "slo": p.slo, "x": _short(p.rate)} for p in series.burn],
    }


_DOTS = {"delivered": EXPECTED, "person": PERSON, "stop": STOP}
#: Style of a bar -> its colour and how much of it is filled.
_BARS = {
    "phase": (PHASE, 0.22),
    "pending": (EXPECTED, 0.0),
    "expected": (EXPECTED, 0.85),
    "other": (OTHER, 0.85),
    "known": (PHASE, 0.5),
    "step_ok": (PERSON, 0.7),
    "step_failed": (STOP, 0.7),
}


def _bar(bar: Bar, colour: Mapping[str, str], least_ms: int) -> Json:
    """A bar is never too narrow to be seen; its times stand in its text."""
    if bar.style in ("fault", "call"):
        fill, opacity = colour.get(bar.lane, FAULTS[0]), 0.6 if bar.style == "fault" else 1.0
    else:
        fill, opacity = _BARS[bar.style]
    label = bar.text if bar.style == "phase" else "!" if bar.style == "other" else ""
    return {
        "lane": bar.lane,
        "style": bar.style,
        "t": max(0, bar.start_ms),
        "over": max(bar.start_ms + least_ms, bar.end_ms, least_ms),
        "text": bar.text,
        "label": label + (" →" if bar.open and bar.style != "call" else ""),
        "fill": fill,
        "o": opacity,
        "edge": fill,
    }


def _short(value: float | None) -> float | int | None:
    """Four figures are more than one can see."""
    if value is None:
        return None
    short = float(f"{value:.4g}")
    return int(short) if short == int(short) else short
