"""How far a runbook has come, L0 to L5: each grade needs all of those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gameday.model.runbook import Document, Finding, Level
from gameday.runbooks.alerts import named_alerts
from gameday.runbooks.front import is_fresh, owner_of
from gameday.runbooks.seal import content_sha256

#: What each grade means, for people.
GRADES: Mapping[str, str] = {
    "L0": "not usable: it cannot be read, or diagnosis or mitigation say nothing",
    "L1": "readable: diagnosis and mitigation say something",
    "L2": "kept: no errors, no placeholders, an owner, whom to escalate to",
    "L3": "followable: commands to diagnose, how to verify and go back, no doubtful command",
    "L4": "testable: steps to diagnose, mitigate and verify that say what they expect; its alerts",
    "L5": "proven: validated by a run, as it stands, and not too long ago",
}
_USELESS = frozenset({"file/unreadable", "section/needed", "section/empty"})
_DOUBTFUL = ("command/", "step/", "mutation/", "rollback/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The grade of a runbook, and what the next one needs."""

    grade: str
    missing: tuple[str, ...] = ()


def grade_of(document: Document, findings: Sequence[Finding], today: date) -> Grade:
    """The grade of a file by what was found in it, comments that silence rules heeded."""
    reached = "L0"
    for grade, lacks in _LADDER:
        missing = tuple(lacks(document, findings, today))
        if missing:
            return Grade(grade=reached, missing=missing)
        reached = grade
    return Grade(grade=reached)


def _useful(_: Document, findings: Sequence[Finding], __: date) -> Iterable[str]:
    return (f.message for f in findings if f.rule in _USELESS)


def _kept(document: Document, findings: Sequence[Finding], _: date) -> Iterable[str]:
    errors = sum(f.level is Level.ERROR for f in findings)
    if errors:
        yield f"{errors} error{'' if errors == 1 else 's'} to mend"
    if any(f.rule == "text/placeholder" for f in findings):
        yield "placeholders to replace"
    if not owner_of(document):
        yield "an owner"
    if not document.front.values.get("escalation") and not _everywhere(document, "escalation"):
        yield "whom to escalate to"


def _followable(document: Document, findings: Sequence[Finding], _: date) -> Iterable[str]:
    if not any(b.phase == "diagnose" and b.body.strip() for b in document.blocks):
        yield "commands in the diagnosis"
    for section in ("verify", "rollback"):
        if not _everywhere(document, section):
            yield f"a section `{section}`"
    doubtful = [f for f in findings if f.rule.startswith(_DOUBTFUL)]
    if doubtful:
        yield f"{len(doubtful)} doubtful command{'' if len(doubtful) == 1 else 's'} to mend"


def _testable(document: Document, findings: Sequence[Finding], _: date) -> Iterable[str]:
    phases = {b.phase for b in document.blocks if b.attributes is not None}
    for phase in ("diagnose", "mitigate", "verify"):
        if phase not in phases:
            yield f"a step to {phase}"
    if not named_alerts(document):
        yield "the names of its alerts"
    # of a stale one everything else may be fine: that is the next grade
    warnings = [f for f in findings if f.level is Level.WARNING and f.rule != "fresh/stale"]
    if warnings:
        yield f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'} to mend"


def _proven(document: Document, _: Sequence[Finding], today: date) -> Iterable[str]:
    values = document.front.values
    if not values.get("validated_run"):
        yield "a run that validated it"
    elif values.get("validated_sha256") != content_sha256(document.text):
        yield "a run that validated it as it stands: it was changed since"
    elif not is_fresh(document, today):
        yield "a validation that is not too long ago"


def _everywhere(document: Document, section: str) -> bool:
    return all(part.section(section) is not None for part in document.parts)


_LADDER: tuple[tuple[str, Callable[[Document, Sequence[Finding], date], Iterable[str]]], ...] = (
    ("L1", _useful),
    ("L2", _kept),
    ("L3", _followable),
    ("L4", _testable),
    ("L5", _proven),
)
