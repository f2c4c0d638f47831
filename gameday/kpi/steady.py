"""When users first felt a fault, and when the service was steady again, from the load alone.

Both ask the baseline's own criteria on sliding windows of whole seconds. A window is 5 s, or longer
where a percentile needs more samples than 5 s bring. Recovery never comes from an alert resolving.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gameday.kpi.spans import Window
from gameday.kpi.stats import Stats, decide, matches, measure, needed, stats
from gameday.model.criteria import Criterion
from gameday.model.window import Cell, Tick

SLICE_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyAgain:
    """`at_ms`: run time from which the criteria hold for the rest; None if they never did.

    `until_ms` is how far the load was watched. `why` says what broke last, or what is missing;
    `known` is False when the load could not tell.
    """

    at_ms: int | None
    until_ms: int
    slice_ms: int
    known: bool = True
    why: str = ""


class Slices:
    """The load's cells by second, and sliding windows over them."""

    def __init__(self, ticks: Iterable[Tick]) -> None:
        cells: dict[int, list[Cell]] = {}
        for tick in ticks:
            for cell in tick.cells:
                cells.setdefault(cell.second, []).append(cell)
        self._cells: Mapping[int, Sequence[Cell]] = cells

    def stats(self, first_s: int, seconds: int, subject: str | None) -> Stats:
        """Requests about *subject* meant to start in these seconds."""
        every = (c for s in range(first_s, first_s + seconds) for c in self._cells.get(s, ()))
        return stats(every, subject)

    def seconds_for(self, criterion: Criterion, baseline: Window) -> int:
        """How long a window has to be to carry *criterion* at the baseline's rate."""
        q = criterion.quantile
        if q is None or baseline.seconds == 0:
            return SLICE_S
        seconds = range(baseline.start_ms // 1000, baseline.end_ms // 1000)
        good = sum(
            sum(cell.response.values())
            for s in seconds
            for cell in self._cells.get(s, ())
            if cell.good and not cell.edge and matches(cell.journey, cell.name, criterion.subject)
        )
        if good == 0:
            return SLICE_S
        return max(SLICE_S, math.ceil(needed(q) * 1.2 * baseline.seconds / good))


def steady_again(
    slices: Slices,
    criteria: Sequence[Criterion],
    *,
    baseline: Window,
    off_ms: int,
    until_ms: int,
) -> SteadyAgain:
    """From when on, after *off_ms*, every one of *criteria* holds in every window to the end."""
    first, end = math.ceil(off_ms / 1000), until_ms // 1000
    widths = [slices.seconds_for(criterion, baseline) for criterion in criteria]
    slice_ms = max(widths, default=SLICE_S) * 1000
    steady_s, why, known = first, "", True
    for criterion, width in zip(criteria, widths, strict=True):
        if end - first < width:
            why = f"`{criterion.text}` needs {width} s of load to say"
            return SteadyAgain(
                at_ms=None, until_ms=until_ms, slice_ms=slice_ms, known=False, why=why
            )
        for second in range(end - width, steady_s - 1, -1):
            got = decide(criterion, slices.stats(second, width, criterion.subject))
            if got.holds is True or (got.holds is None and _close_enough(criterion, got.value)):
                continue
            steady_s, known = second + 1, got.holds is not None
            why = f"`{criterion.text}` did not hold" if known else f"`{criterion.text}`: {got.why}"
            break
    last = end - max(widths, default=SLICE_S)
    if steady_s > last:
        return SteadyAgain(at_ms=None, until_ms=until_ms, slice_ms=slice_ms, known=known, why=why)
    at_ms = max(off_ms, steady_s * 1000)
    return SteadyAgain(at_ms=at_ms, until_ms=until_ms, slice_ms=slice_ms, why=why)


def first_impact(
    slices: Slices, criteria: Sequence[Criterion], *, start_ms: int, until_ms: int
) -> int | None:
    """Run time of the first second that broke a baseline criterion, and 5 s of it did; or None."""
    first, end = start_ms // 1000, until_ms // 1000
    for second in range(first, end):
        for criterion in criteria:
            alone = slices.stats(second, 1, criterion.subject)
            if _broken(criterion, alone) and _broken(
                criterion, slices.stats(second, min(SLICE_S, end - second), criterion.subject)
            ):
                return second * 1000
    return None


def healthy_at(slices: Slices, criteria: Sequence[Criterion], at_ms: int) -> bool | None:
    """Whether the criteria held in the 5 s before *at_ms*; None when the load cannot tell."""
    second = at_ms // 1000 - SLICE_S
    answers = []
    for criterion in criteria:
        found = slices.stats(second, SLICE_S, criterion.subject)
        answers.append(None if found.n == 0 else not _broken(criterion, found))
    if not answers or None in answers:
        return False if False in answers else None
    return all(answers)


def _close_enough(criterion: Criterion, value: float | None) -> bool:
    """A slice without a sharp answer still counts if its plain value holds."""
    return value is not None and criterion.holds(value)


def _broken(criterion: Criterion, found: Stats) -> bool:
    """Whether the plain value, however few the samples, breaks *criterion*."""
    got = measure(criterion, found)
    value = got.value
    if value is None and criterion.quantile is not None:
        value = found.plain_percentile_ms(criterion.quantile)
        if value is None:
            return found.bad > 0  # nothing good at all: that is no healthy second
    return value is not None and not criterion.holds(value)
