"""What a rule sees: a scenario, the project around it, and the places in its file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from gameday.model.criteria import Criterion
from gameday.model.diagnostics import Diagnostic
from gameday.model.project import Environment, Project
from gameday.model.scenario import Scenario, StopSignal
from gameday.scenario.node import Marks, Path

T = TypeVar("T")

#: The parts of `expect` that hold conditions, with the phase in which each is measured.
PHASES_OF_EXPECT = ("baseline", "fault", "recovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scenario, with one profile, in one environment. Rules without a project leave both None.

    `broken` names parts of the scenario that could not be read.
    """

    scenario: Scenario
    marks: Marks
    broken: frozenset[str] = frozenset()
    project: Project | None = None
    environment: Environment | None = None

    def conditions(self, phase: str) -> Iterator[tuple[Path, Criterion]]:
        """The conditions expected in a phase that were readable, with their places."""
        if f"expect.{phase}" in self.broken:
            return
        for position, condition in enumerate(getattr(self.scenario.expect, phase)):
            if isinstance(condition, Criterion):
                yield ("expect", phase, position), condition

    def all_conditions(self) -> Iterator[tuple[str, Path, Criterion]]:
        """All expected conditions, with phase and place."""
        for phase in PHASES_OF_EXPECT:
            for path, condition in self.conditions(phase):
                yield phase, path, condition

    def stop_criteria(self) -> Iterator[tuple[int, Criterion]]:
        """The stop conditions on the load, with their positions in the file."""
        yield from self._with_positions(self.scenario.stop_when, mapping=False)

    def stop_signals(self) -> Iterator[tuple[int, StopSignal]]:
        """The stop conditions on other signals, with their positions in the file."""
        yield from self._with_positions(self.scenario.stop_signals, mapping=True)

    def _with_positions(self, stops: tuple[T, ...], *, mapping: bool) -> Iterator[tuple[int, T]]:
        """In the file both kinds stand in one list."""
        root = self.marks.root
        node = root.child("stop_when") if root is not None else None
        if node is None or not isinstance(node.value, list):
            yield from enumerate(stops)
            return
        places = [n for n, one in enumerate(node.value) if isinstance(one.value, dict) is mapping]
        yield from zip(places, stops, strict=False)

    def stage_conditions(self) -> Iterator[tuple[Path, Criterion]]:
        """The conditions behind which stages stand, with their places."""
        for position, fault in enumerate(self.scenario.faults):
            for number, stage in enumerate(fault.stages):
                if stage.when is not None:
                    yield ("faults", position, "stages", number, "when"), stage.when

    def phase_ms(self, phase: str) -> int:
        """The length of a phase. The recovery begins when the last fault has ended."""
        if phase == "fault" and "faults" not in self.broken and self.scenario.faults:
            faults = enumerate(self.scenario.faults)
            return max(f.start_ms + self.fault_length_ms(i) for i, f in faults)
        length: int = getattr(self.scenario.phases, f"{phase}_ms")
        return length

    def phase_start_ms(self, phase: str) -> int:
        """When a phase begins, at the earliest, since the start of the load."""
        phases = self.scenario.phases
        match phase:
            case "baseline":
                return phases.warmup_ms
            case "fault":
                return phases.fault_start_ms
            case _:
                return phases.fault_start_ms + self.phase_ms("fault")

    def fault_length_ms(self, position: int) -> int:
        """How long one fault is in, to the end of the fault phase unless it says otherwise."""
        fault = self.scenario.faults[position]
        return fault.end_ms(self.scenario.phases.fault_ms) - fault.start_ms


Check: TypeAlias = Callable[[Scope], Iterable[Diagnostic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it looks at, the codes it gives, and the parts it cannot do without.

    `linked` rules need a project and its environment.
    """

    check: Check
    codes: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    linked: bool = False


def rule(check: Check, *codes: str, needs: Iterable[str] = (), linked: bool = False) -> Rule:
    """A row of a table of rules."""
    return Rule(check=check, codes=codes, needs=frozenset(needs), linked=linked)
