"""One run from request to verdict; `runset` runs several."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from gameday.app.check import PlanRequest, expand
from gameday.app.exports import Exports, exporting, send_afterwards
from gameday.app.interrupts import Late, restored
from gameday.app.judge import Judged, judge_run, write_reports
from gameday.app.rundir import RunDir, create
from gameday.engine.core import Done
from gameday.errors import GamedayError, JournalError
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.model.verdict import ExitCode, Outcome, RunStatus, Verdict
from gameday.sentinel import owner
from gameday.sentinel.terminal import Drawn


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
    service_version: str | None = None
    exports: Exports = field(default_factory=Exports)
    findings: bool = False  # what failed goes into the register
    created: Callable[[RunDir], None] | None = None  # told of the run's directory before it begins

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
        service_version: str | None = None,
        run_runbooks: bool = False,
        control: bool = False,
        exports: Exports = Exports(),  # noqa: B008 - a frozen value
        findings: bool = False,
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
                service_version=service_version,
                exports=exports,
                findings=findings,
            )
            for path in expand(paths)
        ]


class UnreportedError(GamedayError):
    """A run that is over, and of which nothing can be told: it ends with what its runner knows.

    What may still be broken, and an interrupt, stand above whatever came after the run.
    `interrupted` as in `RunResult`.
    """

    def __init__(self, where: RunDir, done: Done, why: Exception) -> None:
        known = Verdict(
            outcome=Outcome.INCONCLUSIVE, status=done.status, findings=(), dirty=done.dirty
        )
        bug = "" if isinstance(why, (GamedayError, OSError)) else f"{type(why).__name__}, our bug: "
        ours = bool(bug) or isinstance(why, JournalError)
        code = known.exit_code
        self.interrupted = False
        self.exit_code = ExitCode.INTERNAL if ours and code is ExitCode.INCONCLUSIVE else code
        left = f"; MAY STILL BE BROKEN: {', '.join(done.dirty)}" if done.dirty else ""
        left += f"; try `gameday recover {where.run_id}`, else `--target`" if left else ""
        super().__init__(
            f"run `{where.run_id}` is over ({done.status.value}), and nothing can be told of it: "
            f"{bug}{why}{left}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run that ended: where it lies, and its verdict.

    `interrupted` says that somebody asked for an end once it was over: no other run may begin.
    """

    where: RunDir
    judged: Judged
    done: Done
    interrupted: bool = False

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


def run_one(
    request: RunRequest,
    plan: Plan,
    *,
    as_json: bool = False,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> RunResult:
    """Run one plan, judge it, write its reports.

    Raises `GamedayError` if it could not start, `UnreportedError` if it cannot be judged.
    """
    from gameday.app.admission import admit
    from gameday.app.pages import finish_pages
    from gameday.app.policy_gate import PolicyRequest
    from gameday.app.rig import RigOptions, play

    out = stream or sys.stdout
    policy = PolicyRequest(
        go=request.go,
        change_id=request.change_id,
        operator=request.operator,
        service_version=request.service_version,
        beside_plan=("--toxiproxy",) if request.toxiproxy else (),
    )
    admission = admit(plan, policy, toxiproxy=request.toxiproxy, reports=request.reports)
    with exporting(plan, request.exports) as told, _signals() as late:
        where = create(request.reports, plan.scenario.id)
        _keep_inputs(where, plan)
        with _view(plan, out, as_json=as_json, quiet=quiet) as (listeners, drawn):
            try:
                if request.created is not None:
                    request.created(where)
                options = RigOptions(
                    toxiproxy=request.toxiproxy,
                    server_process=request.server_process,
                    listeners=[*listeners, *told.listeners],
                    watchers=told.watchers,
                    notices=told.notices,
                    drawn=drawn,
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
        judged, text = _judged(where, done, as_json=as_json)
        tell(out, text)
        finish_pages(where, judged)
    _afterwards(judged, request, late)
    return RunResult(where=where, judged=judged, done=done, interrupted=late.asked)


@contextmanager
def _signals() -> Iterator[Late]:
    """`restored`; a run of which nothing can be told keeps that somebody asked for an end."""
    try:
        with restored() as late:
            yield late
    except UnreportedError as error:
        error.interrupted = late.asked
        raise


def _judged(where: RunDir, done: Done, *, as_json: bool) -> tuple[Judged, str]:
    """The run as judged and in words. Raises `UnreportedError`, and nothing else."""
    from gameday.report.console import render
    from gameday.report.json_ import result_line

    try:
        judged = _reported(where, done)
        text = result_line(judged.report) if as_json else render(judged.report, str(where.path))
    except Exception as error:  # nothing here may hide what the run left behind
        raise UnreportedError(where, done, error) from error
    return judged, text


def _afterwards(judged: Judged, request: RunRequest, late: Late) -> None:
    """Who else is told of a run whose verdict is out. It may take long; nothing here changes it."""
    if request.exports.otlp_endpoint is not None:
        with late.noting("its trace was sent"):
            send_afterwards(judged, request.exports)
    if request.findings:
        from gameday.app.findings import collect_after

        with late.noting("its findings were collected"):
            collect_after(judged, project=request.scenario.project)


def tell(out: TextIO, text: str) -> None:
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
) -> Iterator[tuple[list[Callable[[Event], None]], Drawn | None]]:
    """What shows the run while it goes on, as listeners to its events, and on which terminal."""
    from gameday.report.live import LiveFollower, LiveView

    if quiet:
        yield [], None
        return
    mode: Literal["tty", "plain", "json"]
    screen = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    mode = "json" if as_json else "tty" if screen else "plain"
    drawn = _drawn_on(out) if mode == "tty" else None
    follower = LiveFollower(LiveView(plan, mode=mode, stream=out, drawn=drawn))
    try:
        yield [follower.emit], drawn
    finally:
        follower.close()
        if drawn is not None:
            drawn.close()


def _drawn_on(out: TextIO) -> Drawn | None:
    """The terminal behind *out*, for the sentinel to put back."""
    try:
        return Drawn(out)
    except (OSError, ValueError):  # it says that it is one, and is none
        return None


def _keep_inputs(where: RunDir, plan: Plan) -> None:
    """The scenario and the plan as they are run; judging reads nothing else but the journal."""
    from gameday.app.stored import text_without_secrets, without_secrets
    from gameday.scenario.planfile import dump_plan

    where.plan.write_text(dump_plan(without_secrets(plan)) + "\n", encoding="utf-8")
    if plan.scenario.file and Path(plan.scenario.file).is_file():
        text = Path(plan.scenario.file).read_text(encoding="utf-8")
        (where.path / "scenario.yaml").write_text(text_without_secrets(text), encoding="utf-8")


def _forget_untouched(where: RunDir) -> bool:
    """Remove the directory of a run that ended before anything was touched; whether it did.

    Where a lease may still be held it stays, for what is noted there gives it back, and that is
    said if no sentinel is there to do it.
    """
    from gameday.journal import read

    if where.journal.exists() and any(e.phase is Phase.STARTED for e in read(where.journal).events):
        return False
    held = owner.read(where.path)
    if held.after:
        if held.sentinel is None:
            how = f"`gameday recover {where.run_id}` gives it back"
            sys.stderr.write(f"gameday: a lease may still be held; {how}\n")
        return False
    shutil.rmtree(where.path, ignore_errors=True)
    return True
