"""Signals that interrupt a run: one is enough, more are answered, and nothing ends the process."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gameday.app.guarding import beating
from gameday.app.interrupts import Late, interrupts, restored, undoing
from gameday.engine.core import State, begin, observe
from gameday.model.event import Event, Phase
from gameday.model.plan import Limits, Schedule, Step

CHILD = Path(__file__).parent / "interrupted.py"
WITHIN_S = 30.0


def until(what: str, look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


class Child:
    """The small run of `interrupted.py`."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory, self.process = directory, process

    def wait_for(self, name: str) -> None:
        def there() -> bool:
            assert self.process.poll() is None, "it has ended"
            return (self.directory / name).exists()

        until(name, there)

    def signal(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            self.process.send_signal(number)

    def release(self) -> dict[str, Any]:
        """Let the revert end, and with it the run."""
        assert self.process.poll() is None, "it has ended though the fault is in"
        (self.directory / "release").touch()
        assert self.process.wait(WITHIN_S) == 0
        found: dict[str, Any] = json.loads((self.directory / "result").read_text())
        return found


@contextlib.contextmanager
def child(directory: Path, stderr: int, *, failures: int = 0, **how: Any) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(directory), str(failures)],
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        **{"stdin": subprocess.DEVNULL, **how},
    )
    try:
        yield Child(directory, process)
    finally:
        process.kill()
        process.wait()


def answered(read_fd: int, what: str) -> str:
    """What stderr says, once *what* has come."""
    os.set_blocking(read_fd, False)
    text = ""

    def look() -> bool:
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            text += os.read(read_fd, 65536).decode()
        return what in text

    until(what, look)
    return text


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


INTERRUPTED = {"status": "interrupted", "dirty": [], "stops": ["operator"]}


