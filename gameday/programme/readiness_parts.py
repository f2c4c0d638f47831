"""The items of the matrix: what each asks, its rows, and what would change them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gameday.model.readiness import Cited, ReadyRow
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyState as State
from gameday.model.readiness_evidence import FailureMode, FindingNow, ReadyEvidence, ReadyService
from gameday.model.readiness_policy import ReadyPolicy, ReadyRule
from gameday.model.units import format_ms, format_ratio
from gameday.programme import readiness_runs as runs
from gameday.programme.readiness_commands import run_command
from gameday.programme.readiness_pick import Ask, Picked

TITLES: Mapping[Item, str] = {
    Item.SLO: "Objectives are defined, and hold",
    Item.ALERTS: "Each required failure mode is noticed in time",
    Item.RUNBOOK_COVERAGE: "Alerts that page have a runbook",
    Item.RUNBOOK_PROOF: "Runbooks were shown to work",
    Item.SCENARIOS: "Required scenarios pass",
    Item.CAPACITY: "The peak is carried, with headroom",
    Item.ROLLBACK: "The rollback was rehearsed",
    Item.RESTORE: "A restore was tested",
    Item.ESCALATION: "Escalation was drilled",
    Item.FINDINGS: "No severe finding is open",
    Item.BUDGET: "Error budget is left",
    Item.TABLETOP: "The loss of a region was played through",
}
#: States of findings in which the weakness is gone, or stands elsewhere.
_CLOSED = ("verified", "superseded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One item of one service, with all that is known."""

    service: ReadyService
    evidence: ReadyEvidence
    rule: ReadyRule
    policy: ReadyPolicy

    @property
    def ask(self) -> Ask:
        """What evidence from runs and drills has to be."""
        return Ask(
            rule=self.rule,
            policy=self.policy,
            version=self.evidence.version,
            now=self.evidence.now,
        )


def rows_of(item: Item, case: Case) -> tuple[ReadyRow, ...]:
    """The rows of one item that applies; at least one."""
    return tuple(_ROWS[item](case))


def asked_of(item: Item, rule: ReadyRule) -> str:
    """What the policy asks, in words."""
    parts = []
    if rule.at_least is not None:
        parts.append(f"at least {format_ratio(rule.at_least)}")
    if rule.factor is not None:
        parts.append(f"peak × {rule.factor:g}, headroom {format_ratio(rule.headroom or 0)}")
    if rule.modes:
        parts.append(f"{len(rule.modes)} failure modes")
    if rule.severities:
        parts.append(f"none of {' or '.join(rule.severities)}")
    if rule.within_ms is not None:
        parts.append(f"within {format_ms(rule.within_ms)}")
    if rule.fresh_days is not None:
        parts.append(f"not older than {rule.fresh_days} d")
    if item in _OF_VERSION and rule.version.value != "any":
        word = {"same": "the same version", "major": "the same major version"}
        parts.append(word[rule.version.value])
    if item in _OF_VERSION:
        parts.append("smoke runs count" if rule.smoke else "no smoke runs")
    return ", ".join(parts) or "now"


_OF_VERSION = (
    Item.SLO,
    Item.ALERTS,
    Item.SCENARIOS,
    Item.CAPACITY,
    Item.ROLLBACK,
    Item.RUNBOOK_PROOF,
)


def _row(subject: str, picked: Picked, *, change: str, command: str = "") -> ReadyRow:
    fine = picked.state in (State.MET, State.NOT_APPLICABLE)
    return ReadyRow(
        subject=subject,
        state=picked.state,
        reason=picked.reason,
        evidence=picked.evidence,
        valid_until="" if picked.until is None else moment(picked.until),
        change="" if fine else change,
        command="" if fine else command,
    )


def moment(at: datetime) -> str:
    """As it stands in documents."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def end_of(day: date) -> datetime:
    """The last moment of a day."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def _slo(case: Case) -> Iterator[ReadyRow]:
    if not case.service.slos:
        none = Picked(state=State.NOT_MET, reason="no objective is defined")
        yield _row("objectives", none, change=f"write `slos` in {_file(case)}")
    for slo in case.service.slos:
        picked = runs.objective(slo, case.ask, case.evidence.runs)
        any_scenario = next((m.scenario for m in case.service.modes.values() if m.scenario), "")
        yield _row(
            slo.name,
            picked,
            change="measure a baseline in which it holds",
            command=run_command(case.evidence, any_scenario),
        )


def _modes(case: Case) -> Iterator[tuple[str, FailureMode | None]]:
    """The required failure modes, and the others of the service file, which count as well."""
    names = dict.fromkeys((*case.rule.modes, *case.service.modes))
    yield from ((name, case.service.modes.get(name)) for name in names)


