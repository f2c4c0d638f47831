"""Judging a run: every check asked, the worst answer taken, nothing shown never taken for good.

A check that says whether the run *could* have shown anything (validity) stands above the
expectations: where one of those does not pass, the run is invalid and its outcome inconclusive,
however the expectations look. The status of the machinery stands beside the outcome.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType

from gameday.checks import (
    alert_delivered,
    alert_fired,
    alert_quiet,
    alert_resolved,
    alerts_pipeline,
    answer_right,
    clock_agree,
    control_quiet,
    fault_bit,
    fault_confirmed,
    load_breakpoint,
    load_delivered,
    load_generator,
    load_teardown,
    load_workers,
    proxy_healthy,
    run_alerts_quiet_before,
    run_baseline,
    run_undone,
    runbook_linked,
    runbook_proven,
    slo_criterion,
    slo_steady,
    source_seen,
)
from gameday.checks.case import Case
from gameday.checks.run_undone import dirty_of
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.verdict import Finding, Outcome, RunStatus, Verdict, worst

Check = Callable[[Case], Iterable[Finding]]

#: Validity first, in the order in which one explains the next; then the expectations.
_MODULES: tuple[ModuleType, ...] = (
    alerts_pipeline, run_baseline, run_alerts_quiet_before,
    load_delivered, load_workers, load_generator,
    proxy_healthy, fault_confirmed, fault_bit, source_seen, clock_agree, run_undone,
    load_teardown, load_breakpoint, slo_criterion, slo_steady,
    answer_right, control_quiet, alert_fired, alert_delivered, alert_resolved, alert_quiet,
    runbook_linked, runbook_proven,
)  # fmt: skip

#: Name -> check. The name is also the page: `slo/steady` is docs/checks/slo-steady.md.
CHECKS: Mapping[str, Check] = {module.NAME: module.check for module in _MODULES}

#: How the machinery fared, the worst first.
_STATUS_ORDER = (
    RunStatus.ERRORED,
    RunStatus.INTERRUPTED,
    RunStatus.STOPPED,
    RunStatus.INCOMPLETE,
    RunStatus.INVALID,
    RunStatus.COMPLETED,
)


def judge(plan: Plan, timeline: Timeline, checks: Mapping[str, Check] = CHECKS) -> Verdict:
    """The verdict on a run: a pure function of its plan and its journal. Never raises."""
    case = Case(plan, timeline)
    findings, crashed = _ask(case, checks)
    validity = [f for f in findings if f.validity]
    expectations = [f for f in findings if not f.validity]
    valid = all(f.outcome in (Outcome.PASS, Outcome.SKIP) for f in validity)
    status = _status(timeline, valid=valid, crashed=crashed)
    dirty = dirty_of(timeline)
    outcome = worst(f.outcome for f in expectations)
    if not valid or crashed or dirty:
        outcome = Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and status is not RunStatus.COMPLETED:
        outcome = Outcome.INCONCLUSIVE
    prefix = "control run, no fault was injected: " if plan.scenario.control else ""
    return Verdict(
        outcome=outcome,
        status=status,
        findings=findings,
        dirty=dirty,
        reason=prefix + _reason(timeline, findings, outcome=outcome, status=status, dirty=dirty),
    )


def _ask(case: Case, checks: Mapping[str, Check]) -> tuple[tuple[Finding, ...], bool]:
    findings: list[Finding] = []
    crashed = False
    for name, check in checks.items():
        try:
            findings.extend(check(case))
        except Exception as error:  # noqa: BLE001 - a bug in one check must not hide the others
            crashed = True
            findings.append(_bug(name, error))
    return tuple(findings), crashed


def _bug(name: str, error: Exception) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Finding(
        check=name,
        subject="gameday",
        outcome=Outcome.INCONCLUSIVE,
        summary=f"this check failed by a bug of ours, please report it: {what}{where}",
        expectation=f"{name} can be answered",
        validity=True,
    )


def _status(timeline: Timeline, *, valid: bool, crashed: bool) -> RunStatus:
    """The worst of what the journal says of the machinery and what the checks found."""
    closed = timeline.last("run.closed")
    said = [RunStatus.INCOMPLETE if closed is None else _read(closed.data.get("status"))]
    if crashed or timeline.first("run.error") is not None:
        said.append(RunStatus.ERRORED)
    if closed is not None:
        said.extend(_read(stop.data.get("status")) for stop in timeline.of("stop.tripped")[:1])
    if not valid:
        said.append(RunStatus.INVALID)
    return min(said, key=_STATUS_ORDER.index)


def _read(status: object) -> RunStatus:
    try:
        return RunStatus(str(status))
    except ValueError:
        return RunStatus.INCOMPLETE


def _reason(
    timeline: Timeline,
    findings: tuple[Finding, ...],
    *,
    outcome: Outcome,
    status: RunStatus,
    dirty: tuple[str, ...],
) -> str:
    """One sentence: why this outcome."""
    if dirty:
        names = ", ".join(f"`{name}`" for name in dirty)
        return f"{names} could not be shown to be gone and may still be broken"
    from_machine = _machine_reason(timeline, findings, status)
    if from_machine:
        return from_machine
    validity = [f for f in findings if f.validity and f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    if validity:
        return _named(validity)
    if outcome is Outcome.PASS:
        held = sum(f.outcome is Outcome.PASS and not f.validity for f in findings)
        return f"all {held} expectations held" if held != 1 else "the one expectation held"
    worst_first = [f for f in findings if not f.validity and f.outcome is outcome]
    return _named(worst_first) if worst_first else "nothing was asked that could be answered"


def _machine_reason(timeline: Timeline, findings: tuple[Finding, ...], status: RunStatus) -> str:
    stop = timeline.first("stop.tripped")
    why = "" if stop is None else str(stop.data.get("reason") or stop.subject)
    why = why if stop is None else why.removeprefix(f"`{stop.subject}`: ")
    match status:
        case RunStatus.ERRORED:
            error = timeline.first("run.error")
            bug = next((f.summary for f in findings if f.subject == "gameday"), "")
            said = str(error.data.get("error", error.subject)) if error is not None else bug
            return f"gameday itself failed: {said or why or 'no details were recorded'}"
        case RunStatus.INTERRUPTED:
            return f"interrupted by the operator{': ' + why if why else ''}"
        case RunStatus.STOPPED:
            return f"stopped by `{stop.subject}`: {why}" if stop is not None else "stopped"
        case RunStatus.INCOMPLETE:
            return "the journal ends in the middle of the run, so nothing can be concluded"
        case RunStatus.INVALID:
            return f"the run was stopped as invalid: {why}" if stop is not None else ""
        case _:
            return ""


def _named(findings: list[Finding]) -> str:
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return findings[0].summary + more
