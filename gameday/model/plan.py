"""A plan is a scenario with every choice already made: what to do, when, and on what.

A step is due at a time *or on a condition*: `when` lists alternatives, and each is a set of events
that must all have been seen, plus a delay. Hold-until-mitigated is "20 s after the fault came, or
at once when the gate opens"; a limit is one more alternative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.model.event import Phase
from gameday.model.notices import NoticeSpec
from gameday.model.project import BuiltinAlert, Environment, Service
from gameday.model.proof import RunbookProof
from gameday.model.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event to wait for: its kind, subject and phase; of one `step` only, if that is given."""

    kind: str
    subject: str
    phase: Phase = Phase.OK
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Due `delay_ms` after the last of `all_of` was first seen; an empty set is the run's start."""

    all_of: tuple[Trigger, ...] = ()
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action. Steps of one `lane` (a target, the load, a source) never overlap.

    `align_ms` rounds the due time up to a multiple of itself: fault and phase edges fall on whole
    seconds of the load. A `required` step that does not end OK stops the run (status invalid). A
    `mark` touches nothing: it is only noted (`run.phase`). A step is skipped once an event of
    `unless` was seen. `always` steps are started even after a stop (load.stop, alert.read), once,
    when no debt is left to pay.
    """

    id: str
    verb: str
    subject: str
    lane: str
    when: tuple[When, ...] = (When(),)
    unless: tuple[Trigger, ...] = ()
    align_ms: int = 1
    limit_ms: int = 30_000
    required: bool = False
    mark: bool = False
    always: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds whatever happens.

    `deadline_ms` ends the method as if a stop condition had tripped; `call_ms` is the longest that
    one inject or revert may take; a revert that does not succeed is tried again after `backoff_ms`,
    doubled up to `backoff_max_ms`, for `revert_for_ms` from its first try.
    """

    deadline_ms: int
    call_ms: int = 10_000
    revert_for_ms: int = 60_000
    backoff_ms: int = 250
    backoff_max_ms: int = 4_000

    def __post_init__(self) -> None:
        if min(self.deadline_ms, self.call_ms, self.revert_for_ms, self.backoff_ms) < 1:
            raise ValueError("every limit must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the engine plays: steps and limits, nothing else."""

    steps: tuple[Step, ...]
    limits: Limits

    def __post_init__(self) -> None:
        ids = [step.id for step in self.steps]
        if len(set(ids)) != len(ids):
            raise ValueError("step ids must be unique")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a run needs and everything `judge` needs, in one serialisable value.

    `run_runbooks`: steps of `runbooks` that change something may be run. `notices`: who is told of
    the run.
    """

    scenario: Scenario
    environment: Environment
    builtin_alerts: tuple[BuiltinAlert, ...]  # empty when real alert sources are configured
    service: Service
    runbook_folders: tuple[str, ...]
    runbook_hosts: tuple[str, ...]
    directory: str  # of the project file
    seed: int
    schedule: Schedule
    runbooks: tuple[RunbookProof, ...] = ()
    run_runbooks: bool = False
    notices: tuple[NoticeSpec, ...] = ()
