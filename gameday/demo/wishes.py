"""Starting a part of a running shop again: the wish is a file, so any process may have it.

`python -m gameday.demo restart NAME --state DIR` is what an operator, or the undo of a fault that
killed the part, calls. The shop sees the wish of a part that has ended; the database, whose data
would be gone with its own process, is looked after by that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from gameday.demo.settings import Settings, read_settings, read_status, write_private
from gameday.demo.topology import NAMES

RESTART_WITHIN_S = 30.0
_POLL_S = 0.1


class Attendant:
    """Calls *restart* with the name of each part that somebody wishes for and that has ended."""

    def __init__(
        self, settings: Settings, ended: Callable[[str], bool], restart: Callable[[str], None]
    ) -> None:
        self._settings, self._ended, self._restart = settings, ended, restart
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._attend, name="demo-attendant", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look after nothing any more."""
        self._over.set()
        self._thread.join()

    def _attend(self) -> None:
        while not self._over.wait(_POLL_S):
            for name in NAMES:
                if self._settings.wish(name).exists() and self._ended(name):
                    self._settings.status(name).unlink(missing_ok=True)
                    fulfilled(self._settings, name)
                    self._restart(name)


def fulfilled(settings: Settings, name: str) -> None:
    """The wish is being done."""
    settings.wish(name).unlink(missing_ok=True)


def wished(settings: Settings, name: str) -> bool:
    """Whether somebody wants the part back; the wish is taken."""
    if not settings.wish(name).exists():
        return False
    fulfilled(settings, name)
    return True


def restart_part(state_dir: Path, name: str) -> str:
    """Have the part *name* of the shop in *state_dir* started again. Why it was not, or nothing.

    A part that runs is left alone: that is what was wished for.
    """
    try:
        settings = read_settings((state_dir / "shop.json").resolve())
    except (OSError, ValueError, KeyError):
        return f"no shop keeps its state in `{state_dir}`"
    if _runs(settings, name):
        return ""
    write_private(settings.wish(name), "again\n")
    end = time.monotonic() + RESTART_WITHIN_S
    while time.monotonic() < end:
        if not settings.wish(name).exists() and _runs(settings, name):
            return ""
        time.sleep(_POLL_S)
    fulfilled(settings, name)
    return f"`{name}` was not back within {RESTART_WITHIN_S:.0f} s; does the shop still run?"


def _runs(settings: Settings, name: str) -> bool:
    status = read_status(settings, name)
    if not status.get("ready"):
        return False
    try:
        state = Path(f"/proc/{int(status['pid'])}/stat").read_text("utf-8").rpartition(")")[2]
    except (OSError, ValueError):
        return False
    return state.split()[0] != "Z"  # one that has ended, and was not asked after yet
