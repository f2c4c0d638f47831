"""The view of a run while it runs: a screen in a terminal, lines elsewhere, JSON for machines.

A view follows the journal; nothing waits for it. `LiveFollower` takes events from the deciding
thread through a bounded queue and drops (and counts) what a slow terminal cannot take.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol, TextIO

from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.model.units import format_ms, format_ratio
from gameday.report.livejson import status_of
from gameday.report.livestate import LiveState
from gameday.report.moments import moment_of
from gameday.report.text import printable

Mode = Literal["tty", "plain", "json"]
LINE_EVERY_MS = 5_000
STATUS_EVERY_MS = 1_000
_SAMPLES = frozenset(
    {
        "load.window", "probe.sample", "proxy.health", "clock.offset", "load.edge",
        "signal.sample",
    }
)  # fmt: skip


class _Face(Protocol):
    """One form of the view."""

    def change(self, event: Event, text: str) -> None: ...
    def status(self, state: LiveState) -> None: ...
    def close(self) -> None: ...


class LiveView:
    """Shows a run from its events. Not thread-safe; use a `LiveFollower` from other threads."""

    def __init__(
        self,
        plan: Plan,
        *,
        mode: Mode,
        stream: TextIO,
        drawn: Callable[[bool], None] | None = None,
    ) -> None:
        """*drawn* is told when a terminal's second screen is taken, and when it was given back."""
        self.state = LiveState(plan)
        self._face = _face(mode, stream, drawn)

    def see(self, event: Event) -> None:
        """Take one event in, and show it if it is news."""
        self.state.see(event)
        if event.kind not in _SAMPLES:
            text = _news(event, self.state)
            if text:
                self._face.change(event, text)
        self._face.status(self.state)

    def tick(self, now_ms: int) -> None:
        """Let *now_ms* of run time be shown, though nothing happened."""
        self.state.now_ms = max(self.state.now_ms, now_ms)
        self._face.status(self.state)

    def dropped(self, count: int) -> None:
        """Say that *count* events were not shown."""
        self.state.hints["view"] = f"{count} events were not shown here; the journal has them"

    def close(self) -> None:
        """Show the last state and leave the terminal as it was. Idempotent."""
        self._face.close()


class View(Protocol):
    """What a `LiveFollower` feeds."""

    def see(self, event: Event) -> None:
        """Take one event in."""

    def tick(self, now_ms: int) -> None:
        """It is *now_ms* of run time, though nothing happened."""

    def dropped(self, count: int) -> None:
        """So many events were not handed over."""

    def close(self) -> None:
        """End. Idempotent."""


class LiveFollower:
    """Feeds a view from a thread of its own. `emit` never blocks and never raises."""

    def __init__(self, view: View, *, size: int = 2_000, every_s: float = 0.25) -> None:
        self._view, self._every_s = view, every_s
        self._queue: queue.Queue[Event | None] = queue.Queue(maxsize=size)
        self._closing = threading.Event()
        self.dropped = 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="live-view", daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Hand over one event; it is dropped and counted when the view is too slow."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def close(self, timeout_s: float = 3.0) -> None:
        """Show what is still queued and end. Bounded; idempotent."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - a view that breaks must not touch the run
            self.error = error
        finally:
            try:
                self._view.close()
            except (OSError, ValueError) as error:  # the terminal is gone
                self.error = self.error or error

    def _follow(self) -> None:
        run_ms, since = 0, time.monotonic()
        while True:
            try:
                event = self._queue.get(timeout=self._every_s)
            except queue.Empty:
                if self._closing.is_set():
                    return
                self._view.tick(run_ms + int((time.monotonic() - since) * 1000))
                continue
            if event is not None:
                run_ms, since = event.at_ms, time.monotonic()
                self._view.see(event)
            if self.dropped:
                self._view.dropped(self.dropped)


class _Plain:
    """A line every five seconds, and one on each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_ms: int | None = None

    def change(self, event: Event, text: str) -> None:
        self._write(event.at_ms, printable(text))

    def status(self, state: LiveState) -> None:
        if self._next_ms is None:
            self._next_ms = state.now_ms + LINE_EVERY_MS
        if state.now_ms < self._next_ms:
            return
        self._next_ms = state.now_ms + LINE_EVERY_MS
        self._write(state.now_ms, printable(line_of(state)))

    def close(self) -> None:
        self._stream.flush()

    def _write(self, at_ms: int, text: str) -> None:
        self._stream.write(f"{at_ms / 1000:7.1f} s  {text}\n")
        self._stream.flush()


