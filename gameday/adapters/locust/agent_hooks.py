"""Where we hook into Locust: users, tasks, waits, and both HTTP clients.

These seams are Locust's own methods, partly not public: `tests/contract/test_load_*.py` hold each
of them, and pyproject bounds the versions.
"""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import gevent
import requests.exceptions
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.useragent import RetriesExceeded
from locust.clients import HttpSession
from locust.clients import ResponseContextManager as HttpResponse
from locust.contrib.fasthttp import FastHttpSession, FastHttpUser, LocustUserAgent
from locust.user.task import DefaultTaskSet, TaskSet
from locust.user.users import User

from gameday.adapters.locust.agent_book import Entry
from gameday.adapters.locust.agent_deadline import Deadlines, Late
from gameday.adapters.locust.agent_outcome import outcome_of
from gameday.adapters.locust.agent_visits import Visits

#: Keys of a request's context: our entry, and what judges the answer to a generated step.
ENTRY, WANTED = "gameday_entry", "gameday_wanted"
_ABSENT = object()


def install(visits: Visits, *, timeout_s: float, left: Callable[[Any], None]) -> None:
    """Hook in, once a process. *left* is told of every user that has ended."""
    _users(visits, left)
    _tasks(visits)
    for session in (HttpSession, FastHttpSession):
        _requests(session, visits)
    deadlines = Deadlines(timeout_s)
    gevent.spawn(deadlines.watch)
    _fast_client(timeout_s, deadlines)
    _requests_client(timeout_s, deadlines)


def on_request(visits: Visits) -> Callable[..., None]:
    """The listener for Locust's `request` event, which every finished request fires."""

    def listener(
        *,
        name: str,
        response_time: float | None,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        response: Any = None,
        **_: object,
    ) -> None:
        service_us = int((response_time or 0) * 1000)
        entry = context.get(ENTRY) if context else None
        if entry is None:
            visits.foreign(name, outcome_of(exception, response), service_us)
        elif exception is None and entry.wanted is None:  # nearly all of them
            visits.book.close(entry, "ok", service_us, name)
        else:
            visits.ended(entry, judged(entry, exception, response, service_us), service_us, name)

    return listener


