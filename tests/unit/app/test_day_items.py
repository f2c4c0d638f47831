"""Tabletops and drills: what is noted of them, and when they passed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gameday.app.day_drill import Done, DrillRun, moment_ms
from gameday.app.day_tabletop import Ended, Table
from gameday.model.day import Card, Command, Drill, DrillKind, Tabletop
from gameday.model.event import Event
from gameday.model.verdict import ExitCode, Outcome

CARDS = (
    Card(id="card-1", at_ms=0, inject="checkouts fail", ask="an incident?"),
    Card(id="card-2", at_ms=600_000, inject="the chat is down", ask="where do you talk?"),
    Card(id="card-3", at_ms=900_000, inject="it is over"),
)


class Notes:
    """The events that were noted."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, kind: str, subject: str, /, **data: Any) -> Event:
        self.rows.append((kind, subject, data))
        return Event(kind=kind, subject=subject, data=data)


class Script:
    """Lines of people at their times, and the clock that goes with them."""

    def __init__(self, *lines: tuple[int, str | None]) -> None:
        self.now_ms = 0
        self._lines: Iterator[tuple[int, str | None]] = iter(lines)
        self._waiting = next(self._lines, None)

    def next(self, within_s: float) -> str | None:
        if self._waiting is None:
            raise EOFError
        at, line = self._waiting
        patience = self.now_ms + round(within_s * 1000)
        if at > patience:
            self.now_ms = max(patience, self.now_ms + 1)
            return None
        self.now_ms = max(self.now_ms, at)
        self._waiting = next(self._lines, None)
        return line


def talk(*lines: tuple[int, str | None], stopped_at_ms: int | None = None) -> tuple[Ended, Notes]:
    notes, script = Notes(), Script(*lines)
    table = Table("talk", Tabletop(cards=CARDS), notes, lambda text: None)
    ended = table.play(
        script,
        lambda: script.now_ms,
        lambda: stopped_at_ms is not None and script.now_ms >= stopped_at_ms,
    )
    return ended, notes


def test_cards_come_when_they_are_due_and_decisions_have_their_time() -> None:
    ended, notes = talk(
        (30_000, "d commander: it is one"),
        (40_000, "d something else"),
        (660_000, "d the bridge"),
        (950_000, "end"),
    )

    assert ended.outcome is Outcome.PASS
    assert ended.facts["decided_after_ms"] == {"card-1": 30_000, "card-2": 60_000}
    assert [row[1] for row in notes.rows if row[0] == "day.card"] == ["card-1", "card-2", "card-3"]
    assert notes.rows[1] == (
        "human.decide",
        "commander",
        {"text": "it is one", "item": "talk", "card": "card-1", "after_ms": 30_000},
    )


def test_a_card_may_come_sooner_and_the_last_enter_ends_it() -> None:
    ended, notes = talk(
        (1_000, "d yes"), (2_000, ""), (3_000, "d here"), (4_000, "next"), (5_000, "")
    )

    assert ended.exit_code is ExitCode.PASS
    assert len(notes.rows) == 5


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("observer: nobody looked", ("human.note", "observer", "nobody looked")),
        ("10:42 it got loud", ("human.note", "scribe", "10:42 it got loud")),
        ("t owner: write it down", ("human.todo", "owner", "write it down")),
        ("d nobody: x", ("human.decide", "scribe", "nobody: x")),
    ],
)
def test_a_line_says_what_it_is_and_who_speaks(line: str, row: tuple[str, str, str]) -> None:
    _, notes = talk((1_000, line))
    kind, role, data = notes.rows[1]

    assert (kind, role, data["text"]) == row


def test_a_talk_without_an_answer_to_a_question_passed_nothing() -> None:
    ended, _ = talk((1_000, "it is quiet"), (1_000_000, "end"))

    assert ended.outcome is Outcome.INCONCLUSIVE
    assert ended.reason == "no decision on card-1, card-2"


def test_nobody_there_and_a_stopped_day_are_told() -> None:
    ended, _ = talk((1_000, "d yes"))
    assert ended.reason == "nobody was there any more; not played: card-2, card-3"

    ended, _ = talk((1_000, "d yes"), (700_000, "x"), stopped_at_ms=5_000)
    assert ended.reason == "the day was stopped; not played: card-2, card-3"


def command(name: str) -> Command:
    return Command(name=name, run=("x",))


DRILL = Drill(
    kind=DrillKind.RESTORE,
    rto_ms=60_000,
    rpo_ms=900_000,
    prepare=(command("backup"),),
    steps=(command("restore"),),
    checks=(command("rows"), command("query")),
    newest=command("newest"),
    clean_up=(command("drop"),),
)