class _Json:
    """One object a line: `event` on each change, `status` once a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_ms: int | None = None

    def change(self, event: Event, text: str) -> None:
        self._write(
            {
                "t": "event",
                "at_ms": event.at_ms,
                "kind": event.kind,
                "subject": event.subject,
                "phase": event.phase.value,
                "text": text,
            }
        )

    def status(self, state: LiveState) -> None:
        if self._next_ms is not None and state.now_ms < self._next_ms:
            return
        self._next_ms = state.now_ms + STATUS_EVERY_MS
        self._write({"t": "status", **status_of(state)})

    def close(self) -> None:
        self._stream.flush()

    def _write(self, value: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(value) + "\n")
        self._stream.flush()


def line_of(state: LiveState) -> str:
    """One line for a log."""
    return " | ".join(_parts(state))


def _parts(state: LiveState) -> Iterable[str]:
    numbers = state.numbers
    left = "" if state.left_ms is None else f", {state.left_ms / 1000:.0f} s left"
    yield f"{state.phase}{left}"
    if numbers.asked_per_s is not None:
        yield f"served {numbers.served_per_s or 0:.0f} of {numbers.asked_per_s:.0f}/s"
    if numbers.good_per_s is not None:
        yield f"good {numbers.good_per_s:.0f}/s"
    if numbers.error_ratio is not None:
        kinds = ", ".join(f"{kind} {n}" for kind, n in numbers.errors.items())
        yield f"errors {format_ratio(numbers.error_ratio)}" + (f" ({kinds})" if kinds else "")
    if numbers.p95_ms is not None:
        yield f"p95 {format_ms(numbers.p95_ms)}"
    yield f"in flight {numbers.in_flight}, oldest {format_ms(numbers.oldest_ms)}"
    yield from (f"{n} {light.state}" for n, light in state.faults.items() if light.since_ms)
    yield from (f"{n} {light.state}" for n, light in state.alerts.items() if light.since_ms)
    yield from (f"broken: {one.text}" for one in state.objectives if one.holds is False)
    if state.stopped:
        yield f"STOPPED {state.stopped}"
    yield from state.hints.values()


def _news(event: Event, state: LiveState) -> str:
    """What to say about a change; empty for what is none."""
    if event.kind in ("alert.pending", "alert.firing", "alert.resolved", "alert.delivered"):
        since = ""
        if state.fault_on_ms is not None and event.kind != "alert.resolved":
            since = f", {format_ms(max(0, event.at_ms - state.fault_on_ms))} after the fault"
        word = event.kind.partition(".")[2]
        if word == "resolved" and event.data.get("was") == "pending":
            word = "no longer pending"
        if word == "delivered":
            status = event.data.get("status", "firing")
            since = since if status == "firing" else ""
            word = f"({status}) delivered to `{event.data.get('receiver')}`"
        return f"{event.subject} {word}{since}"
    moment = moment_of(event)
    return "" if moment is None else moment.text


def _face(mode: Mode, stream: TextIO, drawn: Callable[[bool], None] | None) -> _Face:
    if mode == "tty":
        from gameday.report.livetty import TtyFace  # noqa: PLC0415 - rich only where it is shown

        return TtyFace(stream, drawn)
    return _Plain(stream) if mode == "plain" else _Json(stream)
