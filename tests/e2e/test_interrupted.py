"""A run in a terminal of its own: Ctrl-C again and again, and a terminal that is closed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_support import GAMEDAY, Lab, wait_until

CTRL_C = b"\x03"


def _take_terminal() -> None:
    """Ctrl-C goes to whoever has it."""
    fcntl.ioctl(0, 0x540E, 0)  # TIOCSCTTY


class Terminal:
    """Runs the scenario in a pseudo terminal, and reads what it shows."""

    def __init__(self, lab: Lab, shown: Path) -> None:
        self.master, slave = pty.openpty()
        self._shown = shown
        self.process = subprocess.Popen(
            [*GAMEDAY, "run", "scenario.yaml"],
            cwd=lab.directory,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one call, and no thread of ours then
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._shown.open("wb") as shown:
            while data := os.read(self.master, 65536):
                shown.write(data)
                shown.flush()

    def text(self) -> str:
        return self._shown.read_text(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def hang_up(self) -> None:
        """Close it. What the reader holds open has to go first."""
        keep, self.master = self.master, os.open(os.devnull, os.O_RDWR)
        os.dup2(self.master, keep)  # the reader's number now leads nowhere
        os.close(keep)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        with contextlib.suppress(OSError):
            os.close(self.master)
        self._reader.join(10)


@contextlib.contextmanager
def terminal(lab: Lab, tmp_path: Path) -> Iterator[Terminal]:
    lab.write({"phases": {"fault": "60s"}})
    made = Terminal(lab, tmp_path / "shown")
    try:
        wait_until("the fault is in", lab.faulty, 60)
        wait_until("it is written down", lambda: "confirmed_ms" in journal(lab), 20)
        yield made
    finally:
        made.end()


def journal(lab: Lab) -> str:
    return (lab.last_run / "journal.jsonl").read_text()


def assert_safe(lab: Lab, reason: str) -> None:
    """Interrupted once, clean, and the report tells the time to safe."""
    lab.assert_clean()
    found: dict[str, Any] = lab.result()
    assert found["verdict"]["status"] == "interrupted", found["verdict"]
    safety = found["safety"]
    assert (safety["stopped_by"], safety["reason"]) == ("operator", reason)
    assert (safety["state"], safety["in_place"]) == ("measured", ["late"])
    assert 0 <= safety["time_to_safe_ms"] < 30_000
    stops = [e for e in map(json.loads, journal(lab).splitlines()) if e["kind"] == "stop.tripped"]
    assert len(stops) == 1


def test_ctrl_c_three_times_is_one_interrupt_and_is_answered(
    small_lab: Lab, tmp_path: Path
) -> None:
    with terminal(small_lab, tmp_path) as run:
        run.type(CTRL_C)
        wait_until("it stops", lambda: "stop.tripped" in journal(small_lab), 20)
        for _ in range(2):
            run.type(CTRL_C)
            wait_until("it is taken", lambda: "killed" in run.text(), 20)
        code = run.process.wait(60)

    assert code == 130, run.text()
    assert "the sentinel takes over if this process is killed" in run.text()
    assert_safe(small_lab, "interrupted by SIGINT")


def test_a_terminal_that_is_closed_takes_the_fault_out(small_lab: Lab, tmp_path: Path) -> None:
    with terminal(small_lab, tmp_path) as run:
        run.hang_up()
        code = run.process.wait(60)

    assert code == 130
    assert_safe(small_lab, "interrupted by SIGHUP")


#: The command, with a runner that gets a signal between its leases and its sentinel.
ENDED_EARLY = """
import os, signal, sys, time
from gameday.app import rig
from gameday.cli.main import run
signal.signal(getattr(signal, sys.argv[1]), signal.SIG_DFL)  # it may be ignored in the background
def told(_openers):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    time.sleep(30)
rig._prepared = told
sys.exit(run(["run", "scenario.yaml"]))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_before_the_run_begins_leaves_no_lease(small_lab: Lab, name: str) -> None:
    small_lab.write()
    before = small_lab.proxies()

    done = subprocess.run(
        [sys.executable, "-c", ENDED_EARLY, name],
        cwd=small_lab.directory, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 130
    assert done.stderr == "gameday: interrupted before anything was touched\n"
    assert small_lab.proxies() == before
    assert list((small_lab.directory / "reports").glob("2*")) == []
