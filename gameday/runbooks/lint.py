"""All rules over a set of runbooks. Pure: what had to be looked up is in `Around`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gameday.model.runbook import Around, Document, Finding, Ignore
from gameday.runbooks.alerts import alert_rules
from gameday.runbooks.commands import command_rules
from gameday.runbooks.front import front_rules
from gameday.runbooks.grade import Grade, grade_of
from gameday.runbooks.links import link_rules
from gameday.runbooks.rules import RULES, found
from gameday.runbooks.sections import section_rules
from gameday.runbooks.steps import step_rules
from gameday.runbooks.text import MASK, secrets_in, text_rules

#: What these find depends on the day, the machine, and what was asked to be compared: a comment
#: that silences one of them may be needed elsewhere.
_ELSEWHERE = frozenset(
    rule
    for rule in RULES
    if rule.startswith(("alert/", "fresh/"))
    or rule in ("command/unknown", "command/syntax", "step/syntax", "link/remote", "link/unseen")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found: `findings` in the order of files and lines, and a grade for each file."""

    findings: tuple[Finding, ...]
    grades: Mapping[str, Grade]


def lint(
    documents: Sequence[Document],
    around: Around,
    *,
    rules: frozenset[str] = frozenset(RULES),
    pages: Mapping[str, frozenset[str]] | None = None,
) -> Linted:
    """What *rules* find in *documents*. *pages* has the anchors of other files by absolute path.

    Grades are by all rules, whichever are asked for.
    """
    anchors = {**(pages or {}), **{d.at: d.anchors for d in documents if not d.problem}}
    found_in: dict[str, list[Finding]] = {d.file: [] for d in documents}
    elsewhere: list[Finding] = []
    for document in documents:
        found_in[document.file] += _of(document, around, anchors)
    for finding in alert_rules(documents, around.alerts) if around.alerts is not None else ():
        found_in.get(finding.file, elsewhere).append(finding)
    grades: dict[str, Grade] = {}
    kept = list(elsewhere)
    for document in documents:
        heard = _heeded(document, found_in[document.file], rules)
        grades[document.file] = grade_of(document, heard, around.today)
        kept += heard
    kept = [finding for finding in dict.fromkeys(kept) if finding.rule in rules]
    kept.sort(key=lambda f: (f.file, f.line, f.column, f.rule, f.message))
    return Linted(findings=tuple(kept), grades=grades)


def _of(
    document: Document, around: Around, anchors: Mapping[str, frozenset[str]]
) -> Iterable[Finding]:
    if document.problem:
        return [found("file/unreadable", document, 1, document.problem, "write a runbook into it")]
    findings = [
        *front_rules(document, around.today),
        *section_rules(document),
        *text_rules(document),
        *link_rules(document, around, anchors),
        *command_rules(document, around),
        *step_rules(document),
    ]
    return _masked(document, findings)


def _masked(document: Document, findings: list[Finding]) -> list[Finding]:
    """No message repeats a secret of the text."""
    secrets = sorted({value for *_, value in secrets_in(document)}, key=len, reverse=True)
    for secret in secrets:
        findings = [
            replace(f, message=f.message.replace(secret, MASK), hint=f.hint.replace(secret, MASK))
            for f in findings
        ]
    return findings


def _heeded(document: Document, findings: list[Finding], rules: frozenset[str]) -> list[Finding]:
    """Without what comments silence; and the comments that silence nothing."""
    used: set[tuple[Ignore, str]] = set()
    heard: list[Finding] = []
    for finding in findings:
        hits = {
            (ignore, name)
            for ignore in document.ignores
            for name in ignore.rules
            if _covers(ignore, name, finding)
        }
        used |= hits
        if not hits:
            heard.append(finding)
    for ignore in document.ignores:
        for name in ignore.rules:
            meant = {rule for rule in RULES if name in (rule, rule.partition("/")[0])}
            if (ignore, name) in used or (meant and not meant & rules) or meant & _ELSEWHERE:
                continue
            why = "finds nothing here" if meant else "is no rule"
            heard.append(
                found(
                    "ignore/unused",
                    document,
                    ignore.line,
                    f"`{name}` {why}",
                    "take the comment out, or correct the name",
                )
            )
    return heard


def _covers(ignore: Ignore, name: str, finding: Finding) -> bool:
    if name not in (finding.rule, finding.rule.partition("/")[0]):
        return False
    return ignore.lines is None or ignore.lines[0] <= finding.line <= ignore.lines[1]
