"""`judge` and `report`: everything after the journal, as a pure function of the run directory."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from gameday.app.rundir import RunDir, find
from gameday.errors import JournalError, UsageError
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.model.verdict import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run read back and judged."""

    plan: Plan
    timeline: Timeline
    report: Report


def judge_run(where: RunDir) -> Judged:
    """Read and judge one run directory."""
    from gameday.app.history import read_history
    from gameday.checks import judge
    from gameday.journal import read
    from gameday.report.build import build
    from gameday.scenario.planfile import load_plan

    try:
        text = where.plan.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(
            f"`{where.plan}` cannot be read: {why}; a run directory needs plan.json"
        ) from None
    plan = load_plan(text)
    journal = read(where.journal)
    if not journal.events:
        raise JournalError(f"`{where.journal}` holds no event: {journal.problem or 'it is empty'}")
    timeline = Timeline(journal.events)
    verdict = judge(plan, timeline)
    report = build(plan, timeline, verdict, read_history(where))
    return Judged(plan=plan, timeline=timeline, report=report)


def write_reports(where: RunDir) -> tuple[Judged, list[Path]]:
    """Judge, and write every report file but those that have to be drawn."""
    from gameday.app.day_kept import calendar_of
    from gameday.report import write_all
    from gameday.report.postmortem import draft_of

    judged = judge_run(where)
    names = {where.run_id, judged.report.run_id}
    draft = draft_of(judged.timeline, judged.report, calendar_of(where, names, judged.plan))
    return judged, write_all(where.path, judged.report, draft)


def judge_command(run: str, *, reports: Path, as_json: bool) -> ExitCode:
    """Print the verdict again; the exit code is the run's."""
    from gameday.report.console import render
    from gameday.report.json_ import render as render_json

    where = find(run, reports)
    judged = judge_run(where)
    sys.stdout.write(
        render_json(judged.report) if as_json else render(judged.report, str(where.path))
    )
    return judged.report.verdict.exit_code


def report_command(
    run: str, *, reports: Path, open_it: bool = False, index_only: bool = False
) -> ExitCode:
    """Write the report files again, and the page of all runs; `open_it` shows the page."""
    from gameday.app.pages import show, write_drawn, write_index

    if index_only:
        page = write_index(reports)
        sys.stdout.write(f"wrote {page}\n")
    else:
        where = find(run, reports)
        judged, written = write_reports(where)
        written += write_drawn(where, judged)
        if where.path.parent == reports.resolve():
            written.append(write_index(reports))
        for path in dict.fromkeys(written):
            sys.stdout.write(f"wrote {path}\n")
        page = where.path / "report.html"
    if open_it:
        show(page)
    return ExitCode.PASS
