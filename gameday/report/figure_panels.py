"""The panels of the figure under its lanes: latency, rates, what is under way, burn rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gameday.kpi.burn import FACTOR, LONG_S
from gameday.model.units import format_ms
from gameday.report.figure_parts import EDGE, EXPECTED, FAILED, OK, Json, Panel
from gameday.report.figure_series import Series

_INK: Json = {"expr": "ink"}
_SOFT: Json = {"expr": "soft"}
_TIME: Json = {"field": "t", "type": "temporal"}
_MS_LABEL = "datum.value >= 1000 ? datum.value / 1000 + ' s' : datum.value + ' ms'"
_DASHES = {"p50": [1, 0], "p95": [6, 3], "p99": [2, 2]}
#: Colours of objectives; each has a dash of its own too.
_SLO_COLOURS = ("#6f4fd0", "#d9730d", "#12876f", "#2f7fc1")
_SLO_DASHES = ([1, 0], [7, 3], [2, 2], [7, 2, 2, 2])


def latency_panel(series: Series, slow: Mapping[str, int]) -> Panel:
    """Cells of good, failed and edge requests on a log scale; percentiles of good ones over it."""
    low, high = _range(series, slow)
    y: Json = {
        "field": "low",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False, "clamp": True},
        "axis": {"title": None, "labelExpr": _MS_LABEL, "values": _decades(low, high)},
    }
    kinds = [kind for kind in ("ok", "failed", "edge") if any(c.kind == kind for c in series.heat)]
    layers = [_heat(series, y), *(_marks(series, y, kind) for kind in kinds if kind != "ok")]
    layers += [layer for limit in _limits(slow) for layer in _limit(*limit, y)]
    if series.window_ms:
        layers.append(_quantiles(series, y))
    return Panel(
        name="latency",
        title="Latency from the intended start (log scale)",
        subtitle="blue cells: good · pink diamonds: failed"
        + (" · grey dots: connection being cut" if "edge" in kinds else "")
        + " · lines: percentiles of good answers",
        height=210,
        layers=layers,
    )


def _range(series: Series, slow: Mapping[str, int]) -> tuple[float, float]:
    """From just under the fastest cell to just over the slowest, and every limit in it."""
    indices = [cell.index for cell in series.heat] or [0, series.per_decade]
    low = 10 ** (min(indices) / series.per_decade) * 0.9
    high = 10 ** ((max(indices) + 1) / series.per_decade) * 1.1
    for limit in slow.values():
        low, high = min(low, limit * 0.8), max(high, limit * 1.25)
    return float(f"{low:.4g}"), float(f"{high:.4g}")


def _decades(low: float, high: float) -> list[float]:
    wide = high / low > 100
    steps = (1,) if wide else (1, 2, 5)
    values = [step * 10**power for power in range(-2, 7) for step in steps]
    return [value for value in values if low <= value <= high]


def _cell(series: Series) -> Sequence[Json]:
    per = series.per_decade
    return (
        {"calculate": f"datum.t + {series.bin_ms}", "as": "t2"},
        {"calculate": f"pow(10, datum.i / {per})", "as": "low"},
        {"calculate": f"pow(10, (datum.i + 1) / {per})", "as": "high"},
        {"calculate": f"datum.t + {series.bin_ms // 2}", "as": "mid"},
        {"calculate": f"pow(10, (datum.i + 0.5) / {per})", "as": "middle"},
    )


def _strength(series: Series, kind: str) -> Json:
    """How dark: by the logarithm, so that one request is still to be seen."""
    most = max((c.n for c in series.heat if c.kind == kind), default=1)
    least = 0.15 if kind == "ok" else 0.5
    share = f"{least} + {0.95 - least:.2f} * log(1 + datum.n) / log(1 + {most})"
    return {"calculate": share, "as": "o"}


_OPACITY: Json = {"field": "o", "type": "quantitative", "scale": None, "legend": None}
_CELL_TIP: Sequence[Json] = (
    {"field": "n", "type": "quantitative", "title": "requests"},
    {"field": "k", "type": "nominal", "title": "ended"},
    {"field": "low", "type": "quantitative", "format": ".3~s", "title": "from ms"},
    {"field": "high", "type": "quantitative", "format": ".3~s", "title": "to ms"},
)


def _heat(series: Series, y: Json) -> Json:
    return {
        "data": {"name": "heat"},
        "transform": [{"filter": "datum.k === 'ok'"}, *_cell(series), _strength(series, "ok")],
        "mark": {"type": "rect", "clip": True, "fill": OK, "aria": False},
        "encoding": {
            "x": _TIME,
            "x2": {"field": "t2"},
            "y": y,
            "y2": {"field": "high"},
            "fillOpacity": _OPACITY,
            "tooltip": list(_CELL_TIP),
        },
    }


def _marks(series: Series, y: Json, kind: str) -> Json:
    """Failures over successes, in a shape of their own: the rarer outcome is never hidden."""
    failed = kind == "failed"
    return {
        "data": {"name": "heat"},
        "transform": [
            {"filter": f"datum.k === '{kind}'"},
            *_cell(series),
            _strength(series, kind),
        ],
        "mark": {
            "type": "point",
            "filled": True,
            "clip": True,
            "aria": False,
            "shape": "diamond" if failed else "circle",
            "size": 34 if failed else 14,
            "fill": FAILED if failed else EDGE,
        },
        "encoding": {
            "x": {"field": "mid", "type": "temporal"},
            "y": {**y, "field": "middle"},
            "fillOpacity": _OPACITY,
            "tooltip": list(_CELL_TIP),
        },
    }


def _limits(slow: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    by_value: dict[int, str] = {}
    for name, limit in slow.items():
        by_value.setdefault(limit, name)
    return ((name, limit) for limit, name in by_value.items())


def _limit(name: str, limit: int, y: Json) -> Iterable[Json]:
    """The line of an objective, and its words."""
    data = {"values": [{"v": limit, "t": 0, "name": f"objective {name}: {format_ms(limit)}"}]}
    where = {**y, "field": "v"}
    yield {
        "data": data,
        "mark": {"type": "rule", "clip": True, "color": _SOFT, "strokeDash": [4, 3]},
        "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": where},
    }
    yield {
        "data": data,
        "mark": {"type": "text", "align": "left", "baseline": "bottom", "dx": 4, "dy": -2,
                 "fontSize": 10.5, "color": _SOFT},
        "encoding": {"x": {"value": 0}, "y": where, "text": {"field": "name"}},
    }  # fmt: skip


def _quantiles(series: Series, y: Json) -> Json:
    names = list(series.window_ms)
    return {
        "data": {"name": "quantiles"},
        "mark": {"type": "line", "clip": True, "color": _INK, "strokeWidth": 1.8},
        "encoding": {
            "x": _TIME,
            "y": {**y, "field": "ms"},
            "strokeDash": {
                "field": "q",
                "type": "nominal",
                "scale": {"domain": names, "range": [_DASHES[name] for name in names]},
                "legend": {"symbolType": "stroke", "symbolStrokeColor": _INK},
            },
        },
    }


def load_panels(series: Series) -> Iterable[Panel]:
    """Rates, then what is under way and how old the oldest of it is."""
    yield _rates(series)
    yield _one("under_way", "Requests under way (most in the bin)", "", OK)
    yield _one("oldest", "Oldest request under way", _MS_LABEL, FAILED)


def _rates(series: Series) -> Panel:
    lines: list[tuple[str, str, Any, list[int], float]] = [
        ("finished", "ended", OK, [1, 0], 1.4),
        ("good", "good", EXPECTED, [1, 0], 2.2),
    ]
    if any(one.asked is not None for one in series.bins):
        lines.append(("asked for", "asked", _INK, [5, 3], 1.4))
    domain = [name for name, *_ in lines]
    scales: Json = {
        "color": {"domain": domain, "range": [colour for _, _, colour, *_ in lines]},
        "strokeDash": {"domain": domain, "range": [dash for *_, dash, _ in lines]},
    }
    rates = [rate for b in series.bins for rate in (b.asked, b.ended) if rate is not None]
    top = max([1.0, *rates]) * 1.08  # a line along the edge is not seen
    y: Json = {
        "field": "good",
        "type": "quantitative",
        "axis": _few(None),
        "scale": {"domain": [0, float(f"{top:.4g}")], "nice": False},
    }
    return Panel(
        name="rates",
        title="Requests a second, by their intended start",
        subtitle="pink: finished, and failed",
        height=95,
        layers=[
            {
                "data": {"name": "load"},
                "mark": {"type": "area", "clip": True, "fill": FAILED, "fillOpacity": 0.28},
                "encoding": {"x": _TIME, "y": y, "y2": {"field": "ended"}},
            },
            *({
                "data": {"name": "load"},
                "mark": {"type": "line", "clip": True, "strokeWidth": width},
                "encoding": {
                    "x": _TIME,
                    "y": {**y, "field": field},
                    **{
                        channel: {"datum": name, "type": "nominal", "scale": scale}
                        for channel, scale in scales.items()
                    },
                },
            }
            for name, field, _, _, width in lines),
        ],
    )  # fmt: skip


def _few(label: str | None) -> Json:
    return {"title": None, "tickCount": 3, **({"labelExpr": label} if label else {})}


def _one(field: str, title: str, label: str, colour: str) -> Panel:
    y = {"field": field, "type": "quantitative", "axis": _few(label), "scale": {"zero": True}}
    mark = {
        "type": "area",
        "clip": True,
        "interpolate": "step",
        "color": colour,
        "fillOpacity": 0.25,
        "line": {"color": colour, "strokeWidth": 1.4, "clip": True, "interpolate": "step"},
    }
    return Panel(
        name=field,
        title=title,
        height=58,
        layers=[{"data": {"name": "load"}, "mark": mark, "encoding": {"x": _TIME, "y": y}}],
    )


def burn_panel(series: Series) -> Panel:
    """How many times too fast each error budget burned; from 14.4 on somebody is paged."""
    names = list(dict.fromkeys(point.slo for point in series.burn))
    ranges: Json = {
        "color": [_SLO_COLOURS[i % 4] for i in range(len(names))],
        "strokeDash": [_SLO_DASHES[i % 4] for i in range(len(names))],
    }
    y: Json = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "symlog", "constant": 1, "domainMin": 0},
        "axis": {"title": None, "values": [0, 1, 10, 100, 1000], "labelExpr": "datum.value + '×'"},
    }
    return Panel(
        name="burn",
        title=f"Error budget burn rate over {LONG_S} s (1 is exactly on budget)",
        height=95,
        layers=[
            *_limit_lines(y),
            {
                "data": {"name": "burn"},
                "mark": {"type": "line", "clip": True, "strokeWidth": 1.8},
                "encoding": {
                    "x": _TIME,
                    "y": y,
                    **{
                        channel: {
                            "field": "slo",
                            "type": "nominal",
                            "scale": {"domain": names, "range": values},
                        }
                        for channel, values in ranges.items()
                    },
                },
            },
        ],
    )


def _limit_lines(y: Json) -> Iterable[Json]:
    for value, text in ((FACTOR, f"page {FACTOR}×"), (1, "budget 1×")):
        data = {"values": [{"x": value, "text": text}]}
        yield {
            "data": data,
            "mark": {"type": "rule", "color": _SOFT, "strokeDash": [4, 3]},
            "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": y},
        }
        yield {
            "data": data,
            "mark": {"type": "text", "align": "left", "baseline": "bottom", "dx": 4, "dy": -1,
                     "fontSize": 10.5, "color": _SOFT},
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "text"}},
        }  # fmt: skip