def _by_mode(case: Case, judge: Callable[[FailureMode], Picked], change: str) -> Iterator[ReadyRow]:
    modes = list(_modes(case))
    if not modes:
        why = "neither the policy nor the service file names a failure mode"
        none = Picked(state=State.NOT_MEASURED, reason=why)
        yield _row("failure modes", none, change=f"write `failure_modes` in {_file(case)}")
    for name, mode in modes:
        if mode is None:
            why = f"the service file does not say which scenario tests `{name}`"
            where = f"write `failure_modes: {{{name}: …}}` in {_file(case)}"
            yield _row(name, Picked(state=State.NOT_MEASURED, reason=why), change=where)
        elif mode.not_applicable:
            yield _row(name, _not_applicable(mode.not_applicable), change="")
        else:
            command = run_command(case.evidence, mode.scenario)
            what = f"{change} in a run of `{mode.scenario}` on {case.evidence.version}"
            yield _row(name, judge(mode), change=what, command=command)


def _not_applicable(why: str) -> Picked:
    return Picked(state=State.NOT_APPLICABLE, reason=why)


def _scenarios(case: Case) -> Iterator[ReadyRow]:
    def judge(mode: FailureMode) -> Picked:
        return runs.scenario(mode, case.ask, case.evidence.runs)

    yield from _by_mode(case, judge, "pass")


def _alerts(case: Case) -> Iterator[ReadyRow]:
    def judge(mode: FailureMode) -> Picked:
        if mode.no_alert:
            return _not_applicable(f"no alert is expected: {mode.no_alert}")
        return runs.alert(mode, case.ask, case.evidence.runs)

    yield from _by_mode(case, judge, "let the alert come in time")


def _runbook_coverage(case: Case) -> Iterator[ReadyRow]:
    if not case.service.alerts:
        yield _no_alerts(case)
    for alert, path in case.service.alerts.items():
        found = case.evidence.runbooks.get(path)
        if not path:
            picked = Picked(state=State.NOT_MET, reason="it has no runbook")
        elif found is None:
            picked = Picked(state=State.NOT_MET, reason=f"`{path}` is not there")
        elif found.problem:
            picked = Picked(state=State.NOT_MET, reason=f"`{path}`: {found.problem}")
        else:
            cited = _cited_now(f"runbook {path}", path)
            reason = f"`{path}` has what is needed"
            picked = Picked(state=State.MET, reason=reason, evidence=(cited,))
        command = f"gameday runbook lint {path}" if path else ""
        yield _row(alert, picked, change="write the runbook, or mend it", command=command)


def _runbook_proof(case: Case) -> Iterator[ReadyRow]:
    if not case.service.alerts:
        yield _no_alerts(case)
        return
    paths = list(dict.fromkeys(path for path in case.service.alerts.values() if path))
    if not paths:
        none = Picked(state=State.NOT_MET, reason="no alert that pages has a runbook")
        yield _row("runbooks", none, change=f"write runbooks, and name them in {_file(case)}")
    for path in paths:
        picked = runs.proof(path, case.evidence, case.service, case.ask)
        yield _row(
            path,
            picked,
            change="prove it in a run, or let somebody who did not write it follow it, and record",
            command=run_command(case.evidence, _leads_to(case, path), "--run-runbooks"),
        )


def _leads_to(case: Case, path: str) -> str:
    """The scenario whose alert leads to a runbook; empty if none does."""
    alerts = {alert for alert, one in case.service.alerts.items() if one == path}
    found = (m.scenario for m in case.service.modes.values() if m.alert in alerts)
    return next(found, "")


def _no_alerts(case: Case) -> ReadyRow:
    picked = Picked(state=State.NOT_MEASURED, reason="the service file names no alert that pages")
    return _row("alerts", picked, change=f"write `alerts` in {_file(case)}")


def _capacity(case: Case) -> Iterator[ReadyRow]:
    service, rule = case.service, case.rule
    peak = service.peak_per_s
    if peak is None:
        why = "the service file does not say the expected `peak`"
        picked = Picked(state=State.NOT_MEASURED, reason=why)
        yield _row("peak", picked, change=f"write `peak` in {_file(case)}")
        return
    command = run_command(case.evidence, service.capacity)
    wanted = (
        (f"peak × {rule.factor or 1:g}", peak * (rule.factor or 1)),
        (f"headroom {format_ratio(rule.headroom or 0)}", peak * (1 + (rule.headroom or 0))),
    )
    for name, needed in wanted:
        picked = runs.capacity(service, case.ask, case.evidence.runs, needed)
        change = f"show {needed:g}/s in a search for the breakpoint (`load/breakpoint`)"
        yield _row(name, picked, change=change, command=command)


def _rollback(case: Case) -> Iterator[ReadyRow]:
    picked = runs.rollback(case.service, case.ask, case.evidence.runs)
    command = run_command(case.evidence, case.service.rollback)
    yield _row("rollback", picked, change="rehearse the rollback", command=command)


def _escalation(case: Case) -> Iterator[ReadyRow]:
    picked = runs.escalation(case.service, case.ask, case.evidence.runs)
    yield _row("escalation", picked, change=_record(case, "escalation"))


