"""An alert source described by data: polled while a run lasts, and read at its end.

The rules of truth are those of the other sources. What is judged is what was read at the end; a
source that shows only what is there now (`live`) is as visible as the polls were.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.adapters.http import shown
from gameday.adapters.polling import Poller, joined
from gameday.adapters.sources.asking import Asker, BusyError, Told
from gameday.adapters.sources.book import Book, Change
from gameday.errors import CannotSeeError
from gameday.model.event import Event
from gameday.model.sources import CAPABILITIES, SourceSpec
from gameday.model.units import format_ms
from gameday.ports import Emit

#: What is judged by a capability, for people.
_MEANS = {
    "firing": "when an alert fires",
    "pending": "when it is pending",
    "ended": "when it ends",
    "delivered": "that it reached people",
    "acknowledged": "when it is acknowledged",
    "labels": "labels",
    "annotations": "links to runbooks",
    "rules": "its rules and their health",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """What a look at a source shows. Its clock is known to half a second, or not at all."""

    url: str
    preset: str
    alerts: int
    firing: int
    newest_wall_ms: int | None
    rules: int | None
    broken_rules: tuple[str, ...]
    offset_ms: float | None
    error_ms: float | None
    can: tuple[str, ...]
    pages: int
    lookback_ms: int
    now_wall_ms: int

    @property
    def cannot(self) -> tuple[str, ...]:
        """What it can never say, so that it is never judged by it."""
        return tuple(name for name in CAPABILITIES if name not in self.can)

    @property
    def text(self) -> str:
        """One line for people."""
        newest = "none"
        if self.newest_wall_ms is not None:
            newest = f"{format_ms(max(0, self.now_wall_ms - self.newest_wall_ms))} ago"
        clock = "its clock is not known"
        if self.offset_ms is not None:
            clock = f"clock off by {format_ms(self.offset_ms)} ± {format_ms(self.error_ms or 0)}"
        return (
            f"{self.url}, {self.alerts} alerts in the last {_span(self.lookback_ms)} "
            f"({self.firing} firing, newest {newest}), {clock}"
        )

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What `gameday doctor --source` says besides, as (subject, text)."""
        rules = []
        if self.rules is not None:
            broken = f", in error: {', '.join(self.broken_rules)}" if self.broken_rules else ""
            rules = [("rules", f"{self.rules}{broken}")]
        cannot = ", ".join(_MEANS[name] for name in self.cannot) or "nothing"
        return (
            *rules,
            ("can judge", ", ".join(_MEANS[name] for name in self.can)),
            ("cannot judge", cannot),
        )


