"""`run`: one scenario, or a set of them in order."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from gameday.app.check import PlanRequest, error_text, expand, make_plan
from gameday.app.judge import Judged, judge_run, write_reports
from gameday.app.rundir import RunDir, create
from gameday.engine.core import Done
from gameday.errors import GamedayError, ScenarioError
from gameday.model.diagnostics import Diagnostic
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.model.verdict import ExitCode, RunStatus, exit_of_set


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run that somebody asked for."""

    scenario: PlanRequest
    toxiproxy: str | None = None
    reports: Path = Path("reports")
    go: bool = False
    server_process: Mapping[str, Any] | None = None  # of a given Toxiproxy, where that is known
    change_id: str | None = None
    operator: str | None = None

    @classmethod
    def many(
        cls,
        paths: Sequence[Path],
        *,
        project: Path | None,
        environment: str | None,
        profile: str | None,
        toxiproxy: str | None,
        reports: Path,
        seed: int,
        go: bool,
        change_id: str | None = None,
        operator: str | None = None,
        run_runbooks: bool = False,
        control: bool = False,
    ) -> list[Self]:
        """One request a scenario file, directories searched."""
        return [
            cls(
                scenario=PlanRequest(
                    path=path,
                    project=project,
                    environment=environment,
                    profile=profile,
                    seed=seed,
                    run_runbooks=run_runbooks,
                    control=control,
                ),
                toxiproxy=toxiproxy,
                reports=reports,
                go=go,
                change_id=change_id,
                operator=operator,
            )
            for path in expand(paths)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run that ended: where it lies, and its verdict."""

    where: RunDir
    judged: Judged
    done: Done

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with.

        The journal's own verdict, unless the runner knows worse: a journal that could not be
        written to its end does not tell of what came after.
        """
        if self.done.dirty:
            return ExitCode.DIRTY
        if self.done.status is RunStatus.ERRORED:
            return ExitCode.INTERNAL
        return self.judged.report.verdict.exit_code


def run_set(requests: Sequence[RunRequest], *, as_json: bool, quiet: bool) -> ExitCode:
    """Run them in order. All are checked before the first is run; a dirty one ends the set."""
    plans: list[tuple[RunRequest, Plan]] = []
    problems: list[Diagnostic] = []
    for request in requests:
        try:
            plans.append((request, make_plan(request.scenario)))
        except ScenarioError as error:
            problems.extend(error.diagnostics)
    if problems:
        raise ScenarioError(problems)
    codes: list[ExitCode] = []
    for request, plan in plans:
        try:
            code = run_one(request, plan, as_json=as_json, quiet=quiet).exit_code
        except GamedayError as error:
            if len(plans) == 1:
                raise
            sys.stderr.write(error_text(error))
            code = error.exit_code
        codes.append(code)
        if code in (ExitCode.DIRTY, ExitCode.INTERRUPTED):
            break
    return exit_of_set(codes)


def run_one(
    request: RunRequest,
    plan: Plan,
    *,
    as_json: bool = False,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> RunResult:
    """Run one plan, judge it, write its reports. Raises `GamedayError` if it could not start."""
    from gameday.app.admission import admit
    from gameday.app.interrupts import restored
    from gameday.app.policy_gate import PolicyRequest
    from gameday.app.rig import RigOptions, play
    from gameday.report.console import render
    from gameday.report.json_ import result_line

    out = stream or sys.stdout
    policy = PolicyRequest(
        go=request.go,
        change_id=request.change_id,
        operator=request.operator,
        beside_plan=("--toxiproxy",) if request.toxiproxy else (),
    )
    admission = admit(plan, policy, toxiproxy=request.toxiproxy, reports=request.reports)
    where = create(request.reports, plan.scenario.id)
    _keep_inputs(where, plan)
    with restored():
        with _view(plan, out, as_json=as_json, quiet=quiet) as listeners:
            try:
                options = RigOptions(
                    toxiproxy=request.toxiproxy,
                    server_process=request.server_process,
                    listeners=listeners,
                    admission=admission,
                )
                done = play(plan, where, options)
            except GamedayError:
                _forget_untouched(where)
                raise
            except KeyboardInterrupt:
                if _forget_untouched(where):
                    sys.stderr.write("gameday: interrupted before anything was touched\n")
                raise
        judged = _reported(where, done)
        text = result_line(judged.report) if as_json else render(judged.report, str(where.path))
        _tell(out, text)
    return RunResult(where=where, judged=judged, done=done)


def _tell(out: TextIO, text: str) -> None:
    """Print the verdict. Nobody reading any more must not change what the run ends with."""
    try:
        out.write(text)
        out.flush()
    except OSError:
        if out is sys.stdout:  # or the interpreter tries again at its end, and fails
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _reported(where: RunDir, done: Done) -> Judged:
    """The judged run. Where its reports cannot be written, that is said, and nothing else lost."""
    from gameday.app.history import keep_history

    try:
        keep_history(where)
        return write_reports(where)[0]
    except OSError as error:
        left = f"; MAY STILL BE BROKEN: {', '.join(done.dirty)}" if done.dirty else ""
        sys.stderr.write(
            f"gameday: the reports of `{where.path}` cannot be written: {error.strerror}{left}; "
            f"make room, then `gameday report {where.run_id}`\n"
        )
        return judge_run(where)


@contextmanager
def _view(
    plan: Plan, out: TextIO, *, as_json: bool, quiet: bool
) -> Iterator[list[Callable[[Event], None]]]:
    """What shows the run while it goes on, as listeners to its events."""
    from gameday.report.live import LiveFollower, LiveView

    if quiet:
        yield []
        return
    mode: Literal["tty", "plain", "json"]
    mode = "json" if as_json else "tty" if out.isatty() else "plain"
    follower = LiveFollower(LiveView(plan, mode=mode, stream=out))
    try:
        yield [follower.emit]
    finally:
        follower.close()


def _keep_inputs(where: RunDir, plan: Plan) -> None:
    """The scenario and the plan as they are run; judging reads nothing else but the journal."""
    from gameday.app.stored import text_without_secrets, without_secrets
    from gameday.scenario.planfile import dump_plan

    where.plan.write_text(dump_plan(without_secrets(plan)) + "\n", encoding="utf-8")
    if plan.scenario.file and Path(plan.scenario.file).is_file():
        text = Path(plan.scenario.file).read_text(encoding="utf-8")
        (where.path / "scenario.yaml").write_text(text_without_secrets(text), encoding="utf-8")


def _forget_untouched(where: RunDir) -> bool:
    """Remove the directory of a run that ended before anything was touched; whether it did."""
    from gameday.journal import read

    if where.journal.exists() and any(e.phase is Phase.STARTED for e in read(where.journal).events):
        return False
    shutil.rmtree(where.path, ignore_errors=True)
    return True
