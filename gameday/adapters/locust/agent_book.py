"""What the load process knows: requests under way, finished ones by cell, arrivals waiting.

No Locust, no gevent, no clock of its own: times are monotonic nanoseconds given by the caller.
Every request that is opened ends in exactly one cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from gameday.model.histogram import bucket_of
from gameday.model.window import Cell, OpenCell, Tick

#: Distinct request names before further ones are lumped together.
MAX_NAMES = 300
OTHER_NAME = "(other names)"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Entry:
    """One request. `intended_ns` is when it should have been sent, `sent_ns` when it was."""

    __slots__ = ("answered", "captured", "edge", "intended_ns", "journey", "name", "problem",
                 "reported", "sent_ns", "wanted")  # fmt: skip

    def __init__(self, journey: str, name: str, intended_ns: int, sent_ns: int, edge: bool) -> None:
        self.journey, self.name = journey, name
        self.intended_ns, self.sent_ns = intended_ns, sent_ns
        self.edge = edge
        self.wanted: Any = None  # what judges the answer, for a step of a generated journey
        self.problem = ""  # what it found wrong, in words
        self.captured: Mapping[str, Any] = _NOTHING  # the values that it took from the answer
        self.answered = False
        self.reported = False


class Book:
    """Counts. `origin_ns` is the run's origin on the monotonic clock; `worker` says whose ticks."""

    def __init__(self, origin_ns: int = 0, worker: str = "0") -> None:
        self.origin_ns, self.worker = origin_ns, worker
        self.asked = self.started = self.unserved = 0
        self._edges = 0
        self._under_way: dict[Entry, None] = {}
        self._cells: dict[tuple[int, str, str, str, bool], tuple[dict[int, int], dict[int, int]]]
        self._cells = {}
        self._start_lag: dict[int, int] = {}
        self._names: set[str] = set()

    def open(self, journey: str, name: str, intended_ns: int, now_ns: int) -> Entry:
        """A request is about to be sent."""
        entry = Entry(journey, name, intended_ns, now_ns, self._edges > 0)
        self._under_way[entry] = None
        return entry

    def close(self, entry: Entry, outcome: str, service_us: int, name: str = "") -> None:
        """A request has ended. Only the first report of an entry counts."""
        if entry.reported:
            return
        entry.reported = True
        self._under_way.pop(entry, None)
        intended_ns, name = entry.intended_ns, name or entry.name
        lag_us = (entry.sent_ns - intended_ns) // 1000
        second = (intended_ns - self.origin_ns) // 1_000_000_000
        # the usual cell is asked for here: a call costs as much as all the counting
        cell = self._cells.get((second, entry.journey, name, outcome, entry.edge))
        if cell is None:
            cell = self._cell(intended_ns, entry.journey, name, outcome, entry.edge)
        response, service = cell
        bucket = bucket_of(max(0, max(0, lag_us) + service_us))
        response[bucket] = response.get(bucket, 0) + 1
        if lag_us > 0:
            bucket = bucket_of(max(0, service_us))
        service[bucket] = service.get(bucket, 0) + 1

    def add(
        self,
        *,
        journey: str,
        name: str,
        outcome: str,
        edge: bool | None = None,
        intended_ns: int,
        response_us: int,
        service_us: int | None,
    ) -> None:
        """Count one ending. Without *edge* it is one if an edge is open now."""
        if edge is None:
            edge = self._edges > 0
        response, service = self._cell(intended_ns, journey, name, outcome, edge)
        bucket = bucket_of(max(0, response_us))
        response[bucket] = response.get(bucket, 0) + 1
        if service_us is not None:
            bucket = bucket_of(max(0, service_us))
            service[bucket] = service.get(bucket, 0) + 1

    def _cell(
        self, intended_ns: int, journey: str, name: str, outcome: str, edge: bool
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Where an ending with these attributes is counted: response and service times."""
        second = (intended_ns - self.origin_ns) // 1_000_000_000
        cell = self._cells.get((second, journey, name, outcome, edge))
        if cell is None:  # a name that has a cell is known
            key = (second, journey, self._known(name), outcome, edge)
            cell = self._cells.setdefault(key, ({}, {}))
        return cell

    def taken(self, lag_ns: int) -> None:
        """A user has taken up an arrival, *lag_ns* after it was due."""
        self.started += 1
        bucket = bucket_of(max(0, lag_ns // 1000))
        self._start_lag[bucket] = self._start_lag.get(bucket, 0) + 1

    def edge(self, opening: bool) -> int:
        """An edge opens or closes; edges nest. Returns how many requests are under way."""
        self._edges = max(0, self._edges + (1 if opening else -1))
        if opening:
            for entry in self._under_way:
                entry.edge = True
        return self.in_flight

    @property
    def in_flight(self) -> int:
        """How many requests are unanswered."""
        return sum(1 for entry in self._under_way if not entry.answered)

    def give_up(self, now_ns: int) -> None:
        """The end: what is still unanswered is a timeout, what was never reported is `other`."""
        for entry in list(self._under_way):
            outcome = "other" if entry.answered else "timeout"
            self.close(entry, outcome=outcome, service_us=(now_ns - entry.sent_ns) // 1000)

    def cut(
        self,
        *,
        second: int,
        now_ns: int,
        waiting: Iterable[tuple[str, str, int]] = (),
        users: int = 0,
        loop_lag_ms: float = 0.0,
        cpu_share: float = 0.0,
    ) -> Tick:
        """The tick of *second*: what ended since the last one, and what is open now.

        *waiting* are arrivals without a user: journey, name, due time.
        """
        ages: dict[tuple[str, str], dict[int, int]] = {}
        oldest_ns = now_ns
        in_flight = queued = 0
        for entry in self._under_way:
            if not entry.answered:
                in_flight += 1
                oldest_ns = min(oldest_ns, entry.intended_ns)
                self._age(ages, (entry.journey, entry.name), now_ns - entry.intended_ns)
        for journey, name, due_ns in waiting:
            queued += 1
            oldest_ns = min(oldest_ns, due_ns)
            self._age(ages, (journey, name), now_ns - due_ns)
        cells, self._cells = self._cells, {}
        start_lag, self._start_lag = self._start_lag, {}
        return Tick(
            second=second,
            worker=self.worker,
            cells=tuple(
                Cell(
                    second=s, journey=journey, name=name, outcome=outcome, edge=edge,
                    response=response, service=service,
                )
                for (s, journey, name, outcome, edge), (response, service) in sorted(cells.items())
            ),
            open=tuple(
                OpenCell(journey=journey, name=name, ages=found)
                for (journey, name), found in sorted(ages.items())
            ),
            in_flight=in_flight,
            oldest_ms=(now_ns - oldest_ns) // 1_000_000,
            users=users,
            asked=self.asked,
            started=self.started,
            queued=queued,
            start_lag=start_lag,
            loop_lag_ms=round(loop_lag_ms, 2),
            cpu_share=round(cpu_share, 3),
        )  # fmt: skip

    def _age(
        self, ages: dict[tuple[str, str], dict[int, int]], key: tuple[str, str], age_ns: int
    ) -> None:
        key = (key[0], self._known(key[1]))
        bucket = bucket_of(max(0, age_ns // 1000))
        found = ages.setdefault(key, {})
        found[bucket] = found.get(bucket, 0) + 1

    def _known(self, name: str) -> str:
        if name in self._names:
            return name
        if len(self._names) >= MAX_NAMES:
            return OTHER_NAME
        self._names.add(name)
        return name
