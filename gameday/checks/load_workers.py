"""load/workers: every worker that makes a part of the load was there to the end.

A load that is made by several processes, or on several hosts, goes on when one of them is lost. But
then a part of what the scenario asks for was not made, or not counted.

Documented in docs/checks/load-workers.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gameday.checks.case import Case
from gameday.model.event import Event, Phase
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "load/workers"
#: A clock that went apart from ours by more is worth a word, in ms.
DRIFT_MS = 20.0


def check(case: Case) -> Iterator[Finding]:
    """One finding a lost worker, or one for all; none for a load that one process makes."""
    started = case.timeline.first("load.start", "load", phase=Phase.OK)
    workers = [] if started is None else list(started.data.get("workers", ()))
    told = list(case.timeline.of("load.worker"))
    lost = [event for event in told if event.data.get("state") == "lost"]
    for event in lost:
        yield _found(event.subject, Outcome.INCONCLUSIVE, _lost(event), {}, (event.seq,))
    if lost or len(workers) < 2:
        return
    heard = {tick.worker for tick in case.ticks}
    mute = [name for one in workers if (name := str(one["worker"])) not in heard]
    for name in mute:
        summary = f"worker `{name}` told nothing of the load"
        yield _found(name, Outcome.INCONCLUSIVE, summary, {}, ())
    if mute:
        return
    summary = f"all {len(workers)} workers told of the load to its end"
    clocks = _clocks(workers, told)
    if clocks:
        error_ms = max(float(one["error_ms"]) for one in clocks.values())
        summary += f"; their clocks are known within {error_ms:.1f} ms"
        apart = {name: one["drift_ms"] for name, one in clocks.items()}
        worst = max(apart, key=apart.__getitem__)
        if apart[worst] > DRIFT_MS:
            summary += f", but that of `{worst}` went {format_ms(apart[worst])} apart"
    yield _found("load", Outcome.PASS, summary, {"workers": len(workers), "clocks": clocks}, ())


def _lost(event: Event) -> str:
    why = str(event.data.get("why", "")).partition("\n")[0]
    second = event.data.get("second")
    since = "before it told of any second" if second is None else f"from second {second} on"
    return f"worker `{event.subject}` of the load was lost {since}: {why}"


def _clocks(workers: list[Mapping[str, Any]], told: list[Event]) -> dict[str, dict[str, float]]:
    """Of each worker on another host: how far its clock is off, how well that is known, drift."""
    found: dict[str, dict[str, float]] = {}
    for worker in workers:
        clock = worker.get("clock")
        if clock is not None:
            found[str(worker["worker"])] = {
                "offset_ms": float(clock["offset_ms"]),
                "error_ms": float(clock["error_ms"]),
                "drift_ms": 0.0,
            }
    for event in told:
        clock = found.get(event.subject)
        if clock is not None and event.data.get("state") == "clock":
            apart = abs(float(event.data["offset_ms"]) - clock["offset_ms"])
            clock["drift_ms"] = round(max(clock["drift_ms"], apart), 3)
    return found


def _found(
    subject: str,
    outcome: Outcome,
    summary: str,
    facts: dict[str, object],
    evidence: tuple[int, ...],
) -> Finding:
    return Finding(
        check=NAME,
        subject=subject,
        outcome=outcome,
        summary=summary,
        expectation="every worker of the load is there to the end",
        evidence=evidence,
        validity=True,
        facts=facts,
    )
