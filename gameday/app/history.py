"""The earlier runs that a run is compared with: found when it ends, and stored beside its journal.

Judging reads the run directory alone, so what a run is compared with is written there first, as
`history.json`. Earlier runs are not judged again: their `result.json` has what is needed.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gameday.app.run_json import measured, read_json
from gameday.app.rundir import RunDir
from gameday.errors import JournalError, UsageError
from gameday.kpi.comparable import comparable_key
from gameday.kpi.compare import RUNS_MAX, EarlierRun, History, Seen
from gameday.model.event import Timeline
from gameday.model.report import SCHEMA
from gameday.model.verdict import Outcome, RunStatus

#: The version of `history.json`.
VERSION = 1
LOOKED_AT_MAX = 200
WITHIN_S = 2.0

OTHER = "of another set-up, load or fault"
UNFIT = "not valid, not completed or not clean"
UNREADABLE = "without a result that can be read"


def keep_history(where: RunDir) -> None:
    """Write `history.json` of a run that has ended; its neighbours are the earlier runs.

    A run whose plan or journal cannot be read gets none. Raises `OSError` if it cannot be written.
    """
    from gameday.journal import read
    from gameday.scenario.planfile import load_plan

    try:
        plan = load_plan(where.plan.read_text(encoding="utf-8"))
        timeline = Timeline(read(where.journal).events)
    except (JournalError, UsageError, OSError, UnicodeDecodeError):
        return  # judging says what is wrong
    key = comparable_key(plan, timeline)
    if key:
        history = find_history(where, plan.scenario.id, key)
        draft = where.path / ".history.json.new"
        draft.write_text(_dump(history), encoding="utf-8", newline="\n")
        os.replace(draft, where.history)  # noqa: PTH105 - a reader never sees half of it


def find_history(where: RunDir, scenario_id: str, key: str) -> History:
    """The newest valid runs before *where* with the same *key*, from their results."""
    runs: list[EarlierRun] = []
    left_out: Counter[str] = Counter()
    until = time.monotonic() + WITHIN_S
    for path in _earlier(where, scenario_id):
        found = _usable(path, key)
        if isinstance(found, EarlierRun):
            runs.append(found)
        else:
            left_out[found] += 1
        if len(runs) == RUNS_MAX or time.monotonic() > until:
            break
    return History(runs=tuple(runs), left_out=dict(left_out))


def read_history(where: RunDir) -> History | None:
    """What was stored with a run; None if nothing was, or it cannot be read."""
    raw = read_json(where.history)
    if raw is None or raw.get("v") != VERSION:
        return None
    try:
        runs = tuple(
            EarlierRun(run_id=str(run["run_id"]), seen=tuple(map(_seen, run["seen"])))
            for run in raw["runs"]
        )
        left_out = {str(name): int(n) for name, n in raw["left_out"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return History(runs=runs, left_out=left_out)


def _dump(history: History) -> str:
    value = {
        "v": VERSION,
        "runs": [{"run_id": r.run_id, "seen": [asdict(s) for s in r.seen]} for r in history.runs],
        "left_out": history.left_out,
    }
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _earlier(where: RunDir, scenario_id: str) -> Iterator[Path]:
    """Directories of earlier runs of the scenario, newest first: names begin with the time."""
    try:
        names = sorted((entry.name for entry in os.scandir(where.path.parent)), reverse=True)
    except OSError:
        return
    mine = [n for n in names if n < where.run_id and f"-{scenario_id}-" in n]
    for name in mine[:LOOKED_AT_MAX]:
        yield where.path.parent / name


def _usable(path: Path, key: str) -> EarlierRun | str:
    """The numbers of an earlier run, or why they are left out."""
    raw = read_json(path / "result.json")
    if raw is None or raw.get("schema") != SCHEMA:
        return UNREADABLE
    try:
        if raw.get("comparable") != key:
            return OTHER
        verdict = raw["verdict"]
        valid = verdict["outcome"] in (Outcome.PASS, Outcome.FAIL) and verdict["clean"] is True
        if not valid or verdict["status"] != RunStatus.COMPLETED:
            return UNFIT
        seen = tuple(_seen({**row, "bad": row["n"] - row["good"]}) for row in raw["phases"])
        return EarlierRun(run_id=str(raw["run_id"]), seen=seen)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return UNREADABLE


def _seen(raw: Mapping[str, Any]) -> Seen:
    """One row. Raises KeyError, TypeError or ValueError if it is none."""
    n, bad = int(raw["n"]), int(raw["bad"])
    if not 0 <= bad <= n:
        raise ValueError("more failures than requests")
    return Seen(
        phase=str(raw["phase"]),
        subject=str(raw["subject"]),
        complete=raw["complete"] is True,
        n=n,
        bad=bad,
        p95_ms=measured(raw["p95_ms"]),
        p95_low_ms=measured(raw["p95_low_ms"]),
        p95_high_ms=measured(raw["p95_high_ms"]),
    )
