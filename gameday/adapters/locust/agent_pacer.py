"""Hands arrivals to idle users: each when it is due, none dropped, last idle user first.

Last in, first out keeps the number of connections in use as small as the latency allows; the other
users stand by for the moment when nothing is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic_ns

import gevent
from gevent.event import Event
from gevent.hub import Waiter

from gameday.adapters.locust.agent_book import Book
from gameday.adapters.locust.pacing import Schedule
from gameday.adapters.locust.sharing import Arrivals, Rows, Share

#: Arrivals that may wait; beyond it they are counted as unserved at once.
MAX_QUEUED = 1_000_000
_BATCH = 20


class Arrival:
    """One arrival: due at `due_ns`, for one of `journeys` (its index), with its rows of data."""

    __slots__ = ("due_ns", "journey", "rows")

    def __init__(self, due_ns: int, journey: int, rows: Rows | None = None) -> None:
        self.due_ns, self.journey, self.rows = due_ns, journey, rows


class _Idle:
    __slots__ = ("arrival", "waiter")

    def __init__(self) -> None:
        self.waiter: Waiter[Arrival] = Waiter()
        self.arrival: Arrival | None = None


class Pacer:
    """Arrivals to users. A *lane* is a group of users that can serve the same arrivals.

    `labels` names journey and request of an arrival that waits or was never served, by journey
    index; `lanes` says which lane serves a journey; `grow` is called when a lane has nobody idle.
    Of the arrivals of a schedule those of `share` are taken, with the rows that `rows` gives to the
    arrivals of a journey.
    """

    def __init__(
        self,
        *,
        book: Book,
        labels: Sequence[tuple[str, str]],
        lanes: Sequence[str],
        weights: Sequence[float],
        grow: Callable[[str], None],
        share: Share | None = None,
        rows: Callable[[int], Rows] | None = None,
    ) -> None:
        self._book, self._labels, self._grow = book, labels, grow
        self.lanes = tuple(lanes)
        self._weights, self._share, self._rows = tuple(weights), share or Share(), rows
        self._queues: dict[str, deque[Arrival]] = {lane: deque() for lane in lanes}
        self._idle: dict[str, list[_Idle]] = {lane: [] for lane in lanes}
        self._own: Arrivals | None = None
        self._changed = Event()

    def label(self, journey: int) -> str:
        """The name of a journey, by its index."""
        return self._labels[journey][0]

    def issue(self, schedule: Schedule) -> None:
        """Issue arrivals by *schedule* until `end`, in a greenlet of its own."""
        own = self._own = Arrivals(schedule, self._weights, self._share, self._rows)
        late = 0
        while self._own is not None:
            wait_ns = own.due_ns - monotonic_ns()
            if wait_ns > 0:
                late = 0
                self._changed.clear()
                self._changed.wait(wait_ns / 1e9)
                continue
            self.put(Arrival(own.due_ns, own.journey, own.rows))
            own.advance()
            late += 1
            if late % _BATCH == 0:
                gevent.sleep(0)  # catching up must not make everything else late

    def change(self, per_s: float, at_ns: int | None = None) -> None:
        """A new rate, from now or from *at_ns* on."""
        if self._own is not None:
            self._own.change(per_s, monotonic_ns() if at_ns is None else at_ns)
            self._changed.set()

    def end(self) -> None:
        """No further arrivals. Those that wait may still be taken."""
        self._own = None
        self._changed.set()

    def put(self, arrival: Arrival) -> None:
        """An arrival is due: to the user that was idle for the shortest time, or into the queue."""
        self._book.asked += 1
        self._offer(arrival)

    def _offer(self, arrival: Arrival) -> None:
        lane = self.lanes[arrival.journey]
        idle = self._idle[lane]
        if idle:
            one = idle.pop()
            one.arrival = arrival
            gevent.get_hub().loop.run_callback(one.waiter.switch, arrival)
        elif self.queued >= MAX_QUEUED:
            self._unserved(arrival, monotonic_ns())
        else:
            self._queues[lane].append(arrival)
            self._grow(lane)

    def take(self, lane: str) -> Arrival:
        """Wait for an arrival, as a user of *lane*."""
        queue = self._queues[lane]
        arrival = queue.popleft() if queue else self._wait(lane)
        self._book.taken(monotonic_ns() - arrival.due_ns)
        return arrival

    @property
    def queued(self) -> int:
        """Arrivals that nobody has taken up."""
        return sum(map(len, self._queues.values()))

    def waiting(self) -> Iterator[tuple[str, str, int]]:
        """Journey, name and due time of each arrival that nobody has taken up."""
        for queue in self._queues.values():
            for arrival in queue:
                journey, name = self._labels[arrival.journey]
                yield journey, name, arrival.due_ns

    def give_up(self, now_ns: int) -> None:
        """The end: what still waits is unserved."""
        for queue in self._queues.values():
            while queue:
                self._unserved(queue.popleft(), now_ns)

    def _wait(self, lane: str) -> Arrival:
        idle = self._idle[lane]
        one = _Idle()
        idle.append(one)
        try:
            arrival: Arrival = one.waiter.get()
        except BaseException:
            # killed while idle, or (so the arrival goes back) just after an arrival was handed over
            if one.arrival is None:
                idle.remove(one)
            else:
                self._offer(one.arrival)
            raise
        return arrival

    def _unserved(self, arrival: Arrival, now_ns: int) -> None:
        journey, name = self._labels[arrival.journey]
        self._book.unserved += 1
        self._book.add(
            journey=journey,
            name=name,
            outcome="unserved",
            intended_ns=arrival.due_ns,
            response_us=(now_ns - arrival.due_ns) // 1000,
            service_us=None,
        )
