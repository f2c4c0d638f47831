"""A child must not outlive its owner, whatever happens to the owner.

Two ways at once, since each has a hole. The end of file on the pipe that the owner holds says that
it is gone, even when the owner was another thread; but a copy of the pipe in a sibling would keep
it open, and a stopped child reads nothing. The kernel's parent-death signal has neither hole, but
means the *thread* that made the child, which is why the owner starts children from a thread that
lives as long as they do.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
#: Names the file whose lock the owner holds, where a part is in a container.
LOCK_VARIABLE = "GAMEDAY_SHOP_LOCK"


def signal_on_owner_death(number: signal.Signals) -> None:
    """Have the kernel send *number* to this process when the thread that started it ends.

    Does nothing where there is no prctl (the pipe remains).
    """
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return
    prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def in_container() -> bool:
    """Whether this part is in a container: there is no pipe there, and the engine is the parent."""
    return LOCK_VARIABLE in os.environ


def watch_owner(on_death: Callable[[], None], fd: int = 0) -> None:
    """Call *on_death* from a daemon thread at the end of file on *fd* (standard input).

    In a container: when the lock that the owner holds is free.
    """

    def wait() -> None:
        if in_container():
            _wait_for(os.environ[LOCK_VARIABLE])
            on_death()
            return
        try:
            while os.read(fd, 4096):
                pass
        except OSError:
            pass  # a closed pipe says the same as its end
        on_death()

    threading.Thread(target=wait, name="owner-watch", daemon=True).start()


def die_with_owner() -> None:
    """End this process at once, without any clean-up, when its owner is gone."""
    if not in_container():
        signal_on_owner_death(signal.SIGKILL)
    watch_owner(lambda: os._exit(0))


def _wait_for(lock: str) -> None:
    try:
        with open(lock, encoding="utf-8") as file:  # noqa: PTH123 - nothing else of it is needed
            fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        pass  # a lock that is gone says the same
