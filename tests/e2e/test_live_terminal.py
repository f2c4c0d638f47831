"""The live view of a real run in a real terminal, whose size changes while it runs."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from lab_support import GAMEDAY, Lab, process, wait_until
from set_support import as_wanted, quick_scenario

from gameday.processes import gone_within, kill
from gameday.sentinel import owner

_CODE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


@dataclass
class Screen:
    """As much of a terminal as the view uses, that notes what does not fit."""

    width: int = 80
    height: int = 24
    other: bool = False  # the screen that editors use
    hidden: bool = False  # the cursor
    frames: list[list[str]] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    after: str = ""  # what was written when the other screen was left
    _rows: dict[int, str] = field(default_factory=dict)
    _row: int = 1
    _rest: str = ""
    _allowed: int = 80

    def resize(self, width: int, height: int) -> None:
        """What is on its way still has the old size, until it is wiped."""
        self._allowed = max(width, self._allowed)
        self.width, self.height = width, height

    def feed(self, text: str) -> None:
        text = self._rest + text
        cut = text.rfind("\x1b")
        whole = cut < 0 or _CODE.match(text, cut) is not None
        text, self._rest = (text, "") if whole else (text[:cut], text[cut:])
        at = 0
        for code in _CODE.finditer(text):
            self._text(text[at : code.start()])
            self._code(code[1], code[2])
            at = code.end()
        self._text(text[at:])

    def _text(self, text: str) -> None:
        if not self.other:
            self.after += text
            return
        line = self._rows.get(self._row, "") + text
        self._rows[self._row] = line
        if len(line) > self._allowed or self._row > max(self.height, 30):
            self.too_wide.append(line)

    def _code(self, values: str, what: str) -> None:
        match values, what:
            case ("?1049h" | "?1049", "h" | "l"):
                self.other = what == "h"
            case ("?25", _):
                self.hidden = what == "l"
            case ("?2026", "l"):
                self.frames.append([self._rows.get(n, "") for n in range(1, self.height + 1)])
            case ("2", "J"):
                self._rows, self._allowed = {}, self.width
            case (_, "J"):
                self._rows = {n: x for n, x in self._rows.items() if n < self._row}
            case (place, "H"):
                self._row = int(place.partition(";")[0] or 1)
                self._rows[self._row] = ""
            case (_, "K" | "m") | ("?2026", "h"):
                pass
            case _:
                self.unknown.append(f"{values}{what}")


def sized(fd: int, width: int, height: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def read_from(fd: int, within_s: float) -> Iterator[str]:
    """What the other side writes, until it is gone."""
    deadline = time.monotonic() + within_s
    rest = b""
    while time.monotonic() < deadline:
        ready, _, _ = select.select([fd], [], [], 0.2)
        if not ready:
            yield ""
            continue
        try:
            data = os.read(fd, 65_536)
        except OSError:  # the terminal has no other side any more
            return
        if not data:
            return
        text = (rest + data).decode("utf-8", "ignore")
        rest = (rest + data)[len(text.encode()) :]
        yield text


def test_a_run_in_a_terminal_that_changes_its_size(small_lab: Lab) -> None:
    small_lab.write()
    path = small_lab.directory / "scenario.yaml"
    scenario = quick_scenario("short")
    # long enough that each phase is seen, and that something is drawn after the last change
    phases = {"warmup": "0s", "baseline": "5s", "fault": "5s", "recovery": "5s"}
    scenario["profiles"]["smoke"]["phases"] = phases
    path.write_text(yaml.safe_dump(scenario, sort_keys=False))
    leader, follower = os.openpty()
    sized(leader, 80, 24)
    sizes = {"baseline": (56, 16), "fault": (110, 30)}
    screen = Screen()
    command = [*GAMEDAY, "run", "scenario.yaml", "--profile", "smoke"]
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    with process(
        command, cwd=small_lab.directory, env=environment,
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, start_new_session=True,
    ) as child:  # fmt: skip
        os.close(follower)
        for text in read_from(leader, 240):
            screen.feed(text)
            phase = phase_of(screen)
            if phase in sizes:
                size = sizes.pop(phase)
                screen.resize(*size)
                sized(leader, *size)
                child.send_signal(signal.SIGWINCH)
        code = child.wait(120)
    os.close(leader)

    verdict = small_lab.result()["verdict"]
    assert as_wanted(0, verdict), screen.after
    assert code == verdict["exit_code"]
    assert not sizes, "each of the sizes was tried"
    assert screen.too_wide == []
    assert screen.unknown == []
    assert (screen.other, screen.hidden) == (False, False), "the terminal is as it was"
    assert "exit code" in screen.after, "the verdict is on the screen of the shell"
    shown = ["\n".join(frame) for frame in screen.frames]
    assert any("late on back" in one and "ON for" in one for one in shown)
    assert any("off, read back" in one for one in shown)
    heights = {sum(bool(line.strip()) for line in frame) for frame in screen.frames}
    assert max(heights) > 16, "a larger screen is used"


def test_a_killed_run_leaves_the_terminal_as_it_was(small_lab: Lab) -> None:
    """The sentinel gives it back, says so, and takes the fault out."""
    small_lab.write()
    path = small_lab.directory / "scenario.yaml"
    scenario = quick_scenario("killed")
    scenario["load"]["arrivals"] = "5/s"  # nothing that a busy machine could not do
    scenario["phases"] = {"baseline": "3s", "fault": "60s", "recovery": "1s"}
    scenario["expect"] = {"baseline": ["errors < 50%"], "fault": ["errors < 50%"]}
    path.write_text(yaml.safe_dump(scenario, sort_keys=False))
    leader, follower = os.openpty()
    sized(leader, 80, 24)
    screen = Screen()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    with process(
        [*GAMEDAY, "run", "scenario.yaml"], cwd=small_lab.directory, env=environment,
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, start_new_session=True,
    ) as child:  # fmt: skip
        os.close(follower)
        mode = termios.tcgetattr(leader)
        killed = False
        for text in read_from(leader, 300):  # until the sentinel has let go of it
            screen.feed(text)
            if not killed and small_lab.faulty() and phase_of(screen) == "fault":
                assert (screen.other, screen.hidden) == (True, True)
                killed = True
                child.kill()
    try:
        assert killed
        assert (screen.other, screen.hidden) == (False, False)
        assert termios.tcgetattr(leader) == mode
        assert screen.unknown == []
        assert " ".join(screen.after.split()) == (
            "gameday: the runner is gone; its faults are being taken out; `gameday recover` tells"
        )
        wait_until("the fault is out", small_lab.well, 60)
    finally:
        os.close(leader)
        sentinel = owner.read(small_lab.last_run).sentinel
        assert sentinel is not None
        kill(sentinel)
        assert gone_within(sentinel, 30)


def phase_of(screen: Screen) -> str:
    line = next((x for x in (screen.frames or [[]])[-1] if x.startswith("phase")), "")
    return [*line.split(), "", ""][1]
