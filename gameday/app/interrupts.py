"""Ctrl-C, SIGTERM and SIGHUP: the first one stops the run in good order, further ones are answered.

A signal handler runs in the middle of whatever the deciding thread does. So it only looks at a
value, fills a queue, and leaves the writing to a thread of its own: a terminal that is gone, or a
pipe that nobody reads, must not keep the faults from being taken out.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gameday.engine.clock import Clock
from gameday.engine.core import State
from gameday.engine.loop import Loop
from gameday.engine.state import call_limit_ms
from gameday.model.debts import Debt
from gameday.model.event import Event
from gameday.model.units import format_ms

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Texts that may wait for a slow terminal; more of them say nothing new.
_WAITING_MAX = 3
#: Lines of one answer.
_LINES_MAX = 8


@dataclass(slots=True)
class Late:
    """Whether somebody asked for an end once a run was over: it stays as it is, no other begins."""

    asked: bool = False

    @contextlib.contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Around *what* comes after a run, and may take long: a signal ends it, and is noted."""
        ended = False

        def note(_number: int, _frame: Any) -> None:
            nonlocal ended
            first, ended, self.asked = not ended, True, True
            if first:  # another one must not escape from where this one is answered
                raise KeyboardInterrupt

        with _handled(note):
            try:
                yield
            except KeyboardInterrupt:
                self.asked = True
                sys.stderr.write(f"gameday: interrupted before {what}\n")


@contextlib.contextmanager
def restored() -> Iterator[Late]:
    """Around everything that a run is made of: signals mean afterwards what they meant before.

    Within, but before and after `interrupts`, each of them is a `KeyboardInterrupt`: what was taken
    to prepare the run, a lease for example, is given back. Says whether one came while the parts of
    a run that was over were put away.
    """
    late = Late()
    with _handled(signal.default_int_handler):
        try:
            yield late
        finally:
            now = [signal.getsignal(number) for number in _NUMBERS]
            late.asked = any(isinstance(handler, _Over) and handler.asked for handler in now)


@contextlib.contextmanager
def _handled(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Signals that are not ignored go to *handler* for so long; in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        for number in _NUMBERS:
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, handler)
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)


@contextlib.contextmanager
def interrupts(loop: Loop, clock: Clock | None = None, *, calm: bool = False) -> Iterator[None]:
    """The first signal interrupts the run; each further one tells what is being undone.

    With a *clock* (the run's) it also tells how long that may take. With *calm*, signals that come
    after this block change nothing either, until `restored` ends: the run is over, and what is left
    is to put its parts away and to write its reports. Only in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    teller = _Teller()
    asked = False

    def interrupt(number: int, _frame: Any) -> None:
        nonlocal asked
        first, asked = not asked, True
        if first:
            name = signal.Signals(number).name
            data = {"reason": f"interrupted by {name}", "status": "interrupted"}
            loop.emit(Event(kind="stop.tripped", subject="operator", data=data))
        if not first or loop.state.stop is not None:
            teller.answer(loop, clock)

    before = {number: signal.signal(number, interrupt) for number in _NUMBERS}
    over = _Over()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, over if calm else handler)
        over.asked |= asked  # the loop may have been over, or stopping for another reason
        teller.close()


class _Over:
    """The run is over: there is nothing to interrupt that would be better undone."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: Any) -> None:
        self.asked = True


class _Teller:
    """Writes to stderr from a thread that nothing waits for.

    Straight to the file: a thread that is stuck in a buffer of Python would keep it from exiting.
    Only while the live view stands in for stderr it is asked, or it would draw over the text.
    """

    def __init__(self) -> None:
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._fd = _stderr_fd()
        self._thread = threading.Thread(target=self._run, name="gameday-teller", daemon=True)
        self._thread.start()

    def answer(self, loop: Loop, clock: Clock | None) -> None:
        """Say what is being undone. For a signal handler: never blocks, never raises."""
        with contextlib.suppress(Exception):  # an answer is worth less than what it interrupts
            if self._texts.qsize() < _WAITING_MAX:
                now_ms = None if clock is None else clock.now_ms()
                lines = undoing(loop.state, now_ms)
                self._texts.put("".join(f"gameday: {line}\n" for line in lines))

    def close(self) -> None:
        """Let what was said be written, if that goes quickly."""
        self._texts.put(None)
        self._thread.join(0.5)

    def _run(self) -> None:
        # Where a background process may not write to its terminal, it would be stopped for trying.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        while (text := self._texts.get()) is not None:
            if sys.stderr is not None and sys.stderr is not sys.__stderr__:
                with contextlib.suppress(Exception):  # the live view, on a terminal that is gone
                    sys.stderr.write(text)
            elif self._fd is not None:
                _write(self._fd, text.encode("utf-8", "replace"))


