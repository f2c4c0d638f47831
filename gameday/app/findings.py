"""`gameday findings`: runs into the register, and what people do with its findings."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from gameday.app.finding_store import Register, found, register_of
from gameday.app.judge import Judged, judge_run
from gameday.app.rundir import find
from gameday.errors import GamedayError, UsageError
from gameday.model.finding_record import (
    ACTIVE,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingState,
)
from gameday.model.verdict import ExitCode, Outcome
from gameday.programme.finding_entry import TransitionError, as_of
from gameday.programme.finding_raise import raised
from gameday.programme.finding_verify import Checked, checked
from gameday.programme.findings import failed
from gameday.programme.observed import Observation, observations

_W = TypeVar("_W", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which findings are listed. Without a state, those that somebody has to do something about."""

    state: str | None = None
    severity: str | None = None
    kind: str | None = None
    team: str | None = None
    service: str | None = None
    overdue: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one run came to: the findings that it changed, or why it shows nothing."""

    run: str
    changed: tuple[FindingRecord, ...] = ()
    known: int = 0
    unfit: str = ""


def now_utc() -> datetime.datetime:
    """The time of entries."""
    return datetime.datetime.now(datetime.UTC)


def observed(judged: Judged) -> tuple[Observation, ...]:
    """What a run says of each of its expectations."""
    from gameday.kpi.spans import faults_of

    spans = faults_of(judged.plan, judged.timeline)
    reached = {span.id: len(span.stages_ms) for span in spans}
    return observations(judged.plan, judged.report, reached)


def collect(register: Register, judged: Judged) -> Collected:
    """Raise a finding for each expectation that failed in a run, or count it once more."""
    seen = observed(judged)
    run = judged.report.run_id
    unfit = next((one.unfit for one in seen if one.unfit), "")
    failures = _strictest(one for one in seen if one.outcome is Outcome.FAIL and not one.unfit)
    if unfit or not failures:
        return Collected(run=run, unfit=unfit)
    now, policy = now_utc(), register.policy
    known = 0

    def update(stored: Mapping[str, FindingRecord]) -> list[FindingRecord]:
        nonlocal known
        made = [
            failed(stored[name], one, now, policy) if name in stored else raised(one, now, policy)
            for name, one in failures.items()
        ]
        known = sum(stored.get(one.id) == one for one in made)
        return [one for one in made if stored.get(one.id) != one]

    changed = register.store.change(tuple(failures), update)
    return Collected(run=run, changed=changed, known=known)


def _strictest(failures: Iterable[Observation]) -> dict[str, Observation]:
    """One a finding: of the same question asked twice, that which asks for more."""
    kept: dict[str, Observation] = {}
    for one in failures:
        other = kept.get(one.id)
        if other is None or _asks_more(one, other):
            kept[one.id] = one
    return kept


def _asks_more(one: Observation, other: Observation) -> bool:
    limit, than = one.evidence.limit, other.evidence.limit
    if limit is None or than is None:
        return False
    return limit < than if one.evidence.least else limit > than


def collect_command(
    runs: Sequence[str], *, reports: Path, store: str | None, project: Path | None
) -> ExitCode:
    """Runs into the register, the oldest first. What a run ended with plays no part."""
    register = register_of(store=store, project=project)
    judged = [judge_run(find(run, reports)) for run in runs]
    for one in sorted(judged, key=lambda one: (one.report.started, one.report.run_id)):
        say_collected(collect(register, one))
    return ExitCode.PASS


def say_collected(done: Collected) -> None:
    """What came of one run, in the terminal."""
    out = sys.stdout.write
    if done.unfit:
        out(f"{done.run}: shows nothing for findings, {done.unfit}\n")
    elif not done.changed and not done.known:
        out(f"{done.run}: no expectation failed\n")
    elif not done.changed:
        out(f"{done.run}: {done.known} known already\n")
    for record in done.changed:
        what = record.entries[-1].what.value.replace("_", " ")
        out(f"{record.id}  {what}: {record.service}, {record.severity.value}: {record.title}\n")


def collect_after(judged: Judged, *, project: Path | None) -> None:
    """The same at the end of a run. The verdict is told already, and nothing here changes it."""
    again = f"`gameday findings collect {judged.report.run_id}` tries again"
    try:
        where = project or (Path(judged.plan.directory) / "gameday.yaml")
        done = collect(register_of(project=where), judged)
        for record in done.changed:
            what = record.entries[-1].what.value.replace("_", " ")
            sys.stderr.write(f"gameday: finding {record.id} {what}: {record.title}\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"gameday: interrupted before findings were collected; {again}\n")
    except GamedayError as error:
        sys.stderr.write(f"gameday: findings are not collected: {error}; {again}\n")
    except Exception as error:  # noqa: BLE001 - the run's own answer stands above the register
        what = f"{type(error).__name__}: {error}"
        sys.stderr.write(
            f"gameday: findings are not collected, by a bug of ours: {what}; {again}\n"
        )


def verify_command(
    run: str, finding: str | None, *, reports: Path, store: str | None, project: Path | None
) -> ExitCode:
    """Whether a run verifies claimed fixes: all that it is about, or one *finding*.

    0: every one is verified. 1: one is not, or is gone by now. 3: there is none.
    """
    register = register_of(store=store, project=project)
    judged = judge_run(find(run, reports))
    seen, now, policy = observed(judged), now_utc(), register.policy
    names = _about(register, judged, finding, now)
    if not names:
        said = f"no finding whose fix is claimed is about `{judged.plan.scenario.id}`"
        sys.stdout.write(f"{said}; nothing to verify\n")
        return ExitCode.INCONCLUSIVE
    results: list[Checked] = []

    def update(stored: Mapping[str, FindingRecord]) -> list[FindingRecord]:
        results.extend(checked(one, seen, now, policy) for one in stored.values())
        return [one.record for one in results if one.record != stored[one.record.id]]

    register.store.change(names, update)
    for one in results:
        word = "verified" if one.verified else "NOT verified"
        sys.stdout.write(f"{one.record.id}  {word}: {one.record.title}\n")
        sys.stdout.writelines(f"  {reason}\n" for reason in one.reasons)
    gone = [name for name in names if name not in {one.record.id for one in results}]
    for name in gone:
        sys.stdout.write(f"{name}  NOT verified: it is gone from {register.store.name}\n")
    good = len(results) == len(names) and all(one.verified for one in results)
    return ExitCode.PASS if good else ExitCode.FAIL


def _about(
    register: Register, judged: Judged, finding: str | None, now: datetime.datetime
) -> list[str]:
    if finding is not None:
        return [found(register.store, finding).id]
    scenario = judged.plan.scenario.id
    return [
        one.id
        for one in register.store.all()
        if as_of(one, now, register.policy).state is FindingState.FIX_CLAIMED
        and any(failure.scenario == scenario for failure in one.failures)
    ]


def change_command(
    finding: str,
    change: Callable[[FindingRecord, Register, datetime.datetime], FindingRecord],
    *,
    store: str | None,
    project: Path | None,
) -> ExitCode:
    """What people do: *change* makes the record after. Raises `UsageError` where it is refused."""
    register = register_of(store=store, project=project)
    name = found(register.store, finding).id
    now = now_utc()

    def update(stored: Mapping[str, FindingRecord]) -> list[FindingRecord]:
        if name not in stored:
            raise UsageError(f"`{name}` is gone from `{register.store.name}`")
        try:
            return [change(stored[name], register, now)]
        except TransitionError as error:
            raise UsageError(str(error)) from None

    for record in register.store.change([name], update):
        team = f", {record.owner_team}" if record.owner_team else ""
        due = f", due {record.due}" if record.state in ACTIVE else ""
        state = record.state.value.replace("_", " ")
        sys.stdout.write(f"{record.id}  {state}{team}{due}: {record.title}\n")
    return ExitCode.PASS


def list_command(
    filters: Filters, *, store: str | None, project: Path | None, as_json: bool
) -> ExitCode:
    """The findings that are asked for, the most urgent first."""
    from gameday.model.finding_codec import to_plain
    from gameday.report.finding_text import render_list

    register = register_of(store=store, project=project)
    today = now_utc().date()
    records = chosen(current(register), filters, today)
    if as_json:
        sys.stdout.writelines(f"{json.dumps(to_plain(one))}\n" for one in records)
    else:
        sys.stdout.write(render_list(records, today, register.store.name))
    return ExitCode.PASS


def show_command(
    finding: str, *, store: str | None, project: Path | None, as_json: bool
) -> ExitCode:
    """One finding with all that happened to it."""
    from gameday.model.finding_codec import to_plain
    from gameday.report.finding_text import render_one

    register = register_of(store=store, project=project)
    now = now_utc()
    record = as_of(found(register.store, finding), now, register.policy)
    text = json.dumps(to_plain(record)) + "\n" if as_json else render_one(record, now.date())
    sys.stdout.write(text)
    return ExitCode.PASS


def current(register: Register) -> tuple[FindingRecord, ...]:
    """Every finding as it stands now: accepted risks that are over are open again."""
    now = now_utc()
    return tuple(as_of(one, now, register.policy) for one in register.store.all())


def chosen(
    records: Iterable[FindingRecord], filters: Filters, today: datetime.date
) -> list[FindingRecord]:
    """Those that the filters let pass. Raises `UsageError` for a word that there is not."""
    from gameday.report.finding_text import is_overdue

    state = chosen_word(FindingState, filters.state, "--state")
    severity = chosen_word(FindingSeverity, filters.severity, "--severity")
    kind = chosen_word(FindingClass, filters.kind, "--class")
    states = [state] if state else list(FindingState if filters.everything else ACTIVE)
    return [
        one
        for one in records
        if one.state in states
        and severity in (None, one.severity)
        and kind in (None, one.kind)
        and filters.team in (None, one.owner_team)
        and filters.service in (None, one.service)
        and (not filters.overdue or is_overdue(one, today))
    ]


def chosen_word(words: type[_W], text: str | None, option: str) -> _W | None:
    """One of the words of an option. Raises `UsageError` for another one."""
    if text is None:
        return None
    try:
        return words(text)
    except ValueError:
        raise UsageError(f"`{option} {text}`: there are {', '.join(words)}") from None
