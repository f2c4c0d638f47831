"""The postmortem of a run in a day counts the business days of that day's plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence_support import write_run

from gameday.app.day_journal import HOLIDAYS, PLAN, DayFile, open_day
from gameday.app.judge import write_reports
from gameday.app.rundir import RunDir
from gameday.checks import judge  # noqa: F401 - what is slow to load is loaded before the tests

DAY = """
gameday: 1
day: q4
title: The shop without payments
objective: Whether anybody sees it.
roles: [owner, coordinator, responder]
debrief: {within: 2, sooner: 1, holidays: holidays.txt, weekend: [fri]}
items:
  - {scenario: slow.yaml}
"""


@pytest.fixture
def where(tmp_path: Path) -> RunDir:
    # a Thursday
    return write_run(
        tmp_path / "reports", opened={"origin_wall_ms": 1_790_860_000_000}, judged=False
    )


def a_day(where: RunDir, *runs: str, holidays: str = "2026-10-03\n", plan: str = DAY) -> DayFile:
    file = open_day(where.path.parent, "q4", {PLAN: plan, HOLIDAYS: holidays}, title="x")
    for run in runs:
        file.append("day.run", run, item="slow")
    return file


def the_deadline(where: RunDir) -> str:
    write_reports(where)
    text = (where.path / "postmortem.md").read_text()
    return next(line for line in text.splitlines() if "to be published" in line.lower())


def test_without_a_day_it_is_monday_to_friday(where: RunDir) -> None:
    a_day(where, "another-run")

    said = the_deadline(where)

    assert "within 3 business days" in said
    assert "by 2026-10-06 (Monday to Friday in UTC; holidays are not known here)" in said


@pytest.mark.parametrize("renamed", [False, True])
def test_the_plan_of_its_day_counts_with_the_holidays_as_they_were(
    where: RunDir, renamed: bool
) -> None:
    (where.path.parent.parent / "holidays.txt").write_text("2026-10-03\n2026-12-25\n")
    a_day(where, "another-run", where.run_id)
    if renamed:
        where = RunDir(path=where.path.rename(where.path.with_name("kept")))

    said = the_deadline(where)

    assert "within 1 business day " in said
    # Friday is free, Saturday a holiday
    assert "by 2026-10-04 (Fri and 1 holiday of the day `q4` not counted, in UTC)" in said


@pytest.mark.parametrize("how", ["plan", "journal"])
def test_a_day_that_cannot_be_read_counts_for_nothing(where: RunDir, how: str) -> None:
    day = a_day(where, where.run_id, plan="day: [" if how == "plan" else DAY)
    if how == "journal":
        day.path.write_bytes(day.path.read_bytes().replace(b"day.opened", b"day.closed"))

    assert "holidays are not known here" in the_deadline(where)
