"""Rules of a day: whether its next item may be begun now. Pure; every reason is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gameday.kpi.day import DayState
from gameday.model.day import ROLES_NEEDED, Day, DayItem, Window


def not_now(
    day: Day,
    state: DayState,
    item: DayItem,
    *,
    now: datetime,
    takes_ms: int,
    environment: str | None = None,
) -> tuple[str, ...]:
    """Why *item* may not be begun at *now*; empty when it may.

    *takes_ms* is how long it goes on by its plan, *environment* the one asked for, if any was.
    """
    if state.closed is not None:
        how = "was stopped" if state.stopped else "is over"
        return (f"the day {how}; begin another one with `gameday day start`",)
    return tuple(
        _reasons(day, state, item, outside(day.window, now=now, takes_ms=takes_ms), environment)
    )


def outside(window: Window | None, *, now: datetime, takes_ms: int = 0) -> str:
    """Why something that takes so long does not fit into the window; empty when it does."""
    if window is None:
        return ""
    local = now.astimezone(window.start.tzinfo)
    said = f"the window is {window.first} to {window.last} ({window.timezone})"
    if now < window.start or now >= window.end:
        return f"it is {local:%Y-%m-%d %H:%M} there, and {said}"
    if now + timedelta(milliseconds=takes_ms) > window.end:
        end = local + timedelta(milliseconds=takes_ms)
        return f"it would go on until {end:%H:%M:%S}, and {said}"
    return ""


def _reasons(
    day: Day, state: DayState, item: DayItem, late: str, environment: str | None
) -> Iterator[str]:
    if environment is not None and environment != day.environment:
        yield f"the day is for the environment `{day.environment}`, not for `{environment}`"
    if late:
        yield late
    missing = [role for role in ROLES_NEEDED[item.kind] if role not in state.roles]
    missing += [role for role in day.roles if role not in state.roles and role not in missing]
    if missing:
        names = ", ".join(f"`{role}`" for role in missing)
        yield f"nobody has taken {names}: say so with `gameday day take PLAN {' '.join(missing)}`"
