"""Rules about sections: what must be there and say something, what should be."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.runbook import Document, Finding, Part
from gameday.runbooks.rules import found
from gameday.runbooks.words import changes

NEEDED = ("diagnosis", "mitigation")
WANTED = ("meaning", "impact", "verify", "rollback", "escalation")
#: A needed section with fewer characters than this says nothing.
LEAST_CHARS = 40


def section_rules(document: Document) -> Iterator[Finding]:
    """For each runbook of the page."""
    for number, part in enumerate(document.parts):
        name = f" in `{part.title}`" if document.collection else ""
        for need in NEEDED:
            yield from _needed(document, part, need, name)
        for want in WANTED:
            if part.section(want) is None and not _elsewhere(document, want):
                yield found(
                    "section/absent",
                    document,
                    part.line,
                    f"there is no section `{want}`{name}",
                    f"add `## {want.capitalize()}`",
                )
        yield from _rollback(document, part, number, name)


def _needed(document: Document, part: Part, need: str, where: str) -> Iterator[Finding]:
    section = part.section(need)
    if section is None:
        yield found(
            "section/needed",
            document,
            part.line,
            f"there is no section `{need}`{where}",
            f"add `## {need.capitalize()}`; other names are in docs/runbooks.md",
        )
    elif section.chars < LEAST_CHARS:
        why = (
            "is a placeholder"
            if section.placeholder
            else f"says too little: {section.chars} of at least {LEAST_CHARS} characters"
        )
        hint = "write what to look at" if need == "diagnosis" else "write what to do"
        message = f"`{section.heading}` {why}"
        yield found("section/empty", document, section.line, message, hint)


def _elsewhere(document: Document, want: str) -> bool:
    """Whether the front matter says what the section would."""
    return want == "escalation" and bool(document.front.values.get("escalation"))


def _rollback(document: Document, part: Part, number: int, where: str) -> Iterator[Finding]:
    if part.section("rollback") is not None:
        return
    mine = [b for b in document.blocks if b.part == number]
    if any(b.phase == "rollback" for b in mine):
        return
    for block in mine:
        if block.phase != "mitigate":
            continue
        change = next(iter(changes(block)), None)
        declared = (block.attributes or {}).get("mutates") == "true"
        if change is None and not declared:
            continue
        what = f"`{change.what}`" if change else "the mitigation"
        yield found(
            "rollback/missing",
            document,
            change.line if change else block.line,
            f"{what} changes something, and nothing says how to undo it{where}",
            "add `## Rollback`, if only to say that nothing needs to be undone",
        )
        return
