"""What somebody sees who looks on at a run: folded from its journal, as plain data for a page.

Two views of the same run. `full` is everything. `blind` is for those who must not know what was
broken: it is made of what they could see anyway (alerts, the load's own numbers, what people of
their side say), picked one by one. What is not picked here is in none of their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from gameday.app.rundir import RunDir
from gameday.errors import UsageError
from gameday.model.event import Event, Phase, Timeline
from gameday.model.pipeline import PROOF_ALERT
from gameday.model.plan import Plan
from gameday.processes import Life
from gameday.report.livejson import status_of
from gameday.report.livestate import LiveState

#: Roles that must not know the fault in blind mode. The commander leads those who look for it.
BLIND_ROLES = ("responder", "commander")
#: What of the load is on every dashboard.
_DASHBOARD = (
    "asked_per_s", "served_per_s", "good_per_s", "error_ratio", "p50_ms", "p95_ms", "p99_ms",
    "in_flight",
)  # fmt: skip
#: What people say.
PEOPLE = (
    "human.note", "human.ack", "human.decide", "human.handoff", "human.todo", "human.update",
    "human.step",
)  # fmt: skip
#: What of the journal goes into the figure of the blind view.
_FIGURE_BLIND = ("run.opened", "load.start", "load.window", "load.lost", "load.stop")
_LABELS_MAX = 12
#: The states of a fault that is not in.
_OUT = ("off", "not injected", "off, read back")


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A step of a runbook that waits for a person."""

    name: str
    what: str
    text: str
    runbook: str
    at_ms: int
    limit_ms: int


