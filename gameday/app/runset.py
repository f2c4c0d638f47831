"""`run`: a set of scenarios in a stable order, with one summary and one exit code."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameday.app.check import error_text, make_plan
from gameday.app.interrupts import Late
from gameday.app.needs import missing_need
from gameday.app.run import RunRequest, UnreportedError, run_one, tell
from gameday.errors import GamedayError, ScenarioError, UsageError
from gameday.model.diagnostics import Diagnostic
from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.model.runset import ENDS, FailOn, RunSet, SetRow, Try, exit_with
from gameday.model.verdict import ExitCode

RETRIES_MAX = 5
#: What a retry may look at again.
_RETRIED = (ExitCode.FAIL, ExitCode.INCONCLUSIVE)
#: A step summary on GitHub may have 1 MiB.
_SUMMARY_MAX = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions:
    """Which scenarios, and how a set is told. `whole` says that a set was asked for."""

    tags: str | None = None
    fail_on: str = FailOn.INCONCLUSIVE.value
    retry: int = 0
    step_summary: Path | None = None
    whole: bool = False
    as_json: bool = False
    quiet: bool = False


def run_set(requests: Sequence[RunRequest], options: SetOptions) -> ExitCode:
    """Run them in order. All are checked before the first is run; a dirty one ends the set."""
    fail_on = _fail_on(options.fail_on)
    if not 0 <= options.retry <= RETRIES_MAX:
        raise UsageError(f"`--retry {options.retry}`: write a number from 0 to {RETRIES_MAX}")
    plans = _plans(_chosen(requests, options.tags))
    skipped = [missing_need(plan) for _, plan in plans]
    alone = len(plans) == 1 and not options.whole and options.tags is None and not options.retry
    if alone and not skipped[0]:
        return _single(*plans[0], fail_on, options)
    rows, reports, flakes = _rows(plans, skipped, options), plans[0][0].reports, ""
    with Late().noting("the flake rate was counted"):
        flakes = _flakes([plan for _, plan in plans], reports)
    done = RunSet(
        id=f"set-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}",
        rows=rows,
        fail_on=fail_on,
        flakes=flakes,
    )
    with Late().noting("the summary of the set was written"):
        _keep(done, reports, options)
    return done.exit_code


def _chosen(requests: Sequence[RunRequest], tags: str | None) -> Sequence[RunRequest]:
    """Those whose tags are meant. Raises ScenarioError where tags cannot be read."""
    from gameday.scenario.tags import tag_expression, tags_of

    if tags is None:
        return requests
    meant = tag_expression(tags)
    found = [tags_of(r.scenario.path, r.scenario.profile) for r in requests]
    problems = [problem for one in found for problem in one.problems]
    if problems:
        raise ScenarioError(problems)
    chosen = [r for r, one in zip(requests, found, strict=True) if meant(one.tags)]
    if not chosen:
        known = sorted({tag for one in found for tag in one.tags})
        raise UsageError(
            f"no scenario has tags for `-m {tags}`; "
            + (f"there are {', '.join(f'`{t}`' for t in known)}" if known else "none has a tag")
        )
    return chosen


def _plans(requests: Sequence[RunRequest]) -> list[tuple[RunRequest, Plan]]:
    plans: list[tuple[RunRequest, Plan]] = []
    problems: list[Diagnostic] = []
    for request in requests:
        try:
            plans.append((request, make_plan(request.scenario)))
        except ScenarioError as error:
            problems.extend(error.diagnostics)
    if problems:
        raise ScenarioError(problems)
    return plans


def _single(request: RunRequest, plan: Plan, fail_on: FailOn, options: SetOptions) -> ExitCode:
    """One scenario alone: its own verdict is the summary."""
    from gameday.report.markdown import render

    result = run_one(request, plan, as_json=options.as_json, quiet=options.quiet)
    report = result.judged.report
    _step_summary(options.step_summary, render(report))
    row = SetRow(scenario=plan.scenario.id, file="", tries=(_try(result.exit_code, report),))
    return exit_with([result.exit_code], fail_on, warned=bool(row.warnings))


def _rows(
    plans: Sequence[tuple[RunRequest, Plan]], skipped: Sequence[str], options: SetOptions
) -> tuple[SetRow, ...]:
    """A row a scenario; *skipped* says why one is, in the same order."""
    rows: list[SetRow] = []
    ended = False
    for (request, plan), why in zip(plans, skipped, strict=True):
        tries = () if ended or why else _tries(request, plan, options)
        file = str(request.scenario.path)
        rows.append(SetRow(scenario=plan.scenario.id, file=file, tries=tries, skipped=why))
        ended = ended or (bool(tries) and _ends(tries[-1]))
    return tuple(rows)


def _tries(request: RunRequest, plan: Plan, options: SetOptions) -> tuple[Try, ...]:
    """One, and where it is asked for more until one passes, or ends in another way."""
    tries: list[Try] = []
    for number in range(options.retry + 1):
        if number:
            sys.stderr.write(f"gameday: `{plan.scenario.id}` is tried again ({number + 1})\n")
        tries.append(_once(request, plan, options))
        if tries[-1].exit_code not in _RETRIED or tries[-1].interrupted:
            break
    return tuple(tries)


def _ends(one: Try) -> bool:
    """Whether nothing is run after it."""
    return one.exit_code in ENDS or one.interrupted


def _once(request: RunRequest, plan: Plan, options: SetOptions) -> Try:
    try:
        result = run_one(request, plan, as_json=options.as_json, quiet=options.quiet)
    except GamedayError as error:
        text = error_text(error)
        sys.stderr.write(text)
        return Try(
            exit_code=error.exit_code,
            reason=text.removeprefix("gameday: ").strip(),
            interrupted=isinstance(error, UnreportedError) and error.interrupted,
        )
    except KeyboardInterrupt:
        return Try(exit_code=ExitCode.INTERRUPTED, reason="interrupted before it began")
    return _try(result.exit_code, result.judged.report, interrupted=result.interrupted)


def _try(code: ExitCode, report: Report, *, interrupted: bool = False) -> Try:
    reason = report.verdict.reason
    return Try(exit_code=code, reason=reason, report=report, interrupted=interrupted)


def _flakes(plans: Sequence[Plan], reports: Path) -> str:
    from gameday.app.flakes import flakes_of
    from gameday.kpi.flakes import flake_text

    return flake_text(flakes_of(plans, reports))


def _keep(done: RunSet, reports: Path, options: SetOptions) -> None:
    """Print the summary, and write it beside the runs. What cannot be written is said."""
    from gameday.report import sets

    tell(sys.stdout, sets.result_line(done) if options.as_json else sets.render(done))
    where = reports / done.id
    files = {
        "summary.txt": sets.short(done),
        "junit.xml": sets.junit_text(done),
        "set.json": sets.result_line(done),
    }
    try:
        where.mkdir(parents=True)
        for name, text in files.items():
            (where / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        sys.stderr.write(f"gameday: `{where}` cannot be written: {error.strerror}\n")
    else:
        if not options.as_json:
            tell(sys.stdout, f"  summary: {where}\n")
    _step_summary(options.step_summary, sets.markdown(done))


def _step_summary(path: Path | None, text: str) -> None:
    """Append to the summary of the step, where there is one. It never changes what a run is."""
    given = os.environ.get("GITHUB_STEP_SUMMARY")
    where = path or (Path(given) if given else None)
    if where is None:
        return
    try:
        with where.open("a", encoding="utf-8") as file:
            file.write(text[:_SUMMARY_MAX] + "\n")
    except OSError as error:
        sys.stderr.write(
            f"gameday: the step summary `{where}` cannot be written: {error.strerror}\n"
        )


def _fail_on(text: str) -> FailOn:
    if text not in [one.value for one in FailOn]:
        levels = ", ".join(f"`{one.value}`" for one in FailOn)
        raise UsageError(f"`--fail-on {text}`: write {levels}")
    return FailOn(text)
