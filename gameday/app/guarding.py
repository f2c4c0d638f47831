"""What keeps a run safe while the loop turns: the sentinel's beat, the lease, and signals."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from gameday import sentinel
from gameday.app.interrupts import interrupts
from gameday.app.leases import Leases
from gameday.engine.loop import Loop
from gameday.errors import GamedayError, RefusedError
from gameday.model.event import Event
from gameday.ports import Emit

__all__ = ["Pulse", "interrupts", "renewing"]

#: How often a lease is renewed.
RENEW_S = 8.0


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
