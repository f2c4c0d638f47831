"""The rules of `gameday runbook lint`: each with its level and what it is about.

Each has a page in docs/runbook-lint, with an example that is run as a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gameday.errors import UsageError
from gameday.model.runbook import Document, Finding, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: how much its findings weigh, and what it finds."""

    level: Level
    what: str


def _e(what: str) -> Rule:
    return Rule(level=Level.ERROR, what=what)


def _w(what: str) -> Rule:
    return Rule(level=Level.WARNING, what=what)


def _n(what: str) -> Rule:
    return Rule(level=Level.NOTE, what=what)


RULES: Mapping[str, Rule] = {
    "file/unreadable": _e("a file that is empty, too large, or no UTF-8 text"),
    "front/unreadable": _e("front matter that is not YAML, or no mapping of keys to values"),
    "front/key": _w("a key of the front matter that looks like a misspelling of one of ours"),
    "front/value": _e("a value of the front matter that cannot be used"),
    "section/needed": _e("no section for the diagnosis, or none for the mitigation"),
    "section/empty": _e("a diagnosis or a mitigation that says nothing, or hardly anything"),
    "section/absent": _n("no section for meaning, impact, verify, rollback or escalation"),
    "owner/missing": _w("nobody is named who keeps the runbook true"),
    "fresh/never": _n("nothing says when the runbook was last seen to be right"),
    "fresh/stale": _w("the last validation is longer ago than the runbook itself allows"),
    "fresh/future": _e("a last validation that lies in the future"),
    "text/placeholder": _w("text that was meant to be replaced: TODO, TBD, lorem ipsum"),
    "secret/literal": _e("a password, token or key in the text"),
    "link/file": _e("a relative link to a file that is not there"),
    "link/anchor": _e("a link to an anchor that its page does not have"),
    "link/remote": _e("a link to a page that its host says is not there"),
    "link/unseen": _n("a link that was not looked at"),
    "command/syntax": _w("shell that bash cannot parse"),
    "command/unknown": _w("a program that is neither on the PATH nor allowed by the project"),
    "command/unbound": _w("something to fill in, and not explained: `<pod>`, `$POD`, `{{ pod }}`"),
    "command/hangs": _w("a command that may never end, and nothing that ends it"),
    "step/attribute": _e("an attribute of a step that is not known, or has a wrong value"),
    "step/syntax": _e("a step that bash cannot parse"),
    "step/unbound": _e("a step with a variable that it will not have when it is run"),
    "step/asserts-nothing": _w("a step to diagnose or verify that says not what it expects"),
    "step/no-observation": _n("a command of the diagnosis without a word on what it should show"),
    "step/no-timeout": _w("a step without a `timeout`"),
    "step/undeclared-change": _w("a step that changes something and does not say `mutates=true`"),
    "mutation/diagnosis": _e("a command that changes something in the diagnosis"),
    "mutation/verify": _w("a command that changes something in the verification"),
    "rollback/missing": _w("a mitigation that changes something, and no word on how to undo it"),
    "alert/no-runbook": _w("an alerting rule without a link to a runbook"),
    "alert/dead-runbook": _e("an alerting rule whose link leads nowhere"),
    "alert/unseen-runbook": _n("an alerting rule whose link was not followed"),
    "alert/unknown": _w("a runbook that names an alert which no rule has"),
    "alert/not-linked": _w("a runbook that names an alert which does not lead to it"),
    "alert/orphan": _w("a runbook that no alert leads to and that names none"),
    "ignore/unused": _w("a comment that silences a rule which finds nothing there, or is not one"),
}  # fmt: skip


def found(
    rule: str, document: Document, line: int, message: str, hint: str = "", *, column: int = 1
) -> Finding:
    """A finding of *rule* in *document*."""
    return Finding(
        rule=rule,
        level=RULES[rule].level,
        file=document.file,
        line=line,
        column=column,
        message=message,
        hint=hint,
    )


def chosen(select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    """The rules that count: ids, or groups (`link`), selected (all if none is) less the ignored.

    Raises `UsageError` for what is no rule and no group.
    """
    wanted = _matching(select) or frozenset(RULES)
    return wanted - _matching(ignore)


def _matching(names: Iterable[str]) -> frozenset[str]:
    groups = {rule.partition("/")[0] for rule in RULES}
    matched: set[str] = set()
    for name in names:
        if name not in RULES and name not in groups:
            raise UsageError(
                f"`{name}` is no rule and no group of rules; "
                f"the groups are {', '.join(sorted(groups))}, the rules are in docs/runbook-lint.md"
            )
        matched |= {rule for rule in RULES if rule == name or rule.partition("/")[0] == name}
    return frozenset(matched)