def judged(entry: Entry, exception: BaseException | None, response: Any, service_us: int) -> str:
    """The outcome of a request; what is wrong with its answer is kept in the entry."""
    if entry.wanted is None:
        return outcome_of(exception, response)
    response_us = max(0, (entry.sent_ns - entry.intended_ns) // 1000) + service_us
    outcome, entry.problem, entry.captured = entry.wanted.judge(exception, response, response_us)
    return str(outcome)


def _users(visits: Visits, left: Callable[[Any], None]) -> None:
    run: Any = User.run

    @functools.wraps(run)
    def paced_run(self: Any) -> None:
        error: BaseException | None = None
        try:
            visits.admit(self)
            run(self)
        except BaseException as e:
            error = e
            raise
        finally:
            visits.end(self, "on_start", error)
            visits.left()
            left(self)

    User.run = paced_run  # type: ignore[method-assign,misc]
    User.gameday_visit = None  # type: ignore[attr-defined]
    User.gameday_busy = False  # type: ignore[attr-defined]


def _tasks(visits: Visits) -> None:
    for cls in (TaskSet, DefaultTaskSet):
        cls.execute_task = _paced(cls.__dict__["execute_task"], visits)  # type: ignore[method-assign]
    wait: Any = TaskSet.wait

    @functools.wraps(wait)
    def paced_wait(self: Any) -> None:
        # between two visits the pacer waits; a wait inside a task is the user's own
        if visits.pacer is not None and self.user.gameday_visit is None:
            return
        wait(self)

    TaskSet.wait = paced_wait  # type: ignore[method-assign]


def _paced(execute: Callable[[Any, Any], None], visits: Visits) -> Callable[[Any, Any], None]:
    @functools.wraps(execute)
    def execute_task(self: Any, task: Any) -> None:
        if isinstance(task, type) and issubclass(task, TaskSet):
            execute(self, task)  # its own tasks are visits
            return
        user = self.user
        if user.gameday_busy:  # a task set run from inside a task
            execute(self, task)
            return
        error: BaseException | None = None
        visits.begin(user)
        user.gameday_busy = True
        try:
            execute(self, task)
        except BaseException as e:
            error = e
            raise
        finally:
            user.gameday_busy = False
            visits.end(user, task, error)

    return execute_task


def _requests(session: type[Any], visits: Visits) -> None:
    original = session.request

    @functools.wraps(original)
    def request(
        self: Any, method: Any, url: Any, name: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        user = self.user
        entry = visits.request(user, str(name or self.request_name or url))
        context = kwargs.get("context")
        if context:
            entry.wanted = context.get(WANTED)
            kwargs["context"] = {**context, ENTRY: entry}
        else:
            kwargs["context"] = {ENTRY: entry}
        try:
            response = original(self, method, url, name, *args, **kwargs)
        except BaseException as error:
            killed = isinstance(error, gevent.GreenletExit)
            outcome = "timeout" if killed else outcome_of(error)
            visits.ended(entry, outcome, (monotonic_ns() - entry.sent_ns) // 1000)
            raise
        if not entry.reported:
            visits.answered(user, entry)
        return response

    session.request = request


def _fast_client(timeout_s: float, deadlines: Deadlines) -> None:
    request = FastHttpSession.request

    @functools.wraps(request)
    def in_time(self: Any, *args: Any, **kwargs: Any) -> Any:
        # The sockets' timeouts bound each read; a server that drips is bounded by this only.
        # Raised inside, it is caught and reported by Locust like any other failure.
        begun = deadlines.begin()
        try:
            return request(self, *args, **kwargs)
        finally:
            if deadlines.end(begun) and getattr(self.user, "client_pool", None) is None:
                self.client.clientpool.close()  # a write cut short never gives its socket back

    FastHttpSession.request = in_time  # type: ignore[method-assign]

    def give_up(self: Any, url: Any, last_error: BaseException | None = None) -> Any:
        raise RetriesExceeded(url, self.max_retries, original=last_error) from last_error

    LocustUserAgent._handle_retries_exceeded = give_up  # type: ignore[method-assign]
    made = ConnectionPool.__init__

    @functools.wraps(made)
    def single_try(self: Any, *args: Any, **kwargs: Any) -> None:
        # geventhttpclient sends an idempotent request again, up to size + 1 times, when the server
        # hangs up: resets would be hidden, and one request would be several for the service
        made(self, *args, **kwargs)
        self.size = -1

    ConnectionPool.__init__ = single_try  # type: ignore[method-assign]
    resolve = ConnectionPool._resolve

    @functools.wraps(resolve)
    def resolved(self: Any) -> Any:
        # an address needs no resolver, which is a thread pool here
        return _address(self._connection_host, self._connection_port) or resolve(self)

    ConnectionPool._resolve = resolved  # type: ignore[method-assign]
    start = FastHttpUser.__init__

    @functools.wraps(start)
    def bounded(self: Any, *args: Any, **kwargs: Any) -> None:
        self.network_timeout = min(self.network_timeout or timeout_s, timeout_s)
        self.connection_timeout = min(self.connection_timeout or timeout_s, timeout_s)
        start(self, *args, **kwargs)

    FastHttpUser.__init__ = bounded  # type: ignore[method-assign]


def _address(host: str, port: int) -> list[Any]:
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, *rest))]
    return []


def _requests_client(timeout_s: float, deadlines: Deadlines) -> None:
    send = HttpSession._send_request_safe_mode

    @functools.wraps(send)
    def in_time(self: Any, method: Any, url: Any, **kwargs: Any) -> Any:
        # The deadline bounds it as a whole. Timeouts of the socket, which cost a timer at each
        # read, are set only if the user wants them, or reads the body when the deadline is over.
        if kwargs.get("timeout") is not None or kwargs.get("stream"):
            kwargs["timeout"] = _at_most(kwargs.get("timeout"), timeout_s)
        begun = deadlines.begin()
        try:
            return send(self, method, url, **kwargs)
        except Late:
            late = requests.exceptions.ReadTimeout(f"no complete answer within {timeout_s:g} s")
            return HttpResponse(late)
        finally:
            deadlines.end(begun)

    HttpSession._send_request_safe_mode = in_time  # type: ignore[method-assign]


def _at_most(given: Any, limit: float) -> Any:
    if isinstance(given, tuple):
        return tuple(_at_most(one, limit) for one in given)
    return min(given, limit) if isinstance(given, int | float) and given > 0 else limit
