"""Who cleans up tells others of it: once, also when the next one comes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cleanup_support import World, Writer

from gameday import telling
from gameday.errors import AdapterError, JournalError
from gameday.journal import Journal, read
from gameday.model.event import Event
from gameday.sentinel import cleanup
from gameday.sentinel.cleanup import CleanUp

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from notice_fakes import Sink, sink

PLAN = {
    "directory": "/nonexistent",
    "environment": {"name": "staging"},
    "scenario": {
        "id": "payments-slow", "title": "Payments answers late", "service": "shop",
        "phases": {"warmup_ms": 0, "baseline_ms": 1, "fault_ms": 1, "recovery_ms": 1},
        "faults": [{"id": "slow", "target": "a"}],
    },
    "notices": [
        {
            "name": "chat", "url": {"env": "NOTICE_CHAT", "file": None, "prefix": ""},
            "environments": ["staging"], "at": ["start", "stop", "dirty", "clear"],
            "detail": "brief",
        }
    ],
}  # fmt: skip
CLEAR = "[EXERCISE] gameday on shop (staging) is over, all clear"
DIRTY = "[EXERCISE] gameday on shop (staging) is over, but NOT CLEAN"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.setattr(telling, "LIMIT_S", 60.0)  # a busy machine takes its time
    monkeypatch.setattr(telling, "WAIT_S", 240.0)
    with sink() as made:
        monkeypatch.setenv("NOTICE_CHAT", made.url)
        yield made


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    made = tmp_path / "run-1"
    made.mkdir()
    (made / "plan.json").write_text(json.dumps(PLAN))
    return made


def clean_up(run_dir: Path, world: World, *, by: str = "sentinel", for_s: float = 5.0) -> list[str]:
    made = CleanUp(
        run_dir=run_dir, by=by, log=lambda _: None, undoer=world.undoer, died_s_ago=3600.0
    )
    return list(made.run(why="test", for_s=for_s).lines)


def notices(run_dir: Path) -> list[Event]:
    found = read(run_dir / "journal.jsonl")
    assert found.problem is None
    return [e for e in found.events if e.kind.startswith("notice.")]


@pytest.mark.parametrize("by", ["sentinel", "recover"])
def test_all_clear_is_told_once(by: str, run_dir: Path, chat: Sink) -> None:
    Writer(run_dir).inject("slow", "a")
    clean_up(run_dir, World({"slow"}), by=by)
    clean_up(run_dir, World(set()), by="recover")

    assert chat.titles == [CLEAR]
    assert [(e.kind, e.subject) for e in notices(run_dir)] == [
        ("notice.asked", "clear"), ("notice.sent", "clear")
    ]  # fmt: skip
    assert notices(run_dir)[0].data["by"] == by


def test_what_cannot_be_taken_out_is_told_and_then_the_all_clear(
    run_dir: Path, chat: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "PATIENCE_S", 0.3)
    Writer(run_dir).inject("slow", "a")
    world = World({"slow"}, stuck={"slow"})
    clean_up(run_dir, world, for_s=1.0)
    assert chat.titles == [DIRTY]
    assert "MAY STILL BE BROKEN: slow" in chat.posts[0][1]["message"]

    world.stuck.clear()
    clean_up(run_dir, world, by="recover")
    assert chat.titles == [DIRTY, CLEAR]


def test_it_is_told_while_it_is_still_tried(
    run_dir: Path, chat: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentinel tries for a day; nobody may have to wait that long to hear of it."""
    monkeypatch.setattr(cleanup, "PATIENCE_S", 0.3)
    Writer(run_dir).inject("slow", "a")

    class Waits(World):
        """Can be mended only once others know that it is broken."""

        def revert(self, undo: object) -> dict[str, object]:
            if not chat.posts:
                raise AdapterError("not yet")
            return dict(super().revert(undo))  # type: ignore[arg-type]

    clean_up(run_dir, Waits({"slow"}), for_s=120.0)
    assert chat.titles == [DIRTY, CLEAR]


def test_what_was_asked_before_is_not_told_again(run_dir: Path, chat: Sink) -> None:
    """The runner died between its note and the message: it may have been sent."""
    writer = Writer(run_dir)
    writer.inject("slow", "a")
    writer.note("notice.asked", "clear", data={"key": "run-1/clear", "to": ["chat"]})
    clean_up(run_dir, World({"slow"}))
    assert chat.titles == []


def test_a_server_that_is_gone_is_said_and_changes_nothing(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTICE_CHAT", "json://127.0.0.1:9/secret-token")
    Writer(run_dir).inject("slow", "a")
    world = World({"slow"})
    lines = clean_up(run_dir, world)

    assert world.there == set()
    (failed,) = [e for e in notices(run_dir) if e.kind == "notice.failed"]
    assert "could not be reached" in failed.data["error"]
    assert any("`chat` was not told (clear)" in line for line in lines)
    assert "secret-token" not in (run_dir / "journal.jsonl").read_text()


def test_what_cannot_be_written_down_first_is_not_told(
    run_dir: Path, chat: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a journal can be opened, and nothing can be written into it."""
    Writer(run_dir).inject("slow", "a")
    real = Journal.append

    def append(self: Journal, event: Event, *, sync: bool = False) -> None:
        if event.kind == "notice.asked":
            raise JournalError("No space left on device")
        real(self, event, sync=sync)

    monkeypatch.setattr(Journal, "append", append)
    world = World({"slow"})
    lines = clean_up(run_dir, world)

    assert world.there == set()
    assert chat.titles == []
    assert "`chat` was not told (clear): it could not be written down first" in lines


@pytest.mark.parametrize("plan", [None, "", "[]", "{}", '{"notices": [{"name": 1}]}'])
def test_without_a_plan_that_can_be_read_nobody_is_told(
    plan: str | None, run_dir: Path, chat: Sink
) -> None:
    (run_dir / "plan.json").unlink()
    if plan is not None:
        (run_dir / "plan.json").write_text(plan)
    Writer(run_dir).inject("slow", "a")
    world = World({"slow"})
    clean_up(run_dir, world)
    assert world.there == set()
    assert chat.titles == []
    assert notices(run_dir) == []


def test_a_run_that_never_began_is_no_news(run_dir: Path, chat: Sink) -> None:
    Writer(run_dir)
    clean_up(run_dir, World(set()))
    assert chat.titles == []
