"""The questions that checks ask of a timeline."""

from __future__ import annotations

from pathlib import Path

from gameday.model.event import (
    ACTION_KINDS,
    NOTE_KINDS,
    OPENER_OF,
    UNDO_OF,
    Event,
    Phase,
    Timeline,
)

DOC = Path(__file__).parents[3] / "docs" / "journal.md"


def line(seq: int, kind: str, subject: str, phase: Phase = Phase.NOTED) -> Event:
    return Event(seq=seq, at_ms=seq * 100, kind=kind, subject=subject, phase=phase)


RUN = Timeline(
    [
        line(0, "fault.inject", "slow", Phase.STARTED),
        line(1, "fault.inject", "slow", Phase.OK),
        line(2, "alert.firing", "PaymentsSlow"),
        line(3, "alert.firing", "Other"),
        line(4, "alert.resolved", "PaymentsSlow"),
    ]
)


def test_of_and_first_and_last() -> None:
    assert [e.seq for e in RUN.of("alert.firing")] == [2, 3]
    assert [e.seq for e in RUN.of("alert.firing", "Other")] == [3]
    assert RUN.of("load.lost") == ()
    first = RUN.first("fault.inject", "slow")
    assert first is not None
    assert first.seq == 0
    ok = RUN.first("fault.inject", "slow", phase=Phase.OK)
    assert ok is not None
    assert ok.seq == 1
    assert RUN.first("fault.inject", after_ms=101) is None
    last = RUN.last("fault.inject", phase=Phase.STARTED)
    assert last is not None
    assert last.seq == 0
    assert RUN.last("fault.inject", "other") is None


def test_latest_is_the_state_at_a_time() -> None:
    kinds = ("alert.firing", "alert.resolved")
    then = RUN.latest(kinds, "PaymentsSlow", at_ms=399)
    assert then is not None
    assert then.kind == "alert.firing"
    later = RUN.latest(kinds, "PaymentsSlow", at_ms=400)
    assert later is not None
    assert later.kind == "alert.resolved"
    assert RUN.latest(kinds, "PaymentsSlow", at_ms=199) is None


def test_length_and_end() -> None:
    assert len(RUN) == 5
    assert RUN.end_ms == 400
    assert list(Timeline([])) == []
    assert Timeline([]).end_ms == 0


def test_every_kind_is_in_the_contract() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert not ACTION_KINDS & NOTE_KINDS
    missing = [kind for kind in ACTION_KINDS | NOTE_KINDS if f"`{kind}`" not in text]
    assert missing == []


def test_what_undoes_is_an_action_itself() -> None:
    assert set(UNDO_OF) | set(OPENER_OF) <= ACTION_KINDS
    assert {UNDO_OF[opener]: opener for opener in UNDO_OF} == OPENER_OF
