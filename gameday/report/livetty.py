"""The live view as a screen of a terminal: its own screen, one write a frame, a few a second.

The terminal's other screen is used, as editors do: what was there before comes back at the end,
and a change of the size cannot leave torn lines behind.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from gameday.model.event import Event
from gameday.report.livescreen import picture
from gameday.report.livestate import LiveState
from gameday.report.text import printable

#: Often enough for a clock that runs, seldom enough not to flicker over a slow line.
REFRESH_S = 0.25
#: How often also those lines are written that have not changed: somebody may have written there.
WHOLE_S = 2.0
NEWS = 40
_OPEN, _CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
#: A terminal that knows it shows nothing of a frame before all of it is there; others ignore it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ASCII = str.maketrans({"━": "=", "─": "-", "╌": "~", "┃": "|", "…": ".", "·": ";"})


class TtyFace:
    """Draws at most four times a second; the terminal is as it was when the view is closed."""

    def __init__(self, stream: TextIO, drawn: Callable[[bool], None] | None = None) -> None:
        """*drawn* is told before the screen is taken, and after it was given back."""
        self._stream, self._drawn_on = stream, drawn
        self._colours = Console(file=stream).color_system
        self._plain = not _is_unicode(stream)
        self._news: deque[tuple[int, str]] = deque(maxlen=NEWS)
        self._drawn, self._whole = -REFRESH_S, -WHOLE_S
        self._size = (0, 0)
        self._lines: list[str] = []
        self._stderr: _Held | None = None
        self._now_ms = 0
        self._open = False

    def change(self, event: Event, text: str) -> None:
        """Add a line to the news; it is drawn with the next frame."""
        self._news.append((event.at_ms, printable(text)))

    def status(self, state: LiveState) -> None:
        """Draw, unless it was drawn just now."""
        now = time.monotonic()
        if now - self._drawn < REFRESH_S:
            return
        self._drawn, self._now_ms = now, state.now_ms
        if not self._open:
            self._begin()
        size = _size(self._stream)
        lines = self._painted(state, size)
        whole = size != self._size or now - self._whole >= WHOLE_S
        before = [] if whole else self._lines
        frame = _frame(lines, before, height=size[1], clear=size != self._size)
        self._lines, self._size = lines, size
        self._whole = now if whole else self._whole
        if frame:
            self._write(_BEGIN + frame + _END)

    def close(self) -> None:
        """Give the terminal back, and what was written to stderr meanwhile. Idempotent."""
        if self._open:
            self._open = False
            held, self._stderr = self._stderr, None
            try:
                self._write(_CLOSE)
                if self._drawn_on is not None:
                    self._drawn_on(False)
            finally:
                if held is not None:
                    held.release()

    def _begin(self) -> None:
        self._open = True
        if _is_terminal(sys.stderr):
            self._stderr = _Held(sys.stderr, self._said)
            sys.stderr = self._stderr
        if self._drawn_on is not None:
            self._drawn_on(True)
        self._write(_OPEN)

    def _said(self, line: str) -> None:
        self._news.append((self._now_ms, printable(line)))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _painted(self, state: LiveState, size: tuple[int, int]) -> list[str]:
        width, height = size
        lines = painted(
            picture(state, list(self._news), width=width, height=height), width, self._colours
        )
        return [line.translate(_ASCII) for line in lines] if self._plain else lines


def painted(lines: list[Text], width: int, colours: str | None) -> list[str]:
    """Each line with the codes of its colours, and what clears the rest; none is wider."""
    console = Console(
        file=io.StringIO(), width=width, force_terminal=True, highlight=False,
        color_system=colours,  # type: ignore[arg-type]
    )  # fmt: skip
    found = []
    for line in lines:
        with console.capture() as text:
            console.print(line, end="", no_wrap=True, overflow="crop", crop=True)
        # at the last column the cursor stands on the text: clearing from there would eat it
        rest = "\x1b[0m\x1b[K" if line.cell_len < width else "\x1b[0m"
        found.append(text.get() + rest)
    return found


def _frame(lines: list[str], before: list[str], *, height: int, clear: bool) -> str:
    """What has to be written so that *lines* stand where *before* stood."""
    parts = ["\x1b[0m\x1b[2J"] if clear else []
    for row, line in enumerate(lines):
        if row >= len(before) or before[row] != line:
            parts.append(f"\x1b[{row + 1};1H{line}")
    if len(lines) < height and (not before or len(lines) < len(before)):
        parts.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
    return "".join(parts)


class _Held(io.TextIOBase):
    """Stands in for stderr while the picture is there: into the news now, and whole at the end."""

    def __init__(self, stream: TextIO, said: Callable[[str], None]) -> None:
        self._stream, self._said = stream, said
        self._text: list[str] = []

    def write(self, text: str) -> int:
        self._text.append(text)
        for line in text.splitlines():
            if line.strip():
                self._said(line)
        return len(text)

    def isatty(self) -> bool:
        return True

    def release(self) -> None:
        """Put the real one back, with what it missed."""
        if sys.stderr is self:
            sys.stderr = self._stream
        self._stream.write("".join(self._text))
        self._stream.flush()


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and lines, as they are now."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return (size.columns or 80, size.lines or 24)


def _is_unicode(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether what is written there has to be kept out of the picture."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
