"""Cutting a stretch of time out of the load's cells, after the fact, by intended start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gameday.model.criteria import Criterion, MetricKind
from gameday.model.event import Timeline
from gameday.model.histogram import add, count, measurable, quantile_ms
from gameday.model.window import Cell, Tick, tick_from_json

#: A bucket's midpoint is at most this share away from any value in it.
BUCKET_ERROR = 1 / 256
#: Standard deviations to each side of an interval that covers 95 %.
INTERVAL_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Requests of one stretch of time. Failures are never mixed into latency."""

    good: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)  # by kind
    edge: int = 0  # in flight while a connection was being cut: counted, never judged
    response: Mapping[int, int] = field(default_factory=dict)  # of good ones, from intended start
    service: Mapping[int, int] = field(default_factory=dict)  # of good ones, from the send

    @property
    def bad(self) -> int:
        """How many failed."""
        return sum(self.failures.values())

    @property
    def n(self) -> int:
        """How many are judged."""
        return self.good + self.bad

    @property
    def error_ratio(self) -> float | None:
        """Failed over judged; None without samples."""
        return self.bad / self.n if self.n else None

    @property
    def goodput_ratio(self) -> float | None:
        """Good over judged; None without samples."""
        return self.good / self.n if self.n else None

    def percentile_ms(self, q: float) -> float | None:
        """The q-quantile of good responses in ms; None (withheld) when too few lie beyond it."""
        n = count(self.response)
        return quantile_ms(self.response, q) if measurable(n, q) else None

    def percentile_interval_ms(self, q: float) -> tuple[float, float] | None:
        """The 95 % interval of the q-quantile in ms by order statistics; None where withheld.

        As if requests of one run were independent (Conover, Practical Nonparametric Statistics,
        section 3.2); what differs between runs is not in it.
        """
        n = count(self.response)
        if not measurable(n, q):
            return None
        half = INTERVAL_Z * math.sqrt(n * q * (1 - q))
        ranks = (max(1, math.ceil(n * q - half)), min(n, math.ceil(n * q + half)))
        low, high = (quantile_ms(self.response, rank / n) for rank in ranks)
        return None if low is None or high is None else (low, high)

    def plain_percentile_ms(self, q: float) -> float | None:
        """The q-quantile however few samples there are: to find a moment, never to judge."""
        return quantile_ms(self.response, q)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A criterion's value over a stretch; `value` is None when it must be withheld (`why`)."""

    value: float | None
    n: int
    why: str = ""


def ticks_of(timeline: Timeline) -> tuple[Tick, ...]:
    """All ticks of the run, in the order in which they arrived."""
    return tuple(tick_from_json(e.data) for e in timeline.of("load.window"))


def cells_between(ticks: Iterable[Tick], start_ms: int, end_ms: int) -> list[Cell]:
    """Cells whose whole second of intended start lies in [start_ms, end_ms), in run time."""
    return [
        cell
        for tick in ticks
        for cell in tick.cells
        if start_ms <= cell.second * 1000 and (cell.second + 1) * 1000 <= end_ms
    ]


def matches(cell_journey: str, cell_name: str, subject: str | None) -> bool:
    """Whether requests of this journey and name are what a criterion's *subject* means."""
    return subject is None or subject in (cell_journey, cell_name)


def stats(cells: Iterable[Cell], subject: str | None = None) -> Stats:
    """Add up *cells* about *subject*."""
    good, edge = 0, 0
    failures: dict[str, int] = {}
    response: dict[int, int] = {}
    service: dict[int, int] = {}
    for cell in cells:
        if not matches(cell.journey, cell.name, subject):
            continue
        n = count(cell.response)
        if cell.edge:
            edge += n
        elif cell.good:
            good += n
            add(response, cell.response)
            add(service, cell.service)
        else:
            failures[cell.outcome] = failures.get(cell.outcome, 0) + n
    return Stats(good=good, failures=failures, edge=edge, response=response, service=service)


def measure(criterion: Criterion, found: Stats) -> Measured:
    """The value that *criterion* speaks of, or why there is none."""
    if found.n == 0:
        return Measured(value=None, n=0, why="no requests were judged")
    if criterion.kind is MetricKind.RATIO:
        value = found.error_ratio if criterion.metric == "errors" else found.goodput_ratio
        return Measured(value=value, n=found.n)
    q = criterion.quantile or 0.0
    value = found.percentile_ms(q)
    if value is None:
        why = f"only {found.good} good answers; {criterion.metric} needs {needed(q)}"
        return Measured(value=None, n=found.good, why=why)
    return Measured(value=value, n=found.good)


def needed(q: float) -> int:
    """How many samples the q-quantile needs."""
    n = 1
    while not measurable(n, q):
        n += max(1, n // 100)
    while n > 1 and measurable(n - 1, q):
        n -= 1
    return n


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a criterion holds over a stretch; None when the samples cannot tell (`why`)."""

    holds: bool | None
    value: float | None
    n: int
    why: str = ""


def decide(criterion: Criterion, found: Stats) -> Decision:
    """Whether *criterion* holds for *found*, as far as its samples can tell.

    Two things make the answer ambiguous: a percentile whose histogram bucket straddles the limit,
    and a share that is finer than the samples: of 50 requests none failed does not show < 1 %.
    """
    got = measure(criterion, found)
    if got.value is None:
        return Decision(holds=None, value=None, n=got.n, why=got.why)
    holds = criterion.holds(got.value)
    if criterion.kind is MetricKind.LATENCY:
        low, high = got.value * (1 - BUCKET_ERROR), got.value * (1 + BUCKET_ERROR)
        if criterion.holds(low) != criterion.holds(high):
            why = "too close to the limit to tell"
            return Decision(holds=None, value=got.value, n=got.n, why=why)
    finest = criterion.limit if criterion.metric == "errors" else 1 - criterion.limit
    if criterion.kind is MetricKind.RATIO and holds and 0 < finest * got.n < 1 - 1e-9:
        why = f"{got.n} requests cannot show a share this small"
        return Decision(holds=None, value=got.value, n=got.n, why=why)
    return Decision(holds=holds, value=got.value, n=got.n)
