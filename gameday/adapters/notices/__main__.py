"""Sends the messages that it is given on standard input, and says of each what became of it.

One JSON document in, one line of JSON an address out. Each address has a process of its own, which
ends after the limit that it is given, however long a server hangs. None takes processor time from
a load.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday import secrets
from gameday.adapters.notices.apprise_sender import scheme_of, send, warm
from gameday.errors import GamedayError
from gameday.model.notices import Message

_LONGEST_S = 60.0
_LOADING_S = 60
_NICE = 5


def main() -> int:
    """All addresses at the same time; 0 when each has been heard of."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    work = json.loads(sys.stdin.read())
    limit_s = min(max(float(work["limit_s"]), 0.1), _LONGEST_S)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LOADING_S + int(limit_s))
    with contextlib.suppress(GamedayError):
        warm()  # once, for all of them
    children = [_fork(row, work, limit_s) for row in work["to"]]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return int(any(codes))


def _fork(row: Mapping[str, Any], work: Mapping[str, Any], limit_s: float) -> int:
    """A process for one address; it is ended by its alarm."""
    child = os.fork()
    if child:
        return child
    try:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        _one(row, work)
    finally:
        os._exit(0)


def _one(row: Mapping[str, Any], work: Mapping[str, Any]) -> None:
    began, scheme, error = time.monotonic(), "", ""
    try:
        url = secrets.resolve(secrets.from_json(row["url"]), base=Path(str(work["base"])))
        scheme = scheme_of(url)
        send(url, Message(title=str(row["title"]), body=str(row["body"])), str(work["look"]))
    except GamedayError as problem:
        error = secrets.masked(str(problem))
    except Exception as problem:  # noqa: BLE001 - a plug-in of Apprise may fail in any way
        error = f"a plug-in of Apprise failed ({type(problem).__name__})"
    ms = round((time.monotonic() - began) * 1000)
    line = json.dumps({"to": row["name"], "scheme": scheme, "error": error, "ms": ms})
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())  # short: it does not mix with that of another


if __name__ == "__main__":
    sys.exit(main())
