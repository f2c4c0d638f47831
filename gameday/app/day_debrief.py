"""`gameday day debrief`: what a day left, written up from its journal and those of its runs."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from gameday.app.day import DayRequest, Held, hold, settle
from gameday.app.day_kept import as_begun
from gameday.app.judge import judge_run, write_reports
from gameday.app.rundir import RunDir
from gameday.errors import GamedayError, RefusedError, UsageError
from gameday.kpi.day import CLOSED, PUBLISHED, state_of
from gameday.model.verdict import ExitCode
from gameday.report import day_debrief
from gameday.report.day_debrief import HEADING, DayRun, Record

HOTWASH, DEBRIEF = "hotwash.md", "debrief.md"


def debrief_command(request: DayRequest, *, published: bool) -> ExitCode:
    """Write `hotwash.md` and `debrief.md`; *published* stops the clock of the deadline.

    A day in which nothing is left is over with it. What people have finished is never overwritten.
    """
    held = hold(request, changed_is_fine=True)
    with held.file.turn():
        held = settle(held.again())
        if held.state.closed is None:
            left = held.state.next_id
            if left is not None:
                raise RefusedError(
                    f"`{left}` is not done yet; `gameday day stop` ends the day without it"
                )
            held.file.append(CLOSED, held.day.id, stopped=False, reason="everything was done")
            held = held.again()
        record = record_of(held, request.reports)
        if published:
            record = _publish(held, record, request.reports)
    for name, text in (
        (HOTWASH, day_debrief.hotwash(record)),
        (DEBRIEF, day_debrief.debrief(record)),
    ):
        _write(held.file.folder / name, text)
    sys.stdout.write(f"the debrief is {day_debrief.deadline_text(record)}\n")
    if record.late is not None:
        sys.stdout.write(f"it was published {'too late' if record.late else 'in time'}\n")
    elif datetime.now(UTC) >= record.due:
        sys.stdout.write("that is over: it is late\n")
    return ExitCode.PASS


def record_of(held: Held, reports: Path) -> Record:
    """Everything that a day left, by the plan as it was when the day began."""
    folder = held.file.folder
    day = as_begun(folder, Path(held.day.directory), held.day) or held.day
    runs = {}
    for name, item in held.state.items.items():
        found = _run(reports, folder, item.run) if item.run is not None else None
        if found is not None:
            runs[name] = found
    state = state_of(day, held.events)
    return Record(day=day, state=state, events=held.events, runs=runs)


def _run(reports: Path, folder: Path, name: str) -> DayRun | None:
    where = RunDir(path=(reports / name).resolve())
    try:
        if (where.path / "postmortem.md").exists():
            judged = judge_run(where)
        else:  # its runner was killed before it could
            judged, _ = write_reports(where)
    except (GamedayError, OSError) as error:
        sys.stderr.write(f"gameday: the run `{name}` is left out: {error}\n")
        return None
    return DayRun(
        report=judged.report,
        events=tuple(judged.timeline),
        link=os.path.relpath(where.path, folder.resolve()),
    )


def _publish(held: Held, record: Record, reports: Path) -> Record:
    if record.state.published is not None:
        return record
    path = held.file.folder / DEBRIEF
    if not path.exists() or _is_draft(path):
        raise UsageError(
            f"`{path}` is still a draft; finish it, and take `DRAFT` out of its heading"
        )
    held.file.append(PUBLISHED, held.day.id)
    return record_of(held.again(), reports)


def _write(path: Path, text: str) -> None:
    if path.exists() and not _is_draft(path):
        sys.stdout.write(f"left {path} as it is: it is no draft any more\n")
        return
    from gameday.report.pages import put

    try:
        put(path, text.encode())
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from None
    sys.stdout.write(f"wrote {path}\n")


def _is_draft(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(200).startswith(HEADING)
