"""How diagnostics look."""

from __future__ import annotations

import json

from gameday.model.diagnostics import Diagnostic, Mark, Severity
from gameday.scenario.codes import one_line
from gameday.scenario.render import render, to_json


def a_diagnostic(
    line: str = "  a: 5", column: int = 6, length: int = 1, **more: object
) -> Diagnostic:
    mark = Mark(file="s.yaml", line=3, column=column, length=length)
    values = {"code": "value/rate", "summary": "wrong", "hint": "write right", **more}
    return Diagnostic(mark=mark, source_line=line, **values)  # type: ignore[arg-type]


def test_a_problem_is_shown_with_its_line_and_a_caret() -> None:
    assert render([a_diagnostic()]) == (
        "s.yaml:3:6: error: wrong (value/rate)\n"
        "    3 |   a: 5\n"
        "      |      ^ write right\n"
        "1 error, 0 warnings\n"
    )


def test_carets_stand_under_wide_characters_and_tabs() -> None:
    text = render([a_diagnostic("\t日本: ab", column=6, length=2)])
    assert "\n      | \t      ^^ write right\n" in text


def test_long_and_unprintable_lines_are_not_shown() -> None:
    for line in ("x" * 500, "a: \x1b[31m", ""):
        assert render([a_diagnostic(line)]).splitlines()[1] == "      = write right"


def test_errors_and_warnings_are_counted() -> None:
    warning = a_diagnostic(severity=Severity.WARNING, summary="odd")
    assert render([a_diagnostic(), warning]).endswith("1 error, 1 warning\n")
    assert render([]) == ""


def test_the_line_may_come_from_the_sources() -> None:
    text = render([a_diagnostic("")], {"s.yaml": "1\n2\n  a: 5\n"})
    assert "    3 |   a: 5\n" in text


def test_machines_get_every_field() -> None:
    assert json.loads(to_json([a_diagnostic()])) == [
        {
            "code": "value/rate", "severity": "error", "file": "s.yaml", "line": 3, "column": 6,
            "length": 1, "summary": "wrong", "hint": "write right",
        }
    ]  # fmt: skip
    assert json.loads(to_json([])) == []


def test_texts_are_one_printable_line() -> None:
    assert one_line("a\n b\x1b[31m\u200bc") == "a b<U+001B>[31m<U+200B>c"
    assert len(one_line("x" * 1000)) == 300
