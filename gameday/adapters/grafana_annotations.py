"""Writes the phases and faults of a run into Grafana, as annotations of its dashboards.

An annotation is made when something begins, and gets its end when it has ended. Nothing waits for
Grafana: what it does not take is tried again with the next event, and told once as a warning.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gameday.adapters.http import Http
from gameday.errors import CannotSeeError
from gameday.model.event import Event, Phase
from gameday.ports import Emit

#: One call at most; the end of a run waits for at most one more.
TOTAL_S = 2.0
#: After a failure Grafana is left alone for so long.
AGAIN_S = 5.0
_PATH = "/api/annotations"
_WAITING_MAX = 1_000


@dataclass(slots=True, kw_only=True)
class _Note:
    """One annotation. `number` is Grafana's; `due` what has still to be told."""

    text: str
    tags: list[str]
    from_ms: int
    to_ms: int | None = None
    number: int | None = None
    due: bool = True


class GrafanaAnnotations:
    """A listener to the events of a run (`see`), and a watcher that starts and ends with it."""

    def __init__(self, url: str, token: str, *, tags: tuple[str, ...] = ()) -> None:
        self._http = Http(url, what="Grafana", total_s=TOTAL_S)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._tags = ("gameday", *tags)
        self._events: queue.Queue[Event | None] = queue.Queue(maxsize=_WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._emit: Emit | None = None
        self._origin_ms: int | None = None
        self._notes: list[_Note] = []
        self._phase: _Note | None = None
        self._faults: dict[str, _Note] = {}
        self._rest_until = 0.0
        self._refused = False  # by its token: it is asked no more
        self._told = False
        self._last_ms = 0

    def see(self, event: Event) -> None:
        """Take one event in. Never blocks."""
        if event.kind in _KINDS:
            try:
                self._events.put_nowait(event)
            except queue.Full:  # Grafana hangs since long
                return

    def start(self, emit: Emit) -> None:
        """Begin to write. Idempotent."""
        self._emit = emit
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gameday-grafana", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what is left, within two calls, and say what could not be. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._events.put(None, timeout=TOTAL_S)
        except queue.Full:
            return
        thread.join(2 * TOTAL_S)
        self._http.close()

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            self._take(event)
            if time.monotonic() >= self._rest_until:
                self._write(until=time.monotonic() + 2 * TOTAL_S)
        self._end(self._phase, self._last_ms)
        self._write(until=time.monotonic() + TOTAL_S)
        missing = sum(note.due for note in self._notes)
        if missing:
            self._say(f"{missing} of {len(self._notes)} annotations are missing or have no end")

    def _take(self, event: Event) -> None:
        """What an event means for the annotations."""
        self._last_ms = event.at_ms
        if event.kind == "run.opened":
            self._origin_ms = int(event.data["origin_wall_ms"])
            self._tags = (*self._tags, f"run:{event.subject}")
        elif event.kind == "run.phase":
            self._end(self._phase, event.at_ms)
            self._phase = None
            if event.subject != "end":
                self._phase = self._begin(f"phase {event.subject}", f"phase:{event.subject}", event)
        elif event.kind == "stop.tripped":
            reason = event.data.get("reason", "")
            note = self._begin(f"stopped by {event.subject}: {reason}", "stop", event)
            self._end(note, event.at_ms)
        elif event.kind == "fault.inject":
            if event.phase is Phase.OK and event.subject not in self._faults:
                text, tag = f"fault {event.subject} confirmed on", f"fault:{event.subject}"
                self._faults[event.subject] = self._begin(text, tag, event)
        elif event.phase is Phase.OK:
            self._end(self._faults.pop(event.subject, None), _confirmed(event))

    def _begin(self, text: str, tag: str, event: Event) -> _Note:
        note = _Note(text=text, tags=[*self._tags, tag], from_ms=self._wall_ms(_confirmed(event)))
        self._notes.append(note)
        return note

    def _end(self, note: _Note | None, at_ms: int) -> None:
        if note is not None:
            note.to_ms, note.due = self._wall_ms(at_ms), True

    def _wall_ms(self, at_ms: int) -> int:
        return (self._origin_ms or 0) + at_ms

    def _write(self, *, until: float) -> None:
        """Tell Grafana what it does not know yet, as long as it answers."""
        for note in self._notes:
            if not note.due or self._refused or time.monotonic() > until:
                continue
            try:
                self._one(note)
            except CannotSeeError as error:
                self._rest_until = time.monotonic() + AGAIN_S
                if not self._told:
                    self._say(str(error))
                self._told = True
                return
            note.due = False

    def _one(self, note: _Note) -> None:
        body: dict[str, Any] = {"text": note.text, "tags": note.tags, "time": note.from_ms}
        if note.to_ms is not None:
            body["timeEnd"] = note.to_ms
        if note.number is None:
            found = self._ask("POST", _PATH, body).get("id")
            if isinstance(found, int):
                note.number = found
        elif note.to_ms is not None:
            end = {"time": note.from_ms, "timeEnd": note.to_ms}
            self._ask("PATCH", f"{_PATH}/{note.number}", end)

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._http.ask(method, path, headers=self._headers, data=json.dumps(body).encode())
        if answer.status != 200:
            self._refused = answer.status in (401, 403)
            why = ": is the token right, and may it write annotations?" if self._refused else ""
            raise CannotSeeError(f"Grafana answered {answer.status} to {method} {path}{why}")
        try:
            found = json.loads(answer.body)
        except ValueError:
            raise CannotSeeError(f"Grafana did not answer with JSON to {method} {path}") from None
        return found if isinstance(found, dict) else {}

    def _say(self, error: str) -> None:
        if self._emit is not None:
            self._emit(Event(kind="export.failed", subject="grafana", data={"error": error}))


_KINDS = ("run.opened", "run.phase", "fault.inject", "fault.revert", "stop.tripped")


def _confirmed(event: Event) -> int:
    return int(event.data.get("confirmed_ms", event.at_ms))
