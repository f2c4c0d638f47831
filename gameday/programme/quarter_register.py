"""Findings of the register in the form in which a quarter counts them."""

from __future__ import annotations

from gameday.model.finding_record import Entry, FindingRecord
from gameday.model.quarter import Change, FindingSeen


def finding_seen(record: FindingRecord) -> FindingSeen:
    """One finding with its changes, and without the evidence of its runs."""
    return FindingSeen(
        id=record.id,
        title=record.title,
        service=record.service,
        mode=record.failure_mode,
        kind=record.kind.value,
        changes=tuple(_change(one) for one in record.entries),
    )


def _change(entry: Entry) -> Change:
    return Change(
        at=entry.at,
        what=entry.what.value,
        state=entry.state.value,
        severity=None if entry.severity is None else entry.severity.value,
        owner=entry.owner_team,
        due=entry.due,
        until=entry.until,
    )
