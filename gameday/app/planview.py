"""A plan as text: what would be touched, in which order, for how long, and how it is undone."""

from __future__ import annotations

from gameday.model.plan import Plan
from gameday.model.scenario import FaultSpec, LoadSpec
from gameday.model.toxics import TOXICS
from gameday.model.units import format_ms, format_ratio


def show_plan(plan: Plan) -> str:
    """The whole text, ending in a newline."""
    scenario = plan.scenario
    profile = f", profile {scenario.profile}" if scenario.profile else ""
    lines = [
        f"{scenario.id}: {scenario.title}",
        f"environment {plan.environment.name}{profile}, seed {plan.seed}",
        "",
        f"hypothesis: {' '.join(scenario.hypothesis.split())}",
        "",
        f"load       {_load(scenario.load)}",
        f"toxiproxy  {plan.environment.toxiproxy_url or 'toxiproxy-server on PATH, else embedded'}",
        f"alerts     {_alerts(plan)}",
        "",
        "in order:",
    ]
    lines += [f"  {line}" for line in _order(plan)]
    lines += ["", "expected:"]
    lines += [f"  {line}" for line in _expected(plan)]
    stops = ", ".join(f"`{c.text}`" for c in scenario.stop_when)
    limits = plan.schedule.limits
    lines += [
        "",
        f"stops when {stops}; at the latest after {format_ms(limits.deadline_ms)}",
        f"every revert is tried for {format_ms(limits.revert_for_ms)} and read back",
        "nothing was touched",
    ]
    return "\n".join(lines) + "\n"


def show_fault(fault: FaultSpec) -> str:
    """One fault in words: `latency 800 ms, jitter 50 ms on payments (downstream, 100 %)`."""
    if fault.toxic is None:
        return f"{fault.target} refuses connections"
    toxic = fault.toxic
    values = ", ".join(
        f"{name} {value} {TOXICS[toxic.type][name].unit}"
        for name, value in toxic.attributes.items()
    )
    share = "" if toxic.toxicity == 1 else f", {format_ratio(toxic.toxicity)} of connections"
    return f"{toxic.type} ({values}) on {fault.target}, {toxic.stream}{share}"


def _load(load: LoadSpec) -> str:
    if load.arrivals_per_s is not None:
        how = f"{load.arrivals_per_s:g} arrivals a second (open model)"
    else:
        how = f"{load.users} users (closed model)"
    what = load.locustfile or ", ".join(f"{j.name} x{j.weight}" for j in load.journeys)
    return f"{how} on {load.target}: {what}; timeout {format_ms(load.timeout_ms)}"


def _alerts(plan: Plan) -> str:
    alerting = plan.environment.alerting
    named = [u for u in (alerting.prometheus_url, alerting.alertmanager_url) if u]
    return " and ".join(named) or f"built in ({len(plan.builtin_alerts)} declared)"


def _order(plan: Plan) -> list[str]:
    scenario, phases = plan.scenario, plan.scenario.phases
    targets = sorted({f.target for f in scenario.faults})
    lines = []
    for name in targets:
        target = plan.environment.targets[name]
        lines.append(f"proxy {target.proxy} ({target.listen} -> {target.upstream}) is looked at")
    lines.append(f"warm-up {format_ms(phases.warmup_ms)}, then baseline")
    lines.append(f"baseline {format_ms(phases.baseline_ms)}; if it does not hold nothing is broken")
    for fault in scenario.faults:
        length = fault.length_ms
        length = phases.fault_ms - fault.start_ms if length is None else length
        lines.append(
            f"fault {fault.id}: {show_fault(fault)}; {format_ms(fault.start_ms)} into the phase, "
            f"for {format_ms(length)}; undone by replacing the proxy as it was"
        )
    lines.append(f"recovery {format_ms(phases.recovery_ms)} after the last fault is confirmed off")
    return lines


def _expected(plan: Plan) -> list[str]:
    expect = plan.scenario.expect
    lines = [
        f"{phase}: {criterion.text}"
        for phase, criteria in (
            ("baseline", expect.baseline),
            ("fault", expect.fault),
            ("recovery", expect.recovery),
        )
        for criterion in criteria
    ]
    for alert in expect.alerts:
        to = f", delivered to {alert.receiver}" if alert.receiver else ""
        lines.append(f"alert {alert.alert} within {format_ms(alert.fires_within_ms)}{to}")
    for matcher in expect.quiet:
        lines.append("quiet: " + ", ".join(f"{k}={v}" for k, v in matcher.items()))
    lines += [f"runbook {r.path} has its sections" for r in expect.runbooks]
    return lines
