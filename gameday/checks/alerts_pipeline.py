"""alerts/pipeline: an alert that fires was shown to get through, where that was asked for.

Without it a missed alert may as well be a broken pipeline. Nothing is said where no proof is asked.

Documented in docs/checks/alerts-pipeline.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.pipeline import proof_of
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "alerts/pipeline"


def check(case: Case) -> Iterator[Finding]:
    """One finding where the environment asks for a proof."""
    how = case.plan.environment.alerting.proof
    if how == "off":
        return
    event = proof_of(case.timeline)
    if event is None:
        yield _found(how, Outcome.INCONCLUSIVE, "pipeline not proven: the proof was not finished")
    elif event.data.get("ok") is True:
        took = format_ms(int(event.data.get("ms", 0)))
        summary = f"pipeline proven in {took}: {event.data.get('shown', how)}"
        yield _found(how, Outcome.PASS, summary, event.seq)
    else:
        why = event.data.get("reason") or "no reason was recorded"
        yield _found(how, Outcome.INCONCLUSIVE, f"pipeline not proven: {why}", event.seq)


def _found(how: str, outcome: Outcome, summary: str, *evidence: int) -> Finding:
    return Finding(
        check=NAME,
        subject="pipeline",
        outcome=outcome,
        summary=summary,
        expectation=f"alerts get through ({how})",
        evidence=evidence,
        validity=True,
    )
