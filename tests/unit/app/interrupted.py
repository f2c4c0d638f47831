"""A small run in a process of its own, to be interrupted: one fault, whose revert waits.

`python interrupted.py DIR FAILURES`: puts a fault in, makes DIR/in; each revert makes DIR/try-N,
the first FAILURES fail, and the others wait for DIR/release. DIR/result tells how it ended.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gameday.app.guarding import interrupts
from gameday.engine.loop import Loop, RunClock
from gameday.errors import NoEffectError
from gameday.model.event import Event
from gameday.model.plan import Limits, Schedule, Step, When

PATIENCE_S = 60.0


class Acts:
    def __init__(self, directory: Path, failures: int) -> None:
        self._directory, self._failures, self._tries = directory, failures, 0

    def undo_for(self, _step: Step, _actions: Sequence[Event]) -> Mapping[str, Any]:
        return {"kind": "test", "target": "payments"}

    def inject(self, _step: Step, _undo: Mapping[str, Any]) -> Mapping[str, Any]:
        (self._directory / "in").touch()
        return {}

    def revert(self, _step: Step, _undo: Mapping[str, Any]) -> Mapping[str, Any]:
        self._tries += 1
        (self._directory / f"try-{self._tries}").touch()
        if self._tries <= self._failures:
            raise NoEffectError("refused")
        deadline = time.monotonic() + PATIENCE_S
        while not (self._directory / "release").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return {"read_back": True}

    def perform(self, _step: Step) -> Mapping[str, Any]:
        return {}


class Sink(list[Event]):
    def append(self, event: Event, *, sync: bool = False) -> None:  # type: ignore[override]
        super().append(event)


def main(directory: Path, failures: int) -> None:
    steps = (
        Step(id="in", verb="fault.inject", subject="slow", lane="payments"),
        Step(
            id="out", verb="fault.revert", subject="slow", lane="payments",
            when=(When(delay_ms=100_000),),
        ),
    )  # fmt: skip
    limits = Limits(deadline_ms=120_000, call_ms=50_000, revert_for_ms=30_000, backoff_ms=10)
    clock, sink = RunClock.start(), Sink()
    loop = Loop(Schedule(steps=steps, limits=limits), Acts(directory, failures), clock, sink)
    with interrupts(loop, clock):
        done = loop.run()
    told = {
        "status": done.status.value,
        "dirty": list(done.dirty),
        "reason": done.reason,
        "stops": [e.subject for e in sink if e.kind == "stop.tripped"],
    }
    (directory / "result").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
