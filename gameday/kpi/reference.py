"""When the built-in burn-rate alert would have fired: what a team's own alerts are compared with.

It is worked out again from the load's seconds, so it is there whoever evaluated the alerts.
"""

from __future__ import annotations

from dataclasses import dataclass

from gameday.kpi.burn import REFERENCES, BurnRate
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.project import Slo
from gameday.model.window import Tick, tick_from_json

#: It looks at whole seconds of the load.
ERROR_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """When the reference fired first, in run time; None if it did not until `until_ms`.

    `why` says why there is none at all; else it is empty.
    """

    name: str = ""
    at_ms: int | None = None
    until_ms: int = 0
    why: str = ""


def reference_alert(plan: Plan, timeline: Timeline, *, since_ms: int) -> Reference:
    """The first burn-rate alert of any objective of the service that fires from *since_ms* on."""
    overdue_ms = max(1, plan.scenario.load.timeout_ms // 2)
    rates = [BurnRate(slo, overdue_ms=overdue_ms) for slo in plan.service.slos]
    able = [rate for rate in rates if rate.can_fire]
    if not able:
        what = "no objective" if not rates else "only objectives too wide to burn fast"
        return Reference(why=f"the service has {what}")
    seconds: dict[int, list[Tick]] = {}
    for event in timeline.of("load.window"):
        tick = tick_from_json(event.data)
        seconds.setdefault(tick.second, []).append(tick)
    if not seconds:
        return Reference(why="the load told nothing")
    was = {rate.slo.name: False for rate in able}
    for second in range(min(seconds), max(seconds) + 1):
        at_ms = (second + 1) * 1000
        for rate in able:
            true = rate.feed(seconds.get(second, ()), second).true is True
            if true and at_ms >= since_ms and not was[rate.slo.name]:
                return Reference(name=_name(rate.slo), at_ms=at_ms, until_ms=at_ms)
            was[rate.slo.name] = true
    if any(was.values()):
        return Reference(why="the budget burned fast before the fault already")
    return Reference(name=_name(able[0].slo), until_ms=(max(seconds) + 1) * 1000)


def _name(slo: Slo) -> str:
    return f"{REFERENCES[0] if slo.latency_ms is None else REFERENCES[1]}{{slo={slo.name}}}"
