"""Looking at something every second from a thread of its own, and remembering the blind times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.errors import CannotSeeError
from gameday.model.event import Event
from gameday.ports import Emit

Gap: TypeAlias = list[int]  # [from_wall_ms, to_wall_ms]

#: How long `stop` waits for a look that is under way.
STOP_S = 2.0
#: Looks that began this much later than asked for are no gap yet.
GRACE_MS = 2_000


class Coverage:
    """When a source was seen. Times are wall ms of our clock. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed: list[Gap] = []
        self._first: int | None = None
        self._last: int | None = None
        self._blind = False

    def seen(self, began_ms: int, ended_ms: int) -> None:
        """A look that worked."""
        with self._lock:
            if self._blind and self._last is not None:
                self._closed.append([self._last, began_ms])
            self._blind = False
            self._first = began_ms if self._first is None else self._first
            self._last = ended_ms

    def failed(self) -> None:
        """A look that did not."""
        with self._lock:
            self._blind = True

    def last_seen_before(self, at_ms: int) -> int | None:
        """The last time at or before *at_ms* at which it is known to have been visible."""
        with self._lock:
            if self._first is None or self._last is None or at_ms < self._first:
                return None
            known = min(at_ms, self._last)
            for a, b in self._closed:
                if a < known < b:
                    return a
            return known

    def gaps(self, since_ms: int, until_ms: int) -> list[Gap]:
        """The stretches of [since, until] in which looking failed, or was not even tried."""
        with self._lock:
            if self._first is None or self._last is None:
                return [[since_ms, until_ms]]
            found = [list(gap) for gap in self._closed]
            if self._first > since_ms + GRACE_MS:
                found.append([since_ms, self._first])
            if self._blind or self._last < until_ms - GRACE_MS:
                found.append([self._last, until_ms])
        return joined(found, since_ms, until_ms)


def joined(gaps: list[Gap], since_ms: int, until_ms: int) -> list[Gap]:
    """*gaps* within [since, until], in order, overlapping ones made one."""
    found: list[Gap] = []
    for a, b in sorted(gaps):
        start, end = max(a, since_ms), min(b, until_ms)
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found


def settled(offset_ms: float, error_ms: float) -> tuple[float, float]:
    """A measured clock offset and its error; an offset within its error is none.

    Times on one machine then stay the exact times of the samples.
    """
    return (0.0 if abs(offset_ms) <= error_ms else offset_ms), error_ms


class Poller:
    """Calls *look* every *every_ms*, tells `alert.source.up` and `.down` when that changes."""

    def __init__(
        self,
        name: str,
        look: Callable[[Emit], None],
        *,
        every_ms: int,
        now_wall_ms: NowWallMs = wall_ms,
    ) -> None:
        self.coverage = Coverage()
        self._name = name
        self._look = look
        self._every_s = every_ms / 1000
        self._now = now_wall_ms
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._up: bool | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._thread is not None

    def restart_gap(self, began_ms: int, since_ms: int) -> Gap:
        """What a server missed that began at *began_ms*: all since the last look before that."""
        before = self.coverage.last_seen_before(began_ms)
        if before is None:
            return [since_ms, began_ms]
        return [before - round(self._every_s * 1000), began_ms]

    def start(self, emit: Emit) -> None:
        """Begin. A second start changes nothing."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(
                target=self._run, args=(emit,), name=f"poll-{self._name}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End; a look under way is waited for, for at most two seconds."""
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_S)

    def _run(self, emit: Emit) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            self._once(emit)
            due = max(due + self._every_s, time.monotonic())
            self._ended.wait(due - time.monotonic())

    def _once(self, emit: Emit) -> None:
        began = self._now()
        try:
            self._look(emit)
        except CannotSeeError as error:
            self._down(emit, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in looking must not look like quiet
            self._down(emit, f"gameday could not read it: {type(error).__name__}: {error}")
        else:
            self.coverage.seen(began, self._now())
            if self._up is not True:
                self._up = True
                self._tell(emit, "alert.source.up", "")

    def _down(self, emit: Emit, error: str) -> None:
        self.coverage.failed()
        if self._up is not False:
            self._up = False
            self._tell(emit, "alert.source.down", error)

    def _tell(self, emit: Emit, kind: str, error: str) -> None:
        if not self._ended.is_set():
            emit(Event(kind=kind, subject=self._name, data={"error": error}))
