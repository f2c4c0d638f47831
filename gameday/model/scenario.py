"""A scenario as somebody wrote it, checked: what breaks, under which load, what should be noticed.

All times are milliseconds, all shares are between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.model.criteria import Criterion, Steady


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What an answer to one request must look like. None means: any status below 400."""

    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStep:
    """One request of a journey. `name` is what it is called in numbers and criteria."""

    method: str
    path: str
    name: str
    json: Any = None
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What one visitor does: steps in order. `weight` is its share among the journeys."""

    name: str
    steps: tuple[RequestStep, ...]
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """The traffic. Exactly one of `arrivals_per_s` (open model) and `users` (closed) is set."""

    target: str
    arrivals_per_s: float | None = None
    users: int | None = None
    think_ms: int = 0  # of a closed user, between two iterations
    timeout_ms: int = 10_000
    journeys: tuple[Journey, ...] = ()
    locustfile: str | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Lengths. Warm-up is never judged; recovery starts when the last fault is confirmed off."""

    warmup_ms: int = 3_000
    baseline_ms: int
    fault_ms: int
    recovery_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicSpec:
    """A Toxiproxy toxic; `attributes` carry the names and units of the Toxiproxy API.

    Whole milliseconds for latency, jitter, timeout and the delay of slow_close; KB/s for rate;
    bytes for sizes; whole microseconds for the delay of slicer.
    """

    type: str
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """One failure. Either a toxic, or `down` (the proxy refuses connections).

    `start_ms` counts from the start of the fault phase, `length_ms` from there; without a length it
    lasts to the end of the fault phase.
    """

    id: str
    target: str
    toxic: ToxicSpec | None = None
    down: bool = False
    start_ms: int = 0
    length_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertExpectation:
    """An alert that should catch the fault. `labels` is a subset of the alert's labels.

    `fires_within_ms` counts from the fault confirmed on to the evaluation that fired (and, where a
    `receiver` is named, to the delivery); `resolves_within_ms` from the fault confirmed off.
    """

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)
    fires_within_ms: int
    resolves_within_ms: int | None = None
    receiver: str | None = None
    runbook: str | None = None
    fault: str | None = None  # the fault whose start is meant; the first one unless named


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookExpectation:
    """A runbook that must resolve and have its sections."""

    path: str
    restores_within_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What should hold in each phase, which alerts should fire, and which must stay quiet."""

    baseline: tuple[Criterion, ...] = ()
    fault: tuple[Criterion, ...] = ()
    recovery: tuple[Criterion | Steady, ...] = ()
    alerts: tuple[AlertExpectation, ...] = ()
    quiet: tuple[Mapping[str, str], ...] = ()  # label matchers of alerts that must not fire
    runbooks: tuple[RunbookExpectation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario with its profile applied. `file` is where it was read."""

    id: str
    title: str
    service: str
    owner: str
    hypothesis: str
    tags: tuple[str, ...] = ()
    load: LoadSpec
    phases: Phases
    faults: tuple[FaultSpec, ...]
    expect: Expectations
    stop_when: tuple[Criterion, ...]
    revert_for_ms: int = 60_000
    profile: str = ""
    file: str = ""
