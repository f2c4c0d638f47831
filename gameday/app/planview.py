"""A plan as text: what would be touched, in which order, for how long, and how it is undone."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.adapters.locust.sharing import AUTO, processes_for
from gameday.app.preflight import Preflight
from gameday.kpi.breakpoint import stairs_of
from gameday.kpi.closed import closed_tail
from gameday.kpi.proof_steps import may_change
from gameday.model.criteria import Criterion, Steady
from gameday.model.faults import UNDONE
from gameday.model.needs import NEEDS
from gameday.model.plan import Plan
from gameday.model.proof import RunbookProof
from gameday.model.scenario import FaultSpec, LoadSpec
from gameday.model.shape import describe_shape, peak_per_s
from gameday.model.units import format_ms, format_ratio
from gameday.policy.limits import share_of
from gameday.policy.people import breaks_nothing
from gameday.report.describe import describe
from gameday.scenario.compile import alert_servers, opened_targets, proxied_targets
from gameday.scenario.sample import iterations, requests

#: How a toxic, or `down`, is taken out.
REPLACED = "replacing the proxy as it was"


def show_plan(plan: Plan, looked: Preflight | None = None) -> str:
    """The whole text, ending in a newline. With *looked*, what a look around found."""
    scenario = plan.scenario
    profile = f", profile {scenario.profile}" if scenario.profile else ""
    lines = [
        f"{scenario.id}: {scenario.title}",
        f"environment {plan.environment.name} ({plan.environment.kind}){profile}, seed {plan.seed}",
        "",
        f"hypothesis: {' '.join(scenario.hypothesis.split())}",
        "",
        *([f"needs      {_needs(scenario.needs)}"] if scenario.needs else []),
        f"load       {_load(scenario.load)}",
        f"toxiproxy  {_toxiproxy(plan)}",
        f"alerts     {_alerts(plan)}",
        f"blast      {blast_radius(plan)}",
        "",
        "in order:",
        *(f"  {line}" for line in _order(plan)),
        "",
        "expected:",
        *(f"  {line}" for line in _expected(plan)),
        "",
        *_stops(plan),
        *_told(plan),
        *(_found(looked) if looked is not None else ()),
        "nothing was touched",
    ]
    return "\n".join(lines) + "\n"


def _needs(needs: tuple[str, ...]) -> str:
    told = "; ".join(f"{need} ({NEEDS[need]})" for need in needs)
    return f"{told}; skipped where that is not there"


def blast_radius(plan: Plan) -> str:
    """How much is broken at most, in one line."""
    scenario, everything = plan.scenario, plan.environment.targets
    if not scenario.faults:
        if scenario.control is not None:
            left = ", ".join(scenario.control.faults)
            free = "; no approval is asked for" if breaks_nothing(plan) else ""
            return f"nothing is broken: a control run, without {left}{free}"
        peak = peak_per_s(scenario.load.rates)
        return f"nothing is broken but by the load: up to {peak:g}/s on {scenario.load.target}"
    broken = sorted({fault.target for fault in scenario.faults})
    text = f"{len(broken)} of {len(everything)} targets ({', '.join(broken)})"
    shares = [share_of(fault) for fault in scenario.faults]
    parts = [share for share in shares if share is not None and share < 1]
    if parts and len(parts) == len(shares):
        text += f", at most {format_ratio(max(parts))} of what goes there"
    length_ms = max((_length_ms(plan, fault) for fault in scenario.faults), default=0)
    text += f", for at most {format_ms(length_ms)}"
    seen = iterations(scenario.load, length_ms, from_ms=scenario.phases.fault_start_ms)
    return text if seen is None else f"{text}; about {seen:.0f} journeys of our own load meet it"


def _length_ms(plan: Plan, fault: FaultSpec) -> int:
    return fault.end_ms(plan.scenario.phases.fault_ms) - fault.start_ms


def _load(load: LoadSpec) -> str:
    if load.arrivals_per_s is not None:
        how = f"{load.arrivals_per_s:g} arrivals a second (open model)"
    elif load.shape:
        how = f"arrivals {describe_shape(load.shape)} (open model)"
    else:
        how = f"{load.users} users (closed model)"
    if load.spread != "even":
        how = how.replace("(open model)", f"({load.spread}, open model)")
    what = load.locustfile or ", ".join(f"{j.name} x{j.weight}" for j in load.journeys)
    return f"{how} on {load.target}: {what}; timeout {format_ms(load.timeout_ms)}{_made_by(load)}"


def _made_by(load: LoadSpec) -> str:
    """How many processes make the load, if there is anything to say of it."""
    if load.workers:
        return f"; made by {load.workers} worker{'s'[: load.workers > 1]} on other hosts"
    n = processes_for(load)
    if load.processes == AUTO:
        spare = ", fewer where the machine has not so many cores to spare" if n > 1 else ""
        return f"; made by {n} process{'es' if n > 1 else ''} (auto, by the rate{spare})"
    return "" if n == 1 else f"; made by {n} processes"


def _toxiproxy(plan: Plan) -> str:
    if not proxied_targets(plan.scenario, plan.environment):
        return "not needed"
    return plan.environment.toxiproxy_url or "toxiproxy-server on PATH, else embedded"


def _alerts(plan: Plan) -> str:
    alerting = plan.environment.alerting
    named = [u for u in (alerting.prometheus_url, alerting.alertmanager_url) if u]
    named += [f"{source.name} ({source.url})" for source in alerting.http_json]
    return " and ".join(named) or f"built in ({len(plan.builtin_alerts)} declared)"


def _order(plan: Plan) -> Iterator[str]:
    scenario, phases = plan.scenario, plan.scenario.phases
    proxied = proxied_targets(scenario, plan.environment)
    if plan.environment.alerting.proof != "off":
        yield f"that alerts get through is proven ({plan.environment.alerting.proof}), or it ends"
    for name in opened_targets(scenario, plan.environment):
        target = plan.environment.targets[name]
        if target.process is not None and target.is_started:
            yield f"{name} is started: {' '.join(target.process.start)}; ended after the run"
        if name in proxied:
            yield f"proxy {target.proxy} ({target.listen} -> {target.upstream}) is looked at"
    yield f"warm-up {format_ms(phases.warmup_ms)}, then baseline"
    yield f"baseline {format_ms(phases.baseline_ms)}; if it does not hold nothing is broken"
    for fault in scenario.faults:
        length = format_ms(_length_ms(plan, fault))
        if fault.hold:
            length = f"at most {length}, until it is mitigated"
        yield (
            f"fault {fault.id}: {describe(fault)} on {fault.target}; "
            f"{format_ms(fault.start_ms)} into the phase, "
            f"for {length}; undone by {UNDONE.get(fault.kind, REPLACED)}"
        )
    if not scenario.faults:
        yield from _rising(scenario.load)
        if scenario.control is not None:
            yield f"no fault for {format_ms(phases.fault_ms)}, with the same load"
            yield f"recovery {format_ms(phases.recovery_ms)}"
            return
        yield f"recovery {format_ms(phases.recovery_ms)}, with the load back"
        return
    yield f"recovery {format_ms(phases.recovery_ms)} after the last fault is confirmed off"


def _rising(load: LoadSpec) -> Iterator[str]:
    """The steps of a load that searches its breakpoint."""
    stairs = stairs_of(load)
    if load.breakpoint is None or not stairs:
        return
    rates = ", ".join(f"{stair.per_s:g}/s" for stair in stairs)
    ground = f"{load.breakpoint.from_per_s:g}/s"
    yield f"the load rises every {format_ms(stairs[0].length_ms)}: {rates}"
    yield f"as soon as an objective is broken it goes back to {ground}, and recovery begins"


def _expected(plan: Plan) -> Iterator[str]:
    expect, phases = plan.scenario.expect, plan.scenario.phases
    at_ms = phases.warmup_ms
    for phase, criteria, length_ms in (
        ("baseline", expect.baseline, phases.baseline_ms),
        ("fault", expect.fault, phases.fault_ms),
        ("recovery", expect.recovery, phases.recovery_ms),
    ):
        stairs = stairs_of(plan.scenario.load) if phase == "fault" else ()
        for criterion in criteria:
            if stairs:
                seen = _seen_by(plan, criterion, stairs[0].begin_ms, stairs[0].length_ms)
                yield f"every step of the load: {criterion.text}{seen} in the first"
            else:
                seen = _seen_by(plan, criterion, at_ms, length_ms)
                yield f"{phase}: {criterion.text}{seen}{_closed(plan, phase, criterion)}"
        at_ms += length_ms
    source = " and ".join(alert_servers(plan.environment)) or "the built-in alerts"
    if plan.scenario.control is not None:
        yield f"no alert fires; seen by {source}"
    for alert in expect.alerts:
        to = f", delivered to {alert.receiver}" if alert.receiver else ""
        within = format_ms(alert.fires_within_ms)
        yield f"alert {alert.alert} within {within}{to}; seen by {source}"
    for matcher in expect.quiet:
        labels = ", ".join(f"{k}={v}" for k, v in matcher.items())
        yield f"quiet: {labels}; seen by {source}"
    for matcher in expect.tolerate:
        labels = ", ".join(f"{k}={v}" for k, v in matcher.items())
        yield f"tolerated: {labels}"
    yield from (f"runbook {r.path} has its sections" for r in expect.runbooks)
    for asked in expect.answers:
        within = format_ms(asked.within_ms)
        yield f"afterwards GET {asked.path} of {asked.target} within {within}: {asked.wanted}"
    yield from (f"runbook {r.path} is proven: {_proving(plan, r)}" for r in plan.runbooks)


def _proving(plan: Plan, runbook: RunbookProof) -> str:
    """What would be run of a runbook, or why nothing of it."""
    if not runbook.runs:
        why = runbook.unsafe or runbook.problem or runbook.blocked
        return f"nothing of it is run: {why}"
    changing = [step.name for step in runbook.steps if may_change(step)]
    text = f"{len(runbook.steps)} steps against fault {runbook.fault}"
    if not changing:
        return f"{text}; none changes anything"
    run = "run" if plan.run_runbooks else "not run without --run-runbooks"
    return f"{text}; {', '.join(changing)} may change something: {run}"


def _seen_by(plan: Plan, criterion: Criterion | Steady, at_ms: int, length_ms: int) -> str:
    """How much an expectation can observe."""
    if isinstance(criterion, Steady):
        return ""
    n = requests(plan.scenario.load, criterion.subject, length_ms, from_ms=at_ms)
    return "" if n is None else f"; seen on about {n:.0f} requests"


def _closed(plan: Plan, phase: str, criterion: Criterion | Steady) -> str:
    """A word of warning where closed users make the tail of the latency."""
    if phase != "fault" or isinstance(criterion, Steady):
        return ""
    if not closed_tail(plan.scenario.load, criterion):
        return ""
    return "; WARNING: closed users ask nothing while they wait, so a stall hardly moves this"


def _stops(plan: Plan) -> Iterator[str]:
    scenario, limits = plan.scenario, plan.schedule.limits
    texts = [c.text for c in scenario.stop_when] + [s.text for s in scenario.stop_signals]
    stops = ", ".join(f"`{text}`" for text in texts)
    yield f"stops when {stops}; at the latest after {format_ms(limits.deadline_ms)}"
    yield f"every revert is tried for {format_ms(limits.revert_for_ms)} and read back"


def _told(plan: Plan) -> Iterator[str]:
    """Who is told of the run, by name and never by address."""
    for one in plan.notices:
        yield f"notice {one.name}: told of {', '.join(one.at)}; {one.detail}"


def _found(looked: Preflight) -> Iterator[str]:
    yield ""
    yield "looked at:"
    yield from (f"  {line}" for line in looked.looked_at)
    yield from (f"  warning: {line}" for line in looked.warnings)
    if looked.problems:
        yield ""
        yield "a run would be refused now:"
        yield from (f"  {line}" for line in looked.problems)
    yield ""
