"""Play a schedule against an imaginary world, in no time at all.

The world is one function: given a step and the run time, say how the call ends, how long that takes
and whether it really has an effect. Everything else, the engine, its rules and the timeline, is the
real code:

    def world(step, now_ms):
        if step.verb == "fault.revert" and now_ms < 30_000:
            return Answer(phase=Phase.FAILED, took_ms=5)  # the server is restarting
        return Answer(took_ms=20)

    played = simulate(schedule, world)
    assert played.done.dirty == ()
    assert played.left == frozenset()

`left` is the truth about the imaginary world when everything has landed, which no real run can
know: whatever is in it must be in `done.dirty`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

from gameday.engine.core import Do, Done, GiveUp, Mark, Wait, begin, decide, observe
from gameday.engine.loop import Fold
from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase, Timeline
from gameday.model.plan import Schedule, Step

#: More decisions than this, and the engine is said not to end.
DECISIONS_MAX = 20_000
#: How often folds are asked to tick while the engine waits.
TICK_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the world does with one call.

    The call ends with *phase* after `took_ms`; None means that it never ends. Its effect lands
    `lands_ms` after the call began, at the latest with its end. Without `lands_ms`, a call that
    ends OK has its effect at once, and any other has none.
    """

    phase: Phase = Phase.OK
    took_ms: int | None = 1
    lands_ms: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        late = self.took_ms is not None and (self.lands_ms or 0) > self.took_ms
        if late or (self.phase is Phase.FAILED and self.lands_ms is not None):
            raise ValueError("an effect lands before its call ends, and not if the call failed")


World: TypeAlias = Callable[[Step, int], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A simulated run: its timeline, its end, and the subjects that really are left in place."""

    timeline: Timeline
    done: Done
    left: frozenset[str]


@dataclass(frozen=True, slots=True, order=True)
class _Coming:
    """Something that will happen. Effects come before news of the same moment."""

    at_ms: int
    is_news: bool
    order: int
    event: Event = field(compare=False)


class _Simulation:
    def __init__(self, schedule: Schedule, world: World, folds: Sequence[Fold]) -> None:
        self._world, self._folds = world, folds
        self._state, self._now_ms = begin(schedule), 0
        self._journal: list[Event] = []
        self._coming: list[_Coming] = []
        self._order = count()
        self._left: set[tuple[str, str]] = set()

    def expect(self, at_ms: int, event: Event, *, is_news: bool = True) -> None:
        """Let *event* come at *at_ms*: as news for the engine, or as an effect on the world."""
        heapq.heappush(self._coming, _Coming(at_ms, is_news, next(self._order), event))

    def play(self) -> Played:
        for _ in range(DECISIONS_MAX):
            if self._coming and self._coming[0].at_ms <= self._now_ms:
                self._happen(heapq.heappop(self._coming))
                continue
            for event in [e for fold in self._folds for e in fold.tick(self._now_ms)]:
                self._record(event)
            decision = decide(self._state, self._now_ms)
            if isinstance(decision, Done):
                return self._end(decision)
            self._carry_out(decision)
        raise AssertionError("the engine did not finish: a limit is missing")

    def _carry_out(self, decision: Do | GiveUp | Mark | Wait) -> None:
        match decision:
            case Wait(until_ms=until_ms):
                assert until_ms > self._now_ms, "the engine asked to wait for the past"
                if self._folds:
                    until_ms = min(until_ms, self._now_ms + TICK_MS)
                self._now_ms = min([until_ms, *(c.at_ms for c in self._coming[:1])])
            case GiveUp(started=started):
                data = {"error": "the call outlived its limit", "given_up": True}
                ended = replace(started, phase=Phase.UNKNOWN, cause=started.seq, data=data)
                self._record(ended)
            case Mark(event=event):
                self._record(event)
            case Do(step=step):
                self._start(step)

    def _start(self, step: Step) -> None:
        data = {**step.data, "undo": {}} if step.verb in UNDO_OF else dict(step.data)
        start = Event(kind=step.verb, subject=step.subject, phase=Phase.STARTED, data=data)
        started = self._record(start)
        answer = self._world(step, self._now_ms)
        lands_ms = answer.lands_ms
        if lands_ms is None and answer.phase is Phase.OK and answer.took_ms is not None:
            lands_ms = 0
        if lands_ms is not None:
            self.expect(self._now_ms + lands_ms, started, is_news=False)
        if answer.took_ms is not None:
            ended = replace(started, phase=answer.phase, cause=started.seq, data=answer.data)
            self.expect(self._now_ms + answer.took_ms, ended)

    def _happen(self, coming: _Coming) -> None:
        if coming.is_news:
            self._record(coming.event)
        else:
            self._land(coming.event)

    def _land(self, event: Event) -> None:
        if event.kind in UNDO_OF:
            self._left.add((event.kind, event.subject))
        elif event.kind in OPENER_OF:
            self._left.discard((OPENER_OF[event.kind], event.subject))

    def _record(self, event: Event) -> Event:
        first = self._write(event)
        unseen = [first]
        while unseen:
            seen = unseen.pop(0)
            unseen += [self._write(e) for fold in self._folds for e in fold.see(seen)]
        return first

    def _write(self, event: Event) -> Event:
        event = replace(event, seq=len(self._journal), at_ms=self._now_ms)
        self._journal.append(event)
        self._state = observe(self._state, event)
        return event

    def _end(self, done: Done) -> Played:
        for coming in sorted(self._coming):  # what lands after the run has ended
            if not coming.is_news:
                self._land(coming.event)
        left = frozenset(subject for _, subject in self._left)
        return Played(timeline=Timeline(self._journal), done=done, left=left)


def simulate(
    schedule: Schedule,
    world: World,
    notes: Iterable[Event] = (),
    *,
    folds: Sequence[Fold] = (),
) -> Played:
    """Play *schedule* in *world*.

    *notes* are observations that arrive from outside at their `at_ms` (a stop, a gate, an alert);
    *folds* react to events as they do in a real run. Raises AssertionError if the run does not end.
    """
    simulation = _Simulation(schedule, world, folds)
    for event in notes:
        simulation.expect(event.at_ms, event)
    return simulation.play()
