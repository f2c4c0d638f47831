"""The threads that touch the outside world: one a lane, one call at a time each.

Workers know nothing of each other and nothing of the run. They are daemons: a call that hangs for
good must not keep the process from ending.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from gameday.errors import NoEffectError
from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase
from gameday.model.plan import Step
from gameday.plain import plain
from gameday.ports import Undo


class Acts(Protocol):
    """What the steps of a plan do. Composed by `gameday.app` from the adapters.

    `perform`, `inject` and `revert` are called from the worker thread of the step's lane; they
    return facts (plain data) for the OK event, raise `NoEffectError` when it is certain that
    nothing changed (FAILED), and anything else when it is not (UNKNOWN). They may be called again
    for the same lane from another thread when an earlier call has outlived its limit.
    """

    def undo_for(self, step: Step, actions: Sequence[Event]) -> Undo:
        """The undo record of an inject or open that is about to start.

        Called on the deciding thread: it looks nothing up outside, but finds the record in what it
        knows or in *actions*, the action events so far (`fault.prepare` left it there). It is in
        the journal and fsynced before `inject` is called. If it raises, nothing is injected and
        the run ends as errored.
        """
        ...

    def inject(self, step: Step, undo: Undo) -> Mapping[str, Any] | None:
        """Do a `fault.inject` or `target.open`."""
        ...

    def revert(self, step: Step, undo: Undo) -> Mapping[str, Any] | None:
        """Do a `fault.revert` or `target.close`; return only when a read-back shows it is gone."""
        ...

    def perform(self, step: Step) -> Mapping[str, Any] | None:
        """Do any other step."""
        ...


class Worker:
    """One thread that performs the steps of one lane."""

    def __init__(self, lane: str, acts: Acts, deliver: Callable[[Event], None]) -> None:
        self._inbox: queue.Queue[tuple[Step, Undo, Event] | None] = queue.Queue(maxsize=1)
        self._acts, self._deliver = acts, deliver
        threading.Thread(target=self._work, name=f"gameday-{lane}", daemon=True).start()

    def give(self, step: Step, undo: Undo, started: Event) -> None:
        """Hand over one step; the worker must be idle."""
        self._inbox.put_nowait((step, undo, started))

    def close(self) -> None:
        """Let the thread end once it is idle; a stuck one dies with the process."""
        with contextlib.suppress(queue.Full):
            self._inbox.put_nowait(None)

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            step, undo, started = job
            phase, data = self._perform(step, undo)
            self._deliver(replace(started, phase=phase, cause=started.seq, data=data))

    def _perform(self, step: Step, undo: Undo) -> tuple[Phase, Mapping[str, Any]]:
        try:
            if step.verb in UNDO_OF:
                facts = self._acts.inject(step, undo)
            elif step.verb in OPENER_OF:
                facts = self._acts.revert(step, undo)
            else:
                facts = self._acts.perform(step)
            return Phase.OK, plain(dict(facts or {}))
        except NoEffectError as error:
            return Phase.FAILED, {"error": str(error), **_facts(error)}
        except Exception as error:  # noqa: BLE001 - anything else leaves the effect in doubt
            return Phase.UNKNOWN, {"error": f"{type(error).__name__}: {error}", **_facts(error)}


def _facts(error: Exception) -> Mapping[str, Any]:
    """Facts that an adapter has hung on its exception as `facts`: what it saw before it failed."""
    facts = getattr(error, "facts", None)
    return plain(dict(facts)) if isinstance(facts, Mapping) else {}
