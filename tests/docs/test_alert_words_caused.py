"""No word of an alert stands on the page without a test that really causes it on real servers."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from gameday.model.alerting import AlertNote, AlertWord, MissReason, OtherWord

ROOT = Path(__file__).parents[2]
WORDS = {
    word.value.replace("_", " ")
    for of in (AlertWord, MissReason, AlertNote, OtherWord)
    for word in of
    if word.value
}
#: This word has causes of their own.
UNCLEAR = AlertWord.INCONCLUSIVE.value
WHY_UNCLEAR = {
    "source unreadable", "rule unhealthy", "pipeline not proven", "clocks apart",
    "fault not shown to bite",
}  # fmt: skip


def table() -> list[tuple[str, Path, str]]:
    """What is said, and in which function of which file."""
    page = (ROOT / "docs" / "alert-verdicts.md").read_text(encoding="utf-8")
    lines = page[page.index("| said |") :].splitlines()[2:]
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        said, _, test = (cell.strip() for cell in line.strip("|").split("|"))
        file, function = re.findall(r"`([^`]+)`", test)
        found.append((said, ROOT / file, function))
    return found


@cache
def module(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def functions(file: Path) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in module(file).body if isinstance(n, ast.FunctionDef)}


def called_by(file: Path, name: str) -> set[str]:
    """The tests that call the function, or are it."""
    return {
        other
        for other, body in functions(file).items()
        if other.startswith("test_")
        and (other == name or any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(body)))
    }


def mentions(function: ast.FunctionDef, word: str) -> bool:
    """Whether the function has the word in it: as a text, or as the member of its enum."""
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if word.replace(" ", "_") in node.value.split():
                return True
        elif isinstance(node, ast.Attribute) and node.attr.lower() == word.replace(" ", "_"):
            return True
    return False


def test_every_word_is_in_the_table() -> None:
    said = [row[0] for row in table()]
    assert len(said) == len({*said}), "each once"
    assert {*said} == (WORDS - {UNCLEAR}) | {f"{UNCLEAR}: {why}" for why in WHY_UNCLEAR}


@pytest.mark.parametrize(("said", "file", "function"), table(), ids=[row[0] for row in table()])
def test_a_test_that_is_always_run_causes_it(said: str, file: Path, function: str) -> None:
    assert mentions(functions(file)[function], said.partition(":")[0])
    tests = called_by(file, function)
    assert tests, "a test has to call it"
    marks = [ast.unparse(node) for one in tests for node in functions(file)[one].decorator_list]
    assert not [mark for mark in marks if "slow" in mark or "skip" in mark or "xfail" in mark]
    whole = [ast.unparse(node.value) for node in module(file).body if _is_marks(node)]
    assert whole == ["pytest.mark.real"], "on real servers, and not only in the full suite"


def _is_marks(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
