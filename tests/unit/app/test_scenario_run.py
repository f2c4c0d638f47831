"""A run by another process, as a value: what counts, and locks that are really held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import good_run, plan, timeline

from gameday.app import scenario_run
from gameday.app.pytest_scenarios import answer_of, answer_of_whole
from gameday.app.scenario_run import (
    InconclusiveError,
    ScenarioRun,
    expectations_of,
    locked,
    targets_of,
)
from gameday.checks import judge
from gameday.errors import UsageError
from gameday.model.verdict import ExitCode, Outcome


def row(outcome: str, text: str = "fault: p50 < 1s") -> dict[str, Any]:
    return {
        "check": "slo/criterion", "subject": "fault", "outcome": outcome,
        "summary": f"it {outcome}",
        "expectation": text, "evidence": [1], "validity": False, "facts": {},
    }  # fmt: skip


def run(code: ExitCode, *rows: dict[str, Any]) -> ScenarioRun:
    return ScenarioRun(exit_code=code, reason="why", result={"expectations": list(rows)})


def test_a_pass_checks_out() -> None:
    run(ExitCode.PASS, row("pass")).check()


def test_a_failure_names_what_failed() -> None:
    with pytest.raises(AssertionError, match="it fail"):
        run(ExitCode.FAIL, row("pass"), row("fail")).check()


@pytest.mark.parametrize("code", set(ExitCode) - {ExitCode.PASS, ExitCode.FAIL})
def test_no_other_end_is_a_pass_or_a_failure(code: ExitCode) -> None:
    made = run(code, row("pass"), row("fail"))

    with pytest.raises(InconclusiveError, match="why"):
        made.check()
    assert [f.outcome for f in made.expectations] == [Outcome.PASS, Outcome.INCONCLUSIVE]
    assert answer_of_whole(made).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("outcome", ["pass", "fail", "inconclusive", "skip"])
def test_an_item_says_what_the_run_says(outcome: str) -> None:
    made = run(ExitCode.FAIL, row("pass", "another"), row(outcome))

    found = answer_of(made, ("slo/criterion", "fault", "fault: p50 < 1s"))

    assert found.outcome.value == outcome
    assert f"it {outcome}" in found.text


def test_what_the_run_says_nothing_of_is_inconclusive() -> None:
    found = answer_of(run(ExitCode.PASS, row("pass")), ("alert/fired", "A", "A fires"))

    assert found.outcome is Outcome.INCONCLUSIVE


def test_what_will_be_asked_is_known_before_the_run() -> None:
    """The items of pytest are made from it: they must be those of a run that has ended."""
    made = judge(plan(), timeline(good_run()))
    ended = [(f.check, f.subject, f.expectation) for f in made.findings if not f.validity]

    assert list(expectations_of(plan())) == ended


def test_runs_share_a_target_by_its_address_and_not_by_its_name() -> None:
    environment = plan().environment
    scenario = plan().scenario

    found = targets_of(plan())

    assert environment.targets[scenario.load.target].url in found
    for fault in scenario.faults:
        assert environment.targets[fault.target].listen in found
    assert not found & set(environment.targets), "names are those of one project only"


def test_locks_in_a_place_of_somebody_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario_run.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "other").mkdir()
    place = tmp_path / f"gameday-locks-{scenario_run.os.getuid()}"
    place.symlink_to(tmp_path / "other")

    with pytest.raises(UsageError, match="belongs to somebody else"), locked(["a"], 0):
        pass


HOLD = """
import sys
from gameday.app.scenario_run import locked
with locked(sys.argv[1:], 5):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_against_another_process_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scenario_run.tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, "b", "a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(InconclusiveError, match="another run has `b`"), locked(["b"], 0):
                pass
            with locked(["c"], 0):
                pass
        finally:
            other.kill()
    with locked(["a", "b"], 5):
        assert (tmp_path / f"gameday-locks-{scenario_run.os.getuid()}").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("code", "kept"), [(5, ExitCode.DIRTY), (130, ExitCode.INTERRUPTED), (0, ExitCode.INTERNAL)]
)
@pytest.mark.parametrize("told", ['{"t": "result", "run_id": "gone"}\n', ""])
def test_a_run_whose_result_is_gone_shows_nothing_and_hides_nothing(
    tmp_path: Path, code: int, kept: ExitCode, told: str
) -> None:

    assert scenario_run._ended(code, told, "", tmp_path).exit_code is kept