def _restore(case: Case) -> Iterator[ReadyRow]:
    picked = runs.recorded(Item.RESTORE, case.service, case.ask)
    yield _row("restore", picked, change=_record(case, "restore"))


def _tabletop(case: Case) -> Iterator[ReadyRow]:
    picked = runs.recorded(Item.TABLETOP, case.service, case.ask)
    yield _row("loss of a region", picked, change=_record(case, "tabletop"))


def _record(case: Case, item: str) -> str:
    drill = case.service.drills.get(Item(item))
    if drill:
        return f"hold the drill `{drill}` on a day (`gameday day start`)"
    return f"hold the drill, and write it under `records` (`item: {item}`) in {_file(case)}"


def _findings(case: Case) -> Iterator[ReadyRow]:
    evidence = case.evidence
    if evidence.findings is None:
        why = evidence.findings_why or "the register was not read"
        picked = Picked(state=State.NOT_MEASURED, reason=why)
        yield _row("findings", picked, change="make the register of findings readable")
        return
    severe = [
        one
        for one in evidence.findings
        if one.severity in case.rule.severities and one.state not in _CLOSED
    ]
    if not severe:
        reason = f"none is open, of {len(evidence.findings)} in the register"
        cited = _cited_now("register of findings", "")
        yield _row("findings", Picked(state=State.MET, reason=reason, evidence=(cited,)), change="")
    yield from (_finding(one, case) for one in severe)


def _finding(one: FindingNow, case: Case) -> ReadyRow:
    cited = _cited_now(f"finding {one.id}: {one.title}", "")
    state, reason, until = State.NOT_MET, f"{one.severity}, {one.state.replace('_', ' ')}", None
    if one.regressed:
        reason = f"{reason}, it came back after it had been verified"
    if one.expired:
        reason = f"{reason}, the acceptance of its risk is over"
    if one.state == "wont_fix":
        reason = f"{one.severity}, will not be fixed, and nobody accepted its risk"
    if one.state == "risk_accepted":
        day = one.accepted_until
        if day is None or day < case.evidence.now.date():
            over = "has no end" if day is None else f"ended on {day.isoformat()}"
            reason = f"{one.severity}, and the acceptance of its risk {over}"
        elif not one.approver:
            reason = f"{one.severity}, and its risk was accepted by no role"
        elif not case.rule.waivable:
            reason = f"{one.severity}, and this tier may not accept its risk"
        else:
            state, until = State.WAIVED, end_of(day)
            reason = f"{one.severity}, risk accepted by {one.approver} until {day.isoformat()}"
    picked = Picked(state=state, reason=reason, evidence=(cited,), until=until)
    change = f"fix it, and let a run verify it: {one.title}"
    return _row(one.id, picked, change=change, command=f"gameday findings show {one.id}")


def _budget(case: Case) -> Iterator[ReadyRow]:
    found, rule = case.evidence.budget, case.rule
    if found is None:
        why = case.evidence.budget_why or "the service file does not say where it is read"
        picked = Picked(state=State.NOT_MEASURED, reason=why)
        yield _row("budget", picked, change=f"write `budget` in {_file(case)}")
        return
    needed = rule.at_least or 0.0
    age = case.evidence.now - found.at
    days = rule.fresh_days
    cited = Cited(
        what=f"budget: {format_ratio(found.left)} left",
        where=found.where,
        at=moment(found.at),
        age_days=max(0, age.days),
        environment="",
    )
    reason = f"{format_ratio(found.left)} left, {format_ratio(needed)} needed"
    state, until = State.MET, None if days is None else found.at + timedelta(days=days)
    if found.left < needed:
        state, until = State.NOT_MET, None
    elif until is not None and until < case.evidence.now:
        state, until = State.NOT_MEASURED, None
        reason = f"stale: {reason}, but that was said {age.days} days ago"
    picked = Picked(state=state, reason=reason, evidence=(cited,), until=until)
    yield _row("budget", picked, change="wait until the budget has recovered, or tell it anew")


def _cited_now(what: str, where: str) -> Cited:
    return Cited(what=what, where=where, at="", age_days=None, environment="")


def _file(case: Case) -> str:
    return f"`{case.service.file}`" if case.service.file else "the service file"


_ROWS: Mapping[Item, Callable[[Case], Iterator[ReadyRow]]] = {
    Item.SLO: _slo,
    Item.ALERTS: _alerts,
    Item.RUNBOOK_COVERAGE: _runbook_coverage,
    Item.RUNBOOK_PROOF: _runbook_proof,
    Item.SCENARIOS: _scenarios,
    Item.CAPACITY: _capacity,
    Item.ROLLBACK: _rollback,
    Item.RESTORE: _restore,
    Item.ESCALATION: _escalation,
    Item.FINDINGS: _findings,
    Item.BUDGET: _budget,
    Item.TABLETOP: _tabletop,
}
