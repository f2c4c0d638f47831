"""`pytest scenarios/`: the same verdicts as `gameday run`, in the words of pytest."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from lab_support import Lab, ToxiproxyServer, run_gameday, wait_until
from set_support import as_wanted, quick_scenario, write_set

from gameday.app import pytest_scenarios, scenario_run
from gameday.app.scenario_run import RunAsked, ScenarioRun
from gameday.model.verdict import ExitCode

pytest_plugins = ["pytester"]
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:locust", "-p", "no:cacheprovider"]

DEADLINE_S = 120.0
SMOKE = ["scenarios", "-m", "smoke", "--gameday-profile=smoke"]


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """A project whose service is not there: enough to collect, and to be refused."""
    nowhere = Lab(
        directory=pytester.path, server=ToxiproxyServer("embedded"), front=1, back=2, via=3
    )
    return write_set(nowhere, {"a": {}, "b": {"tags": ("slow",)}})


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Node ids, in order."""
    result = pytester.runpytest("-p", "no:locust", "--collect-only", "-q", *arguments)
    return [line for line in result.outlines if "::" in line]


EXPECTED = [
    "the run as a whole",
    "baseline: errors < 5%",
    "baseline: p50 < 500ms",
    "fault: errors < 5%",
    "fault: p50 < 1s",
]


@pytest.mark.usefixtures("folder")
def test_each_expectation_is_an_item_and_one_stands_for_the_run(
    pytester: pytest.Pytester,
) -> None:
    wanted = [f"scenarios/{file}.yaml::{name}" for file in "ab" for name in EXPECTED]

    assert collected(pytester, "scenarios") == wanted


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("expression", "files"),
    [("smoke", "ab"), ("smoke and not slow", "a"), ("slow", "b"), ("nightly", "")],
)
def test_tags_are_markers(pytester: pytest.Pytester, expression: str, files: str) -> None:
    strict = ["--strict-markers"] if files else []  # it refuses a tag that nobody has
    found = collected(pytester, "scenarios", "-m", expression, *strict)

    assert [line.split("::")[0] for line in found[:: len(EXPECTED)]] == [
        f"scenarios/{file}.yaml" for file in files
    ]


@pytest.mark.usefixtures("folder")
def test_a_plain_pytest_breaks_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it():\n    pass\n")
    own = ["test_a_plain_pytest_breaks_nothing.py::test_it"]

    assert collected(pytester) == own
    assert collected(pytester, ".") == own
    assert len(collected(pytester, "--gameday")) == 1 + 2 * len(EXPECTED)
    assert len(collected(pytester, "scenarios/a.yaml")) == len(EXPECTED)
    pytester.makeini("[pytest]\ngameday_scenarios = scenarios/b.yaml\n")
    assert len(collected(pytester)) == 1 + len(EXPECTED)


def test_what_is_no_scenario_is_not_collected(pytester: pytest.Pytester, folder: Path) -> None:
    (folder / "values.yaml").write_text("a: 1\n")
    (folder / "other.yml").write_text("- [\n")
    run = folder / "old-run"
    run.mkdir()
    (run / "journal.jsonl").touch()
    (run / "scenario.yaml").write_text((folder / "a.yaml").read_text())

    assert len(collected(pytester, "scenarios")) == 2 * len(EXPECTED)


def test_a_broken_file_is_one_clear_error(pytester: pytest.Pytester, folder: Path) -> None:
    path = folder / "b.yaml"
    path.write_text(path.read_text() + "nonsence: 1\nlaod: 2\n")

    result = pytester.runpytest("-p", "no:locust", "scenarios")

    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "unknown key `nonsence`" in text or "`nonsence`" in text
    assert "`laod`" in text
    assert "scenarios/b.yaml:" in text
    assert "Traceback" not in text
    assert not (pytester.path / "reports").exists(), "nothing was run"


def test_a_broken_file_that_is_not_chosen_is_no_matter(
    pytester: pytest.Pytester, folder: Path
) -> None:
    path = folder / "b.yaml"
    path.write_text(path.read_text() + "nonsence: 1\n")

    assert len(collected(pytester, "scenarios", "-m", "not slow")) == len(EXPECTED)


def test_a_run_that_is_refused_is_an_error_in_every_item(
    pytester: pytest.Pytester, folder: Path
) -> None:
    (folder / "b.yaml").unlink()

    result = pytester.runpytest("-p", "no:locust", "scenarios", "--gameday-profile=smoke")

    result.assert_outcomes(errors=len(EXPECTED))
    text = result.stdout.str()
    assert text.count("inconclusive: this run is refused: toxiproxy: no Toxiproxy answers") >= 4
    assert "Traceback" not in text


