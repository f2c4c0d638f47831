"""What was found, for a terminal and for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from gameday.model.runbook import Finding, Level
from gameday.runbooks.grade import GRADES
from gameday.runbooks.lint import Linted

LEVELS = (Level.ERROR, Level.WARNING, Level.NOTE)


def at_least(linted: Linted, level: Level) -> tuple[Finding, ...]:
    """The findings that weigh as much as *level*, or more."""
    shown = LEVELS[: LEVELS.index(level) + 1]
    return tuple(f for f in linted.findings if f.level in shown)


def as_text(linted: Linted, shown: tuple[Finding, ...]) -> Iterator[str]:
    """A line a finding with what to do below it, then the grades, then how many there are."""
    for f in shown:
        yield f"{_safe(f.file)}:{f.line}:{f.column}: {f.level.value}: {_safe(f.message)} ({f.rule})"
        if f.hint:
            yield f"      = {_safe(f.hint)}"
    if shown:
        yield ""
    for file, grade in sorted(linted.grades.items()):
        missing = "; ".join(grade.missing[:3]) + ("; …" if len(grade.missing) > 3 else "")
        following = _next(grade.grade)
        more = f"  for {following}: {_safe(missing)}" if missing else ""
        yield f"{grade.grade}  {_safe(file)}{more}"
    yield summary(linted)


def as_json(linted: Linted, shown: tuple[Finding, ...]) -> Iterator[str]:
    """One JSON object a line: findings, then runbooks with their grades, then a summary."""
    for finding in shown:
        yield _json({"kind": "finding", **asdict(finding)})
    for file, grade in sorted(linted.grades.items()):
        levels = Counter(f.level.value for f in linted.findings if f.file == file)
        yield _json(
            {
                "kind": "runbook",
                "file": file,
                "grade": grade.grade,
                "missing": list(grade.missing),
                **{f"{level.value}s": levels[level.value] for level in LEVELS},
            }
        )
    levels = Counter(f.level.value for f in linted.findings)
    grades = Counter(grade.grade for grade in linted.grades.values())
    yield _json(
        {
            "kind": "summary",
            "runbooks": len(linted.grades),
            **{f"{level.value}s": levels[level.value] for level in LEVELS},
            "grades": {grade: grades[grade] for grade in GRADES},
        }
    )


def summary(linted: Linted) -> str:
    """How many there are, on one line."""
    levels = Counter(f.level for f in linted.findings)
    counts = ", ".join(_n(levels[level], level.value) for level in LEVELS)
    return f"{_n(len(linted.grades), 'runbook')}: {counts}"


def _n(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _next(grade: str) -> str:
    names = list(GRADES)
    return names[min(names.index(grade) + 1, len(names) - 1)]


def _json(row: object) -> str:
    return json.dumps(row, ensure_ascii=False)


def _safe(text: str) -> str:
    """With everything that a terminal would obey written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
