"""The state of a run as metrics: the text format of Prometheus, and OpenMetrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gameday.model.criteria import MetricKind
from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.report.livejson import detection_of
from gameday.report.livestate import LiveState
from gameday.report.text import encodable

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPEN_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_PHASES = ("starting", "warmup", "baseline", "fault", "recovery", "end")
_IN_DOUBT = ("going in", "going out", "UNKNOWN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line: its labels, its value, and what stands behind the family's name."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric. `kind` is `gauge`, `counter`, `summary` or `info`; a counter's name has no end."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


class MetricsView:
    """Follows a run, for whoever asks for its metrics, from any thread."""

    def __init__(self, plan: Plan) -> None:
        self._state = LiveState(plan)
        self._lock = threading.Lock()
        self._dropped = 0

    def see(self, event: Event) -> None:
        """Take one event in."""
        with self._lock:
            self._state.see(event)

    def tick(self, now_ms: int) -> None:
        """It is *now_ms*, though nothing happened."""
        with self._lock:
            self._state.now_ms = max(self._state.now_ms, now_ms)

    def dropped(self, count: int) -> None:
        """So many events could not be taken in."""
        self._dropped = count

    def close(self) -> None:
        """Nothing is held open."""

    def text(self, accept: str) -> tuple[str, str]:
        """The content type that the header *accept* asks for, and the metrics in it."""
        with self._lock:
            families = [*families_of(self._state), _dropped(self._dropped)]
        is_open = "application/openmetrics-text" in accept
        return (OPEN_TYPE if is_open else TEXT_TYPE), exposition(families, openmetrics=is_open)


def exposition(families: Iterable[Family], *, openmetrics: bool) -> str:
    """The text that a scrape gets."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        end = {"counter": "_total", "info": "_info"}.get(family.kind, "")
        name = family.name if openmetrics else family.name + end
        kind = family.kind if openmetrics or family.kind != "info" else "gauge"
        said = _escaped(family.help, quotes=openmetrics)
        lines += [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
        lines += [
            f"{family.name}{end}{s.suffix}{_labels(s)} {_number(s.value)}" for s in family.samples
        ]
    return "\n".join([*lines, *(["# EOF"] if openmetrics else [])]) + "\n"


def _labels(sample: Sample) -> str:
    pairs = [f'{name}="{_escaped(text, quotes=True)}"' for name, text in sample.labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(text: str, *, quotes: bool) -> str:
    text = encodable(text).replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return repr(float(value)) if value != int(value) else str(int(value))


def families_of(state: LiveState) -> Iterator[Family]:
    """All metrics of a run as it is now. Times in seconds, shares between 0 and 1."""
    yield from _run(state)
    yield from _faults_and_alerts(state)
    yield from _load(state)
    yield from _generator(state)
    yield from _limits(state)


def _one(name: str, said: str, value: float | None, kind: str = "gauge") -> Family:
    samples = () if value is None else (Sample(value=value),)
    return Family(name=f"gameday_{name}", kind=kind, help=said, samples=samples)


def _many(
    name: str, said: str, found: Iterable[tuple[Mapping[str, str], float | None]],
    kind: str = "gauge",
) -> Family:  # fmt: skip
    samples = tuple(Sample(labels=labels, value=v) for labels, v in found if v is not None)
    return Family(name=f"gameday_{name}", kind=kind, help=said, samples=samples)


def _dropped(count: int) -> Family:
    said = "Events that the metrics missed because they came too fast."
    return _one("metrics_events_dropped", said, count, "counter")


def _run(state: LiveState) -> Iterator[Family]:
    scenario = state.plan.scenario
    labels = {
        "run_id": state.run_id,
        "scenario": scenario.id,
        "service": scenario.service,
        "environment": state.plan.environment.name,
        "profile": scenario.profile,
    }
    yield _many("run", "Which run this is.", [(labels, 1.0)], "info")
    names = (*_PHASES, *([state.phase] if state.phase not in _PHASES else []))
    phases = [({"phase": name}, float(name == state.phase)) for name in names]
    yield _many("phase", "The phase of the run: 1 for the one that it is in.", phases)
    yield _one("run_time_seconds", "Time since the origin of the run.", state.now_ms / 1000)
    left, run_left = state.left_ms, state.run_left_ms
    yield _one("phase_left_seconds", "What is left of the phase.", _s(left))
    yield _one("run_left_seconds", "What is left of the run.", _s(run_left))
    yield _one("run_stopped", "Whether the run is being stopped.", float(bool(state.stopped)))


def _faults_and_alerts(state: LiveState) -> Iterator[Family]:
    targets = {spec.id: spec.target for spec in state.plan.scenario.faults}
    faults = [
        ({"fault": name, "target": targets.get(name, "")}, light.state)
        for name, light in state.faults.items()
    ]
    active = [(labels, float(word == "ON")) for labels, word in faults]
    doubt = [(labels, float(word in _IN_DOUBT)) for labels, word in faults]
    yield _many("fault_active", "Whether a fault is confirmed on.", active)
    yield _many("fault_in_doubt", "Whether a fault may be in place and is not confirmed.", doubt)
    alerts = [
        ({"alert": name}, float(light.state == "firing" or light.state.startswith("delivered")))
        for name, light in state.alerts.items()
    ]
    yield _many("alert_firing", "Whether an alert fires, as far as was seen.", alerts)
    clocks = [
        ({"alert": name, "fired": str(one["fired"]).lower()}, _s(one["since_fault_ms"]))
        for name, one in detection_of(state).items()
    ]
    said = "From the fault confirmed on until the alert fired, or until now."
    yield _many("detection_seconds", said, clocks)


def _load(state: LiveState) -> Iterator[Family]:
    numbers, totals = state.numbers, state.totals
    yield _one("arrivals_asked", "Visits that were due.", totals.asked, "counter")
    yield _one("arrivals_served", "Visits that were taken up.", totals.served, "counter")
    yield _one("requests_good", "Requests that succeeded.", totals.good, "counter")
    errors = [({"kind": kind}, float(n)) for kind, n in totals.errors.items()]
    yield _many("request_errors", "Requests that failed, by kind.", errors, "counter")
    yield _one("requests_in_flight", "Requests under way.", numbers.in_flight)
    oldest = numbers.oldest_ms / 1000
    yield _one("oldest_request_seconds", "The age of the oldest request under way.", oldest)
    yield _one("arrivals_queued", "Visits that wait for a user.", numbers.queued)
    quantiles = (("0.5", numbers.p50_ms), ("0.95", numbers.p95_ms), ("0.99", numbers.p99_ms))
    samples = [
        Sample(labels={"quantile": q}, value=ms / 1000) for q, ms in quantiles if ms is not None
    ]
    samples.append(Sample(value=totals.good_ms / 1000, suffix="_sum"))
    samples.append(Sample(value=totals.good, suffix="_count"))
    said = "Response times of good requests; the quantiles are those of the last five seconds."
    yield Family(name="gameday_response_seconds", kind="summary", help=said, samples=tuple(samples))


def _generator(state: LiveState) -> Iterator[Family]:
    found = state.generator
    if not found.workers:
        return
    lag = None if found.lag_p99_ms is None else found.lag_p99_ms / 1000
    loop = found.loop_lag_ms / 1000
    yield _one("generator_workers", "Processes of the load generator.", found.workers)
    yield _one("generator_start_lag_seconds", "How late visits start: p99 of the last second.", lag)
    yield _one("generator_loop_lag_seconds", "How late the generator's own loop is.", loop)
    yield _one("generator_cpu_ratio", "Of one core, in the last second.", found.cpu_share)


def _limits(state: LiveState) -> Iterator[Family]:
    values, limits, held, used = [], [], [], []
    for margin in state.margins:
        one = margin.criterion
        labels = {"condition": one.text}
        scale = 1.0 if one.kind is MetricKind.RATIO else 1000.0
        values.append((labels, None if margin.value is None else margin.value / scale))
        limits.append((labels, one.limit / scale))
        held.append((labels, margin.held_ms / 1000))
        used.append((labels, None if margin.used is None else min(1.0, margin.used)))
    yield _many("stop_condition_value", "What a stop condition is now (share or seconds).", values)
    yield _many("stop_condition_limit", "Its limit (share or seconds).", limits)
    yield _many("stop_condition_held_seconds", "For how long it has been true.", held)
    said = "How near it is to its limit: 1 has reached it."
    yield _many("stop_condition_used_ratio", said, used)
    signals = [({"condition": name}, float(s.state == "good")) for name, s in state.signals.items()]
    yield _many("stop_signal_good", "Whether a stop signal was read and is good.", signals)
    goals = [
        (
            {"objective": one.text, "phase": state.phase},
            None if one.holds is None else float(one.holds),
        )
        for one in state.objectives
    ]
    yield _many("objective_holds", "Whether an expectation of the phase holds so far.", goals)


def _s(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
