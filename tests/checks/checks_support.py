"""Runs to judge, written as docs/journal.md says: one good run, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Phase, Timeline
from gameday.model.histogram import bucket_of
from gameday.model.plan import Limits, Plan, Schedule
from gameday.model.project import AlertingSpec, Environment, Service, Target
from gameday.model.scenario import (
    AlertExpectation,
    Expectations,
    FaultSpec,
    Journey,
    LoadSpec,
    Phases,
    RequestStep,
    Scenario,
    ToxicSpec,
)
from gameday.model.window import Cell, Tick, tick_to_json

ORIGIN = 1_795_345_000_000
NO_SERVER = AlertingSpec()
PROMETHEUS = AlertingSpec(prometheus_url="http://127.0.0.1:9090")
BASELINE_S, FAULT_S, RECOVERY_S, END_S = 3, 13, 33, 48
RATE = 100
LATENCY = FaultSpec(
    id="slow",
    target="payments",
    toxic=ToxicSpec(type="latency", attributes={"latency": 800, "jitter": 50}),
)
PAYMENTS_SLOW = AlertExpectation(
    alert="PaymentsSlow",
    labels={"severity": "page"},
    fires_within_ms=10_000,
    resolves_within_ms=10_000,
    receiver="pager",
    runbook="runbooks/payments-slow.md",
)
Spoil = Callable[[list[Event]], list[Event]]


def criteria(*texts: str) -> tuple[Any, ...]:
    return tuple(parse_criterion(text) for text in texts)


def expectations(**changes: Any) -> Expectations:
    usual: dict[str, Any] = {
        "baseline": criteria("errors < 1%", "p95 < 300ms"),
        "fault": criteria("errors < 1%", "checkout p95 < 1s"),
        "recovery": criteria("steady within 10s"),
        "alerts": (PAYMENTS_SLOW,),
        "quiet": ({"severity": "page"},),
    }
    return Expectations(**{**usual, **changes})


def plan(
    *,
    expect: Expectations | None = None,
    faults: tuple[FaultSpec, ...] = (LATENCY,),
    rate: float | None = RATE,
    alerting: AlertingSpec = NO_SERVER,
    probe: str = "http:/health",
) -> Plan:
    get = RequestStep(method="GET", path="/products", name="products")
    post = RequestStep(method="POST", path="/checkout", name="pay")
    scenario = Scenario(
        id="payments-slow",
        title="Payments answers 800 ms late",
        service="shop",
        owner="team-checkout",
        hypothesis="When payments answers 800 ms late, checkouts still finish within 1 s.",
        tags=("smoke",),
        load=LoadSpec(
            target="shop",
            arrivals_per_s=rate,
            users=None if rate else 20,
            journeys=(
                Journey(name="browse", steps=(get,), weight=3),
                Journey(name="checkout", steps=(post,)),
            ),
        ),
        phases=Phases(baseline_ms=10_000, fault_ms=20_000, recovery_ms=15_000),
        faults=faults,
        expect=expect or expectations(),
        stop_when=tuple(c for c in criteria("errors > 50% for 10s") if isinstance(c, Criterion)),
        profile="smoke",
        file="scenarios/payments-slow.yaml",
    )
    targets = {
        "shop": Target(name="shop", url="http://127.0.0.1:8080"),
        "payments": Target(
            name="payments",
            proxy="payments",
            listen="127.0.0.1:8101",
            upstream="127.0.0.1:9101",
            probe=probe,
        ),
    }
    return Plan(
        scenario=scenario,
        environment=Environment(name="local", targets=targets, alerting=alerting),
        builtin_alerts=(),
        service=Service(name="shop"),
        runbook_folders=("runbooks",),
        runbook_hosts=(),
        directory=".",
        seed=7,
        schedule=Schedule(steps=(), limits=Limits(deadline_ms=120_000)),
    )


class Journal:
    """Collects events in any order; `events()` sorts them by time and numbers them."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, Event, str | None]] = []

    def note(self, at_ms: int, kind: str, subject: str, /, **data: Any) -> None:
        """An observation."""
        self._add(at_ms, Event(kind=kind, subject=subject, data=data), None)

    def act(
        self,
        at_ms: int,
        kind: str,
        subject: str,
        /,
        *,
        took_ms: int = 40,
        phase: Phase = Phase.OK,
        begin: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> None:
        """An action: its start, and how it ended."""
        key = f"{kind}/{subject}/{at_ms}"
        first = Event(kind=kind, subject=subject, phase=Phase.STARTED, data=begin or {})
        self._add(at_ms, first, key)
        end = Event(kind=kind, subject=subject, phase=phase, data=data)
        self._add(at_ms + took_ms, end, key)

    def _add(self, at_ms: int, event: Event, key: str | None) -> None:
        self._lines.append((at_ms, len(self._lines), replace(event, at_ms=at_ms), key))

    def events(self) -> list[Event]:
        """In order, numbered, each end pointing to its start."""
        started: dict[str, int] = {}
        done = []
        for seq, (_, _, event, key) in enumerate(sorted(self._lines, key=lambda line: line[:2])):
            if key is not None and event.phase is Phase.STARTED:
                started[key] = seq
            cause = started[key] if key is not None and event.phase is not Phase.STARTED else None
            done.append(replace(event, seq=seq, cause=cause))
        return done


def cell(second: int, journey: str, n: int, ms: float, outcome: str = "ok", **more: Any) -> Cell:
    histogram = {bucket_of(round(ms * 1000)): n}
    return Cell(
        second=second,
        journey=journey,
        name="pay" if journey == "checkout" else "products",
        outcome=outcome,
        response=histogram,
        service=histogram,
        **more,
    )


def cells_at(second: int) -> tuple[Cell, ...]:
    """What users of a resilient shop get: checkout waits for its own timeout of 600 ms."""
    if second in (FAULT_S, RECOVERY_S):
        return (
            cell(second, "browse", 75, 12),
            cell(second, "checkout", 20, 40),
            cell(second, "checkout", 5, 30, "connection", edge=True),
        )
    slow = FAULT_S < second < RECOVERY_S
    return (cell(second, "browse", 75, 12), cell(second, "checkout", 25, 612 if slow else 35))


def tick(second: int, cells: Iterable[Cell] | None = None, **changes: Any) -> Tick:
    done = (second + 1) * RATE
    usual: dict[str, Any] = {
        "second": second,
        "cells": tuple(cells_at(second) if cells is None else cells),
        "in_flight": 3,
        "oldest_ms": 35,
        "users": 120,
        "asked": done,
        "started": done,
        "start_lag": {bucket_of(800): RATE},
        "loop_lag_ms": 0.4,
        "cpu_share": 0.2,
    }
    return Tick(**{**usual, **changes})


def good_run(
    *,
    ticks: Callable[[int], Tick | None] = tick,
    probe: Callable[[int], Mapping[str, Any]] | None = None,
    proxy: Callable[[int], Mapping[str, Any] | None] | None = None,
    alerts: bool = True,
    read: Mapping[str, Any] | None = None,
    fault: str = "slow",
) -> Journal:
    """A run in which a resilient shop absorbs a slow payments service, and the alert tells."""
    journal = Journal()
    _frame(journal, fault)
    for second in range(END_S):
        made = ticks(second)
        if made is not None:
            journal.note((second + 1) * 1000 + 20, "load.window", "0", **tick_to_json(made))
        looked = (probe or probe_at)(second)
        journal.note(second * 1000 + 500 + int(looked["ms"]), "probe.sample", "payments", **looked)
        health = (proxy or proxy_at)(second)
        if health is not None:
            journal.note(second * 1000 + 700, "proxy.health", "toxiproxy", **health)
    if alerts:
        _alerts(journal)
    if read is None:
        read = {"rules": [{"name": "PaymentsSlow"}], "gaps": []}
    journal.act(END_S * 1000 + 100, "alert.read", "builtin", **read)
    return journal


def probe_at(second: int) -> Mapping[str, Any]:
    ms = 812.0 if FAULT_S <= second < RECOVERY_S else 11.5
    return {"ok": True, "ms": ms, "sent_bytes": 200, "error": None, "kind": "http:/health"}


def proxy_at(second: int, *, per_s: int = 30_000) -> Mapping[str, Any]:
    moved = (second + 1) * per_s
    counts = {"received_bytes": moved, "from_clients_bytes": moved, "accepted": second}
    lag = {"lag_p50_ms": 0.2, "lag_p99_ms": 1.4, "lag_max_ms": 3.0}
    return {**lag, "proxies": {"payments": counts}}


def _frame(journal: Journal, fault: str) -> None:
    opened = {"origin_wall_ms": ORIGIN, "scenario": "payments-slow", "plan_sha256": "ab" * 32}
    journal.note(-50, "run.opened", "r1", gameday="0.1", python="3.11", pid=1, seed=7, **opened)
    parts = {"toxiproxy": {"kind": "embedded", "version": "2.12.0"}, "load": "locust 2.47.0"}
    journal.note(-40, "run.parts", "parts", alerts=["builtin"], receiver="gameday", **parts)
    undo = {"kind": "toxiproxy", "url": "http://127.0.0.1:8474", "proxy": "payments"}
    journal.act(-30, "target.open", "payments", took_ms=10, begin={"undo": undo})
    journal.act(-15, "load.start", "load", took_ms=10, pid=2)
    journal.note(0, "run.phase", "warmup")
    journal.note(BASELINE_S * 1000 + 2, "run.phase", "baseline")
    journal.act(FAULT_S * 1000 - 100, "check.baseline", "baseline", took_ms=5, values=[])
    journal.note(FAULT_S * 1000 + 2, "run.phase", "fault")
    on, off = FAULT_S * 1000 + 40, RECOVERY_S * 1000 + 40
    inject = {"undo": undo, "target": "payments"}
    journal.act(on - 35, "fault.inject", fault, took_ms=35, begin=inject, confirmed_ms=on)
    revert = {"confirmed_ms": off, "read_back": True}
    journal.act(off - 35, "fault.revert", fault, took_ms=35, begin={"attempt": 1}, **revert)
    journal.note(RECOVERY_S * 1000 + 80, "run.phase", "recovery")
    journal.note(END_S * 1000 + 2, "run.phase", "end")
    journal.act(END_S * 1000 + 5, "load.stop", "load", asked=4800, started=4800, unserved=0)
    done = END_S * 1000 + 300
    read = {"resolved": True, "how": "file", "title": "Payments slow", "missing": []}
    journal.act(done, "runbook.read", "runbooks/payments-slow.md", problems=[], **read)
    journal.act(done + 100, "target.close", "payments", took_ms=10, read_back=True)
    journal.note(done + 200, "run.closed", "r1", status="completed", dirty=[], reason="")


def _alerts(
    journal: Journal, *, firing_s: int = FAULT_S + 6, ended_s: int = RECOVERY_S + 4
) -> None:
    labels = {"severity": "page"}
    story = (
        ("alert.pending", FAULT_S + 2),
        ("alert.firing", firing_s),
        ("alert.resolved", ended_s),
    )
    for kind, second in story:
        alert(journal, kind, second * 1000, "PaymentsSlow", labels)
    delivered(journal, firing_s * 1000 + 150, "PaymentsSlow", labels)
    delivered(journal, ended_s * 1000 + 150, "PaymentsSlow", labels, status="resolved")


def alert(journal: Journal, kind: str, at_ms: int, name: str, labels: Mapping[str, str]) -> None:
    """One event of a built-in alert."""
    journal.note(at_ms + 10, kind, name, source="builtin", labels=labels, at_wall_ms=ORIGIN + at_ms)


def delivered(
    journal: Journal,
    at_ms: int,
    name: str,
    labels: Mapping[str, str],
    *,
    receiver: str = "pager",
    status: str = "firing",
) -> None:
    """One notification that arrived."""
    journal.note(
        at_ms + 3,
        "alert.delivered",
        name,
        receiver=receiver,
        status=status,
        labels=labels,
        annotations={},
        arrived_wall_ms=ORIGIN + at_ms,
    )


def drop(*kinds: str, subject: str | None = None, phase: Phase | None = None) -> Spoil:
    """Without the events of these kinds."""
    return lambda events: [
        e
        for e in events
        if e.kind not in kinds
        or (subject is not None and e.subject != subject)
        or (phase is not None and e.phase is not phase)
    ]


def change(
    kind: str, *, phase: Phase | None = None, at_ms: int | None = None, **data: Any
) -> Spoil:
    """With other data (or another time) in the events of this kind."""

    def spoil(events: list[Event]) -> list[Event]:
        return [
            replace(e, data={**e.data, **data}, at_ms=e.at_ms if at_ms is None else at_ms)
            if e.kind == kind and phase in (None, e.phase)
            else e
            for e in events
        ]

    return spoil


def ends(kind: str, phase: Phase, **data: Any) -> Spoil:
    """With actions of this kind ending otherwise."""

    def spoil(events: list[Event]) -> list[Event]:
        return [
            replace(e, phase=phase, data=data) if e.kind == kind and e.phase is Phase.OK else e
            for e in events
        ]

    return spoil


def cut(at_ms: int) -> Spoil:
    """Without everything after this moment."""
    return lambda events: [e for e in events if e.at_ms <= at_ms]


def also(*more: tuple[int, str, str, Mapping[str, Any]]) -> Spoil:
    """With these observations too, in order of time."""

    def spoil(events: list[Event]) -> list[Event]:
        made = [
            Event(seq=10_000 + i, at_ms=at, kind=kind, subject=subject, data=data)
            for i, (at, kind, subject, data) in enumerate(more)
        ]
        return sorted([*events, *made], key=lambda e: e.at_ms)

    return spoil


def timeline(journal: Journal, *spoils: Spoil) -> Timeline:
    events = journal.events()
    for spoil in spoils:
        events = spoil(events)
    return Timeline(events)
