"""load/delivered: the arrivals that the scenario asks for were really started.

Without the load there is nothing that a fault could hurt. At least 95 % of the asked arrivals have
to start in the baseline and in the fault phase. Arrivals that wait because the service holds every
user count as started: what the service leaves unserved is its own failure, and is judged as such.

Documented in docs/checks/load-delivered.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.breakpoint import DEVIATIONS, asked_between, begun_ms, capped_ms
from gameday.kpi.generator import BUSY
from gameday.kpi.spans import Window
from gameday.model.scenario import LoadSpec
from gameday.model.units import format_ratio
from gameday.model.verdict import Finding, Outcome
from gameday.model.window import Tick, by_worker

NAME = "load/delivered"
SHARE = 0.95


def check(case: Case) -> Iterator[Finding]:
    """One finding each for baseline and fault phase; SKIP for a closed model."""
    load = case.plan.scenario.load
    for phase in ("baseline", "fault"):
        window = case.windows.get(phase)
        if window is None:
            yield _found(phase, Outcome.INCONCLUSIVE, f"the {phase} phase was never reached")
        elif not load.rates:
            yield _closed(case, window)
        else:
            yield _open(case, window, _asked(case, load, window))


def _asked(case: Case, load: LoadSpec, window: Window) -> float:
    """Arrivals that the scenario asks for in the window."""
    if load.arrivals_per_s is not None:
        return load.arrivals_per_s * window.seconds
    return asked_between(
        load,
        window.start_ms,
        window.start_ms + window.seconds * 1000,
        begun_ms=begun_ms(case.timeline, case.ticks),
        capped_ms=capped_ms(case.timeline),
    )


def _open(case: Case, window: Window, asked: float) -> Finding:
    started = held = 0
    for ticks in by_worker(case.ticks).values():
        first, last = _at(ticks, window.start_ms), _at(ticks, window.end_ms)
        if last is None:
            continue
        started += last.started - (0 if first is None else first.started)
        if last.users and last.in_flight >= BUSY * last.users:
            held += last.queued
    facts: dict[str, object] = {"asked": round(asked), "started": started, "held_by_service": held}
    if asked < 1:
        summary = f"the {window.name} phase was too short for a single arrival"
        return _found(window.name, Outcome.INCONCLUSIVE, summary, window, facts)
    share = min(1.0, (started + held) / asked)
    drawn = DEVIATIONS * math.sqrt(asked) if case.plan.scenario.load.spread == "poisson" else 0.0
    said = f"{format_ratio(share)} of {asked:.0f} asked arrivals were started in the {window.name}"
    if started + held >= SHARE * asked - max(1.0, drawn):
        return _found(window.name, Outcome.PASS, f"{said} phase", window, facts)
    summary = f"the load could not be delivered: only {said} phase"
    return _found(window.name, Outcome.INCONCLUSIVE, summary, window, facts)


def _closed(case: Case, window: Window) -> Finding:
    """Users have no rate to miss; but there must have been traffic, and ticks to the end."""
    inside = [
        t for t in case.ticks if window.start_ms <= t.second * 1000 and t.second < _end(window)
    ]
    # a second of which one worker did not tell is a gap
    told = min((len({t.second for t in own}) for own in by_worker(inside).values()), default=0)
    if told < SHARE * window.seconds - 1 or not told:
        summary = f"the load was seen in {told} of {window.seconds} s of the {window.name}"
        return _found(window.name, Outcome.INCONCLUSIVE, f"{summary} phase", window)
    if not any(t.users for t in inside):
        summary = f"no user was up in the {window.name} phase"
        return _found(window.name, Outcome.INCONCLUSIVE, summary, window)
    users = sum(max(t.users for t in own) for own in by_worker(inside).values())
    return _found(window.name, Outcome.PASS, f"the load ran in the {window.name} phase", window,
                  {"users": users})  # fmt: skip


def _end(window: Window) -> int:
    return window.end_ms // 1000


def _at(ticks: list[Tick], at_ms: int) -> Tick | None:
    """The last tick that had ended at *at_ms*: its totals are those of that moment."""
    before = [tick for tick in ticks if (tick.second + 1) * 1000 <= at_ms]
    return before[-1] if before else None


def _found(
    phase: str,
    outcome: Outcome,
    summary: str,
    window: Window | None = None,
    facts: dict[str, object] | None = None,
) -> Finding:
    return Finding(
        check=NAME,
        subject=phase,
        outcome=outcome,
        summary=summary,
        expectation=f"{phase}: the asked load is delivered",
        evidence=() if window is None else window.evidence,
        validity=True,
        facts=facts or {},
    )
