"""What other tools know: incidents, deployments, restore drills, and which pairs need a test."""

from __future__ import annotations

import datetime
from typing import TypeVar

from gameday.errors import UsageError
from gameday.model.quarter import Deployment, Incident, InScope, RestoreDrill
from gameday.programme.quarter_csv import (
    Column,
    ProblemError,
    Row,
    day_item,
    one_of,
    rows_of,
    seconds,
    tier,
    time_of,
    word,
)

INCIDENTS = (
    Column(name="id", what="its number in the tool", needed=True),
    Column(name="started", what="when it began", needed=True),
    Column(name="service", what="the service that was hit", needed=True),
    Column(name="severity", what="as the tool has it, such as sev1", needed=True),
    Column(name="resolved", what="when it was over; empty if it is not"),
    Column(name="failure_mode", what="such as payments.latency, if somebody named it"),
    Column(name="postmortem_at", what="when it was published; `not_needed`; empty if it is not"),
)
DEPLOYMENTS = (
    Column(name="id", what="its number in the tool", needed=True),
    Column(name="time", what="when it was done", needed=True),
    Column(name="service", what="what was deployed", needed=True),
    Column(name="outcome", what="ok, failed or rolled_back", needed=True),
    Column(name="environment", what="where; empty counts as one environment of its own"),
)
DRILLS = (
    Column(name="id", what="its number", needed=True),
    Column(name="scheduled", what="for when it was planned", needed=True),
    Column(name="service", what="what was restored or failed over", needed=True),
    Column(name="held", what="when it was held; empty if it was not"),
    Column(name="rto_s", what="seconds until the service could be used"),
    Column(name="rto_target_s", what="seconds that are allowed"),
    Column(name="rpo_s", what="seconds of data that were lost"),
    Column(name="rpo_target_s", what="seconds of data that may be lost"),
    Column(name="integrity", what="pass or fail: whether the data was whole"),
    Column(name="environment", what="where; empty counts as one environment of its own"),
    Column(name="drill", what="as DAY/ITEM: a day that holds it says the rest"),
)
SCOPE = (
    Column(name="service", what="the service", needed=True),
    Column(name="failure_mode", what="such as payments.latency", needed=True),
    Column(name="tier", what="of the service, 0 is the highest"),
)
_T = TypeVar("_T", Incident, Deployment, RestoreDrill)


def read_incidents(text: str, file: str) -> tuple[Incident, ...]:
    """Incidents. Raises `UsageError` with every problem as `file:line:column`."""
    return _each_once(rows_of(text, file, INCIDENTS, _incident), file)


def read_deployments(text: str, file: str) -> tuple[Deployment, ...]:
    """Deployments. Raises as `read_incidents`."""
    return _each_once(rows_of(text, file, DEPLOYMENTS, _deployment), file)


def read_drills(text: str, file: str) -> tuple[RestoreDrill, ...]:
    """Restore and fail-over drills. Raises as `read_incidents`."""
    return _each_once(rows_of(text, file, DRILLS, _drill), file)


def read_scope(text: str, file: str) -> tuple[InScope, ...]:
    """Pairs that have to be covered. Raises as `read_incidents`."""
    return tuple(dict.fromkeys(rows_of(text, file, SCOPE, _in_scope)))


def _each_once(rows: tuple[_T, ...], file: str) -> tuple[_T, ...]:
    """A row that is there twice, the same, is one; two that differ under one id are a mistake."""
    found: dict[str, _T] = {}
    for row in rows:
        if found.setdefault(row.id, row) != row:
            raise UsageError(f"{file}: two different lines have the id `{row.id}`")
    return tuple(found.values())


def _incident(row: Row) -> Incident | None:
    name, started = row.needed("id", word), row.needed("started", time_of)
    service, severity = row.needed("service", word), row.needed("severity", word)
    resolved, mode = row.get("resolved", time_of), row.get("failure_mode", word)
    written = row.get("postmortem_at", _postmortem)
    if name is None or started is None or service is None or severity is None:
        return None
    return Incident(
        id=name, started=started, service=service, severity=severity.lower(), resolved=resolved,
        mode=mode or "", postmortem=written if isinstance(written, datetime.datetime) else None,
        owed=row.has("postmortem_at") and written != _NOT_NEEDED,
    )  # fmt: skip


_NOT_NEEDED = "not_needed"


def _postmortem(text: str) -> datetime.datetime | str:
    """When it was published, or that none is needed."""
    if text.lower().replace(" ", "_") == _NOT_NEEDED:
        return _NOT_NEEDED
    try:
        return time_of(text)
    except ProblemError as error:
        raise ProblemError(f"{error}, or `{_NOT_NEEDED}`") from None


def _deployment(row: Row) -> Deployment | None:
    name, at = row.needed("id", word), row.needed("time", time_of)
    service = row.needed("service", word)
    outcome = row.needed("outcome", one_of("ok", "failed", "rolled_back"))
    where = row.get("environment", word)
    if name is None or at is None or service is None or outcome is None:
        return None
    return Deployment(id=name, at=at, service=service, outcome=outcome, environment=where or "")


def _drill(row: Row) -> RestoreDrill | None:
    name, scheduled = row.needed("id", word), row.needed("scheduled", time_of)
    service = row.needed("service", word)
    held = row.get("held", time_of)
    rto, rto_target = row.get("rto_s", seconds), row.get("rto_target_s", seconds)
    rpo, rpo_target = row.get("rpo_s", seconds), row.get("rpo_target_s", seconds)
    integrity = row.get("integrity", one_of("pass", "fail"))
    where, drill = row.get("environment", word), row.get("drill", day_item)
    if name is None or scheduled is None or service is None:
        return None
    return RestoreDrill(
        id=name, scheduled=scheduled, service=service, held=held, rto_s=rto,
        rto_target_s=rto_target, rpo_s=rpo, rpo_target_s=rpo_target, integrity=integrity or "",
        environment=where or "", drill=drill or "",
    )  # fmt: skip


def _in_scope(row: Row) -> InScope | None:
    service, mode = row.needed("service", word), row.needed("failure_mode", word)
    level = row.get("tier", tier)
    if service is None or mode is None:
        return None
    return InScope(service=service, mode=mode, tier=level)
