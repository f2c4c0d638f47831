"""What the load saw: one tick a second from the load process, as it stands in the journal.

A *cell* counts the requests of one second of intended start, one journey, one request name, one
outcome, and whether they were in flight during an announced edge. Phases are cut from cells after
the fact, so any window can be computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.model.histogram import Histogram, from_pairs, to_pairs

#: How a request may end. `ok` is good; everything else is a failure, told apart by kind.
OUTCOMES = (
    "ok",
    "timeout",
    "connection",
    "http_5xx",
    "http_4xx",
    "expectation",
    "other",
    "unserved",  # an arrival that no user could serve before the end: the service's failure
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Requests with the same key. `second` is run time (seconds since the run's origin)."""

    second: int
    journey: str
    name: str
    outcome: str
    edge: bool = False
    response: Histogram = field(default_factory=dict)  # from the intended start
    service: Histogram = field(default_factory=dict)  # from the moment it was sent

    @property
    def good(self) -> bool:
        """Whether these requests succeeded."""
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCell:
    """Requests under way at the tick: a histogram of their ages since the intended start."""

    journey: str
    name: str
    ages: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One second of the load process. `second` is the run second that has just ended."""

    second: int
    worker: str = "0"
    cells: tuple[Cell, ...] = ()
    open: tuple[OpenCell, ...] = ()
    in_flight: int = 0
    oldest_ms: int = 0
    users: int = 0
    asked: int = 0  # arrivals due so far (open model), since the start of the load
    started: int = 0  # arrivals that a user has taken up so far
    queued: int = 0  # arrivals waiting for a user now
    start_lag: Histogram = field(default_factory=dict)  # taken up minus due, this second
    loop_lag_ms: float = 0.0  # how late the generator's own event loop was, this second
    cpu_share: float = 0.0  # of one core, this second
    data: Mapping[str, Any] = field(default_factory=dict)


def by_worker(ticks: Iterable[Tick]) -> dict[str, list[Tick]]:
    """The ticks of each worker, in their order."""
    found: dict[str, list[Tick]] = {}
    for tick in ticks:
        found.setdefault(tick.worker, []).append(tick)
    return found


def tick_to_json(tick: Tick) -> dict[str, Any]:
    """The form in which a tick travels over the load protocol and stands in the journal."""
    return {
        "second": tick.second,
        "worker": tick.worker,
        "cells": [
            [c.second, c.journey, c.name, c.outcome, int(c.edge),
             to_pairs(c.response), to_pairs(c.service)]
            for c in tick.cells
        ],
        "open": [[o.journey, o.name, to_pairs(o.ages)] for o in tick.open],
        "in_flight": tick.in_flight,
        "oldest_ms": tick.oldest_ms,
        "users": tick.users,
        "asked": tick.asked,
        "started": tick.started,
        "queued": tick.queued,
        "start_lag": to_pairs(tick.start_lag),
        "loop_lag_ms": tick.loop_lag_ms,
        "cpu_share": tick.cpu_share,
    }  # fmt: skip


def tick_from_json(raw: Mapping[str, Any]) -> Tick:
    """Read what `tick_to_json` wrote. Raises KeyError, TypeError or ValueError if it is not one."""
    return Tick(
        second=int(raw["second"]),
        worker=str(raw["worker"]),
        cells=tuple(
            Cell(
                second=int(second),
                journey=str(journey),
                name=str(name),
                outcome=str(outcome),
                edge=bool(edge),
                response=from_pairs(response),
                service=from_pairs(service),
            )
            for second, journey, name, outcome, edge, response, service in raw["cells"]
        ),
        open=tuple(
            OpenCell(journey=str(journey), name=str(name), ages=from_pairs(ages))
            for journey, name, ages in raw["open"]
        ),
        in_flight=int(raw["in_flight"]),
        oldest_ms=int(raw["oldest_ms"]),
        users=int(raw["users"]),
        asked=int(raw["asked"]),
        started=int(raw["started"]),
        queued=int(raw["queued"]),
        start_lag=from_pairs(raw["start_lag"]),
        loop_lag_ms=float(raw["loop_lag_ms"]),
        cpu_share=float(raw["cpu_share"]),
    )
