"""fault/bit: the fault was seen to do what it says, on a path that the service really uses.

Two questions. Our own probe through the proxy must differ from the baseline in the way in which
this fault must differ (for kinds that a small probe cannot show, the read-back stands in). And the
service's own traffic must go through that proxy: by the counters of the server, less our own
probes, or, where no counter can be read, because the client's numbers changed. Neither asks whether
the service suffered: one that absorbs the fault passes.

Documented in docs/checks/fault-bit.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.bite import bite_of
from gameday.checks.case import Case
from gameday.checks.traffic import traffic_of
from gameday.kpi.spans import FaultSpan
from gameday.model.verdict import Finding, Outcome

NAME = "fault/bit"


def check(case: Case) -> Iterator[Finding]:
    """One finding a fault of the plan."""
    for span, spec in zip(case.faults, case.plan.scenario.faults, strict=True):
        if span.on_ms is None:
            summary = f"fault `{span.id}` was never confirmed on"
            yield _found(span, Outcome.INCONCLUSIVE, summary, {})
            continue
        bite, traffic = bite_of(case, span, spec), traffic_of(case, span, spec)
        facts: dict[str, object] = {**bite.facts, **traffic.facts}
        good = bite.shown and traffic.shown
        first_bad = next((answer.said for answer in (traffic, bite) if not answer.shown), "")
        summary = f"{bite.said}; {traffic.said}" if good else first_bad
        yield _found(span, Outcome.PASS if good else Outcome.INCONCLUSIVE, summary, facts)


def _found(span: FaultSpan, outcome: Outcome, summary: str, facts: dict[str, object]) -> Finding:
    return Finding(
        check=NAME,
        subject=span.id,
        outcome=outcome,
        summary=summary,
        expectation=f"fault {span.id} bites where the service goes",
        evidence=span.evidence,
        validity=True,
        facts=facts,
    )
