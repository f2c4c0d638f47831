"""Findings of the register for people: a table, and one of them with all that happened to it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from gameday.model.finding_record import ACTIVE, Entry, FindingRecord, FindingState

_TITLE_MAX = 60
_HEAD = ("ID", "SEVERITY", "STATE", "TEAM", "AGE", "DUE", "SEEN", "WHAT")


def render_list(records: Sequence[FindingRecord], today: datetime.date, where: str) -> str:
    """One line each: its age in days, when it is due, how often it was seen in *where*."""
    if not records:
        return f"no findings in `{where}`\n"
    rows = [_HEAD, *(_row(record, today) for record in records)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEAD) - 1)]
    lines = [
        "  ".join([*(text.ljust(w) for text, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    late = sum(is_overdue(record, today) for record in records)
    many = f"{len(records)} finding{'' if len(records) == 1 else 's'}, {late} overdue"
    return "\n".join([*lines, "", many, ""])


def render_one(record: FindingRecord, today: datetime.date) -> str:
    """Everything about one finding."""
    active = record.state in ACTIVE
    facts = [
        ("state", f"{words(record.state)}{_aside(record)}"),
        ("severity", record.severity.value),
        ("class", words(record.kind)),
        ("owner team", record.owner_team or "nobody yet"),
        ("due", f"{record.due}{_late(record, today)}" if active else ""),
        ("age", f"{age_days(record, today)} days" if active else ""),
        ("service", record.service),
        ("failure mode", record.failure_mode),
        ("expectation", record.expectation),
        ("failed again", f"{record.recurrences}, of these after verified: {record.regressions}"),
    ]
    lines = [f"{record.id}  {record.title}", ""]
    lines += [f"  {name:<13} {text}" for name, text in facts if text]
    lines += ["", "  what happened"]
    for entry in record.entries:
        lines += _entry(entry)
    return "\n".join([*lines, ""])


def age_days(record: FindingRecord, today: datetime.date) -> int:
    """Days since it was raised, or last opened again."""
    return max(0, (today - datetime.datetime.fromisoformat(record.opened_at).date()).days)


def is_overdue(record: FindingRecord, today: datetime.date) -> bool:
    """Whether it should have been verified by now. A claimed fix is not a verified one."""
    return record.state in ACTIVE and datetime.date.fromisoformat(record.due) < today


def words(value: str) -> str:
    """A word of ours for people."""
    return value.replace("_", " ")


def _row(record: FindingRecord, today: datetime.date) -> tuple[str, ...]:
    active = record.state in ACTIVE
    title = " ".join(record.title.split())
    return (
        record.id,
        record.severity.value,
        words(record.state),
        record.owner_team or "-",
        f"{age_days(record, today)}d" if active else "-",
        f"{record.due}{'!' if is_overdue(record, today) else ''}" if active else "-",
        str(1 + record.recurrences),
        f"{record.service}: {title[: _TITLE_MAX - 1] + '…' if len(title) > _TITLE_MAX else title}",
    )


def _late(record: FindingRecord, today: datetime.date) -> str:
    days = (today - datetime.date.fromisoformat(record.due)).days
    return f", {days} days overdue" if days > 0 else ""


def _aside(record: FindingRecord) -> str:
    last = record.entries[-1]
    if record.state is FindingState.RISK_ACCEPTED:
        return f" until {record.accepted_until}"
    if record.state is FindingState.SUPERSEDED:
        return f" by {last.by}"
    return f" by {record.verified_by}" if record.state is FindingState.VERIFIED else ""


def _entry(entry: Entry) -> Iterator[str]:
    more = [
        f"{name} {value}"
        for name, value in (
            ("severity", entry.severity and entry.severity.value),
            ("team", entry.owner_team),
            ("due", entry.due),
            ("until", entry.until),
            ("by", entry.by),
            ("run", entry.run),
        )
        if value
    ]
    said = f": {', '.join(more)}" if more else ""
    yield f"    {entry.at}  {words(entry.what)} ({entry.role}){said}"
    if entry.why:
        yield f"      {' '.join(entry.why.split())}"
