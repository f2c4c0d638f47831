"""Pictures of the stall: what each tool says of each second. SVG by hand, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

from gameday.model.histogram import Histogram, count, merged, midpoint_us

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 62, 46
STYLE = """<style>
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #1f2430; } .mute { fill: #5b6472; } .grid { stroke: #dde1e7; }
.band { fill: #f3e3c2; } .c0 { stroke: #1f2430; } .c1 { stroke: #0b62c4; } .c2 { stroke: #c2410c; }
.line { fill: none; stroke-width: 2.5; } .c0.line { stroke-dasharray: 2 5; stroke-width: 3.5; }
.c2.line { stroke-dasharray: 9 4; }
@media (prefers-color-scheme: dark) {
svg { background: #14171d; } text { fill: #e8eaee; } .mute { fill: #a3acba; }
.grid { stroke: #303641; } .band { fill: #3d3320; }
.c0 { stroke: #e8eaee; } .c1 { stroke: #6ab0ff; } .c2 { stroke: #ff9a5c; } }
</style>"""


class Stall(Protocol):
    """The stall that was measured, all in seconds."""

    @property
    def window_s(self) -> int: ...
    @property
    def begin_s(self) -> int: ...
    @property
    def stall_s(self) -> int: ...
    def truth_ms(self, q: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one tool saw: response times by the second in which the request began."""

    name: str
    ours: bool
    seconds: Mapping[int, Histogram]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) with the style `c0` (truth), `c1` (ours) or `c2` (closed loop).

    Where there is no y, the line has a gap.
    """

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]

    def parts(self) -> list[list[tuple[float, float]]]:
        """The stretches between gaps."""
        found: list[list[tuple[float, float]]] = [[]]
        for x, y in self.points:
            if y is None:
                found.append([])
            else:
                found[-1].append((x, y))
        return [part for part in found if part]


def write_plots(directory: Path, case: Stall, rows: Sequence[Seen]) -> None:
    """Write `closed-loop-asked.svg`, `-waits.svg` and `-percentiles.svg`."""
    ours = next((r for r in rows if r.ours and r.seconds), None)
    closed = next((r for r in rows if not r.ours and r.seconds), None)
    if ours is None or closed is None:
        raise SystemExit("pictures need a row of ours and one of plain Locust")
    both = ((ours, "c1"), (closed, "c2"))
    directory.mkdir(parents=True, exist_ok=True)
    end = case.window_s
    stall = (case.begin_s, case.begin_s + case.stall_s)
    asked = [
        Curve(r.name, c, steps([float(count(r.seconds.get(s, {}))) for s in range(end)]))
        for r, c in both
    ]
    chart = Chart("Requests begun in each second", "time (s)", "requests a second", band=stall)
    write(directory / "closed-loop-asked.svg", chart.svg(asked, x_to=end, y_to=125, y_step=25))
    waits = [
        Curve("truth", "c0", true_waits(case)),
        *(Curve(r.name, c, steps([mean_s(r.seconds.get(s, {})) for s in range(end)]))
          for r, c in both),
    ]  # fmt: skip
    title = "Mean response time of the requests begun in each second"
    chart = Chart(title, "time (s)", "response time (s)", band=stall)
    top = case.stall_s * 1.15
    write(directory / "closed-loop-waits.svg", chart.svg(waits, x_to=end, y_to=top, y_step=1))
    spread = [q / 1000 for q in range(1000)]
    across = [q * 100 for q in spread]
    percentiles = [
        Curve("truth", "c0", [(q * 100, case.truth_ms(q) / 1000) for q in spread]),
        *(Curve(r.name, c, list(zip(across, quantiles(r, spread), strict=True))) for r, c in both),
    ]
    chart = Chart("Response time by percentile", "percentile (%)", "response time (s)")
    write(
        directory / "closed-loop-percentiles.svg",
        chart.svg(percentiles, x_from=50, x_to=100, y_to=top, y_step=1),
    )


def true_waits(case: Stall) -> list[tuple[float, float | None]]:
    end = case.begin_s + case.stall_s
    return [(0, 0), (case.begin_s, 0), (case.begin_s, case.stall_s), (end, 0), (case.window_s, 0)]


def steps(values: Sequence[float | None]) -> list[tuple[float, float | None]]:
    """A line that stands for each second."""
    return [(s + edge, value) for s, value in enumerate(values) for edge in (0, 1)]


def mean_s(histogram: Histogram) -> float | None:
    n = count(histogram)
    return sum(midpoint_us(b) * k for b, k in histogram.items()) / n / 1e6 if n else None


def quantiles(row: Seen, asked: Sequence[float]) -> list[float | None]:
    """The quantiles of all requests, in seconds; *asked* rises."""
    total = merged(row.seconds.values())
    n, seen = count(total), 0
    found: list[float | None] = []
    buckets = iter(sorted(total))
    at = next(buckets)
    for q in asked:
        while seen + total[at] < q * n:
            seen += total[at]
            at = next(buckets)
        found.append(midpoint_us(at) / 1e6)
    return found


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture. *band* is the stall, in seconds."""

    title: str
    x_label: str
    y_label: str
    band: tuple[float, float] | None = None

    def svg(
        self, curves: Sequence[Curve], *, x_to: float, y_to: float, y_step: float, x_from: float = 0
    ) -> str:
        def x(value: float) -> float:
            return LEFT + (value - x_from) / (x_to - x_from) * (WIDTH - LEFT - RIGHT)

        def y(value: float) -> float:
            return HEIGHT - BOTTOM - min(value, y_to) / y_to * (HEIGHT - TOP - BOTTOM)

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(self.title)}">',
            STYLE,
            text(LEFT, 20, self.title, weight=600),
            *self._frame(x, y, x_from=x_from, x_to=x_to, y_to=y_to, y_step=y_step),
        ]
        at = LEFT
        for curve in curves:
            for part in curve.parts():
                points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in part if a >= x_from)
                parts.append(f'<polyline class="line {curve.style}" points="{points}"/>')
            parts.append(
                f'<line class="line {curve.style}" x1="{at}" y1="42" x2="{at + 30}" y2="42"/>'
            )
            parts.append(text(at + 37, 46, curve.name))
            at += 60 + round(7.2 * len(curve.name))
        return "\n".join([*parts, "</svg>\n"])

    def _frame(
        self,
        x: Callable[[float], float],
        y: Callable[[float], float],
        *,
        x_from: float,
        x_to: float,
        y_to: float,
        y_step: float,
    ) -> list[str]:
        parts = []
        if self.band:
            begin, end = self.band
            parts.append(
                f'<rect class="band" x="{x(begin):.1f}" y="{TOP}" '
                f'width="{x(end) - x(begin):.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
            )
            parts.append(text((x(begin) + x(end)) / 2, TOP + 15, "no answers", mute=True, mid=True))
        value = 0.0
        while value <= y_to:
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
                f'y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            )
            parts.append(text(LEFT - 8, y(value) + 4, f"{value:g}", mute=True, end=True))
            value += y_step
        ticks = 5 if self.band is None else 4
        for tick in range(ticks + 1):
            at = x_from + (x_to - x_from) * tick / ticks
            parts.append(text(x(at), HEIGHT - BOTTOM + 18, f"{at:g}", mute=True, mid=True))
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.x_label, mid=True))
        turned = f'transform="rotate(-90 16 {middle:.0f})"'
        parts.append(text(16, middle, self.y_label, mid=True, more=turned))
        return parts


def text(
    x: float, y: float, words: str, *, weight: int = 400, mute: bool = False,
    mid: bool = False, end: bool = False, more: str = "",
) -> str:  # fmt: skip
    anchor = "middle" if mid else "end" if end else "start"
    kind = ' class="mute"' if mute else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"{kind} {more}>'
        f"{escape(words)}</text>"
    )


def write(path: Path, svg: str) -> None:
    path.write_text(svg)
