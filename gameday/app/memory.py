"""What a running run knows of itself: the events so far, for the acts that have to look back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from gameday.model.event import Event, Timeline
from gameday.model.window import Tick, tick_from_json


class Memory:
    """A fold that keeps every event and answers nothing. Read from worker threads."""

    def __init__(self, listeners: Iterable[Callable[[Event], None]] = ()) -> None:
        self._events: list[Event] = []
        self._ticks: list[Tick] = []
        self._told: dict[str, int] = {}  # the last second of each worker that is there
        self._firing: set[str] = set()
        self.stopped = False  # once the run is being stopped
        self._news = threading.Condition()
        self._listeners = tuple(listeners)

    def see(self, event: Event) -> Iterable[Event]:
        """Keep it, and tell the listeners (alerts on the load's windows, the live view)."""
        with self._news:
            self._events.append(event)
            if event.kind == "load.window":
                tick = tick_from_json(event.data)
                self._ticks.append(tick)
                self._told[tick.worker] = tick.second
            elif event.kind == "load.worker" and event.data.get("state") == "lost":
                self._told.pop(event.subject, None)
            elif event.kind == "alert.firing":
                self._firing.add(event.subject)
            elif event.kind == "alert.resolved":
                self._firing.discard(event.subject)
            elif event.kind == "stop.tripped":
                self.stopped = True
            self._news.notify_all()
        for listener in self._listeners:
            listener(event)
        return ()

    def tick(self, now_ms: int) -> Iterable[Event]:
        """Nothing happens by time alone."""
        del now_ms
        return ()

    def timeline(self) -> Timeline:
        """Everything so far."""
        with self._news:
            return Timeline(tuple(self._events))

    def ticks(self) -> tuple[Tick, ...]:
        """All seconds of the load so far."""
        with self._news:
            return tuple(self._ticks)

    def firing(self) -> tuple[str, ...]:
        """Alerts that fire now, as far as was seen."""
        with self._news:
            return tuple(sorted(self._firing))

    def wait_for_event(self, wanted: Callable[[Event], bool], timeout_s: float) -> Event | None:
        """The first event that is *wanted*, waited for; None if there is none in time."""
        with self._news:
            return self._news.wait_for(
                lambda: next((e for e in self._events if wanted(e)), None), timeout_s
            )

    def wait_for_second(self, second: int, timeout_s: float) -> bool:
        """Wait until all workers of the load have told of *second*; False if not in time."""
        with self._news:
            return self._news.wait_for(
                lambda: bool(self._told) and min(self._told.values()) >= second, timeout_s
            )
