"""Paying debts and writing it down, with an undoer that fails as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cleanup_support import World, Writer

from gameday.errors import (
    AdapterError,
    CannotSeeError,
    JournalError,
    NoEffectError,
    RefusedError,
)
from gameday.journal import Journal, read
from gameday.model.debts import ledger_of
from gameday.model.event import Event, Phase
from gameday.processes import own_identity
from gameday.recovery import find_dirty_runs, recover_run
from gameday.sentinel import cleanup, owner
from gameday.sentinel import record as record_module
from gameday.sentinel.cleanup import CleanUp
from gameday.sentinel.pay import Payer
from gameday.sentinel.record import Record


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    made = tmp_path / "run-1"
    made.mkdir()
    return made


def a_record(run_dir: Path) -> Record:
    record = Record.of(run_dir / "journal.jsonl", log=lambda _: None)
    record.open()
    return record


def dirty(run_dir: Path) -> tuple[str, ...]:
    found = read(run_dir / "journal.jsonl")
    assert found.problem is None
    return ledger_of(found.events).dirty


def clean_up(run_dir: Path, world: World, **options: Any) -> Any:
    died = options.pop("died_s_ago", 3600.0)
    made = CleanUp(
        run_dir=run_dir, by="recover", log=lambda _: None, undoer=world.undoer, died_s_ago=died
    )
    return made.run(why="test", for_s=options.pop("for_s", 5.0))


def test_debts_of_a_target_are_paid_newest_first(run_dir: Path) -> None:
    writer = Writer(run_dir)
    for name in ("a1", "a2", "a3"):
        writer.inject(name, "a")
    world = World({"a1", "a2", "a3"})
    record = a_record(run_dir)
    assert Payer(record, by="test", undoer=world.undoer).pay(for_s=5)
    record.close()
    assert world.reverted == ["a3", "a2", "a1"]
    assert dirty(run_dir) == ()


def test_a_target_that_hangs_delays_no_other(run_dir: Path) -> None:
    writer = Writer(run_dir)
    writer.inject("stuck", "a")
    writer.inject("free", "b")
    let_go = threading.Event()
    world = World({"stuck", "free"}, hanging={"stuck": let_go})
    record = a_record(run_dir)
    payer = Payer(record, by="test", undoer=world.undoer, call_s=10)
    try:
        assert not payer.pay(for_s=0.5)
        assert world.there == {"stuck"}
        assert record.ledger.dirty == ("stuck",)
    finally:
        let_go.set()
    assert payer.pay(for_s=5)
    record.close()
    assert dirty(run_dir) == ()


def test_a_call_that_outlives_its_limit_is_tried_again(run_dir: Path) -> None:
    Writer(run_dir).inject("a", "a")
    let_go = threading.Event()
    world = World({"a"}, hanging={"a": let_go})
    record = a_record(run_dir)
    assert Payer(record, by="test", undoer=world.undoer, call_s=0.2).pay(for_s=5)
    let_go.set()
    record.close()
    ends = [e for e in read(run_dir / "journal.jsonl").events if e.kind == "fault.revert"]
    phases = [e.phase for e in ends]
    assert phases == [Phase.STARTED, Phase.UNKNOWN, Phase.STARTED, Phase.OK]
    assert ends[1].data["given_up"] is True


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (NoEffectError("no"), Phase.FAILED),
        (AdapterError("hm"), Phase.UNKNOWN),
        (CannotSeeError("dark"), Phase.UNKNOWN),
        (ValueError("bug"), Phase.UNKNOWN),
    ],
)
def test_a_failing_revert_is_tried_again(run_dir: Path, error: Exception, phase: Phase) -> None:
    Writer(run_dir).inject("a", "a")
    world = World({"a"}, failing={"a": [error]})
    record = a_record(run_dir)
    assert Payer(record, by="test", undoer=world.undoer).pay(for_s=5)
    record.close()
    ends = [e for e in read(run_dir / "journal.jsonl").events if e.kind == "fault.revert"]
    assert [e.phase for e in ends if e.phase is not Phase.STARTED] == [phase, Phase.OK]
    assert str(error) in next(e for e in ends if e.phase is phase).data["error"]


def test_a_revert_that_does_not_read_back_is_not_believed(run_dir: Path) -> None:
    Writer(run_dir).inject("a", "a")
    world = World({"a"}, stuck={"a"})
    report = clean_up(run_dir, world, for_s=0.6)
    assert report.dirty == ("a",)
    assert not report.clean
    assert "still in place after the revert" in " ".join(report.lines)
    assert dirty(run_dir) == ("a",)


@pytest.mark.parametrize("how", ["never ended", "given up", "unknown", "failed"])
def test_an_inject_that_may_have_landed_is_taken_out(run_dir: Path, how: str) -> None:
    writer = Writer(run_dir)
    match how:
        case "never ended":
            writer.inject("a", "a", None)
        case "given up":
            seq = writer.inject("a", "a", Phase.UNKNOWN, given_up=True)
            start = writer.note("fault.revert", "a", Phase.STARTED)
            writer.note("fault.revert", "a", Phase.OK, cause=start)
            assert seq < start
            assert dirty(run_dir) == ("a",)  # it may land later
        case "unknown":
            writer.inject("a", "a", Phase.UNKNOWN)
        case _:
            writer.inject("a", "a", Phase.FAILED)
    world = World({"a"})
    assert clean_up(run_dir, world).clean
    assert world.there == set()
    assert dirty(run_dir) == ()


def test_what_lands_late_is_found_and_taken_out(run_dir: Path) -> None:
    owner.claim(run_dir, call_ms=200)
    Writer(run_dir).inject("a", "a", None)
    world = World({"a"})

    def land_late() -> None:
        deadline = time.monotonic() + 5
        while world.there and time.monotonic() < deadline:
            time.sleep(0.005)
        world.there.add("a")

    late = threading.Thread(target=land_late, daemon=True)
    late.start()
    report = clean_up(run_dir, world, died_s_ago=0.0)
    late.join(5)
    assert report.clean
    assert world.there == set()
    assert len(world.reverted) == 2
    events = read(run_dir / "journal.jsonl").events
    assert [e.subject for e in events if e.data.get("found")] == ["a"]
    assert dirty(run_dir) == ()


def test_a_broken_journal_stops_nobody_from_cleaning(run_dir: Path) -> None:
    writer = Writer(run_dir)
    writer.inject("a", "a")
    writer.note("human.note", "scribe")
    writer.inject("b", "b")
    path = run_dir / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"human.note" not in line))
    assert read(path).problem is not None
    world = World({"a", "b"})
    assert clean_up(run_dir, world).clean
    assert world.there == set()


def test_every_cut_of_the_journal_is_enough(run_dir: Path) -> None:
    writer = Writer(run_dir)
    writer.inject("a", "a")
    writer.note("human.note", "scribe")
    writer.inject("b", "b")
    path = run_dir / "journal.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole), 0, -97):
        path.write_bytes(whole[:cut])
        promised = {e.subject for e in read(path).events if e.phase is Phase.STARTED}
        world = World(set(promised))
        assert clean_up(run_dir, world).clean
        assert world.there == set()
        assert dirty(run_dir) == ()


def test_a_big_journal_does_not_make_the_faults_wait(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "QUICK_BYTES", 0)
    writer = Writer(run_dir)
    writer.inject("a", "a")
    order: list[str] = []
    world = World({"a"})
    reopen, revert = Journal.reopen, World.revert

    def noted_reopen(path: Path) -> Journal:
        order.append("journal")
        return reopen(path)

    def noted_revert(self: World, undo: Mapping[str, Any]) -> Mapping[str, Any]:
        order.append("revert")
        return revert(self, undo)

    monkeypatch.setattr(Journal, "reopen", noted_reopen)
    monkeypatch.setattr(World, "revert", noted_revert)
    assert clean_up(run_dir, world).clean
    assert order == ["revert", "journal"]
    assert dirty(run_dir) == ()


def test_the_lease_is_given_back_last_and_parts_end(run_dir: Path) -> None:
    owner.claim(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    Writer(run_dir).inject("a", "a")
    world = World({"a", "lease"})
    assert clean_up(run_dir, world).clean
    assert world.reverted == ["a", "lease"]
    assert owner.read(run_dir).after == ()


def test_the_lease_stays_while_something_is_broken(run_dir: Path) -> None:
    owner.claim(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    Writer(run_dir).inject("a", "a")
    world = World({"a", "lease"}, stuck={"a"})
    assert not clean_up(run_dir, world, for_s=0.3).clean
    assert "lease" in world.there
    assert owner.read(run_dir).after


def test_a_lease_that_is_not_given_back_at_once_is_tried_again(run_dir: Path) -> None:
    owner.claim(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    Writer(run_dir).inject("a", "a")
    world = World({"a", "lease"}, failing={"lease": [AdapterError("hm"), AdapterError("hm")]})
    assert clean_up(run_dir, world).clean
    assert world.there == set()
    assert owner.read(run_dir).after == ()


def test_a_lease_that_stays_is_not_called_clean(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_GIVE_BACK_S", 0.1)
    owner.claim(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease", "mode": "lease", "url": "there"})
    Writer(run_dir).inject("a", "a")
    report = clean_up(run_dir, World({"a", "lease"}, stuck={"lease"}))
    assert report.dirty == ("lease of `there`",)
    assert "lease of `there` is still there: still in place after the revert" in report.lines
    assert owner.read(run_dir).after


@pytest.mark.parametrize(
    ("end", "died_s_ago", "clean"),
    [
        (None, 0.0, False),  # it was under way, and may have landed after it was taken out
        (None, 3600.0, True),  # it was taken out when it could not land any more
        (Phase.OK, 0.0, True),  # it had landed before
    ],
)
def test_what_may_have_landed_late_and_cannot_be_seen_is_owed(
    run_dir: Path, end: Phase | None, died_s_ago: float, clean: bool
) -> None:
    owner.claim(run_dir, call_ms=200)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    Writer(run_dir).inject("a", "a", end)

    class Odd(World):
        def present(self, undo: Mapping[str, Any]) -> bool:
            if undo["name"] == "a" and self.reverted.count("a") == 1:
                self.reverted.append("a")  # the read-back; what looks after that fails
                return False
            if undo["name"] == "a":
                raise KeyError("url")
            return super().present(undo)

    world = Odd({"a", "lease"})
    report = clean_up(run_dir, world, died_s_ago=died_s_ago, for_s=0.5)
    assert any(line.startswith("could not look again: KeyError") for line in report.lines)
    assert report.clean is clean
    assert ("lease" in world.there) is not clean, "what is broken keeps its lease"
    assert report.dirty == (() if clean else ("a",))


def test_a_journal_that_cannot_be_read_is_no_clean_one(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner._write(run_dir, owner.Owner(runner={**own_identity(), "start_ticks": 1}))
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    Writer(run_dir).note("run.closed", "run-1", data={"dirty": ["a"]})

    real = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "journal.jsonl":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    (found,) = find_dirty_runs(run_dir.parent)
    assert "its journal cannot be read" in found.dirty[0]
    report = recover_run(run_dir, for_s=1.0)
    assert not report.clean
    assert "Permission denied" in report.dirty[0]
    assert owner.read(run_dir).after  # what it holds it goes on holding


def test_the_sentinel_waits_for_a_journal_that_cannot_be_read(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_SOON_S", 0.01)
    Writer(run_dir).inject("a", "a")
    world, real, refusals = World({"a"}), Path.read_bytes, [5, 5]

    def stale(path: Path) -> bytes:
        if path.name == "journal.jsonl" and refusals:
            raise OSError(refusals.pop(), "Input/output error", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", stale)
    made = CleanUp(
        run_dir=run_dir, by="sentinel", log=lambda _: None, undoer=world.undoer, died_s_ago=60.0
    )
    assert made.run(why="test", for_s=30.0).clean
    assert world.there == set()
    assert dirty(run_dir) == ()


def test_what_could_not_be_written_is_written_when_there_is_room_again(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other lines may have come meanwhile; a cause still means the line that it meant."""
    Writer(run_dir).inject("a", "a")
    record, real, full = a_record(run_dir), Journal.append, [True]

    def append(self: Journal, event: Event, *, sync: bool = False) -> None:
        if full and event.data.get("error") == "second":
            full.pop()
            raise JournalError("No space left on device")
        real(self, event, sync=sync)

    monkeypatch.setattr(Journal, "append", append)
    assert record.is_written()
    begun = record.add("fault.revert", "a", Phase.STARTED)
    record.add("fault.revert", "a", Phase.UNKNOWN, cause=begun, data={"error": "second"})
    again = record.add("fault.revert", "a", Phase.STARTED)
    with Journal.reopen(run_dir / "journal.jsonl") as other:
        note = Event(seq=other.next_seq, at_ms=other.last_at_ms, kind="human.note", subject="x")
        other.append(note)
    assert record.is_written()
    record.add("fault.revert", "a", Phase.OK, cause=again)
    record.close()

    found = read(run_dir / "journal.jsonl")
    assert found.problem is None
    told = [(e.kind, e.phase, e.cause) for e in found.events[-5:]]
    first, last = len(found.events) - 5, len(found.events) - 2
    assert told == [
        ("fault.revert", Phase.STARTED, None),
        ("human.note", Phase.NOTED, None),
        ("fault.revert", Phase.UNKNOWN, first),
        ("fault.revert", Phase.STARTED, None),
        ("fault.revert", Phase.OK, last),
    ]
    assert dirty(run_dir) == ()


