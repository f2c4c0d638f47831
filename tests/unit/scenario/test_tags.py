"""`-m`: the same answers as pytest's own, and an error that says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import UsageError
from gameday.scenario.tags import tag_expression, tags_of

WORDS = ("smoke", "slow", "tier-1", "docker")


@pytest.mark.parametrize(
    ("text", "tags", "meant"),
    [
        ("smoke", {"smoke"}, True),
        ("smoke", {"smoker"}, False),
        ("tier-1", {"tier-1"}, True),
        ("not smoke", set(), True),
        ("not not smoke", {"smoke"}, True),
        ("smoke and not slow", {"smoke"}, True),
        ("smoke and not slow", {"smoke", "slow"}, False),
        ("smoke or slow and docker", {"smoke"}, True),
        ("(smoke or slow) and docker", {"smoke"}, False),
        (" ( smoke ) ", {"smoke"}, True),
        ("nothing", {"not", "no"}, False),
    ],
)
def test_expressions(text: str, tags: set[str], meant: bool) -> None:
    assert tag_expression(text)(tags) is meant


def texts() -> st.SearchStrategy[str]:
    words = st.sampled_from(WORDS)
    return st.recursive(
        words,
        lambda inner: st.one_of(
            inner.map(lambda a: f"not {a}"),
            inner.map(lambda a: f"({a})"),
            st.tuples(inner, inner).map(lambda ab: f"{ab[0]} and {ab[1]}"),
            st.tuples(inner, inner).map(lambda ab: f"{ab[0]} or {ab[1]}"),
        ),
        max_leaves=12,
    )


@given(texts(), st.sets(st.sampled_from(WORDS)))
def test_the_same_answers_as_pytest(text: str, tags: set[str]) -> None:
    from _pytest.mark.expression import Expression

    theirs = Expression.compile(text).evaluate(lambda name, **_: name in tags)

    assert tag_expression(text)(tags) is theirs


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "at the end, a tag"),
        ("smoke and", "at the end, a tag"),
        ("and smoke", "at column 1, a tag, `not` or `(` is expected, not `and`"),
        ("(smoke", "at the end, `)`"),
        ("smoke slow", "at column 7, `and`, `or` or the end is expected, not `slow`"),
        ("smoke & slow", "at column 7"),
        ("smoke)", "at column 6"),
        ("not", "at the end"),
        ("(" * 2_000 + "a", "nested deeper than"),
        ("not " * 2_000 + "a", "nested deeper than"),
    ],
)
def test_what_is_no_expression_says_where(text: str, where: str) -> None:
    with pytest.raises(UsageError) as raised:
        tag_expression(text)

    assert where in str(raised.value)


def test_tags_are_known_however_wrong_the_rest_of_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("gameday: 1\nid: a\ntags: [smoke]\nlod: {}\nprofiles: {x: {tags: [other]}}\n")

    assert tags_of(path).tags == ("smoke",)
    assert tags_of(path, "x").tags == ("other",)


@pytest.mark.parametrize("text", ["gameday: [", "gameday: 1\nid: a\ntags: smoke\n"])
def test_tags_that_cannot_be_read_are_problems_and_not_no_tags(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)

    found = tags_of(path)

    assert found.problems
    assert not found.tags
