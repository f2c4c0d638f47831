"""What every check is given: the plan, the timeline, and views of it that are computed once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gameday.kpi import seen, spans
from gameday.kpi.generator import slack_ms
from gameday.kpi.stats import ticks_of
from gameday.kpi.steady import Slices
from gameday.model.criteria import Criterion
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gameday.model.window import Tick


class Case:
    """One run to judge.

    Views are made when they are first asked for, so one that cannot be made is a crash of the
    checks that need it, not of all.
    """

    def __init__(self, plan: Plan, timeline: Timeline) -> None:
        self.plan = plan
        self.timeline = timeline

    @cached_property
    def windows(self) -> Mapping[str, spans.Window]:
        """The phases that were entered."""
        return spans.windows_of(self.timeline)

    @cached_property
    def faults(self) -> tuple[spans.FaultSpan, ...]:
        """Each fault of the plan."""
        return spans.faults_of(self.plan, self.timeline)

    @cached_property
    def ticks(self) -> tuple[Tick, ...]:
        """The load's seconds."""
        return ticks_of(self.timeline)

    @cached_property
    def slices(self) -> Slices:
        """The load's cells by second."""
        return Slices(self.ticks)

    @cached_property
    def sightings(self) -> tuple[seen.Sighting, ...]:
        """Alert episodes in run time."""
        return seen.sightings_of(self.timeline)

    @cached_property
    def deliveries(self) -> tuple[seen.Delivery, ...]:
        """What reached a receiver."""
        return seen.deliveries_of(self.timeline)

    @cached_property
    def sight(self) -> seen.Sight:
        """How far the source that evaluates the alerts could be seen."""
        return seen.sight_of(self.timeline, seen.rule_source(self.plan))

    @property
    def alerts(self) -> tuple[AlertExpectation, ...]:
        """The alerts that should catch the fault."""
        return self.plan.scenario.expect.alerts

    @property
    def baseline_criteria(self) -> tuple[Criterion, ...]:
        """What holds when nothing is broken."""
        return self.plan.scenario.expect.baseline

    @property
    def slack_ms(self) -> float:
        """How much delay of our own the tightest latency limit can bear: a tenth of it."""
        return slack_ms(self.plan.scenario.expect)

    def fault_for(self, expected: AlertExpectation) -> spans.FaultSpan:
        """The fault that an alert should catch. Raises `LookupError` if the plan has none such."""
        for fault in self.faults:
            if expected.fault in (None, fault.id):
                return fault
        raise LookupError(f"the plan has no fault `{expected.fault}`")

    def sightings_of(self, expected: AlertExpectation) -> tuple[seen.Sighting, ...]:
        """Episodes of the expected alert, oldest first."""
        return tuple(s for s in self.sightings if seen.is_expected(expected, s.alert, s.labels))


def alert_name(expected: AlertExpectation) -> str:
    """The alert as people name it: `PaymentsSlow{severity=page}`."""
    labels = ", ".join(f"{k}={v}" for k, v in sorted(expected.labels.items()))
    return f"{expected.alert}{{{labels}}}" if labels else expected.alert
