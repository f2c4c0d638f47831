"""The shell around `engine.core`: the only thread that decides and writes the journal.

Everything that happens elsewhere (workers, watchers, people) reaches it through one queue. If the
loop itself fails, by a full disk under the journal or a bug in a fold, the run is stopped and the
faults are taken out all the same, from memory if it must be.
"""

from __future__ import annotations

import contextlib
import queue
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from gameday.engine.clock import Clock, RunClock
from gameday.engine.core import (
    Decision,
    Do,
    Done,
    GiveUp,
    Mark,
    State,
    Wait,
    begin,
    decide,
    observe,
)
from gameday.engine.worker import Acts, Worker
from gameday.model.event import ACTION_KINDS, UNDO_OF, Event, Phase
from gameday.model.plan import Schedule
from gameday.model.verdict import RunStatus
from gameday.plain import plain

__all__ = ["Acts", "Clock", "Fold", "Loop", "RunClock", "Sink"]

#: More events than this waiting means that the loop cannot keep up; the run is then worthless.
WAITING_MAX = 50_000
#: How long the loop sleeps at most: folds are asked, and the pulse is given, at least this often.
TICK_MS = 250
_REACTIONS_MAX = 1_000
_BATCH = 1_000
_FAILURES_MAX = 5
_TEXT_MAX = 20_000


class Sink(Protocol):
    """Where events go: `gameday.journal.Journal`."""

    def append(self, event: Event, *, sync: bool = False) -> None:
        """Write one event; a STARTED one is on disk when this returns. Raises JournalError."""
        ...


class Fold(Protocol):
    """A reaction to events: stop conditions, built-in alerts, the live view.

    Both methods are called on the deciding thread, must be quick, and return NOTED events to be
    recorded, or nothing.
    """

    def see(self, event: Event) -> Iterable[Event]:
        """React to an event that has just been recorded."""
        ...

    def tick(self, now_ms: int) -> Iterable[Event]:
        """React to the passing of time. Called several times a second, after all news."""
        ...


def _no_pulse() -> None:
    """Nobody watches this loop."""


