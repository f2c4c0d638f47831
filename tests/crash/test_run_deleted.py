"""What a clean-up does when somebody deletes the run directory, or nothing can be written there."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cleanup_support import World, Writer
from crash_support import Scene, wait_until

from gameday.journal import read
from gameday.processes import gone_within, own_identity
from gameday.sentinel import __main__ as program
from gameday.sentinel import cleanup, owner
from gameday.sentinel.cleanup import CleanUp
from gameday.sentinel.kept import Kept
from gameday.sentinel.record import Record

LONG_S = 24 * 3600.0


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    made = tmp_path / "run-1"
    made.mkdir()
    return made


@pytest.fixture
def keep() -> Iterator[Callable[[Path], Kept]]:
    made: list[Kept] = []

    def of(run_dir: Path) -> Kept:
        made.append(Kept(run_dir))
        return made[-1]

    yield of
    for one in made:
        one.close()


def cleaning_up(run_dir: Path, world: World, said: list[str], kept: Kept | None = None) -> CleanUp:
    return CleanUp(
        run_dir=run_dir,
        by="sentinel",
        log=said.append,
        undoer=world.undoer,
        died_s_ago=3600.0,
        kept=kept,
    )


def test_until_when_it_tries_is_in_the_journal_and_in_the_log(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "PATIENCE_S", 0.0)
    Writer(run_dir).inject("a", "a")
    said: list[str] = []
    before_ms = time.time() * 1000
    cleaning_up(run_dir, World({"a"}, stuck={"a"}), said).run(why="test", for_s=1.0)

    events = read(run_dir / "journal.jsonl").events
    took_over = next(e for e in events if e.kind == "sentinel.took_over")
    assert before_ms + 999 <= took_over.data["until_wall_ms"] <= time.time() * 1000 + 1001
    (line,) = [line for line in said if "trying on until" in line]
    assert "still owed: a: " in line
    assert "`gameday recover run-1` takes over" in line


def test_a_deleted_run_directory_ends_the_tries_soon_and_not_at_once(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "GONE_S", 1.0)
    Writer(run_dir).inject("a", "a")
    world, said = World({"a"}, stuck={"a"}), list[str]()
    reports = []
    one = threading.Thread(
        target=lambda: reports.append(
            cleaning_up(run_dir, world, said).run(why="test", for_s=LONG_S)
        ),
        daemon=True,
    )
    one.start()
    wait_until("it was tried", lambda: world.reverted, 120)
    deleted, tried = time.monotonic(), len(world.reverted)
    shutil.rmtree(run_dir)
    one.join(120)

    assert not one.is_alive()
    assert time.monotonic() - deleted > 0.5
    assert len(world.reverted) > tried
    assert reports[0].dirty == ("a",)
    assert "the run directory is gone: trying for another 1 s" in said


def test_what_was_kept_of_a_deleted_run_is_undone(
    run_dir: Path, keep: Callable[[Path], Kept]
) -> None:
    owner.claim(run_dir)
    writer = Writer(run_dir)
    kept = keep(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "lease"})
    writer.inject("a", "a")
    shutil.rmtree(run_dir)
    writer.inject("b", "b")  # into a journal that has no name any more
    world = World({"a", "b", "lease"})

    report = cleaning_up(run_dir, world, [], kept).run(why="test", for_s=30.0)

    assert report.clean
    assert world.there == set()
    assert world.reverted[-1] == "lease"


def test_a_note_that_a_full_disk_left_torn_hides_neither_the_one_before_nor_the_one_after(
    run_dir: Path,
) -> None:
    owner.claim(run_dir)
    owner.add_after(run_dir, {"kind": "fake", "name": "first"})
    with (run_dir / owner.FILE).open("ab") as file:
        file.write(b'\n{"runner": {"pid": 1}, "sentinel": null, "after": [')
    assert [undo["name"] for undo in owner.read(run_dir).after] == ["first"]

    owner.add_after(run_dir, {"kind": "fake", "name": "second"})

    found = owner.read(run_dir)
    assert found.runner == own_identity()
    assert [undo["name"] for undo in found.after] == ["first", "second"]


def test_a_run_that_ends_dirty_and_is_deleted_is_no_clean_one(
    run_dir: Path, keep: Callable[[Path], Kept]
) -> None:
    writer = Writer(run_dir)
    kept = keep(run_dir)
    writer.inject("a", "a")
    shutil.rmtree(run_dir)

    record = Record.of(run_dir / "journal.jsonl", log=lambda _: None, kept=kept.journal)

    assert record.ledger.dirty == ("a",)


def test_where_no_lock_can_be_made_it_is_mended_all_the_same(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, keep: Callable[[Path], Kept]
) -> None:
    """A full disk has no room for a lock, nor for the note that nothing is left."""
    owner.claim(run_dir)
    Writer(run_dir).inject("a", "a")
    kept, world, real = keep(run_dir), World({"a"}), os.open
    monkeypatch.setattr(program, "LONGEST_S", 30.0)
    monkeypatch.setattr(program, "CleanUp", lambda **more: CleanUp(**more, undoer=world.undoer))

    def full(path: object, flags: int, *more: int, **others: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device", str(path))
        return real(str(path), flags, *more, **others)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    monkeypatch.setattr(owner, "_write", no_room)

    assert program._clean_up(run_dir, kept, "test") == 0
    assert world.there == set()


def test_a_full_disk_takes_no_word_and_no_work_from_it(one_scene: Scene) -> None:
    scene = one_scene
    (scene.run_dir / "sentinel.log").symlink_to("/dev/full")
    assert scene.start("hold") == "hold"
    scene.signal(signal.SIGKILL)

    wait_until("nothing of the run is left", scene.off, 120)
    assert scene.sentinel_ended()


@pytest.mark.parametrize("mode", ["hold", "unseen"])
def test_killed_after_its_directory_was_deleted(one_scene: Scene, mode: str) -> None:
    """Also when the sentinel had no moment to see what was noted after it began to watch."""
    scene = one_scene
    assert scene.start(mode) == "hold"
    sentinel = owner.read(scene.run_dir).sentinel
    assert sentinel is not None
    shutil.rmtree(scene.run_dir)
    if mode == "unseen":
        os.kill(sentinel["pid"], signal.SIGCONT)
    scene.signal(signal.SIGKILL)

    wait_until("nothing of the run is left", scene.off, 120)
    assert gone_within(sentinel, 120)
    assert scene.off()
