"""What the live view shows, folded from the events so far. Pure: no terminal, no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from gameday.kpi.live import LiveCriterion
from gameday.kpi.seconds import WholeSeconds
from gameday.model.criteria import Criterion
from gameday.model.event import Event, Phase
from gameday.model.histogram import count, merged, quantile_ms
from gameday.model.pipeline import PROOF_ALERT
from gameday.model.plan import Plan
from gameday.model.window import Tick, tick_from_json

OVER_S = 5
#: A start lag above this, in the live view, is worth a word.
LAG_MS = 50.0


@dataclass(slots=True, kw_only=True)
class Light:
    """The state of one fault or one alert, and the run time since when."""

    state: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a stop condition is from tripping: its value now, and for how long it has held."""

    criterion: Criterion
    value: float | None
    held_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A stop condition on something else than the load: `good`, `BAD` or `cannot be read`."""

    state: str
    value: float | None
    since_ms: int


@dataclass(slots=True, kw_only=True)
class Numbers:
    """The load over the last five whole seconds; None where nothing can be said."""

    asked_per_s: float | None = None
    good_per_s: float | None = None
    error_ratio: float | None = None
    p95_ms: float | None = None
    in_flight: int = 0
    oldest_ms: int = 0
    queued: int = 0


@dataclass(slots=True)
class LiveState:
    """Everything on the screen. `see` takes each event once, in order."""

    plan: Plan
    now_ms: int = 0
    phase: str = "starting"
    phase_since_ms: int = 0
    faults: dict[str, Light] = field(default_factory=dict)
    alerts: dict[str, Light] = field(default_factory=dict)
    fault_on_ms: int | None = None
    numbers: Numbers = field(default_factory=Numbers)
    margins: list[Margin] = field(default_factory=list)
    signals: dict[str, Watched] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    _seconds: WholeSeconds = field(default_factory=WholeSeconds)
    _asked: dict[str, int] = field(default_factory=dict)  # so far, by worker
    _asked_last: deque[int] = field(default_factory=lambda: deque(maxlen=OVER_S + 1))
    _last: deque[list[Tick]] = field(default_factory=lambda: deque(maxlen=OVER_S + 1))
    _live: list[LiveCriterion] = field(default_factory=list)

    def __post_init__(self) -> None:
        scenario = self.plan.scenario
        self.faults = {f.id: Light(state="off", since_ms=0) for f in scenario.faults}
        self.alerts = {a.alert: Light(state="quiet", since_ms=0) for a in scenario.expect.alerts}
        overdue = max(1, scenario.load.timeout_ms // 2)  # as the run itself counts
        self._live = [LiveCriterion(c, overdue_ms=overdue) for c in scenario.stop_when]
        self.margins = [Margin(criterion=c, value=None, held_ms=0) for c in scenario.stop_when]

    def see(self, event: Event) -> None:
        """Take one event in."""
        self.now_ms = max(self.now_ms, event.at_ms)
        group = event.kind.partition(".")[0]
        if event.kind == "load.window":
            self._window(tick_from_json(event.data))
        elif event.kind == "run.phase":
            self.phase, self.phase_since_ms = event.subject, event.at_ms
        elif event.kind in ("fault.inject", "fault.revert"):
            self._fault(event)
        elif group == "alert":
            self._alert(event)
        elif event.kind == "signal.sample":
            self._signal(event)
        else:
            self._hint(event)

    @property
    def left_ms(self) -> int | None:
        """Until the phase should end; None outside the timed phases."""
        phases = self.plan.scenario.phases
        lengths = {
            "warmup": phases.warmup_ms,
            "baseline": phases.baseline_ms,
            "fault": phases.fault_ms,
            "recovery": phases.recovery_ms,
        }
        if self.phase not in lengths:
            return None
        return max(0, self.phase_since_ms + lengths[self.phase] - self.now_ms)

    @property
    def run_left_ms(self) -> int | None:
        """Until the run should end; None when that cannot be said."""
        phases = self.plan.scenario.phases
        order = (
            ("warmup", phases.warmup_ms),
            ("baseline", phases.baseline_ms),
            ("fault", phases.fault_ms),
            ("recovery", phases.recovery_ms),
        )
        names = [name for name, _ in order]
        if self.left_ms is None:
            return None
        after = order[names.index(self.phase) + 1 :]
        return self.left_ms + sum(length for _, length in after)

    def _fault(self, event: Event) -> None:
        words = {
            ("fault.inject", Phase.STARTED): "going in",
            ("fault.inject", Phase.OK): "ON",
            ("fault.inject", Phase.FAILED): "not injected",
            ("fault.revert", Phase.STARTED): "going out",
            ("fault.revert", Phase.OK): "off, read back",
        }
        state = words.get((event.kind, event.phase), "UNKNOWN")
        at_ms = int(event.data.get("confirmed_ms", event.at_ms))
        self.faults[event.subject] = Light(state=state, since_ms=at_ms)
        if state == "ON" and self.fault_on_ms is None:
            self.fault_on_ms = at_ms

    def _alert(self, event: Event) -> None:
        if event.kind == "alert.source.down":
            self.hints[event.subject] = f"{event.subject} cannot be read"
        elif event.kind == "alert.source.up":
            self.hints.pop(event.subject, None)
        elif event.kind == "alert.delivered":
            status = str(event.data.get("status", "firing"))
            state = f"delivered to {event.data.get('receiver', '?')}"
            if status == "firing" and event.subject != PROOF_ALERT:
                self.alerts[event.subject] = Light(state=state, since_ms=event.at_ms)
        elif event.kind in ("alert.pending", "alert.firing", "alert.resolved"):
            state = event.kind.partition(".")[2]
            if state == "resolved" and event.data.get("was") == "pending":
                state = "quiet"  # it never fired
            before = self.alerts.get(event.subject)
            if state != "firing" or before is None or not before.state.startswith("delivered"):
                self.alerts[event.subject] = Light(state=state, since_ms=event.at_ms)

    def _signal(self, event: Event) -> None:
        data = event.data
        state = "BAD" if data.get("bad") else "good" if data.get("ok") else "cannot be read"
        before = self.signals.get(event.subject)
        same = before is not None and before.state == state
        since_ms = before.since_ms if before is not None and same else event.at_ms
        value = data.get("value")
        value = float(value) if isinstance(value, (int, float)) else None
        self.signals[event.subject] = Watched(state=state, value=value, since_ms=since_ms)

    def _hint(self, event: Event) -> None:
        match event.kind:
            case "stop.tripped":
                self.stopped = f"{event.subject}: {event.data.get('reason', '')}".rstrip(": ")
            case "load.lost":
                self.hints["load"] = f"the load is lost: {event.data.get('why', '')}".rstrip(": ")
            case "load.worker" if event.data.get("state") == "lost":
                why = str(event.data.get("why", "")).partition("\n")[0]
                self.hints["worker"] = f"worker {event.subject} of the load is lost: {why}"
            case "stop.blind":
                self.hints["stop"] = f"the stop signal of {event.subject} cannot be read"
            case "sentinel.lost":
                self.hints["sentinel"] = "the sentinel is lost"
            case "proxy.health":
                lag = float(event.data.get("lag_p99_ms") or 0)
                if lag > LAG_MS:
                    self.hints["proxy"] = f"the proxy is slow itself: p99 {lag:.0f} ms"
                else:
                    self.hints.pop("proxy", None)

    def _window(self, tick: Tick) -> None:
        for second, ticks in self._seconds.feed(tick):
            self._whole(second, ticks)
        newest = self._seconds.now()
        self.numbers.in_flight = sum(t.in_flight for t in newest)
        self.numbers.oldest_ms = max(t.oldest_ms for t in newest)
        self.numbers.queued = sum(t.queued for t in newest)

    def _whole(self, second: int, ticks: list[Tick]) -> None:
        """A second of which every worker has told."""
        self._last.append(ticks)
        readings = [live.feed(ticks, second) for live in self._live]
        self.margins = [
            Margin(criterion=live.criterion, value=reading.value, held_ms=reading.held_ms)
            for live, reading in zip(self._live, readings, strict=True)
        ]
        recent = list(self._last)[-OVER_S:]
        cells = [c for ticks in recent for t in ticks for c in t.cells if not c.edge]
        good = merged(c.response for c in cells if c.good)
        bad = sum(count(c.response) for c in cells if not c.good)
        total = count(good) + bad
        self._asked.update((t.worker, t.asked) for t in ticks)
        self._asked_last.append(sum(self._asked.values()))
        steps = [b - a for a, b in pairwise(self._asked_last)]
        self.numbers.asked_per_s = sum(steps) / len(steps) if steps and sum(steps) else None
        self.numbers.good_per_s = count(good) / len(recent)
        self.numbers.error_ratio = bad / total if total else None
        self.numbers.p95_ms = quantile_ms(good, 0.95)
        lag = quantile_ms(merged(t.start_lag for t in ticks), 0.99) or 0.0
        if lag > LAG_MS and self.phase == "baseline":
            self.hints["lag"] = f"the load generator is late: p99 {lag:.0f} ms"
        else:
            self.hints.pop("lag", None)
