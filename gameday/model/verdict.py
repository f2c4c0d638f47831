"""What the run showed: findings, the worst of them, and beside it how the machinery fared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any


class Outcome(StrEnum):
    """The four answers that a check may give.

    INCONCLUSIVE means that the evidence needed to answer is missing. It ranks above PASS and below
    FAIL: a run that could not see is not a run that went well, and it must not hide a run that went
    badly. SKIP means that the question does not apply.
    """

    SKIP = "skip"
    PASS = "pass"  # noqa: S105 - not a password
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a whole made of these parts; INCONCLUSIVE if none applied."""
    top = max(outcomes, key=_RANK.__getitem__, default=Outcome.SKIP)
    return Outcome.INCONCLUSIVE if top is Outcome.SKIP else top


class RunStatus(StrEnum):
    """How the machinery fared, whatever the service did."""

    COMPLETED = "completed"
    STOPPED = "stopped"  # by a stop condition
    INTERRUPTED = "interrupted"  # by the operator
    ERRORED = "errored"  # our own error
    INVALID = "invalid"  # the run could not have shown anything
    INCOMPLETE = "incomplete"  # the journal ends in the middle


class ExitCode(IntEnum):
    """The exit code of every command. No library's default may stand for one of these."""

    PASS = 0
    FAIL = 1
    USAGE = 2  # usage, bad scenario, refused
    INCONCLUSIVE = 3  # inconclusive or invalid
    STOPPED = 4  # by a stop condition
    DIRTY = 5  # a fault could not be shown to be gone
    INTERNAL = 70  # our own error
    INTERRUPTED = 130  # by the operator, and clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer about one subject.

    `check` is the check's name (`alert/fired`, also its page in the docs), `subject` what it was
    asked about, `expectation` the text of the expectation as people wrote it, `evidence` the
    journal lines (`seq`) that made it say so. `validity` marks the checks that say whether the run
    could have shown anything at all. `facts` are numbers for machines, with units in their names.
    """

    check: str
    subject: str
    outcome: Outcome
    summary: str
    expectation: str = ""
    evidence: tuple[int, ...] = ()
    validity: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The run's outcome; beside it, not mixed with it, the machine status and what is dirty."""

    outcome: Outcome
    status: RunStatus
    findings: tuple[Finding, ...]
    dirty: tuple[str, ...] = ()
    reason: str = ""  # one sentence: why this outcome

    @property
    def exit_code(self) -> ExitCode:
        """The code with which the command ends. A dirty run overrides every other."""
        if self.dirty:
            return ExitCode.DIRTY
        by_status = {
            RunStatus.ERRORED: ExitCode.INTERNAL,
            RunStatus.INTERRUPTED: ExitCode.INTERRUPTED,
            RunStatus.STOPPED: ExitCode.STOPPED,
            RunStatus.INVALID: ExitCode.INCONCLUSIVE,
            RunStatus.INCOMPLETE: ExitCode.INCONCLUSIVE,
        }
        if self.status in by_status:
            return by_status[self.status]
        by_outcome = {Outcome.PASS: ExitCode.PASS, Outcome.FAIL: ExitCode.FAIL}
        return by_outcome.get(self.outcome, ExitCode.INCONCLUSIVE)


#: For a set of runs: the first of these that occurred.
EXIT_PRECEDENCE = (
    ExitCode.DIRTY,
    ExitCode.INTERNAL,
    ExitCode.INTERRUPTED,
    ExitCode.STOPPED,
    ExitCode.FAIL,
    ExitCode.INCONCLUSIVE,
    ExitCode.USAGE,
    ExitCode.PASS,
)


def exit_of_set(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of a set of runs; an empty set proved nothing and is inconclusive."""
    seen = set(codes)
    return next((code for code in EXIT_PRECEDENCE if code in seen), ExitCode.INCONCLUSIVE)