@dataclass(slots=True)
class Onlooker:
    """One run as it is seen from outside. `see` takes each event once, in order."""

    where: RunDir
    plan: Plan
    gates: tuple[str, ...] = ()
    origin_wall_ms: int = 0
    closed: str = ""
    reason: str = ""
    dirty: tuple[str, ...] = ()
    took_over: str = ""
    load_over: bool = False
    opened: dict[str, str] = field(default_factory=dict)
    runbooks: dict[str, str] = field(default_factory=dict)
    waiting: Waiting | None = None
    acked: set[str] = field(default_factory=set)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    state: LiveState = field(init=False)

    def __post_init__(self) -> None:
        self.state = LiveState(self.plan)

    def see(self, event: Event) -> None:
        """Take one event in."""
        self.state.see(event)
        self.events.append(event)
        match event.kind:
            case "run.opened":
                self.origin_wall_ms = int(event.data.get("origin_wall_ms") or 0)
            case "run.closed":
                self.closed = str(event.data.get("status", "closed"))
                self.reason = str(event.data.get("reason") or "")
                self.dirty = tuple(str(one) for one in event.data.get("dirty") or ())
            case "sentinel.took_over":
                self.took_over = str(event.data.get("why") or "the runner is gone")
            case "load.lost" | "load.stop":
                self.load_over = True
            case "gate.opened":
                self.opened[event.subject] = str(event.data.get("by", "somebody"))
            case "human.ack" | "alert.acknowledged":
                self.acked.add(str(event.data.get("text") or event.subject))
            case "runbook.opened":
                self.runbooks[event.subject] = str(event.data.get("role", ""))
            case "alert.firing" | "alert.delivered":
                self._told(event)
        self._steps(event)

    def _told(self, event: Event) -> None:
        if event.subject == PROOF_ALERT or event.data.get("status", "firing") != "firing":
            return
        known = self.told.setdefault(event.subject, {"labels": {}, "annotations": {}})
        for name in known:
            given = event.data.get(name)
            if isinstance(given, Mapping):
                known[name] = {str(k): str(v) for k, v in list(given.items())[:_LABELS_MAX]}

    def _steps(self, event: Event) -> None:
        data, now = event.data, self.waiting
        if event.kind == "runbook.asked":
            self.waiting = Waiting(
                name=event.subject,
                what=str(data.get("what", "step")),
                text=str(data.get("text") or ""),
                runbook=str(data.get("runbook") or ""),
                at_ms=event.at_ms,
                limit_ms=int(data.get("limit_ms") or 0),
            )
        elif now is not None and (
            (event.kind == "human.step" and event.subject == now.name)
            or (event.kind == "runbook.step" and event.phase is not Phase.STARTED)
            or event.kind in ("run.closed", "stop.tripped")
        ):
            self.waiting = None

    def wall_ms(self, at_ms: int) -> int:
        """A moment of run time on the clock on the wall."""
        return self.origin_wall_ms + at_ms

    def full(self, runner: Life) -> dict[str, Any]:
        """Everything that is known now."""
        state, scenario = self.state, self.plan.scenario
        return {
            **status_of(state),
            **self._common(runner),
            "run": self.where.run_id,
            "title": scenario.title,
            "hypothesis": scenario.hypothesis,
            "environment": self.plan.environment.name,
            "closed": self.closed or None,
            "reason": self.reason,
            "dirty": list(self.dirty),
            "took_over": self.took_over or None,
            "bands": [[b.name, b.from_ms, b.to_ms] for b in state.bands],
            "lanes": {
                name: [[s.what, s.from_ms, s.to_ms] for s in lane]
                for name, lane in state.lanes.items()
            },
            "faults": [self._fault(name) for name in state.faults],
            "alerts": [self._alert(name, hide=False) for name in state.alerts],
            "gates": [{"name": name, "by": self.opened.get(name)} for name in self.gates],
            "runbooks": self._runbooks(),
        }

    def firing(self) -> list[str]:
        """The alerts that fire now."""
        lights = self.state.alerts.items()
        return [n for n, a in lights if a.state == "firing" or a.state.startswith("delivered")]

    def has_load(self, runner: Life) -> bool:
        """Whether its load can go on: what it told last is what users feel now."""
        return not self.closed and not self.load_over and runner is not Life.GONE

    def impact(self, runner: Life) -> str:
        """What users feel now, by the load; empty where no load is seen any more."""
        seen = status_of(self.state)
        errors, p95 = seen["error_ratio"], seen["p95_ms"]
        if errors is None or not self.has_load(runner):
            return ""
        late = "" if p95 is None else f", 95 % are answered within {p95:.0f} ms"
        return f"{100 * errors:.2g} % of requests fail{late}"

    def blind(self, runner: Life) -> dict[str, Any]:
        """What those may know who must not know what was broken."""
        status = status_of(self.state)
        return {
            **{name: status[name] for name in _DASHBOARD},
            **self._common(runner),
            "stopped": "the exercise was stopped" if self.state.stopped else None,
            "closed": "over" if self.closed else None,
            "alerts": [self._alert(n, hide=True) for n in self.state.alerts if self._shown(n)],
            "runbooks": [{"path": path, "by": by} for path, by in self.runbooks.items()],
        }

    def _common(self, runner: Life) -> dict[str, Any]:
        return {
            "at_ms": self.state.now_ms,
            "origin_wall_ms": self.origin_wall_ms,
            "service": self.plan.scenario.service,
            "runner": "over" if self.closed else runner.value,
            "waiting": None if self.waiting is None else self._waiting(self.waiting),
            "restored": bool(self.took_over) and self._faults_out(),
        }

    def _faults_out(self) -> bool:
        """Whether no fault is in, by its read-back; what is not known counts as in."""
        return all(light.state in _OUT for light in self.state.faults.values())

    def _waiting(self, one: Waiting) -> dict[str, Any]:
        left = None if not one.limit_ms else one.at_ms + one.limit_ms
        return {
            "name": one.name,
            "what": one.what,
            "text": one.text,
            "runbook": one.runbook,
            "until_ms": left,
        }

    def _fault(self, name: str) -> dict[str, Any]:
        light = self.state.faults[name]
        spec = next((f for f in self.plan.scenario.faults if f.id == name), None)
        return {
            "name": name,
            "state": light.state,
            "since_ms": light.since_ms,
            "what": "" if spec is None else spec.kind,
            "target": "" if spec is None else spec.target,
        }

    def _alert(self, name: str, *, hide: bool) -> dict[str, Any]:
        light = self.state.alerts[name]
        told = self.told.get(name, {"labels": {}, "annotations": {}})
        expected = [a for a in self.plan.scenario.expect.alerts if a.alert == name]
        found = {
            "name": name,
            "state": light.state,
            "since_ms": light.since_ms,
            "acked": name in self.acked,
            "severity": told["labels"].get("severity", ""),
            "summary": told["annotations"].get("summary", ""),
            "runbook": told["annotations"].get("runbook_url", ""),
        }
        if not hide:
            found["expected"] = bool(expected)
            found["limit_ms"] = expected[0].fires_within_ms if expected else None
        return found

    def _shown(self, name: str) -> bool:
        """Whether a pager or a dashboard shows the alert; what is expected is not known."""
        return self.state.alerts[name].state != "quiet"

    def _runbooks(self) -> list[dict[str, str]]:
        paths = dict.fromkeys([a.runbook for a in self.plan.scenario.expect.alerts if a.runbook])
        paths.update(dict.fromkeys(self.runbooks))
        return [{"path": str(path), "by": self.runbooks.get(str(path), "")} for path in paths]

    def figure(self, *, blind: bool) -> dict[str, Any] | None:
        """The report's figure of the run so far: its definition for the chart library."""
        from gameday.report.figure import figure_of

        events, plan = list(self.events), self.plan
        if blind:
            nothing = replace(plan.scenario.expect, alerts=())
            plan = replace(plan, scenario=replace(plan.scenario, faults=(), expect=nothing))
            events = [e for e in events if e.kind in _FIGURE_BLIND]
        made = figure_of(plan, Timeline(events))
        if made is None:
            return None
        if not self.closed:  # the report's word for a phase that has no end
            for row in made.spec["datasets"]["bars"]:
                row.update(
                    (k, row[k].replace(", cut short", ", under way")) for k in ("text", "label")
                )
        if blind:  # which requests a broken connection cut is not theirs to see
            sets = made.spec["datasets"]
            sets["heat"] = [row for row in sets["heat"] if row["k"] != "edge"]
        return {"spec": made.spec, "captions": [] if blind else list(made.captions)}


