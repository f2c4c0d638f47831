"""Follows the journals of runs and of the day, in a thread of its own, and tells the streams.

Files are read, nothing else: whoever writes them never waits, and does not know that this is here.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.app.console import door_of
from gameday.app.daybook import Daybook, new_day, today
from gameday.app.onlooker import (
    BLIND_ROLES,
    Onlooker,
    blind_entry_of,
    day_entry,
    entry_of,
    onlooker_of,
    runner_of,
)
from gameday.app.rundir import RunDir, all_runs
from gameday.console.comms import texts
from gameday.errors import GamedayError, JournalError
from gameday.journal import decode
from gameday.model.event import Event
from gameday.processes import Life

POLL_S = 0.2
SCAN_S = 1.0
#: The state is sent at most this often.
SHOW_S = 0.5
RUNS_MAX = 30
_AT_ONCE = 4 * 1024 * 1024
#: A line without an end that is longer than this is none of ours.
_LINE_MAX = 16 * 1024 * 1024
VIEWS = ("full", "blind")
#: Takes what a view is told: its name, `entry` or `state`, and the thing itself.
Tell = Callable[[str, str, Any], None]


@dataclass(slots=True)
class Tail:
    """The whole lines of a file that grows, each once."""

    path: Path
    _offset: int = 0
    _rest: bytes = b""

    def events(self) -> Iterator[Event]:
        """What came since the last call; torn lines are skipped."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(_AT_ONCE)
        except OSError:
            return
        self._offset += len(chunk)
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest if len(rest) <= _LINE_MAX else b""
        for line in lines:
            try:
                event, _, _ = decode(line)
            except JournalError:
                continue
            yield event


@dataclass(slots=True)
class Followed:
    """One run that is followed."""

    run: Onlooker
    tail: Tail
    life: Life = Life.UNKNOWN
    gone_told: bool = False


