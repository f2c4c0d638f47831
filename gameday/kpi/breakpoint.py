"""The highest rate at which the objectives hold: the steps of a rising load, judged one by one.

A step has its own requests: those meant to start while it lasts. Who was not answered has waited:
a request that timed out, or that nobody could serve, counts in percentiles with the time for which
it waited at least. What the generator was too slow for says nothing of the service.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gameday.kpi.generator import saturated
from gameday.kpi.stats import Decision, Stats, cells_between, decide, matches, stats
from gameday.model.criteria import Criterion, MetricKind
from gameday.model.event import Phase, Timeline
from gameday.model.histogram import add, count
from gameday.model.scenario import LoadSpec
from gameday.model.shape import arrivals_between
from gameday.model.window import Cell, Tick, by_worker

#: The share of its arrivals that must have been started for a step to be that step.
STARTED_SHARE = 0.95
#: So many standard deviations fewer may be drawn where arrivals are a Poisson process.
DEVIATIONS = 4
#: Outcomes of requests that were still waited for when they ended.
WAITED = ("timeout", "unserved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stair:
    """One step of the load: ms since the load began, whole seconds, at one rate."""

    number: int
    per_s: float
    begin_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """How long it lasts."""
        return self.end_ms - self.begin_ms


class Standing(StrEnum):
    """How a step was borne. UNKNOWN: too few requests, the generator, or it was cut short."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "not measurable"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """One step judged. `criterion` is the one that broke, or that could not be told (`why`)."""

    stair: Stair
    standing: Standing
    criterion: Criterion | None = None
    value: float | None = None
    n: int = 0
    why: str = ""


def stairs_of(load: LoadSpec) -> tuple[Stair, ...]:
    """The steps of a load that searches its breakpoint; none of any other."""
    if load.breakpoint is None:
        return ()
    found: list[Stair] = []
    begin_ms = 0
    for stretch in load.shape:
        if stretch.length_ms is None:
            break
        end_ms = begin_ms + stretch.length_ms
        if begin_ms:  # before the first step is the ground
            found.append(
                Stair(
                    number=len(found) + 1,
                    per_s=stretch.to_per_s,
                    begin_ms=begin_ms,
                    end_ms=end_ms,
                )
            )
        begin_ms = end_ms
    return tuple(found)


def begun_ms(timeline: Timeline, ticks: Iterable[Tick]) -> int:
    """The run time of the first arrival, from which the times of a shape count."""
    started = timeline.first("load.start", "load", phase=Phase.OK)
    said = None if started is None else started.data.get("first_second")
    if isinstance(said, int):
        return said * 1000
    return min((tick.second for tick in ticks), default=0) * 1000


def capped_ms(timeline: Timeline) -> int | None:
    """The run time at which the load was told to rise no more; None if it never was."""
    told = timeline.first("load.rate", "load", phase=Phase.STARTED)
    return None if told is None else told.at_ms


def asked_between(
    load: LoadSpec, from_ms: float, to_ms: float, *, begun_ms: int, capped_ms: int | None
) -> float:
    """Arrivals that were asked for in a stretch of run time, as the load was really driven."""
    until_ms = to_ms if capped_ms is None else min(to_ms, max(from_ms, capped_ms))
    asked = arrivals_between(load.rates, from_ms - begun_ms, until_ms - begun_ms)
    ground = load.breakpoint.from_per_s if load.breakpoint is not None else 0.0
    return asked + ground * (to_ms - until_ms) / 1000


def stand(
    load: LoadSpec,
    criteria: Sequence[Criterion],
    ticks: Sequence[Tick],
    *,
    begun_ms: int,
    end_ms: int,
    slack_ms: float,
) -> tuple[Stood, ...]:
    """Every step judged after the fact; the load rose until *end_ms* of run time."""
    return tuple(
        _stood(load, stair, criteria, ticks, begun_ms=begun_ms, end_ms=end_ms, slack_ms=slack_ms)
        for stair in stairs_of(load)
    )


def _stood(
    load: LoadSpec,
    stair: Stair,
    criteria: Sequence[Criterion],
    ticks: Sequence[Tick],
    *,
    begun_ms: int,
    end_ms: int,
    slack_ms: float,
) -> Stood:
    first_ms, last_ms = begun_ms + stair.begin_ms, begun_ms + stair.end_ms
    until_ms = min(last_ms, end_ms // 1000 * 1000)
    if until_ms <= first_ms:
        return Stood(stair=stair, standing=Standing.NOT_REACHED)
    inside = [t for t in ticks if first_ms <= t.second * 1000 < until_ms]
    if why := saturated(inside, slack_ms) or _short(load, stair, ticks, first_ms, until_ms):
        why = f"the generator, not the service: {why}"
        return Stood(stair=stair, standing=Standing.UNKNOWN, why=why)
    cells = cells_between(ticks, first_ms, until_ms)
    decisions = [(c, decided(c, cells)) for c in criteria]
    for criterion, got in decisions:
        if got.holds is False:
            return _of(stair, Standing.BROKEN, criterion, got)
    for criterion, got in decisions:
        if got.holds is None:
            return _of(stair, Standing.UNKNOWN, criterion, got)
    if until_ms < last_ms:
        seconds = (until_ms - first_ms) // 1000
        why = f"it was cut short after {seconds} s"
        return Stood(stair=stair, standing=Standing.UNKNOWN, why=why)
    n = max((got.n for _, got in decisions), default=0)
    return Stood(stair=stair, standing=Standing.HELD, n=n)


def decided(criterion: Criterion, cells: Sequence[Cell]) -> Decision:
    """As `decide`, but in percentiles who waited in vain has waited so long."""
    if criterion.kind is not MetricKind.LATENCY:
        return decide(criterion, stats(cells, criterion.subject))
    waited: dict[int, int] = {}
    for cell in cells:
        asked = matches(cell.journey, cell.name, criterion.subject)
        if asked and not cell.edge and (cell.good or cell.outcome in WAITED):
            add(waited, cell.response)
    return decide(criterion, Stats(good=count(waited), response=waited))


def _of(stair: Stair, standing: Standing, criterion: Criterion, got: Decision) -> Stood:
    return Stood(
        stair=stair,
        standing=standing,
        criterion=criterion,
        value=got.value,
        n=got.n,
        why=got.why,
    )


def _short(
    load: LoadSpec, stair: Stair, ticks: Sequence[Tick], first_ms: int, until_ms: int
) -> str:
    """What is missing of a step's arrivals, if too much is."""
    asked = stair.per_s * (until_ms - first_ms) / 1000
    drawn = DEVIATIONS * math.sqrt(asked) if load.spread == "poisson" else 0.0
    started = 0
    for own in by_worker(ticks).values():
        before = [t for t in own if (t.second + 1) * 1000 <= first_ms]
        after = [t for t in own if (t.second + 1) * 1000 <= until_ms]
        if after:
            # those that wait for a user were asked for: it is the service that holds the users
            started += after[-1].asked - (before[-1].asked if before else 0)
    if started >= STARTED_SHARE * asked - max(1.0, drawn):
        return ""
    return f"it started {started} of {asked:.0f} arrivals"
