"""The pages about alerts name every word that is given, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gameday.model.alerting import AlertNote, AlertWord, MissReason, OtherWord

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of the table whose header begins with *header*."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = iter(text[text.index(f"| {header} |") :].splitlines()[2:])
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_word_of_an_alert_is_explained_once() -> None:
    text = (DOCS / "alert-verdicts.md").read_text(encoding="utf-8")
    for header, words in (
        ("verdict", AlertWord),
        ("reason", MissReason),
        ("note", AlertNote),
    ):
        said = [row[0] for row in rows("alert-verdicts.md", header)]
        assert sorted(said) == sorted(w.value.replace("_", " ") for w in words if w.value)
    others = [row[0] for row in rows("alert-verdicts.md", "word")]
    assert sorted(others) == sorted(OtherWord)
    order = [row[0].replace(" ", "_") for row in rows("alert-verdicts.md", "verdict")]
    assert order == list(AlertWord), "they are asked in the order of the table"
    assert "the first that applies is the verdict" in text


def codes() -> Iterator[tuple[str, str]]:
    """Code and level of everything that `check --online` may say of an alert."""
    for path in (ROOT / "gameday" / "kpi").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = {one.arg: one.value for one in node.keywords}
            if node.func.id == "_error" and path.stem == "outlook":
                assert isinstance(node.args[0], ast.Constant)
                yield str(node.args[0].value), "error"
            elif node.func.id == "Finding" and isinstance(given["code"], ast.Constant):
                level = given["level"]
                assert isinstance(level, ast.Attribute)
                yield str(given["code"].value), level.attr.lower()


def test_every_code_of_a_look_ahead_is_explained_with_its_level() -> None:
    said = {
        (code, row[1])
        for row in rows("check-online.md", "code")
        for code in re.findall(r"`([a-z-]+)`", row[0])
    }
    assert said == set(codes())
    assert len(said) > 15
