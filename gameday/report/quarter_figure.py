"""The figures of a quarter as Vega-Lite: detections, outcomes, and the flow of findings.

Colours are those of the run's figure; none stands alone, and every figure has its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from gameday.model.quarter_report import Cell, Dot, Quarter, Sheet

Json: TypeAlias = dict[str, Any]
INK, SOFT, FAINT = "#16202b", "#4d5a68", "#cfd6dd"
SEEN, BEFORE, MISSED = "#2f7fc1", "#a9b5c1", "#d6336c"
_WORDS = {
    "detected": "#2f7fc1", "late": "#e0a100", "missed": "#d6336c", "unexpected": "#6f4fd0",
    "not_known": "#cfd6dd",
}  # fmt: skip
_RESTORED = {
    "self_healed": "#2f7fc1", "runbook": "#148f76", "responder": "#6f4fd0",
    "cleared_by_runner": "#e0a100", "not_restored": "#d6336c", "absorbed": "#9fc3e2",
    "not_measured": "#cfd6dd",
}  # fmt: skip
_STEPS = {"opened": "#d6336c", "claimed": "#e0a100", "verified": "#148f76", "regressed": "#6f4fd0"}
_DASHES = {"opened": [1, 0], "claimed": [6, 3], "verified": [2, 2], "regressed": [8, 3, 2, 3]}
WIDTH = 760
_MS = (
    "datum.value >= 60000 ? format(datum.value / 60000, '~g') + ' min' : "
    "datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : datum.value + ' ms'"
)
_TICKS = (100, 300, 1_000, 3_000, 10_000, 30_000, 60_000, 180_000, 600_000, 1_800_000, 3_600_000)


def figures(quarter: Quarter) -> dict[str, Json]:
    """Name -> definition: one of detections and of outcomes for each environment and kind."""
    found: dict[str, Json] = {}
    for group in dict.fromkeys(f"{m.environment} {m.kind}" for m in quarter.maps):
        name = slug(group)
        dots = [dot for dot in quarter.dots if dot.group == group]
        if dots:
            found[f"strip-{name}"] = strip(dots)
        for sheet, words in (("alerts", _WORDS), ("restored", _RESTORED)):
            if bars := _bars(quarter, sheet, group, words):
                found[f"{sheet}-{name}"] = bars
    if quarter.flow:
        found["flow"] = flow(quarter.flow)
    return found


def slug(text: str) -> str:
    """A part of an id and of a file name."""
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in text.lower())


def strip(dots: Sequence[Dot]) -> Json:
    """A line for each scenario: a dot each detection, hollow at the ceiling if it was missed."""
    ceiling = max(1_000, *(d.ms for d in dots), *(d.within_ms for d in dots)) * 1.3
    least = max(100, 0.8 * min((d.ms for d in dots if d.ms > 0), default=100))
    rows = [
        {"scenario": _short(d.scenario), "ms": max(d.ms, least) if d.seen else ceiling,
         "what": _what(d), "quarter": "this quarter" if d.current else "last quarter",
         "text": f"{d.run}: {'after' if d.seen else 'not in'} {d.ms / 1000:g} s"}
        for d in dots
    ]  # fmt: skip
    limits = {_short(d.scenario): d.within_ms for d in dots if d.current and d.within_ms}
    x: Json = {
        "field": "ms", "type": "quantitative",
        "scale": {"type": "log", "domain": [least, ceiling * 1.05], "nice": False},
        "axis": {"title": "from the fault on to the first expected alert (log scale); hollow at "
                          "the right edge: missed", "labelExpr": _MS, "grid": True,
                 "values": [t for t in _TICKS if least <= t <= ceiling]},
    }  # fmt: skip
    y: Json = {
        "field": "scenario",
        "type": "nominal",
        "axis": {"title": None, "labelLimit": 260},
        "sort": None,
        "scale": {"type": "band", "paddingInner": 0, "paddingOuter": 0},
    }
    shown = [what for what in _WHATS if any(row["what"] == what for row in rows)]
    offset: Json = {
        "field": "quarter",
        "type": "nominal",
        "scale": {"domain": ["last quarter", "this quarter"], "range": [5, 14]},
    }
    points: Json = {
        "data": {"values": sorted(rows, key=lambda r: (r["scenario"], r["quarter"], r["ms"]))},
        "mark": {"type": "point", "size": 46, "strokeWidth": 1.6, "opacity": 0.8},
        "encoding": {
            "x": x, "y": y, "yOffset": offset,
            "stroke": {"field": "what", "type": "nominal", "sort": shown,
                       "scale": {"domain": shown, "range": [_WHATS[w][0] for w in shown]},
                       "legend": {"title": None, "orient": "top"}},
            "fill": {"field": "what", "type": "nominal", "legend": None,
                     "scale": {"domain": shown, "range": [_WHATS[w][1] for w in shown]}},
            "description": {"field": "text"},
        },
    }  # fmt: skip
    deadlines: Json = {
        "data": {"values": [{"scenario": s, "ms": max(ms, least)} for s, ms in limits.items()]},
        "mark": {"type": "tick", "thickness": 2, "size": 20, "color": INK},
        "encoding": {"x": x, "y": y},
    }
    names = sorted({row["scenario"] for row in rows})
    y["scale"]["domain"] = names
    return _view(layer=[deadlines, points], width=WIDTH, height={"step": 20, "for": "position"})


_WHATS = {
    "detected": (SEEN, SEEN),
    "missed": (MISSED, "#ffffff00"),
    "detected last quarter": (BEFORE, BEFORE),
    "missed last quarter": (BEFORE, "#ffffff00"),
}


def _what(dot: Dot) -> str:
    return ("detected" if dot.seen else "missed") + ("" if dot.current else " last quarter")


def _short(text: str) -> str:
    return text if len(text) <= 42 else f"{text[:41]}…"


def _bars(quarter: Quarter, name: str, group: str, words: dict[str, str]) -> Json | None:
    sheet = next((one for one in quarter.sheets if one.name == name), None)
    rows = _long(sheet, group, words) if sheet is not None else []
    if not rows:
        return None
    shown = [word for word in words if any(row["what"] == word for row in rows)]
    title = "faults" if name == "restored" else "alerts"
    return _view(
        data={"values": rows},
        mark={"type": "bar", "stroke": "#ffffff", "strokeWidth": 0.6},
        width=WIDTH,
        height={"step": 16},
        encoding={
            "y": {"field": "service", "type": "nominal",
                  "axis": {"title": None, "labelLimit": 260}},
            "x": {"field": "n", "type": "quantitative", "stack": True,
                  "axis": {"title": title, "tickMinStep": 1}},
            "order": {"field": "order"},
            "color": {"field": "what", "type": "nominal", "sort": shown,
                      "scale": {"domain": shown, "range": [words[w] for w in shown]},
                      "legend": {"title": None, "orient": "top", "columns": 4,
                                 "labelExpr": "replace(datum.label, /_/g, ' ')"}},
        },
    )  # fmt: skip


def _long(sheet: Sheet, group: str, words: dict[str, str]) -> list[Json]:
    rows = []
    for row in sheet.rows:
        of: dict[str, Cell] = dict(zip(sheet.columns, row, strict=True))
        if f"{of['environment']} {of['kind']}" != group:
            continue
        rows += [
            {"service": of["service"], "what": word, "n": of[word], "order": place}
            for place, word in enumerate(words)
            if of[word]
        ]
    return rows


def flow(rows: Sequence[tuple[str, str, int]]) -> Json:
    """Cumulative lines from the first day of the quarter."""
    values = [{"day": day, "step": step, "n": n} for day, step, n in rows]
    steps = list(_STEPS)
    scale = {"domain": steps, "range": [_STEPS[s] for s in steps]}
    dashes = {"domain": steps, "range": [_DASHES[s] for s in steps]}
    return _view(
        data={"values": values},
        mark={"type": "line", "interpolate": "step-after", "strokeWidth": 2.2},
        width=WIDTH,
        height=200,
        encoding={
            "x": {"field": "day", "type": "temporal",
                  "axis": {"title": None, "format": "%-d %b", "tickCount": 12}},
            "y": {"field": "n", "type": "quantitative",
                  "axis": {"title": "since the quarter began", "tickMinStep": 1}},
            "color": {"field": "step", "type": "nominal", "scale": scale, "sort": steps,
                      "legend": {"title": None, "orient": "top"}},
            "strokeDash": {"field": "step", "type": "nominal", "scale": dashes, "sort": steps,
                           "legend": {"title": None, "orient": "top"}},
        },
    )  # fmt: skip


def _view(**parts: Any) -> Json:
    axis = {"labelColor": INK, "titleColor": SOFT, "gridColor": "#e6eaee", "domainColor": FAINT,
            "tickColor": FAINT, "labelFontSize": 11, "titleFontWeight": "normal"}  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "#ffffff",
        "padding": 6,
        "config": {
            "font": "system-ui, 'DejaVu Sans', sans-serif",
            "view": {"stroke": FAINT},
            "axis": axis,
            "legend": {"labelColor": INK, "labelFontSize": 11, "symbolStrokeWidth": 2},
        },
        **parts,
    }
