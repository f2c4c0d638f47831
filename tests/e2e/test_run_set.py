"""A set of scenarios as CI runs it: chosen by tags, in order, one summary, one exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from lab_support import Lab, ToxiproxyServer, run_gameday
from set_support import as_wanted, write_set

from gameday.cli.main import run
from gameday.model.verdict import ExitCode, exit_of_set

XSD = Path(__file__).parents[1] / "fixtures" / "junit.xsd"


def the_set(lab: Lab) -> Path:
    (found,) = (lab.directory / "reports").glob("set-*")
    return found


def rows(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((the_set(lab) / "set.json").read_text())["scenarios"]
    return found


def test_a_smoke_set_has_one_summary_and_the_worst_exit_code(small_lab: Lab) -> None:
    write_set(small_lab, {"a-pass": {}, "b-fail": {"fails": True}, "c-other": {"tags": ("slow",)}})
    steps = small_lab.directory / "steps.md"

    ended = run_gameday(
        *("run", "scenarios", "-m", "smoke and not slow", "--profile", "smoke"),
        f"--step-summary={steps}",
        cwd=small_lab.directory,
        within_s=120,
    )

    assert [row["scenario"] for row in rows(small_lab)] == ["a-pass", "b-fail"], "a stable order"
    verdicts = [verdict(small_lab, row["run_id"]) for row in rows(small_lab)]
    codes = [row["exit_code"] for row in rows(small_lab)]
    assert codes == [one["exit_code"] for one in verdicts]
    assert ended.returncode == int(exit_of_set(map(ExitCode, codes))), ended.stdout + ended.stderr
    assert as_wanted(0, verdicts[0]), ended.stdout
    assert as_wanted(1, verdicts[1]), ended.stdout
    summary = (the_set(small_lab) / "summary.txt").read_text()
    assert ended.stdout.count(summary.splitlines()[0]) == 1, "told once, at the end"
    assert "  2 scenarios: " in summary
    assert "flake rate not measured" in summary
    junit = (the_set(small_lab) / "junit.xml").read_text()
    xmlschema.XMLSchema(str(XSD)).validate(junit)
    assert [suite.attrib["name"] for suite in ET.fromstring(junit)] == ["a-pass", "b-fail"]
    assert "| b-fail | " in steps.read_text()
    small_lab.assert_clean()


def verdict(lab: Lab, run_id: str) -> Any:
    return json.loads((lab.directory / "reports" / run_id / "result.json").read_text())["verdict"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "nightly"], "no scenario has tags for `-m nightly`; there are `slow`, `smoke`"),
        (["-m", "smoke and"], "`-m smoke and`: at the end, a tag"),
        (["--fail-on", "never"], "`--fail-on never`: write `fail`, `inconclusive`, `warning`"),
        (["--retry", "9"], "`--retry 9`: write a number from 0 to 5"),
        (["--profile", "big"], "there is no profile `big`"),
    ],
)
def test_nothing_is_run_for_what_cannot_be_meant(
    tmp_path: Path, capsys: Any, monkeypatch: Any, arguments: list[str], said: str
) -> None:
    nowhere = Lab(directory=tmp_path, server=ToxiproxyServer("embedded"), front=1, back=2, via=3)
    write_set(nowhere, {"a": {}, "b": {"tags": ("slow",)}})
    monkeypatch.chdir(tmp_path)

    assert run(["run", "scenarios", *arguments]) == 2

    assert said in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_a_broken_scenario_that_is_not_chosen_is_no_matter(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    """Both are refused, for there is no service: but only the chosen one is looked at."""
    nowhere = Lab(directory=tmp_path, server=ToxiproxyServer("embedded"), front=1, back=2, via=3)
    folder = write_set(nowhere, {"a": {}, "b": {"tags": ("slow",)}})
    (folder / "b.yaml").write_text((folder / "b.yaml").read_text() + "nonsence: 1\n")
    monkeypatch.chdir(tmp_path)

    assert run(["run", "scenarios", "-m", "slow"]) == 2
    assert "nonsence" in capsys.readouterr().err

    assert run(["run", "scenarios", "-m", "not slow", "-p", "smoke"]) == 3
    told = capsys.readouterr()
    assert "nonsence" not in told.err
    assert "INCONCLUSIVE  1 scenario: 1 inconclusive" in told.out
