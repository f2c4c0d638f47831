"""`recover`: taking out by hand what a dead run left in place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gameday.app.rundir import RunDir, find
from gameday.errors import UsageError
from gameday.model.recovery import RecoveryReport
from gameday.model.verdict import ExitCode


def recover_command(run: str | None, *, target: str | None, force: bool, reports: Path) -> ExitCode:
    """Clean one run, every dirty run, or (without any journal) one place."""
    if run is not None and target is not None:
        raise UsageError("give a run or `--target`, not both")
    if target is not None:
        report = _recover_place(target, force=force)
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


def _recover_place(target: str, *, force: bool) -> RecoveryReport:
    """Take everything of gameday out of a Toxiproxy, a Docker engine, or this project's host."""
    if target.startswith(("http://", "https://")):
        from gameday.adapters.toxiproxy.lease import recover_target

        return recover_target(target, force=force)
    if target == "docker" or target.startswith(("unix://", "tcp://")):
        from gameday.adapters.docker.engine import DEFAULT_URL
        from gameday.adapters.docker.recover import recover_target as recover_engine

        usual = os.environ.get("DOCKER_HOST") or DEFAULT_URL
        return recover_engine(usual if target == "docker" else target, force=force)
    if target == "host":
        from gameday.adapters.host.lease import recover_target as recover_host
        from gameday.scenario.build import find_project

        project = find_project(Path.cwd() / "gameday.yaml")
        if project is None:
            raise UsageError(
                "no `gameday.yaml` here or above: call it in the folder of the project, "
                "where the notes of its faults on this host are"
            )
        return recover_host(project.parent, force=force)
    raise UsageError(
        f"`{target}` is no place of ours; write the address of a Toxiproxy (`http://…`), "
        "`docker` or the address of an engine (`unix://…`, `tcp://…`), or `host`"
    )


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
