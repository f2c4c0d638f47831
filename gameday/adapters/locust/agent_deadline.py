"""Ends requests that take too long: one watch for all of them.

All requests of a load have the same limit, so they are due in the order in which they began, and
only the first one needs a timer. A timer for each would cost more than all the counting does.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Any

import gevent
from gevent import getcurrent


class Late(gevent.Timeout):  # type: ignore[misc]  # gevent has no types
    """There was no complete answer within the limit."""


class Deadlines:
    """The requests that must end within *limit_s*; one at a time in a greenlet."""

    def __init__(self, limit_s: float) -> None:
        self._limit_ns = int(limit_s * 1e9)
        self._due_ns: dict[Any, int] = {}

    def begin(self) -> Any:
        """A request begins here. The result is for `end`; None inside another request."""
        me = getcurrent()
        if me in self._due_ns:
            return None
        self._due_ns[me] = monotonic_ns() + self._limit_ns
        return me

    def end(self, begun: Any) -> bool:
        """It has ended. Returns whether it was ended by us, with `Late`."""
        return begun is not None and self._due_ns.pop(begun, None) is None

    def watch(self) -> None:
        """Throw `Late` into requests when they are due, for ever; in a greenlet of its own."""
        while True:
            now_ns = monotonic_ns()
            wait_ns = self._limit_ns
            for late, due_ns in self._due_ns.items():
                if due_ns > now_ns:
                    wait_ns = due_ns - now_ns
                    break
                gevent.get_hub().loop.run_callback(self._throw, late, due_ns)
            # what begins meanwhile is due later than that; a millisecond lets what is thrown happen
            gevent.sleep(max(0.001, wait_ns / 1e9))

    def _throw(self, late: Any, due_ns: int) -> None:
        if self._due_ns.get(late) == due_ns:  # it may have ended in the meantime
            del self._due_ns[late]
            late.throw(Late(self._limit_ns / 1e9))
