"""Who owes the world an undo: a pure fold over events, used by engine, sentinel and recovery.

Three rules live here and nowhere else:

1. An inject that was *started* is owed a revert, however it ended: a failed or unknown inject may
   still have taken effect.
2. An inject that was given up (its call outlived its limit) may land later. It is *lost* until the
   call is heard from, and what is lost is dirty even when a revert has succeeded meanwhile.
3. A revert pays a debt only if it was started after the last news of the inject.
4. A revert that was given up proves little when it is heard from at last: its success counts only
   if no newer revert is under way, and if its effect is unknown, it may have undone what a newer
   one achieved: the debt is owed again.

`target.open` and `target.close` (a proxy that a run creates and removes) are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase


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
    astray: tuple[Event, ...] = ()  # closers that were given up and not heard from since
    paid: tuple[Debt, ...] = ()  # the last debt of each subject that was paid

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
    if event.kind in OPENER_OF:
        if event.phase is Phase.STARTED:
            return replace(ledger, started=(*ledger.started, event))
        return _closer_ended(ledger, event)
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


def _closer_ended(ledger: Ledger, event: Event) -> Ledger:
    begun = tuple(e for e in ledger.started if e.seq == event.cause)
    late = any(e.seq == event.cause for e in ledger.astray)
    ledger = replace(
        ledger,
        started=tuple(e for e in ledger.started if e.seq != event.cause),
        astray=tuple(e for e in ledger.astray if e.seq != event.cause),
    )
    if event.data.get("given_up"):
        return replace(ledger, astray=(*ledger.astray, *begun))
    if event.phase is Phase.OK:
        newer = any((e.kind, e.subject) == (event.kind, event.subject) for e in ledger.started)
        return ledger if late and newer else _pay(ledger, event)
    if late and event.phase is Phase.UNKNOWN:  # FAILED: certain that it changed nothing
        again = tuple(d for d in ledger.paid if _is_of(d, event))
        ledger = replace(ledger, paid=tuple(d for d in ledger.paid if d not in again))
        return replace(ledger, owed=(*ledger.owed, *again))
    return ledger


def _pay(ledger: Ledger, event: Event) -> Ledger:
    """Strike out what the revert that ended with *event* has paid."""
    paid = tuple(d for d in ledger.owed if _is_of(d, event) and _after(event, d))
    others = tuple(d for d in ledger.paid if not (paid and _is_of(d, event)))
    owed = tuple(d for d in ledger.owed if d not in paid)
    return replace(ledger, owed=owed, paid=(*others, *paid))


def _owe(ledger: Ledger, event: Event, opened: Event) -> Ledger:
    def same(debt: Debt) -> bool:
        return debt.subject == event.subject and debt.kind == event.kind

    debt = Debt(
        kind=event.kind,
        subject=event.subject,
        since=event.seq,
        opened=opened.seq,
        undo=opened.data.get("undo", {}),
    )
    return replace(
        ledger,
        owed=(*(d for d in ledger.owed if not same(d)), debt),
        paid=tuple(d for d in ledger.paid if not same(d)),
    )


def _is_of(debt: Debt, closer: Event) -> bool:
    return debt.closer == closer.kind and debt.subject == closer.subject


def _after(closer: Event, debt: Debt) -> bool:
    """Whether the revert was started after the last news of the inject."""
    return closer.cause is not None and closer.cause > debt.since
