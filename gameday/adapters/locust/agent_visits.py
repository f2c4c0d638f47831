"""Visits: which arrival a user is serving, and which of its requests carries the arrival's time.

One *visit* is one iteration of a user: one task of a locustfile, or one generated journey. In the
open model it begins when a user takes up an arrival, and its first request is measured from the
moment the arrival was due; in the closed model it begins when the user does.
"""

from __future__ import annotations

import random
from time import monotonic_ns
from typing import Any

import gevent
from gevent.event import Event
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

from gameday.adapters.locust.agent_book import Book, Entry
from gameday.adapters.locust.agent_pacer import Arrival, Pacer

#: Raised by Locust to steer users; no failure of anything.
_STEERING = (StopUser, StopTest, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately,
             gevent.GreenletExit)  # fmt: skip


class Visit:
    """One iteration of one user."""

    __slots__ = ("arrival", "begun_ns", "entries", "failed", "fresh", "intended_ns", "journey",
                 "leaving")  # fmt: skip

    def __init__(
        self, *, arrival: Arrival | None, journey: str, begun_ns: int, leaving: Event
    ) -> None:
        self.arrival, self.journey, self.begun_ns = arrival, journey, begun_ns
        self.leaving = leaving
        self.intended_ns = begun_ns if arrival is None else arrival.due_ns
        self.fresh = True
        self.failed = False
        self.entries: list[Entry] = []


class Visits:
    """Begins and ends visits. *pacer* is None in the closed model."""

    def __init__(self, book: Book, pacer: Pacer | None) -> None:
        self.book, self.pacer = book, pacer
        self.go = Event()
        self.active = 0
        #: Set when no further visit begins; who thinks then goes home.
        self.leaving = Event()
        self._by_greenlet: dict[gevent.Greenlet, Visit] = {}

    @property
    def stopping(self) -> bool:
        """Whether no further visit begins."""
        return bool(self.leaving.is_set())

    @property
    def busy(self) -> bool:
        """Whether an arrival waits, a visit goes on, or a request is unanswered."""
        waiting = self.book.asked > self.book.started + self.book.unserved
        return waiting or self.active > 0 or self.book.in_flight > 0

    def admit(self, user: Any) -> None:
        """Before a user starts: wait for its first arrival, or for the start of the load.

        A user logs in (`on_start`) only when somebody arrives that it can serve.
        """
        if self.pacer is not None:
            user.gameday_visit = self._begin(user)
            return
        self.go.wait()
        # users that begin together would go on in lock-step for the whole run
        gevent.sleep(random.uniform(0, max(1.0, _think_s(user))))  # noqa: S311 - spacing

    def begin(self, user: Any) -> Visit:
        """A visit of *user*; the one it was admitted with, if that is still unused."""
        visit: Visit | None = getattr(user, "gameday_visit", None)
        if visit is None:
            visit = user.gameday_visit = self._begin(user)
        return visit

    def end(self, user: Any, task: str, error: BaseException | None) -> None:
        """The visit of *user* is over. An error of the user's code is a failed visit."""
        visit: Visit | None = getattr(user, "gameday_visit", None)
        if visit is None:
            return
        user.gameday_visit = None
        self.active -= 1
        self._by_greenlet.pop(gevent.getcurrent(), None)
        now_ns = monotonic_ns()
        for entry in visit.entries:
            if entry.answered and not entry.reported:
                visit.failed = True  # its `with` block broke off before it could be reported
                self.book.close(entry, outcome="other", service_us=(now_ns - entry.sent_ns) // 1000)
        # Killed at the end of the load, and nothing was ever reported: a client that we do not see
        # waits without a timeout of its own. The arrival must not vanish.
        hung = isinstance(error, gevent.GreenletExit) and visit.fresh and visit.arrival is not None
        if hung or (error is not None and not isinstance(error, _STEERING) and not visit.failed):
            self.book.add(
                journey=visit.journey or type(user).__name__,
                name=task,
                outcome="timeout" if hung else "other",
                intended_ns=visit.intended_ns,
                response_us=(now_ns - visit.intended_ns) // 1000,
                service_us=(now_ns - visit.begun_ns) // 1000,
            )

    def request(self, user: Any, name: str) -> Entry:
        """A request of *user* is about to be sent."""
        now_ns = monotonic_ns()
        visit: Visit | None = getattr(user, "gameday_visit", None)
        intended_ns, journey = now_ns, "" if user is None else type(user).__name__
        if visit is not None:
            journey = visit.journey or journey
            if visit.fresh:
                visit.fresh = False
                intended_ns = visit.intended_ns if visit.arrival is not None else now_ns
        entry = self.book.open(journey=journey, name=name, intended_ns=intended_ns, now_ns=now_ns)
        if visit is not None:
            visit.entries.append(entry)
        return entry

    def ended(self, entry: Entry, outcome: str, service_us: int, name: str = "") -> None:
        """A request has ended."""
        self.book.close(entry, outcome=outcome, service_us=service_us, name=name)
        if outcome != "ok":
            visit = self._by_greenlet.get(gevent.getcurrent())
            if visit is not None:
                visit.failed = True

    def foreign(self, name: str, outcome: str, service_us: int) -> None:
        """A request of a client that we do not know (reported by the user's own code) has ended."""
        visit = self._by_greenlet.get(gevent.getcurrent())
        now_ns = monotonic_ns()
        sent_ns = now_ns - service_us * 1000
        intended_ns, journey = sent_ns, ""
        if visit is not None:
            journey = visit.journey
            if visit.fresh and visit.arrival is not None:
                intended_ns = min(sent_ns, visit.intended_ns)
            visit.fresh = False
            visit.failed |= outcome != "ok"
        self.book.add(
            journey=journey,
            name=name,
            outcome=outcome,
            intended_ns=intended_ns,
            response_us=(now_ns - intended_ns) // 1000,
            service_us=service_us,
        )

    def _begin(self, user: Any) -> Visit:
        arrival = None
        if self.pacer is not None:
            arrival = self.pacer.take(type(user).__name__)
        elif self.stopping:
            raise StopUser
        self.active += 1
        visit = Visit(
            arrival=arrival,
            journey=type(user).__name__,
            begun_ns=monotonic_ns(),
            leaving=self.leaving,
        )
        self._by_greenlet[gevent.getcurrent()] = visit
        return visit


def _think_s(user: Any) -> float:
    """A sample of the user's own wait time; 0 if it has none or it needs a running task."""
    try:
        return float(user.wait_time())
    except Exception:  # noqa: BLE001 - the user's own code, only asked for a hint
        return 0.0
