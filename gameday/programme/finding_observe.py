"""What an observer of a drill may say of a claimed fix that no run can show.

A finding of people (nobody knew who decides, the runbook was not found) is shown to be gone where
people do it: in a drill that was really held, was passed, and was watched by an observer. A talk
about it shows nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from gameday.kpi.day import ITEM, OPENED, ROLE
from gameday.model.day import ItemKind
from gameday.model.event import Event, Phase
from gameday.model.finding_record import (
    EntryKind,
    Evidence,
    FindingRecord,
    FindingsPolicy,
    FindingState,
)
from gameday.model.project import kind_of_environment
from gameday.model.verdict import Outcome
from gameday.programme.finding_entry import (
    TransitionError,
    as_of,
    is_later,
    not_now,
    reason_of,
    stamp,
    with_entry,
)

OBSERVER = "observer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The last try of an item of a day, as it ended. `journal` is the name of the day's."""

    day: str
    journal: str
    item: str
    kind: ItemKind
    started: str
    outcome: str
    reason: str
    environment: str
    observed: bool

    @property
    def name(self) -> str:
        """Where it is found again."""
        return f"{self.journal}/{self.item}"


def held_in(journal: str, events: Sequence[Event], item: str) -> Held | None:
    """The last try of *item*; None where there is none, or it did not come to its end.

    One that was refused before anything was done is none.
    Raises KeyError, TypeError or ValueError for a journal that is none of a day.
    """
    opened = events[0] if events else None
    if opened is None or opened.kind != OPENED:
        return None
    found, began, observed = None, None, False
    for event in events:
        if event.kind == ROLE and event.subject == OBSERVER:
            observed = bool(event.data.get("taken", True))
        elif event.kind == ITEM and event.subject == item and event.phase is Phase.STARTED:
            began = event
        elif event.kind == ITEM and event.subject == item and began is not None:
            if event.phase is Phase.OK:
                found = _held(journal, opened, began, event, observed=observed)
            elif event.phase is not Phase.FAILED:
                found = None  # nobody knows how it went
            began = None
    return found if began is None else None


def _held(journal: str, opened: Event, began: Event, ended: Event, *, observed: bool) -> Held:
    at_ms = int(opened.data["origin_wall_ms"]) + began.at_ms
    return Held(
        day=opened.subject,
        journal=journal,
        item=ended.subject,
        kind=ItemKind(str(began.data["item_kind"])),
        started=stamp(datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)),
        outcome=str(ended.data.get("outcome", "")),
        reason=str(ended.data.get("reason", "")),
        environment=str(opened.data.get("environment", "")),
        observed=observed,
    )


def observed(
    record: FindingRecord, held: Held, *, why: str, now: datetime.datetime, policy: FindingsPolicy
) -> FindingRecord:
    """*record*, verified by what an observer saw. Raises `TransitionError` where that cannot be."""
    record = as_of(record, now, policy)
    if record.state is not FindingState.FIX_CLAIMED:
        raise not_now(record, "observe", f"first `gameday findings claim {record.id}`")
    if record.failures:
        raise TransitionError(
            f"`{record.id}` names a scenario, so a run has to show that it holds: "
            "`gameday findings verify RUN`"
        )
    _refuse_unless_it_shows(record, held)
    why = reason_of(why)
    return with_entry(
        record,
        EntryKind.VERIFIED,
        FindingState.VERIFIED,
        at=now,
        role=OBSERVER,
        why=why,
        run=held.name,
        evidence=Evidence(
            run=held.name,
            started=held.started,
            scenario=f"{held.day}/{held.item}",
            check="drill",
            expectation=record.expectation,
            summary=held.reason,
            environment=held.environment,
            environment_kind=kind_of_environment(held.environment),
        ),
    )


def _refuse_unless_it_shows(record: FindingRecord, held: Held) -> None:
    """Only a drill: it was held since the claim, was passed, and somebody was there to watch."""
    if held.kind is ItemKind.TABLETOP:
        raise TransitionError(
            f"`{held.name}` is a tabletop: it was talked about, and nothing was done, so it shows "
            "nothing; hold a drill"
        )
    if held.kind is not ItemKind.DRILL:
        raise TransitionError(
            f"`{held.name}` is a run and no drill; a run says it by itself: "
            "`gameday findings verify RUN`"
        )
    if held.outcome != Outcome.PASS.value:
        said = f"{held.outcome}: {held.reason}"
        raise TransitionError(f"`{held.name}` was not passed, so it shows nothing ({said})")
    if not is_later(held.started, record.claimed_at):
        raise TransitionError(
            f"`{held.name}` began at {held.started}, before the claim at {record.claimed_at}"
        )
    if not held.observed:
        raise TransitionError(
            f"nobody had the role `{OBSERVER}` when `{held.name}` ended; "
            f"the plan names it among its `roles`, and `gameday day take PLAN {OBSERVER}` takes it"
        )