@pytest.mark.parametrize("code", [ExitCode.DIRTY, ExitCode.STOPPED, ExitCode.INCONCLUSIVE])
def test_an_expectation_alone_is_not_green_where_its_run_shows_nothing(
    pytester: pytest.Pytester, folder: Path, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    """Beside the run as a whole it is: that one says what is wrong."""
    held = {
        "check": "slo/criterion", "subject": "baseline", "outcome": "pass", "summary": "it held",
        "expectation": "baseline: errors < 5%",
    }  # fmt: skip
    run = ScenarioRun(exit_code=code, reason="why not", result={"expectations": [held]})
    monkeypatch.setattr(pytest_scenarios, "run_scenario", lambda *_, **__: run)
    arguments = ["-p", "no:locust", "scenarios/a.yaml"]

    alone = pytester.runpytest(*arguments, "-k", "baseline and errors")
    both = pytester.runpytest(*arguments, "-k", "whole or (baseline and errors)")

    alone.assert_outcomes(errors=1, deselected=len(EXPECTED) - 1)
    assert "inconclusive: why not" in alone.stdout.str()
    both.assert_outcomes(errors=1, passed=1, deselected=len(EXPECTED) - 2)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", [ExitCode.DIRTY, ExitCode.INTERRUPTED])
def test_nothing_is_run_after_one_that_was_interrupted_or_is_not_clean(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    asked: list[str] = []

    def run(asking: RunAsked) -> ScenarioRun:
        asked.append(asking.path.name)
        return ScenarioRun(exit_code=code, reason="why not")

    monkeypatch.setattr(scenario_run, "_child", run)

    result = pytester.runpytest("-p", "no:locust", "-rs", "scenarios")

    result.assert_outcomes(errors=len(EXPECTED), skipped=len(EXPECTED))
    assert asked == ["a.yaml"]
    assert "not run: the set ended with `a.yaml`: why not" in result.stdout.str()


def test_a_scenario_that_waits_for_its_targets_is_not_run_after_one_that_ends_the_rest(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two workers of pytest-xdist: the second one waits when the first is interrupted."""
    begun: list[str] = []
    under_way, waits = Event(), Event()
    tried = scenario_run._try

    def child(asking: RunAsked) -> ScenarioRun:
        begun.append(asking.path.name)
        under_way.set()
        assert waits.wait(DEADLINE_S), "nobody waits for the same target"
        return ScenarioRun(exit_code=ExitCode.INTERRUPTED, reason="why not")

    def trying(number: int) -> bool:
        got = tried(number)
        if not got:
            waits.set()
        return got

    monkeypatch.setattr(scenario_run.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scenario_run, "_child", child)
    monkeypatch.setattr(scenario_run, "_try", trying)
    asked = [RunAsked(path=folder / f"{n}.yaml", profile="smoke") for n in "ab"]

    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(pytest_scenarios.played, asked[0], tmp_path)
        assert under_way.wait(DEADLINE_S)
        second = workers.submit(pytest_scenarios.played, asked[1], tmp_path)

    assert first.result().exit_code is ExitCode.INTERRUPTED
    assert begun == ["a.yaml"]
    assert second.result().skipped
    assert second.result().reason == "not run: the set ended with `a.yaml`: why not"


@pytest.mark.usefixtures("folder")
def test_the_fixture_for_people_who_write_python(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import pytest
        from gameday.app.scenario_run import InconclusiveError
        from gameday.pytest_plugin import GamedayRun

        def test_it(gameday_run: GamedayRun) -> None:
            run = gameday_run("scenarios/a.yaml", profile="smoke")
            assert run.outcome.value == "inconclusive"
            assert run.exit_code == 3
            with pytest.raises(InconclusiveError, match="refused"):
                run.check()
        """
    )

    pytester.runpytest("-p", "no:locust", "test_mine.py").assert_outcomes(passed=1)


def test_nothing_heavy_is_imported_without_scenarios(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_light="""
        import sys

        def test_light():
            heavy = {"pydantic", "yaml", "requests", "docker", "typer", "rich", "locust"}
            assert "gameday.pytest_plugin" in sys.modules
            assert not heavy & set(sys.modules)
            assert not [m for m in sys.modules if m.startswith("gameday.app")]
        """
    )
    (pytester.path / "values.yaml").write_text("a: 1\n")

    ended = subprocess.run(
        [*PYTEST, "-p", "no:hypothesispytest", "-p", "no:xdist", "-q"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def cases(path: Path) -> dict[str, dict[str, str]]:
    """File -> case -> pass, failure, error or skipped, from JUnit of pytest."""
    found: dict[str, dict[str, str]] = {}
    for case in ET.parse(path).getroot().iter("testcase"):
        tags = [tag.tag for tag in case if tag.tag != "properties"]
        file = case.attrib["classname"].removesuffix(".yaml").rpartition(".")[2]
        found.setdefault(file, {})[case.attrib["name"]] = tags[0] if tags else "pass"
    return found


def cases_of_run(path: Path) -> dict[str, str]:
    """The same from a run's own file, without the checks of validity."""
    return {
        case.attrib["name"]: next((tag.tag for tag in case), "pass")
        for case in ET.parse(path).getroot().iter("testcase")
        if not case.attrib["classname"].endswith(".validity")
    }


def test_pytest_and_gameday_run_give_the_same_verdicts(small_lab: Lab) -> None:
    """With two workers, and targets in common: each is run once, and none beside another."""
    scenarios = write_set(small_lab, {"a-pass": {}, "b-fail": {"fails": True}})
    unhealthy = quick_scenario("c-unknown")
    unhealthy["load"]["journeys"]["work"]["steps"][0]["expect"]["status"] = 201
    unhealthy["stop_when"] = ["errors > 99% for 20s"]
    (scenarios / "c-unknown.yaml").write_text(yaml.safe_dump(unhealthy))

    ended = subprocess.run(
        [*PYTEST, *SMOKE, "-n", "2", "--gameday-report-dir=by-pytest", "--junitxml=pytest.xml"],
        cwd=small_lab.directory,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    again = run_gameday(
        "run", "scenarios", "-m", "smoke", "-p", "smoke", cwd=small_lab.directory, within_s=200
    )

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert again.returncode in (1, 3), again.stdout
    by_pytest = runs(small_lab.directory / "by-pytest")
    by_gameday = runs(small_lab.directory / "reports")
    assert sorted(by_pytest) == sorted(by_gameday) == ["a-pass", "b-fail", "c-unknown"]
    seen = cases(small_lab.directory / "pytest.xml")
    for (name, (where, result)), wanted in zip(sorted(by_pytest.items()), (0, 1, 3), strict=True):
        assert seen[name] == cases_of_run(where / "junit.xml"), name
        assert as_wanted(wanted, result["verdict"]), result["verdict"]
        other = by_gameday[name][1]["verdict"]
        assert as_wanted(wanted, other), other
        if other["exit_code"] == result["verdict"]["exit_code"]:
            assert seen[name] == cases_of_run(by_gameday[name][0] / "junit.xml"), name
    times = sorted(map(spent, (result for _, result in by_pytest.values())))
    for (_, end), (begin, _) in pairwise(times):
        assert end <= begin + 1, "two runs on the same targets overlapped"
    small_lab.assert_clean()


def runs(reports: Path) -> dict[str, tuple[Path, Any]]:
    """Scenario -> directory and result; each was run once."""
    found: dict[str, tuple[Path, Any]] = {}
    for path in reports.glob("*/result.json"):
        result = json.loads(path.read_text())
        assert result["scenario"]["id"] not in found
        found[result["scenario"]["id"]] = (path.parent, result)
    return found


def spent(result: Any) -> tuple[float, float]:
    """When a run began and ended, to the second."""
    begin = datetime.fromisoformat(result["started"]).timestamp()
    return begin, begin + result["duration_ms"] / 1000


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_a_pytest_that_is_ended_takes_the_fault_out(small_lab: Lab, number: int) -> None:
    """By the operator, or by a CI server that has no more patience: the run ends with it."""
    scenarios = write_set(small_lab, {"a": {}})
    with subprocess.Popen(
        [*PYTEST, str(scenarios)],
        cwd=small_lab.directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as runner:
        try:
            wait_until("the fault is in", small_lab.faulty, 90)
            runner.send_signal(number)
            wait_until("the fault is out", small_lab.well, 60)
            runner.wait(60)
        finally:
            runner.kill()

    journal = small_lab.last_run / "journal.jsonl"
    wait_until("the run is closed", lambda: '"interrupted"' in journal.read_text(), 60)
    wait_until("nothing of ours is left", lambda: set(small_lab.proxies()) == {"back"}, 30)
    small_lab.assert_clean()
