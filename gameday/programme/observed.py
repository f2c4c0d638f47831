"""What a run says about each of its expectations, in the form in which the register compares it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gameday.model.criteria import Criterion, CriterionError, parse_criterion
from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.finding_record import (
    Evidence,
    FaultStrength,
    FindingClass,
    FindingSeverity,
    Scalar,
    fingerprint_of,
    id_of,
)
from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.model.scenario import FaultSpec, LoadSpec
from gameday.model.toxic_table import TOXICS
from gameday.model.units import UnitError, duration_ms
from gameday.model.verdict import Finding, Outcome, RunStatus
from gameday.programme.finding_class import class_of, severity_of

_WITHIN = re.compile(r"(?P<what>.*\bwithin) (?P<limit>\d.*)")
_RATE = re.compile(r"(?P<what>.* hold at) (?P<limit>\d+(?:\.\d+)?(?:e\+?\d+)?)/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One expectation in one run. `unfit` is why the run can show nothing; empty if it can.

    A run that was `stopped` can show that something failed, but not that anything holds.
    """

    service: str
    failure_mode: str
    expectation: str
    kind: FindingClass
    severity: FindingSeverity
    owner_team: str
    outcome: Outcome
    evidence: Evidence
    unfit: str = ""
    stopped: bool = False

    @property
    def id(self) -> str:
        """Of the finding that it is, or would be."""
        parts = (self.service, self.failure_mode, self.expectation, self.kind)
        return id_of(fingerprint_of(*parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An expectation in two: the question, and the number in it, if it has one."""

    question: str
    limit: float | None = None
    least: bool = True  # a smaller limit asks for more


def observations(plan: Plan, report: Report, reached: Mapping[str, int]) -> tuple[Observation, ...]:
    """One for each expectation of a run; *reached* has how many strengths each fault came to."""
    unfit = unfit_of(report)
    mode = failure_mode_of(plan)
    return tuple(
        Observation(
            service=plan.service.name,
            failure_mode=mode,
            expectation=f"{found.check} {demand_of(found.expectation or found.subject).question}",
            kind=class_of(found, report),
            severity=severity_of(found, report, plan.service.tier),
            owner_team=plan.scenario.owner,
            outcome=found.outcome,
            evidence=_evidence(plan, report, found, reached),
            unfit=unfit,
            stopped=report.verdict.status is RunStatus.STOPPED,
        )
        for found in report.expectations
    )


def unfit_of(report: Report) -> str:
    """Why a run can neither raise nor verify a finding; empty if it can."""
    if not report.verdict.clean:
        return "a fault of it could not be shown to be gone"
    bad = next((f for f in report.validity if f.outcome not in _FINE), None)
    if bad is not None:
        return f"it was not valid: {bad.summary}"
    status = report.verdict.status
    if status not in (RunStatus.COMPLETED, RunStatus.STOPPED):
        return f"it ended as {status.value}"
    return "" if report.started else "its journal does not say when it began"


def demand_of(text: str) -> Demand:
    """`checkout: p95 < 1s` asks for the p95 of checkout, with 1000 as its limit."""
    where, colon, condition = text.partition(": ")
    criterion = _criterion(condition if colon else text)
    if criterion is not None:
        subject = f"{criterion.subject} " if criterion.subject else ""
        question = f"{where}: {subject}{criterion.metric}" if colon else criterion.metric
        below = criterion.op.startswith("<")
        return Demand(
            question=f"{question} {'<' if below else '>'}", limit=criterion.limit, least=below
        )
    if (found := _WITHIN.fullmatch(text)) and (limit := _spoken_ms(found["limit"])) is not None:
        return Demand(question=found["what"], limit=limit)
    if found := _RATE.fullmatch(text):
        return Demand(question=found["what"], limit=float(found["limit"]), least=False)
    return Demand(question=text)


def failure_mode_of(plan: Plan) -> str:
    """`payments.latency`; several faults by name with `+`; without a fault `load` or `control`."""
    if plan.scenario.control is not None:
        return "control"
    modes = sorted({f"{fault.target}.{fault.kind}" for fault in plan.scenario.faults})
    return "+".join(modes) or "load"


_FINE = (Outcome.PASS, Outcome.SKIP)


def _criterion(text: str) -> Criterion | None:
    try:
        found = parse_criterion(text)
    except CriterionError:
        return None
    return found if isinstance(found, Criterion) else None


def _spoken_ms(text: str) -> float | None:
    """Of `60s` as people write it, and of `2 min 5 s` as we do."""
    try:
        return float(duration_ms(text.replace("min", "m").replace(" ", "")))
    except UnitError:
        return None


def _evidence(plan: Plan, report: Report, found: Finding, reached: Mapping[str, int]) -> Evidence:
    scenario, demand = plan.scenario, demand_of(found.expectation or found.subject)
    model, peak = _load(scenario.load)
    return Evidence(
        run=report.run_id,
        started=report.started,
        scenario=scenario.id,
        check=found.check,
        expectation=found.expectation or found.subject,
        limit=demand.limit,
        least=demand.least,
        summary=found.summary,
        environment=plan.environment.name,
        environment_kind=plan.environment.kind,
        profile=scenario.profile,
        control=scenario.control is not None,
        faults=tuple(
            _strength(fault, scenario.phases.fault_ms, reached.get(fault.id, 1))
            for fault in scenario.faults
        ),
        fault_ms=scenario.phases.fault_ms,
        load_model=model,
        load_peak=peak,
    )


def _load(load: LoadSpec) -> tuple[str, float]:
    if load.users is not None:
        return "closed", float(load.users)
    peaks = [max(stretch.from_per_s, stretch.to_per_s) for stretch in load.rates]
    return "open", float(max(peaks, default=0.0))


def _strength(fault: FaultSpec, phase_ms: int, reached: int) -> FaultStrength:
    return FaultStrength(
        target=fault.target,
        kind=fault.kind,
        strengths=tuple(dict(sorted(_options(one))) for one in fault.strengths[: max(1, reached)]),
        length_ms=fault.end_ms(phase_ms) - fault.start_ms,
    )


def _options(fault: FaultSpec) -> Iterator[tuple[str, Scalar]]:
    """Every option with its value, those that were not given with their default."""
    if fault.toxic is not None:
        yield "stream", fault.toxic.stream
        yield "toxicity", fault.toxic.toxicity
        for name, attribute in TOXICS[fault.toxic.type].items():
            yield name, fault.toxic.attributes.get(name, attribute.default)
    elif fault.action is not None and fault.action.family in GENERIC:
        text = json.dumps(fault.action.options, sort_keys=True, default=str)
        yield "calls", hashlib.sha256(text.encode()).hexdigest()
    elif fault.action is not None:
        for name, option in FAMILIES[fault.action.family][fault.action.type].options.items():
            yield name, fault.action.options.get(name, option.default)
