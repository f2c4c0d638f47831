"""What each step of a plan does: the one place where verbs meet adapters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from gameday.adapters.runbook import RunbookReader
from gameday.app.answers import ask_answer
from gameday.app.baseline import look
from gameday.app.memory import Memory
from gameday.app.pipeline import PipelineProof
from gameday.app.runbook_acts import RunbookActs
from gameday.app.watching import Watching
from gameday.engine.loop import Loop, RunClock
from gameday.errors import AdapterError, NoEffectError
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan, Step
from gameday.ports import AlertSource, Fault, Load, Opener, Undo
from gameday.registry import undoer

#: How long after a proxy was replaced requests still count as edge: a service's pooled connections
#: have been cut, and it learns of that only now.
EDGE_SETTLE_S = 0.1
#: How long the baseline's answer waits for the last second of the load.
LAST_TICK_S = 3.0


class Edges:
    """Announces to the load that connections are being cut; several at once are one edge."""

    def __init__(self, load: Load, loop: Loop) -> None:
        self._load, self._loop = load, loop
        self._lock = threading.Lock()
        self._open = 0
        self.running = False  # only a load that runs can be told

    @contextmanager
    def around(self, subject: str) -> Iterator[None]:
        """Requests under way at any time inside are marked."""
        self._turn(subject, opening=True)
        try:
            yield
            if self.running:
                threading.Event().wait(EDGE_SETTLE_S)
        finally:
            self._turn(subject, opening=False)

    def _turn(self, subject: str, *, opening: bool) -> None:
        with self._lock:
            self._open += 1 if opening else -1
            told = self.running and self._open == (1 if opening else 0)
            if told:
                self._load.edge(opening)
        if told:
            self._loop.emit(Event(kind="load.edge", subject=subject, data={"opening": opening}))


class RunActs:
    """The acts of one run, called by the loop's workers."""

    def __init__(
        self,
        plan: Plan,
        *,
        clock: RunClock,
        memory: Memory,
        openers: Mapping[str, Opener],
        opening: Mapping[str, Undo],
        faults: Mapping[tuple[str, int], Fault],
        load: Load,
        sources: Mapping[str, AlertSource],
        runbooks: RunbookReader,
        watching: Watching,
        note_load: Callable[[int], None],
        proving: RunbookActs,
        pipeline: PipelineProof,
    ) -> None:
        self._plan, self._clock, self._memory = plan, clock, memory
        self._openers, self._opening, self._faults = openers, opening, faults
        self._load, self._sources, self._runbooks = load, sources, runbooks
        self._watching, self._note_load = watching, note_load
        self._loop: Loop | None = None
        self._edges: Edges | None = None
        self._verbs: dict[str, Callable[[Step], Mapping[str, Any]]] = {
            "pipeline.prove": lambda _step: pipeline.prove(self._emit),
            "fault.prepare": self._prepare,
            "load.start": self._start_load,
            "load.rate": self._lower_load,
            "load.stop": self._stop_load,
            "check.baseline": self._check_baseline,
            "alert.read": self._read_alerts,
            "runbook.read": self._read_runbook,
            "answer.ask": lambda step: ask_answer(plan, step, memory),
            "runbook.step": lambda step: proving.step(step, self._emit),
            "runbook.watch": lambda step: proving.watch(step, self._emit),
        }

    def attach(self, loop: Loop) -> None:
        """Tell the acts where observations go. Before the loop runs."""
        self._loop = loop
        self._edges = Edges(self._load, loop)

    def undo_for(self, step: Step, actions: Sequence[Event]) -> Undo:
        """What `fault.prepare` left, or for a target what was found before the run."""
        if step.verb == "target.open":
            return self._opening[step.subject]
        for event in reversed(actions):
            if (event.kind, event.subject, event.phase) == (
                "fault.prepare",
                step.subject,
                Phase.OK,
            ):
                undo: Undo = event.data["undo"]
                return undo
        raise RuntimeError(f"fault `{step.subject}` was not prepared")

    def inject(self, step: Step, undo: Undo) -> Mapping[str, Any]:
        """Open a target, or put a fault in and read it back."""
        if step.verb == "target.open":
            return self._openers[step.subject].open(undo)
        stage = int(step.data.get("stage", 0))
        with self._edge(step, undo):
            facts = self._faults[step.subject, stage].inject(undo)
            confirmed_ms = self._clock.now_ms()
        return {**facts, "stage": stage, "confirmed_ms": confirmed_ms}

    def revert(self, step: Step, undo: Undo) -> Mapping[str, Any]:
        """Take it out; only a read-back that finds nothing is an end."""
        code = undoer(str(undo["kind"]))
        with self._edge(step, undo):
            facts = code.revert(undo)
            if code.present(undo):
                raise AdapterError(f"`{step.subject}` is still there after its revert")
            confirmed_ms = self._clock.now_ms()
        return {**facts, "read_back": True, "confirmed_ms": confirmed_ms}

    def perform(self, step: Step) -> Mapping[str, Any] | None:
        """Any other step."""
        return self._verbs[step.verb](step)

    def _edge(self, step: Step, undo: Undo) -> AbstractContextManager[None]:
        """An edge, where our own way of injecting cuts connections: what a proxy is replaced for.

        A container that is stopped cuts them too, but that is the fault itself.
        """
        if undo["kind"] == "toxiproxy":
            return self._edges_of().around(step.subject)
        return nullcontext()

    def _edges_of(self) -> Edges:
        if self._edges is None:
            raise RuntimeError("the acts were not attached to a loop")
        return self._edges

    def _emit(self, event: Event) -> None:
        if self._loop is not None:
            self._loop.emit(event)

    def _prepare(self, step: Step) -> Mapping[str, Any]:
        return {"undo": dict(self._faults[step.subject, 0].prepare())}

    def _start_load(self, _step: Step) -> Mapping[str, Any]:
        facts = self._load.start(
            self._emit,
            origin_wall_ms=self._clock.origin_wall_ms,
            origin_mono_ns=self._clock.origin_mono_ns,
        )
        for pid in facts.get("pids") or [facts["pid"]]:
            self._note_load(int(pid))
        self._edges_of().running = True
        self._watching.start_probes(self._emit)
        return facts

    def _lower_load(self, step: Step) -> Mapping[str, Any]:
        per_s = float(step.data["per_s"])
        self._load.set_rate(per_s)
        return {"per_s": per_s}

    def _stop_load(self, _step: Step) -> Mapping[str, Any]:
        self._edges_of().running = False
        self._watching.stop_probes()
        return self._load.stop()

    def _check_baseline(self, _step: Step) -> Mapping[str, Any]:
        begun = self._memory.timeline().first("run.phase", "baseline")
        if begun is None:
            raise NoEffectError("the baseline phase never began")
        end_ms = begun.at_ms - begun.at_ms % 1000 + self._plan.scenario.phases.baseline_ms
        start_ms = end_ms - self._plan.scenario.phases.baseline_ms
        self._memory.wait_for_second(end_ms // 1000 - 1, LAST_TICK_S)
        answer = look(
            self._plan,
            self._memory.ticks(),
            start_ms=start_ms,
            end_ms=end_ms,
            firing=self._memory.firing(),
        )
        if answer.reasons:
            raise NoEffectError("; ".join(answer.reasons))
        return {"values": [dict(value) for value in answer.values]}

    def _read_alerts(self, step: Step) -> Mapping[str, Any]:
        source = self._sources[step.subject]
        return source.read(self._clock.origin_wall_ms, self._clock.wall_ms(self._clock.now_ms()))

    def _read_runbook(self, step: Step) -> Mapping[str, Any]:
        alert, path = step.data.get("alert"), step.data.get("path")
        reference = (self._link_of(str(alert)) if alert else None) or path
        if not reference:
            raise NoEffectError(
                f"alert `{alert}` has no `runbook_url`, and the scenario names no runbook"
            )
        return {**self._runbooks.read(str(reference)), "reference": reference}

    def _link_of(self, alert: str) -> str | None:
        """The runbook that the alert itself links to: as delivered, else as its rule has it."""
        timeline = self._memory.timeline()
        for event in timeline.of("alert.delivered", alert):
            if url := event.data.get("annotations", {}).get("runbook_url"):
                return str(url)
        for event in timeline.of("alert.read"):
            for rule in event.data.get("rules", ()):
                url = rule.get("annotations", {}).get("runbook_url") or rule.get("runbook")
                if rule.get("name") == alert and url:
                    return str(url)
        return None
