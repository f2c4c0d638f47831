"""Every journey once, with what came back: for `gameday load check` and `gameday doctor`."""

from __future__ import annotations

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
    """One arrival for each journey, or for each task of each class; an `answer` a request."""
    env.events.request.add_listener(_teller(link))
    pacer = visits.pacer
    if pacer is None:
        raise ValueError("`once` needs an arrival rate, of any size")
    _in_order()
    deadline = monotonic_ns() + int(limit_s * 1e9)
    for journey, lane in enumerate(pacer.lanes):
        cls = env.runner.user_classes_by_name[lane]
        times = min(MAX_TASKS, len(dict.fromkeys(cls.tasks))) if len(cls.tasks) > 1 else 1
        for _ in range(times):
            if monotonic_ns() >= deadline:
                link.send(_untold(pacer.label(journey), "(not begun)", limit_s))
                continue
            pacer.put(Arrival(monotonic_ns(), journey))
            while monotonic_ns() < deadline and visits.busy:
                gevent.sleep(0.01)
            if visits.busy:
                link.send(_untold(pacer.label(journey), "(not ended)", limit_s))


def _untold(journey: str, request: str, limit_s: float) -> Answer:
    """What stands for a visit that was never begun or not ended: silence is not success."""
    return Answer(
        journey=journey,
        request=request,
        method="",
        path="",
        status=0,
        body="",
        ms=0.0,
        outcome="timeout",
        error=f"the {limit_s:g} s for all of them were over",
    )


def _in_order() -> None:
    """Tasks of a user class come in their order of declaration, not at random."""
    turn: dict[type[Any], int] = {}

    def get_next_task(self: Any) -> Any:
        cls = type(self.user)
        tasks = list(dict.fromkeys(cls.tasks))
        turn[cls] = turn.get(cls, -1) + 1
        return tasks[turn[cls] % len(tasks)]

    DefaultTaskSet.get_next_task = get_next_task  # type: ignore[method-assign]


def _teller(link: Link) -> Any:
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
        link.send(
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
