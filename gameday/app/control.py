"""`note`, `decide`, `stop`, `gate`, `step`, `opened`: the door through which people reach a run."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.app.day_journal import clean
from gameday.app.rundir import find
from gameday.engine.control import HUMAN, NotUnderWayError
from gameday.errors import JournalError
from gameday.journal import decode
from gameday.model.verdict import ExitCode
from gameday.plain import plain
from gameday.processes import Life
from gameday.sentinel.owner import runner_life

__all__ = ["HUMAN", "NotUnderWayError", "ask_run", "say", "say_in_run", "talk", "waiting_step"]

#: How long a runner that took something may need to write it down.
_WRITTEN_WITHIN_S, _LOOK_S = 10.0, 0.02


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
    from gameday.app.day_journal import today
    from gameday.app.rundir import all_runs

    day, text = today(reports) if run == "last" else None, request["text"]
    if day is None or all_runs(reports):
        where = find(run, reports)
        try:
            say_in_run(where.path, request)
        except NotUnderWayError as error:
            if day is None:
                raise
            text = error.said or text
        else:
            sys.stdout.write(f"{where.run_id}: done\n")
            return int(ExitCode.PASS)
    event = day.say(HUMAN[request["do"]], request["role"], text)
    sys.stdout.write(f"{day.name}: done, event {event.seq} of the day; no run is under way\n")
    return int(ExitCode.PASS)


def say_in_run(path: Path, request: Mapping[str, str]) -> None:
    """Put what somebody says into the journal of the run in *path*; it is on disk when this ends.

    Raises `UsageError` when the run refuses it, and `NotUnderWayError` when there is no runner, or
    it ended before it had written it down.
    """
    from gameday.engine.control import send

    journal = path / "journal.jsonl"
    place = journal.stat().st_size if journal.exists() else 0
    role, text = (clean(plain(request[name])) for name in ("role", "text"))
    said = str(send(path, request).get("said", text))  # with the secrets masked that it knows
    wanted = (HUMAN[request["do"]], role, said)
    deadline = time.monotonic() + _WRITTEN_WITHIN_S
    while not _stands(journal, place, wanted):
        over = runner_life(path) is Life.GONE or time.monotonic() > deadline
        if over and not _stands(journal, place, wanted):  # its last words came first
            why = f"the run in `{path}` took it and did not write it down"
            raise NotUnderWayError(why, said=said)
        time.sleep(_LOOK_S)
    with journal.open("rb") as file:
        os.fsync(file.fileno())


def _stands(journal: Path, place: int, wanted: tuple[str, str, str]) -> bool:
    """Whether kind, role and text are written there, in a whole line after *place*."""
    with journal.open("rb") as file:
        file.seek(place)
        lines = file.read().split(b"\n")[:-1]
    for line in lines:
        with contextlib.suppress(JournalError):
            event, _, _ = decode(line)
            if (event.kind, event.subject, event.data.get("text")) == wanted:
                return True
    return False


def ask_run(path: Path, request: Mapping[str, str]) -> Mapping[str, Any]:
    """The answer of the run in *path*. Raises `UsageError` when it refuses, or is gone."""
    from gameday.engine.control import send

    return send(path, request)


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
