"""`gameday day`: begin a day, run its items one after the other, end it.

Everything that is said about a day is read from its journal and its plan; nothing is kept anywhere
else, so any terminal can go on where another one ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.app.check import render_diagnostics
from gameday.app.day_journal import (
    FOLDER,
    HOLIDAYS,
    PLAN,
    DayFile,
    beginning,
    days_of,
    now_ms,
    open_day,
    today,
)
from gameday.errors import RefusedError, UsageError
from gameday.kpi.day import CLOSED, ITEM, ROLE, DayState, state_of
from gameday.kpi.day_rules import outside
from gameday.model.day import ROLES, Day, DayItem
from gameday.model.event import Event, Phase
from gameday.model.project import Project
from gameday.model.verdict import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRequest:
    """Which day is meant: that of a plan, and of those the latest."""

    plan: Path
    project: Path | None = None
    reports: Path = Path("reports")
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A day that was begun, as it is now."""

    day: Day
    project: Project
    file: DayFile
    events: tuple[Event, ...]
    state: DayState

    def again(self) -> Held:
        """The same day, read again."""
        events = self.file.events()
        return replace(self, events=events, state=state_of(self.day, events))


def start_command(request: DayRequest, *, take: Sequence[str] = ()) -> ExitCode:
    """Begin a day. Nothing is broken by it."""
    day, _ = _read(request)
    _here(day, request)
    if day.window is not None and datetime.now(UTC) >= day.window.end:
        raise RefusedError(f"too late: {outside(day.window, now=datetime.now(UTC))}")
    _known(day, take)
    text = request.plan.read_text(encoding="utf-8")
    files = {PLAN: text}
    if day.debrief.holidays:
        files[HOLIDAYS] = "".join(f"{one.isoformat()}\n" for one in day.debrief.holidays)
    with beginning(request.reports):
        for other in days_of(request.reports, day.id):
            if not any(event.kind == CLOSED for event in other.events()):
                raise RefusedError(
                    f"the day `{other.name}` of this plan is not over; go on with "
                    "`gameday day next`, or end it with `gameday day stop`"
                )
        _alone(request.reports)
        file = open_day(
            request.reports,
            day.id,
            files,
            title=day.title,
            environment=day.environment,
            change_id=day.change_id,
            blind=day.blind,
            knows=list(day.knows),
            roles=list(day.roles),
            items=[_announced(day, item) for item in day.items],
            plan_sha256=_sha256(text),
            base=os.path.relpath(day.directory, (request.reports / FOLDER).resolve()),
            **_window(day),
        )
    for role in take:
        file.append(ROLE, role, taken=True)
    from gameday.report.day_text import status_text

    held = _held(day, Project(environments={}), file)
    sys.stdout.write(f"began the day {file.name}\n{status_text(day, held.state)}")
    if day.preflight:
        sys.stdout.write("look first:\n" + "".join(f"  [ ] {one}\n" for one in day.preflight))
    sys.stdout.write(f"next: `gameday day next {request.plan}`\n")
    return ExitCode.PASS


def take_command(request: DayRequest, roles: Sequence[str], *, back: bool = False) -> ExitCode:
    """Take roles, or give them back."""
    held = hold(request)
    _known(held.day, roles)
    _not_over(held)
    for role in roles:
        held.file.append(ROLE, role, taken=not back)
    taken = held.again().state.roles
    left = [role for role in held.day.roles if role not in taken]
    sys.stdout.write(
        f"taken: {', '.join(sorted(taken)) or 'none'}"
        + (f"; nobody yet: {', '.join(left)}" if left else "")
        + "\n"
    )
    return ExitCode.PASS


