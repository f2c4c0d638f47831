"""The terminal of a run: a runner that is killed leaves it on its second screen, without a cursor.

The runner lends its sentinel the open terminal, and one byte that says whether the view is drawn
on it now. So nothing is ever written to a terminal that is not the one of this run, and nothing
where the view was closed. The line mode is not touched: the view never changes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO

#: Ends a frame that was cut off, shows the cursor, and leaves the second screen.
GIVE_BACK = "\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l"
#: How long a terminal that takes nothing is waited for, once everything else is done.
SLOW_S = 1.0


class Drawn:
    """The runner's side: the terminal that a view draws on, and whether it does so now."""

    def __init__(self, stream: TextIO) -> None:
        """Of the terminal behind *stream*. Raises `OSError` where there is none."""
        self._lock = threading.Lock()
        self.terminal = os.dup(stream.fileno())
        try:
            self.note = os.memfd_create("gameday-terminal")
        except OSError:
            os.close(self.terminal)
            raise

    def __call__(self, now: bool) -> None:
        """Say it before the first byte of the view, and take it back after the last."""
        with self._lock:
            if self.note >= 0:
                os.pwrite(self.note, b"1" if now else b"0", 0)

    def close(self) -> None:
        """Close both here; a sentinel has its own. Idempotent."""
        with self._lock:
            for fd in (self.terminal, self.note):
                if fd >= 0:
                    os.close(fd)
            self.terminal = self.note = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """The sentinel's side. *session* and *group* are the runner's; 0 where that is not known."""

    terminal: int
    note: int
    session: int = 0
    group: int = 0

    @classmethod
    def of(cls, terminal: int, note: int, runner: Mapping[str, Any]) -> Self:
        """Lent by *runner*, while it is there."""
        try:
            pid = int(runner["pid"])
            session, group = os.getsid(pid), os.getpgid(pid)
        except ProcessLookupError:
            session = group = 0
        return cls(terminal=terminal, note=note, session=session, group=group)

    def give_back(self, why: str) -> threading.Thread:
        """Put it back, if the runner, which is gone, drew on it; and say what happens, in a line.

        Returns at once: a terminal that takes nothing must not keep a fault in. Join the thread
        for `SLOW_S` before the process ends.
        """
        thread = threading.Thread(
            target=self._write, args=(why,), name="gameday-terminal", daemon=True
        )
        thread.start()
        return thread

    def close(self) -> None:
        """Let it go, untouched."""
        os.close(self.terminal)
        os.close(self.note)

    def taken_by_another(self) -> bool:
        """Whether it is known that some other program has the terminal now.

        The leader of the runner's session is the shell; its group has the terminal when it waits
        for a command. A group that is neither the shell's nor the runner's is a later program.
        """
        try:
            text = Path(f"/proc/{self.session}/stat").read_text("utf-8", "replace")
            fields = text.rpartition(")")[2].split()
            leads, device, front = int(fields[2]), int(fields[4]), int(fields[5])
            if device != os.fstat(self.terminal).st_rdev:
                return False  # the shell is on another one
        except (OSError, ValueError, IndexError):
            return False  # no shell is left that could have started anything
        return front > 0 and front not in (leads, self.group)

    def _write(self, why: str) -> None:
        text = f"gameday: {why}; its faults are being taken out; `gameday recover` tells"
        try:
            if os.pread(self.note, 1, 0) == b"1" and not self.taken_by_another():
                data = f"{GIVE_BACK}{text}\r\n".encode()
                while data:
                    data = data[os.write(self.terminal, data) :]
        except OSError:
            pass  # it was closed, and with it whoever looked
        finally:
            self.close()
