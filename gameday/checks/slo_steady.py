"""slo/steady: after the fault is gone, the baseline's criteria hold again in time, and stay so.

Counted from the moment when the last fault was confirmed off, on sliding windows of the load; an
alert that resolves is no sign of recovery. Steady late is a failure. A recovery phase that ends
before the time allowed, without steadiness, says nothing either way.

Documented in docs/checks/slo-steady.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.spans import all_off_ms
from gameday.kpi.steady import SteadyAgain, steady_again
from gameday.model.criteria import Steady
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "slo/steady"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each `steady within`."""
    for wanted in case.plan.scenario.expect.recovery:
        if isinstance(wanted, Steady):
            yield _judge(case, wanted)


def _judge(case: Case, wanted: Steady) -> Finding:
    recovery, baseline = case.windows.get("recovery"), case.windows.get("baseline")
    off_ms = all_off_ms(case.faults)
    if not case.plan.scenario.faults and recovery is not None:
        off_ms = recovery.start_ms  # what was taken out is the load's own rise
    if off_ms is None:
        return _found(wanted, Outcome.INCONCLUSIVE, "not every fault was confirmed off")
    if recovery is None or baseline is None:
        return _found(wanted, Outcome.INCONCLUSIVE, "there was no recovery phase to look at")
    if not case.baseline_criteria:
        summary = "`expect.baseline` names no criterion, so steady has no meaning"
        return _found(wanted, Outcome.INCONCLUSIVE, summary)
    got = steady_again(
        case.slices,
        case.baseline_criteria,
        baseline=baseline,
        off_ms=off_ms,
        until_ms=recovery.end_ms,
    )
    evidence = (*recovery.evidence, *(f.evidence[-1] for f in case.faults))
    since = "the last fault was off" if case.faults else "the load was back"
    outcome, summary = _words(wanted, got, off_ms, since)
    if outcome is Outcome.PASS and not recovery.complete:
        outcome, summary = Outcome.INCONCLUSIVE, f"{summary}, but recovery was cut short"
    return _found(wanted, outcome, summary, evidence=evidence, got=got, off_ms=off_ms)


def _words(wanted: Steady, got: SteadyAgain, off_ms: int, since: str) -> tuple[Outcome, str]:
    allowed = f"allowed {format_ms(wanted.within_ms)}"
    watched = format_ms(got.until_ms - off_ms)
    if got.at_ms is not None:
        took = got.at_ms - off_ms
        if took <= wanted.within_ms:
            return Outcome.PASS, f"steady {format_ms(took)} after {since}, {allowed}"
        late = f"steady only {format_ms(took)} after {since}, {allowed}"
        return Outcome.FAIL, f"{late}; {got.why}"
    if not got.known:
        return Outcome.INCONCLUSIVE, f"steadiness is not known: {got.why}"
    if got.until_ms - off_ms < wanted.within_ms:
        summary = f"not steady yet after {watched}, when recovery ended; {allowed}; {got.why}"
        return Outcome.INCONCLUSIVE, summary
    return Outcome.FAIL, f"not steady {watched} after {since}, {allowed}; {got.why}"


def _found(
    wanted: Steady,
    outcome: Outcome,
    summary: str,
    *,
    evidence: tuple[int, ...] = (),
    got: SteadyAgain | None = None,
    off_ms: int = 0,
) -> Finding:
    facts: dict[str, object] = {"phase": "recovery", "within_ms": wanted.within_ms}
    steady_ms = None if got is None or got.at_ms is None else got.at_ms - off_ms
    facts["steady_after_ms"] = steady_ms
    return Finding(
        check=NAME,
        subject="recovery",
        outcome=outcome,
        summary=summary,
        expectation=f"recovery: {wanted.text or 'steady within ' + format_ms(wanted.within_ms)}",
        evidence=evidence,
        facts=facts,
    )