def status_command(request: DayRequest, *, as_json: bool) -> ExitCode:
    """Say how far the day is."""
    from gameday.report.day_text import status_json, status_text

    held = hold(request, changed_is_fine=True)
    if as_json:
        told = {"day": held.file.name, **status_json(held.day, held.state)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{held.file.name}\n{status_text(held.day, held.state)}")
    return ExitCode.PASS


def text_command(request: DayRequest, moment: str) -> ExitCode:
    """Print what is told to others at one moment of the day, to be sent."""
    from gameday.report.day_text import MOMENTS, message

    if moment not in MOMENTS:
        known = ", ".join(f"`{one}`" for one in MOMENTS)
        raise UsageError(f"there is no text for `{moment}`; there are {known}")
    day, project = _read(request)
    begun = days_of(request.reports, day.id)
    state = _held(day, project, begun[-1]).state if begun else None
    sys.stdout.write(message(day, moment, state, now_ms=now_ms()))
    return ExitCode.PASS


def hold(request: DayRequest, *, changed_is_fine: bool = False) -> Held:
    """The latest day of a plan. Raises `UsageError` if none was begun.

    Raises `RefusedError` where the plan is not the one that the day was begun with, unless nothing
    is going to be done by it.
    """
    day, project = _read(request)
    _here(day, request)
    begun = days_of(request.reports, day.id)
    if not begun:
        raise UsageError(
            f"no day of `{request.plan}` was begun in `{request.reports}`; "
            f"begin it with `gameday day start {request.plan}`"
        )
    held = _held(day, project, begun[-1])
    same = held.state.opened.get("plan_sha256") == _sha256(request.plan.read_text(encoding="utf-8"))
    if not same and not changed_is_fine and held.state.closed is None:
        raise RefusedError(
            f"`{request.plan}` was changed since the day began; put it back (it is in "
            f"`{held.file.folder / PLAN}`), or end the day with `gameday day stop` and begin again"
        )
    return held


def settle(held: Held) -> Held:
    """End what a runner that is gone has left open; only for whoever has the turn."""
    open_ = held.state.under_way
    if open_ is None:
        return held
    reason = "whoever ran it is gone"
    facts: dict[str, Any] = {}
    if open_.run is not None:
        reason += f"; `gameday judge {open_.run}` says what is known, `gameday recover` cleans up"
        facts["run"] = open_.run
    held.file.append(
        ITEM,
        open_.id,
        phase=Phase.UNKNOWN,
        cause=open_.seq,
        outcome="inconclusive",
        reason=reason,
        exit_code=int(ExitCode.INCONCLUSIVE),
        **facts,
    )
    sys.stderr.write(f"gameday: `{open_.id}` has no end: {reason}\n")
    return held.again()


def _read(request: DayRequest) -> tuple[Day, Project]:
    from gameday.scenario.api import day_for

    day, project, found = day_for(request.plan, project=request.project)
    sys.stderr.write(render_diagnostics(found) if found else "")
    return day, project


def _held(day: Day, project: Project, file: DayFile) -> Held:
    events = file.events()
    return Held(day=day, project=project, file=file, events=events, state=state_of(day, events))


def _here(day: Day, request: DayRequest) -> None:
    if request.environment not in (None, day.environment):
        raise RefusedError(
            f"the day is for the environment `{day.environment}`, not for "
            f"`{request.environment}`; write a plan for that one"
        )


def _alone(reports: Path) -> None:
    """Raise `RefusedError` while a day of another plan goes on: this one would take its place.

    What people say would go into this one, and those would see all who must not know what is
    broken by that one.
    """
    other = today(reports)
    if other is not None and other.planned and other.closed is None:
        raise RefusedError(
            f"the day `{other.name}` is not over, and below `{reports}` one is held at a time; end "
            "it with `gameday day stop PLAN`, where PLAN is its plan (a copy is "
            f"`{other.folder / PLAN}`), or hold this one with other `--reports`"
        )


def _window(day: Day) -> dict[str, int]:
    """When its window ends, for those who have the journal alone."""
    if day.window is None:
        return {}
    return {"window_ends_wall_ms": round(day.window.end.timestamp() * 1000)}


def _announced(day: Day, item: DayItem) -> dict[str, str]:
    """What is known of an item when the day begins: for those who look on."""
    title, hypothesis = item.title, item.hypothesis
    if item.scenario is not None:
        from gameday.scenario.build import read_scenario

        scenario, _, _ = read_scenario(Path(day.directory, item.scenario), item.profile)
        if scenario is not None:
            title, hypothesis = title or scenario.title, hypothesis or scenario.hypothesis
    kept = {"id": item.id, "kind": item.kind.value}
    return kept | {"title": title, "hypothesis": " ".join(hypothesis.split())}


def _known(day: Day, roles: Sequence[str]) -> None:
    for role in roles:
        if role not in day.roles:
            known = ", ".join(f"`{one}`" for one in day.roles) or "none"
            what = "of this day" if role in ROLES else "that there is"
            raise UsageError(f"`{role}` is no role {what}; the plan has {known}")


def _not_over(held: Held) -> None:
    if held.state.closed is not None:
        raise RefusedError(f"the day `{held.file.name}` is over")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
