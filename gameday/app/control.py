"""`note`, `stop`, `gate`, `step`, `opened`: the door through which people reach a run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.app.rundir import find
from gameday.model.verdict import ExitCode


def talk(run: str, request: Mapping[str, str], *, reports: Path) -> int:
    """Send one request to a run that is under way. Raises `UsageError` when it is not."""
    from gameday.engine.control import send

    where = find(run, reports)
    reply = send(where.path, request)
    sys.stdout.write(f"{where.run_id}: {reply.get('text', 'done')}\n")
    return int(ExitCode.PASS)


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
