"""How a set goes on: retries, an end in the middle, and what is written. No run is real here."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import good_run, plan, timeline

from gameday.app import runset
from gameday.app.check import PlanRequest
from gameday.app.flakes import flakes_of
from gameday.app.run import RunRequest
from gameday.app.runset import SetOptions, run_set
from gameday.app.stored import without_secrets
from gameday.checks import judge
from gameday.errors import AdapterError, RefusedError
from gameday.model.report import Report
from gameday.model.verdict import ExitCode, Outcome
from gameday.report.build import build
from gameday.scenario.planfile import plan_sha256

E = ExitCode
Outcomes = dict[str, list[ExitCode | BaseException]]


pytestmark = pytest.mark.usefixtures("signals_as_in_a_terminal")


def report(code: ExitCode) -> Report:
    run = timeline(good_run())
    made = build(plan(), run, judge(plan(), run))
    outcome = {E.PASS: Outcome.PASS, E.FAIL: Outcome.FAIL}.get(code, Outcome.INCONCLUSIVE)
    why = f"why {int(code)}"
    return replace(made, verdict=replace(made.verdict, outcome=outcome, exit_code=code, reason=why))


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[ExitCode, list[str]]]:
    """Plays a set whose runs end as told; gives the exit code and the order of the runs."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    played: list[str] = []

    def go(
        outcomes: Outcomes, *, late: tuple[str, ...] = (), **options: Any
    ) -> tuple[ExitCode, list[str]]:
        def one(request: RunRequest, _plan: Any, **_: Any) -> Any:
            name = request.scenario.path.stem
            played.append(name)
            found = outcomes[name].pop(0)
            if isinstance(found, BaseException):
                raise found
            judged = SimpleNamespace(report=report(found))
            return SimpleNamespace(exit_code=found, judged=judged, interrupted=name in late)

        def made(request: PlanRequest) -> Any:
            base = plan()
            return replace(base, scenario=replace(base.scenario, id=request.path.stem))

        monkeypatch.setattr(runset, "run_one", one)
        monkeypatch.setattr(runset, "make_plan", made)
        requests = [
            RunRequest(
                scenario=PlanRequest(path=Path(f"{name}.yaml")), reports=tmp_path / "reports"
            )
            for name in outcomes
        ]
        return run_set(requests, SetOptions(**{"whole": True, **options})), played

    return go


def stored(tmp_path: Path) -> tuple[dict[str, Any], ET.Element]:
    (where,) = (tmp_path / "reports").glob("set-*")
    assert {p.name for p in where.iterdir()} == {"set.json", "junit.xml", "summary.txt"}
    return json.loads((where / "set.json").read_text()), ET.parse(where / "junit.xml").getroot()


def test_nothing_is_retried_unless_asked(play: Any) -> None:
    assert play({"a": [E.FAIL], "b": [E.PASS]}) == (E.FAIL, ["a", "b"])


def test_a_pass_on_a_retry_is_flaky_and_says_so_everywhere(
    play: Any, tmp_path: Path, capsys: Any
) -> None:
    assert play({"a": [E.FAIL, E.PASS], "b": [E.PASS]}, retry=2) == (E.PASS, ["a", "a", "b"])

    value, suites = stored(tmp_path)
    assert value["scenarios"][0]["warnings"] == ["flaky: passed on try 2"]
    assert "flaky: passed on try 2" in capsys.readouterr().out
    flaky = suites[0].find("testcase/flakyFailure")
    assert flaky is not None
    assert flaky.attrib["message"] == "why 1"


def test_flaky_fails_where_warnings_do(play: Any) -> None:
    assert play({"a": [E.FAIL, E.PASS]}, retry=1, fail_on="warning")[0] is E.FAIL


@pytest.mark.parametrize("code", [E.STOPPED, E.DIRTY, E.INTERNAL, E.INTERRUPTED])
def test_only_a_verdict_is_tried_again(play: Any, code: ExitCode) -> None:
    assert play({"a": [code]}, retry=5) == (code, ["a"])


def test_a_retry_ends_after_so_many(play: Any) -> None:
    found = play({"a": [E.INCONCLUSIVE, E.FAIL, E.INCONCLUSIVE]}, retry=2)

    assert found == (E.FAIL, ["a", "a", "a"]), "a failure that was seen stays one"


@pytest.mark.parametrize("code", [E.DIRTY, E.INTERRUPTED])
def test_a_dirty_or_interrupted_run_ends_the_set(play: Any, tmp_path: Path, code: E) -> None:
    assert play({"a": [E.PASS], "b": [code], "c": [E.PASS]}) == (code, ["a", "b"])

    value, suites = stored(tmp_path)
    assert value["scenarios"][2]["exit_code"] is None
    assert suites[2].find("testcase/skipped") is not None


