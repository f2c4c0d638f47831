"""Who owes the world an undo: one short story a row."""

from __future__ import annotations

import pytest

from gameday.model.debts import Ledger, fold, ledger_of
from gameday.model.event import Event, Phase

WORDS = {
    "in": "fault.inject",
    "out": "fault.revert",
    "open": "target.open",
    "close": "target.close",
}


def story(text: str) -> list[Event]:
    """Events from words: `in+` starts, `in=` ends ok, `in-` failed, `in?` unknown, `in!` given up.

    An end belongs to the last start of its kind, or to the one whose number follows: `out=2`.
    """
    events: list[Event] = []
    for word in text.split():
        name = word.rstrip("+-=?!0123456789")
        sign, number = word[len(name)], word[len(name) + 1 :]
        kind, begun = WORDS[name], [e for e in events if e.kind == WORDS[name]]
        starts = [e.seq for e in begun if e.phase is Phase.STARTED]
        phase = {"+": "started", "-": "failed", "=": "ok", "?": "unknown", "!": "unknown"}[sign]
        data = {"undo": {"of": name, "n": len(starts)}} if sign == "+" else {}
        events.append(
            Event(
                seq=len(events), at_ms=len(events), kind=kind, subject="slow", phase=Phase(phase),
                cause=None if sign == "+" else starts[int(number) - 1 if number else -1],
                data={"given_up": True} if sign == "!" else data,
            )
        )  # fmt: skip
    return events


CLEAN = {
    "nothing": "",
    "in and out": "in+ in= out+ out=",
    "a failed inject that was reverted": "in+ in- out+ out=",
    "an unknown inject that was reverted": "in+ in? out+ out=",
    "second try": "in+ in= out+ out- out+ out? out+ out=",
    "given up, heard from, reverted": "in+ in! in= out+ out=",
    "given up, reverted, heard from, reverted again": "in+ in! out+ out= in- out+ out=",
    "a hung revert, and another": "in+ in= out+ out! out+ out=",
    "a hung revert that is heard from": "in+ in= out+ out! out=",
    "a hung revert that failed late, for certain": "in+ in= out+ out! out+ out= out-1",
    "late doubt, then a new revert": "in+ in= out+ out! out+ out= out?1 out+ out=",
    "twice": "in+ in= out+ out= in+ in= out+ out=",
    "a target": "open+ open= close+ close=",
}
DIRTY = {
    "started": "in+",
    "in": "in+ in=",
    "failed": "in+ in-",
    "unknown": "in+ in?",
    "revert under way": "in+ in= out+",
    "revert failed": "in+ in= out+ out-",
    "revert unknown": "in+ in= out+ out?",
    "revert given up": "in+ in= out+ out!",
    "given up and reverted, not heard from": "in+ in! out+ out=",
    "heard from after the revert": "in+ in! out+ out= in-",
    "heard from during the revert": "in+ in! out+ in= out=",
    "in again": "in+ in= out+ out= in+",
    "an old revert does not pay for a new inject": "in+ in= out+ out! out+ out= in+ in= out=1",
    "a late success while a newer revert is under way": "in+ in= out+ out! out+ out=1",
    "a late doubt about what was undone": "in+ in= out+ out! out+ out= out?1",
    "a target": "open+ open=",
    "a target is not closed by a revert": "open+ open= out+ out=",
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean(name: str) -> None:
    assert ledger_of(story(CLEAN[name])).dirty == ()


@pytest.mark.parametrize("name", DIRTY)
def test_dirty(name: str) -> None:
    assert ledger_of(story(DIRTY[name])).dirty == ("slow",)


@pytest.mark.parametrize("name", [*CLEAN, *DIRTY])
def test_a_subject_is_owed_once(name: str) -> None:
    ledger = Ledger()
    for event in story({**CLEAN, **DIRTY}[name]):
        ledger = fold(ledger, event)
        assert len(ledger.owed) <= 1
        assert not {d.opened for d in ledger.owed} & {d.opened for d in ledger.paid}


def test_a_debt_carries_what_its_revert_needs() -> None:
    debt = ledger_of(story("in+ in! in=")).owed[0]

    assert debt.closer == "fault.revert"
    assert debt.undo == {"of": "in", "n": 0}
    assert (debt.opened, debt.since) == (0, 2)


def test_the_undo_of_the_last_inject_counts() -> None:
    debt = ledger_of(story("in+ in= in+ in=")).owed[0]

    assert debt.undo == {"of": "in", "n": 1}


def test_debts_are_in_the_order_in_which_they_were_made() -> None:
    events = [
        Event(seq=i, at_ms=i, kind=kind, subject=subject, phase=Phase.STARTED)
        for i, (kind, subject) in enumerate(
            [("target.open", "payments"), ("fault.inject", "slow"), ("fault.inject", "down")]
        )
    ]

    assert ledger_of(events).dirty == ("payments", "slow", "down")


def test_a_fault_and_a_target_of_one_name_are_two_debts() -> None:
    ledger = ledger_of(story("open+ open= in+ in="))
    assert len(ledger.owed) == 2
    assert ledger.dirty == ("slow",)
    assert [d.kind for d in ledger_of(story("open+ open= in+ in= out+ out=")).owed] == [
        "target.open"
    ]


def test_observations_owe_nothing() -> None:
    noted = Event(seq=0, at_ms=0, kind="probe.sample", subject="payments")

    assert fold(Ledger(), noted) == Ledger()
