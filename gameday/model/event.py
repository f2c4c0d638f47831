"""What happened, in order: the one record of a run.

A run is a list of events and nothing else. The engine decides the next action by reading them,
checks judge by reading them, reports print them. Nothing is kept anywhere that could disagree.

Every action appears as *two* events: one with phase STARTED, written before the outside world is
touched, and one that says how it ended and points back with `cause`. `Phase.UNKNOWN` is no polite
word for failure: the call timed out or crashed, so its effect may or may not be there, and all
later code has to assume the worse of the two.

`docs/journal.md` holds the table of kinds with the data of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: The version of the journal's lines. Journals of this version stay readable for good.
JOURNAL_VERSION = 1


class Phase(StrEnum):
    """Where in its life an action is."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOTED = "noted"  # an observation: it has no beginning and no end


#: Action kinds whose start is a debt, and the action that pays it.
UNDO_OF = {"fault.inject": "fault.revert", "target.open": "target.close"}
#: ... and back.
OPENER_OF = {closer: opener for opener, closer in UNDO_OF.items()}

#: The closed list of kinds: actions (STARTED, then OK, FAILED or UNKNOWN) ...
ACTION_KINDS = frozenset(
    {
        "target.open", "target.close",
        "pipeline.prove",
        "fault.prepare", "fault.inject", "fault.revert",
        "load.start", "load.rate", "load.stop",
        "check.baseline",
        "alert.read", "runbook.read", "runbook.step", "runbook.watch",
        "answer.ask",
    }
)  # fmt: skip
#: ... and observations (NOTED).
NOTE_KINDS = frozenset(
    {
        "run.opened", "run.parts", "run.phase", "run.closed", "run.error",
        "sentinel.started", "sentinel.lost", "sentinel.took_over",
        "load.window", "load.lost", "load.edge", "load.capped",
        "load.worker",
        "probe.sample", "proxy.health", "clock.offset",
        "alert.pending", "alert.firing", "alert.resolved", "alert.delivered",
        "alert.acknowledged",
        "alert.source.up", "alert.source.down", "receiver.note",
        "stop.tripped", "stop.blind",
        "pipeline.proven",
        "signal.sample", "budget.read", "preflight.passed",
        "gate.opened", "human.note", "human.ack", "human.decide",
        "human.handoff", "human.todo", "human.update", "day.opened",
        "runbook.asked", "runbook.opened", "runbook.mitigated", "human.step",
        "export.failed",
        "notice.asked", "notice.sent", "notice.failed",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal. `at_ms` is run time; see `run.opened` for its origin."""

    seq: int = -1  # given by the loop
    at_ms: int = -1  # given by the loop
    kind: str
    subject: str
    phase: Phase = Phase.NOTED
    cause: int | None = None  # seq of the STARTED event that this one ends
    data: Mapping[str, Any] = field(default_factory=dict)


class Timeline:
    """A read-only view of a run's events, with the questions that checks ask."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = tuple(events)
        by_kind: dict[str, list[Event]] = {}
        for event in self._events:
            by_kind.setdefault(event.kind, []).append(event)
        self._by_kind = {kind: tuple(found) for kind, found in by_kind.items()}

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def end_ms(self) -> int:
        """When the last event happened."""
        return self._events[-1].at_ms if self._events else 0

    def of(self, kind: str, subject: str | None = None) -> tuple[Event, ...]:
        """Events of one *kind*, in order, optionally about one *subject*."""
        found = self._by_kind.get(kind, ())
        return found if subject is None else tuple(e for e in found if e.subject == subject)

    def first(
        self,
        kind: str,
        subject: str | None = None,
        *,
        phase: Phase | None = None,
        after_ms: int | None = None,
    ) -> Event | None:
        """The earliest matching event, at or after *after_ms* if that is given."""
        for e in self.of(kind, subject):
            if phase in (None, e.phase) and (after_ms is None or e.at_ms >= after_ms):
                return e
        return None

    def last(
        self, kind: str, subject: str | None = None, *, phase: Phase | None = None
    ) -> Event | None:
        """The latest matching event."""
        for e in reversed(self.of(kind, subject)):
            if phase in (None, e.phase):
                return e
        return None

    def latest(self, kinds: Collection[str], subject: str, *, at_ms: int) -> Event | None:
        """The last event of any of *kinds* about *subject* up to *at_ms*: its state then."""
        for e in reversed(self._events):
            if e.at_ms <= at_ms and e.kind in kinds and e.subject == subject:
                return e
        return None
