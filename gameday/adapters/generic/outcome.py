"""What came of one call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call.

    `ok`: it ended as it should; of `present`: the fault is in place. `gone`, only of `present`: it
    is certain that it is not. Neither of both: `why` says what was seen instead. `started` is False
    when it is certain that nothing was asked of anybody; `late` when it was cut off at its limit.
    """

    ok: bool = False
    gone: bool = False
    why: str = ""
    started: bool = True
    late: bool = False


def not_started(why: str) -> Outcome:
    """A call that was never made."""
    return Outcome(started=False, why=why)


def too_late(within_s: float) -> Outcome:
    """A call that did not end in time."""
    return Outcome(late=True, why=f"did not end within {within_s:g} s")
