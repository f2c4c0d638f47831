"""Rules about a load that searches its breakpoint: nothing is broken but by the load itself."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.kpi.breakpoint import stairs_of
from gameday.kpi.rising import is_limit_from_above
from gameday.model.criteria import MetricKind
from gameday.model.diagnostics import Diagnostic
from gameday.model.units import format_ms
from gameday.scenario.sample import needed, requests
from gameday.scenario.scope import Scope, rule

CODE = "load/breakpoint"


def nothing_else_breaks(scope: Scope) -> Iterator[Diagnostic]:
    """What breaks is the load's doing, and nothing is to be noticed of a fault."""
    if scope.scenario.load.breakpoint is None:
        return
    if scope.scenario.faults:
        yield scope.marks.problem(
            CODE,
            ("faults",),
            "`breakpoint` asks what the service bears when nothing is broken, and there are faults",
            "write `faults: []`; `stress` raises the load while a fault is in",
            key=True,
        )
    for part in ("alerts", "quiet"):
        if getattr(scope.scenario.expect, part):
            yield scope.marks.problem(
                CODE,
                ("expect", part),
                f"`{part}` are judged by a fault, and `breakpoint` has none",
                "remove them here; expect alerts in a scenario with a fault",
                key=True,
            )


def objectives(scope: Scope) -> Iterator[Diagnostic]:
    """There is something that can break, and refusing quickly is no way to be fast."""
    if scope.scenario.load.breakpoint is None or "expect.fault" in scope.broken:
        return
    limits = [c for _, c in scope.conditions("fault") if is_limit_from_above(c)]
    if not any(c.kind is MetricKind.RATIO and c.subject is None for c in limits):
        yield scope.marks.problem(
            CODE,
            ("expect",),
            "no limit on the errors of all requests in `fault` of `expect`: "
            "a service that refuses quickly would look fast at every step",
            "add `fault: [errors < 1%]`, beside the latency that has to hold",
            key=True,
        )


def steps_are_measurable(scope: Scope) -> Iterator[Diagnostic]:
    """Every step has enough requests to measure what is expected."""
    load = scope.scenario.load
    for path, condition in scope.conditions("fault"):
        need = needed(condition)
        for stair in stairs_of(load):
            seen = requests(load, condition.subject, stair.length_ms, from_ms=stair.begin_ms)
            if seen is not None and 0 < seen < need:
                yield scope.marks.problem(
                    "expect/not-measurable",
                    path,
                    f"`{condition.text}` takes {need} requests to measure, but the step of "
                    f"{format_ms(stair.length_ms)} at {stair.per_s:g}/s has about {seen:.0f}",
                    "lengthen `phases.fault`, write fewer `steps`, or use a lower percentile",
                )
                break


RULES = (
    rule(nothing_else_breaks, CODE, needs=("load", "phases", "faults")),
    rule(objectives, CODE, needs=("load", "phases")),
    rule(steps_are_measurable, "expect/not-measurable", needs=("load", "phases")),
)
