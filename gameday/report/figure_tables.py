"""The figure as tables: for those who do not see it, and for whoever wants the numbers."""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.units import format_ms
from gameday.report.figure import Figure
from gameday.report.figure_lanes import clock
from gameday.report.figure_series import Series, width_s
from gameday.report.page import Table

#: More rows than these nobody reads; wider bins hold the same.
ROWS_MAX = 60


def events_table(figure: Figure) -> Table:
    """Everything in the lanes, in order of time."""
    lanes = figure.lanes
    rows = [
        (
            b.start_ms,
            (clock(b.start_ms), "not ended" if b.open else clock(b.end_ms), b.lane, b.text),
        )
        for b in lanes.bars
    ]
    rows += [(d.at_ms, (clock(d.at_ms), "", d.lane, d.text)) for d in lanes.dots]
    return Table(
        id="table-figure-events",
        caption="What happened: everything in the lanes of the figure",
        head=("from", "to", "lane", "what"),
        rows=[row for _, row in sorted(rows, key=lambda one: one[0])],
    )


def numbers_table(figure: Figure) -> Iterable[Table]:
    """The lines of the figure, in at most `ROWS_MAX` rows; nothing without a load."""
    series = figure.series
    if not series.bins:
        return
    seconds = series.end_ms // 1000
    step_ms = max(width_s(seconds, ROWS_MAX) * 1000, series.bin_ms)
    objectives = list(dict.fromkeys(point.slo for point in series.burn))
    yield Table(
        id="table-figure-numbers",
        caption=f"The load in steps of {format_ms(step_ms)}: means of rates, the most of what was "
        "under way, percentiles at the start of each step",
        head=(
            "from", "asked/s", "finished/s", "good/s", *series.window_ms,
            "under way", "oldest", *(f"burn of {name}" for name in objectives),
        ),
        rows=[
            _row(series, objectives, at_ms, step_ms)
            for at_ms in range(0, series.end_ms, step_ms)
            if any(at_ms <= b.at_ms < at_ms + step_ms for b in series.bins)
        ],
    )  # fmt: skip


def _row(series: Series, objectives: list[str], at_ms: int, step_ms: int) -> tuple[str, ...]:
    inside = [b for b in series.bins if at_ms <= b.at_ms < at_ms + step_ms]
    known = [b for b in inside if b.ended is not None]
    quantiles = []
    for name in series.window_ms:
        one = next(
            (w for w in series.quantiles if w.name == name and w.start_ms <= at_ms < w.end_ms), None
        )
        value = None if one is None else one.value_ms
        quantiles.append("withheld" if value is None else format_ms(value))
    burns = []
    for name in objectives:
        rates = [
            p.rate
            for p in series.burn
            if p.slo == name and p.rate is not None and at_ms < p.at_ms <= at_ms + step_ms
        ]
        burns.append(f"{max(rates):.3g}×" if rates else "-")
    return (
        clock(at_ms),
        _mean([b.asked for b in known]),
        _mean([b.ended for b in known]) if known else "no data",
        _mean([b.good for b in known]),
        *quantiles,
        f"{max(_ints(b.in_flight for b in known))}" if known else "-",
        format_ms(max(_ints(b.oldest_ms for b in known))) if known else "-",
        *burns,
    )


def _mean(values: list[float | None]) -> str:
    found = [value for value in values if value is not None]
    return f"{sum(found) / len(found):.4g}" if found else "-"


def _ints(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]
