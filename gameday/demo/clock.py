"""The clocks of the gateways: how far one is off, and how one of them can be given another time.

A process whose clock a scenario may move has to be started under libfaketime. It follows a file in
the shop's state, which holds the true time (`+0`) until somebody writes another one.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path

from gameday.demo.settings import Settings

#: What monitoring is told is a wrong clock. Between machines that ask for the time it is a
#: hundredth of that; the header below has whole seconds.
OFF_S = 2.0
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib")
_PATTERNS = ("faketime/libfaketime.so.1", "*/faketime/libfaketime.so.1")


def library() -> Path | None:
    """Where libfaketime is on this machine; None if it is not installed."""
    found = (path for place in _PLACES for one in _PATTERNS for path in Path(place).glob(one))
    return next(iter(sorted(found)), None)


def clock_environment(settings: Settings, name: str, preload: Path) -> dict[str, str]:
    """With which environment the part *name* is started; writes the true time into its file."""
    file = settings.clock_file(name)
    file.write_text("+0\n", encoding="utf-8")
    return {
        "LD_PRELOAD": str(preload),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def ahead_s(date: str | None, now: float) -> float:
    """How far the clock of whoever sent the header `Date` is ahead of *now* (Unix time).

    Negative: behind. The header has whole seconds, cut off, so half a second is added. 0 where
    there is no such header, or one that says nothing.
    """
    try:
        return parsedate_to_datetime(date or "").timestamp() + 0.5 - now
    except (ValueError, OverflowError):
        return 0.0
