"""What was done of runbooks, step by step: for `report.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gameday.model.report import Report
from gameday.model.units import format_ms
from gameday.model.verdict import Finding

CHECK = "runbook/proven"
HEAD = ("when", "step", "answer", "took", "exit", "")


def proofs(report: Report) -> tuple[Finding, ...]:
    """The findings about runbooks that were to be proven."""
    return tuple(f for f in report.expectations if f.check == CHECK)


def rows(finding: Finding) -> list[tuple[str, ...]]:
    """A row for each step that the run came to."""
    steps: Iterable[Mapping[str, Any]] = finding.facts.get("steps") or ()
    return [
        (
            str(step.get("arm", "")),
            f"`{step.get('name', '')}`",
            _answer(step),
            "" if step.get("skipped") else format_ms(int(step.get("ms") or 0)),
            "" if step.get("exit") is None else str(step["exit"]),
            str(step.get("skipped") or step.get("why") or ""),
        )
        for step in steps
    ]


def lines(finding: Finding) -> Iterable[str]:
    """What there is to say beside the steps."""
    worthless = finding.facts.get("worthless") or ()
    if worthless:
        names = ", ".join(f"`{name}`" for name in worthless)
        yield f"{names} said the same with the fault and without: worth nothing"
    yield from (str(note) for note in finding.facts.get("notes") or ())


def _answer(step: Mapping[str, Any]) -> str:
    if step.get("skipped"):
        return "left out"
    answered = str(step.get("answered") or "")
    return answered or {True: "yes", False: "no"}.get(step.get("passed"), "unknown")  # type: ignore[arg-type]
