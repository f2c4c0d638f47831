"""When others are told of a run: once a moment, and the journal knows it first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gameday.app import notices
from gameday.app.notices import RunNotices, run_notices
from gameday.errors import JournalError
from gameday.model.event import Event
from gameday.model.notices import Exercise, NoticeMoment, NoticeSpec, Told
from gameday.model.secret import SecretRef
from gameday.telling import Sent

SPEC = NoticeSpec(name="chat", url=SecretRef(env="CHAT"))
OPENED = Event(kind="run.opened", subject="r1", data={"origin_wall_ms": 1})
PHASE = Event(kind="run.phase", subject="warmup")
STOP = Event(kind="stop.tripped", subject="operator", data={"reason": "`gameday stop`"})


class Post:
    """Stands for the processes that send: what was begun, and a way to let them answer."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Told]] = []
        self.came = threading.Semaphore(0)
        self.answered = threading.Event()
        self.answered.set()

    def begin(self, exercise: Exercise, told: Told) -> Post:
        self.begun.append((exercise.run, told))
        self.came.release()
        return self

    def wait(self, within_s: float) -> bool:
        return self.answered.wait(within_s)

    def results(self, _within_s: float) -> tuple[Sent, ...]:
        error = "" if self.answered.is_set() else "no answer; it may have been sent"
        return (Sent(to="chat", error=error),)

    @property
    def moments(self) -> list[str]:
        return [told.moment.value for _, told in self.begun]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post()
    monkeypatch.setattr(notices, "begin", made.begin)
    monkeypatch.setattr("gameday.telling.begin", made.begin)
    return made


class Run:
    """The journal of a run, with a deciding thread that is this one."""

    def __init__(self, *specs: NoticeSpec) -> None:
        exercise = Exercise(
            run="", scenario="s", title="t", service="shop", environment="e", length_ms=1,
            notices=specs or (SPEC,),
        )  # fmt: skip
        self.told = RunNotices(exercise)
        self.emitted: list[Event] = []
        self.journal: list[Event] = []
        self.told.see(OPENED)
        self.told.start(self.emitted.append)

    def happens(self, *events: Event) -> None:
        for event in events:
            self.told.see(event)

    def stop(self) -> None:
        """As the end of a run, and then until the thread has really ended."""
        thread = self.told._thread
        self.told.stop()
        if thread is not None:
            thread.join(60)
            assert not thread.is_alive()

    def recorded(self) -> None:
        """The loop takes what was emitted into the journal, and shows it to all."""
        waiting, self.emitted[:] = list(self.emitted), []
        self.journal += waiting
        self.happens(*waiting)

    def kinds(self) -> list[tuple[str, str]]:
        return [(e.kind, e.subject) for e in (*self.journal, *self.emitted)]


def test_nothing_is_sent_before_the_journal_knows(post: Post) -> None:
    run = Run()
    run.happens(PHASE)
    assert run.kinds() == [("notice.asked", "start")]
    assert run.emitted[0].data == {"key": "r1/start", "to": ["chat"]}
    assert post.begun == []
    run.recorded()
    assert post.came.acquire(timeout=60)
    run.stop()
    assert post.moments == ["start"]
    assert run.kinds() == [("notice.asked", "start"), ("notice.sent", "start")]


def test_each_moment_is_told_once(post: Post) -> None:
    run = Run()
    for _ in range(3):
        run.happens(PHASE, STOP)
        run.recorded()
    run.stop()
    run.stop()
    assert post.moments == ["start", "stop"]
    assert post.begun[1][1].reason == "operator: `gameday stop`"


def test_a_stop_before_anybody_was_told_of_the_start_is_no_news(post: Post) -> None:
    run = Run()
    run.happens(STOP)
    run.told.end((), "", run.journal.append)
    run.stop()
    assert run.kinds() == []
    assert post.begun == []


def test_only_who_asked_for_a_moment_is_told(post: Post) -> None:
    run = Run(NoticeSpec(name="safety", url=SecretRef(env="S"), at=("dirty",)))
    run.happens(PHASE, STOP)
    run.stop()
    run.told.end((), "", run.journal.append)
    assert run.kinds() == []
    run.told.end(("slow",), "", run.journal.append)
    assert post.moments == ["dirty"]
    assert run.kinds() == [("notice.asked", "dirty"), ("notice.sent", "dirty")]


@pytest.mark.parametrize(("dirty", "moment"), [((), "clear"), (("slow",), "dirty")])
def test_the_last_word(dirty: tuple[str, ...], moment: str, post: Post) -> None:
    run = Run()
    run.happens(PHASE)
    run.told.end(dirty, "why", run.journal.append)
    asked, sent = run.journal
    assert (asked.kind, asked.subject, sent.kind) == ("notice.asked", moment, "notice.sent")
    assert asked.data.get("dirty", []) == list(dirty)
    run.stop()


def test_one_that_hangs_holds_the_end_of_a_run_only_for_a_while(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "STOP_WAIT_S", 0.2)
    post.answered.clear()
    run = Run()
    run.happens(PHASE)
    run.recorded()
    assert post.came.acquire(timeout=60)
    run.stop()
    (failed,) = [e for e in run.emitted if e.kind == "notice.failed"]
    assert "it may have been sent" in failed.data["error"]


def refused(_: Event) -> None:
    raise JournalError("the disk is full")


@pytest.mark.parametrize("note", [refused])
def test_an_end_that_cannot_be_written_is_said_and_sends_nothing(
    note: Callable[[Event], Any], post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run()
    run.happens(PHASE)
    run.told.end((), "", note)
    run.stop()
    assert NoticeMoment.CLEAR not in post.moments
    assert "others were not told of the end: JournalError" in capsys.readouterr().err


def test_a_plan_without_notices_tells_nobody() -> None:
    class Plan:
        notices = ()

    assert run_notices(Plan()) is None  # type: ignore[arg-type]
