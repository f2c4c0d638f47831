"""Modules below `tests` are imported by their base name alone, so no two may have the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_modules_of_tests_have_the_same_name() -> None:
    names = Counter(
        path.name
        for path in TESTS.rglob("*.py")
        if path.name != "conftest.py" and not (path.parent / "__init__.py").exists()
    )

    assert len(names) > 300
    assert [name for name, times in names.items() if times > 1] == []
