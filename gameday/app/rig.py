"""Everything one run stands on: opened in an order in which nothing can be left behind."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gameday import __version__, sentinel
from gameday.adapters.alertmanager import AlertmanagerSource
from gameday.adapters.builtin_alerts import BuiltinAlerts
from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.hosts import Hosts
from gameday.adapters.probe import HealthWatcher, ProbeWatcher
from gameday.adapters.prometheus import PrometheusSource
from gameday.adapters.receiver import Receiver
from gameday.adapters.runbook import RunbookReader
from gameday.adapters.signals import SignalWatcher
from gameday.adapters.toxiproxy.overhead import measure_overhead
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.app.acts import RunActs
from gameday.app.admission import Admission
from gameday.app.check import load_of
from gameday.app.conditions import conditions_of, gates_of
from gameday.app.guarding import Pulse, beating, interrupts, renewing
from gameday.app.leases import Leases
from gameday.app.memory import Memory
from gameday.app.notices import RunNotices
from gameday.app.pipeline import PipelineProof
from gameday.app.places import Places, needs_toxiproxy
from gameday.app.runbook_acts import RunbookActs
from gameday.app.rundir import RunDir
from gameday.app.sources import http_sources
from gameday.app.stored import without_secrets
from gameday.app.watching import Watching
from gameday.engine.control import ControlServer
from gameday.engine.core import Done
from gameday.engine.gates import ConditionGates
from gameday.engine.loop import Loop, RunClock
from gameday.engine.rising import RisingLoad
from gameday.engine.stop import StopConditions
from gameday.errors import GamedayError, RefusedError
from gameday.journal import Journal
from gameday.kpi.generator import slack_ms
from gameday.kpi.opened import named_runbooks
from gameday.kpi.seen import rule_source
from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.model.secret import SecretRef
from gameday.ports import AlertSource, Opener, Undo, Watcher
from gameday.processes import identity_of, own_identity
from gameday.scenario.planfile import plan_sha256
from gameday.secrets import resolve
from gameday.sentinel.terminal import Drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class RigOptions:
    """What the command line says about how to run."""

    toxiproxy: str | None = None
    server_process: Mapping[str, Any] | None = None  # of a given server, if whoever gave it knows
    listeners: Sequence[Callable[[Event], None]] = ()
    watchers: Sequence[Watcher] = ()  # more of them, for the whole run
    notices: RunNotices | None = None  # has the last word
    drawn: Drawn | None = None  # the terminal on which the run is shown
    admission: Admission | None = None  # what was asked before


def overdue_ms(plan: Plan) -> int:
    """From which age a request under way counts as failed: half of the load's timeout."""
    return max(1, plan.scenario.load.timeout_ms // 2)


def play(plan: Plan, where: RunDir, options: RigOptions) -> Done:
    """Run the plan and close its journal. Raises `GamedayError` only if nothing was touched."""
    clock = RunClock.start()
    journal = Journal.open(where.journal)
    with contextlib.ExitStack() as stack:
        stack.callback(journal.close)
        server = _server_for(plan, where, options, stack) if needs_toxiproxy(plan) else None
        sentinel.owner.claim(where.path, call_ms=plan.schedule.limits.call_ms)
        if server is not None and server.kind != "given" and server.process is not None:
            sentinel.owner.add_part(where.path, "toxiproxy", server.process)
        rig = _Rig(plan, where, options, clock=clock, journal=journal, server=server)
        return rig.play(stack)


def _server_for(
    plan: Plan, where: RunDir, options: RigOptions, stack: contextlib.ExitStack
) -> ServerChoice:
    server = choose_server(
        plan.environment.toxiproxy_url,
        log_dir=where.evidence,
        force_kind=options.toxiproxy,
        seed=plan.seed,
    )
    stack.callback(server.stop)
    if server.kind == "given":  # its faults end with it, but it is not ours to end
        server.process = options.server_process
    return server


class _Rig:
    """The parts of one run, and the order of their ends."""

    def __init__(
        self,
        plan: Plan,
        where: RunDir,
        options: RigOptions,
        *,
        clock: RunClock,
        journal: Journal,
        server: ServerChoice | None,
    ) -> None:
        self._plan, self._where, self._options = plan, where, options
        self._clock, self._journal, self._server = clock, journal, server
        self._places = Places(plan, where.run_id, server)
        self._leases = Leases(self._places.leases())
        self._load = LocustLoad(
            load_of(plan),
            plan.environment.targets[plan.scenario.load.target].url or "",
            where.evidence,
            seed=plan.seed,
            hosts=_hosts(plan),
        )
        self._receiver = Receiver(
            plan.environment.receiver_listen,
            _secret(plan, plan.environment.receiver_token),
            where.evidence,
            pagerduty_secret=_secret(plan, plan.environment.pagerduty_secret),
            now_wall_ms=self._now_wall_ms,
        )
        self._sources, self._builtin = self._make_sources()
        self._begun = False  # once the loop runs, only a clean end or the sentinel gives up

    def play(self, stack: contextlib.ExitStack) -> Done:
        """Open, run, close."""
        plan = self._plan
        openers = self._places.openers(self._where.evidence)
        stack.callback(self._release)
        self._leases.take(lambda undo: sentinel.owner.add_after(self._where.path, undo))
        opening = _prepared(openers)
        self._receiver.open()
        watching = self._watching()
        stack.callback(watching.stop)
        listeners = list(self._options.listeners)
        if self._builtin is not None:
            listeners.append(self._builtin.see)
        memory = Memory(listeners)
        proving = RunbookActs(plan, self._where.run_id, clock=self._clock, memory=memory)
        acts = self._acts(memory, openers, opening, watching, proving)
        stops = StopConditions(
            plan.scenario.stop_when,
            overdue_ms=overdue_ms(plan),
            lenient=plan.environment.lenient,
            signals=plan.scenario.stop_signals,
            alert_sources=[name for name in (rule_source(plan),) if name != "builtin"],
        )
        gates = ConditionGates(conditions_of(plan), overdue_ms=overdue_ms(plan))
        expect = plan.scenario.expect
        rising = RisingLoad(plan.scenario.load, expect.fault, slack_ms=slack_ms(expect))
        pulse = Pulse()
        loop = Loop(
            plan.schedule,
            acts,
            self._clock,
            self._journal,
            folds=(memory, stops, gates, rising),
            pulse=pulse,
        )
        acts.attach(loop)
        loop.note(self._opened(), sync=True)
        loop.note(self._parts(), sync=True)
        for event in admission.notes if (admission := self._options.admission) else ():
            loop.note(event)
        guard = sentinel.start(
            self._where.path, call_ms=plan.schedule.limits.call_ms, keep_fds=self._keep_fds(),
            drawn=self._options.drawn,
        )  # fmt: skip
        stack.callback(self._dismiss, guard)
        pulse.guard, pulse.emit = guard, loop.emit
        loop.note(Event(kind="sentinel.started", subject="sentinel", data={"pid": guard.pid}))
        control = ControlServer(
            self._where.path, loop.emit, gates=gates_of(plan), runbooks=named_runbooks(plan),
            status=proving.waiting,
        )  # fmt: skip
        stack.callback(control.close)
        with interrupts(loop, self._clock, calm=True):
            with renewing(self._leases, loop):
                watching.start(loop.emit)
                self._begun = True
                done = loop.run()
            watching.stop()
            return self._close(loop, guard, done)

    def _close(self, loop: Loop, guard: sentinel.SentinelHandle, done: Done) -> Done:
        """The last lines of the journal; then the sentinel may go, but only from a clean run."""
        data = {"status": done.status.value, "dirty": list(done.dirty), "reason": done.reason}
        with beating(guard):
            if loop.recording:
                with contextlib.suppress(GamedayError):
                    loop.settle()
                    self._budget_at_the_end(loop)
                    if (notices := self._options.notices) is not None:
                        notices.end(done.dirty, done.reason, partial(loop.note, sync=True))
                    loop.note(
                        Event(kind="run.closed", subject=self._where.run_id, data=data), sync=True
                    )
            if not done.dirty and loop.recording:
                self._give_leases_back()
        if not done.dirty and loop.recording:
            guard.done()
        return done

    def _keep_fds(self) -> list[int]:
        """What the sentinel holds open while it lives: a server's pipe, and leases of this host."""
        server = self._server.keep_fd if self._server is not None else None
        return [*([] if server is None else [server]), *self._leases.keep_fds()]

    def _budget_at_the_end(self, loop: Loop) -> None:
        from gameday.app.policy_gate import read_budget_again

        data = read_budget_again(self._plan, when="end")
        if data is not None:
            loop.note(Event(kind="budget.read", subject=self._plan.service.name, data=data))

    def _release(self) -> None:
        """Give the server back if nothing was begun; otherwise `_close` or the sentinel does."""
        if not self._begun:
            self._give_leases_back()

    def _give_leases_back(self) -> None:
        """What stays, the sentinel gives back: it does not find that noted."""
        if self._leases.release_quietly():
            with contextlib.suppress(OSError):
                sentinel.owner.given_back(self._where.path)

    def _dismiss(self, guard: sentinel.SentinelHandle) -> None:
        """Let the sentinel go if nothing was begun."""
        if not self._begun:
            guard.done()

    def _now_wall_ms(self) -> int:
        return self._clock.wall_ms(self._clock.now_ms())

    def _make_sources(self) -> tuple[dict[str, AlertSource], BuiltinAlerts | None]:
        alerting = self._plan.environment.alerting
        sources: dict[str, AlertSource] = {}
        if alerting.prometheus_url:
            sources["prometheus"] = PrometheusSource(
                alerting.prometheus_url,
                now_wall_ms=self._now_wall_ms,
                expected={alert.alert for alert in self._plan.scenario.expect.alerts},
            )
        if alerting.alertmanager_url:
            sources["alertmanager"] = AlertmanagerSource(
                alerting.alertmanager_url, now_wall_ms=self._now_wall_ms
            )
        sources.update(http_sources(self._plan, now_wall_ms=self._now_wall_ms))
        if sources:
            return sources, None
        builtin = BuiltinAlerts(
            self._plan.builtin_alerts,
            self._plan.service.slos,
            overdue_ms=overdue_ms(self._plan),
            receiver_url=lambda: self._receiver.url,
            now_wall_ms=self._now_wall_ms,
            origin_wall_ms=self._clock.origin_wall_ms,
            service=self._plan.service.name,
        )
        return {"builtin": builtin}, builtin

    def _watching(self) -> Watching:
        targets = {fault.target for fault in self._plan.scenario.faults}
        probes: list[Watcher] = [
            ProbeWatcher(found, address)
            for name in sorted(targets)
            if (address := (found := self._plan.environment.targets[name]).probed_at) is not None
        ]
        sources = [s for s in self._sources.values() if hasattr(s, "start")]
        health: list[Watcher] = []
        if self._server is not None:
            health = [HealthWatcher(self._server.url)]
        signals = SignalWatcher(
            self._plan.scenario.stop_signals,
            prometheus_url=self._plan.environment.alerting.prometheus_url,
        )
        always = [self._receiver, *sources, *health, signals, *self._options.watchers]
        return Watching(always=always, probes=probes)  # type: ignore[arg-type]

    def _acts(
        self,
        memory: Memory,
        openers: Mapping[str, Opener],
        opening: Mapping[str, Undo],
        watching: Watching,
        proving: RunbookActs,
    ) -> RunActs:
        plan = self._plan
        return RunActs(
            plan,
            clock=self._clock,
            memory=memory,
            openers=openers,
            opening=opening,
            faults=self._places.faults(),
            load=self._load,
            sources=self._sources,
            note_load=self._note_load,
            runbooks=RunbookReader(Path(plan.directory), plan.runbook_folders, plan.runbook_hosts),
            watching=watching,
            proving=proving,
            pipeline=PipelineProof(plan, self._where.run_id, self._receiver, memory),
        )

    def _note_load(self, pid: int) -> None:
        """Whoever cleans up after this run ends the load, with its whole process group."""
        with contextlib.suppress(ProcessLookupError):
            sentinel.owner.add_part(self._where.path, "load", identity_of(pid), group=True)

    def _opened(self) -> Event:
        data = {
            "origin_wall_ms": self._clock.origin_wall_ms,
            "scenario": self._plan.scenario.id,
            "plan_sha256": plan_sha256(without_secrets(self._plan)),
            "gameday": __version__,
            "python": platform.python_version(),
            "owner": own_identity(),
            "seed": self._plan.seed,
            **(self._options.admission.opened if self._options.admission else {}),
        }
        return Event(kind="run.opened", subject=self._where.run_id, data=data)

    def _overhead(self) -> dict[str, float]:
        """What the proxy adds by itself; asked of servers that gameday runs on this machine."""
        server = self._server
        if server is None or (server.kind == "given" and not server.version.startswith("embedded")):
            return {}
        found = measure_overhead(server.url, self._where.run_id)
        return asdict(found) if found is not None else {}

    def _parts(self) -> Event:
        toxiproxy = {**self._server.to_json(), **self._overhead()} if self._server else None
        data = {
            "toxiproxy": toxiproxy,
            "load": "locust",
            "alerts": sorted(self._sources),
            "receiver": self._receiver.address,
        }
        return Event(kind="run.parts", subject="parts", data=data)


def _prepared(openers: Mapping[str, Opener]) -> dict[str, Undo]:
    """Look at every target before anything is touched; all refusals at once."""
    undos: dict[str, Undo] = {}
    refusals: list[str] = []
    for name, opener in openers.items():
        try:
            undos[name] = opener.prepare()
        except GamedayError as error:
            refusals.append(str(error))
    if refusals:
        raise RefusedError("\n".join(refusals))
    return undos


def _secret(plan: Plan, secret: str | SecretRef | None) -> str | None:
    return None if secret is None else resolve(secret, base=Path(plan.directory))


def _hosts(plan: Plan) -> Hosts | None:
    """Where workers of the load on other hosts come to, if the scenario asks for some."""
    place = plan.environment.load
    if not plan.scenario.load.workers:
        return None
    if place.token is None:
        raise RefusedError(
            f"the load is made by workers on other hosts, and environment "
            f"`{plan.environment.name}` has no `load: {{token: …}}` that they could show"
        )
    token = resolve(place.token, base=Path(plan.directory))
    return Hosts(listen=place.listen, token=token, wait_ms=place.wait_ms)
