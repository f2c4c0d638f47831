"""The control run of a scenario: the same load for the same time, and nothing is broken."""

from __future__ import annotations

from dataclasses import replace

from gameday.errors import UsageError
from gameday.model.project import Environment
from gameday.model.scenario import ControlSpec, Expectations, Scenario


def control_of(scenario: Scenario, environment: Environment) -> Scenario:
    """*scenario* without its faults, and with what then has to hold.

    The objectives of the baseline hold in every phase, and what is asked afterwards is answered as
    ever; no alert is expected, and none may fire. The
    targets that would be broken are made ready all the same: what goes through their proxies goes
    there without a fault too. Raises UsageError when there is no fault to leave out.
    """
    if not scenario.faults:
        raise UsageError(
            f"`{scenario.id}` has no faults, so there is nothing that a control run could leave "
            "out; run it without `--control`"
        )
    phases, expect = scenario.phases, scenario.expect
    last_ms = max(fault.end_ms(phases.fault_ms) for fault in scenario.faults)
    targets = dict.fromkeys(fault.target for fault in scenario.faults)
    return replace(
        scenario,
        faults=(),
        phases=replace(phases, fault_ms=last_ms),
        expect=Expectations(
            baseline=expect.baseline,
            fault=expect.baseline,
            recovery=expect.baseline,
            answers=expect.answers,
        ),
        control=ControlSpec(
            faults=tuple(fault.id for fault in scenario.faults),
            proxies=tuple(dict.fromkeys(f.target for f in scenario.faults if f.on_proxy)),
            started=tuple(name for name in targets if environment.targets[name].is_started),
        ),
    )
