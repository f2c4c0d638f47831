"""The part of the project file about the findings register, and its kinds of values."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Annotated, Any

from gameday.model.finding_record import ROLE, FindingSeverity, FindingsPolicy
from gameday.model.units import UnitError, duration_ms
from gameday.scenario import fields as f
from gameday.scenario.validate import FieldError, Scalar, about, document, shown

_DAY_MS = 86_400_000
_MOST_DAYS = 3_650
_STORE = r"[^\s:][^:]*|sqlite:[^\s].*|postgres(?:ql)?://\S+"
_WITH_PASSWORD = re.compile(r"postgres(?:ql)?://[^/@]*:[^/@]*@.*")


def _days(value: Any) -> int:
    hint = f"write whole days from `1d` to `{_MOST_DAYS}d`"
    try:
        ms = duration_ms(value)
    except UnitError as error:
        summary, _ = f.split_hint(str(error))
        raise FieldError("value/duration", summary, hint) from None
    if ms % _DAY_MS or not 1 <= ms // _DAY_MS <= _MOST_DAYS:
        raise FieldError("value/duration", f"`{shown(value)}` is not possible here", hint)
    return ms // _DAY_MS


def _store(value: Any) -> str:
    text = f.TEXT.parse(value)
    if _WITH_PASSWORD.fullmatch(str(text)):
        raise FieldError(
            "value/url",
            "the address of the database holds a password",
            "leave it out; it is taken from PGPASSWORD, or from a password file (PGPASSFILE)",
        )
    hint = "write a folder, `sqlite:findings.db`, or `postgresql://host/database`"
    return f.matching(_STORE, "value/url", "a place for findings", hint)(text)


DAYS = Scalar(_days, f.pattern(r"(?:[0-9]+d)+", examples=["30d"]))
STORE = Scalar(_store, f.pattern(_STORE, examples=["findings", "sqlite:findings.db"]))
ROLE_NAME = Scalar(
    f.matching(
        ROLE.pattern,
        "value/name",
        "a role",
        "write small letters, digits, `-`, `_` and `.`, such as `business-owner`",
    ),
    f.pattern(ROLE.pattern),
)
_DEFAULT = FindingsPolicy()


def _due(severity: FindingSeverity) -> int:
    return _DEFAULT.due_days[severity]


@document
class DueDoc:
    """How long a finding may take to be verified, from the day it is raised or opened again."""

    critical: Annotated[int, DAYS, about("data loss, or an outage that nobody would see")] = _due(
        FindingSeverity.CRITICAL
    )
    high: Annotated[int, DAYS, about("a weakness that users would feel")] = _due(
        FindingSeverity.HIGH
    )
    medium: Annotated[int, DAYS, about("a weakness of a lesser service, or a lesser one")] = _due(
        FindingSeverity.MEDIUM
    )
    low: Annotated[int, DAYS, about("what can wait")] = _due(FindingSeverity.LOW)


@document
class AcceptDoc:
    """Who may accept the risk of a finding, and for how long."""

    roles: Annotated[list[Annotated[str, ROLE_NAME]], about("the roles that may")] = field(
        default_factory=lambda: list(_DEFAULT.approvers)
    )
    longest: Annotated[int, DAYS, about("no longer than this; then it is open again")] = (
        _DEFAULT.longest_days
    )


@document
class FindingsDoc:
    """The findings register: where it lies, and its policy."""

    store: Annotated[
        str,
        STORE,
        about("a folder, `sqlite:FILE` or `postgresql://…`; paths are relative to the project"),
    ] = _DEFAULT.store
    due: Annotated[DueDoc, about("how long findings may take, by severity")] = field(
        default_factory=DueDoc
    )
    accept: Annotated[AcceptDoc, about("who may accept a risk, and for how long")] = field(
        default_factory=AcceptDoc
    )


def findings_of(doc: FindingsDoc) -> FindingsPolicy:
    """The value."""
    return FindingsPolicy(
        store=doc.store,
        due_days={severity: getattr(doc.due, severity.value) for severity in FindingSeverity},
        approvers=tuple(doc.accept.roles),
        longest_days=doc.accept.longest,
    )
