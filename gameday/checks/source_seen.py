"""source/seen: every alert source could be read, without a gap, from the fault to the end.

Silence of a source that cannot be read is no silence.

Documented in docs/checks/source-seen.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.seen import Sight, sight_of, source_names
from gameday.model.verdict import Finding, Outcome

NAME = "source/seen"


def check(case: Case) -> Iterator[Finding]:
    """One finding a source; SKIP when the scenario asks nothing about alerts."""
    expect = case.plan.scenario.expect
    for source in source_names(case.plan):
        if not expect.alerts and not expect.quiet:
            yield _found(source, Outcome.SKIP, "the scenario asks nothing about alerts")
        else:
            yield _judge(case, sight_of(case.timeline, source))


def _judge(case: Case, sight: Sight) -> Finding:
    asked = [fault.asked_ms for fault in case.faults if fault.asked_ms is not None]
    recovery, fault = case.windows.get("recovery"), case.windows.get("fault")
    last = recovery or fault
    if sight.why:
        return _found(sight.source, Outcome.INCONCLUSIVE, sight.why, sight.evidence)
    if not asked or last is None:
        summary = "no fault was injected, so there was nothing to watch"
        return _found(sight.source, Outcome.INCONCLUSIVE, summary, sight.evidence)
    blind = sight.blind_in(min(asked), last.end_ms)
    if blind:
        return _found(sight.source, Outcome.INCONCLUSIVE, blind, sight.evidence)
    if sight.until_ms < last.end_ms:
        summary = f"`{sight.source}` was not seen to the end"
        return _found(sight.source, Outcome.INCONCLUSIVE, summary, sight.evidence)
    summary = f"`{sight.source}` was read without a gap from the fault to the end"
    return _found(sight.source, Outcome.PASS, summary, sight.evidence)


def _found(source: str, outcome: Outcome, summary: str, evidence: tuple[int, ...] = ()) -> Finding:
    return Finding(
        check=NAME,
        subject=source,
        outcome=outcome,
        summary=summary,
        expectation=f"{source} can be read while it matters",
        evidence=evidence,
        validity=True,
    )
