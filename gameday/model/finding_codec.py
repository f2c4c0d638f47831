"""Findings as plain data and back: the one layout of files, of the database and of exports.

Keys stand in a fixed order, and what says nothing is left out, so equal records give equal text.
`state`, `severity`, `owner_team` and `due` on top are there for people: they have to agree with the
entries, so that nobody makes a finding verified by changing a word.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from gameday.model.finding_record import (
    ID,
    ROLE,
    Entry,
    EntryKind,
    Evidence,
    FaultStrength,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingState,
    Scalar,
    id_of,
)

#: The version of the layout.
VERSION = 1
_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")
_ENTRY_KEYS = (
    "at", "what", "state", "role", "why", "run", "severity", "owner_team", "due", "until", "by",
    "evidence",
)  # fmt: skip
_TOP_KEYS = (
    "id", "title", "service", "failure_mode", "expectation", "class", "state", "severity",
    "owner_team", "due", "entries",
)  # fmt: skip
_EVIDENCE_KEYS: Mapping[str, type] = {
    "run": str, "started": str, "scenario": str, "check": str, "expectation": str, "limit": float,
    "least": bool, "summary": str, "environment": str, "environment_kind": str, "profile": str,
    "control": bool, "fault_ms": int, "load_model": str, "load_peak": float,
}  # fmt: skip


class CodecError(ValueError):
    """Data that is no finding. The message says where and what is wrong."""


def to_plain(record: FindingRecord) -> dict[str, Any]:
    """The record as JSON or YAML can hold it."""
    return {
        "id": record.id,
        "title": record.title,
        "service": record.service,
        "failure_mode": record.failure_mode,
        "expectation": record.expectation,
        "class": record.kind.value,
        "state": record.state.value,
        "severity": record.severity.value,
        "owner_team": record.owner_team,
        "due": record.due,
        "entries": [_entry(entry) for entry in record.entries],
    }


def from_plain(value: object) -> FindingRecord:
    """What `to_plain` made. Raises `CodecError` for anything else."""
    data = _mapping(value, "the finding", _TOP_KEYS)
    rows = _list(data.get("entries"), "`entries`")
    if not rows:
        raise CodecError("`entries` is empty; a finding has at least the one that raised it")
    entries = tuple(_read_entry(row, f"entries[{n}]") for n, row in enumerate(rows))
    record = FindingRecord(
        id=_text(data, "id", "the finding"),
        title=_text(data, "title", "the finding"),
        service=_text(data, "service", "the finding"),
        failure_mode=_text(data, "failure_mode", "the finding"),
        expectation=_text(data, "expectation", "the finding"),
        kind=_word(data, "class", FindingClass, "the finding"),
        entries=entries,
    )
    if ID.fullmatch(record.id) is None:
        raise CodecError(f"`{record.id}` is no id of a finding; they look like `F-0123456789ab`")
    if record.id != id_of(record.fingerprint):
        raise CodecError(f"`{record.id}` is not the id of `{record.fingerprint}`")
    _shown(record)
    _agree(data, record)
    return record


def _shown(record: FindingRecord) -> None:
    """A run or a drill says `verified`: an entry that names none was written by hand."""
    before = None
    for number, entry in enumerate(record.entries):
        where, verified = f"entries[{number}]", entry.what is EntryKind.VERIFIED
        if verified and (not entry.run or entry.evidence is None):
            raise CodecError(f"{where} says `verified`, and not by which `run` and `evidence`")
        if (entry.state is FindingState.VERIFIED) is not verified and (
            verified or entry.what is not EntryKind.SEEN_AGAIN or before is not entry.state
        ):
            raise CodecError(
                f"{where}: `{entry.what}` does not lead to `{entry.state}`; findings are changed "
                "with `gameday findings`; `verify` with a run, or `observe` with a drill, verifies"
            )
        before = entry.state


def _agree(data: Mapping[str, Any], record: FindingRecord) -> None:
    first = record.entries[0]
    if first.what is not EntryKind.RAISED or first.severity is None or first.due is None:
        raise CodecError("entries[0] has to raise the finding, with `severity` and `due`")
    said = {
        "state": record.state.value,
        "severity": record.severity.value,
        "owner_team": record.owner_team,
        "due": record.due,
    }
    for name, value in said.items():
        if data.get(name, value) != value:
            raise CodecError(
                f"`{name}` says `{data[name]}`, but its entries say `{value}`; findings are "
                "changed with `gameday findings`, which adds an entry"
            )


def _entry(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "at": entry.at,
        "what": entry.what.value,
        "state": entry.state.value,
        "role": entry.role,
    }
    plain |= {name: text for name in ("why", "run") if (text := getattr(entry, name))}
    for name in ("severity", "owner_team", "due", "until", "by"):
        value = getattr(entry, name)
        if value is not None:
            plain[name] = value.value if isinstance(value, StrEnum) else value
    if entry.evidence is not None:
        plain["evidence"] = evidence_to_plain(entry.evidence)
    return plain


def evidence_to_plain(evidence: Evidence) -> dict[str, Any]:
    """Without what holds its default."""
    empty = Evidence()
    plain: dict[str, Any] = {
        name: getattr(evidence, name)
        for name in _EVIDENCE_KEYS
        if getattr(evidence, name) != getattr(empty, name)
    }
    if evidence.faults:
        plain["faults"] = [
            {
                "target": fault.target,
                "kind": fault.kind,
                "length_ms": fault.length_ms,
                "strengths": [dict(sorted(strength.items())) for strength in fault.strengths],
            }
            for fault in evidence.faults
        ]
    return plain


def _read_entry(value: object, where: str) -> Entry:
    data = _mapping(value, where, _ENTRY_KEYS)
    role = _text(data, "role", where)
    if ROLE.fullmatch(role) is None:
        raise CodecError(f"{where}: `{role}` is no role; write for example `service-owner`")
    at = _text(data, "at", where)
    _moment(at, where)
    return Entry(
        at=at,
        what=_word(data, "what", EntryKind, where),
        state=_word(data, "state", FindingState, where),
        role=role,
        why=_text(data, "why", where, ""),
        run=_text(data, "run", where, ""),
        severity=_maybe(data, "severity", lambda: _word(data, "severity", FindingSeverity, where)),
        owner_team=_maybe(data, "owner_team", lambda: _text(data, "owner_team", where)),
        due=_maybe(data, "due", lambda: _day(data, "due", where)),
        until=_maybe(data, "until", lambda: _day(data, "until", where)),
        by=_maybe(data, "by", lambda: _text(data, "by", where)),
        evidence=_maybe(data, "evidence", lambda: _evidence(data["evidence"], f"{where}.evidence")),
    )


def _evidence(value: object, where: str) -> Evidence:
    data = _mapping(value, where, (*_EVIDENCE_KEYS, "faults"))
    read: dict[str, Any] = {
        name: _scalar(data[name], kind, f"{where}.{name}")
        for name, kind in _EVIDENCE_KEYS.items()
        if name in data
    }
    faults = _list(data.get("faults", []), f"{where}.faults")
    return Evidence(
        **read,
        faults=tuple(_fault(row, f"{where}.faults[{n}]") for n, row in enumerate(faults)),
    )


def _fault(value: object, where: str) -> FaultStrength:
    data = _mapping(value, where, ("target", "kind", "length_ms", "strengths"))
    strengths = _list(data.get("strengths"), f"{where}.strengths")
    return FaultStrength(
        target=_text(data, "target", where),
        kind=_text(data, "kind", where),
        length_ms=_scalar(data.get("length_ms"), int, f"{where}.length_ms"),
        strengths=tuple(
            _options(one, f"{where}.strengths[{n}]") for n, one in enumerate(strengths)
        ),
    )


def _options(value: object, where: str) -> dict[str, Scalar]:
    data = _mapping(value, where, None)
    for name, one in data.items():
        if one is not None and not isinstance(one, (str, int, float, bool)):
            raise CodecError(f"{where}.{name} must be text, a number or a switch")
    return dict(data)


def _mapping(value: object, where: str, keys: Sequence[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CodecError(f"{where} must be a mapping")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise CodecError(f"{where}: `{unknown[0]}` means nothing here")
    return value


def _list(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise CodecError(f"{where} must be a list")
    return value


def _text(data: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = data.get(name, default)
    if value is None:
        raise CodecError(f"{where}: `{name}` is missing")
    if not isinstance(value, str):
        raise CodecError(f"{where}: `{name}` must be text; put it in quotes")
    return value


def _word(data: Mapping[str, Any], name: str, words: type[_E], where: str) -> _E:
    text = _text(data, name, where)
    try:
        return words(text)
    except ValueError:
        raise CodecError(f"{where}: `{name}` is `{text}`; there are {', '.join(words)}") from None


def _day(data: Mapping[str, Any], name: str, where: str) -> str:
    text = _text(data, name, where)
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise CodecError(f"{where}: `{name}` is `{text}`; write a day as `2026-12-20`") from None


def _moment(text: str, where: str) -> None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CodecError(f"{where}: `at` is `{text}`; write a time as `2026-12-20T09:00:00.000Z`")


def _scalar(value: object, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise CodecError(f"{where} must be a number that ends")
        return float(value)
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not right:
        raise CodecError(f"{where} must be {_KINDS[kind]}")
    return value


def _maybe(data: Mapping[str, Any], name: str, read: Callable[[], _T]) -> _T | None:
    return read() if data.get(name) is not None else None


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