class Rehearsal:
    """Programs that take 10 s each, and end as they are told."""

    def __init__(self, stop_after: str = "", **told: Done) -> None:
        self.now_ms, self.stopped, self.called = 1_000_000_000, False, list[str]()
        self._told, self._stop_after = told, stop_after

    def call(self, command: Command, ends_with_day: bool) -> Done:
        self.called.append(command.name)
        assert ends_with_day == (command.name != "drop")
        self.now_ms += 10_000
        self.stopped = self.stopped or command.name == self._stop_after
        if command.name == "newest":
            return self._told.get("newest", Done(ok=True, line="999990"))
        return self._told.get(command.name, Done(ok=True))

    def play(self, drill: Drill = DRILL) -> tuple[Ended, Notes]:
        notes = Notes()
        run = DrillRun(
            "restore",
            drill,
            self.call,
            note=notes,
            now=lambda: self.now_ms,
            say=lambda text: None,
            stopped=lambda: self.stopped,
        )
        return run.play(), notes


def test_times_are_counted_from_the_loss_to_the_last_check() -> None:
    ended, notes = Rehearsal().play()

    assert ended.outcome is Outcome.PASS
    # the backup took 10 s before the loss; the restore and two checks 30 s after it
    assert ended.facts["rto_ms"] == 30_000
    assert ended.facts["rpo_ms"] == 1_000_010_000 - 999_990_000
    assert notes.rows[-1][0] == "day.measured"
    assert [row[0] for row in notes.rows].index("day.declared") == 1


@pytest.mark.parametrize(
    ("told", "outcome", "reason"),
    [
        ({"restore": Done(ok=False, why="ended with exit code 1")}, Outcome.FAIL,
         "step `restore` ended with exit code 1"),
        ({"rows": Done(ok=False, why="ended with exit code 1: orders is missing")}, Outcome.FAIL,
         "check `rows` ended with exit code 1: orders is missing"),
        ({"newest": Done(ok=True, line="999000")}, Outcome.FAIL,
         "RPO was 16 min 50 s, and 15 min is allowed"),
        ({"newest": Done(ok=True, line="yesterday")}, Outcome.INCONCLUSIVE,
         "what was lost is not known: `newest` wrote no moment: `yesterday`"),
        ({"newest": Done(ok=False, why="ended with exit code 1")}, Outcome.INCONCLUSIVE,
         "what was lost is not known: `newest` ended with exit code 1"),
        ({"newest": Done(ok=True, line="1000100")}, Outcome.INCONCLUSIVE,
         "the newest record is younger than the loss"),
        ({"backup": Done(ok=False, why="ended with exit code 2")}, Outcome.INCONCLUSIVE,
         "the ground was not ready: `backup` ended with exit code 2"),
        ({"drop": Done(ok=False, why="ended with exit code 1")}, Outcome.FAIL,
         "not cleaned up: `drop` failed"),
    ],
)  # fmt: skip
def test_a_drill_fails_for_what_it_did_not_bring_back(
    told: dict[str, Done], outcome: Outcome, reason: str
) -> None:
    rehearsal = Rehearsal("", **told)
    ended, _ = rehearsal.play()

    assert ended.outcome is outcome
    assert reason in ended.reason
    assert rehearsal.called[-1] == "drop", "what the drill made is always taken away"


def test_too_late_is_a_failure_although_everything_came_back() -> None:
    slow = Drill(kind=DrillKind.FAILOVER, rto_ms=19_000, steps=DRILL.steps, checks=DRILL.checks[:1])
    ended, _ = Rehearsal().play(slow)

    assert ended.outcome is Outcome.FAIL
    assert ended.reason == "RTO was 20 s, and 19 s is allowed"
    assert ended.facts["rpo_ms"] is None


def test_a_day_that_was_stopped_says_nothing_of_the_backup_and_is_cleaned_up() -> None:
    rehearsal = Rehearsal(stop_after="restore")
    ended, _ = rehearsal.play()

    assert ended.outcome is Outcome.INCONCLUSIVE
    assert "the day was stopped" in ended.reason
    assert rehearsal.called[-1] == "drop"
    assert "rows" not in rehearsal.called


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1764579600", 1_764_579_600_000),
        ("2025-12-01T09:00:00Z", 1_764_579_600_000),
        ("2025-12-01T10:00:00+01:00", 1_764_579_600_000),
        ("2025-12-01 09:00:00", 1_764_579_600_000),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
    ],
)
def test_moments(text: str, ms: int | None) -> None:
    assert moment_ms(text) == ms
