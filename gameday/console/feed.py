"""Follows the journals of runs and of the day, in a thread of its own, and tells the streams.

Files are read, nothing else: whoever writes them never waits, and does not know that this is here.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.app.console import doors_of
from gameday.app.day_journal import today
from gameday.app.day_onlooker import DayOnlooker
from gameday.app.onlooker import (
    BLIND_ROLES,
    Onlooker,
    blind_entry_of,
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
#: A sentinel takes over sooner than this after its runner is gone.
SENTINEL_S = 5.0
#: The state is sent at most this often.
SHOW_S = 0.5
RUNS_MAX = 30
#: How often people outside are told, where no plan says it.
UPDATE_EVERY_MS = 30 * 60_000
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
    gone_since: float = 0.0
    gone_told: bool = False


@dataclass(slots=True)
class Feed:
    """Everything that is followed. `look` is one round; `run` does rounds until `stop`."""

    reports: Path
    tell: Tell
    only: RunDir | None = None
    blind: bool = False
    update_every_ms: int | None = None
    day: DayOnlooker | None = None
    began_wall_ms: int = field(init=False)
    updated_wall_ms: int = 0
    _runs: dict[str, Followed] = field(default_factory=dict)
    _day_tail: Tail | None = None
    _texts: tuple[object, dict[str, list[dict[str, str]]]] = (None, {})
    _scanned: float = 0.0
    _told: float = 0.0
    _shown: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.began_wall_ms = time.time_ns() // 1_000_000
        self._follow_day()

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

    def doors(self) -> list[Path]:
        """The directories of the runs that take what people say, the newest first."""
        found = self.current
        shown = found.run.where if found is not None and not found.run.closed else None
        return [run.path for run in doors_of(self.reports, self.only, shown)]

    def nothing_to_stop(self) -> str:
        """Why nothing can be stopped now, for whoever wanted to."""
        found = self.current
        if found is None or found.run.closed or found.life is not Life.GONE:
            return "no run is under way"
        return (
            "the runner is gone and cannot be told; its sentinel takes the faults out, "
            f"`gameday recover {found.run.where.run_id}` does it by hand"
        )

    def day_under_way(self) -> DayOnlooker | None:
        """The day that was begun from a plan and is not over; None if there is none."""
        day = self.day
        return None if day is None or day.day is None or day.over else day

    def blind_roles(self) -> frozenset[str]:
        """Who must not know what is broken, now: by the plan of the day, else by `--blind`."""
        return frozenset() if self._revealed() else self._blind()

    def _blind(self) -> frozenset[str]:
        planned = None if self.day is None else self.day.blind_roles
        if planned is not None:
            return planned
        return frozenset(BLIND_ROLES) if self.blind else frozenset()

    def _revealed(self) -> bool:
        """Whether what was broken is shown to all; a run under way, or that began since, is not."""
        day = self.day
        if day is None or day.revealed_wall_ms < 0:
            return False
        runs = [(f.run, f.life) for f in list(self._runs.values())]
        return all(
            (run.closed or life is Life.GONE) and 0 < run.origin_wall_ms <= day.revealed_wall_ms
            for run, life in runs
        )

    def why_hidden(self) -> str:
        """Why it is not time to show to all what is broken; empty when it is."""
        found = self.current
        if found is not None and not found.run.closed and found.life is not Life.GONE:
            return "a run is under way"
        if self.day is not None and not self.day.nothing_left:
            return "the day is not over, and what comes next would be shown too"
        return ""

    def look(self) -> None:
        """Read what is new, and tell it."""
        if time.monotonic() - self._scanned >= SCAN_S:
            self._scan()
            self._scanned = time.monotonic()
        for _, followed, event in sorted(self._news(), key=lambda one: one[0]):
            if followed is None:
                self._see_day(event)
            else:
                self._see(followed, event)
        self._show()

    def _news(self) -> Iterator[tuple[int, Followed | None, Event]]:
        """What is new, each with its wall time: the order is the same whenever it is read."""
        if self.day is not None and self._day_tail is not None:
            for event in self._day_tail.events():
                yield self.day.origin_wall_ms + event.at_ms, None, event
        for _, followed in sorted(self._runs.items()):
            origin = followed.run.origin_wall_ms
            for event in followed.tail.events():
                if event.kind == "run.opened":
                    origin = int(event.data.get("origin_wall_ms") or 0)
                yield origin + event.at_ms, followed, event

    def _scan(self) -> None:
        self._follow_day()
        found = [self.only] if self.only is not None else all_runs(self.reports)[-RUNS_MAX:]
        began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.began_wall_ms / 1000))
        first = began if self.day is None else min(began, self.day.file.name)
        today_s = [run for run in found if run.run_id >= first]
        if self.day_under_way() is None:  # a day with a plan shows its own runs alone
            today_s = today_s or found[-1:]
        for where in today_s:
            if where.run_id not in self._runs:
                try:
                    run = onlooker_of(where)
                except (GamedayError, OSError):
                    continue  # its plan is being written, or is not ours to read
                self._runs[where.run_id] = Followed(run=run, tail=Tail(where.journal))
        for followed in self._runs.values():
            self._live(followed)

    def _follow_day(self) -> None:
        """Follow the newest day; `gameday day start` may have begun another one."""
        newest = today(self.reports)
        if newest is not None and (self.day is None or newest != self.day.file):
            self.day, self._day_tail = DayOnlooker(newest), Tail(newest.path)

    def _live(self, followed: Followed) -> None:
        """Whether its runner is there. That it is gone says its sentinel; without one, we do."""
        run = followed.run
        if run.closed:
            if followed is not self.current:
                run.events.clear()  # nobody asks for its figure any more
            return
        followed.life = runner_of(run.where)
        if followed.life is not Life.GONE or run.took_over or followed.gone_told:
            return
        now_s = time.monotonic()
        followed.gone_since = followed.gone_since or now_s
        if now_s - followed.gone_since > SENTINEL_S:
            followed.gone_told = True
            now = time.time_ns() // 1_000_000
            entry = {"at": now, "kind": "runner.gone", "who": "", "run": ""}
            full = "the runner is gone, and no sentinel has taken over: `gameday recover`"
            self.tell("full", "entry", {**entry, "text": full, "run": run.where.run_id})
            self.tell("blind", "entry", {**entry, "text": "the exercise was cut short"})

    def _see(self, followed: Followed, event: Event) -> None:
        run = followed.run
        run.see(event)
        if event.kind == "human.update":
            self.updated_wall_ms = max(self.updated_wall_ms, run.wall_ms(event.at_ms))
        who = self._blind() or BLIND_ROLES
        for view, made in (
            ("full", entry_of(run, event)),
            ("blind", blind_entry_of(run, event, who)),
        ):
            if made is not None:
                self.tell(view, "entry", made)

    def _see_day(self, event: Event) -> None:
        day = self.day
        if day is None:
            return
        day.see(event)
        if event.kind == "human.update":
            self.updated_wall_ms = max(self.updated_wall_ms, day.origin_wall_ms + event.at_ms)
        for view in VIEWS:
            made = day.entry(event, blind=view == "blind")
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
            "blind_roles": sorted(self.blind_roles()),
            "run": None,
            "day": None if self.day is None else self.day.view(blind=blind),
            "comms": self._comms(found, blind=blind),
            "updates": self._updates(found),
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

    def every_ms(self) -> int:
        """How often people outside are told: as asked for, else by the plan of the day."""
        if self.update_every_ms is not None:
            return self.update_every_ms
        planned = self.day.day if self.day is not None else None
        return UPDATE_EVERY_MS if planned is None else planned.comms.every_ms

    def _updates(self, found: Followed | None) -> dict[str, Any]:
        """When people were told last, and whether they are owed more."""
        day = self.day_under_way()
        if day is not None:
            began, owed = day.origin_wall_ms, True
        elif found is not None:
            began, owed = found.run.origin_wall_ms, not found.run.closed
        else:
            began, owed = self.began_wall_ms, False
        return {
            "every_ms": self.every_ms(),
            "last_ms": max(self.updated_wall_ms, began),
            "owed": owed,
        }

    def _comms(self, found: Followed | None, *, blind: bool) -> list[dict[str, str]]:
        """Texts to copy. Made anew each minute, so that nobody's click meets another text."""
        now = time.time_ns() // 1_000_000 // 60_000 * 60_000
        run = None if found is None else found.run
        firing = () if run is None else tuple(run.firing())
        about = None if self.day is None else (self.day.file.name, self.day.seen)
        load = found is not None and found.run.has_load(found.life)
        key = (now, about, None if run is None else (run.where.run_id, run.closed), firing, load)
        if self._texts[0] != key:
            self._texts = key, {}
        made = self._texts[1]
        name = "blind" if blind else "full"
        if name not in made:
            made[name] = self._texts_of(found, now, firing, blind=blind)
        return made[name]

    def _texts_of(
        self, found: Followed | None, now: int, firing: Sequence[str], *, blind: bool
    ) -> list[dict[str, str]]:
        if self.day is not None and self.day.day is not None:
            impact = "" if found is None else found.run.impact(found.life)
            return self.day.texts(now_wall_ms=now, impact=impact, blind=blind)
        if found is None:
            return []
        run = found.run
        return texts(
            run.plan.scenario.service,
            began_wall_ms=run.origin_wall_ms,
            now_wall_ms=now,
            firing=firing,
            over=bool(run.closed),
            every_ms=self.every_ms(),
        )

    def figure(self, view: str) -> bytes:
        """The figure of the run that is shown, as JSON; `null` where there is none."""
        found = self.current
        made = None if found is None else found.run.figure(blind=view == "blind")
        return json.dumps(made, separators=(",", ":"), allow_nan=False).encode()
