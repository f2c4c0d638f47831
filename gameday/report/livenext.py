"""What happens next in a run, and when, as far as the plan says. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gameday.model.scenario import FaultSpec
from gameday.report.livestate import LiveState

_AFTER = {"warmup": "baseline", "baseline": "fault", "fault": "recovery"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Something that comes: in so many milliseconds, or when what `text` says has happened."""

    in_ms: int | None
    text: str


def coming(state: LiveState) -> list[Coming]:
    """What comes, the next first; what waits for a person before that."""
    if state.stopped or state.phase not in state.lengths:
        return [Coming(in_ms=None, text=_untimed(state))]
    found = list(_timed(state))
    return sorted(found, key=lambda one: -1 if one.in_ms is None else one.in_ms)


def _untimed(state: LiveState) -> str:
    if state.stopped:
        left = any(light.state in _NOT_OFF for light in state.faults.values())
        return "faults are taken out and read back" if left else "the verdict"
    if state.phase == "starting":
        return "targets are opened, then the load starts"
    return "alerts and runbooks are read, then the verdict"


_NOT_OFF = ("ON", "going in", "going out", "UNKNOWN")


def _timed(state: LiveState) -> Iterator[Coming]:
    left = state.left_ms or 0
    if state.phase == "recovery":
        yield Coming(in_ms=left, text="load stops, then the verdict")
    else:
        yield Coming(in_ms=left, text=f"{_AFTER[state.phase]} begins")
    if state.phase == "baseline":
        for fault in state.plan.scenario.faults:
            yield Coming(in_ms=left + fault.start_ms, text=f"{fault.id} goes in")
    elif state.phase == "fault":
        for fault in state.plan.scenario.faults:
            yield from _fault(state, fault)
    yield from _detection(state)


def _fault(state: LiveState, fault: FaultSpec) -> Iterator[Coming]:
    """When it goes in, gets stronger and goes out."""
    light = state.faults[fault.id]
    if light.state == "off":
        at_ms = state.phase_since_ms + fault.start_ms
        yield Coming(in_ms=max(0, at_ms - state.now_ms), text=f"{fault.id} goes in")
    if light.state != "ON":
        return
    confirmed = state.stages.get(fault.id, [])
    for stage in fault.stages[max(0, len(confirmed) - 1) :][:1]:
        said = f"{fault.id} gets stronger"
        if stage.after_ms is not None:
            at_ms = confirmed[-1] + stage.after_ms
            yield Coming(in_ms=max(0, at_ms - state.now_ms), text=said)
        elif stage.gate is not None:
            yield Coming(in_ms=None, text=f"{said} at `gameday gate {stage.gate}`")
        elif stage.when is not None:
            yield Coming(in_ms=None, text=f"{said} when {stage.when.text}")
    at_ms = state.phase_since_ms + fault.end_ms(state.plan.scenario.phases.fault_ms)
    said = "goes out at the latest" if fault.hold else "goes out"
    yield Coming(in_ms=max(0, at_ms - state.now_ms), text=f"{fault.id} {said}")


def _detection(state: LiveState) -> Iterator[Coming]:
    """Until when an expected alert has to fire."""
    for expected in state.plan.scenario.expect.alerts:
        on_ms = on_of(state, expected.fault)
        light = state.alerts[expected.alert]
        if on_ms is None or light.state not in ("quiet", "pending"):
            continue
        left = on_ms + expected.fires_within_ms - state.now_ms
        if left >= 0:
            yield Coming(in_ms=left, text=f"{expected.alert} must have fired")


def on_of(state: LiveState, fault: str | None) -> int | None:
    """When the fault that an alert should catch was confirmed on; the first unless named."""
    if fault is None:
        return state.fault_on_ms
    found = state.stages.get(fault)
    return found[0] if found else None
