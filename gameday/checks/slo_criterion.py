"""slo/criterion: each condition that should hold in a phase, did.

Judged on the requests meant to start in whole seconds of the phase, without those that were under
way while a connection was being cut for inject or revert. A percentile without enough samples is
withheld, and what is withheld is inconclusive. A phase that was cut short can still fail; it can no
longer pass.

Documented in docs/checks/slo-criterion.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.closed import closed_note, closed_tail
from gameday.kpi.spans import Window
from gameday.kpi.stats import Decision, cells_between, decide, stats
from gameday.model.criteria import Criterion, MetricKind
from gameday.model.verdict import Finding, Outcome

NAME = "slo/criterion"


def check(case: Case) -> Iterator[Finding]:
    """One finding a criterion of each phase.

    The steps of a rising load are judged by `load/breakpoint`.
    """
    expect = case.plan.scenario.expect
    rising = case.plan.scenario.load.breakpoint is not None
    by_phase = (
        ("baseline", expect.baseline),
        ("fault", () if rising else expect.fault),
        ("recovery", expect.recovery),
    )
    for phase, criteria in by_phase:
        for criterion in criteria:
            if isinstance(criterion, Criterion):
                yield _judge(case, phase, criterion)


def _judge(case: Case, phase: str, criterion: Criterion) -> Finding:
    window = case.windows.get(phase)
    if window is None:
        summary = f"the {phase} phase was never reached"
        return _found(phase, criterion, Outcome.INCONCLUSIVE, summary)
    cells = cells_between(case.ticks, window.start_ms, window.end_ms)
    found = stats(cells, criterion.subject)
    got = decide(criterion, found)
    outcome, summary = _words(criterion, window, got)
    load = case.plan.scenario.load
    if phase == "fault" and got.value is not None and closed_tail(load, criterion):
        summary += f"; {closed_note(load)}"
    return _found(phase, criterion, outcome, summary, window=window, got=got, edge=found.edge)


def _words(criterion: Criterion, window: Window, got: Decision) -> tuple[Outcome, str]:
    what = f"{criterion.subject or 'all requests'}: {criterion.metric}"
    where = f"in the {window.name} phase"
    allowed = f"allowed {criterion.op} {criterion.show(criterion.limit)}"
    if got.value is None:
        return Outcome.INCONCLUSIVE, f"{what} {where} is not known: {got.why}"
    if criterion.subject is not None:
        what = f"{criterion.subject} {criterion.metric}"
    else:
        what = criterion.metric
    was = "were" if criterion.metric == "errors" else "was"
    said = f"{what} {was} {criterion.show(got.value)} {where}, {allowed}"
    if got.holds is False:
        short = "" if window.complete else f"; the phase was cut short after {window.seconds} s"
        return Outcome.FAIL, said + short
    if got.holds is None:
        return Outcome.INCONCLUSIVE, f"{said}: {got.why}"
    if not window.complete:
        return Outcome.INCONCLUSIVE, f"{said}, but the phase was cut short at {window.seconds} s"
    return Outcome.PASS, said


def _found(
    phase: str,
    criterion: Criterion,
    outcome: Outcome,
    summary: str,
    *,
    window: Window | None = None,
    got: Decision | None = None,
    edge: int = 0,
) -> Finding:
    unit = "ms" if criterion.kind is MetricKind.LATENCY else "share"
    facts: dict[str, object] = {"phase": phase, "metric": criterion.metric}
    facts[f"limit_{unit}"] = criterion.limit
    facts[f"value_{unit}"] = None if got is None else got.value
    facts["n"] = 0 if got is None else got.n
    facts["edge"] = edge
    return Finding(
        check=NAME,
        subject=phase,
        outcome=outcome,
        summary=summary,
        expectation=f"{phase}: {criterion.text or criterion.metric}",
        evidence=() if window is None else window.evidence,
        facts=facts,
    )
