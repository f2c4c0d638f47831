"""Rules about phases and faults: each begins, ends, and fits."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.model.units import format_ms
from gameday.scenario.scope import Scope, rule


def some_fault(scope: Scope) -> Iterator[Diagnostic]:
    """A scenario breaks something."""
    may_be_none = "load" in scope.broken or scope.scenario.load.breakpoint is not None
    if not scope.scenario.faults and not may_be_none:
        yield scope.marks.problem(
            "fault/none",
            ("faults",),
            "no fault in `faults`: the scenario breaks nothing",
            "add `{id: slow, target: …, toxic: {type: latency, latency: 800ms}}`",
            key=True,
        )


def unique_ids(scope: Scope) -> Iterator[Diagnostic]:
    """Faults are told apart by their ids."""
    first: dict[str, int] = {}
    for position, fault in enumerate(scope.scenario.faults):
        if first.setdefault(fault.id, position) != position:
            yield scope.marks.problem(
                "fault/duplicate-id",
                ("faults", position, "id"),
                f"`{fault.id}` is the id of two faults",
                "give each fault an id of its own",
            )


def ends(scope: Scope) -> Iterator[Diagnostic]:
    """Every fault ends, and within the fault phase."""
    phase_ms = scope.scenario.phases.fault_ms
    for position, fault in enumerate(scope.scenario.faults):
        path = ("faults", position)
        if fault.length_ms == 0 or (fault.length_ms is None and phase_ms == 0):
            given = fault.length_ms is not None
            yield scope.marks.problem(
                "fault/no-end",
                (*path, "length") if given else ("phases", "fault"),
                f"the fault `{fault.id}` has no end",
                "write how long it lasts, at least `1s`"
                if given
                else "write how long the fault phase lasts, at least `1s`",
            )
        elif fault.start_ms >= phase_ms:
            yield scope.marks.problem(
                "fault/after-phase",
                (*path, "start"),
                f"the fault `{fault.id}` starts at {format_ms(fault.start_ms)}, "
                f"but the fault phase is {format_ms(phase_ms)} long",
                "start it earlier, or lengthen `phases.fault`",
            )
        elif fault.length_ms is not None and fault.start_ms + fault.length_ms > phase_ms:
            end_ms = fault.start_ms + fault.length_ms
            yield scope.marks.problem(
                "fault/longer-than-phase",
                (*path, "length"),
                f"the fault `{fault.id}` ends at {format_ms(end_ms)}, "
                f"but the fault phase is {format_ms(phase_ms)} long",
                "shorten `length`, or lengthen `phases.fault`",
            )


RULES = (
    rule(some_fault, "fault/none", needs=("faults",)),
    rule(unique_ids, "fault/duplicate-id", needs=("faults",)),
    rule(
        ends,
        "fault/no-end",
        "fault/after-phase",
        "fault/longer-than-phase",
        needs=("faults", "phases"),
    ),
)
