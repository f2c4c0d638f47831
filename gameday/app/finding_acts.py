"""What people do with findings: add, assign, start, claim, accept, supersede, refuse; move all."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gameday.app.finding_store import found, register_of
from gameday.app.findings import change_command, chosen_word, now_utc
from gameday.errors import UsageError
from gameday.model.finding_codec import VERSION, CodecError, from_plain, to_plain
from gameday.model.finding_record import FindingClass, FindingRecord, FindingSeverity, continues
from gameday.model.project import ENVIRONMENT_KINDS
from gameday.model.verdict import ExitCode
from gameday.programme import findings
from gameday.programme.finding_class import usual_severity
from gameday.programme.finding_entry import TransitionError
from gameday.programme.finding_raise import ByHand, added

_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What every act has. Without a `role`, the finding's owner team acts."""

    finding: str
    role: str | None = None
    why: str = ""
    store: str | None = None
    project: Path | None = None

    def role_for(self, record: FindingRecord) -> str:
        """Who acts. Raises `TransitionError` where nobody does."""
        role = self.role or record.owner_team
        if not role:
            raise TransitionError(f"`{record.id}` has no owner team, so say who acts with `--as`")
        return role


@dataclass(frozen=True, slots=True, kw_only=True)
class Adding:
    """A finding as somebody typed it."""

    title: str
    service: str
    failure_mode: str
    expectation: str
    kind: str
    severity: str | None
    team: str
    scenario: str
    environment_kind: str
    role: str
    why: str


def add_command(asked: Adding, *, store: str | None, project: Path | None) -> ExitCode:
    """A finding by hand."""
    register = register_of(store=store, project=project)
    kind = chosen_word(FindingClass, asked.kind, "--class") or FindingClass.TOOLING
    severity = chosen_word(FindingSeverity, asked.severity, "--severity")
    if asked.environment_kind not in ENVIRONMENT_KINDS:
        kinds = ", ".join(ENVIRONMENT_KINDS)
        raise UsageError(f"`--env-kind {asked.environment_kind}`: there are {kinds}")
    for name in ("title", "service", "failure_mode", "expectation"):
        if not getattr(asked, name).strip():
            raise UsageError(f"the {name.replace('_', ' ')} is empty")
    given = ByHand(
        title=asked.title,
        service=asked.service,
        failure_mode=asked.failure_mode,
        expectation=asked.expectation,
        kind=kind,
        severity=severity or usual_severity(kind, None),
        owner_team=asked.team,
        scenario=asked.scenario,
        environment_kind=asked.environment_kind,
    )
    try:
        record = added(given, role=asked.role, why=asked.why, now=now_utc(), policy=register.policy)
    except TransitionError as error:
        raise UsageError(str(error)) from None

    def update(stored: Mapping[str, FindingRecord]) -> list[FindingRecord]:
        if record.id in stored:
            state = stored[record.id].state.value.replace("_", " ")
            raise UsageError(
                f"this is `{record.id}`, which is {state}; `gameday findings show {record.id}`"
            )
        return [record]

    register.store.change([record.id], update)
    sys.stdout.write(f"{record.id}  raised: {record.title}, due {record.due}\n")
    return ExitCode.PASS


def assign_command(act: Act, *, team: str, severity: str | None) -> ExitCode:
    """It is somebody's."""
    worse = chosen_word(FindingSeverity, severity, "--severity")
    by = replace(act, role=act.role or team or None)
    return _do(
        by, lambda record, **how: findings.assigned(record, team=team, severity=worse, **how)
    )


def start_command(act: Act) -> ExitCode:
    """Work has begun."""
    return _do(act, findings.started)


def claim_command(act: Act) -> ExitCode:
    """A fix is in place."""
    return _do(act, findings.claimed)


def accept_command(act: Act, *, until: str) -> ExitCode:
    """The risk is accepted. Never by the owner team only because nobody else was named."""
    try:
        day = datetime.date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"`--until {until}` is no day; write `2026-12-20`") from None
    return _do(
        act,
        lambda record, **how: findings.accepted(
            record, until=day, **{**how, "role": act.role or ""}
        ),
    )