def test_a_lease_that_a_clean_run_could_not_give_back_is_given_back_by_recover(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner._write(run_dir, owner.Owner(runner={**own_identity(), "start_ticks": 1}))
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    writer = Writer(run_dir)
    writer.inject("a", "a")
    writer.note("fault.revert", "a", Phase.STARTED)
    writer.note("fault.revert", "a", Phase.OK, cause=writer.journal.next_seq - 1)
    writer.note("run.closed", "run-1", data={"dirty": []})
    world = World({"lease"})
    monkeypatch.setattr(
        "gameday.recovery.CleanUp", lambda **more: CleanUp(**more, undoer=world.undoer)
    )

    assert recover_run(run_dir, for_s=1.0).clean
    assert world.there == set()
    assert recover_run(run_dir, for_s=1.0).lines == ("nothing is owed",)


# -- finding and recovering runs --------------------------------------------------------------


def test_only_runs_with_debts_whose_runner_is_gone_are_dirty(tmp_path: Path) -> None:
    def a_run(name: str, act: Callable[[Writer], object], *, alive: bool = False) -> None:
        run_dir = tmp_path / name
        run_dir.mkdir()
        act(Writer(run_dir))
        gone = {**own_identity(), "start_ticks": 1}
        owner._write(run_dir, owner.Owner(runner=own_identity() if alive else gone))

    def closed(dirty_names: list[str]) -> Callable[[Writer], object]:
        def act(writer: Writer) -> None:
            if dirty_names:
                writer.inject("a", "a")
            writer.note("run.closed", "x", data={"dirty": dirty_names})

        return act

    a_run("1-clean", closed([]))
    a_run("2-dirty", closed(["a"]))
    a_run("3-cut", lambda w: w.inject("b", "b"))
    a_run("4-alive", lambda w: w.inject("c", "c"), alive=True)
    a_run("5-cut-clean", lambda w: w.note("run.phase", "baseline"))
    (tmp_path / "not-a-run").mkdir()
    found = find_dirty_runs(tmp_path)
    assert [(run.run, run.dirty) for run in found] == [("2-dirty", ("a",)), ("3-cut", ("b",))]
    assert find_dirty_runs(tmp_path / "nowhere") == []


def test_a_run_of_another_machine_is_only_recovered_when_it_is_silent(run_dir: Path) -> None:
    Writer(run_dir).inject("a", "a")
    owner._write(run_dir, owner.Owner(runner={**own_identity(), "host": "elsewhere"}))
    with pytest.raises(RefusedError, match="another host or container"):
        recover_run(run_dir)


def test_one_clean_up_at_a_time(run_dir: Path) -> None:
    with (
        owner.cleaning(run_dir, wait_s=0.0),
        pytest.raises(RefusedError, match="by another process"),
        owner.cleaning(run_dir, wait_s=0.1),
    ):
        pytest.fail("two at once")
