"""A set of runs: one row a scenario, and what the whole ends with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gameday.model.report import Change, Report
from gameday.model.verdict import ExitCode, exit_of_set

#: What ends a set: nothing is broken while something is broken already, or somebody wants an end.
ENDS = (ExitCode.DIRTY, ExitCode.INTERRUPTED)


class FailOn(StrEnum):
    """From which result on a set does not end with 0. What is worse than fail always counts."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One run of a scenario: what it ended with and why; `report` is None if there is none.

    `interrupted` says that somebody asked for an end after it: what it ended with stands.
    """

    exit_code: ExitCode
    reason: str
    report: Report | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow:
    """A scenario of a set. No `tries` means that it was not run: the set had ended, or `skipped`.

    `skipped` says what it needs and is not there.
    """

    scenario: str
    file: str
    tries: tuple[Try, ...] = ()
    skipped: str = ""

    @property
    def flaky(self) -> bool:
        """It passed only when it was tried again."""
        return len(self.tries) > 1 and self.tries[-1].exit_code is ExitCode.PASS

    @property
    def shown(self) -> Try | None:
        """The try that counts: the one that passed, else the worst; None if it was not run."""
        if not self.tries:
            return None
        return next(t for t in self.tries if t.exit_code is self.exit_code)

    @property
    def exit_code(self) -> ExitCode:
        """A pass in the end is a pass, and told as flaky; else the worst of all tries."""
        return ExitCode.PASS if self.flaky else exit_of_set(t.exit_code for t in self.tries)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What does not make it fail, and is worth a look."""
        found = [f"flaky: passed on try {len(self.tries)}"] if self.flaky else []
        report = self.shown.report if self.shown else None
        if report is not None and report.comparison.change is Change.WORSE:
            found.append("worse than its last runs")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSet:
    """All rows in the order in which they were run. `flakes` says the flake rate in words."""

    id: str
    rows: tuple[SetRow, ...]
    fail_on: FailOn = FailOn.INCONCLUSIVE
    flakes: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with. Skipped ones count as nothing: alone they show nothing.

        An interrupt between two runs counts where a scenario was not run because of it.
        """
        warned = any(row.warnings for row in self.rows)
        codes = [row.exit_code for row in self.rows if row.tries]
        left = any(not row.tries and not row.skipped for row in self.rows)
        if left and any(one.interrupted for row in self.rows for one in row.tries):
            codes.append(ExitCode.INTERRUPTED)
        return exit_with(codes, self.fail_on, warned=warned)


def exit_with(codes: Iterable[ExitCode], fail_on: FailOn, *, warned: bool) -> ExitCode:
    """The exit code of runs under a level.

    With FAIL, inconclusive runs beside one that passed count as passed: where nothing passed,
    nothing was shown, and the code says so.
    """
    seen = list(codes)
    code = exit_of_set(seen)
    if code is ExitCode.INCONCLUSIVE and fail_on is FailOn.FAIL and ExitCode.PASS in seen:
        return exit_of_set(c for c in seen if c is not ExitCode.INCONCLUSIVE)
    if code is ExitCode.PASS and fail_on is FailOn.WARNING and warned:
        return ExitCode.FAIL
    return code
