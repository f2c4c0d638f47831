"""What a quarter is counted from: runs as the index keeps them, findings, and what was imported.

Everything here is small and plain. A run of the index is what the report of a quarter needs of its
`result.json`, no more. Times are RFC 3339 in UTC; `…_ms` counts from the fault confirmed on.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gameday.model.verdict import Outcome

#: The version of what the index keeps of a run; another version is read anew.
INDEX_VERSION = 3


class RunKind(StrEnum):
    """What a run was for. Numbers of different kinds are never added up."""

    GAMEDAY = "gameday"
    SMOKE = "smoke"
    DRILL = "drill"
    TABLETOP = "tabletop"
    CONTROL = "control"


class Restored(StrEnum):
    """How users were well again after a fault that they felt."""

    SELF = "self_healed"
    RUNBOOK = "runbook"
    RESPONDER = "responder"
    RUNNER = "cleared_by_runner"
    NEVER = "not_restored"
    ABSORBED = "absorbed"
    UNKNOWN = "not_measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSeen:
    """One expected alert of one run. `watched_ms` is how long was looked where it did not fire."""

    alert: str
    severity: str
    fault: str
    verdict: str
    missed: str
    within_ms: int
    firing_ms: int | None
    watched_ms: int | None
    delivered_ms: int | None
    acked_ms: int | None
    ack_watched_ms: int | None
    firings: int
    runbook: str
    runbook_level: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSeen:
    """One fault of one run, and what its ladders say.

    `mitigated_ms` is when users were well again with the fault in, or, where `restored` says that
    they were not, how long they had not been. `after_ms` is from the fault off to steady again.
    """

    id: str
    target: str
    kind: str
    felt: bool | None
    restored: Restored
    mitigated_ms: int | None
    after_ms: int | None
    after_ended: bool

    @property
    def mode(self) -> str:
        """`payments.latency`."""
        return f"{self.target}.{self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSeen:
    """What one run showed of one runbook; `word` is that of the proof, empty if none was tried."""

    path: str
    word: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSeen:
    """What the requests of one run did to one objective of its service.

    `outage_ms` is the time of full outage that does as much harm, as exact as the run's report.
    """

    slo: str
    objective: float
    n: int
    bad: int
    outage_ms: float

    @property
    def name(self) -> str:
        """An objective that was changed is another one: `availability 99.9 %`."""
        return f"{self.slo} {self.objective * 100:.10g} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """One run. `valid`: it ended by itself or by a stop condition, clean, and could have shown it.

    `criteria` are the outcomes of the criteria of the fault phase; `others` counts the alerts that
    nobody expected, by word. `undone` has tries that were measured and those that were not.
    """

    run: str
    started: str
    ended: str
    environment: str
    environment_kind: str
    service: str
    tier: int | None
    owner: str
    scenario: str
    title: str
    profile: str
    kind: RunKind
    mode: str
    outcome: str
    status: str
    clean: bool
    valid: bool
    reason: str
    duration_ms: int
    alerts: tuple[AlertSeen, ...]
    faults: tuple[FaultSeen, ...]
    runbooks: tuple[RunbookSeen, ...]
    criteria: tuple[str, ...]
    others: Mapping[str, int]
    undone: int
    undos: int
    stopped_by: str
    safe_ms: int | None
    safe_ended: bool
    budgets: tuple[BudgetSeen, ...] = ()

    @property
    def pair(self) -> tuple[str, str]:
        """What a run covers."""
        return self.service, self.mode

    @property
    def stratum(self) -> Stratum:
        """With which other runs its numbers may be added up."""
        return Stratum(environment=self.environment, kind=self.kind)

    @property
    def drill(self) -> str:
        """The scenario and its profile: what a run is compared with in another quarter."""
        return f"{self.scenario} ({self.profile})" if self.profile else self.scenario


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stratum:
    """One environment and one kind of run: numbers are never added up over two of these."""

    environment: str
    kind: RunKind

    @property
    def name(self) -> str:
        """For people: `staging gameday`."""
        return f"{self.environment} {self.kind.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a finding: what happened, and where it stood after it. None: as before."""

    at: str
    what: str
    state: str
    severity: str | None = None
    owner: str | None = None
    due: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSeen:
    """One finding of the register, with all that happened to it, oldest first."""

    id: str
    title: str
    service: str
    mode: str
    kind: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident as imported. A failure mode that nobody named is empty.

    `postmortem` is when that was published; it is `owed` unless the import says that none is
    needed, or does not tell of postmortems at all.
    """

    id: str
    started: datetime.datetime
    service: str
    severity: str
    resolved: datetime.datetime | None = None
    mode: str = ""
    postmortem: datetime.datetime | None = None
    owed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment as imported; `outcome` is ok, failed or rolled_back."""

    id: str
    at: datetime.datetime
    service: str
    outcome: str
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreDrill:
    """One restore or fail-over drill. Not held: `held` is None, and it did not pass.

    `drill` is its name in the plan of a day, `DAY/ITEM`. One that a day held has the `outcome` that
    the day gave it after so many `tries`; one that was imported has none.
    """

    id: str
    scheduled: datetime.datetime
    service: str
    held: datetime.datetime | None = None
    rto_s: float | None = None
    rto_target_s: float | None = None
    rpo_s: float | None = None
    rpo_target_s: float | None = None
    integrity: str = ""
    environment: str = ""
    drill: str = ""
    outcome: str = ""
    tries: int = 0

    @property
    def passed(self) -> bool:
        """Held, within both targets, and the data was whole; what is not known has not passed.

        A day judges more: what the drill made was taken away too, and only the targets that its
        plan has are asked.
        """
        if self.outcome:
            return self.held is not None and self.outcome == Outcome.PASS.value
        if self.held is None or self.integrity != "pass":
            return False
        return _within(self.rto_s, self.rto_target_s) and _within(self.rpo_s, self.rpo_target_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayHeld:
    """A day that was held and is over. `due`: the moment before which its debrief is published."""

    id: str
    title: str
    environment: str
    ended: datetime.datetime
    due: datetime.datetime
    published: datetime.datetime | None = None

    @property
    def on_time(self) -> bool:
        """Whether the debrief was published before it was due."""
        return self.published is not None and self.published < self.due


@dataclass(frozen=True, slots=True, kw_only=True)
class InScope:
    """A pair that has to be covered, as imported."""

    service: str
    mode: str
    tier: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that a report of a quarter is made from. None: it was not given, which is not zero."""

    runs: tuple[RunSeen, ...]
    findings: tuple[FindingSeen, ...] | None = None
    incidents: tuple[Incident, ...] | None = None
    deployments: tuple[Deployment, ...] | None = None
    drills: tuple[RestoreDrill, ...] | None = None
    scope: tuple[InScope, ...] | None = None
    days: tuple[DayHeld, ...] = ()
    unread: tuple[str, ...] = ()  # runs whose result could not be read, and why


def run_from_plain(raw: Mapping[str, Any]) -> RunSeen:
    """A run of its JSON. Raises KeyError, TypeError or ValueError if it is none."""
    return RunSeen(
        **{
            **raw,
            "kind": RunKind(raw["kind"]),
            "alerts": tuple(AlertSeen(**one) for one in raw["alerts"]),
            "faults": tuple(
                FaultSeen(**{**one, "restored": Restored(one["restored"])}) for one in raw["faults"]
            ),
            "runbooks": tuple(RunbookSeen(**one) for one in raw["runbooks"]),
            "criteria": tuple(raw["criteria"]),
            "budgets": tuple(BudgetSeen(**one) for one in raw["budgets"]),
        }
    )


def _within(value: float | None, target: float | None) -> bool:
    return value is not None and target is not None and value <= target
