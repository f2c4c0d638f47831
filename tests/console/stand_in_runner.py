"""A runner without a target: a journal, the owner's file and the door of a run, all of them real.

`python stand_in_runner.py RUN_DIR`: the plan and the events (`events.jsonl`: kind, subject, phase,
cause, data, at_ms) lie in the directory. A line `12` on standard input writes the events up to the
12th; what comes through the door is written as it comes; `secret WORD` makes it know a secret,
`note JSON` writes another event, and `close` ends the run.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from gameday.engine.control import ControlServer
from gameday.journal import Journal
from gameday.model.event import Event, Phase
from gameday.secrets import remember
from gameday.sentinel import owner


class Runner:
    def __init__(self, where: Path) -> None:
        self._lock = threading.Lock()
        lines = (where / "events.jsonl").read_text().splitlines()
        self._coming = [json.loads(line) for line in lines]
        self._origin = self._coming[0]["data"]["origin_wall_ms"]
        self._written: dict[int, int] = {}
        self._place = 0
        owner.claim(where)
        self._journal = Journal.open(where / "journal.jsonl")

    def play(self, until: int) -> None:
        with self._lock:
            while self._place < min(until, len(self._coming)):
                raw = self._coming[self._place]
                cause = raw["cause"]
                self._written[self._place] = self._journal.next_seq
                self._append(
                    Event(
                        kind=raw["kind"], subject=raw["subject"], phase=Phase(raw["phase"]),
                        cause=None if cause is None else self._written[cause], data=raw["data"],
                        at_ms=raw["at_ms"],
                    )
                )  # fmt: skip
                self._place += 1

    def emit(self, event: Event) -> None:
        with self._lock:
            at_ms = max(self._journal.last_at_ms, time.time_ns() // 1_000_000 - self._origin)
            self._append(
                Event(kind=event.kind, subject=event.subject, data=event.data, at_ms=at_ms)
            )

    def _append(self, event: Event) -> None:
        first = self._journal.next_seq == 0
        at_ms = event.at_ms if first else max(event.at_ms, self._journal.last_at_ms)
        self._journal.append(
            Event(
                seq=self._journal.next_seq, at_ms=at_ms, kind=event.kind, subject=event.subject,
                phase=event.phase, cause=event.cause, data=event.data,
            )
        )  # fmt: skip

    def status(self) -> dict[str, str]:
        asked = None
        for raw in self._coming[: self._place]:
            asked = raw if raw["kind"] == "runbook.asked" else asked
        if asked is None:
            return {}
        return {"name": asked["subject"], **asked["data"]}


def main() -> None:
    where = Path(sys.argv[1])
    runner = Runner(where)
    books = ["runbooks/payments-slow.md"]
    server = ControlServer(
        where, runner.emit, gates={"strong"}, runbooks=books, status=runner.status
    )
    print("ready", flush=True)
    try:
        for line in sys.stdin:
            if line.strip() == "close":
                break
            if line.startswith("secret "):
                remember(line.split()[1])
            elif line.startswith("note "):
                runner.emit(Event(**json.loads(line.removeprefix("note "))))
            else:
                runner.play(int(line))
            print("played", flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    main()
