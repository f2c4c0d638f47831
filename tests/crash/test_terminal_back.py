"""The sentinel gives the terminal of a killed runner back, and never writes to any other."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from crash_support import wait_until

from gameday.sentinel.terminal import GIVE_BACK, SLOW_S, Drawn, Lent

WITHIN_S = 20.0
#: A shell in a session of its own on the terminal, with a program in front if it is asked for.
SHELL = """
import fcntl, os, sys, termios, time
os.setsid()
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
if sys.argv[1] == "program":
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        time.sleep(3600)
    import signal
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.setpgid(child, child)
    except PermissionError:
        pass
    os.tcsetpgrp(1, child)
    print(f"child {child}", file=sys.stderr, flush=True)
else:
    print("ready", file=sys.stderr, flush=True)
time.sleep(3600)
"""


class Terminal:
    """A terminal whose far side is read, and what a runner lends of it."""

    def __init__(self) -> None:
        self.leader, follower = os.openpty()
        self.stream = os.fdopen(follower, "w")
        self.drawn = Drawn(self.stream)

    def lent(self, session: int = 0, group: int = 0) -> Lent:
        """As the sentinel has it: descriptors of its own."""
        return Lent(
            terminal=os.dup(self.drawn.terminal),
            note=os.dup(self.drawn.note),
            session=session,
            group=group,
        )

    def shown(self) -> str:
        """All that was written there until now."""
        found = b""
        while select.select([self.leader], [], [], 0)[0]:
            found += os.read(self.leader, 65_536)
        return found.decode()

    def close(self) -> None:
        self.drawn.close()
        self.stream.close()
        os.close(self.leader)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    try:
        yield made
    finally:
        made.close()


def given_back(lent: Lent) -> None:
    thread = lent.give_back("the runner is gone")
    thread.join(WITHIN_S)
    assert not thread.is_alive()


def test_a_terminal_that_was_drawn_on_is_put_back_and_told_in_a_line(terminal: Terminal) -> None:
    terminal.drawn(True)
    before = termios.tcgetattr(terminal.leader)
    given_back(terminal.lent())
    shown = terminal.shown()

    assert shown.startswith(GIVE_BACK)
    assert " ".join(shown.removeprefix(GIVE_BACK).split()) == (
        "gameday: the runner is gone; its faults are being taken out; `gameday recover` tells"
    )
    assert shown.count("\n") == 1
    assert termios.tcgetattr(terminal.leader) == before


@pytest.mark.parametrize("said", [(), (True, False)], ids=["never-drawn", "closed-by-the-view"])
def test_one_that_is_not_drawn_on_is_not_touched(terminal: Terminal, said: tuple[bool]) -> None:
    for now in said:
        terminal.drawn(now)
    given_back(terminal.lent())

    assert terminal.shown() == ""


@contextmanager
def shell_on(terminal: Terminal, what: str) -> Iterator[tuple[int, int]]:
    """A shell that has the terminal; its process, and that of the program in front (or 0)."""
    with subprocess.Popen(
        [sys.executable, "-c", SHELL, what],
        stdin=terminal.stream, stdout=terminal.stream, stderr=subprocess.PIPE, text=True,
    ) as shell:  # fmt: skip
        assert shell.stderr is not None
        word, _, child = shell.stderr.readline().strip().partition(" ")
        try:
            assert word in ("ready", "child")
            yield shell.pid, int(child or 0)
        finally:
            if child:
                os.kill(int(child), 9)
            shell.kill()


def test_a_shell_that_waits_for_a_command_gets_it_back(terminal: Terminal) -> None:
    terminal.drawn(True)
    with shell_on(terminal, "waits") as (shell, _):
        lent = terminal.lent(session=shell, group=1)
        assert not lent.taken_by_another()
        given_back(lent)

        assert "recover" in terminal.shown()


def test_a_program_that_was_started_since_is_not_written_into(terminal: Terminal) -> None:
    terminal.drawn(True)
    with shell_on(terminal, "program") as (shell, program):
        lent = terminal.lent(session=shell, group=1)
        assert lent.taken_by_another()
        assert not terminal.lent(session=shell, group=program).taken_by_another(), (
            "it is the runner"
        )
        given_back(lent)

        assert terminal.shown() == ""


def test_a_terminal_that_takes_nothing_holds_nobody_up(terminal: Terminal) -> None:
    terminal.drawn(True)
    termios.tcflow(terminal.stream, termios.TCOOFF)
    thread = terminal.lent().give_back("the runner is gone")
    thread.join(SLOW_S / 10)
    assert thread.is_alive(), "it waits, and nobody waits for it"
    assert terminal.shown() == ""
    termios.tcflow(terminal.stream, termios.TCOON)
    shown = ""

    def told() -> bool:
        nonlocal shown
        shown += terminal.shown()
        return shown.endswith("\n")

    wait_until("it is told once there is room", told, WITHIN_S)
    thread.join(WITHIN_S)
    assert GIVE_BACK in shown


def test_a_terminal_that_is_gone_is_no_trouble(terminal: Terminal) -> None:
    terminal.drawn(True)
    lent = terminal.lent()
    leader, terminal.leader = terminal.leader, os.open(os.devnull, os.O_RDONLY)
    os.close(leader)

    given_back(lent)


def test_a_view_that_ends_late_writes_nowhere(terminal: Terminal) -> None:
    """Its descriptor may mean another file by then."""
    note = os.dup(terminal.drawn.note)
    try:
        terminal.drawn(True)
        terminal.drawn.close()
        terminal.drawn(False)
        assert os.pread(note, 1, 0) == b"1"
    finally:
        os.close(note)
