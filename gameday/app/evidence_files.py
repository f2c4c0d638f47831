"""What belongs to the evidence of a run, gathered from its directory and its project."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gameday.adapters.evidence_archive import read_bytes
from gameday.app.day_journal import FOLDER as DAYS
from gameday.app.evidence_findings import findings_of, names_of
from gameday.app.rundir import RunDir
from gameday.errors import GamedayError, RefusedError, UsageError
from gameday.journal import JournalFile, of_bytes
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.programme.evidence.about import about, approval_rows, series
from gameday.programme.evidence.drills import Restore, newest, plain, restores_in
from gameday.programme.evidence.manifest import (
    ABOUT,
    APPROVALS,
    BYTES_MAX,
    DRILLS,
    FILES_MAX,
    FINDINGS,
    JOURNAL,
    PLAN,
    RUN,
    SERIES,
    Missing,
    json_text,
    name_problem,
)
from gameday.scenario.planfile import load_plan

#: Files of a run directory that belong to it, and why it matters when one is not there. Everything
#: else in it (tokens of the control socket, process ids, locks) is nobody's business.
_RUN_FILES = {
    "journal.jsonl": "",
    "plan.json": "",
    "scenario.yaml": "the scenario as it was written",
    "result.json": "the result: `gameday report` makes it",
    "report.html": "the page: `gameday report` makes it",
    "report.md": "the report: `gameday report` makes it",
    "junit.xml": "",
    "summary.txt": "",
    "history.json": "",
    "overview.svg": "",
    "overview.png": "",
    "postmortem.md": "",
}
_FILE_MAX = 256 * 1024 * 1024
_APPROVAL_MAX = 64 * 1024
_LOOKED_AT_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The files of a bundle without its manifest; what should be among them and is not."""

    run_id: str
    plan: Plan
    timeline: Timeline
    files: dict[str, bytes]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where else to look: None means in the project of the run (`approvals`, `findings`)."""

    approvals: Path | None = None
    findings: Path | None = None


def collect(where: RunDir, places: Places) -> Collected:
    """Everything that is there of a run. Raises `RefusedError` where nothing can be vouched for.

    That is a run that is still under way, a journal whose chain is broken, or a run directory with
    links in it.
    """
    missing: list[Missing] = []
    files = dict(_run_files(where, missing))
    journal = of_bytes(files[JOURNAL])
    if journal.problem is not None or not journal.events:
        why = journal.problem or "it holds no event"
        raise RefusedError(
            f"the journal of `{where.run_id}` is damaged: {why}; a bundle would vouch for it"
        )
    if under_way(where, closed=any(e.kind == "run.closed" for e in journal.events)):
        raise RefusedError(f"run `{where.run_id}` is still under way: wait until it has ended")
    plan = _plan(files[PLAN], where)
    timeline = Timeline(journal.events)
    _say_torn(journal, missing)
    files |= {ABOUT: json_text(about(plan, timeline)), SERIES: series(timeline).encode()}
    files |= _approvals(plan, timeline, places.approvals, missing)
    files |= _findings(names_of(where, journal.events), plan, places.findings, missing)
    files |= _drills(where, plan, missing)
    if not any(path.startswith(f"{RUN}evidence/") for path in files):
        missing.append(Missing(what=f"{RUN}evidence/", why="no raw payload was stored"))
    _refuse_size(files)
    return Collected(
        run_id=where.run_id, plan=plan, timeline=timeline, files=files, missing=tuple(missing)
    )


@contextmanager
def laid_out(files: Mapping[str, bytes]) -> Iterator[RunDir]:
    """The run that is in a bundle as a run directory, as far as judging it asks, for so long."""
    with tempfile.TemporaryDirectory(prefix="gameday-") as folder:
        where = RunDir(path=Path(folder))
        for place in (where.journal, where.plan, where.history):
            if RUN + place.name in files:
                place.write_bytes(files[RUN + place.name])
        yield where


def under_way(where: RunDir, *, closed: bool) -> bool:
    """Whether a run may still be going on. *closed* says that its journal has its end."""
    from gameday.processes import Life
    from gameday.sentinel import owner

    return not closed and owner.runner_life(where.path) is not Life.GONE


def _run_files(where: RunDir, missing: list[Missing]) -> Iterator[tuple[str, bytes]]:
    for name, why in _RUN_FILES.items():
        path = where.path / name
        if path.is_symlink() or path.exists():
            yield RUN + name, read_bytes(path, _FILE_MAX)
        elif name in ("journal.jsonl", "plan.json"):
            raise UsageError(f"`{where.path}` is no run directory: it has no `{name}`")
        elif why:
            missing.append(Missing(what=RUN + name, why=why))
    raw = where.evidence
    if raw.is_symlink():
        raise RefusedError(f"`{raw}` is a link: refused")
    for path in sorted(raw.rglob("*")) if raw.is_dir() else ():
        if path.is_symlink() or not path.is_dir():
            yield RUN + path.relative_to(where.path).as_posix(), read_bytes(path, _FILE_MAX)


def _plan(raw: bytes, where: RunDir) -> Plan:
    try:
        return load_plan(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"`{where.plan}` is not text") from None


def _say_torn(journal: JournalFile, missing: list[Missing]) -> None:
    if journal.torn or journal.skipped:
        missing.append(Missing(what=JOURNAL, why="its writer was ended in the middle of a line"))
    if not any(event.kind == "run.closed" for event in journal.events):
        missing.append(Missing(what=JOURNAL, why="the run was never closed"))


def _approvals(
    plan: Plan, timeline: Timeline, given: Path | None, missing: list[Missing]
) -> dict[str, bytes]:
    """The approval files that counted, found by the SHA-256 that the journal has of them."""
    rows = approval_rows(timeline)
    wanted = {str(row.get("sha256")): str(row.get("role")) for row in rows}
    folder = given or Path(plan.directory, plan.environment.policy.approvals.folder)
    found: dict[str, bytes] = {}
    if wanted and folder.is_dir():
        for path in sorted(folder.glob("*.json"))[:_LOOKED_AT_MAX]:
            raw = _small(path, _APPROVAL_MAX)
            if raw is not None and wanted.pop(hashlib.sha256(raw).hexdigest(), ""):
                found[APPROVALS + path.name] = raw
                signature = _small(path.with_suffix(".json.sig"), _APPROVAL_MAX)
                if signature is not None:
                    found[f"{APPROVALS}{path.name}.sig"] = signature
    for sha256, role in wanted.items():
        why = (
            f"the approval as {role} ({sha256[:12]}…) is not in `{folder.name}`; see `--approvals`"
        )
        missing.append(Missing(what=APPROVALS, why=why))
    return found


def _findings(
    run_ids: Collection[str], plan: Plan, given: Path | None, missing: list[Missing]
) -> dict[str, bytes]:
    try:
        places = findings_of(Path(plan.directory), given)
    except GamedayError as error:
        missing.append(Missing(what=FINDINGS, why=f"they cannot be read: {error}"))
        return {}
    if not places:
        missing.append(Missing(what=FINDINGS, why="the project has no findings; see `--findings`"))
        return {}
    named: dict[str, bytes] = {}
    for place in reversed(places):
        named |= place.naming(run_ids)
    if not named:
        names = " and ".join(dict.fromkeys(place.name for place in places))
        missing.append(Missing(what=FINDINGS, why=f"nothing in {names} names this run"))
    return {FINDINGS + name: raw for name, raw in named.items()}


def _drills(where: RunDir, plan: Plan, missing: list[Missing]) -> dict[str, bytes]:
    """The last restore that was rehearsed where the run was, from the days beside it."""
    found: list[Restore] = []
    days = sorted((where.path.parent / DAYS).glob("*.jsonl"), reverse=True)[:_LOOKED_AT_MAX]
    for path in days:
        try:
            journal = of_bytes(read_bytes(path, _FILE_MAX))
            if journal.problem is not None:
                raise ValueError(journal.problem)
            found += restores_in(path.name, journal.last_hash, journal.events)
        except (GamedayError, KeyError, TypeError, ValueError, OverflowError) as error:
            why = f"the day `{path.name}` cannot be read, so none of its drills counts: {error}"
            missing.append(Missing(what=DRILLS, why=why))
    last = newest(found, plan.environment.name)
    return {} if last is None else {DRILLS: json_text(plain(last))}


def _small(path: Path, most: int) -> bytes | None:
    try:
        return read_bytes(path, most)
    except RefusedError:
        return None


def _refuse_size(files: dict[str, bytes]) -> None:
    size = sum(map(len, files.values()))
    if size > BYTES_MAX or len(files) > FILES_MAX - 2:
        raise RefusedError(
            f"the evidence is {size} bytes in {len(files)} files; a bundle holds up to {BYTES_MAX} "
            f"bytes in {FILES_MAX - 2} files"
        )
    wrong = next((why for path in files if (why := name_problem(path))), None)
    if wrong:
        raise RefusedError(f"the evidence of this run cannot be bundled: {wrong}")