def supersede_command(act: Act, *, by: str) -> ExitCode:
    """Another one stands for it."""
    other = found(register_of(store=act.store, project=act.project).store, by)
    return _do(act, lambda record, **how: findings.superseded(record, other, **how))


def wont_fix_command(act: Act) -> ExitCode:
    """Nothing will be done."""
    return _do(act, findings.refused)


def _do(act: Act, change: Callable[..., FindingRecord]) -> ExitCode:
    """One change of a finding: *change* has the record, who does it, why, when, and the policy."""
    return change_command(
        act.finding,
        lambda record, register, now: change(
            record, role=act.role_for(record), why=act.why, now=now, policy=register.policy
        ),
        store=act.store,
        project=act.project,
    )


def export_command(out: Path | None, *, store: str | None, project: Path | None) -> ExitCode:
    """All findings as one JSON document, entries and all."""
    records = register_of(store=store, project=project).store.all()
    text = exported(records)
    if out is None:
        sys.stdout.write(text)
        return ExitCode.PASS
    from gameday.report.pages import put

    try:
        put(out, text.encode())
    except OSError as error:
        raise UsageError(f"`{out}` cannot be written: {error.strerror}") from None
    sys.stdout.write(f"wrote {out}: {len(records)} findings\n")
    return ExitCode.PASS


def import_command(path: Path, *, store: str | None, project: Path | None) -> ExitCode:
    """What `export` wrote, into a register. Nothing is lost, or nothing is imported."""
    register = register_of(store=store, project=project)
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None
    given = imported(raw, str(path))
    done = register.store.change(tuple(given), lambda stored: _merged(stored, given, str(path)))
    sys.stdout.write(
        f"{len(done)} of {len(given)} findings imported into {register.store.name}; "
        f"{len(given) - len(done)} were there already\n"
    )
    return ExitCode.PASS


def exported(records: tuple[FindingRecord, ...]) -> str:
    """The document: the same records give the same text."""
    rows = [to_plain(one) for one in sorted(records, key=lambda one: one.id)]
    value = {"gameday_findings": VERSION, "findings": rows}
    return json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def imported(raw: bytes, name: str) -> dict[str, FindingRecord]:
    """The records of a document, by id. Raises `UsageError` for anything else."""
    if len(raw) > _BYTES_MAX:
        raise UsageError(f"`{name}` is larger than {_BYTES_MAX // 2**20} MiB")
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"`{name}` is not JSON: {error}") from None
    if not isinstance(value, dict) or value.get("gameday_findings") != VERSION:
        raise UsageError(f"`{name}` is not what `gameday findings export` writes")
    rows = value.get("findings")
    if not isinstance(rows, list):
        raise UsageError(f"`{name}`: `findings` must be a list")
    records: dict[str, FindingRecord] = {}
    for number, row in enumerate(rows):
        try:
            record = from_plain(row)
        except (CodecError, ValueError) as error:
            raise UsageError(f"`{name}`: findings[{number}] is no finding: {error}") from None
        if record.id in records:
            raise UsageError(f"`{name}` holds `{record.id}` twice")
        records[record.id] = record
    return records


def _merged(
    stored: Mapping[str, FindingRecord], given: Mapping[str, FindingRecord], name: str
) -> list[FindingRecord]:
    """Those that are new here, or have more entries. Raises where both sides have their own."""
    apart = [
        one
        for one, record in given.items()
        if one in stored
        and not continues(stored[one], record)
        and not continues(record, stored[one])
    ]
    if apart:
        names = ", ".join(apart[:5])
        raise UsageError(
            f"{len(apart)} findings were changed on both sides ({names}), so nothing of `{name}` "
            "is imported; import it into an empty store and compare"
        )
    return [
        record
        for one, record in given.items()
        if one not in stored or (record != stored[one] and continues(stored[one], record))
    ]
