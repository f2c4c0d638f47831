"""A runbook that is to be proven in a run: its steps as they were planned, and what came of it.

The text of every step is in the plan, so what is run is what was looked at, hashed and approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: How long a step may take that does not say; one for people.
STEP_MS, MANUAL_MS = 30_000, 300_000
#: How long following a runbook may take where the scenario does not say.
WITHIN_MS = 120_000
#: When a runbook is begun that no expected alert leads to: so long after the fault was confirmed.
BEGIN_MS = 5_000


class Arm(StrEnum):
    """When a step is done: `baseline` and `after` ask the diagnosis of a healthy service."""

    BASELINE = "baseline"
    FAULT = "fault"
    MITIGATE = "mitigate"
    VERIFY = "verify"
    ESCALATE = "escalate"
    UNDO = "undo"  # the rollback of what did not help, with the fault still in
    ROLLBACK = "rollback"
    AFTER = "after"


class ProofWord(StrEnum):
    """What a run showed of a runbook."""

    PROVEN = "proven"
    MANUAL = "manual"  # it worked, and people did a part of it: timed
    DIAGNOSES_ONLY = "diagnoses_only"
    INEFFECTIVE = "mitigation_ineffective"
    TOO_SLOW = "too_slow"
    NON_DISCRIMINATING = "non_discriminating"
    NOT_ROLLED_BACK = "not_rolled_back"
    UNSAFE = "unsafe"
    NOT_EXECUTABLE = "not_executable"
    NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStep:
    """One block with attributes. `shell` is `bash` or `sh`; of a step for people it is empty.

    `expect_json` is a JMESPath expression, or one compared with a JSON value (`errors > 5`).
    With `retry_ms` it is tried again until it answers as wanted, or `timeout_ms` is over.
    """

    name: str
    phase: str
    line: int
    text: str
    shell: str = ""
    timeout_ms: int = STEP_MS
    retry_ms: int = 0
    expect_exit: int = 0
    expect_stdout: str | None = None
    expect_json: str | None = None
    mutates: bool = False
    manual: bool = False
    approve: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookProof:
    """A runbook that is to be proven against a `fault`.

    `unsafe` and `problem` say why nothing of it is run, by the runbook's own fault; `blocked` why
    the environment does not allow it. `alerts` are expected alerts that lead to it, `sha256` that
    of the file's bytes, `content_sha256` without what a validation writes into it.
    """

    path: str
    fault: str
    sha256: str = ""
    content_sha256: str = ""
    steps: tuple[RunbookStep, ...] = ()
    alerts: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    within_ms: int = WITHIN_MS
    begin_ms: int = BEGIN_MS
    escalate_after_ms: int | None = None
    unsafe: str = ""
    problem: str = ""
    blocked: str = ""

    @property
    def runs(self) -> bool:
        """Whether any of its steps is to be done."""
        return not (self.unsafe or self.problem or self.blocked)

    def of(self, *phases: str) -> tuple[RunbookStep, ...]:
        """The steps of these phases, in the order of the page."""
        return tuple(step for step in self.steps if step.phase in phases)
