"""run/alerts-quiet-before: no expected alert was firing already when the fault came.

An alert that fires anyway cannot tell that the fault made it fire.

Documented in docs/checks/run-alerts-quiet-before.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.model.verdict import Finding, Outcome

NAME = "run/alerts-quiet-before"


def check(case: Case) -> Iterator[Finding]:
    """One finding a run; SKIP when no alert is expected."""
    if not case.alerts:
        yield _found(Outcome.SKIP, "no alert is expected")
        return
    asked = [fault.asked_ms for fault in case.faults if fault.asked_ms is not None]
    if not asked:
        yield _found(Outcome.INCONCLUSIVE, "no fault was injected, so there is no before")
        return
    firing = [
        seen
        for expected in case.alerts
        for seen in case.sightings_of(expected)
        if seen.firing_at(min(asked))
    ]
    if firing:
        names = ", ".join(sorted({seen.alert for seen in firing}))
        evidence = tuple(dict.fromkeys(seq for seen in firing for seq in seen.evidence))
        summary = f"{names} was firing already before the fault"
        yield _found(Outcome.INCONCLUSIVE, summary, *evidence)
        return
    blind = case.sight.why
    if blind:
        yield _found(Outcome.INCONCLUSIVE, blind, *case.sight.evidence)
        return
    yield _found(Outcome.PASS, "no expected alert was firing before the fault")


def _found(outcome: Outcome, summary: str, *evidence: int) -> Finding:
    return Finding(
        check=NAME,
        subject="alerts",
        outcome=outcome,
        summary=summary,
        expectation="no expected alert fires before the fault",
        evidence=evidence,
        validity=True,
    )
