"""What a JMESPath expression says about an answer."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.adapters.generic.match import holds, problem_of


@pytest.mark.parametrize(
    ("expression", "answer", "found"),
    [
        ("on", {"on": True}, True),
        ("on", {"on": False}, False),
        ("on", {}, False),
        ("on", None, False),
        ("n", {"n": 0}, False),
        ("n", {"n": 0.5}, True),
        ("t", {"t": ""}, False),
        ("t", {"t": "false"}, True),
        ("a", {"a": []}, False),
        ("a", {"a": {}}, False),
        ("@ == `false`", False, True),
        ("@ == `false`", True, False),
        ("[?name=='x']", [{"name": "x"}], True),
        ("[?name=='x']", [], False),
        ("length(items) > `2`", {"items": [1, 2, 3]}, True),
    ],
)
def test_holds(expression: str, answer: Any, found: bool) -> None:
    assert holds(expression, answer) is found


@pytest.mark.parametrize(
    ("expression", "answer"), [("contains(a, 'x')", {}), ("length(@)", 3), ("max(@)", ["a", 1])]
)
def test_an_expression_that_does_not_fit_is_no_answer(expression: str, answer: Any) -> None:
    with pytest.raises(ValueError, match="does not fit the answer"):
        holds(expression, answer)


@pytest.mark.parametrize("expression", ["a[", "", "a = b", "nope(", 7, None])
def test_what_is_no_expression_is_said_before(expression: Any) -> None:
    assert "`match" in problem_of(expression)


@pytest.mark.parametrize("expression", ["a", "a.b[0]", "[?a=='b'] | [0]", "@ == `false`"])
def test_an_expression_has_no_problem(expression: str) -> None:
    assert problem_of(expression) == ""