def _stderr_fd() -> int | None:
    try:
        return None if sys.__stderr__ is None else sys.__stderr__.fileno()
    except (OSError, ValueError):  # closed
        return None


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        return  # the terminal is gone, and with it whoever asked


def undoing(state: State, now_ms: int | None) -> tuple[str, ...]:
    """What is being undone, and how long each may take at most; without *now_ms* only what."""
    lines = [*_debts(state, now_ms), *_lost(state, now_ms)]
    if not lines:
        what = ", ".join(f"{c.started.kind} {c.started.subject}" for c in state.calls)
        lines = [f"nothing is left to take out; ending: {what or 'the last steps'}"]
    if len(lines) > _LINES_MAX:
        lines = [*lines[: _LINES_MAX - 1], f"and {len(lines) - _LINES_MAX + 1} more"]
    alone = state.stop is not None and state.stop.subject == "sentinel"
    after = "nobody takes over" if alone else "the sentinel takes over"
    return (*lines, f"{after} if this process is killed")


def _debts(state: State, now_ms: int | None) -> Iterator[str]:
    """In the order in which they are paid: on each lane newest first, faults before targets."""
    newest = state.ledger.owed[::-1]
    faults = [d for d in newest if d.kind == "fault.inject"]
    free_ms = {call.lane: call.until_ms for call in state.calls}
    for debt in (*faults, *(d for d in newest if d.kind != "fault.inject")):
        lane = state.lane_of(debt)
        yield f"{_what(debt, lane)}: {_progress(state, debt, now_ms, free_ms.get(lane))}"
        if now_ms is not None:
            free_ms[lane] = _end_ms(state, debt, max(now_ms, free_ms.get(lane, now_ms)))


def _what(debt: Debt, lane: str) -> str:
    if debt.kind != "fault.inject":
        return f"putting back {debt.subject}"
    return f"taking out {debt.subject} ({debt.undo.get('target') or lane})"


def _progress(state: State, debt: Debt, now_ms: int | None, free_ms: int | None) -> str:
    tries = state.tries.get(debt.since)
    under_way = any(
        c.started.kind == debt.closer and c.started.subject == debt.subject for c in state.calls
    )
    revert_for_ms = state.book.schedule.limits.revert_for_ms
    if tries is not None and not under_way and tries.next_ms > tries.first_ms + revert_for_ms:
        return f"not done after {tries.count} tries, given up; `gameday recover` can try again"
    told = "not begun" if tries is None else f"try {tries.count}"
    if now_ms is None:
        return told
    left_ms = _end_ms(state, debt, max(now_ms, free_ms or now_ms)) - now_ms
    return f"{told}, at most {_seconds(left_ms)} more"


def _end_ms(state: State, debt: Debt, start_ms: int) -> int:
    """When it is done or given up at the latest: its last try may begin at the end of its time."""
    tries = state.tries.get(debt.since)
    first_ms = start_ms if tries is None else tries.first_ms
    revert = Event(kind=debt.closer, subject=debt.subject)
    last_ms = first_ms + state.book.schedule.limits.revert_for_ms
    return max(start_ms, last_ms + call_limit_ms(state, revert, None))


def _lost(state: State, now_ms: int | None) -> Iterator[str]:
    """Injects that hang: they may still land, so the run waits for news of them."""
    owed = {debt.subject for debt in state.ledger.owed}
    for event in state.ledger.lost:
        if event.subject in owed:
            continue
        text = f"waiting for news of {event.kind} {event.subject}, which hangs"
        until_ms = next((c.until_ms for c in state.unheard if c.started.seq == event.seq), None)
        if now_ms is not None and until_ms is not None:
            left_ms = until_ms + state.book.schedule.limits.revert_for_ms - now_ms
            text += f": at most {_seconds(left_ms)} more"
        yield text


def _seconds(ms: int) -> str:
    """Whole seconds, rounded up: a bound must not be told too short."""
    return format_ms(-(-max(0, ms) // 1000) * 1000)
