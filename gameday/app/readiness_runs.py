"""The runs of a service as evidence, from the `result.json` of each run directory.

Nothing is judged again. A directory whose result cannot be read is told, and is no evidence.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gameday.app.readiness_unfinished import doubtful, unfinished_of
from gameday.app.run_json import measured, read_json
from gameday.model.alerting import AlertWord
from gameday.model.project import ENVIRONMENT_KINDS, kind_of_environment
from gameday.model.proof import ProofWord
from gameday.model.readiness_evidence import (
    AlertSeen,
    BaselineSeen,
    CapacitySeen,
    ProofSeen,
    RunSeen,
)
from gameday.model.report import SCHEMA
from gameday.model.verdict import Outcome, RunStatus

RESULT, JOURNAL = "result.json", "journal.jsonl"
#: Of one folder of runs; the newest are looked at.
RUNS_MAX = 10_000
_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError)
_BAD = (Outcome.FAIL.value, Outcome.INCONCLUSIVE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsFound:
    """The runs of one service, and what could not be read."""

    runs: tuple[RunSeen, ...]
    notes: tuple[str, ...]


def runs_of(service: str, folders: Iterable[Path]) -> RunsFound:
    """Every run of *service* in *folders*. Never raises for what lies there.

    One without a result that can be read casts doubt: nobody knows what it showed, and left.
    """
    runs: dict[str, RunSeen] = {}
    notes: list[str] = []
    without: dict[Path, None] = {}
    damaged: list[RunSeen | None] = []
    for folder in folders:
        for path in _directories(folder, notes):
            if not (path / RESULT).is_file():
                without.setdefault(path.resolve())
                continue
            raw = read_json(path / RESULT)
            try:
                if raw is None or raw["schema"] != SCHEMA:
                    raise ValueError("another version")
                if raw["scenario"]["service"] == service and raw["started"]:
                    run = run_seen(raw, path)
                    runs.setdefault(run.id, run)
            except _ERRORS:
                how = f"`gameday report {path}` writes it again"
                notes.append(f"`{path / RESULT}` cannot be read, and shows nothing; {how}")
                with contextlib.suppress(ValueError):
                    damaged.append(doubtful(service, path))
    unfinished = unfinished_of(service, sorted(without, key=lambda path: path.name, reverse=True))
    for run in (*unfinished.runs, *filter(None, damaged)):
        runs.setdefault(run.id, run)
    notes += unfinished.notes
    return RunsFound(
        runs=tuple(sorted(runs.values(), key=lambda run: (run.ended, run.id))), notes=tuple(notes)
    )


def _directories(folder: Path, notes: list[str]) -> Iterator[Path]:
    """Run directories, the newest first: names begin with the time."""
    try:
        names = sorted((one.name for one in os.scandir(folder) if one.is_dir()), reverse=True)
    except OSError as error:
        why = (error.strerror or "it is no folder").lower()
        notes.append(f"runs in `{folder}` cannot be read: {why}")
        return
    paths = [folder / name for name in names if _is_run(folder / name)]
    if len(paths) > RUNS_MAX:
        notes.append(f"of `{folder}` only the newest {RUNS_MAX} runs were looked at")
    yield from paths[:RUNS_MAX]


def _is_run(path: Path) -> bool:
    return (path / RESULT).is_file() or (path / JOURNAL).is_file()


def run_seen(raw: Mapping[str, Any], path: Path) -> RunSeen:
    """One run. Raises KeyError, TypeError or ValueError if *raw* is no result."""
    verdict, scenario = raw["verdict"], raw["scenario"]
    environment = str(raw["environment"])
    started = datetime.fromisoformat(raw["started"]).astimezone(UTC)
    return RunSeen(
        id=str(raw["run_id"]),
        where=str(path),
        scenario=str(scenario["id"]),
        environment=environment,
        kind=_kind(path, environment),
        profile=str(scenario["profile"]),
        version=str(raw.get("service_version", "")),
        ended=started + timedelta(milliseconds=int(raw["duration_ms"])),
        outcome=Outcome(verdict["outcome"]),
        status=RunStatus(verdict["status"]),
        clean=verdict["clean"] is True,
        control=raw["control"] is not False,
        sound=not any(found["outcome"] in _BAD for found in raw["validity"]),
        reason=str(verdict["reason"]),
        baseline=next(filter(None, map(_baseline, raw["phases"])), None),
        alerts=tuple(map(_alert, raw["alerts"])),
        capacity=next(filter(None, map(_capacity, raw["expectations"])), None),
        proofs=tuple(filter(None, map(_proof, raw["expectations"]))),
        undone_ms=_undone(raw["safety"]["undos"]),
        targets=tuple(f["target"] for f in raw["faults"] if f["on_ms"] is not None),
    )


def _kind(path: Path, environment: str) -> str:
    """The kind of the environment, as the plan has it; else as the name says."""
    raw = read_json(path / "plan.json")
    place = raw.get("environment") if raw is not None else None
    kind = place.get("kind") if isinstance(place, dict) else None
    return kind if kind in ENVIRONMENT_KINDS else kind_of_environment(environment)


def _baseline(row: Mapping[str, Any]) -> BaselineSeen | None:
    if row["phase"] != "baseline" or row["subject"] != "all":
        return None
    n, good = int(row["n"]), int(row["good"])
    if not 0 <= good <= n:
        raise ValueError("more good answers than requests")
    return BaselineSeen(
        n=n,
        good=good,
        complete=row["complete"] is True,
        p50_ms=measured(row["p50_ms"]),
        p95_ms=measured(row["p95_ms"]),
        p99_ms=measured(row["p99_ms"]),
    )


def _alert(row: Mapping[str, Any]) -> AlertSeen:
    after = row["delivered_after_ms"] if row["receiver"] else row["firing_after_ms"]
    return AlertSeen(
        alert=str(row["alert"]),
        word=AlertWord(row["verdict"]),
        after_ms=None if after is None else int(after),
        reason=str(row["reason"]),
    )


def _capacity(found: Mapping[str, Any]) -> CapacitySeen | None:
    if found["check"] != "load/breakpoint":
        return None
    facts = found["facts"]
    return CapacitySeen(
        highest_per_s=measured(facts.get("highest_rate_per_s")),
        broke_per_s=measured(facts.get("broke_at_per_s")),
    )


def _proof(found: Mapping[str, Any]) -> ProofSeen | None:
    if found["check"] != "runbook/proven":
        return None
    facts = found["facts"]
    escalated, within = facts.get("escalated_after_ms"), facts.get("escalate_within_ms")
    return ProofSeen(
        path=str(found["subject"]),
        word=ProofWord(facts["verdict"]),
        content_sha256=str(facts.get("content_sha256") or ""),
        escalated_ms=None if escalated is None else int(escalated),
        escalate_within_ms=None if within is None else int(within),
    )


def _undone(undos: Iterable[Mapping[str, Any]]) -> int | None:
    """The longest, None unless all were measured."""
    took = [int(one["took_ms"]) if one["state"] == "measured" else None for one in undos]
    known = [ms for ms in took if ms is not None]
    return max(known) if known and len(known) == len(took) else None
