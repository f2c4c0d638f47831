"""How many arrivals come when: a rate that changes over time, and the closed formulas for it.

A shape is a tuple of stretches, one after the other from the start of the load; in each the rate
goes evenly from one value to another. After the last one its final rate goes on. Times are
milliseconds since the start of the load, rates arrivals a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.model.units import format_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One stretch of a shape. Without `length_ms` it is the last one, and lasts to the end."""

    from_per_s: float
    to_per_s: float
    length_ms: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.from_per_s < math.inf and 0 < self.to_per_s < math.inf):
            raise ValueError("the rates of a stretch must be above zero; a ramp may begin at zero")
        if self.length_ms is None and self.from_per_s != self.to_per_s:
            raise ValueError("a ramp needs a length")
        if self.length_ms is not None and self.length_ms < 1:
            raise ValueError("the length of a stretch must be above zero")

    def rate_per_s(self, at_s: float) -> float:
        """The rate *at_s* into the stretch."""
        if self.length_ms is None:
            return self.to_per_s
        share = at_s * 1000 / self.length_ms
        return self.from_per_s + (self.to_per_s - self.from_per_s) * share

    def arrivals(self, until_s: float) -> float:
        """Arrivals in the first *until_s* of the stretch; not a whole number."""
        return (self.from_per_s + self.rate_per_s(until_s)) / 2 * until_s

    def after_s(self, arrivals: float) -> float:
        """How far into the stretch so many arrivals have come: what `arrivals` turns around."""
        if self.length_ms is None or self.from_per_s == self.to_per_s:
            return arrivals / self.to_per_s
        slope = (self.to_per_s - self.from_per_s) * 1000 / self.length_ms
        # this form of the root loses no digits, whether the slope is steep or nearly none
        root = math.sqrt(max(0.0, self.from_per_s**2 + 2 * slope * arrivals))
        return 2 * arrivals / (self.from_per_s + root) if arrivals > 0 else 0.0


Shape = tuple[Stretch, ...]


def constant(per_s: float) -> Shape:
    """The shape of a rate that never changes."""
    return (Stretch(from_per_s=per_s, to_per_s=per_s),)


def length_ms(shape: Sequence[Stretch]) -> int:
    """How long the stretches with a length are together."""
    return sum(stretch.length_ms or 0 for stretch in shape)


def rate_at(shape: Sequence[Stretch], at_ms: float) -> float:
    """The rate at a time, where two stretches meet that of the later one; 0 before the start."""
    if at_ms < 0:
        return 0.0
    rates = [stretch.rate_per_s(begin_s) for stretch, begin_s, _ in _within(shape, at_ms, math.inf)]
    return rates[0] if rates else 0.0


def arrivals_between(shape: Sequence[Stretch], from_ms: float, to_ms: float) -> float:
    """Arrivals due from one time to another; not a whole number."""
    return sum(
        stretch.arrivals(end_s) - stretch.arrivals(begin_s)
        for stretch, begin_s, end_s in _within(shape, from_ms, to_ms)
    )


def peak_per_s(shape: Sequence[Stretch], from_ms: float = 0, to_ms: float = math.inf) -> float:
    """The highest rate in a part of the time; 0 if the part is empty."""
    return max(_rates(shape, from_ms, to_ms), default=0.0)


def least_per_s(shape: Sequence[Stretch], from_ms: float = 0, to_ms: float = math.inf) -> float:
    """The lowest rate in a part of the time; 0 if the part is empty."""
    return min(_rates(shape, from_ms, to_ms), default=0.0)


def describe_shape(shape: Sequence[Stretch]) -> str:
    """For people: `20/s for 30 s, ramp to 100/s over 30 s, 100/s until the end`."""
    parts = []
    before_per_s = 0.0
    for stretch in shape:
        rate = f"{stretch.to_per_s:g}/s"
        if stretch.length_ms is None:
            parts.append(f"{rate} until the end")
        elif stretch.from_per_s == stretch.to_per_s:
            parts.append(f"{rate} for {format_ms(stretch.length_ms)}")
        else:
            jump = "" if stretch.from_per_s == before_per_s else f"{stretch.from_per_s:g}/s, "
            parts.append(f"{jump}ramp to {rate} over {format_ms(stretch.length_ms)}")
        before_per_s = stretch.to_per_s
    if shape and shape[-1].length_ms is not None:
        parts.append(f"{before_per_s:g}/s until the end")
    return ", ".join(parts)


def _rates(shape: Sequence[Stretch], from_ms: float, to_ms: float) -> Iterator[float]:
    """The rates at both ends of each piece: between them it goes evenly."""
    for stretch, begin_s, end_s in _within(shape, from_ms, to_ms):
        yield stretch.rate_per_s(begin_s)
        yield stretch.rate_per_s(end_s)


def _within(
    shape: Sequence[Stretch], from_ms: float, to_ms: float
) -> Iterator[tuple[Stretch, float, float]]:
    """The stretches in a part of the time, with the seconds in each from which and to which."""
    begin_ms = 0.0
    for stretch in (*shape, *_rest(shape)):
        end_ms = math.inf if stretch.length_ms is None else begin_ms + stretch.length_ms
        first_ms, last_ms = max(from_ms, begin_ms), min(to_ms, end_ms)
        if first_ms < last_ms:
            yield stretch, (first_ms - begin_ms) / 1000, (last_ms - begin_ms) / 1000
        begin_ms = end_ms


def _rest(shape: Sequence[Stretch]) -> Shape:
    """What goes on after the last stretch."""
    ends = bool(shape) and shape[-1].length_ms is not None
    return constant(shape[-1].to_per_s) if ends else ()
