"""Making the calls of a generic fault, of whatever family, and looking whether it is in place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from gameday.adapters.generic import bridge, command, web
from gameday.adapters.generic.outcome import Outcome
from gameday.adapters.generic.place import Call, Place
from gameday.errors import CannotSeeError
from gameday.model.faults import CALL_TIMEOUT_MS
from gameday.secrets import masked

_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5


class _Driver(Protocol):
    def shown(self, call: Call, /) -> str: ...
    def problems(
        self, calls: Mapping[str, Call], place: Place, within_s: float, /
    ) -> list[str]: ...
    def ask(self, name: str, call: Call, place: Place, within_s: float, /) -> Outcome: ...


def driver(family: str) -> _Driver:
    """Who makes calls of this family."""
    drivers: dict[str, _Driver] = {"command": command, "http": web, "python": bridge}
    return drivers[family]


class Asking:
    """The calls of one fault, made in its place."""

    def __init__(self, family: str, calls: Mapping[str, Call], place: Place) -> None:
        self._driver, self._calls, self._place = driver(family), calls, place

    def within_s(self, name: str) -> float:
        """How long the call may take."""
        return int(self._calls[name].get("timeout_ms", CALL_TIMEOUT_MS)) / 1000

    def has(self, name: str) -> bool:
        """Whether there is such a call."""
        return name in self._calls

    def shown(self, name: str) -> str:
        """The call in one line, for facts and plans: nothing secret, no arguments of functions."""
        return masked(self._driver.shown(self._calls[name]))

    def problems(self) -> list[str]:
        """Everything that is wrong with the calls, found without making one."""
        longest_s = max(self.within_s(name) for name in self._calls)
        return self._driver.problems(self._calls, self._place, longest_s)

    def ask(self, name: str, within_s: float | None = None) -> Outcome:
        """Make the call."""
        limit_s = self.within_s(name) if within_s is None else within_s
        return self._driver.ask(name, self._calls[name], self._place, limit_s)

    def told(self, name: str, why: str) -> str:
        """An error about a call: whose it is and what it was."""
        return masked(f"`{name}` of fault `{self._place.fault}` ({self.shown(name)}): {why}")

    def present(self, within_s: float | None = None) -> bool:
        """Look once. Raises `CannotSeeError` when that does not say."""
        outcome = self.ask("present", within_s)
        if not (outcome.ok or outcome.gone):
            raise CannotSeeError(self.told("present", outcome.why))
        return outcome.ok

    def becomes(self, wanted: bool, deadline: float, *, look_s: float | None = None) -> str:
        """Look until *deadline*, at least once, whether the fault is (not) in place.

        Empty if it came to be so, else what was seen last. With *look_s*, no look goes on
        for longer than that beyond the deadline.
        """
        pause_s = _PAUSE_S
        while True:
            limit_s = self.within_s("present")
            if look_s is not None:
                limit_s = min(limit_s, max(look_s, deadline - time.monotonic()))
            try:
                if self.present(limit_s) is wanted:
                    return ""
                why = self.told("present", "it is not in place" if wanted else "it is in place")
            except CannotSeeError as error:
                why = str(error)
            if time.monotonic() + pause_s >= deadline:
                return why
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def shows(self, name: str) -> str:
        """Make the call until it is ok or its time is over; empty, or what came of the last one."""
        deadline, pause_s = time.monotonic() + self.within_s(name), _PAUSE_S
        while True:
            outcome = self.ask(name, max(0.01, deadline - time.monotonic()))
            if outcome.ok:
                return ""
            if time.monotonic() + pause_s >= deadline:
                return self.told(name, outcome.why)
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
