"""The findings of a service as evidence, from the register of the project.

A register that is not there is no register without findings: it was not read.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from gameday.errors import GamedayError
from gameday.model.finding_record import EntryKind, FindingRecord
from gameday.model.readiness_evidence import FindingNow


def findings_of(
    service: str, *, store: str | None, project: Path | None
) -> tuple[tuple[FindingNow, ...] | None, str]:
    """Every finding of *service* as it stands now; or None, and why it is not known."""
    from gameday.app.finding_store import register_of
    from gameday.app.findings import current

    try:
        register = register_of(store=store, project=project)
        if not register.store.exists():
            return None, f"there is no register of findings at `{_shown(register.store.name)}`"
        records = current(register)
    except GamedayError as error:
        return None, f"the register of findings cannot be read: {error}"
    return tuple(_now(one) for one in records if one.service == service), ""


def _shown(name: str) -> str:
    """How a store is called, with a path as people know it: from where they are."""
    kind = "sqlite:" if name.startswith("sqlite:") else ""
    path, here = Path(name.removeprefix(kind)), Path.cwd()
    below = path.is_absolute() and path.is_relative_to(here)
    return f"{kind}{path.relative_to(here)}" if below else name


def _now(one: FindingRecord) -> FindingNow:
    accepted = [entry for entry in one.entries if entry.what is EntryKind.ACCEPTED]
    until = one.accepted_until
    return FindingNow(
        id=one.id,
        title=one.title,
        severity=one.severity.value,
        state=one.state.value,
        accepted_until=date.fromisoformat(until) if until else None,
        approver=accepted[-1].role if accepted else "",
        owner=one.owner_team,
        regressed=one.regressions > 0,
        expired=one.entries[-1].what is EntryKind.EXPIRED,
    )
