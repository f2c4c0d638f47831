"""`note`, `decide`, `stop`, `gate`, `step`, `opened`: the door through which people reach a run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.app.rundir import find
from gameday.engine.control import HUMAN
from gameday.errors import UsageError
from gameday.model.verdict import ExitCode

__all__ = ["HUMAN", "ask_run", "is_gone", "say", "talk", "waiting_step"]


def talk(run: str, request: Mapping[str, str], *, reports: Path) -> int:
    """Send one request to a run that is under way. Raises `UsageError` when it is not."""
    from gameday.engine.control import send

    where = find(run, reports)
    reply = send(where.path, request)
    sys.stdout.write(f"{where.run_id}: {reply.get('text', 'done')}\n")
    return int(ExitCode.PASS)


def say(run: str, request: Mapping[str, str], *, reports: Path) -> int:
    """Put what somebody says into the run that is under way, else into the day's own journal.

    Raises `UsageError` where there is neither.
    """
    from gameday.app.daybook import today
    from gameday.app.rundir import all_runs
    from gameday.engine.control import NotUnderWayError

    day = today(reports) if run == "last" else None
    if day is None or all_runs(reports):
        try:
            return talk(run, request, reports=reports)
        except NotUnderWayError:
            if day is None:
                raise
    event = day.write(HUMAN[request["do"]], request["role"], request["text"])
    sys.stdout.write(f"{day.path.stem}: done, event {event.seq} of the day; no run is under way\n")
    return int(ExitCode.PASS)


def ask_run(path: Path, request: Mapping[str, str]) -> Mapping[str, Any]:
    """The answer of the run in *path*. Raises `UsageError` when it refuses, or is gone."""
    from gameday.engine.control import send

    return send(path, request)


def is_gone(error: UsageError) -> bool:
    """Whether the error of `ask_run` means that there is no runner any more."""
    from gameday.engine.control import NotUnderWayError

    return isinstance(error, NotUnderWayError)


def _answers(waits: Mapping[str, Any]) -> str:
    """The commands that answer for the step, each with its name: the next one is not meant."""
    name = shlex.quote(str(waits["name"]))
    words = ("done", "failed") if waits["what"] == "approval" else ("done", "changed", "failed")
    commands = [f"`gameday step {word} --step {name}`" for word in words]
    return f"{', '.join(commands[:-1])} or {commands[-1]}"


def waiting_step(run: str, *, role: str, reports: Path) -> int:
    """Show the step of a runbook that waits for a person."""
    from gameday.engine.control import send

    where = find(run, reports)
    waits = send(where.path, {"do": "show", "role": role}).get("status") or {}
    if not waits.get("name"):
        sys.stdout.write(f"{where.run_id}: no step waits for anybody now\n")
        return int(ExitCode.PASS)
    sys.stdout.write(
        f"{where.run_id}: {waits['what']} `{waits['name']}` waits for you, "
        f"{waits['limit_ms'] / 1000:g} s in all:\n\n{str(waits['text']).rstrip()}\n\n"
        f"answer with {_answers(waits)}\n"
    )
    return int(ExitCode.PASS)
