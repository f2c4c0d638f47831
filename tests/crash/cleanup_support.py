"""An undoer that fails as told, a journal to be written event by event, and where it lies."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.journal import Journal
from gameday.model.event import Event, Phase


@dataclass
class World:
    """Faults in place by name; reverting one may fail a few times, or hang."""

    there: set[str]
    failing: dict[str, list[Exception]] = field(default_factory=dict)
    hanging: dict[str, threading.Event] = field(default_factory=dict)
    reverted: list[str] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)

    def revert(self, undo: Mapping[str, Any]) -> Mapping[str, Any]:
        name = undo["name"]
        if name in self.hanging:
            self.hanging.pop(name).wait(20)
        if self.failing.get(name):
            raise self.failing[name].pop(0)
        self.reverted.append(name)
        if name not in self.stuck:
            self.there.discard(name)
        return {}

    def present(self, undo: Mapping[str, Any]) -> bool:
        return undo["name"] in self.there

    def undoer(self, _kind: str) -> World:
        return self


class Writer:
    """A journal, event by event."""

    def __init__(self, run_dir: Path) -> None:
        self.journal = Journal.open(run_dir / "journal.jsonl")
        self.note("run.opened", "run-1", data={"origin_wall_ms": round(time.time() * 1000) - 5000})

    def note(
        self,
        kind: str,
        subject: str,
        phase: Phase = Phase.NOTED,
        cause: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        seq = self.journal.next_seq
        event = Event(
            seq=seq, at_ms=seq, kind=kind, subject=subject, phase=phase, cause=cause,
            data=data or {},
        )  # fmt: skip
        self.journal.append(event)
        return seq

    def inject(self, name: str, target: str, end: Phase | None = Phase.OK, **data: Any) -> int:
        undo = {"kind": "fake", "name": name, "target": target}
        seq = self.note("fault.inject", name, Phase.STARTED, data={"undo": undo})
        if end is not None:
            self.note("fault.inject", name, end, cause=seq, data=data)
        return seq