@dataclass(slots=True)
class Feed:
    """Everything that is followed. `look` is one round; `run` does rounds until `stop`."""

    reports: Path
    tell: Tell
    only: RunDir | None = None
    blind: bool = False
    update_every_ms: int = 30 * 60_000
    day: Daybook = field(init=False)
    began_wall_ms: int = field(init=False)
    updated_wall_ms: int = 0
    _runs: dict[str, Followed] = field(default_factory=dict)
    _day_tail: Tail = field(init=False)
    _day_origin: int = 0
    _scanned: float = 0.0
    _told: float = 0.0
    _shown: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.day = today(self.reports) or new_day(self.reports)
        self.began_wall_ms = time.time_ns() // 1_000_000
        self._day_tail = Tail(self.day.path)

    def run(self) -> None:
        """Look again and again, until `stop`."""
        told = ""
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the page stays, and says what it can
                said = f"{type(error).__name__}: {error}"
                if said != told:
                    sys.stderr.write(f"gameday console: a bug of ours: {said}\n")
                told = said
            self._stop.wait(POLL_S)

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    @property
    def current(self) -> Followed | None:
        """The run that is shown: the newest that is under way, else the newest."""
        runs = sorted(self._runs.items())
        alive = [f for _, f in runs if not f.run.closed and f.life is not Life.GONE]
        return alive[-1] if alive else runs[-1][1] if runs else None

    def door(self) -> Path | None:
        """The directory of the run that takes what people say; None if none is under way."""
        found = self.current
        shown = found.run.where if found is not None and not found.run.closed else None
        run = door_of(self.reports, self.only, shown)
        return None if run is None else run.path

    def look(self) -> None:
        """Read what is new, and tell it."""
        if time.monotonic() - self._scanned >= SCAN_S:
            self._scan()
            self._scanned = time.monotonic()
        for event in self._day_tail.events():
            self._see_day(event)
        for _, followed in sorted(self._runs.items()):
            for event in followed.tail.events():
                self._see(followed, event)
        self._show()

    def _scan(self) -> None:
        newest = today(self.reports)
        if newest is not None and newest != self.day:  # `gameday day start` began another one
            self.day, self._day_tail = newest, Tail(newest.path)
        found = [self.only] if self.only is not None else all_runs(self.reports)[-RUNS_MAX:]
        first = self.day.path.stem
        today_s = [run for run in found if run.run_id >= first] or found[-1:]
        for where in today_s:
            if where.run_id not in self._runs:
                try:
                    run = onlooker_of(where)
                except (GamedayError, OSError):
                    continue  # its plan is being written, or is not ours to read
                self._runs[where.run_id] = Followed(run=run, tail=Tail(where.journal))
        for followed in self._runs.values():
            self._live(followed)

    def _live(self, followed: Followed) -> None:
        """Whether its runner is there; that it is gone is told once."""
        run = followed.run
        if run.closed:
            if followed is not self.current:
                run.events.clear()  # nobody asks for its figure any more
            return
        followed.life = runner_of(run.where)
        if followed.life is Life.GONE and not followed.gone_told:
            for event in followed.tail.events():  # its last words come first
                self._see(followed, event)
            if run.closed:
                return
            followed.gone_told = True
            now = time.time_ns() // 1_000_000
            entry = {"at": now, "kind": "runner.gone", "who": "", "run": ""}
            full = "the runner is gone; its sentinel takes the faults out"
            self.tell("full", "entry", {**entry, "text": full, "run": run.where.run_id})
            self.tell("blind", "entry", {**entry, "text": "the exercise was cut short"})

    def _see(self, followed: Followed, event: Event) -> None:
        run = followed.run
        run.see(event)
        if event.kind == "human.update":
            self.updated_wall_ms = max(self.updated_wall_ms, run.wall_ms(event.at_ms))
        for view, made in (("full", entry_of(run, event)), ("blind", blind_entry_of(run, event))):
            if made is not None:
                self.tell(view, "entry", made)

    def _see_day(self, event: Event) -> None:
        if event.kind == "day.opened":
            self._day_origin = int(event.data.get("origin_wall_ms") or 0)
        if event.kind == "human.update":
            self.updated_wall_ms = max(self.updated_wall_ms, self._day_origin + event.at_ms)
        for view in VIEWS:
            made = day_entry(self._day_origin, event, blind=view == "blind")
            if made is not None:
                self.tell(view, "entry", made)

    def _show(self) -> None:
        if time.monotonic() - self._told < SHOW_S:
            return  # a state has no number: what changes twice in a moment is sent once
        self._told = time.monotonic()
        for view in VIEWS:
            state = self.state(view)
            text = json.dumps(state, separators=(",", ":"), sort_keys=True, allow_nan=False)
            if self._shown.get(view) != text:
                self._shown[view] = text
                self.tell(view, "state", text)

    def state(self, view: str) -> Mapping[str, Any]:
        """What a view shows now: the run, what to tell people, and when the last update was."""
        blind, found = view == "blind", self.current
        state: dict[str, Any] = {
            "view": view,
            "blind_roles": list(BLIND_ROLES) if self.blind else [],
            "run": None,
            "comms": self._comms(found),
            "updates": {
                "every_ms": self.update_every_ms,
                "last_ms": max(self.updated_wall_ms, self._began(found)),
            },
        }
        if found is not None:
            run = found.run
            state["run"] = run.blind(found.life) if blind else run.full(found.life)
        if not blind:
            state["runs"] = [
                {"run": name, "status": f.run.closed or f.life.value}
                for name, f in sorted(self._runs.items())
            ]
        return state

    def _began(self, found: Followed | None) -> int:
        return found.run.origin_wall_ms if found is not None else self.began_wall_ms

    def _comms(self, found: Followed | None) -> list[dict[str, str]]:
        now = time.time_ns() // 1_000_000 // 60_000 * 60_000
        if found is None:
            return []
        run = found.run
        firing = [
            name
            for name, light in run.state.alerts.items()
            if light.state == "firing" or light.state.startswith("delivered")
        ]
        return texts(
            run.plan.scenario.service,
            began_wall_ms=run.origin_wall_ms,
            now_wall_ms=now,
            firing=firing,
            over=bool(run.closed),
            every_ms=self.update_every_ms,
        )

    def figure(self, view: str) -> bytes:
        """The figure of the run that is shown, as JSON; `null` where there is none."""
        found = self.current
        made = None if found is None else found.run.figure(blind=view == "blind")
        return json.dumps(made, separators=(",", ":"), allow_nan=False).encode()