class HttpJsonSource:
    """Watches one source, and tells afterwards what was seen there.

    With *judged* it is the one that says when alerts fire; others are asked for what they add.
    """

    def __init__(
        self,
        spec: SourceSpec,
        *,
        base: Path | None = None,
        judged: bool = True,
        now_wall_ms: NowWallMs = wall_ms,
        wait_s: Callable[[float], object] | None = None,
    ) -> None:
        self.name = spec.name
        self._ended = threading.Event()
        self._wait_s = wait_s or self._ended.wait
        self._spec, self._base, self._judged, self._now = spec, base or Path(), judged, now_wall_ms
        self._poller = Poller(spec.name, self._look, every_ms=spec.every_ms, now_wall_ms=self._now)
        self._book = Book(spec)
        self._asker: Asker | None = None
        self._offset_ms: float | None = None
        self._clock_told = False
        self._began_ms: int | None = None
        self._not_before = 0.0  # monotonic: it asked to be left alone until then

    def start(self, emit: Emit) -> None:
        """Begin to poll. Returns at once."""
        self._ended.clear()
        self._poller.start(emit)

    def stop(self) -> None:
        """End, within about two seconds. Idempotent."""
        self._ended.set()
        if self._asker is not None:
            self._asker.close()  # it ends a look that waits; the next one would have another
        self._poller.stop()
        asker, self._asker = self._asker, None
        if asker is not None:
            asker.close()

    def read(
        self, since_wall_ms: int, until_wall_ms: int, *, now: bool = False
    ) -> Mapping[str, Any]:
        """All it knows of [since, until] (our clock), for `alert.read`. Raises CannotSeeError.

        It is waited for, for at most its `delay`, until it lists all of that time; with *now* not.
        """
        if not now:
            self._settle(until_wall_ms)
        asked = self._now()
        told = self._whole(since_wall_ms, until_wall_ms)
        offset = round(told.offset_ms or 0)
        self._book.look(told.rows, told.answered_wall_ms + offset)
        read_wall_ms = self._now()
        self._poller.coverage.seen(asked, read_wall_ms)
        live = self._spec.keeps == "live"
        gaps = self._poller.coverage.gaps(since_wall_ms, until_wall_ms) if live else []
        return {
            "episodes": [
                episode
                for episode in self._book.episodes()
                if _overlaps(episode, since_wall_ms + offset, until_wall_ms + offset)
            ],
            "rules": [dict(row) for row in told.rules],
            "can": list(self._spec.can),
            "judged": self._judged,
            "history": not live,
            "preset": self._spec.preset,
            "pages": told.pages,
            "offset_ms": told.offset_ms,
            "error_ms": told.error_ms,
            "since_wall_ms": since_wall_ms,
            "until_wall_ms": min(until_wall_ms, read_wall_ms - self._spec.delay_ms),
            "read_wall_ms": read_wall_ms,
            "gaps": joined(gaps, since_wall_ms, until_wall_ms),
        }

    def check(self) -> SourceHealth:
        """What `gameday doctor` shows. Raises CannotSeeError."""
        spec, now = self._spec, self._now()
        told = self._whole(now, now)
        begun = [row.started_wall_ms for row in told.rows if row.started_wall_ms is not None]
        broken = [str(row["name"]) for row in told.rules if row["health"] == "err"]
        return SourceHealth(
            url=shown(spec.url),
            preset=spec.preset,
            alerts=sum(row.state != "ignored" for row in told.rows),
            firing=sum(row.state == "firing" for row in told.rows),
            newest_wall_ms=max(begun, default=None),
            rules=len(told.rules) if spec.rules else None,
            broken_rules=tuple(broken),
            offset_ms=told.offset_ms,
            error_ms=told.error_ms,
            can=spec.can,
            pages=told.pages,
            lookback_ms=spec.lookback_ms,
            now_wall_ms=now,
        )

    def _settle(self, until_wall_ms: int) -> None:
        """Wait until what happened until then is listed; `stop` ends that."""
        late_ms = self._spec.delay_ms
        left_ms = min(until_wall_ms + late_ms - self._now(), late_ms)
        if left_ms > 0:
            self._wait_s(left_ms / 1000)

    def _whole(self, since_wall_ms: int, until_wall_ms: int) -> Told:
        """All that was there in that time or shortly before."""
        asker = Asker(self._spec, base=self._base, now_wall_ms=self._now)
        again = False
        try:
            while True:
                asked = round(self._offset_ms or 0)
                until = max(until_wall_ms, self._now()) + asked + 1_000  # it may know no ms
                since = since_wall_ms + asked - self._spec.lookback_ms
                told = asker.ask(since, until, patient=True)
                if told.offset_ms is None:
                    return replace(told, offset_ms=self._offset_ms)
                if again or abs(told.offset_ms - asked) <= (told.error_ms or 0):
                    return told
                self._offset_ms, again = told.offset_ms, True  # the window is that of its clock
        finally:
            asker.close()

    def _look(self, emit: Emit) -> None:
        """One poll: tell what has changed."""
        if time.monotonic() < self._not_before:
            raise CannotSeeError(f"`{self.name}` asked to be left alone for a while (rate limit)")
        asker = self._asker = self._asker or Asker(
            self._spec, base=self._base, now_wall_ms=self._now
        )
        now, offset = self._now(), round(self._offset_ms or 0)
        since = now - self._spec.lookback_ms if self._began_ms is None else self._began_ms
        try:
            told = asker.ask(since + offset, now + offset + 1_000)
        except BusyError as error:
            self._not_before = time.monotonic() + error.after_s
            raise
        self._began_ms = self._began_ms or now - self._spec.delay_ms - 10_000
        self._tell_clock(emit, told)
        at_ms = told.answered_wall_ms + round(told.offset_ms or 0)
        for change in self._book.look(told.rows, at_ms):
            if self._judged:
                emit(self._event(change, told.answered_wall_ms))

    def _tell_clock(self, emit: Emit, told: Told) -> None:
        if not self._clock_told and told.offset_ms is not None:
            self._clock_told, self._offset_ms = True, told.offset_ms
            data = {"offset_ms": told.offset_ms, "error_ms": told.error_ms}
            emit(Event(kind="clock.offset", subject=self.name, data=data))

    def _event(self, change: Change, now_ms: int) -> Event:
        row = change.row
        data = {
            "source": self.name,
            "labels": dict(row.labels),
            "annotations": dict(row.annotations),
            "value": row.said,
            "at_wall_ms": now_ms,
            "observed": True,
        }
        if change.kind == "alert.resolved":
            data["was"] = change.was
        return Event(kind=change.kind, subject=row.name, data=data)


def _span(ms: int) -> str:
    """A long time for people: days, hours or minutes."""
    for name, unit_ms in (("d", 86_400_000), ("h", 3_600_000)):
        if ms >= 2 * unit_ms or ms == unit_ms:
            return f"{ms / unit_ms:.3g} {name}"
    return f"{ms / 60_000:.3g} min"


def _overlaps(episode: Mapping[str, Any], since_ms: int, until_ms: int) -> bool:
    """Whether it was there in that time, as far as its times (often whole seconds) tell."""
    begun = episode["pending_wall_ms"] or episode["firing_wall_ms"]
    ended = episode["ended_wall_ms"]
    late_ms = max(1_000, episode["end_error_ms"])
    return begun <= until_ms and (ended is None or ended + late_ms >= since_ms)