def test_an_interrupt_before_a_run_still_leaves_a_summary(play: Any, tmp_path: Path) -> None:
    assert play({"a": [E.PASS], "b": [KeyboardInterrupt()], "c": []})[0] is E.INTERRUPTED

    assert [row["exit_code"] for row in stored(tmp_path)[0]["scenarios"]] == [0, 130, None]


def test_an_interrupt_once_a_run_is_over_ends_the_set_and_changes_no_verdict(
    play: Any, tmp_path: Path
) -> None:
    outcomes = {"a": [E.PASS], "b": [E.FAIL, E.PASS], "c": [E.PASS]}

    assert play(outcomes, late=("b",), retry=1) == (E.INTERRUPTED, ["a", "b"])

    assert [row["exit_code"] for row in stored(tmp_path)[0]["scenarios"]] == [0, 1, None]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["_flakes", "_keep"])
def test_an_interrupt_while_the_summary_is_made_does_not_hide_what_the_runs_ended_with(
    play: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, what: str, number: signal.Signals
) -> None:
    monkeypatch.setattr(runset, what, lambda *_: signal.raise_signal(number))

    assert play({"a": [E.DIRTY], "b": [E.PASS]}) == (E.DIRTY, ["a"])
    assert "interrupted before the " in capsys.readouterr().err


def test_where_nothing_is_left_an_interrupt_afterwards_has_nothing_to_end(play: Any) -> None:
    assert play({"a": [E.PASS], "b": [E.PASS]}, late=("b",))[0] is E.PASS


def test_a_refused_scenario_does_not_end_the_set(play: Any, tmp_path: Path) -> None:
    outcomes = {"a": [RefusedError("no")], "b": [AdapterError("deaf")], "c": [E.PASS]}

    assert play(outcomes) == (E.INCONCLUSIVE, ["a", "b", "c"])
    assert [row["exit_code"] for row in stored(tmp_path)[0]["scenarios"]] == [2, 3, 0]


def test_inconclusive_beside_a_pass_is_let_through_only_on_request(play: Any) -> None:
    assert play({"a": [E.PASS], "b": [E.INCONCLUSIVE]}, fail_on="fail")[0] is E.PASS


def test_githubs_step_summary_is_appended_to(
    play: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tmp_path / "steps.md"
    steps.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(steps))

    assert play({"a": [E.FAIL]})[0] is E.FAIL

    text = steps.read_text()
    assert text.startswith("before\n## gameday: 1 scenario: 1 failed\n")
    assert "| ❌ | a | " in text


def test_what_cannot_be_written_is_said_and_changes_nothing(
    play: Any, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    code, _ = play({"a": [E.PASS]}, step_summary=tmp_path / "no" / "such.md")

    assert code is E.PASS
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 2


def test_the_last_line_of_json_is_the_set(play: Any, capsys: Any) -> None:
    play({"a": [E.PASS]}, as_json=True)

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["t"], last["exit_code"]) == ("set", 0)


def write_result(reports: Path, name: str, sha: str, **verdict: Any) -> None:
    where = reports / name
    where.mkdir(parents=True)
    value = {"outcome": "pass", "status": "completed", "clean": True, **verdict}
    (where / "result.json").write_text(json.dumps({"plan_sha256": sha, "verdict": value}))


def test_the_flake_rate_counts_valid_runs_of_the_same_plan_only(tmp_path: Path) -> None:
    base = plan()
    sha, name = plan_sha256(without_secrets(base)), base.scenario.id
    for number, outcome in enumerate(["pass", "fail", "pass", "pass"]):
        write_result(tmp_path, f"2026010{number}T-{name}-00", sha, outcome=outcome)
    write_result(tmp_path, f"20260105T-{name}-00", "another", outcome="fail")
    write_result(tmp_path, f"20260106T-{name}-00", sha, outcome="inconclusive", status="invalid")
    write_result(tmp_path, f"20260107T-{name}-00", sha, outcome="fail", clean=False)
    write_result(tmp_path, "20260108T-another-00", sha, outcome="fail")
    (tmp_path / f"20260109T-{name}-00").mkdir()
    (tmp_path / f"20260109T-{name}-00" / "result.json").write_text("[")

    rate = flakes_of([base], tmp_path)

    assert (rate.k, rate.n, rate.runs) == (1, 2, 4)