def entry_of(run: Onlooker, event: Event) -> dict[str, Any] | None:
    """One line of the full timeline; None for what is no news."""
    from gameday.report.moments import moment_of

    text, at_ms = "", event.at_ms
    if event.kind in ("alert.pending", "alert.firing", "alert.resolved", "alert.delivered"):
        text = _alert_text(event)
    elif event.kind in PEOPLE and event.kind != "human.step":
        text = str(event.data.get("text", ""))
    else:
        moment = moment_of(event)
        if moment is not None:
            text, at_ms = moment.text, moment.at_ms
    return _entry(run.wall_ms(at_ms), event, text, run.where.run_id) if text else None


def blind_entry_of(
    run: Onlooker, event: Event, who: Collection[str] = BLIND_ROLES
) -> dict[str, Any] | None:
    """The same for those who must not know what was broken; most events are none of theirs.

    *who* are their roles.
    """
    kind, text = event.kind, ""
    if kind in ("alert.firing", "alert.resolved", "alert.delivered"):
        text = _alert_text(event)
    elif kind == "alert.acknowledged":
        text = f"{event.subject} is acknowledged"
    elif kind in PEOPLE:
        text = blind_words(event, who)
    elif kind == "runbook.asked":
        text = f"{event.data.get('what', 'step')} `{event.subject}` waits for a person"
    elif kind == "stop.tripped":
        text = "the exercise was stopped"
        event = replace(event, subject="exercise")
    elif kind == "sentinel.took_over":
        text = "the exercise was cut short"
        event = replace(event, subject="exercise")
    elif kind == "run.closed":
        text = "this part of the exercise is over"
        event = replace(event, subject="exercise")
    return _entry(run.wall_ms(event.at_ms), event, text, "") if text else None


def blind_words(event: Event, who: Collection[str]) -> str:
    """What a person said, if it was said by or to those who look for the fault."""
    if not heard(event, who):
        return ""
    if event.kind == "human.step":
        return f"`{event.subject}` is {event.data.get('answer', '')}"
    return str(event.data.get("text", ""))


def heard(event: Event, who: Collection[str]) -> bool:
    """Whether the roles *who*, which must not know the fault, may read what a person said.

    They read each other, and what was told to people outside: others may name the fault.
    """
    role = event.data.get("role") if event.kind == "human.step" else event.subject
    return role in who or event.kind == "human.update"


def _entry(wall_ms: int, event: Event, text: str, run: str) -> dict[str, Any]:
    role = event.data.get("role") if event.kind == "human.step" else event.subject
    who = str(role) if event.kind.startswith("human.") else ""
    return {"at": wall_ms, "kind": event.kind, "who": who, "text": text, "run": run}


def _alert_text(event: Event) -> str:
    if event.subject == PROOF_ALERT:
        return ""
    match event.kind:
        case "alert.pending":
            return f"{event.subject} is pending"
        case "alert.firing":
            return f"{event.subject} fires"
        case "alert.delivered":
            word = "" if event.data.get("status", "firing") == "firing" else " (resolved)"
            return f"{event.subject}{word} is delivered to {event.data.get('receiver', 'somebody')}"
        case _:
            pending = event.data.get("was") == "pending"
            return (
                f"{event.subject} is no longer pending" if pending else f"{event.subject} resolves"
            )


def onlooker_of(where: RunDir) -> Onlooker:
    """Of a run whose plan is written. Raises `GamedayError` or `OSError`."""
    from gameday.app.conditions import gates_of
    from gameday.scenario.planfile import load_plan

    plan = load_plan(where.plan.read_text(encoding="utf-8"))
    return Onlooker(where, plan, gates=tuple(sorted(gates_of(plan))))


def runner_of(where: RunDir) -> Life:
    """Whether the runner of a run is there."""
    from gameday.sentinel.owner import runner_life

    return runner_life(where.path)


def chart_script() -> str:
    """The chart library for a browser. Takes seconds. Raises `UsageError` if it cannot be had."""
    from gameday.report.drawing import DrawingError, drawn

    try:
        return drawn({"mark": "point", "data": {"values": [{}]}}).script
    except DrawingError as error:
        raise UsageError(f"the figure cannot be drawn: {error}") from None


def chart_style() -> str:
    """The style of the report's page, which the console shares."""
    return resources.files("gameday.report").joinpath("templates", "style.css").read_text("utf-8")
