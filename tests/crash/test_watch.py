"""When a runner counts as over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_support import wait_until

from gameday import sentinel
from gameday.processes import Life, gone_within, identity_of, kill, life_of, stopped
from gameday.sentinel import SentinelError, owner
from gameday.sentinel.watch import BEAT, DONE, Watch


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait(10)


class Watched:
    """A watch on a process, and the writing end of its pipe."""

    def __init__(self, runner: subprocess.Popen[bytes], deadline_s: float) -> None:
        self.pipe, self.writer = os.pipe()
        self.runner_fd = os.pidfd_open(runner.pid)
        self.watch = Watch(
            pipe=self.pipe,
            runner=identity_of(runner.pid),
            runner_fd=self.runner_fd,
            deadline_s=deadline_s,
        )

    def close(self) -> None:
        for fd in (self.pipe, self.writer, self.runner_fd):
            os.close(fd)


@pytest.fixture
def watched(runner: subprocess.Popen[bytes]) -> Iterator[Watched]:
    made = Watched(runner, 0.3)
    yield made
    made.close()


def test_a_clean_end(watched: Watched) -> None:
    os.write(watched.writer, BEAT + DONE)
    assert watched.watch.until_over() is None


def test_a_clean_end_counts_even_if_the_runner_is_gone_by_then(
    watched: Watched, runner: subprocess.Popen[bytes]
) -> None:
    runner.kill()
    runner.wait(10)
    os.write(watched.writer, DONE)
    assert watched.watch.until_over() is None


def test_a_runner_that_is_gone(watched: Watched, runner: subprocess.Popen[bytes]) -> None:
    runner.kill()
    assert watched.watch.until_over() == "the runner is gone"


def test_a_closed_pipe(watched: Watched) -> None:
    os.close(watched.writer)
    watched.writer = os.open(os.devnull, os.O_RDONLY)
    assert watched.watch.until_over() == "the runner is gone"


def test_a_stopped_runner(watched: Watched, runner: subprocess.Popen[bytes]) -> None:
    runner.send_signal(signal.SIGSTOP)
    wait_until("it is stopped", lambda: stopped(runner.pid), 5)
    assert "is stopped" in (watched.watch.until_over() or "")
    assert watched.watch.make_sure_it_is_gone()
    assert runner.wait(5) == -signal.SIGKILL


def test_a_silent_runner_that_is_not_stopped_has_more_time(watched: Watched) -> None:
    began = time.monotonic()
    assert "no sign of life" in (watched.watch.until_over() or "")
    assert time.monotonic() - began >= 6 * 0.3


def test_beats_keep_it_waiting(watched: Watched) -> None:
    over = threading.Event()

    def beat() -> None:
        for _ in range(30):
            os.write(watched.writer, BEAT)
            over.wait(0.1)
        os.write(watched.writer, DONE)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    assert watched.watch.until_over() is None
    thread.join(10)


def test_a_sentinel_that_cannot_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SentinelError, match="cannot be started"):
        sentinel.start(tmp_path)


def test_the_runner_notices_that_its_sentinel_is_gone(tmp_path: Path) -> None:
    handle = sentinel.start(tmp_path)
    try:
        assert handle.alive()
        assert handle.beat()
        process = owner.read(tmp_path).sentinel
        assert process is not None
        assert process["pid"] == handle.pid
        assert os.getsid(handle.pid) != os.getsid(0)
        assert kill(process)
        assert gone_within(process, 5)
        assert not handle.alive()
        wait_until("a beat is not heard", lambda: not handle.beat(), 5)
    finally:
        handle.done()
    assert handle.done()


def test_kill_means_exactly_this_process(runner: subprocess.Popen[bytes]) -> None:
    process = identity_of(runner.pid)
    assert not kill({**process, "start_ticks": 1})  # its number was given out again
    assert not kill({**process, "host": "elsewhere"})
    assert life_of(process) is Life.ALIVE
    assert kill(process)
    assert gone_within(process, 5)
