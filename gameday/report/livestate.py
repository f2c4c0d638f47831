"""What the live view shows, folded from the events so far. Pure: no terminal, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from gameday.model.event import Event, Phase
from gameday.model.pipeline import PROOF_ALERT
from gameday.model.plan import Plan
from gameday.model.window import tick_from_json
from gameday.report.liveload import LAG_MS, Generator, LoadFold, Margin, Numbers, Objective, Totals

__all__ = ["Band", "Light", "LiveState", "Margin", "Numbers", "Stretch", "Watched"]


@dataclass(slots=True, kw_only=True)
class Light:
    """The state of one fault or one alert, and the run time since when."""

    state: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A stop condition on something else than the load: `good`, `BAD` or `cannot be read`."""

    state: str
    value: float | None
    since_ms: int


@dataclass(slots=True, kw_only=True)
class Stretch:
    """A piece of a lane of the timeline: `on`, `unknown`, `pending` or `firing`."""

    what: str
    from_ms: int
    to_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A phase on the timeline, past or still to come, as far as that is known now."""

    name: str
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class LiveState:
    """Everything on the screen. `see` takes each event once, in order."""

    plan: Plan
    now_ms: int = 0
    run_id: str = ""
    phase: str = "starting"
    phase_since_ms: int = 0
    marks: list[tuple[str, int]] = field(default_factory=list)  # phase, run time
    faults: dict[str, Light] = field(default_factory=dict)
    stages: dict[str, list[int]] = field(default_factory=dict)  # run time of each strength
    alerts: dict[str, Light] = field(default_factory=dict)
    lanes: dict[str, list[Stretch]] = field(default_factory=dict)  # `fault/…`, `alert/…`
    fault_on_ms: int | None = None
    signals: dict[str, Watched] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    load: LoadFold = field(init=False)

    def __post_init__(self) -> None:
        scenario = self.plan.scenario
        self.faults = {f.id: Light(state="off", since_ms=0) for f in scenario.faults}
        self.alerts = {a.alert: Light(state="quiet", since_ms=0) for a in scenario.expect.alerts}
        self.load = LoadFold(self.plan)

    @property
    def numbers(self) -> Numbers:
        """The load over the last seconds."""
        return self.load.numbers

    @property
    def totals(self) -> Totals:
        """The load since it started."""
        return self.load.totals

    @property
    def generator(self) -> Generator:
        """How the load generator is."""
        return self.load.generator

    @property
    def margins(self) -> list[Margin]:
        """How far each stop condition on the load is from tripping."""
        return self.load.margins

    @property
    def objectives(self) -> list[Objective]:
        """What the phase should hold, and holds so far."""
        return self.load.objectives()

    def see(self, event: Event) -> None:
        """Take one event in."""
        self.now_ms = max(self.now_ms, event.at_ms)
        group = event.kind.partition(".")[0]
        if event.kind == "load.window":
            self._window(event)
        elif event.kind == "run.opened":
            self.run_id = event.subject
        elif event.kind == "run.phase":
            self.phase, self.phase_since_ms = event.subject, event.at_ms
            self.marks.append((event.subject, event.at_ms))
            self.load.phase(event.subject, event.at_ms)
        elif event.kind in ("fault.inject", "fault.revert"):
            self._fault(event)
        elif group == "alert":
            self._alert(event)
        elif event.kind == "signal.sample":
            self._signal(event)
        else:
            self._hint(event)

    @property
    def lengths(self) -> dict[str, int]:
        """How long each phase should be, in order."""
        phases = self.plan.scenario.phases
        return {
            "warmup": phases.warmup_ms,
            "baseline": phases.baseline_ms,
            "fault": phases.fault_ms,
            "recovery": phases.recovery_ms,
        }

    @property
    def left_ms(self) -> int | None:
        """Until the phase should end; None outside the timed phases, and once it is stopped."""
        if self.phase not in self.lengths or self.stopped:
            return None
        return max(0, self.phase_since_ms + self.lengths[self.phase] - self.now_ms)

    @property
    def run_left_ms(self) -> int | None:
        """Until the run should end; None when that cannot be said."""
        if self.left_ms is None:
            return None
        names = list(self.lengths)
        after = names[names.index(self.phase) + 1 :]
        return self.left_ms + sum(self.lengths[name] for name in after)

    @property
    def bands(self) -> list[Band]:
        """The phases that were, as they were, and those to come, as they are planned."""
        ends = [at_ms for _, at_ms in self.marks[1:]]
        found = [
            Band(name=name, from_ms=from_ms, to_ms=to_ms)
            for (name, from_ms), to_ms in zip(self.marks, ends, strict=False)
        ]
        names = list(self.lengths)
        at_ms, come = 0, names
        if self.marks:
            if self.phase not in self.lengths:
                return found
            at_ms = self.now_ms + (self.left_ms or 0)
            found.append(Band(name=self.phase, from_ms=self.phase_since_ms, to_ms=at_ms))
            come = [] if self.stopped else names[names.index(self.phase) + 1 :]
        for name in come:
            if self.lengths[name]:
                found.append(Band(name=name, from_ms=at_ms, to_ms=at_ms + self.lengths[name]))
                at_ms += self.lengths[name]
        return found

    def _lane(self, name: str, what: str | None, at_ms: int) -> None:
        """From now on *name* is *what*; None: nothing."""
        lane = self.lanes.setdefault(name, [])
        if lane and lane[-1].to_ms is None:
            if lane[-1].what == what:
                return
            lane[-1].to_ms = at_ms
        if what is not None:
            lane.append(Stretch(what=what, from_ms=at_ms))

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
        before = self.faults.get(event.subject)
        is_in = before is not None and before.state in ("ON", "UNKNOWN")
        if is_in and state in ("going in", "not injected"):
            return  # the next strength of a fault that is in: without it the one before stays
        self.faults[event.subject] = Light(state=state, since_ms=at_ms)
        if state == "ON":
            self.fault_on_ms = at_ms if self.fault_on_ms is None else self.fault_on_ms
            self.stages.setdefault(event.subject, []).append(at_ms)
            self._lane(f"fault/{event.subject}", "on", at_ms)
        elif state == "off, read back":
            self._lane(f"fault/{event.subject}", None, at_ms)
            self.load.fault_off(at_ms)
        elif state == "UNKNOWN":
            self._lane(f"fault/{event.subject}", "unknown", at_ms)

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
            now = None if state == "resolved" else state
            self._lane(f"alert/{event.subject}", now, event.at_ms)
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
            case "runbook.asked":
                what = event.data.get("what", "step")
                self.hints["person"] = f"{what} {event.subject} waits for a person: gameday step"
            case "human.step":
                self.hints.pop("person", None)
            case "proxy.health":
                self._proxy(float(event.data.get("lag_p99_ms") or 0))

    def _proxy(self, lag_ms: float) -> None:
        if lag_ms > LAG_MS:
            self.hints["proxy"] = f"the proxy is slow itself: p99 {lag_ms:.0f} ms"
        else:
            self.hints.pop("proxy", None)

    def _window(self, event: Event) -> None:
        self.load.see(tick_from_json(event.data))
        if self.generator.late and self.phase == "baseline":
            worst = max(self.generator.lag_p99_ms or 0.0, self.generator.loop_lag_ms)
            self.hints["lag"] = f"the load generator is late: {worst:.0f} ms"
        else:
            self.hints.pop("lag", None)
