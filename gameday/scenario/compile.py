"""From a checked scenario to a plan: every step, when it is due, and on what.

Pure: the same scenario, project, environment and seed give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from gameday.errors import ScenarioError
from gameday.model.diagnostics import has_errors
from gameday.model.event import Phase
from gameday.model.faults import call_limit_ms
from gameday.model.pipeline import PROOF_LIMIT_MS
from gameday.model.plan import Limits, Plan, Schedule, Step, Trigger, When
from gameday.model.project import Environment, Project, Service
from gameday.model.proof import Arm, RunbookProof
from gameday.model.scenario import FaultSpec, RequestStep, Scenario, Stage
from gameday.scenario.compile_answers import answer_steps, answers_ms
from gameday.scenario.compile_runbooks import (
    after_all,
    held_by,
    longest_ms,
    released,
    runbook_steps,
)
from gameday.scenario.control import control_of
from gameday.scenario.lint import lint, scope_of, unknown_environment
from gameday.scenario.node import Marks

#: Fault and phase edges fall on whole seconds of the load.
EDGE_MS = 1_000
LOAD_START_LIMIT_MS = 55_000
LOAD_STOP_MARGIN_MS = 15_000
BASELINE_LIMIT_MS = 5_000
#: On top of the delay with which a source lists what has happened: that is waited for.
ALERT_READ_LIMIT_MS = 30_000
#: For opening targets, preparing faults and closing everything again, on top of the phases.
MARGIN_MS = 90_000


def compile_plan(
    scenario: Scenario,
    project: Project,
    *,
    environment: str,
    seed: int,
    marks: Marks | None = None,
    runbooks: Sequence[RunbookProof] = (),
    run_runbooks: bool = False,
    control: bool = False,
) -> Plan:
    """The plan of one run. Raises ScenarioError when the scenario cannot run there.

    All rules are asked again here: there is no way to a plan around them. With *marks*, the places
    of the scenario, diagnostics carry them. *runbooks* are those that are to be proven.
    A *control* run breaks nothing, and proves none.
    """
    place = project.environments.get(environment)
    if place is None:
        marks_of_project = Marks(file=project.file)
        raise ScenarioError([unknown_environment(environment, project, marks_of_project)])
    found = lint(scope_of(scenario, project, place, marks))
    if has_errors(found):
        raise ScenarioError(found)
    if control:
        scenario, runbooks = control_of(scenario, place), ()
    builtin = not alert_servers(place)
    return Plan(
        scenario=scenario,
        environment=place,
        builtin_alerts=project.alerts if builtin else (),
        service=project.services.get(scenario.service, Service(name=scenario.service)),
        runbook_folders=project.runbooks,
        runbook_hosts=project.runbook_hosts,
        directory=project.directory,
        seed=seed,
        schedule=_schedule(scenario, place, runbook_steps(scenario, runbooks)),
        runbooks=tuple(runbooks),
        run_runbooks=run_runbooks,
        notices=tuple(one for one in project.notices if environment in one.environments),
    )


def _schedule(scenario: Scenario, place: Environment, proving: tuple[Step, ...]) -> Schedule:
    limits = limits_of(scenario, place)
    more_ms = longest_ms(proving) + sum(step.limit_ms for step in _proof(place))
    more_ms += answers_ms(scenario)
    limits = replace(limits, deadline_ms=limits.deadline_ms + more_ms)
    return Schedule(steps=tuple(_steps(scenario, place, proving)), limits=limits)


def _aside_ms(steps: Sequence[RequestStep], scenario: Scenario) -> int:
    """How long these steps may take, one after the other."""
    return len(steps) * scenario.load.timeout_ms


def alert_servers(environment: Environment) -> tuple[str, ...]:
    """The real sources of alerts that an environment has."""
    return environment.alerting.names


def gather_ms(scenario: Scenario, environment: Environment) -> int:
    """How long workers of other hosts are waited for, before the load begins."""
    return environment.load.wait_ms if scenario.load.workers else 0


def limits_of(scenario: Scenario, environment: Environment) -> Limits:
    """How long the whole run may take: its phases, and a generous margin around them."""
    load_ms = LOAD_START_LIMIT_MS + scenario.load.timeout_ms + LOAD_STOP_MARGIN_MS
    load_ms += gather_ms(scenario, environment)
    load_ms += _aside_ms((*scenario.load.setup, *scenario.load.teardown), scenario)
    around_ms = MARGIN_MS + max((s.delay_ms for s in environment.alerting.http_json), default=0)
    limits_ms = (fault_limit_ms(scenario, fault) for fault in scenario.faults)
    return Limits(
        deadline_ms=scenario.phases.played_ms + load_ms + around_ms + scenario.revert_for_ms,
        call_ms=max(limits_ms, default=scenario.call_limit_ms),
        revert_for_ms=scenario.revert_for_ms,
    )


def fault_limit_ms(scenario: Scenario, fault: FaultSpec) -> int:
    """How long one inject or revert of *fault* may take, in whichever strength."""
    base_ms = scenario.call_limit_ms
    actions = [one.action for one in fault.strengths if one.action is not None]
    own_ms = (call_limit_ms(a.family, a.type, a.options, base_ms=base_ms) for a in actions)
    return max((base_ms, *own_ms))


def _steps(
    scenario: Scenario, environment: Environment, proving: tuple[Step, ...]
) -> Iterator[Step]:
    yield from _opening(scenario, environment)
    yield from _phases(scenario, proving)
    for fault in scenario.faults:
        yield from _fault(scenario, fault)
    yield from proving
    yield from _closing(scenario, environment, proving)


def _opening(scenario: Scenario, environment: Environment) -> Iterator[Step]:
    targets = opened_targets(scenario, environment)
    proof = tuple(_proof(environment))
    yield from proof
    proven = tuple(Trigger(kind=step.verb, subject=step.subject) for step in proof)
    for target in targets:
        yield _step("target.open", target, lane=target, when=(When(all_of=proven),), required=True)
    ready = tuple(Trigger(kind="target.open", subject=name) for name in targets)
    opened = When(all_of=(*proven, *ready))
    for fault in scenario.faults:
        yield _step("fault.prepare", fault.id, lane=fault.target, when=(opened,), required=True)
    yield _step(
        "load.start",
        "load",
        lane="load",
        when=(_all_faults(scenario, "fault.prepare") if scenario.faults else opened,),
        limit_ms=LOAD_START_LIMIT_MS
        + gather_ms(scenario, environment)
        + _aside_ms(scenario.load.setup, scenario),
        required=True,
    )


def _proof(environment: Environment) -> Iterator[Step]:
    """That alerts get through is shown first of all: while nothing has been touched."""
    if environment.alerting.proof != "off":
        yield _step(
            "pipeline.prove", "pipeline", lane="pipeline", limit_ms=PROOF_LIMIT_MS, required=True
        )


def _phases(scenario: Scenario, proving: tuple[Step, ...]) -> Iterator[Step]:
    phases = scenario.phases
    started = When(all_of=(Trigger(kind="load.start", subject="load"),))
    yield _mark("warmup", started, align_ms=EDGE_MS)
    yield _mark("baseline", _after_phase("warmup", phases.warmup_ms))
    yield _step(
        "check.baseline",
        "baseline",
        lane="gate",
        when=(_after_phase("baseline", phases.baseline_ms),),
        limit_ms=BASELINE_LIMIT_MS,
        required=True,
    )
    held = When(all_of=(Trigger(kind="check.baseline", subject="baseline"),))
    yield _mark("fault", *after_all(held, held_by(proving, Arm.BASELINE)), align_ms=EDGE_MS)
    if scenario.faults:
        yield _mark("recovery", _all_faults(scenario, "fault.revert"), align_ms=EDGE_MS)
    else:
        yield from _rising(scenario)
    yield _mark("end", _after_phase("recovery", phases.recovery_ms))


def _rising(scenario: Scenario) -> Iterator[Step]:
    """Without a fault the load rises; the phase ends in its time, or when it must rise no more."""
    over = [_after_phase("fault", scenario.phases.fault_ms)]
    if scenario.load.breakpoint is not None:
        capped = Trigger(kind="load.capped", subject="load", phase=Phase.NOTED)
        over.append(When(all_of=(capped,)))
        step = _step(
            "load.rate",
            "load",
            lane="load",
            when=(When(all_of=(capped,)),),
            data={"per_s": scenario.load.breakpoint.from_per_s},
        )
        recovery = Trigger(kind="run.phase", subject="recovery", phase=Phase.NOTED)
        yield replace(step, unless=(recovery,))
    yield _mark("recovery", *over, align_ms=EDGE_MS)


def _fault(scenario: Scenario, fault: FaultSpec) -> Iterator[Step]:
    end_ms = fault.end_ms(scenario.phases.fault_ms)
    limit_ms = fault_limit_ms(scenario, fault)
    yield _step(
        "fault.inject",
        fault.id,
        lane=fault.target,
        when=(_after_phase("fault", fault.start_ms),),
        limit_ms=limit_ms,
        required=True,
        data={"stage": 0},
    )
    for number, stage in enumerate(fault.stages, start=1):
        yield _stage(fault, number, stage, limit_ms=limit_ms)
    yield _step(
        "fault.revert",
        fault.id,
        lane=fault.target,
        when=(_after_phase("fault", end_ms), *released(fault)),
        align_ms=EDGE_MS if fault.hold else 1,
        limit_ms=limit_ms,
    )


def _stage(fault: FaultSpec, number: int, stage: Stage, *, limit_ms: int) -> Step:
    """The next strength: after the one before was confirmed, and never once it is taken out."""
    first = f"fault.inject:{fault.id}"
    before = Trigger(
        kind="fault.inject",
        subject=fault.id,
        step=first if number == 1 else f"{first}/{number - 1}",
    )
    gates = [before]
    if stage.after_ms is None:
        subject = stage.gate or condition_gate(fault.id, number)
        gates.append(Trigger(kind="gate.opened", subject=subject, phase=Phase.NOTED))
    out = Trigger(kind="fault.revert", subject=fault.id, phase=Phase.STARTED)
    return Step(
        id=f"{first}/{number}",
        verb="fault.inject",
        subject=fault.id,
        lane=fault.target,
        when=(When(all_of=tuple(gates), delay_ms=stage.after_ms or 0),),
        unless=(out,),
        align_ms=EDGE_MS,
        limit_ms=limit_ms,
        required=True,
        data={"stage": number},
    )


def condition_gate(fault: str, number: int) -> str:
    """The gate before a stage that opens by itself, when the condition of the stage holds."""
    return f"{fault}/{number}"


def _closing(
    scenario: Scenario, environment: Environment, proving: tuple[Step, ...]
) -> Iterator[Step]:
    yield _step(
        "load.stop",
        "load",
        lane="load",
        when=after_all(_after_phase("end", 0), held_by(proving, Arm.AFTER)),
        limit_ms=scenario.load.timeout_ms
        + LOAD_STOP_MARGIN_MS
        + _aside_ms(scenario.load.teardown, scenario),
        always=True,
    )
    sources = alert_servers(environment) or ("builtin",)
    late_ms = {source.name: source.delay_ms for source in environment.alerting.http_json}
    for source in sources:
        yield _step(
            "alert.read",
            source,
            lane=source,
            when=_ended(("load.stop", "load")),
            limit_ms=ALERT_READ_LIMIT_MS + late_ms.get(source, 0),
            always=True,
        )
    read = _ended(*(("alert.read", source) for source in sources))
    for subject, data in runbooks_of(scenario).items():
        yield _step("runbook.read", subject, lane="runbook", when=read, always=True, data=data)
    yield from answer_steps(scenario, _ended(("load.stop", "load")))


def runbooks_of(scenario: Scenario) -> dict[str, dict[str, str | None]]:
    """What is read as a runbook: subject -> `alert` (its name or None) and `path` (or None).

    For an expected alert the subject is its name: its own link is followed, `path` only where it
    has none. For an expected runbook it is the path.
    """
    found: dict[str, dict[str, str | None]] = {}
    for alert in scenario.expect.alerts:
        found.setdefault(alert.alert, {"alert": alert.alert, "path": alert.runbook})
    for runbook in scenario.expect.runbooks:
        found.setdefault(runbook.path, {"alert": None, "path": runbook.path})
    return found


def opened_targets(scenario: Scenario, environment: Environment) -> tuple[str, ...]:
    """Targets that have to be made ready: see `proxied_targets`, and processes that we start."""
    kept = scenario.control.started if scenario.control else ()
    used = (*(fault.target for fault in scenario.faults), *kept, scenario.load.target)
    started = [name for name in used if environment.targets[name].is_started]
    return tuple(dict.fromkeys((*proxied_targets(scenario, environment), *started)))


def proxied_targets(scenario: Scenario, environment: Environment) -> tuple[str, ...]:
    """Targets whose proxy has to be there: those with a fault on it, and the load's if it has one.

    None at all means that the run needs no Toxiproxy.
    """
    names = [fault.target for fault in scenario.faults if fault.on_proxy]
    names += scenario.control.proxies if scenario.control else ()
    if environment.targets[scenario.load.target].proxy is not None:
        names.append(scenario.load.target)
    return tuple(dict.fromkeys(names))


def _step(
    verb: str,
    subject: str,
    *,
    lane: str,
    when: tuple[When, ...] = (When(),),
    limit_ms: int = 30_000,
    align_ms: int = 1,
    required: bool = False,
    always: bool = False,
    data: Mapping[str, object] | None = None,
) -> Step:
    return Step(
        id=f"{verb}:{subject}",
        verb=verb,
        subject=subject,
        lane=lane,
        when=when,
        limit_ms=limit_ms,
        align_ms=align_ms,
        required=required,
        always=always,
        data=data or {},
    )


def _mark(phase: str, *when: When, align_ms: int = 1) -> Step:
    return Step(
        id=f"run.phase:{phase}",
        verb="run.phase",
        subject=phase,
        lane="phase",
        when=when,
        align_ms=align_ms,
        mark=True,
    )


def _after_phase(phase: str, delay_ms: int) -> When:
    trigger = Trigger(kind="run.phase", subject=phase, phase=Phase.NOTED)
    return When(all_of=(trigger,), delay_ms=delay_ms)


def _all_faults(scenario: Scenario, kind: str) -> When:
    return When(all_of=tuple(Trigger(kind=kind, subject=fault.id) for fault in scenario.faults))


def _ended(*actions: tuple[str, str]) -> tuple[When, ...]:
    """Due when all *actions* have ended, however each of them did."""
    ends = (Phase.OK, Phase.FAILED, Phase.UNKNOWN)
    return tuple(
        When(
            all_of=tuple(
                Trigger(kind=kind, subject=subject, phase=phase)
                for (kind, subject), phase in zip(actions, phases, strict=True)
            )
        )
        for phases in product(ends, repeat=len(actions))
    )
