"""`evidence prune`: removing old runs, by a rule, and never one that may still matter."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.app.evidence_files import under_way
from gameday.app.evidence_findings import Findings, findings_of, names_of
from gameday.app.rundir import RunDir, all_runs
from gameday.errors import GamedayError, UsageError
from gameday.journal import JournalFile, decode, read
from gameday.model.debts import ledger_of
from gameday.model.event import Event, Phase, Timeline
from gameday.model.verdict import ExitCode
from gameday.programme.evidence.retention import Decision, Rule, Run, decide

#: What was removed, in the reports directory: a line a run.
REMOVED = "pruned.jsonl"
_FIRST_LINE_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """Which runs are asked about. Nothing is removed unless `remove` is set.

    Kept are the last `keep` of each kind, and what is younger than `days`; one of them is needed.
    """

    reports: Path = Path("reports")
    keep: int | None = None
    days: int | None = None
    findings: tuple[Path, ...] = ()
    remove: bool = False


def prune_command(request: PruneRequest, *, as_json: bool = False) -> ExitCode:
    """Say which runs may go, and with `remove` let them go."""
    rule = Rule(last=request.keep, days=request.days)
    if rule.last is None and rule.days is None:
        raise UsageError("say what is kept: `--keep 10` of each kind, `--days 400`, or both")
    if min(rule.last or 0, rule.days or 0) < 0 or rule.last == 0:
        raise UsageError("`--keep` is at least 1, `--days` at least 0")
    places = {run.path.name: run for run in all_runs(request.reports)}
    named = _Named(request)
    decisions = decide(
        [_run(where) for where in places.values()],
        rule,
        now_ms=time.time_ns() // 1_000_000,
        holds=lambda run: _holds(places[run.run_id], named),
    )
    if request.remove:
        _remove_all([places[d.run.run_id] for d in decisions if d.remove], request.reports)
    _say(decisions, rule, done=request.remove, as_json=as_json)
    return ExitCode.PASS


class _Named:
    """Whether findings name a run: those of the project here, of the run's own, and those given."""

    def __init__(self, request: PruneRequest) -> None:
        given = [found for path in request.findings for found in findings_of(path, path)]
        self._everywhere = (*given, *findings_of(_project_here()))
        self._of: dict[Path, tuple[Findings, ...]] = {}

    def by(self, run_ids: Collection[str], directory: Path) -> str | None:
        """The place that names it. Raises a `GamedayError` where a finding cannot be read."""
        if directory not in self._of:
            self._of[directory] = findings_of(directory)
        places = (*self._everywhere, *self._of[directory])
        return next((place.name for place in places if place.naming(run_ids)), None)


def _project_here() -> Path:
    from gameday.scenario.build import find_project

    found = find_project(Path.cwd() / "gameday.yaml")
    return found.parent if found else Path.cwd()


def _run(where: RunDir) -> Run:
    """What the first event and the plan say; without them it is not known, and the run stays."""
    started, scenario, environment = None, "", ""
    plan = _plan(where) or {}
    try:
        with where.journal.open("rb") as file:
            event, _, _ = decode(file.readline(_FIRST_LINE_MAX))
        if event.kind == "run.opened":
            started = int(event.data["origin_wall_ms"])
            scenario = str(event.data.get("scenario", ""))
            environment = str(event.data.get("environment", ""))
    except (GamedayError, OSError, KeyError, TypeError, ValueError):
        started = None
    mine = plan.get("scenario")
    profile = mine.get("profile") if isinstance(mine, dict) else ""
    control = isinstance(mine, dict) and mine.get("control") is not None
    kind = (scenario, environment, str(profile or ""), "control" if control else "")
    return Run(run_id=where.run_id, kind=kind, started_ms=started)