def test_a_second_signal_says_what_is_being_undone_and_a_third_ends_nothing(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    with child(tmp_path, pipe[1], failures=1) as run:
        run.wait_for("in")
        run.signal(signal.SIGINT)
        run.wait_for("try-2")

        run.signal(signal.SIGINT)
        text = answered(pipe[0], "killed\n")
        run.signal(signal.SIGINT)
        again = answered(pipe[0], "killed\n")
        run.signal(signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGINT)
        answered(pipe[0], "killed\n")
        result = run.release()

    first, last = text.splitlines()
    # the last try may begin 30 s after the first one, and take 30 s
    assert re.fullmatch(
        r"gameday: taking out slow \(payments\): try 2, at most (1 min|\d\d s) more", first
    ), first
    assert last == "gameday: the sentinel takes over if this process is killed"
    assert "try 2" in again
    assert {k: result[k] for k in INTERRUPTED} == INTERRUPTED
    assert result["reason"] == "interrupted by SIGINT"
    assert not (tmp_path / "try-3").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_every_way_to_ask_is_the_same(
    tmp_path: Path, pipe: tuple[int, int], number: signal.Signals
) -> None:
    with child(tmp_path, pipe[1]) as run:
        run.wait_for("in")
        run.signal(number)
        run.wait_for("try-1")
        result = run.release()

    assert {k: result[k] for k in INTERRUPTED} == INTERRUPTED
    assert result["reason"] == f"interrupted by {number.name}"


def test_a_terminal_that_is_closed_interrupts_and_writing_to_it_hurts_nobody(
    tmp_path: Path,
) -> None:
    master, slave = pty.openpty()
    try:
        with child(
            tmp_path,
            slave,
            stdin=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        ) as run:
            run.wait_for("in")
            os.close(slave)
            slave = -1
            os.close(master)  # the kernel sends SIGHUP
            master = -1
            run.wait_for("try-1")
            run.signal(signal.SIGINT, signal.SIGHUP)
            run.signal(signal.SIGINT)
            result = run.release()
    finally:
        for end in (master, slave):
            if end >= 0:
                os.close(end)

    assert {k: result[k] for k in INTERRUPTED} == INTERRUPTED
    assert result["reason"] == "interrupted by SIGHUP"


def _take_terminal() -> None:
    fcntl.ioctl(0, 0x540E, 0)  # TIOCSCTTY


def test_a_stderr_that_nobody_reads_keeps_no_fault_in(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    os.set_blocking(pipe[1], False)
    with contextlib.suppress(BlockingIOError):
        while os.write(pipe[1], b"x" * 4096):
            pass
    os.set_blocking(pipe[1], True)
    with child(tmp_path, pipe[1]) as run:
        run.wait_for("in")
        run.signal(signal.SIGINT)
        run.wait_for("try-1")
        for _ in range(20):
            run.signal(signal.SIGINT, signal.SIGTERM)
        result = run.release()

    assert {k: result[k] for k in INTERRUPTED} == INTERRUPTED


# --- what is said


def schedule(**limits: int) -> Schedule:
    usual = {"deadline_ms": 600_000, "call_ms": 10_000, "revert_for_ms": 60_000}
    steps = tuple(
        Step(id=f"{verb} {name}", verb=verb, subject=name, lane=lane)
        for verb, name, lane in (
            ("target.open", "payments", "payments"),
            ("fault.inject", "slow", "payments"),
            ("fault.inject", "cut", "db"),
        )
    )
    return Schedule(steps=steps, limits=Limits(**{**usual, **limits}))


def told(*events: tuple[Any, ...], now_ms: int | None = 100_000, **limits: int) -> tuple[str, ...]:
    """What is said after these: (at_ms, kind, subject, phase, cause, data)."""
    return undoing(state_of(*events, **limits), now_ms)


def state_of(*events: tuple[Any, ...], **limits: int) -> State:
    state = begin(schedule(**limits))
    for seq, (at_ms, kind, subject, phase, cause, data) in enumerate(events):
        state = observe(
            state,
            Event(
                seq=seq, at_ms=at_ms, kind=kind, subject=subject, phase=Phase(phase), cause=cause,
                data=data,
            ),
        )  # fmt: skip
    return state


UNDO = {"undo": {"target": "payments"}}
OPENED = (
    (0, "target.open", "payments", "started", None, {}),
    (5, "target.open", "payments", "ok", 0, {}),
)
SLOW = (
    *OPENED,
    (10, "fault.inject", "slow", "started", None, UNDO),
    (20, "fault.inject", "slow", "ok", 2, {}),
)
LAST = "the sentinel takes over if this process is killed"


def test_nothing_left() -> None:
    assert told() == ("nothing is left to take out; ending: the last steps", LAST)
    begun = (0, "load.stop", "load", "started", None, {})
    assert told(begun)[0] == "nothing is left to take out; ending: load.stop load"


def test_faults_come_before_their_target_which_waits_for_them() -> None:
    assert told(*SLOW) == (
        "taking out slow (payments): not begun, at most 1 min 10 s more",
        "putting back payments: not begun, at most 2 min 20 s more",
        LAST,
    )


def test_a_try_under_way_counts_from_the_first_one() -> None:
    first = (60_000, "fault.revert", "slow", "started", None, {})
    failed = (60_100, "fault.revert", "slow", "failed", 4, {})
    second = (60_400, "fault.revert", "slow", "started", None, {})

    assert told(*SLOW, first)[0] == "taking out slow (payments): try 1, at most 30 s more"
    lines = told(*SLOW, first, failed, second)
    assert lines[0] == "taking out slow (payments): try 2, at most 30 s more"
    assert told(*SLOW, first, now_ms=60_001)[0].endswith("at most 1 min 10 s more"), "rounded up"


def test_an_inject_under_way_has_to_end_first() -> None:
    inject = (95_000, "fault.inject", "cut", "started", None, {"undo": {}})

    assert told(inject)[0] == "taking out cut (db): not begun, at most 1 min 15 s more"


def test_one_that_was_given_up_says_so() -> None:
    tried = (
        (20_000, "fault.revert", "slow", "started", None, {}),
        (85_000, "fault.revert", "slow", "failed", 4, {}),
    )

    assert told(*SLOW, *tried)[0] == (
        "taking out slow (payments): not done after 1 tries, given up; "
        "`gameday recover` can try again"
    )


def test_an_inject_that_hangs_is_waited_for() -> None:
    hung = (
        (70_000, "fault.inject", "slow", "started", None, UNDO),
        (90_000, "fault.inject", "slow", "unknown", 0, {"given_up": True}),
        (90_010, "fault.revert", "slow", "started", None, {}),
        (90_050, "fault.revert", "slow", "ok", 2, {}),
    )

    lines = told(*hung, call_ms=20_000)

    assert lines[0] == "waiting for news of fault.inject slow, which hangs: at most 50 s more"


def test_without_a_clock_no_time_is_told_and_long_lists_are_cut() -> None:
    assert told(*SLOW, now_ms=None)[0] == "taking out slow (payments): not begun"
    many = [
        (i, "fault.inject", f"f{i}", "started", None, {"undo": {"target": "t"}}) for i in range(20)
    ]
    lines = told(*many)
    assert len(lines) == 9
    assert lines[-2:] == ("and 13 more", LAST)


def test_without_a_sentinel_nobody_takes_over() -> None:
    gone = (0, "stop.tripped", "sentinel", "noted", None, {"status": "invalid"})

    assert told(gone)[-1] == "nobody takes over if this process is killed"


class FakeLoop:
    """Only what `interrupts` asks of a loop."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.emitted: list[Event] = []

    def emit(self, event: Event) -> None:
        self.emitted.append(event)


def test_a_run_that_is_stopping_already_answers_the_first_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = (50, "stop.tripped", "errors > 50%", "noted", None, {"status": "stopped"})
    loop: Any = FakeLoop(state_of(*SLOW, stop))
    view = io.StringIO()  # as the live view does
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", view)
        with interrupts(loop):
            signal.raise_signal(signal.SIGINT)
            until("it is written", lambda: "taking out slow (payments)" in view.getvalue())

    assert [e.subject for e in loop.emitted] == ["operator"]
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before
    assert not any(t.name == "gameday-teller" for t in threading.enumerate())


def test_after_the_run_signals_wait_for_the_reports_and_then_mean_what_they_did() -> None:
    loop: Any = FakeLoop(state_of())
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with restored():
        with interrupts(loop, calm=True):
            pass
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)

    assert loop.emitted == []
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_a_signal_that_the_loop_did_not_count_any_more_is_kept_for_the_set() -> None:
    loop: Any = FakeLoop(state_of())
    with restored() as late, interrupts(loop, calm=True):
        signal.raise_signal(signal.SIGINT)

    assert late.asked


def test_a_run_that_nobody_interrupts_leaves_nothing_for_the_set() -> None:
    loop: Any = FakeLoop(state_of())
    with restored() as late, interrupts(loop, calm=True):
        pass

    assert not late.asked


@pytest.mark.usefixtures("signals_as_in_a_terminal")
def test_a_second_signal_while_the_first_is_answered_does_not_escape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Impatient(io.StringIO):
        def write(self, text: str) -> int:
            signal.raise_signal(signal.SIGINT)
            return super().write(text)

    late, view = Late(), Impatient()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", view)
        with late.noting("it was told"):
            signal.raise_signal(signal.SIGINT)

    assert late.asked
    assert "interrupted before it was told" in view.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_the_run_a_signal_is_an_interrupt_that_lets_go_of_what_was_taken(
    number: signal.Signals,
) -> None:
    given_back: list[str] = []
    found = signal.signal(number, signal.SIG_DFL)  # in the background SIGINT is ignored
    with restored(), contextlib.ExitStack() as stack:
        stack.callback(given_back.append, "lease")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)

    assert given_back == ["lease"]
    assert signal.signal(number, found) == signal.SIG_DFL


def test_what_was_ignored_stays_ignored_before_the_run() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with restored():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Guard:
    """A sentinel that counts its beats."""

    def __init__(self) -> None:
        self.beats = 0
        self.more = threading.Condition()

    def beat(self) -> bool:
        with self.more:
            self.beats += 1
            self.more.notify_all()
        return True


def test_putting_things_away_keeps_the_sentinel_calm_but_not_for_ever() -> None:
    guard: Any = Guard()
    with beating(guard), guard.more:
        assert guard.more.wait_for(lambda: guard.beats >= 2, WITHIN_S)
    assert not any(t.name == "gameday-beat" for t in threading.enumerate())

    guard.beats = 0
    with beating(guard, at_most_s=0.0):
        (thread,) = (t for t in threading.enumerate() if t.name == "gameday-beat")
        thread.join(WITHIN_S)
        assert not thread.is_alive()
    assert guard.beats == 0


def test_a_bug_in_what_is_said_never_reaches_the_deciding_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> tuple[str, ...]:
        raise ZeroDivisionError

    monkeypatch.setattr("gameday.app.interrupts.undoing", broken)
    loop: Any = FakeLoop(state_of())
    with interrupts(loop):
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)

    assert len(loop.emitted) == 1


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    seen: list[object] = []
    before = signal.getsignal(signal.SIGINT)

    def run() -> None:
        loop: Any = FakeLoop(state_of())
        with restored(), interrupts(loop):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(WITHIN_S)
    assert seen == [before]
