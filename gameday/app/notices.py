"""Notices of a run: who is told that it begins, is stopped, is dirty, or is over and all clear.

Nothing here delays or changes a run. What has to be said is decided by looking at its events;
sending is done by a process of its own (`gameday.telling`), and what could not be sent is a note.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gameday.model.event import Event
from gameday.model.notices import Exercise, NoticeMoment, Told
from gameday.model.plan import Plan
from gameday.ports import Emit
from gameday.secrets import masked
from gameday.telling import Sending, Teller, asked, begin, outcome

#: At the end of a run with faults still in: whoever cleans up must not wait for a message.
DIRTY_WAIT_S = 5.0
CLEAR_WAIT_S = 30.0
#: What is still under way when a run ends is waited for no longer.
STOP_WAIT_S = 3.0
_LOOK_S = 0.2


class RunNotices:
    """A listener to the events of a run (`see`), a watcher that starts and ends with it, an end.

    `see` runs on the deciding thread: it puts `notice.asked` into the journal by `emit`, and sends
    only once it has seen that line there.
    """

    def __init__(self, exercise: Exercise) -> None:
        self._exercise = exercise  # without the name of the run until that is known
        self._emit: Emit | None = None
        self._begun = False
        self._due: dict[str, Told] = {}  # not yet seen in the journal
        self._told: set[NoticeMoment] = set()
        self._work: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._until: float | None = None

    def see(self, event: Event) -> None:
        """Take one event in. Never blocks."""
        if event.kind == "run.opened":
            self._exercise = replace(self._exercise, run=event.subject)
        elif event.kind == "run.phase" and not self._begun:
            self._begun = True
            self._ask(Told(moment=NoticeMoment.START))
        elif event.kind == "stop.tripped" and self._begun:
            reason = f"{event.subject}: {event.data.get('reason') or ''}".removesuffix(": ")
            self._ask(Told(moment=NoticeMoment.STOP, reason=reason))
        elif event.kind == "notice.asked" and event.subject in self._due:
            self._work.put(self._due.pop(event.subject))

    def start(self, emit: Emit) -> None:
        """Begin to tell. Idempotent."""
        self._emit = emit
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gameday-notices", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait a little for what is under way. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._until = time.monotonic() + STOP_WAIT_S
        self._work.put(None)
        thread.join(STOP_WAIT_S + 10 * _LOOK_S)

    def end(self, dirty: tuple[str, ...], reason: str, note: Callable[[Event], object]) -> None:
        """The last word, before the journal is closed: what is left in, or that nothing is.

        Whatever goes wrong with it is only said.
        """
        if not (self._begun or dirty):
            return
        try:
            self._end(dirty, reason, note)
        except Exception as error:  # noqa: BLE001 - the run's own end stands above a message
            what = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"gameday: others were not told of the end: {masked(what)}\n")

    def _end(self, dirty: tuple[str, ...], reason: str, note: Callable[[Event], object]) -> None:
        def add(kind: str, subject: str, data: Mapping[str, Any]) -> None:
            note(Event(kind=kind, subject=subject, data=data))

        moment = NoticeMoment.DIRTY if dirty else NoticeMoment.CLEAR
        teller = Teller(exercise=self._exercise, add=add)
        teller.tell(Told(moment=moment, dirty=dirty, reason=reason), ())
        teller.finish(DIRTY_WAIT_S if dirty else CLEAR_WAIT_S)

    def _ask(self, told: Told) -> None:
        """Once a moment, however often it comes."""
        exercise, moment = self._exercise, told.moment
        if self._emit is None or moment in self._told:
            return
        self._told.add(moment)
        if exercise.to(moment):
            self._due[moment.value] = told
            data = asked(exercise, told)
            self._emit(Event(kind="notice.asked", subject=moment.value, data=data))

    def _run(self) -> None:
        while (told := self._work.get()) is not None:
            self._one(begin(self._exercise, told), told.moment)

    def _one(self, sending: Sending, moment: NoticeMoment) -> None:
        while not sending.wait(_LOOK_S):
            if self._until is not None and time.monotonic() > self._until:
                break
        for kind, data in outcome(sending.results(0.0)):
            if self._emit is not None:
                self._emit(Event(kind=kind, subject=moment.value, data=data))


def run_notices(plan: Plan) -> RunNotices | None:
    """What tells others of a run of *plan*; None if nobody wants to know."""
    if not plan.notices:
        return None
    from gameday.scenario.planfile import dump_plan

    return RunNotices(Exercise.of(json.loads(dump_plan(plan)), ""))
