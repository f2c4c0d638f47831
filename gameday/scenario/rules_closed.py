"""A rule about the closed model: it flatters the slowest requests under a fault."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.kpi.closed import closed_tail
from gameday.model.diagnostics import Diagnostic
from gameday.scenario.scope import Scope, rule


def tails_are_open(scope: Scope) -> Iterator[Diagnostic]:
    """The tail of the latency under a fault is that of visitors who come whatever happens."""
    for path, condition in scope.conditions("fault"):
        if closed_tail(scope.scenario.load, condition):
            yield scope.marks.problem(
                "expect/closed-tail",
                path,
                f"`{condition.text}` of `users`: while the service stalls they wait and ask "
                "nothing, so a stall is one slow request of each, and hardly moves this",
                "write `arrivals: 100/s`, or mind that it is what so many waiting users feel",
            )


RULES = (rule(tails_are_open, "expect/closed-tail", needs=("load",)),)
