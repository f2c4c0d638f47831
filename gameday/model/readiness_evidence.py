"""What readiness is judged by: a service, its runs, runbooks, findings, budget and waivers.

All of it is data that was read before: nothing here looks anything up. Times are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from gameday.model.alerting import AlertWord
from gameday.model.project import Slo
from gameday.model.proof import ProofWord
from gameday.model.readiness import ReadyItem
from gameday.model.verdict import Outcome, RunStatus

#: The profile whose runs are kept apart: short, and of few requests.
SMOKE = "smoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureMode:
    """One way to fail, and how it is tested: which scenario, which alert, how fast.

    `no_alert` says why none is expected, `not_applicable` why the service cannot fail that way.
    """

    name: str
    scenario: str = ""
    alert: str = ""
    within_ms: int | None = None
    no_alert: str = ""
    not_applicable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something that people did and wrote down: a drill, a tabletop, a runbook that was followed.

    `role` is who observed it, `evidence` where more is written. `subject` is the runbook, for
    records of the item `runbook_proof`. `at` is the moment, where it is known better than the day.
    `environment` and its `kind` are empty where nothing says them. `doubt` says why nobody knows
    whether it passed; then it takes from what passed before.
    """

    item: ReadyItem
    on: date
    passed: bool
    role: str
    evidence: str
    subject: str = ""
    took_ms: int | None = None
    within_ms: int | None = None
    where: str = ""
    at: datetime | None = None
    environment: str = ""
    kind: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyService:
    """The service as its file tells it. `alerts` are those that page, each with its runbook."""

    name: str
    owner: str
    tier: int
    slos: tuple[Slo, ...] = ()
    dependencies: tuple[str, ...] = ()
    modes: Mapping[str, FailureMode] = field(default_factory=dict)
    alerts: Mapping[str, str] = field(default_factory=dict)  # alert -> runbook, or empty
    peak_per_s: float | None = None
    capacity: str = ""  # the scenario that searches the breakpoint
    rollback: str = ""  # the scenario of a release that is rolled back
    not_applicable: Mapping[ReadyItem, str] = field(default_factory=dict)
    drills: Mapping[ReadyItem, str] = field(default_factory=dict)  # as `DAY/ITEM`
    records: tuple[Record, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSeen:
    """What a run said of one expected alert. `after_ms` is to delivery where one was asked for."""

    alert: str
    word: AlertWord
    after_ms: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSeen:
    """All requests of a run's baseline. Percentiles are None where they were withheld."""

    n: int
    good: int
    complete: bool
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySeen:
    """What a search for the breakpoint found; None for what it did not."""

    highest_per_s: float | None
    broke_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSeen:
    """What a run showed of one runbook, by the text that it had then."""

    path: str
    word: ProofWord
    content_sha256: str
    escalated_ms: int | None = None
    escalate_within_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """One run, as its result says. `sound`: nothing speaks against what it saw.

    `undone_ms` is the longest that a fault took to be taken out, None if that is not known.
    """

    id: str
    where: str
    scenario: str
    environment: str
    kind: str
    profile: str
    version: str
    ended: datetime
    outcome: Outcome
    status: RunStatus
    clean: bool
    control: bool
    sound: bool
    reason: str = ""
    baseline: BaselineSeen | None = None
    alerts: tuple[AlertSeen, ...] = ()
    capacity: CapacitySeen | None = None
    proofs: tuple[ProofSeen, ...] = ()
    undone_ms: int | None = None
    targets: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether it can show that something holds."""
        return self.status is RunStatus.COMPLETED and self.clean and self.sound


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookNow:
    """A runbook as it is now; `problem` says why it is no use, and is empty if it is."""

    path: str
    problem: str = ""
    content_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingNow:
    """A finding of the register. `accepted_until` is the last day of an accepted risk.

    `regressed`: it came back after it had been verified. `expired`: its risk was accepted, and that
    is over.
    """

    id: str
    title: str
    severity: str
    state: str
    accepted_until: date | None = None
    approver: str = ""
    owner: str = ""
    regressed: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetNow:
    """The share of the error budget that is left, and when that was so."""

    left: float
    where: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Leave to launch without an item, or one part of it. It holds on `expires`, and not after."""

    item: ReadyItem
    reason: str
    owner: str
    approver: str
    expires: date
    subject: str = ""
    version: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyEvidence:
    """Everything that is known. `findings` and `budget` are None where they could not be read.

    `scenario_files` leads from the id of a scenario to its file, for the commands that are named.
    """

    version: str
    now: datetime
    runs: tuple[RunSeen, ...] = ()
    runbooks: Mapping[str, RunbookNow] = field(default_factory=dict)
    findings: tuple[FindingNow, ...] | None = None
    findings_why: str = ""
    budget: BudgetNow | None = None
    budget_why: str = ""
    waivers: tuple[Waiver, ...] = ()
    scenario_files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
