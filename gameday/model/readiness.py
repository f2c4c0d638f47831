"""Whether a service is ready: the answer, and the matrix of evidence that it rests on.

The words stand in the JSON of `gameday readiness`, whose schema is made from these types; like its
fields they are never renamed or given another meaning. There is no score: the answer is made of
words, and each word has its reason.
"""

# ruff: noqa: RUF009 - `_doc` makes a dataclass field; it is no shared default
from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: The version of the document. Within a version fields may be added.
READINESS_SCHEMA = 1


class ReadyWord(StrEnum):
    """The answer. Nothing that was not measured is ever part of a GO."""

    GO = "GO"
    CONDITIONS = "GO WITH CONDITIONS"
    NO_GO = "NO-GO"
    NOT_ENOUGH = "NOT ENOUGH EVIDENCE"


class ReadyItem(StrEnum):
    """What is asked of a service, in the order of the matrix."""

    SLO = "slo"
    ALERTS = "alerts"
    RUNBOOK_COVERAGE = "runbook_coverage"
    RUNBOOK_PROOF = "runbook_proof"
    SCENARIOS = "scenarios"
    CAPACITY = "capacity"
    ROLLBACK = "rollback"
    RESTORE = "restore"
    ESCALATION = "escalation"
    FINDINGS = "findings"
    BUDGET = "budget"
    TABLETOP = "tabletop"


class ReadyState(StrEnum):
    """What the evidence says of one item, or of one part of it."""

    MET = "met"
    NOT_MET = "not_met"
    NOT_MEASURED = "not_measured"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"

    @property
    def text(self) -> str:
        """For people."""
        return self.value.replace("_", " ")


def _doc(text: str) -> Any:
    return field(metadata={"doc": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """One piece of evidence, dated."""

    what: str = _doc("what it is: a run, a record, a runbook, a finding, the budget")
    where: str = _doc("where it lies: a run directory, a file, a server; empty if nowhere")
    at: str = _doc("when it was made, RFC 3339, UTC; empty if it was looked at now")
    age_days: int | None = _doc("whole days since; null if it was looked at now")
    environment: str = _doc("in which it was made; empty if in none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRow:
    """One part of an item, such as one failure mode, one runbook or one finding."""

    subject: str = _doc("what it is about")
    state: ReadyState = _doc("what the evidence says of it")
    reason: str = _doc("one sentence: why")
    evidence: tuple[Cited, ...] = _doc("what it rests on; empty if there is nothing")
    valid_until: str = _doc("when its evidence is too old, or its waiver over; empty if never")
    change: str = _doc("what would change it; empty if it is met or not applicable")
    command: str = _doc("the command that would, in a shell; empty if no command does")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPart:
    """One item of the matrix."""

    item: ReadyItem = _doc("which")
    title: str = _doc("the same for people")
    asked: str = _doc("what the policy asks of this tier; empty if nothing")
    state: ReadyState = _doc("the worst of its rows, or what its share says")
    reason: str = _doc("one sentence: why")
    rows: tuple[ReadyRow, ...] = _doc("its parts; empty if it is not applicable as a whole")
    valid_until: str = _doc("when the first evidence that it needs is too old; empty if never")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCondition:
    """What the answer leaves open, by whose leave, and until when."""

    item: ReadyItem = _doc("of the matrix")
    subject: str = _doc("of the row; empty if it is the whole item")
    reason: str = _doc("why it may be left open")
    owner: str = _doc("the role or team that closes it")
    approver: str = _doc("the role that allowed it")
    until: str = _doc("the last day on which that holds, ISO date")
    where: str = _doc("where it is written: file and line, or the id of a finding")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidWaiver:
    """A waiver that does not count."""

    item: ReadyItem = _doc("for which it was meant")
    subject: str = _doc("for which row; empty if for the whole item")
    why: str = _doc("why it does not count")
    where: str = _doc("file and line")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyChange:
    """One thing that would have to change for a better answer."""

    about: tuple[str, ...] = _doc("the rows that it is for, each as `item/subject`")
    state: ReadyState = _doc("the worst that one of them is now: not met, or not measured")
    what: str = _doc("what to do")
    command: str = _doc("the command that does it; empty if no command does")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether one version of a service is ready, and why."""

    schema: int = _doc("version of this document, 1")
    gameday: str = _doc("version of gameday that made it")
    service: str = _doc("name of the service")
    version: str = _doc("the version that was asked about")
    tier: int = _doc("of the service; 0 is the most important")
    owner: str = _doc("the team that answers for it")
    answer: ReadyWord = _doc("read this first")
    reason: str = _doc("one sentence: why")
    made: str = _doc("as of when, RFC 3339, UTC")
    valid_until: str = _doc("until when a GO holds if nothing happens; empty if it is none")
    conditions: tuple[ReadyCondition, ...] = _doc("what is left open, with dates and roles")
    items: tuple[ReadyPart, ...] = _doc("the matrix, one entry an item")
    changes: tuple[ReadyChange, ...] = _doc("what would change the answer, worst first")
    void_waivers: tuple[VoidWaiver, ...] = _doc("waivers that do not count, and why")
    runs_looked_at: int = _doc("runs of the service that were found")
    runs_counted: int = _doc("of these, runs that some row rests on")
    notes: tuple[str, ...] = _doc("what else is to be known: evidence that was left out, and why")
