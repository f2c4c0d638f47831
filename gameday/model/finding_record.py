"""A finding of the register: something that a run showed to be wrong, and what became of it.

Not to be confused with `gameday.model.verdict.Finding`, the answer of one check about one run. A
record lives on over many runs. It is its entries: each change is one more of them, none is ever
changed or removed, and what the record says now is what its last entries say.

Times are RFC 3339 in UTC, due dates and expiries ISO dates. Roles and teams, never people.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
#: A role or a team: no spaces, no `@`, so that names of people and mail addresses do not fit.
ROLE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
ID = re.compile(r"F-[0-9a-f]{12}")
#: The role of what gameday does by itself.
OURSELVES = "gameday"


class FindingState(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    FIX_CLAIMED = "fix_claimed"
    VERIFIED = "verified"
    RISK_ACCEPTED = "risk_accepted"
    SUPERSEDED = "superseded"
    WONT_FIX = "wont_fix"


#: Somebody has something to do: due dates count.
ACTIVE = (
    FindingState.OPEN,
    FindingState.ASSIGNED,
    FindingState.IN_PROGRESS,
    FindingState.FIX_CLAIMED,
)


class FindingClass(StrEnum):
    """What kind of weakness it is."""

    DETECTION_GAP = "detection_gap"
    DETECTION_LATE = "detection_late"
    ALERT_NOISE = "alert_noise"
    ALERT_ROUTING = "alert_routing"
    RUNBOOK_MISSING = "runbook_missing"
    RUNBOOK_WRONG = "runbook_wrong"
    RUNBOOK_SLOW = "runbook_slow"
    RESILIENCE_DEFECT = "resilience_defect"
    RECOVERY_DEFECT = "recovery_defect"
    CAPACITY = "capacity"
    SAFETY = "safety"
    PROCESS_COMMS = "process_comms"
    KNOWLEDGE = "knowledge"
    TOOLING = "tooling"


class FindingSeverity(StrEnum):
    """How bad it is, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class EntryKind(StrEnum):
    """What happened to a finding."""

    RAISED = "raised"
    SEEN_AGAIN = "seen_again"  # failed in one more run; the state stays
    REGRESSED = "regressed"  # failed in a run after the one that verified it
    REFUTED = "refuted"  # failed in a run after the fix was claimed
    ASSIGNED = "assigned"
    STARTED = "started"
    CLAIMED = "claimed"
    PROVEN_IN_PART = "proven_in_part"  # a run passed, others are still needed
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    EXPIRED = "expired"  # the acceptance of the risk is over
    SUPERSEDED = "superseded"
    WONT_FIX = "wont_fix"


