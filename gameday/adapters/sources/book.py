"""All that was seen of the alerts of one source, over many looks, as episodes. Pure, thread-safe.

A source that lists what is over (`history`) is believed at the end. One that lists only what is
there now (`live`) tells of an end by leaving an alert out, so an end has the error of one look.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from gameday.adapters.sources.rows import Row
from gameday.errors import CannotSeeError
from gameday.model.sources import SourceSpec

#: More alerts than this in one run are no signal any more.
MAX_EPISODES = 5_000
#: Changes of state that are kept of one alert.
MAX_STATES = 200

_Key: TypeAlias = tuple[str, int | None]


@dataclass(slots=True, kw_only=True)
class _Story:
    """One alert from its beginning to its end. Times on the clock of the source."""

    row: Row
    firing_ms: int | None = None
    firing_error_ms: int = 0
    pending_ms: int | None = None
    ended_ms: int | None = None
    end_error_ms: int = 0
    acknowledged_ms: int | None = None
    states: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that one look showed for the first time: an alert event for the journal."""

    kind: str  # alert.pending, alert.firing or alert.resolved
    row: Row
    was: str = ""


class Book:
    """What was seen. Times in are wall ms on the clock of the source."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._stories: dict[_Key, _Story] = {}
        self._open: dict[str, _Key] = {}  # id -> the story that goes on
        self._fired_at: dict[_Key, _Key] = {}  # id and time of firing -> the story
        self._last_look_ms: int | None = None

    def look(self, rows: Iterable[Row], at_ms: int) -> list[Change]:
        """One whole answer, as of *at_ms*. Returns what is new."""
        found = [row for row in rows if row.state != "ignored"]
        with self._lock:
            since = self._last_look_ms
            if self._spec.keeps == "changes":
                found.sort(key=lambda row: row.started_wall_ms or 0)
                return [c for row in found for c in self._change(row, at_ms)]
            changes = [c for row in found for c in self._row(row, at_ms, since)]
            if self._spec.keeps == "live":
                changes += self._left_out({row.id for row in found}, at_ms, since)
            self._last_look_ms = at_ms
            return changes

    def episodes(self) -> list[dict[str, Any]]:
        """All stories, as JSON for `alert.read`."""
        with self._lock:
            stories = [s for s in self._stories.values() if s.firing_ms or s.pending_ms]
            return sorted((_plain(s) for s in stories), key=_begin)

    def _row(self, row: Row, at_ms: int, since: int | None) -> list[Change]:
        unknown = self._spec.keeps == "live" or row.started_wall_ms is None
        if row.state == "ended" and row.id not in self._open and unknown:
            return []  # it was over before we looked
        key = self._key(row, at_ms, since)
        story = self._story(key, row)
        was = story.states[-1][1] if story.states else ""
        story.row = _merged(story.row, row)
        if row.acknowledged_wall_ms is not None and story.acknowledged_ms is None:
            story.acknowledged_ms = row.acknowledged_wall_ms
        if was != row.state and len(story.states) < MAX_STATES:
            story.states.append([at_ms, row.state])
        self._times(story, row, at_ms, since)
        if story.firing_ms is not None:
            self._fired_at[row.id, story.firing_ms] = key
        if row.state != "ended":
            self._open[row.id] = key
        elif self._open.get(row.id) == key:
            del self._open[row.id]
        return _changes(row, was)

    def _story(self, key: _Key, row: Row) -> _Story:
        story = self._stories.get(key)
        if story is None:
            if len(self._stories) >= MAX_EPISODES:
                raise CannotSeeError(
                    f"more than {MAX_EPISODES} alerts were seen at `{self._spec.name}`"
                )
            story = self._stories[key] = _Story(row=row)
        return story

    def _key(self, row: Row, at_ms: int, since: int | None) -> _Key:
        """A story goes on from pending to firing; the same alert begun anew is another story."""
        going, begun = self._open.get(row.id), row.started_wall_ms
        if going is not None:
            story = self._stories[going]
            other = begun is not None and story.firing_ms not in (None, begun)
            if row.state == "pending":
                other = story.firing_ms is not None
            elif row.state == "ended" and self._spec.keeps == "live":
                other = False  # what it begins there is its rest
            if not other:
                return going
            if row.state != "ended":  # it ended between two looks
                story.ended_ms = at_ms if begun is None else min(begun, at_ms)
                story.end_error_ms = max(0, story.ended_ms - (since or story.ended_ms))
        if begun is None:
            begun = -sum(1 for identity, _ in self._stories if identity == row.id) - 1
        return self._fired_at.get((row.id, begun), (row.id, begun))

    def _change(self, row: Row, at_ms: int) -> list[Change]:
        """One change of state, told possibly many times: it opens a story, or closes the open one.

        What ends without a beginning began before we asked.
        """
        if row.started_wall_ms is None:
            raise CannotSeeError(f"`{self._spec.name}` lists a change without its time")
        at, error_ms = row.started_wall_ms, self._spec.error_ms
        if row.state == "firing":
            story = self._story((row.id, at), row)
            fresh = story.firing_ms is None
            story.row, story.firing_ms, story.firing_error_ms = row, at, error_ms
            return _changes(row, "") if fresh else []
        own = [s for (name, _), s in self._stories.items() if name == row.id]
        if any(s.ended_ms == at for s in own):
            return []
        going = [s for s in own if s.ended_ms is None and (s.firing_ms or 0) <= at]
        if not going:
            before = at_ms - self._spec.lookback_ms
            story = self._story((row.id, before), row)
            story.firing_ms, story.firing_error_ms = min(before, at), self._spec.lookback_ms
            going = [story]
        going[-1].ended_ms, going[-1].end_error_ms = at, error_ms
        return [Change(kind="alert.resolved", row=row, was="firing")]

    def _times(self, story: _Story, row: Row, at_ms: int, since: int | None) -> None:
        blind = at_ms - since if since is not None else self._spec.every_ms
        if row.pending_wall_ms is not None:
            story.pending_ms = row.pending_wall_ms
        if row.state == "pending" and story.pending_ms is None:
            story.pending_ms = row.started_wall_ms or at_ms
        if story.firing_ms is None and (row.state == "firing" or self._fired(story, row)):
            said = row.started_wall_ms
            story.firing_ms = at_ms if said is None else said
            story.firing_error_ms = blind if said is None else self._spec.error_ms
        if row.state == "ended" and story.ended_ms is None:
            said = row.ended_wall_ms
            story.ended_ms = at_ms if said is None else said
            story.end_error_ms = blind if said is None else self._spec.error_ms

    def _fired(self, story: _Story, row: Row) -> bool:
        """Whether what is over now had fired, although no look saw that."""
        if row.state != "ended" or self._spec.keeps == "live":
            return False
        return row.started_wall_ms not in (None, story.pending_ms)

    def _left_out(self, there: set[str], at_ms: int, since: int | None) -> list[Change]:
        """Alerts of a live list that are no longer in it have ended since the last look."""
        gone = [identity for identity in self._open if identity not in there]
        changes = []
        for identity in gone:
            story = self._stories[self._open.pop(identity)]
            was = story.states[-1][1]
            story.states.append([at_ms, "ended"])
            story.ended_ms = at_ms
            story.end_error_ms = at_ms - since if since is not None else self._spec.every_ms
            changes.append(Change(kind="alert.resolved", row=story.row, was=was))
        return changes


def _changes(row: Row, was: str) -> list[Change]:
    kind = {"firing": "alert.firing", "pending": "alert.pending", "ended": "alert.resolved"}
    if row.state == was or (row.state == "ended" and not was):
        return []
    return [Change(kind=kind[row.state], row=row, was=was)]


def _merged(known: Row, new: Row) -> Row:
    """The latest, but nothing that was known is forgotten."""
    return replace(
        new,
        labels={**known.labels, **new.labels},
        annotations={**known.annotations, **new.annotations},
        url=new.url or known.url,
    )


def _plain(story: _Story) -> dict[str, Any]:
    row = story.row
    return {
        "id": row.id,
        "alert": row.name,
        "labels": dict(row.labels),
        "annotations": dict(row.annotations),
        "url": row.url,
        "pending_wall_ms": story.pending_ms,
        "firing_wall_ms": story.firing_ms,
        "ended_wall_ms": story.ended_ms,
        "acknowledged_wall_ms": story.acknowledged_ms,
        "error_ms": story.firing_error_ms,
        "end_error_ms": story.end_error_ms,
        "states": story.states,
    }


def _begin(episode: dict[str, Any]) -> tuple[int, str]:
    return (episode["firing_wall_ms"] or episode["pending_wall_ms"] or 0, episode["id"])
