"""runbook/proven: what the steps of a runbook showed in the run, in one word.

Asked for each runbook of the scenario with `prove: true`. Proven is one whose diagnosis tells the
fault from a healthy service, and whose mitigation made the service well while the fault was in.

Documented in docs/checks/runbook-proven.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gameday.checks.case import Case
from gameday.kpi.proof import Proof, proof_of
from gameday.kpi.proof_steps import Done
from gameday.model.verdict import Finding

NAME = "runbook/proven"


def check(case: Case) -> Iterator[Finding]:
    """One finding a runbook that was to be proven."""
    for runbook in case.plan.runbooks:
        proof = proof_of(case.plan, runbook, case.timeline)
        yield Finding(
            check=NAME,
            subject=runbook.path,
            outcome=proof.outcome,
            summary=f"{proof.word.value.replace('_', ' ')}: {proof.why}",
            expectation=f"{runbook.path} diagnoses and mitigates `{runbook.fault}`",
            evidence=tuple(dict.fromkeys(proof.evidence)),
            facts=_facts(proof),
        )


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        "verdict": proof.word.value,
        "sha256": proof.runbook.sha256,
        "content_sha256": proof.runbook.content_sha256,
        "within_ms": proof.runbook.within_ms,
        "mitigation_begun_ms": proof.begun_ms,
        "verified_after_ms": proof.verified_ms,
        "steady_after_ms": proof.steady_ms,
        "resolved_after_ms": proof.resolved_ms,
        "escalated_after_ms": proof.escalated_ms,
        "escalate_within_ms": proof.runbook.escalate_after_ms,
        "worthless": list(proof.worthless),
        "notes": list(proof.notes),
        "steps": [_row(one) for one in proof.steps],
    }


def _row(one: Done) -> dict[str, Any]:
    return {
        "arm": one.arm.value,
        "name": one.step.name,
        "line": one.step.line,
        "passed": one.passed,
        "skipped": one.skipped,
        "why": one.why,
        "exit": one.exit,
        "ms": one.ms,
        "tries": one.tries,
        "answered": one.answered,
        "sha256": one.step.sha256,
        "output": one.output[-400:],
        "evidence": list(one.evidence),
    }
