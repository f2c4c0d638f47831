"""What keeps a run safe while the loop turns: the sentinel's beat, the lease, and signals."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from gameday import sentinel
from gameday.app.interrupts import interrupts
from gameday.app.leases import Leases
from gameday.engine.loop import Loop
from gameday.errors import GamedayError, RefusedError
from gameday.model.event import Event
from gameday.ports import Emit

__all__ = ["Pulse", "beating", "interrupts", "renewing"]

#: How often a lease is renewed.
RENEW_S = 8.0


#: How often the sentinel hears a beat while the run's parts are put away, and for how long.
_BEAT_S, PUT_AWAY_S = 0.5, 120.0


class Pulse:
    """Called by the deciding thread: as long as it turns, the sentinel hears a beat.

    A run without a sentinel goes on only to take its faults out.
    """

    def __init__(self) -> None:
        self.guard: sentinel.SentinelHandle | None = None
        self.emit: Emit | None = None

    def __call__(self) -> None:
        """Give one beat; if nobody hears it, stop the run."""
        if self.guard is None or self.emit is None or self.guard.beat():
            return
        reason = "the sentinel is gone, so nobody would take the faults out after this process"
        data = {"reason": reason, "status": "invalid"}
        self.emit(Event(kind="sentinel.lost", subject="sentinel"))
        self.emit(Event(kind="stop.tripped", subject="sentinel", data=data))
        self.emit = None


@contextlib.contextmanager
def renewing(leases: Leases, loop: Loop) -> Iterator[None]:
    """Renew the leases from a thread; losing one to another run stops this one."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            try:
                leases.renew()
            except RefusedError as error:
                data = {"reason": str(error), "status": "invalid"}
                loop.emit(Event(kind="stop.tripped", subject="lease", data=data))
                return
            except GamedayError:
                continue  # the server is away; a fault on it is noticed elsewhere

    thread = threading.Thread(target=renew, name="gameday-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10.0)


@contextlib.contextmanager
def beating(guard: sentinel.SentinelHandle, *, at_most_s: float = PUT_AWAY_S) -> Iterator[None]:
    """Beat from a thread while what was undone already is put away, which may have to wait.

    A server that hangs must not make the sentinel end a runner that has taken everything out. After
    *at_most_s* the beat ends, and so does a runner that hangs itself.
    """
    ended = threading.Event()
    until = time.monotonic() + at_most_s

    def beat() -> None:
        while not ended.wait(_BEAT_S) and time.monotonic() < until:
            guard.beat()

    thread = threading.Thread(target=beat, name="gameday-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_BEAT_S * 4)
