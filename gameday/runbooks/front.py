"""Rules about the front matter: keys, values, owner, freshness."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any

from gameday.model.runbook import Document, Finding
from gameday.model.units import UnitError, duration_ms
from gameday.runbooks.rules import found

#: The keys that gameday reads.
KEYS = (
    "gameday_runbook", "title", "alerts", "service", "owner", "last_validated", "review_every",
    "params", "escalation", "validated_run", "validated_sha256",
)  # fmt: skip
#: Without `review_every` a validation holds so long.
REVIEW_DAYS = 180

_SPAN = re.compile(r"(\d{1,4}) ?(d|days?|w|weeks?|months?|y|years?)")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_OWNER = re.compile(r"^\W*(?:owners?|owned by|maintainers?|responsible team)\W*[:|]\W*\w", re.I)


def front_rules(document: Document, today: date) -> Iterator[Finding]:
    """Everything about the front matter, and what should be in it."""
    front = document.front
    if front.problem:
        yield found(
            "front/unreadable",
            document,
            front.problem_line,
            f"the front matter cannot be read: {front.problem}",
            "write `key: value` lines between the two `---`",
        )
        return
    yield from _keys(document)
    yield from _values(document)
    yield from _owner(document)
    yield from _fresh(document, today)


def owner_of(document: Document) -> bool:
    """Whether somebody is named: in the front matter, or on an `Owner:` line."""
    if str(document.front.values.get("owner") or "").strip():
        return True
    return any(_OWNER.match(text) for _, text in document.prose)


def review_days(value: object) -> int | None:
    """The days of `90d`, `12w`, `6 months`, `1y`; None if it is none of these."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) * _DAYS[match[2][0]] if match and int(match[1]) else None


def is_fresh(document: Document, today: date) -> bool:
    """Whether the last validation is there and still holds."""
    last = document.front.values.get("last_validated")
    days = review_days(document.front.values.get("review_every", "")) or REVIEW_DAYS
    return isinstance(last, date) and timedelta() <= today - last <= timedelta(days=days)


def _keys(document: Document) -> Iterator[Finding]:
    for key, line in document.front.lines.items():
        near = get_close_matches(key.lower().replace("-", "_"), KEYS, n=1, cutoff=0.8)
        if key not in KEYS and near and near[0] not in document.front.values:
            yield found(
                "front/key",
                document,
                line,
                f"`{key}` is not read",
                f"did you mean `{near[0]}`?",
            )


def _values(document: Document) -> Iterator[Finding]:
    for key, value in document.front.values.items():
        wrong = _wrong(key, value)
        if wrong:
            line = document.front.lines.get(key, 1)
            yield found("front/value", document, line, f"`{key}` {wrong[0]}", wrong[1])


def _wrong(key: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with the value of a key, and what to write."""
    if key == "alerts":
        fine = isinstance(value, list) and all(isinstance(a, str) and a for a in value)
        return None if fine else ("is not a list of names", "write `alerts: [NameOfTheAlert]`")
    if key == "last_validated":
        fine = isinstance(value, date)
        return None if fine else ("is not a date", "write it as `2026-03-31`")
    if key == "review_every":
        fine = review_days(value) is not None
        return None if fine else ("is not a span of time", "write `90d`, `12w` or `1y`")
    if key == "params":
        fine = isinstance(value, Mapping) and all(
            v is None or isinstance(v, Mapping) for v in value.values()
        )
        hint = 'write `params: {NAME: {default: "x"}}`'
        return None if fine else ("is not a mapping of names", hint)
    if key == "escalation":
        return _wrong_escalation(value)
    if key == "gameday_runbook":
        fine = value == 1 and not isinstance(value, bool)
        return None if fine else ("is a version that is not known", "write `gameday_runbook: 1`")
    if key in ("owner", "title", "service"):
        fine = isinstance(value, str) and bool(value.strip())
        return None if fine else ("says nothing", "write a name, or take the line out")
    return None


def _wrong_escalation(value: Any) -> tuple[str, str] | None:
    hint = "write `escalation: {to: team-database, after: 15m}`"
    if not isinstance(value, Mapping) or not isinstance(value.get("to"), str):
        return "does not say `to` whom", hint
    try:
        duration_ms(value.get("after", "15m"))
    except UnitError:
        return "has an `after` that is not a duration", hint
    return None


def _owner(document: Document) -> Iterator[Finding]:
    if not owner_of(document):
        yield found(
            "owner/missing",
            document,
            1,
            "nobody is named who keeps this runbook true",
            "write `owner: team-…` into the front matter, or a line `Owner: team-…`",
        )


def _fresh(document: Document, today: date) -> Iterator[Finding]:
    values, lines = document.front.values, document.front.lines
    last = values.get("last_validated")
    line = lines.get("last_validated", 1)
    if "last_validated" not in values:
        yield found(
            "fresh/never",
            document,
            1,
            "nothing says when this was last seen to be right",
            "write `last_validated: 2026-03-31` into the front matter once it was",
        )
    if not isinstance(last, date):
        return
    days = review_days(values.get("review_every", "")) or REVIEW_DAYS
    if last > today:
        hint = "write the day on which somebody followed it"
        yield found("fresh/future", document, line, f"{last} lies in the future", hint)
    elif today - last > timedelta(days=days):
        over = (today - last).days - days
        yield found(
            "fresh/stale",
            document,
            line,
            f"last validated on {last}, to be reviewed every {days} days: {over} days too late",
            "follow it once, or run it in a scenario, and write the day down",
        )
