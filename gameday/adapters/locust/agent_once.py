"""Every journey once, with what came back: for `gameday load check` and `gameday doctor`."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust.user.task import DefaultTaskSet

from gameday.adapters.locust.agent_hooks import ENTRY, judged
from gameday.adapters.locust.agent_link import Link
from gameday.adapters.locust.agent_outcome import outcome_of
from gameday.adapters.locust.agent_pacer import Arrival
from gameday.adapters.locust.agent_visits import Visits
from gameday.adapters.locust.protocol import MAX_BODY, Answer

#: Tasks of one class that are tried.
MAX_TASKS = 50


def once(link: Link, env: Any, visits: Visits, *, limit_s: float) -> None:
    """One arrival for each journey, or for each task of each class; an `answer` a request.

    What ends otherwise, or says nothing, is an `answer` too: silence is not success.
    """
    said: list[Answer] = []

    def tell(answer: Answer) -> None:
        said.append(answer)
        link.send(answer)

    env.events.request.add_listener(_teller(tell))
    visits.broke = lambda journey, task, error: tell(
        _untold(journey, f"({task})", "other", f"{type(error).__name__}: {error}")
    )
    pacer = visits.pacer
    if pacer is None:
        raise ValueError("`once` needs an arrival rate, of any size")
    _in_order()
    deadline = monotonic_ns() + int(limit_s * 1e9)
    over = f"the {limit_s:g} s for all of them were over"
    for journey, lane in enumerate(pacer.lanes):
        cls = env.runner.user_classes_by_name[lane]
        times = min(MAX_TASKS, len(dict.fromkeys(cls.tasks))) if len(cls.tasks) > 1 else 1
        for _ in range(times):
            if monotonic_ns() >= deadline:
                tell(_untold(pacer.label(journey), "(not begun)", "timeout", over))
                continue
            before = len(said)
            pacer.put(Arrival(monotonic_ns(), journey))
            while monotonic_ns() < deadline and visits.busy:
                gevent.sleep(0.01)
            if visits.busy:
                tell(_untold(pacer.label(journey), "(not ended)", "timeout", over))
            elif len(said) == before:
                why = "it sent no request that could be seen"
                tell(_untold(pacer.label(journey), "(no request)", "other", why))


def _untold(journey: str, request: str, outcome: str, why: str) -> Answer:
    """What stands for a visit without an answer of its own."""
    return Answer(
        journey=journey,
        request=request,
        method="",
        path="",
        status=0,
        body="",
        ms=0.0,
        outcome=outcome,
        error=why[:MAX_BODY],
    )


class _InTurn:
    """The next task of a user class, chosen when it begins: several users wait for an arrival."""

    def __init__(self, turns: dict[type[Any], int]) -> None:
        self._turns = turns
        self.__name__ = "task"

    def __call__(self, user: Any) -> None:
        task = _next_of(type(user), self._turns)
        self.__name__ = getattr(task, "__name__", "task")
        task(user)


def _next_of(cls: type[Any], turns: dict[type[Any], int]) -> Any:
    tasks = list(dict.fromkeys(cls.tasks))
    turns[cls] = turns.get(cls, -1) + 1
    return tasks[turns[cls] % len(tasks)]


def _in_order() -> None:
    """Tasks of a user class come in their order of declaration, not at random."""
    turns: dict[type[Any], int] = {}

    def get_next_task(self: Any) -> Any:
        cls = type(self.user)
        if any(isinstance(task, type) for task in cls.tasks):
            return _next_of(cls, turns)  # a task set is no visit: its own tasks are
        return _InTurn(turns)

    DefaultTaskSet.get_next_task = get_next_task  # type: ignore[method-assign]


def _teller(tell: Callable[[Answer], None]) -> Any:
    def listener(
        *,
        request_type: str,
        name: str,
        response_time: float | None,
        url: str = "",
        response: Any = None,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        entry = (context or {}).get(ENTRY)
        if entry is None:
            outcome = outcome_of(exception, response)
        else:
            outcome = judged(entry, exception, response, int((response_time or 0) * 1000))
        parts = urlsplit(url)
        status = getattr(response, "status_code", 0)
        error = "" if exception is None else f"{type(exception).__name__}: {exception}"
        if entry is not None and entry.problem:
            error = entry.problem
        tell(
            Answer(
                journey="" if entry is None else entry.journey,
                request=name,
                method=request_type,
                path=parts.path + (f"?{parts.query}" if parts.query else ""),
                status=status if isinstance(status, int) else 0,
                body=_text(response),
                ms=round(response_time or 0.0, 3),
                outcome=outcome,
                error=error[:MAX_BODY],
            )
        )

    return listener


def _text(response: Any) -> str:
    try:
        return str(getattr(response, "text", "") or "")[:MAX_BODY]
    except Exception:  # noqa: BLE001 - a body that cannot be decoded is no reason to fail
        return ""
