"""What CI and chat read: JUnit of the common form, and a summary that always fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reports_golden import RUNS, report_of

from gameday.model.report import Leftover, Report
from gameday.model.runset import FailOn, RunSet, SetRow, Try
from gameday.model.verdict import ExitCode, Outcome
from gameday.report import junit, sets, summary

XSD = Path(__file__).parents[2] / "fixtures" / "junit.xsd"


@cache
def schema() -> Any:
    return xmlschema.XMLSchema(str(XSD))


@cache
def report(name: str) -> Report:
    return report_of(RUNS[name]())


def tried(name: str) -> Try:
    made = report(name)
    code = made.verdict.exit_code
    return Try(exit_code=code, reason=made.verdict.reason, report=made)


def row(*names: str) -> SetRow:
    return SetRow(scenario=names[0], file=f"{names[0]}.yaml", tries=tuple(map(tried, names)))


REFUSED = SetRow(
    scenario="refused",
    file="r.yaml",
    tries=(Try(exit_code=ExitCode.USAGE, reason="this run is refused:\n  no"),),
)
SET = RunSet(
    id="set-1",
    rows=(
        row("passed"), row("failed"), row("failed", "passed"), row("invalid"), row("stopped"),
        REFUSED, row("dirty"), SetRow(scenario="later", file="l.yaml"),
    ),
    flakes="flake rate 1 of 40 runs (95 %: 0.44 % to 12.88 %)",
)  # fmt: skip


def check_counts(root: ET.Element) -> None:
    """The numbers on top are those of the cases below."""
    for suite in root:
        tags = Counter(answer.tag for case in suite.iter("testcase") for answer in list(case)[:1])
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == tags["failure"]
        assert int(suite.attrib["errors"]) == tags["error"]
        assert int(suite.attrib["skipped"]) == tags["skipped"]
    for name in ("tests", "failures", "errors"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)


@pytest.mark.parametrize("name", RUNS)
def test_every_junit_file_is_of_the_common_form(name: str) -> None:
    text = junit.render(report(name))

    schema().validate(text)
    check_counts(ET.fromstring(text))


@pytest.mark.parametrize("name", RUNS)
def test_every_expectation_is_a_case_with_its_own_answer(name: str) -> None:
    made = report(name)
    suite = ET.fromstring(junit.render(made))[0]
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    tags = {"fail": "failure", "inconclusive": "error", "skip": "skipped", "pass": None}

    for finding in made.expectations:
        answer = list(cases[finding.expectation])
        wanted = tags[finding.outcome.value]
        if finding.outcome is Outcome.FAIL and made.verdict.outcome is not Outcome.FAIL:
            wanted = "error"  # seen in a run that proves nothing
        assert [one.tag for one in answer] == ([wanted] if wanted else [])


def test_the_schema_is_no_rubber_stamp() -> None:
    text = junit.render(report("failed"))
    for old, new in (
        ('failures="4"', 'failures="some"'),
        ("<testcase ", "<skip/><testcase "),
        ('classname="', 'class="'),
    ):
        assert old in text
        with pytest.raises(xmlschema.XMLSchemaException):
            schema().validate(text.replace(old, new, 1))


def test_a_set_is_one_file_with_a_suite_a_scenario() -> None:
    text = sets.junit_text(SET)
    root = ET.fromstring(text)

    schema().validate(text)
    check_counts(root)
    assert len(root) == len(SET.rows)
    flaky = root[2].find("testcase/flakyFailure")
    assert flaky is not None
    assert "errors were 4.76 %" in flaky.attrib["message"]
    assert root[5].find("testcase/error") is not None, "refused is no pass"
    assert root[7].find("testcase/skipped") is not None


def test_a_set_has_a_line_a_scenario_its_counts_and_one_exit_code() -> None:
    text = sets.render(SET)

    assert text.splitlines()[1] == (
        "NOT CLEAN  8 scenarios: 2 passed, 1 failed, 1 inconclusive, 1 stopped, 1 NOT CLEAN, "
        "1 refused, 1 not run"
    )
    assert "flaky: passed on try 2" in text
    assert "gameday recover r1" in text
    assert text.endswith("  flake rate 1 of 40 runs (95 %: 0.44 % to 12.88 %)\n  exit code 5\n")
    table = sets.markdown(SET)
    assert table.count("\n| ") == 1 + len(SET.rows)
    assert "**may still be broken**" in table


def test_a_skipped_scenario_is_told_with_its_reason_everywhere() -> None:
    why = "it needs Docker: no Docker engine answers at unix:///x.sock"
    skipped = SetRow(scenario="boxed", file="boxed.yaml", skipped=why)
    done = replace(SET, rows=(row("passed"), skipped))

    assert "PASS  2 scenarios: 1 passed, 1 skipped" in sets.render(done)
    assert f"SKIPPED                          boxed\n      {why}\n" in sets.render(done)
    assert why in sets.short(done)
    assert f"| \N{HEAVY MINUS SIGN} | boxed | SKIPPED |  | {why} |" in sets.markdown(done)
    schema().validate(sets.junit_text(done))
    case = ET.fromstring(sets.junit_text(done))[1].find("testcase/skipped")
    assert case is not None
    assert case.attrib["message"] == why


def test_the_level_is_told_where_it_is_not_the_usual_one() -> None:
    done = replace(SET, rows=(row("passed"), row("invalid")), fail_on=FailOn.FAIL)

    assert sets.render(done).endswith("  exit code 0 (--fail-on fail)\n")
    assert "1 inconclusive" in sets.render(done)


@pytest.mark.parametrize("name", RUNS)
def test_a_summary_has_at_most_1200_characters(name: str) -> None:
    text = summary.render(report(name))

    assert len(text) <= 1_200
    assert text.endswith(f"  exit code {int(report(name).verdict.exit_code)}\n")


long_text = st.text(min_size=0, max_size=3_000) | st.sampled_from(
    ["x" * 5_000, "word " * 800, "\n" * 3_000, "é" * 2_000]
)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(RUNS)),
    long_text,
    long_text,
    st.integers(0, 40),
    st.integers(1, 60),
)
def test_however_long_the_names_are(
    name: str, first: str, second: str, left: int, times: int
) -> None:
    made = report(name)
    command = f"gameday recover 20260101T000000Z-{'n' * 60}-abcd"
    made = replace(
        made,
        verdict=replace(made.verdict, reason=first),
        scenario=replace(made.scenario, id=second[:300], profile=first[:300]),
        expectations=tuple(replace(f, summary=f.summary + second) for f in made.expectations)
        * times,
        leftovers=tuple(
            Leftover(subject="s", text=second, command=command, undo={}) for _ in range(left)
        ),
    )

    text = summary.render(made)

    assert len(text) <= 1_200
    assert text.endswith(f"\n  exit code {int(made.verdict.exit_code)}\n")
    assert not left or command in text, "how to undo it is never left out"


@given(st.integers(1, 120), long_text)
@settings(max_examples=30)
def test_the_summary_of_a_large_set_fits_too(n: int, name: str) -> None:
    rows = tuple(replace(row("failed"), scenario=f"{name[:200]}-{i}") for i in range(n))

    text = sets.short(RunSet(id="s", rows=rows, flakes=name))

    assert len(text) <= 1_200
    assert text.endswith("  exit code 1\n")
