"""The state of the live view for machines: what `gameday run --json` tells once a second."""

from __future__ import annotations

from typing import Any

from gameday.report.livenext import coming, on_of
from gameday.report.livestate import LiveState


def status_of(state: LiveState) -> dict[str, Any]:
    """The state as plain data. Times in ms of run time, shares between 0 and 1."""
    return {
        "at_ms": state.now_ms,
        "phase": state.phase,
        "phase_left_ms": state.left_ms,
        "run_left_ms": state.run_left_ms,
        **_load(state),
        "faults": {name: light.state for name, light in state.faults.items()},
        "alerts": {name: light.state for name, light in state.alerts.items()},
        "detection": detection_of(state),
        "objectives": {
            one.text: {"value": one.value, "holds": one.holds, "said": one.said}
            for one in state.objectives
        },
        "stop_when": {
            m.criterion.text: {
                "value": m.value,
                "limit": m.criterion.limit,
                "held_ms": m.held_ms,
                "for_ms": m.criterion.for_ms,
            }
            for m in state.margins
        },
        "signals": {
            text: {"state": s.state, "value": s.value, "held_ms": state.now_ms - s.since_ms}
            for text, s in state.signals.items()
        },
        "next": [{"in_ms": one.in_ms, "what": one.text} for one in coming(state)],
        "stopped": state.stopped or None,
        "hints": list(state.hints.values()),
    }


def _load(state: LiveState) -> dict[str, Any]:
    numbers, generator = state.numbers, state.generator
    return {
        "asked_per_s": numbers.asked_per_s,
        "served_per_s": numbers.served_per_s,
        "good_per_s": numbers.good_per_s,
        "error_ratio": numbers.error_ratio,
        "errors": numbers.errors,
        "p50_ms": numbers.p50_ms,
        "p95_ms": numbers.p95_ms,
        "p99_ms": numbers.p99_ms,
        "in_flight": numbers.in_flight,
        "oldest_ms": numbers.oldest_ms,
        "queued": numbers.queued,
        "generator": {
            "workers": generator.workers,
            "users": generator.users,
            "start_lag_p99_ms": generator.lag_p99_ms,
            "loop_lag_ms": generator.loop_lag_ms,
            "cpu_share": generator.cpu_share,
        },
    }


def detection_of(state: LiveState) -> dict[str, Any]:
    """How long ago the fault of each expected alert came, until it fired; with the limit."""
    found: dict[str, Any] = {}
    for expected in state.plan.scenario.expect.alerts:
        on_ms, light = on_of(state, expected.fault), state.alerts[expected.alert]
        lane = state.lanes.get(f"alert/{expected.alert}", [])
        fired = next((s.from_ms for s in lane if s.what == "firing"), None)
        if fired is None and light.state.startswith("delivered"):
            fired = light.since_ms
        until = state.now_ms if fired is None else fired
        found[expected.alert] = {
            "since_fault_ms": None if on_ms is None else until - on_ms,
            "fired": fired is not None,
            "limit_ms": expected.fires_within_ms,
        }
    return found
