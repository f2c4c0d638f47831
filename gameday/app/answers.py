"""The act `answer.ask`: what a scenario asks of a service once the load has stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.generic.answers import ask_until_right
from gameday.app.memory import Memory
from gameday.model.plan import Plan, Step

#: Outcomes of requests to which somebody answered, right or wrong.
_ANSWERED = frozenset({"ok", "http_4xx", "http_5xx", "expectation"})
#: So often nobody has to answer where that cannot change any more.
DEAF_TRIES = 3


def ask_answer(plan: Plan, step: Step, memory: Memory) -> Mapping[str, Any]:
    """The question that *step* names. Raises CannotSeeError when no answer was to be had.

    A service that answered no request before anything was broken is not waited for: nothing that
    the run did keeps it from answering, so nothing that ends now brings it back.
    """
    asked = next(one for one in plan.scenario.expect.answers if one.name == step.subject)
    url = plan.environment.targets[asked.target].url
    if url is None:
        raise RuntimeError(f"target `{asked.target}` has no `url`")  # the rules refuse it
    return ask_until_right(
        url.rstrip("/"),
        asked.path,
        asked.json,
        within_s=asked.within_ms / 1000,
        deaf_tries=None if _was_well_or_broken(memory) else DEAF_TRIES,
    )


def _was_well_or_broken(memory: Memory) -> bool:
    """Whether the service answered once, or the run has begun to put a fault in."""
    if memory.timeline().first("fault.inject") is not None:
        return True
    return any(cell.outcome in _ANSWERED for tick in memory.ticks() for cell in tick.cells)