class Loop:
    """Plays one schedule, once.

    `note` records the events before and after it (`run.opened`, `run.closed`); `emit` may be called
    from any thread, and from a signal handler.
    """

    def __init__(
        self,
        schedule: Schedule,
        acts: Acts,
        clock: Clock,
        sink: Sink,
        *,
        folds: Sequence[Fold] = (),
        pulse: Callable[[], None] = _no_pulse,
    ) -> None:
        self.error: Exception | None = None  # what failed in the loop itself, if anything did
        self.recording = True  # False once the journal could not be written
        self.actions: list[Event] = []  # the action events so far
        self.inputs: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._acts, self._clock, self._sink = acts, clock, sink
        self._folds, self._pulse = tuple(folds), pulse
        self._workers: dict[str, Worker] = {}
        self._state, self._seq = begin(schedule), 0
        self._last_ms: int | None = None
        self._failures = 0
        self._overflow = False

    @property
    def state(self) -> State:
        """What the engine knows now. A value: safe to look at from any thread."""
        return self._state

    def emit(self, event: Event) -> None:
        """Hand in an observation, from any thread. Never blocks, raises nothing."""
        if self.inputs.qsize() < WAITING_MAX:
            self.inputs.put(event)
        else:
            self._overflow = True

    def note(self, event: Event, *, sync: bool = False) -> Event:
        """Record an observation now; only while `run` is not running. Raises JournalError."""
        return self._record(event, sync=sync)

    def settle(self) -> None:
        """Record what has arrived since the end of `run`. Raises JournalError."""
        while self._take(0):
            pass

    def run(self) -> Done:
        """Play the schedule to its end, whatever happens. Raises nothing but BaseExceptions."""
        try:
            while True:
                try:
                    return self._play()
                except Exception as error:  # noqa: BLE001 - whatever it is, faults are taken out
                    self._failures += 1
                    self._rescue(error)
                if self._failures >= _FAILURES_MAX:
                    return Done(self._state.ledger.dirty, RunStatus.ERRORED, str(self.error))
        finally:
            for worker in self._workers.values():
                worker.close()

    def _play(self) -> Done:
        while True:
            self._pulse()
            news = self._take(0)
            self._tick()
            if self._overflow:
                self._overflow = False
                raise RuntimeError(f"more than {WAITING_MAX} events were waiting to be recorded")
            decision = decide(self._state, self._clock.now_ms())
            if not isinstance(decision, Done):
                self._apply(decision)
            elif not news and self.inputs.empty():
                return decision

    def _apply(self, decision: Decision) -> None:
        match decision:
            case Do():
                self._start(decision)
            case GiveUp(started=started, lane=lane):
                if (worker := self._workers.pop(lane, None)) is not None:
                    worker.close()
                self._record(
                    replace(
                        started,
                        phase=Phase.UNKNOWN,
                        cause=started.seq,
                        data={"error": "the call outlived its limit", "given_up": True},
                    )
                )
            case Mark(event=event):
                self._record(event)
            case Wait(until_ms=until_ms):
                self._take(max(0, min(until_ms - self._clock.now_ms(), TICK_MS)))

    def _start(self, do: Do) -> None:
        step, data = do.step, dict(do.step.data)
        undo = do.debt.undo if do.debt is not None else {}
        if step.verb in UNDO_OF:
            undo = plain(self._acts.undo_for(step, tuple(self.actions)))
            data["undo"] = undo
        start = Event(kind=step.verb, subject=step.subject, phase=Phase.STARTED, data=data)
        started = self._write(start)  # on disk before the world is touched
        if step.lane not in self._workers:
            self._workers[step.lane] = Worker(step.lane, self._acts, self.inputs.put)
        self._workers[step.lane].give(step, undo, started)
        self._react(started)

    def _take(self, timeout_ms: int) -> bool:
        """Record what is waiting, after waiting for something at most *timeout_ms*."""
        try:
            event = self.inputs.get(block=timeout_ms > 0, timeout=timeout_ms / 1000)
        except queue.Empty:
            return False
        self._record(event)
        for _ in range(min(self.inputs.qsize(), _BATCH)):
            self._record(self.inputs.get_nowait())
        return True

    def _tick(self) -> None:
        now_ms = self._clock.now_ms()
        for fold in self._folds:
            for event in fold.tick(now_ms):
                self._record(event)

    def _record(self, event: Event, *, sync: bool = False) -> Event:
        event = self._write(event, sync=sync)
        self._react(event)
        return event

    def _react(self, event: Event) -> None:
        """Let the folds see an event, and what they answer to it, until all is said."""
        unseen = deque([event])
        for _ in range(_REACTIONS_MAX):
            if not unseen:
                return
            seen = unseen.popleft()
            for fold in self._folds:
                unseen.extend([self._write(answer) for answer in fold.see(seen)])
        raise RuntimeError(f"reactions to event {event.seq} ({event.kind}) do not end")

    def _write(self, event: Event, *, sync: bool = False) -> Event:
        now_ms = self._clock.now_ms()
        now_ms = now_ms if self._last_ms is None else max(now_ms, self._last_ms)
        event = replace(event, seq=self._seq, at_ms=now_ms)
        if self.recording:
            try:
                self._sink.append(event, sync=sync)
            except Exception:
                self.recording = False  # there is a hole now, and nothing may stand behind it
                if event.phase is not Phase.STARTED:  # it has happened, written down or not
                    self._observe(event)
                raise
        self._observe(event)
        return event

    def _observe(self, event: Event) -> None:
        self._seq, self._last_ms = event.seq + 1, event.at_ms
        self._state = observe(self._state, event)
        if event.kind in ACTION_KINDS:
            self.actions.append(event)

    def _rescue(self, error: Exception) -> None:
        """After a failure of the loop itself: stop the run, so that only debts are left to pay."""
        self.error = self.error or error
        self._folds, self._pulse = (), _quiet(self._pulse)
        text = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))[-_TEXT_MAX:]
        notes = (
            Event(kind="run.error", subject="engine", data={"error": text, "traceback": trace}),
            Event(
                kind="stop.tripped",
                subject="error",
                data={"reason": text, "status": RunStatus.ERRORED.value},
            ),
        )
        for event in notes:
            with contextlib.suppress(Exception):  # known all the same, see `_write`
                self._write(event)


def _quiet(pulse: Callable[[], None]) -> Callable[[], None]:
    def beat() -> None:
        with contextlib.suppress(Exception):
            pulse()

    return beat
