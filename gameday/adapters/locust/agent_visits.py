"""Visits: which arrival a user is serving, and which of its requests carries the arrival's time.

One *visit* is one iteration of a user: one task of a locustfile, or one generated journey. In the
open model it begins when a user takes up an arrival, and its first request is measured from the
moment the arrival was due; in the closed model it begins when the user does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
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

    __slots__ = ("arrival", "begun_ns", "entry", "failed", "fresh", "intended_ns", "journey",
                 "leaving", "unreported")  # fmt: skip

    def __init__(
        self, arrival: Arrival | None, journey: str, begun_ns: int, leaving: Event
    ) -> None:
        self.arrival, self.journey, self.begun_ns = arrival, journey, begun_ns
        self.leaving = leaving
        self.intended_ns = begun_ns if arrival is None else arrival.due_ns
        self.fresh = True
        self.failed = False
        #: The latest request; and those that were answered, but not reported when they returned.
        self.entry: Entry | None = None
        self.unreported: list[Entry] | None = None


class Visits:
    """Begins and ends visits. *pacer* is None in the closed model."""

    def __init__(self, book: Book, pacer: Pacer | None) -> None:
        self.book, self.pacer = book, pacer
        self.go = Event()
        self.active = 0
        #: Set when no further visit begins; who thinks then goes home.
        self.leaving = Event()
        self._users: dict[gevent.Greenlet, Any] = {}
        #: Told of visits that broke off by an error of the user's code: journey, task, error.
        self.broke: Callable[[str, str, BaseException], None] = lambda *_: None

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
        self._users[gevent.getcurrent()] = user
        if self.pacer is not None:
            user.gameday_visit = self._begin(user)
            return
        self.go.wait()
        # users that begin together would go on in lock-step for the whole run
        gevent.sleep(random.uniform(0, max(1.0, _think_s(user))))  # noqa: S311 - spacing

    def left(self) -> None:
        """The user of this greenlet has ended."""
        self._users.pop(gevent.getcurrent(), None)

    def begin(self, user: Any) -> None:
        """A visit of *user*; the one it was admitted with, if that is still unused."""
        if user.gameday_visit is None:
            user.gameday_visit = self._begin(user)

    def end(self, user: Any, task: Any, error: BaseException | None) -> None:
        """The visit of *user* is over. An error of the user's code is a failed visit."""
        visit: Visit | None = user.gameday_visit
        if visit is None:
            return
        user.gameday_visit = None
        self.active -= 1
        if error is not None or visit.unreported is not None:
            self._broken(user, visit, task, error)

    def _broken(self, user: Any, visit: Visit, task: Any, error: BaseException | None) -> None:
        now_ns = monotonic_ns()
        for entry in visit.unreported or ():
            if not entry.reported:
                visit.failed = True  # its `with` block broke off before it could be reported
                self.book.close(entry, outcome="other", service_us=(now_ns - entry.sent_ns) // 1000)
        # Killed at the end of the load, and nothing was ever reported: a client that we do not see
        # waits without a timeout of its own. The arrival must not vanish.
        hung = isinstance(error, gevent.GreenletExit) and visit.fresh and visit.arrival is not None
        raised = error is not None and not isinstance(error, _STEERING) and not visit.failed
        name = task if isinstance(task, str) else getattr(task, "__name__", "task")
        if error is not None and raised:
            self.broke(visit.journey, name, error)
        if hung or raised:
            self.book.add(
                journey=visit.journey or type(user).__name__,
                name=name,
                outcome="timeout" if hung else "other",
                intended_ns=visit.intended_ns,
                response_us=(now_ns - visit.intended_ns) // 1000,
                service_us=(now_ns - visit.begun_ns) // 1000,
            )

    def request(self, user: Any, name: str) -> Entry:
        """A request of *user* is about to be sent."""
        now_ns = monotonic_ns()
        visit: Visit | None = getattr(user, "gameday_visit", None)
        if visit is None:
            return self.book.open("" if user is None else type(user).__name__, name, now_ns, now_ns)
        intended_ns = now_ns
        if visit.fresh:
            visit.fresh = False
            if visit.arrival is not None:
                intended_ns = visit.intended_ns
        entry = visit.entry = self.book.open(visit.journey, name, intended_ns, now_ns)
        return entry

    def answered(self, user: Any, entry: Entry) -> None:
        """The answer to a request is there, and the user's code may still judge it."""
        entry.answered = True
        visit: Visit | None = getattr(user, "gameday_visit", None)
        if visit is not None:
            if visit.unreported is None:
                visit.unreported = []
            visit.unreported.append(entry)

    def ended(self, entry: Entry, outcome: str, service_us: int, name: str = "") -> None:
        """A request has ended."""
        self.book.close(entry, outcome=outcome, service_us=service_us, name=name)
        if outcome != "ok" and (visit := self._visit()) is not None:
            visit.failed = True

    def _visit(self) -> Visit | None:
        """That of this greenlet."""
        user = self._users.get(gevent.getcurrent())
        return None if user is None else user.gameday_visit

    def foreign(self, name: str, outcome: str, service_us: int) -> None:
        """A request of a client that we do not know (reported by the user's own code) has ended."""
        visit = self._visit()
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
        arrival, journey = None, type(user).__name__
        if self.pacer is not None:
            arrival = self.pacer.take(journey)
        elif self.leaving.is_set():
            raise StopUser
        self.active += 1
        return Visit(arrival, journey, monotonic_ns(), self.leaving)


def _think_s(user: Any) -> float:
    """A sample of the user's own wait time; 0 if it has none or it needs a running task."""
    try:
        return float(user.wait_time())
    except Exception:  # noqa: BLE001 - the user's own code, only asked for a hint
        return 0.0
