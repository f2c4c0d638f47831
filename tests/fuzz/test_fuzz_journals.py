"""Whatever is in a journal: it is read as far as it can be trusted, and judged, or refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from fuzz_dice import Dice
from fuzz_json import events, journal_file, lines_of
from fuzz_runs import fuzz, parts

from gameday.app.judge import Judged, judge_run
from gameday.app.rundir import RunDir
from gameday.errors import GamedayError
from gameday.journal import Journal, follow, read, verify
from gameday.model.debts import ledger_of
from gameday.model.event import Event
from gameday.recovery import find_dirty_runs
from gameday.report.console import render
from gameday.report.json_ import render as render_json
from gameday.scenario.planfile import dump_plan

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))
from checks_support import change, cut, drop, ends, good_run, plan, timeline

from gameday.model.event import Phase

GOLDEN = Path(__file__).parents[1] / "golden" / "journals"
BUG = "by a bug of ours"
Record = Callable[[str, object], None]


@cache
def golden() -> tuple[tuple[bytes, ...], ...]:
    """The lines of the journals that stay readable for good, but for the forged one."""
    paths = [path for path in sorted(GOLDEN.glob("*.jsonl")) if "forged" not in path.name]
    return tuple(tuple(path.read_bytes().splitlines()) for path in paths if "torn" not in path.name)


@cache
def runs() -> tuple[tuple[bytes, ...], ...]:
    """Short runs: good, dirty, without alerts, stopped early; a line of the load each second."""
    often = ("load.window", "probe.sample", "proxy.health")

    def thin(found: list[Event]) -> list[Event]:
        return [e for e in found if e.kind not in often or e.at_ms // 1000 % 6 == 0]

    spoils = (
        (),
        (ends("fault.revert", Phase.UNKNOWN, error="-"), change("run.closed", dirty=["slow"])),
        (drop("alert.firing", "alert.resolved", "alert.delivered"),),
        (cut(20_000),),
    )  # fmt: skip
    made = []
    for spoil in spoils:
        found = list(timeline(good_run(), *spoil, thin))
        made.append(tuple(lines_of(renumbered(found))))
    return tuple(made)


def renumbered(found: Sequence[Event]) -> list[Event]:
    """Without gaps, each end still pointing at its start."""
    new = {event.seq: seq for seq, event in enumerate(found)}
    return [
        replace(e, seq=new[e.seq], cause=None if e.cause is None else new.get(e.cause, 0))
        for e in found
    ]


def one_line(text: str) -> None:
    assert text.strip(), text
    assert text.isprintable(), text
    assert len(text) <= 400, text


def check_reading(path: Path, *, append: bool) -> bool:
    """Read a journal in every way; whether nothing is wrong with its chain."""
    found = read(path)
    assert verify(path) == found.problem
    if found.problem is not None:
        one_line(found.problem)
        assert found.problem.startswith("line ")
        assert not found.complete
    assert [event.seq for event in found.events] == list(range(len(found.events)))
    for event in found.events:
        assert event.cause is None or type(event.cause) is int
        assert type(event.at_ms) is int
    ledger_of(found.events)
    assert len(list(follow(path, until=lambda: True))) >= 0
    if append:
        check_appending(path, sound=found.problem is None)
    return found.problem is None and bool(found.events)


def check_dirty_runs(reports: Path) -> None:
    """Looking for runs that left something in place, as each new run does, ends well."""
    assert all(run.dirty for run in find_dirty_runs(reports))


def test_a_very_deep_last_line_hides_no_dirty_run(tmp_path: Path) -> None:
    path = tmp_path / "run-1" / "journal.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"".join(line + b"\n" for line in runs()[1]) + b"[" * 100_000)
    assert [run.run for run in find_dirty_runs(tmp_path)] == ["run-1"]


def check_appending(path: Path, *, sound: bool) -> None:
    """Whoever cleans up can go on exactly where the chain is whole, and it stays whole."""
    refused = ""
    try:
        with Journal.reopen(path) as journal:
            journal.append(Event(seq=journal.next_seq, at_ms=1, kind="human.note", subject="sre"))
    except GamedayError as error:
        refused = str(error)
    assert bool(refused) is not sound, refused
    if sound:
        again = read(path)
        assert again.problem is None
        assert again.events[-1].kind == "human.note"


@parts("journals")
def test_any_journal_is_read(part: int, tmp_path: Path, record_property: Record) -> None:
    path = tmp_path / "run-1" / "journal.jsonl"
    path.parent.mkdir()

    def one(dice: Dice) -> bool:
        lines = dice.pick(golden()) if dice.chance(40) else lines_of(events(dice, 1))
        path.write_bytes(journal_file(dice, lines))
        valid = check_reading(path, append=dice.chance(20))
        check_dirty_runs(tmp_path)
        return valid

    fuzz("journals", one, record_property)


def judged(folder: Path) -> Judged | None:
    """The run judged and shown, or refused in words."""
    said, found = "", None
    try:
        found = judge_run(RunDir(path=folder))
    except GamedayError as error:
        said = str(error)
    if found is None:
        assert said
        return None
    assert render(found.report, "reports/x").encode()
    assert render_json(found.report).encode()
    return found


@parts("judged runs")
def test_any_run_is_judged(part: int, tmp_path: Path, record_property: Record) -> None:
    folder = tmp_path / "run-1"
    folder.mkdir()
    (folder / "plan.json").write_text(dump_plan(plan()), encoding="utf-8")

    def one(dice: Dice) -> bool:
        path = folder / "journal.jsonl"
        forged = dice.chance(50)
        path.write_bytes(journal_file(dice, dice.pick(runs()), forged=forged))
        found = judged(folder)
        check_dirty_runs(tmp_path)
        if found is not None and not forged:  # nothing but events that were written by us
            texts = [f.summary for f in found.report.validity] + list(found.report.notes)
            assert not [text for text in texts if BUG in text]
        return verify(path) is None and found is not None

    fuzz("judged runs", one, record_property)


def test_what_is_made_to_be_right_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    made = [lines_of(events(Dice.seeded(seed), 1)) for seed in range(30)]
    for lines in (*golden(), *runs(), *made):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        assert check_reading(path, append=False)
        found = read(path)
        assert len(found.events) + len(found.skipped) == len(lines)


@pytest.mark.parametrize("number", range(4))
def test_the_runs_are_judged_as_they_are(number: int, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(dump_plan(plan()), encoding="utf-8")
    (tmp_path / "journal.jsonl").write_bytes(b"".join(line + b"\n" for line in runs()[number]))
    found = judged(tmp_path)
    assert found is not None
    assert not [f for f in found.report.validity if BUG in f.summary]
    assert bool(found.report.leftovers) == (number in (1, 3))
