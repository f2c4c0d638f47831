"""One scenario run by `gameday run` in a process of its own, for callers that are Python.

A process of its own, because a run owns its signals and its threads, and because whatever else
lives in the caller (a test runner with plugins, gevent) must not slow the load down.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.app.check import PlanRequest, make_plan
from gameday.app.needs import missing_need
from gameday.errors import GamedayError, UsageError
from gameday.model.plan import Plan
from gameday.model.runset import ENDS
from gameday.model.verdict import ExitCode, Finding, Outcome

#: How long a run that was interrupted may take to put everything back.
_CLEAN_UP_S = 180.0
_POLL_S = 0.1
_OUTPUT_MAX = 20_000
#: A run ends with whoever asked for it: interrupted, so that it takes its faults out.
_MAIN = (
    "import ctypes, sys; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); "
    "from gameday.cli import main; sys.argv[0] = 'gameday'; main()"
)


class InconclusiveError(GamedayError):
    """A run that did not show what it was asked: inconclusive, stopped, refused or not clean."""

    exit_code = ExitCode.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """Which scenario is run, and how. The same words as the options of `gameday run`."""

    path: Path
    project: Path | None = None
    environment: str | None = None
    profile: str | None = None
    seed: int = 0
    reports: Path = Path("reports")
    wait_s: float = 3600.0  # for other runs that touch the same targets

    @property
    def plan(self) -> PlanRequest:
        """The request for its plan."""
        return PlanRequest(
            path=self.path,
            project=self.project,
            environment=self.environment,
            profile=self.profile,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRun:
    """A run that has ended. `result` is its `result.json`; empty if there was no run.

    `skipped`: what the scenario needs is not there, as the `reason` says.
    """

    exit_code: ExitCode
    reason: str
    run_dir: Path | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    skipped: bool = False

    @property
    def outcome(self) -> Outcome:
        """Pass, fail, skip or inconclusive. A run that ended with another code showed nothing."""
        if self.skipped:
            return Outcome.SKIP
        found = {ExitCode.PASS: Outcome.PASS, ExitCode.FAIL: Outcome.FAIL}
        return found.get(self.exit_code, Outcome.INCONCLUSIVE)

    @property
    def expectations(self) -> tuple[Finding, ...]:
        """Each expectation with its answer, as it counts.

        What failed in a run that shows nothing did not fail: it is inconclusive.
        """
        found = (finding_of(row) for row in self.result.get("expectations", ()))
        return tuple(found) if self.outcome is Outcome.FAIL else tuple(map(_not_failed, found))

    def check(self) -> None:
        """Raise AssertionError for a failed expectation, InconclusiveError where nothing is shown.

        An inconclusive run never passes.
        """
        if self.outcome is Outcome.PASS:
            return
        where = f" (see {self.run_dir})" if self.run_dir else ""
        failed = [f.summary for f in self.expectations if f.outcome is Outcome.FAIL]
        if self.outcome is Outcome.FAIL:
            raise AssertionError("; ".join(failed or [self.reason]) + where)
        raise InconclusiveError(f"{self.reason}{where}")


def run_scenario(asked: RunAsked, *, ended: Path | None = None) -> ScenarioRun:
    """Run it, once no other run by this function touches its targets.

    Nothing is run where something is not there that it needs. Raises ScenarioError or UsageError
    for a file with errors, InconclusiveError when the targets are not free in time. An interrupt is
    passed on, and waited for until all is put back.

    Runs that share *ended*, a file that the first one to end them all makes, are a set: nothing is
    begun after it, also not by one that was waiting for its targets meanwhile.
    """
    if why := _set_over(ended):
        return ScenarioRun(exit_code=ExitCode.INCONCLUSIVE, reason=why, skipped=True)
    plan = make_plan(asked.plan)
    if why := missing_need(plan):
        return ScenarioRun(exit_code=ExitCode.INCONCLUSIVE, reason=why, skipped=True)
    with locked(targets_of(plan), asked.wait_s):
        if why := _set_over(ended):
            return ScenarioRun(exit_code=ExitCode.INCONCLUSIVE, reason=why, skipped=True)
        run = _child(asked)
        if ended is not None and run.exit_code in ENDS:
            part = ended.with_name(f"{ended.name}.{os.getpid()}")
            part.write_text(f"`{asked.path.name}`: {run.reason}", encoding="utf-8")
            part.replace(ended)  # whoever sees it can read all of it
        return run


def _set_over(ended: Path | None) -> str:
    """Why nothing may be begun any more in this set; empty if it goes on."""
    if ended is None or not ended.exists():
        return ""
    return f"not run: the set ended with {ended.read_text(encoding='utf-8')}"


def _child(asked: RunAsked) -> ScenarioRun:
    command = [sys.executable, "-P", "-c", _MAIN, "run", str(asked.path), "--json", "--quiet"]
    command += [f"--reports={asked.reports}", f"--seed={asked.seed}"]
    for option, value in (
        ("project", asked.project),
        ("env", asked.environment),
        ("profile", asked.profile),
    ):
        command += [f"--{option}={value}"] if value is not None else []
    with subprocess.Popen(  # noqa: S603 - our own command, without a shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # an interrupt of the terminal is passed on once, by us
    ) as child:
        try:
            out, err = child.communicate()
        except BaseException:
            _interrupted(child)
            raise
    return _ended(child.returncode, out, err, asked.reports)


def _interrupted(child: subprocess.Popen[str]) -> None:
    """It takes its faults out; that is not cut short. Longer than that, it is left to itself."""
    child.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        child.communicate(timeout=_CLEAN_UP_S)


def _ended(code: int, out: str, err: str, reports: Path) -> ScenarioRun:
    known = code in set(ExitCode)
    exit_code = ExitCode(code) if known else ExitCode.INTERNAL
    shown = exit_code in (ExitCode.PASS, ExitCode.FAIL)
    unread = (
        ExitCode.INTERNAL if shown else exit_code
    )  # without a result; what is broken stays said
    told = (out + err)[-_OUTPUT_MAX:]
    last = _last(out)
    if last is None:
        said = err.strip().removeprefix("gameday: ")
        reason = said or f"`gameday run` ended with {code} and said nothing"
        return ScenarioRun(exit_code=unread, reason=reason, output=told)
    run_dir = reports / str(last["run_id"])
    try:
        result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = f"`{run_dir}` has no result that can be read: {error}"
        return ScenarioRun(exit_code=unread, reason=reason, output=told)
    return ScenarioRun(
        exit_code=exit_code,
        reason=str(last.get("reason", "")),
        run_dir=run_dir,
        result=result,
        output=told,
    )


def _last(out: str) -> Mapping[str, Any] | None:
    for line in reversed(out.splitlines()):
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict) and value.get("t") == "result":
                return value
    return None


def finding_of(row: Mapping[str, Any]) -> Finding:
    """A finding from `result.json`."""
    return Finding(
        check=str(row["check"]),
        subject=str(row["subject"]),
        outcome=Outcome(row["outcome"]),
        summary=str(row["summary"]),
        expectation=str(row["expectation"]),
        evidence=tuple(row.get("evidence", ())),
        validity=bool(row.get("validity")),
        facts=dict(row.get("facts", {})),
    )


def _not_failed(found: Finding) -> Finding:
    if found.outcome is not Outcome.FAIL:
        return found
    return Finding(
        check=found.check,
        subject=found.subject,
        outcome=Outcome.INCONCLUSIVE,
        summary=f"not counted as a failure: {found.summary}",
        expectation=found.expectation,
        evidence=found.evidence,
        facts=found.facts,
    )


def expectations_of(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    """(check, subject, expectation) of all that a run of *plan* will answer: from no events."""
    from gameday.checks import judge
    from gameday.model.event import Timeline

    found = judge(plan, Timeline(())).findings
    return tuple((f.check, f.subject, f.expectation) for f in found if not f.validity)


def targets_of(plan: Plan) -> frozenset[str]:
    """Names of all that a run touches; two runs that share one must not overlap."""
    scenario, environment = plan.scenario, plan.environment
    names = {scenario.load.target, *(fault.target for fault in scenario.faults)}
    found = {f"toxiproxy {environment.toxiproxy_url}"} if environment.toxiproxy_url else set()
    for target in (environment.targets[n] for n in names if n in environment.targets):
        places = (target.url, target.listen, target.upstream, target.address)
        refs = (target.container, target.process, target.certificate)
        found |= {str(place) for place in places if place}
        found |= {repr(ref) for ref in refs if ref is not None}
    return frozenset(found)


@contextlib.contextmanager
def locked(names: Iterable[str], wait_s: float) -> Iterator[None]:
    """Hold all *names* on this machine, for this user, while the block runs.

    Always taken in the same order, and given back by the system when the process ends. Raises
    InconclusiveError when one is not free within *wait_s*.
    """
    folder = _lock_folder()
    until = time.monotonic() + wait_s
    with contextlib.ExitStack() as held:
        for name in sorted(names):
            path = folder / hashlib.sha256(name.encode()).hexdigest()
            file = held.enter_context(path.open("a"))
            while not _try(file.fileno()):
                if time.monotonic() >= until:
                    raise InconclusiveError(
                        f"another run has `{name}`, and did not end within {wait_s:.0f} s"
                    )
                time.sleep(_POLL_S)
        yield


def _lock_folder() -> Path:
    """Ours alone: one that somebody else made could make us wait for ever."""
    folder = Path(tempfile.gettempdir()) / f"gameday-locks-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        mine = folder.lstat()
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be made: {error.strerror}; set TMPDIR") from None
    if mine.st_uid != os.getuid() or not stat.S_ISDIR(mine.st_mode):
        raise UsageError(f"`{folder}` belongs to somebody else; remove it, or set TMPDIR")
    return folder


def _try(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
