"""`note`, `stop`, `gate`: the door through which people reach a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from gameday.app.rundir import find
from gameday.model.verdict import ExitCode


def talk(run: str, request: Mapping[str, str], *, reports: Path) -> int:
    """Send one request to a run that is under way. Raises `UsageError` when it is not."""
    from gameday.engine.control import send

    where = find(run, reports)
    reply = send(where.path, request)
    sys.stdout.write(f"{where.run_id}: {reply.get('text', 'done')}\n")
    return int(ExitCode.PASS)
