"""`recover`: taking out by hand what a dead run left in place."""

from __future__ import annotations

import sys
from pathlib import Path

from gameday.app.rundir import RunDir, find
from gameday.errors import UsageError
from gameday.model.verdict import ExitCode


def recover_command(run: str | None, *, target: str | None, force: bool, reports: Path) -> ExitCode:
    """Clean one run, every dirty run, or (without any journal) one Toxiproxy server."""
    if run is not None and target is not None:
        raise UsageError("give a run or `--target`, not both")
    if target is not None:
        from gameday.adapters.toxiproxy.lease import recover_target

        report = recover_target(target, force=force)
        return _say(target, report.lines, report.dirty)
    if run is not None:
        return _recover(find(run, reports))
    from gameday.recovery import find_dirty_runs

    dirty = find_dirty_runs(reports)
    if not dirty:
        sys.stdout.write(f"no run in `{reports}` left anything in place\n")
        return ExitCode.PASS
    worst = ExitCode.PASS
    for found in dirty:
        worst = max(worst, _recover(RunDir(path=found.path)))
    return worst


def _recover(where: RunDir) -> ExitCode:
    from gameday.recovery import recover_run

    report = recover_run(where.path)
    code = _say(where.run_id, report.lines, report.dirty)
    if code is ExitCode.DIRTY:
        sys.stdout.write(
            f"{where.run_id}: make the server answer and try again; if it is gone for good, "
            f"nothing is left to take out: then remove `{where.path}`\n"
        )
    return code


def _say(what: str, lines: tuple[str, ...], dirty: tuple[str, ...]) -> ExitCode:
    for line in lines:
        sys.stdout.write(f"{what}: {line}\n")
    if dirty:
        sys.stdout.write(f"{what}: MAY STILL BE BROKEN: {', '.join(dirty)}\n")
        return ExitCode.DIRTY
    sys.stdout.write(f"{what}: clean, read back\n")
    return ExitCode.PASS