def _plan(where: RunDir) -> dict[str, Any] | None:
    try:
        value = json.loads(where.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _holds(where: RunDir, named: _Named) -> str | None:
    """Why a run must stay; None if it may go."""
    if where.path.is_symlink():
        return "it is a link"
    try:
        journal = read(where.journal)
    except GamedayError as error:
        return str(error)
    why = next((why for ask in _ASKED if (why := ask(where, journal))), None)
    return why or _named(where, journal, named)


def _named(where: RunDir, journal: JournalFile, named: _Named) -> str | None:
    plan = _plan(where)
    if plan is None:
        return "its plan cannot be read: it is not known whose findings name it"
    directory = Path(str(plan.get("directory") or "."))
    place = named.by(names_of(where, journal.events), directory)
    return None if place is None else f"a finding in {place} names it"


def _damaged(_: RunDir, journal: JournalFile) -> str | None:
    return None if journal.problem is None else f"its journal is damaged: {journal.problem}"


def _running(where: RunDir, journal: JournalFile) -> str | None:
    closed = any(e.kind == "run.closed" for e in journal.events)
    if under_way(where, closed=closed):
        return "it is still under way"
    return None if closed else "it was never closed: it is not shown that its faults are gone"


def _dirty(_: RunDir, journal: JournalFile) -> str | None:
    closed = Timeline(journal.events).last("run.closed")
    said = closed.data.get("dirty") if closed else None
    names = [*ledger_of(journal.events).dirty, *map(str, said or ())]
    if not names:
        return None
    return f"it is dirty: {', '.join(dict.fromkeys(names))} may still be broken"


def _not_shown_gone(_: RunDir, journal: JournalFile) -> str | None:
    """A revert that was called ok and not read back shows nothing."""
    timeline = Timeline(journal.events)
    left = [s for s in _injected(timeline.of("fault.inject")) if not _gone(timeline, s)]
    return f"{', '.join(left)}: it was not read back that it is gone" if left else None


def _injected(events: Iterable[Event]) -> list[str]:
    return list(dict.fromkeys(e.subject for e in events if e.phase is Phase.STARTED))


def _gone(timeline: Timeline, subject: str) -> bool:
    begun = timeline.last("fault.inject", subject, phase=Phase.STARTED)
    gone = timeline.last("fault.revert", subject, phase=Phase.OK)
    after = begun is not None and gone is not None and gone.seq > begun.seq
    return after and gone is not None and gone.data.get("read_back") is True


_ASKED: tuple[Callable[[RunDir, JournalFile], str | None], ...] = (
    _damaged, _running, _dirty, _not_shown_gone,
)  # fmt: skip


def _remove_all(runs: list[RunDir], reports: Path) -> None:
    from gameday.app.pages import write_index

    for where in runs:
        _remove(where, reports)
    if runs:
        write_index(reports)


def _remove(where: RunDir, reports: Path) -> None:
    """Write down what goes, then let it go. Raises `UsageError` if that cannot be done."""
    journal = read(where.journal)
    opened = journal.events[0]
    row = {
        "run_id": where.run_id,
        "scenario": opened.data.get("scenario"),
        "environment": opened.data.get("environment"),
        "origin_wall_ms": opened.data.get("origin_wall_ms"),
        "events": len(journal.events),
        "last_hash": journal.last_hash,
        "removed": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    try:
        with (reports / REMOVED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        where.journal.unlink()  # first, so that half a directory is never taken for a run
        shutil.rmtree(where.path)
    except OSError as error:
        raise UsageError(f"`{where.path}` cannot be removed: {error.strerror or error}") from None


def _say(decisions: list[Decision], rule: Rule, *, done: bool, as_json: bool) -> None:
    if as_json:
        for d in decisions:
            row = {"t": "run", "run_id": d.run.run_id, "remove": d.remove, "held": d.held}
            sys.stdout.write(json.dumps({**row, "why": d.why, "done": done}) + "\n")
        return
    going = [d for d in decisions if d.remove]
    held = [d for d in decisions if d.held]
    word = "removed" if done else "would remove"
    for d in going:
        sys.stdout.write(f"{word}  {d.run.run_id}: {d.why}\n")
    for d in held:
        sys.stdout.write(f"stays  {d.run.run_id}: {d.why}\n")
    kept = len(decisions) - len(going) - len(held)
    sys.stdout.write(
        f"{len(going)} of {len(decisions)} runs {'removed' if done else 'may go'}; "
        f"kept by the rule ({rule}): {kept}; whatever the rule says: {len(held)}\n"
    )
    if going and not done:
        sys.stdout.write("nothing was removed: say `--yes` to remove them\n")
