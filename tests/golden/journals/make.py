"""How the golden journals were made. They are never made again: old journals stay readable.

    python tests/golden/journals/make.py DIRECTORY

writes them into an empty directory, with the journal of whatever version is installed; files of a
new version of the journal get a new prefix.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.journal import Journal
from gameday.model.event import ACTION_KINDS, JOURNAL_VERSION, NOTE_KINDS, Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.window import Cell, OpenCell, Tick, tick_to_json
from gameday.testing.simulate import Answer, World, simulate

UNDO = {
    "kind": "toxiproxy", "url": "http://127.0.0.1:8474", "proxy": "payments",
    "before": {"listen": "127.0.0.1:20001", "upstream": "127.0.0.1:9001", "enabled": True,
               "toxics": []},
}  # fmt: skip
OPENED = Event(
    kind="run.opened", subject="20260314-150000-payments-slow",
    data={"origin_wall_ms": 1_773_500_400_000, "scenario": "payments-slow", "seed": 7, "pid": 4711,
          "plan_sha256": "0" * 64, "gameday": "0.1.0", "python": "3.11.7"},
)  # fmt: skip


def ok(kind: str, subject: str) -> Trigger:
    return Trigger(kind=kind, subject=subject)


def schedule() -> Schedule:
    opened = (When(all_of=(ok("target.open", "payments"),), delay_ms=3_000),)
    faulty = When(all_of=(ok("fault.inject", "slow"),))
    cured = When(all_of=(ok("fault.revert", "slow"),))
    data = {"target": "payments"}
    return Schedule(
        steps=(
            Step(id="open", verb="target.open", subject="payments", lane="payments", required=True),
            Step(id="load", verb="load.start", subject="load", lane="load", required=True),
            Step(id="prepare", verb="fault.prepare", subject="slow", lane="payments"),
            Step(id="inject", verb="fault.inject", subject="slow", lane="payments", when=opened,
                 align_ms=1000, required=True, data=data),
            Step(id="fault", verb="run.phase", subject="fault", lane="phase", mark=True,
                 when=(faulty,)),
            Step(id="revert", verb="fault.revert", subject="slow", lane="payments",
                 when=(replace(faulty, delay_ms=5_000),), align_ms=1000, data=data),
            Step(id="recovery", verb="run.phase", subject="recovery", lane="phase", mark=True,
                 when=(cured,)),
            Step(id="unload", verb="load.stop", subject="load", lane="load", always=True,
                 when=(replace(cured, delay_ms=3_000),)),
            Step(id="read", verb="alert.read", subject="builtin", lane="builtin", always=True,
                 when=(When(all_of=(ok("load.stop", "load"),)),)),
        ),
        limits=Limits(deadline_ms=60_000, call_ms=2_000, revert_for_ms=6_000),
    )  # fmt: skip


def well(step: Step, _now_ms: int) -> Answer:
    facts = {"confirmed_ms": 1, "read_back": True} if step.verb.startswith("fault.") else {}
    return Answer(took_ms=20, data=facts)


def refusing(step: Step, now_ms: int) -> Answer:
    if step.verb == "fault.revert":
        return Answer(phase=Phase.FAILED, took_ms=5, data={"error": "connection refused"})
    return well(step, now_ms)


def hanging(step: Step, now_ms: int) -> Answer:
    if step.verb == "fault.inject":
        return Answer(phase=Phase.UNKNOWN, took_ms=4_000, lands_ms=3_900, data={"error": "reset"})
    return well(step, now_ms)


def window(at_ms: int) -> Event:
    tick = Tick(
        second=at_ms // 1000 - 1,
        cells=(
            Cell(second=at_ms // 1000 - 1, journey="checkout", name="POST /checkout", outcome="ok",
                 response={bucket_of(41_000): 30, bucket_of(90_000): 2},
                 service={bucket_of(40_000): 32}),
        ),
        open=(OpenCell(journey="browse", name="GET /products", ages={bucket_of(12_000): 1}),),
        in_flight=1, oldest_ms=12, users=4, asked=33, started=33, loop_lag_ms=0.4, cpu_share=0.21,
    )  # fmt: skip
    return Event(at_ms=at_ms, kind="load.window", subject="0", data=tick_to_json(tick))


def played(world: World, notes: Iterable[Event] = ()) -> list[Event]:
    """A whole run: opened, played, closed."""
    found = simulate(schedule(), world, notes)
    done = found.done
    data = {"status": done.status.value, "dirty": list(done.dirty), "reason": done.reason}
    closed = Event(kind="run.closed", subject=OPENED.subject, data=data)
    events = [replace(OPENED, seq=0, at_ms=0)]
    for event in found.timeline:
        cause = None if event.cause is None else event.cause + 1
        more = {**event.data, "undo": UNDO} if "undo" in event.data else event.data
        events.append(replace(event, seq=event.seq + 1, cause=cause, data=more))
    return [*events, replace(closed, seq=len(events), at_ms=events[-1].at_ms)]


def one_of_each() -> list[Event]:
    """Every kind of event once, every phase, and data with everything that JSON can hold."""
    data: dict[str, Any] = {
        "text": 'quotes " \\ / and ünïcode – \u2028 \U0001f6a8 \x00',
        "n": [0, -1, 2**53, 0.1, 1e-9],
        "nothing": None, "yes": True, "nested": {"b": {"a": []}},
    }  # fmt: skip
    events = [replace(OPENED, seq=0, at_ms=-250)]
    for kind in sorted(ACTION_KINDS):
        for phase in (Phase.STARTED, Phase.UNKNOWN, Phase.STARTED, Phase.FAILED, Phase.STARTED,
                      Phase.OK):  # fmt: skip
            seq = len(events)
            events.append(
                Event(seq=seq, at_ms=seq, kind=kind, subject="ü", phase=phase, data=data,
                      cause=None if phase is Phase.STARTED else seq - 1)
            )  # fmt: skip
    for kind in sorted(NOTE_KINDS - {"run.opened"}):
        events.append(Event(seq=len(events), at_ms=999, kind=kind, subject="ü", data=data))
    return events


def write(path: Path, events: list[Event]) -> Path:
    with Journal.open(path) as journal:
        for event in events:
            journal.append(event)
    return path


def make(directory: Path) -> None:
    stop = Event(
        at_ms=6_000, kind="stop.tripped", subject="errors > 50% for 10s",
        data={"reason": "`errors > 50% for 10s`: 62 % of 320 requests", "status": "stopped"},
    )  # fmt: skip
    prefix = f"v{JOURNAL_VERSION}"
    clean = played(well, [window(2_000), window(3_000)])
    write(directory / f"{prefix}-clean.jsonl", clean)
    write(directory / f"{prefix}-dirty.jsonl", played(refusing))
    write(directory / f"{prefix}-stopped.jsonl", played(well, [stop]))
    write(directory / f"{prefix}-late.jsonl", played(hanging))
    write(directory / f"{prefix}-kinds.jsonl", one_of_each())
    torn = write(directory / f"{prefix}-torn.jsonl", clean[:12])
    torn.write_bytes(torn.read_bytes()[:-40])
    taken = write(directory / f"{prefix}-sentinel.jsonl", clean[:12])
    taken.write_bytes(taken.read_bytes()[:-40])
    take_over(taken)
    forged = write(directory / f"{prefix}-forged.jsonl", clean)
    forged.write_bytes(forged.read_bytes().replace(b'"attempt":1', b'"attempt":2'))


def take_over(path: Path) -> None:
    """As the sentinel does after the runner is gone."""
    with Journal.reopen(path) as journal:
        rest = [
            Event(
                kind="sentinel.took_over", subject="sentinel", data={"why": "the runner is gone"}
            ),
            Event(kind="fault.revert", subject="slow", phase=Phase.STARTED, data={"attempt": 1}),
            Event(kind="fault.revert", subject="slow", phase=Phase.OK, data={"read_back": True}),
            Event(kind="target.close", subject="payments", phase=Phase.STARTED),
            Event(kind="target.close", subject="payments", phase=Phase.OK),
        ]
        for event in rest:
            ends = event.phase is Phase.OK
            cause = journal.next_seq - 1 if ends else None
            journal.append(replace(event, seq=journal.next_seq, at_ms=9_000, cause=cause))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
