"""run/baseline: the service was healthy before anything was broken.

Against a baseline that does not hold, nothing can be shown about a fault; nothing is injected.

Documented in docs/checks/run-baseline.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.verdict import Finding, Outcome

NAME = "run/baseline"


def check(case: Case) -> Iterator[Finding]:
    """One finding a run."""
    ended = [e for e in case.timeline.of("check.baseline") if e.phase is not Phase.STARTED]
    if not ended:
        yield _found(Outcome.INCONCLUSIVE, "the baseline was never checked")
        return
    last = ended[-1]
    if last.phase is Phase.OK:
        yield _found(Outcome.PASS, "the baseline held before the fault", last.seq)
        return
    why = last.data.get("reason") or last.data.get("error") or "it could not be checked"
    yield _found(Outcome.INCONCLUSIVE, f"the baseline did not hold: {why}", last.seq)


def _found(outcome: Outcome, summary: str, *evidence: int) -> Finding:
    return Finding(
        check=NAME,
        subject="baseline",
        outcome=outcome,
        summary=summary,
        expectation="the service is healthy before the fault",
        evidence=evidence,
        validity=True,
    )
