"""`gameday quarter`: the report of a quarter, and what to test next."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from gameday.app.quarter_days import days_known
from gameday.app.run_index import Known, bring_up, index_at
from gameday.errors import UsageError
from gameday.model.quarter import FindingSeen, History
from gameday.model.quarter_report import Quarter
from gameday.model.verdict import ExitCode
from gameday.programme.quarter_build import frame_at, quarter_of
from gameday.programme.quarter_days import joined
from gameday.programme.quarter_imports import (
    read_deployments,
    read_drills,
    read_incidents,
    read_scope,
)
from gameday.programme.quarter_next import Candidate, candidates, why_of
from gameday.programme.quarter_period import Period, parse_period, period_of

_BYTES_MAX = 50_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterRequest:
    """What the command line said. `what` is a quarter, `this`, `last`, or `plan`."""

    what: str
    reports: Path
    project: Path | None = None
    out: Path | None = None
    index: str | None = None
    rebuild: bool = False
    findings: str | None = None
    incidents: Path | None = None
    deployments: Path | None = None
    drills: Path | None = None
    scope: Path | None = None
    environment: str = ""
    limit: int = 15
    as_of: str | None = None
    json: bool = False


def quarter_command(request: QuarterRequest) -> ExitCode:
    """Write the report of a quarter, or print what to test next."""
    now = _now(request.as_of)
    if request.what == "plan":
        return _plan(request, now)
    period = _period(request.what, now)
    if period.start > now:
        raise UsageError(f"{period.name} has not begun; it is {now:%Y-%m-%d}")
    known, history = _history(request)
    quarter = quarter_of(history, period, now)
    folder = request.out or request.reports / period.name
    quarter = replace(quarter, pages=_pages(quarter, request.reports, folder))
    from gameday.report.quarter_files import render_json, write_quarter

    try:
        written = write_quarter(folder, quarter)
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be written: {error.strerror}") from None
    if request.json:
        sys.stdout.write(json.dumps(json.loads(render_json(quarter)), ensure_ascii=False) + "\n")
        return ExitCode.PASS
    for sentence in quarter.sentences:
        sys.stdout.write(f"{sentence}.\n")
    sys.stdout.write(
        f"{known.read} of {len(known.runs)} runs were read anew; wrote {written[0]} and "
        f"{len(written) - 1} files beside it\n"
    )
    return ExitCode.PASS


def _plan(request: QuarterRequest, now: datetime.datetime) -> ExitCode:
    _, history = _history(request)
    frame = frame_at(history, period_of(now), now)
    if request.environment:
        known = sorted({run.environment for run in history.runs})
        if request.environment not in known:
            raise UsageError(
                f"no run was in `{request.environment}`; there are `{'`, `'.join(known)}`"
                if known
                else "there are no runs yet"
            )
    found = candidates(history, frame, request.environment)
    if request.json:
        for place, one in enumerate(found, 1):
            sys.stdout.write(json.dumps(_plain(place, one), ensure_ascii=False) + "\n")
        return ExitCode.PASS
    sys.stdout.write(_table(found[: max(1, request.limit)], len(found)))
    return ExitCode.PASS


def _table(found: tuple[Candidate, ...], total: int) -> str:
    if not found:
        return "nothing is in scope: no run, finding or incident names a service; see `--scope`\n"
    lines = []
    for place, one in enumerate(found, 1):
        tier = "" if one.tier is None else f" (tier {one.tier})"
        lines.append(f"{place:>3}. {one.service}{tier}: {one.mode}  [{one.points}]")
        lines.append(f"     {why_of(one)}")
        if one.scenario:
            lines.append(f"     last: {one.scenario}, {one.last_run}, {one.age_days} days ago")
    if total > len(found):
        lines.append(f"… and {total - len(found)} more; `--limit {total}` shows all")
    lines.append("points only put the list in an order; they are no score of a service")
    return "\n".join(lines) + "\n"


def _plain(place: int, one: Candidate) -> dict[str, object]:
    return {
        "place": place,
        "service": one.service,
        "failure_mode": one.mode,
        "tier": one.tier,
        "points": one.points,
        "reasons": [{"points": r.points, "text": r.text} for r in one.reasons],
        "last_run": one.last_run or None,
        "age_days": one.age_days,
        "scenario": one.scenario or None,
    }


def _history(request: QuarterRequest) -> tuple[Known, History]:
    """Everything that was given. Files with errors are told before anything is written."""
    from gameday.scenario.build import find_project

    incidents = _read(request.incidents, read_incidents)
    deployments = _read(request.deployments, read_deployments)
    drills = _read(request.drills, read_drills)
    scope = _read(request.scope, read_scope)
    findings = _findings(request)
    known = bring_up(
        index_at(request.index, request.reports), request.reports, rebuild=request.rebuild
    )
    days = days_known(request.reports, request.project or find_project(Path.cwd()))
    if drills is not None or days.drills:
        drills = joined(drills or (), days.drills)
    return known, History(
        runs=known.runs,
        findings=findings,
        incidents=incidents,
        deployments=deployments,
        drills=drills,
        scope=scope,
        days=days.days,
        unread=(*known.unread, *days.unread),
    )


def _findings(request: QuarterRequest) -> tuple[FindingSeen, ...] | None:
    """Those of the register; None where there is none, which is not the same as no findings."""
    from gameday.app.finding_store import register_of
    from gameday.programme.quarter_register import finding_seen

    store = register_of(store=request.findings, project=request.project).store
    if not store.exists():
        if request.findings:
            raise UsageError(f"there is no findings register at `{store.name}`")
        return None
    return tuple(finding_seen(record) for record in store.all())


def _read(path: Path | None, read: Callable[[str, str], _T]) -> _T | None:
    if path is None:
        return None
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise UsageError(f"`{path}` is larger than {_BYTES_MAX // 1_000_000} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"`{path}` is not UTF-8; save it as CSV in UTF-8") from None
    return read(text, str(path))


def _now(text: str | None) -> datetime.datetime:
    """The moment as of which is counted: the end of the day that was given, else now."""
    if text is None:
        return datetime.datetime.now(datetime.UTC)
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"`{text}` is no day; write one such as `2026-11-30`") from None
    return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC)


def _period(text: str, now: datetime.datetime) -> Period:
    if text in ("this", "last"):
        current = period_of(now)
        return current if text == "this" else current.before
    found = parse_period(text)
    if found is None:
        raise UsageError(f"`{text}` is no quarter; write `2026Q4`, `this`, `last`, or `plan`")
    return found


def _pages(quarter: Quarter, reports: Path, folder: Path) -> dict[str, str]:
    """Where the page of each run that is told lies, as seen from *folder*."""
    told = {dot.run for dot in quarter.dots} | {c.run for m in quarter.maps for c in m.cells}
    told |= {str(row[0]) for sheet in quarter.sheets if sheet.name == "runs" for row in sheet.rows}
    found = {}
    for run in sorted(told - {""}):
        page = reports / run / "report.html"
        if page.is_file():
            found[run] = Path(os.path.relpath(page, folder)).as_posix()
    return found
