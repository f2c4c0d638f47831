"""A run directory as a run leaves it, for the tests of evidence."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "checks"))
from checks_support import good_run, plan, timeline

from gameday import __version__
from gameday.app.history import keep_history
from gameday.app.judge import write_reports
from gameday.app.rundir import RunDir
from gameday.journal import Journal
from gameday.model.event import Event, Timeline
from gameday.model.plan import Plan
from gameday.scenario.planfile import dump_plan, plan_sha256

__all__ = ["good_run", "plan", "timeline", "write_run", "zipped"]


def write_run(
    reports: Path,
    number: int = 1,
    *,
    made: Plan | None = None,
    run: Timeline | None = None,
    opened: Mapping[str, Any] | None = None,
    more: tuple[Event, ...] = (),
    judged: bool = True,
) -> RunDir:
    """A run directory. *opened* is added to `run.opened`, *more* to the end.

    With its reports, unless it is not *judged*.
    """
    made = made or replace(plan(), directory=str(reports.parent))
    path = reports / f"20260101T0000{number:02d}Z-{made.scenario.id}-ab{number:02d}"
    (path / "evidence").mkdir(parents=True)
    where = RunDir(path=path)
    where.plan.write_text(dump_plan(made) + "\n", encoding="utf-8")
    with Journal.open(where.journal) as journal:
        for event in run or timeline(good_run()):
            if event.kind == "run.opened":
                mine = {"gameday": __version__, "plan_sha256": plan_sha256(made)}
                data = {**event.data, **mine, **(opened or {})}
                event = replace(event, subject=where.run_id, data=data)  # noqa: PLW2901
            journal.append(event)
        for event in more:
            journal.append(replace(event, seq=journal.next_seq, at_ms=journal.last_at_ms))
    (path / "scenario.yaml").write_text("id: slow\n", encoding="utf-8")
    raw = '{"line": 1, "body": {"labels": {"instance": "db-7.example.org"}}}\n'
    (path / "evidence" / "deliveries.jsonl").write_text(raw, encoding="utf-8")
    (path / "control.token").write_text("s3cret-token", encoding="utf-8")
    if judged:
        keep_history(where)
        write_reports(where)
    return where


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive by somebody who knows the format, and may not mean well."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()