#: What tells that it failed, each in a run of its own (or, when raised by hand, in none).
FAILURES = (EntryKind.RAISED, EntryKind.SEEN_AGAIN, EntryKind.REGRESSED, EntryKind.REFUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStrength:
    """One fault as it was put in: every option of its kind, defaults filled in, units of the table.

    `strengths` has one mapping for each stage that was reached, at least one.
    """

    target: str
    kind: str
    strengths: tuple[Mapping[str, Scalar], ...]
    length_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run asked about one expectation, and how hard it tried.

    `limit` is the number in the expectation (milliseconds, a share, or arrivals a second), and
    `least` says whether a smaller one asks for more. `load_peak` is the highest arrival rate a
    second, or for `users` their number. Of a finding raised by hand only `scenario`, `check` and
    `expectation` are known, and there is no `run`.
    """

    run: str = ""
    started: str = ""
    scenario: str = ""
    check: str = ""
    expectation: str = ""
    limit: float | None = None
    least: bool = True
    summary: str = ""
    environment: str = ""
    environment_kind: str = "local"
    profile: str = ""
    control: bool = False
    faults: tuple[FaultStrength, ...] = ()
    fault_ms: int = 0
    load_model: str = ""  # open or closed
    load_peak: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change. `state` is that after it; what it says nothing of stays as it was.

    `until` is the last day of an accepted risk, `by` the finding that stands for this one now.
    """

    at: str
    what: EntryKind
    state: FindingState
    role: str
    why: str = ""
    run: str = ""
    severity: FindingSeverity | None = None
    owner_team: str | None = None
    due: str | None = None
    until: str | None = None
    by: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord:
    """One finding. `expectation` is the question without its number, so that profiles share it."""

    id: str
    title: str
    service: str
    failure_mode: str
    expectation: str
    kind: FindingClass
    entries: tuple[Entry, ...] = field(default_factory=tuple)

    @property
    def fingerprint(self) -> str:
        """What makes two failures the same finding."""
        return fingerprint_of(self.service, self.failure_mode, self.expectation, self.kind)

    @property
    def state(self) -> FindingState:
        """Where it stands by its entries; `as_of` says whether an acceptance is over by now."""
        return self.entries[-1].state

    @property
    def severity(self) -> FindingSeverity:
        """As it was last said."""
        return next(e.severity for e in reversed(self.entries) if e.severity is not None)

    @property
    def owner_team(self) -> str:
        """As it was last said; empty if nobody has it."""
        return next((e.owner_team for e in reversed(self.entries) if e.owner_team), "")

    @property
    def due(self) -> str:
        """The day by which it should be verified; it begins anew when it is opened again."""
        return next(e.due for e in reversed(self.entries) if e.due is not None)

    @property
    def raised_at(self) -> str:
        """When it was first raised."""
        return self.entries[0].at

    @property
    def opened_at(self) -> str:
        """When it was raised, or last opened again: its age counts from there."""
        opened = (e for e in reversed(self.entries) if e.state is FindingState.OPEN)
        return next((e.at for e in opened if e.what in _OPENINGS), self.raised_at)

    @property
    def claimed_at(self) -> str:
        """When a fix was last claimed; empty if never."""
        return self._last_at(EntryKind.CLAIMED)

    @property
    def verified_at(self) -> str:
        """When it was last verified; empty if never."""
        return self._last_at(EntryKind.VERIFIED)

    @property
    def accepted_until(self) -> str:
        """The last day of the accepted risk; empty unless it is accepted."""
        last = self.entries[-1] if self.entries else None
        if last is None or last.state is not FindingState.RISK_ACCEPTED:
            return ""
        return next(e.until or "" for e in reversed(self.entries) if e.what is EntryKind.ACCEPTED)

    @property
    def recurrences(self) -> int:
        """In how many runs it failed after the one that raised it."""
        return sum(entry.what in FAILURES[1:] for entry in self.entries)

    @property
    def regressions(self) -> int:
        """How often it failed after it had been verified."""
        return sum(entry.what is EntryKind.REGRESSED for entry in self.entries)

    @property
    def under_accepted_risk(self) -> int:
        """How often it failed while its risk was accepted."""
        return sum(
            e.what is EntryKind.SEEN_AGAIN and e.state is FindingState.RISK_ACCEPTED
            for e in self.entries
        )

    @property
    def runs(self) -> frozenset[str]:
        """The runs in which it failed."""
        return frozenset(e.run for e in self.entries if e.what in FAILURES and e.run)

    @property
    def failures(self) -> tuple[Evidence, ...]:
        """What it failed: all of it has to be shown to hold before it is verified."""
        found = (e.evidence for e in self.entries if e.what in FAILURES)
        return tuple(evidence for evidence in found if evidence is not None)

    @property
    def verified_by(self) -> str:
        """The run that verified it last; empty if none."""
        return next((e.run for e in reversed(self.entries) if e.what is EntryKind.VERIFIED), "")

    def _last_at(self, what: EntryKind) -> str:
        return next((e.at for e in reversed(self.entries) if e.what is what), "")


_OPENINGS = (EntryKind.RAISED, EntryKind.REGRESSED, EntryKind.REFUTED, EntryKind.EXPIRED)


#: By severity. Those of `high` and `medium` are the usual ones of P1 and P2.
DUE_DAYS: Mapping[FindingSeverity, int] = {
    FindingSeverity.CRITICAL: 7,
    FindingSeverity.HIGH: 30,
    FindingSeverity.MEDIUM: 90,
    FindingSeverity.LOW: 180,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsPolicy:
    """How long may be taken, and who may accept a risk for how long. Days of the calendar.

    `store` is a folder, `sqlite:FILE`, or `postgresql://…`; a path is relative to the project.
    """

    store: str = "findings"
    due_days: Mapping[FindingSeverity, int] = field(default_factory=lambda: dict(DUE_DAYS))
    approvers: tuple[str, ...] = ("approver", "business-owner")
    longest_days: int = 180


def fingerprint_of(service: str, failure_mode: str, expectation: str, kind: FindingClass) -> str:
    """`shop/payments.latency/alert/fired PaymentsSlow fires within …/detection_late`."""
    return "/".join((service, failure_mode, expectation, kind.value))


def id_of(fingerprint: str) -> str:
    """The id that a fingerprint gives, the same on every branch and machine."""
    return f"F-{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"


def continues(old: FindingRecord, new: FindingRecord) -> bool:
    """Whether *new* is *old* with nothing but more entries: the only change that may be stored."""
    return (old.id, old.fingerprint, old.title) == (
        new.id,
        new.fingerprint,
        new.title,
    ) and new.entries[: len(old.entries)] == old.entries


def refuse_loss(old: FindingRecord | None, new: FindingRecord, ids: Collection[str]) -> None:
    """Raises ValueError where a store would lose what was said before: that is a bug of ours.

    *ids* are those that the change was for; nothing else may be stored by it.
    """
    if new.id not in ids or (old is not None and not continues(old, new)):
        raise ValueError(f"`{new.id}` would lose what the register says of it")


def in_findings_order(records: Iterable[FindingRecord]) -> tuple[FindingRecord, ...]:
    """The most urgent first: by severity, then by due date, then by id."""
    order = list(FindingSeverity)
    return tuple(sorted(records, key=lambda r: (order.index(r.severity), r.due, r.id)))
