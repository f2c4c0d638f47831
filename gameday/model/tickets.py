"""Tickets of findings: where they are made, and what they say. Pure.

A ticket carries a mark that the finding's fingerprint gives, by which it is found again, and how
many entries of the finding it was told of, so that nothing is said twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gameday.model.finding_record import ACTIVE, Entry, FindingRecord
from gameday.model.notices import MARK, one_line
from gameday.model.secret import SecretRef

#: Cloud and Server search differently; everything else is the same.
JIRA_KINDS = ("cloud", "server")
TITLE_MAX, TEXT_MAX = 150, 20_000
_TOLD = re.compile(r"gameday-told-(?P<entries>[0-9]{1,6})-[a-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraSpec:
    """A project of a Jira. With a `user` the token is its password, else it is a bearer token."""

    url: str
    project: str
    token: SecretRef
    kind: str = "cloud"
    user: str | None = None
    type: str = "Bug"
    fields: Mapping[str, object] = field(default_factory=dict)  # more of a new issue


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNowSpec:
    """A table of a ServiceNow. With a `user` the token is its password, else a bearer token."""

    url: str
    token: SecretRef
    user: str | None = None
    table: str = "incident"
    fields: Mapping[str, object] = field(default_factory=dict)  # more of a new record


TicketSpec: TypeAlias = JiraSpec | ServiceNowSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One that is there. `id` is the system's own, `name` what people call it."""

    id: str
    name: str
    url: str
    told: str = ""  # the last mark of what it was told, as `told_mark` makes it
    status: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """One that is to be made."""

    mark: str
    title: str
    text: str
    told: str


def mark_of(record: FindingRecord) -> str:
    """What finds the ticket of a finding again; it comes from its fingerprint alone."""
    return f"gameday-{record.id.lower()}"


def told_mark(record: FindingRecord) -> str:
    """How far a ticket has been told of a finding."""
    return f"gameday-told-{len(record.entries)}-{record.state.value.replace('_', '-')}"


def entries_told(told: str) -> int | None:
    """How many entries that was; None where nobody knows any more."""
    found = _TOLD.fullmatch(told)
    return int(found["entries"]) if found is not None else None


def new_ticket(record: FindingRecord) -> NewTicket:
    """The first words about a finding."""
    lines = [
        "Found in an exercise of gameday. It is a weakness that the exercise showed.",
        "",
        *(f"{name}: {one_line(text, 1_000)}" for name, text in _facts(record) if text),
        "",
        "A run, or the observer of a drill, verifies the fix. Closing this ticket does not:",
        f"  gameday findings claim {record.id} --why '...'",
        "  gameday findings verify last",
    ]
    return NewTicket(
        mark=mark_of(record),
        title=one_line(f"{MARK} {record.service}: {record.title}", TITLE_MAX),
        text="\n".join(lines)[:TEXT_MAX],
        told=told_mark(record),
    )


def news_for(record: FindingRecord, ticket: Ticket) -> str:
    """What a ticket has to be told; empty if its finding stands as it did."""
    known = entries_told(ticket.told)
    changes = list(_changes(record, known or 0))
    if known is not None and not changes:
        return ""
    lines = [f"gameday: {record.id} is {words(record.state)} now."]
    if record.state in ACTIVE and record.due:
        lines.append(f"To be verified by {record.due}.")
    return "\n".join([*lines, *(_line(one) for one in changes)])[:TEXT_MAX]


def words(word: str) -> str:
    """A word of a table for people."""
    return str(word).replace("_", " ")


def _facts(record: FindingRecord) -> Iterator[tuple[str, str]]:
    scenarios = sorted({one.scenario for one in record.failures if one.scenario})
    yield "finding", record.id
    yield "state", words(record.state)
    yield "severity", record.severity.value
    yield "class", words(record.kind)
    yield "service", record.service
    yield "owner team", record.owner_team or "nobody yet"
    yield "due", record.due
    yield "failure mode", record.failure_mode
    yield "expectation", record.expectation
    yield "scenario", ", ".join(scenarios)
    yield "runs", ", ".join(sorted(record.runs)[-5:])


def _changes(record: FindingRecord, known: int) -> Iterator[Entry]:
    """The entries after the *known* ones that changed the state."""
    for number, entry in enumerate(record.entries):
        before = record.entries[number - 1].state if number else None
        if number >= known and entry.state is not before:
            yield entry


def _line(entry: Entry) -> str:
    why = f": {one_line(entry.why, 500)}" if entry.why else ""
    run = f" (run {entry.run})" if entry.run else ""
    return f"{entry.at} {words(entry.what)} by {entry.role}{run}{why}"
