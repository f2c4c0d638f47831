"""`report.md` as a comment on a pull request: the answer first, short, and never too long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reports_golden import RUNS, report_of

from gameday.model.report import Leftover, Moment, Report
from gameday.model.verdict import Outcome
from gameday.report import markdown
from gameday.report.mdtext import LIMIT, LINES_LEAST, Part, at_start, one_line, page


def long_report(name: str, *, moments: int = 0, findings: int = 1, text: str = "") -> Report:
    report = report_of(RUNS[name]())
    more = tuple(
        Moment(at_ms=i, what="human.note", text=f"{i} {text}", seq=i) for i in range(moments)
    )
    return replace(
        report,
        timeline=report.timeline + more,
        expectations=tuple(replace(f, summary=f.summary + text) for f in report.expectations)
        * findings,
    )  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_the_verdict_is_the_first_line_and_the_evidence_is_folded(name: str) -> None:
    report = report_of(RUNS[name]())
    text = markdown.render(report, "[![The run at a glance](overview.png)](overview.svg)")
    open_part = text.split("<details>")[0]

    assert report.verdict.outcome.value.upper() in text.split("\n")[0]
    assert "overview.png" in open_part
    assert len(open_part) < 6_000
    for finding in report.expectations:
        if finding.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            assert one_line(finding.expectation) in open_part
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert text.count("<details>\n<summary>") == text.count("</summary>\n\n")
    assert all(left.command in open_part for left in report.leftovers)


def test_a_page_that_github_would_refuse_is_shortened_and_says_so() -> None:
    report = long_report("failed", moments=3_000, text="x" * 40)
    text = markdown.render(report)

    assert len(text) <= LIMIT
    assert "more lines: see `report.html` or `result.json`." in text
    assert text.count("<details>") == text.count("</details>")
    assert "not within 35.06 s" in text, "what weighs more is whole"
    assert "| 0:33.0 | fault `slow` confirmed off | 112 |" in text, "the timeline's beginning stays"
    assert len(text) > LIMIT - 500, "no more is left out than has to be"


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(RUNS)),
    st.integers(0, 4_000),
    st.integers(1, 300),
    st.sampled_from(["", "word " * 900, "x" * 70_000, "`" * 3, "<b>" * 50]),
    st.integers(0, 30),
)
def test_however_much_there_is_to_say(
    name: str, moments: int, findings: int, text: str, left: int
) -> None:
    report = long_report(name, moments=moments, findings=findings, text=text)
    command = "gameday recover 20260101T000000Z-shop-abcd"
    owed = [
        Leftover(subject="s", text=text, command=command, undo={"a": text.replace("<", "")})
    ] * left
    report = replace(
        report,
        leftovers=tuple(owed),
        scenario=replace(report.scenario, hypothesis=text, title=text or "t"),
    )

    shown = markdown.render(report)

    assert len(shown) <= LIMIT
    assert shown.startswith("# ")
    assert not left or command in shown
    assert "<b>" not in shown


@pytest.mark.parametrize(
    ("evil", "shown"),
    [
        ("# heading", "\\# heading"),
        ("> quote", "\\> quote"),
        ("- item", "\\- item"),
        ("12. item", "12\\. item"),
        ("```sh", "\\```sh"),
        ("---", "\\---"),
        ("[a]: http://evil.example", "\\[a]: http://evil.example"),
        ("![x](http://evil.example/a.png)", "![x]\\(http://evil.example/a.png)"),
        ("a\n\n# heading", "a # heading"),
        ("<img src=x>", "&lt;img src=x>"),
        ("ask @team-shop", "ask @\u200bteam-shop"),
        ("-3 points", "-3 points"),
        ("**never**", "**never**"),
        ("a@b.example", "a@b.example"),
    ],
)
def test_text_from_outside_is_text(evil: str, shown: str) -> None:
    assert at_start(evil) == shown
    assert at_start(at_start(evil)).count("\\") <= shown.count("\\") + 1


def test_what_weighs_most_goes_first_and_what_weighs_nothing_stays() -> None:
    def part(weight: int, **more: Any) -> Part:
        lines = [f"{weight} " + "y" * 50] * 20
        return Part(title=f"t{weight}", lines=lines, weight=weight, **more)

    text = page([part(0), part(1), part(2, whole=True), part(3, folded=True)], limit=2_600)

    assert len(text) <= 2_600
    assert text.count("0 y") == text.count("1 y") == 20
    assert text.count("2 y") == text.count("3 y") == 0
    assert text.count("… 20 more lines") == 2
    assert page([part(1)], limit=400).count("1 y") in (0, *range(LINES_LEAST, 20))
