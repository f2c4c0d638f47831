"""Rules about alerts and runbooks: each should lead to the other, without dead ends."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from gameday.model.runbook import AlertLink, Document, Finding
from gameday.runbooks.rules import RULES, found


def alert_rules(documents: Sequence[Document], alerts: Sequence[AlertLink]) -> Iterator[Finding]:
    """Both directions: what the alerting rules lead to, and what the runbooks name."""
    for alert in alerts:
        yield from _of_alert(alert, documents)
    names = {alert.name for alert in alerts}
    for document in documents:
        if document.problem:
            continue
        yield from _of_runbook(document, alerts, names)


def named_alerts(document: Document) -> list[str]:
    """The alerts in the front matter of a runbook."""
    listed = document.front.values.get("alerts")
    return [a for a in listed if isinstance(a, str)] if isinstance(listed, list) else []


def _of_alert(alert: AlertLink, documents: Sequence[Document]) -> Iterator[Finding]:
    if not alert.runbook:
        same = next((d for d in documents if _stem(d) == alert.name.lower()), None)
        hint = f"`{same.file}` has its name" if same else "write a runbook and link to it"
        yield _at(alert, "alert/no-runbook", f"`{alert.name}` has no `runbook_url`", hint)
    elif alert.dead:
        message = f"the `runbook_url` of `{alert.name}` leads nowhere: {alert.dead}"
        yield _at(alert, "alert/dead-runbook", message, "correct the link, or write the runbook")
    elif alert.unseen:
        message = f"the `runbook_url` of `{alert.name}` was not followed: {alert.unseen}"
        yield _at(alert, "alert/unseen-runbook", message)


def _of_runbook(
    document: Document, alerts: Sequence[AlertLink], names: set[str]
) -> Iterator[Finding]:
    here = {a.name for a in alerts if a.leads_to == document.at}
    # a link that was not followed may well lead here
    unsure = {a.name for a in alerts if a.unseen}
    named = named_alerts(document)
    line = document.front.lines.get("alerts", 1)
    for name in named:
        if name not in names:
            yield found(
                "alert/unknown",
                document,
                line,
                f"no rule has the alert `{name}`",
                _near(name, names),
            )
        elif name not in here | unsure:
            yield found(
                "alert/not-linked",
                document,
                line,
                f"`{name}` does not lead here",
                "set `runbook_url` of its rule to this file",
            )
    if not named and not here and not _mentioned(document, names | unsure):
        yield found(
            "alert/orphan",
            document,
            1,
            "no alert leads here, and the front matter names none",
            "name its `alerts`, link to it from a rule, or remove it",
        )


def _mentioned(document: Document, names: set[str]) -> bool:
    """Whether its title, a heading or the file is called like an alert."""
    titles = {word for h in document.headings for word in re.findall(r"\w+", h.text)}
    return bool(titles & names) or _stem(document) in {name.lower() for name in names}


def _stem(document: Document) -> str:
    return posixpath.splitext(posixpath.basename(document.at))[0].lower()


def _near(name: str, names: set[str]) -> str:
    near = get_close_matches(name, sorted(names), n=1)
    return f"did you mean `{near[0]}`?" if near else "correct the name, or take it out"


def _at(alert: AlertLink, rule: str, message: str, hint: str = "") -> Finding:
    return Finding(
        rule=rule,
        level=RULES[rule].level,
        file=alert.file,
        line=alert.line,
        message=message,
        hint=hint,
    )
