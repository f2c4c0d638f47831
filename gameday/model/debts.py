"""Who owes the world an undo: a pure fold over events, used by engine, sentinel and recovery.

Three rules live here and nowhere else:

1. An inject that was *started* is owed a revert, however it ended: a failed or unknown inject may
   still have taken effect.
2. An inject that was given up (its call outlived its limit) may land later. It is *lost* until the
   call is heard from, and what is lost is dirty even when a revert has succeeded meanwhile.
3. A revert pays a debt only if it was started after the last news of the inject.

`target.open` and `target.close` (a proxy that a run creates and removes) are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gameday.model.event import UNDO_OF, Event, Phase

_OPENER_OF = {closer: opener for opener, closer in UNDO_OF.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A fault (or a target opened by the run) that may be in place.

    `since` is the seq of the last news of the inject, `opened` the seq of its STARTED event, `undo`
    the plain data that a revert needs; it was in the journal before the inject was made.
    """

    kind: str  # of the opener: "fault.inject" or "target.open"
    subject: str
    since: int
    opened: int
    undo: Mapping[str, Any]

    @property
    def closer(self) -> str:
        """The kind of the action that pays it."""
        return UNDO_OF[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is owed (oldest first), and the injects that were given up and not heard from since."""

    owed: tuple[Debt, ...] = ()
    lost: tuple[Event, ...] = ()
    started: tuple[Event, ...] = ()  # openers and closers under way, oldest first

    @property
    def dirty(self) -> tuple[str, ...]:
        """Subjects that may still be broken."""
        names = [d.subject for d in self.owed] + [e.subject for e in self.lost]
        return tuple(dict.fromkeys(names))


def fold(ledger: Ledger, event: Event) -> Ledger:
    """The ledger after *event*."""
    if event.kind in UNDO_OF:
        if event.phase is Phase.STARTED:
            ledger = replace(ledger, started=(*ledger.started, event))
            return _owe(ledger, event, event)
        return _opener_ended(ledger, event)
    if event.kind in _OPENER_OF and event.phase is Phase.OK and event.cause is not None:
        opener, paid = _OPENER_OF[event.kind], event.cause
        left = tuple(d for d in ledger.owed if not _pays(d, opener, event.subject, paid))
        return replace(ledger, owed=left)
    return ledger


def ledger_of(events: Iterable[Event]) -> Ledger:
    """The ledger after all of *events*."""
    ledger = Ledger()
    for event in events:
        ledger = fold(ledger, event)
    return ledger


def _opener_ended(ledger: Ledger, event: Event) -> Ledger:
    opened = tuple(e for e in (*ledger.started, *ledger.lost) if e.seq == event.cause)
    started = tuple(e for e in ledger.started if e.seq != event.cause)
    ledger = replace(ledger, started=started)
    if event.data.get("given_up"):
        return replace(ledger, lost=(*ledger.lost, *opened))
    late = any(e.seq == event.cause for e in ledger.lost)
    if late:  # given up long ago: it may have landed just now, after a revert that looked fine
        lost = tuple(e for e in ledger.lost if e.seq != event.cause)
        return _owe(replace(ledger, lost=lost), event, opened[0])
    return ledger


def _owe(ledger: Ledger, event: Event, opened: Event) -> Ledger:
    def same(debt: Debt) -> bool:
        return debt.subject == event.subject and debt.kind == event.kind

    others = tuple(d for d in ledger.owed if not same(d))
    debt = Debt(
        kind=event.kind,
        subject=event.subject,
        since=event.seq,
        opened=opened.seq,
        undo=opened.data.get("undo", {}),
    )
    return replace(ledger, owed=(*others, debt))


def _pays(debt: Debt, kind: str, subject: str, revert_seq: int) -> bool:
    return debt.kind == kind and debt.subject == subject and revert_seq > debt.since
