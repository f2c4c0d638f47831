"""What reports, imports and days tell a quarter: budgets, postmortems, debriefs and drills."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quarter_support import write_day

from gameday.app import quarter_days
from gameday.app.quarter_days import days_known
from gameday.errors import UsageError
from gameday.journal import Journal
from gameday.kpi.budget import Spent
from gameday.model.event import Event, Phase
from gameday.model.quarter import BudgetSeen, History, RestoreDrill
from gameday.model.quarter_report import Number
from gameday.programme.quarter_budget import budgets_told
from gameday.programme.quarter_build import frame_at, quarter_of
from gameday.programme.quarter_days import joined
from gameday.programme.quarter_imports import read_drills, read_incidents
from gameday.programme.quarter_outside import due_postmortems
from gameday.programme.quarter_period import Period
from gameday.report.quarter_markdown import render
from gameday.report.quarter_text import value_text

UTC = datetime.UTC
Q4 = Period(year=2026, quarter=4)
NOW = datetime.datetime(2026, 12, 30, tzinfo=UTC)


def spent(**more: Any) -> Spent:
    values = {"slo": "availability", "objective": 0.999, "n": 3000, "bad": 12, "edge": 4,
              "spent": 4.0, "outage_ms": 1_230, "of_window": None}  # fmt: skip
    return Spent(**{**values, **more})


# --- budgets --------------------------------------------------------------------------------------


@given(
    st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True),
    st.sampled_from([0.9, 0.99, 0.999, 0.9999, 0.99995, 1.0]),
    st.tuples(st.integers(1, 10**9), st.floats(0, 1)),
    st.integers(0, 10**8),
    st.none() | st.floats(0, 50),
)
def test_what_a_report_tells_of_a_budget_is_read_as_it_was(
    slo: str, objective: float, of: tuple[int, float], outage_ms: int, of_window: float | None
) -> None:
    n, bad = of[0], int(of[0] * of[1])
    told = spent(slo=slo, objective=objective, n=n, bad=bad, outage_ms=outage_ms,
                 spent=bad / n, of_window=of_window).text  # fmt: skip

    (found,) = budgets_told(["something else", told], {slo: objective})

    assert (found.slo, found.objective, found.n, found.bad) == (slo, objective, n, bad)
    assert found.outage_ms == pytest.approx(outage_ms, rel=0.009, abs=0.5)


def test_without_a_plan_the_objective_is_that_of_the_report() -> None:
    (found,) = budgets_told([spent().text], {})

    assert found == BudgetSeen(
        slo="availability", objective=0.999, n=3000, bad=12, outage_ms=1_230.0
    )
    assert found.name == "availability 99.9 %"


def test_a_run_without_requests_tells_nothing() -> None:
    told = [spent(n=0, bad=0, spent=None).text, "60 % of the error budget was left at the end", 7]

    assert list(budgets_told(told, {})) == []


def test_a_little_of_a_budget_is_not_nothing() -> None:
    number = Number(name="budget_spent", subject="", environment="", kind="", unit="part",
                    state="measured", value=0.00002, n=1)  # fmt: skip

    assert value_text(number) == "< 0.01 % (1 run)"
    assert value_text(replace(number, value=1.5, n=3)) == "150 % (3 runs)"


# --- postmortems ----------------------------------------------------------------------------------

HEAD = "id,started,service,severity,resolved,postmortem_at\n"


@pytest.mark.parametrize(
    ("resolved", "written", "told"),
    [
        ("2026-10-01T10:00:00Z", "2026-10-08T23:59:59Z", True),  # a Thursday and the next
        ("2026-10-01T10:00:00Z", "2026-10-09T00:00:00Z", False),
        ("2026-10-03T10:00:00Z", "2026-10-09T23:00:00Z", True),  # a Saturday
        ("2026-10-01T10:00:00Z", "", False),
        ("2026-10-01T10:00:00Z", "not_needed", None),
        ("", "2026-10-08T10:00:00Z", None),  # it is not over
        ("2026-09-24T10:00:00Z", "", False),  # due on the first of October
        ("2026-09-23T10:00:00Z", "", None),  # due in September
        ("2026-12-22T10:00:00Z", "", False),
        ("2026-12-23T10:00:00Z", "2026-12-23T10:00:00Z", None),  # not due yet
    ],
)
def test_a_postmortem_is_due_at_the_end_of_the_fifth_business_day(
    resolved: str, written: str, told: bool | None
) -> None:
    text = f"{HEAD}a,2026-09-01T09:00:00Z,shop,sev1,{resolved},{written}\n"
    incidents = read_incidents(text, "i.csv")

    due = due_postmortems(incidents, Q4, frame_at(History(runs=()), Q4, NOW))

    assert [one.written for one in due] == ([] if told is None else [told])


def test_incidents_that_do_not_tell_of_postmortems_are_no_misses() -> None:
    text = "id,started,service,severity,resolved\na,2026-10-01,shop,sev1,2026-10-01T10:00:00Z\n"
    history = History(runs=(), incidents=read_incidents(text, "i.csv"))

    found = quarter_of(history, Q4, NOW)

    number = next(one for one in found.numbers if one.name == "postmortems_on_time")
    assert (number.state, number.n) == ("not_measured", 0)
    assert "no incident has a `postmortem_at`: postmortems not measured" in found.notes


def test_a_line_that_ends_before_the_column_still_owes_one() -> None:
    text = f"{HEAD}a,2026-10-01T09:00:00Z,shop,sev1,2026-10-01T10:00:00Z\n"

    (found,) = read_incidents(text, "i.csv")

    assert found.owed


def test_what_is_no_time_of_a_postmortem_has_its_place() -> None:
    text = f"{HEAD}a,2026-10-01,shop,sev1,2026-10-01,soon\n"

    with pytest.raises(UsageError, match=r"i\.csv:2:35: `soon` is no time.*, or `not_needed`"):
        read_incidents(text, "i.csv")


# --- drills of days -------------------------------------------------------------------------------


def day(name: str = "20261103T090000Z-restore-aa", **more: Any) -> dict[str, Any]:
    tried = {"at": "2026-11-03T10:00:00Z", "outcome": "pass", "rto_ms": 40_000,
             "rto_allowed_ms": 60_000, "rpo_ms": None, "rpo_allowed_ms": None,
             "whole": True}  # fmt: skip
    values = {"name": name, "day": "restore", "started": "2026-11-03T09:00:00Z", "tries": [tried],
              "environment": "staging", "ended": "2026-11-03T12:00:00Z", "published": "",
              "within": 3, "timezone": "UTC", "holidays": []}  # fmt: skip
    return {**values, **more}


def test_a_drill_of_a_day_is_a_drill_of_the_quarter(tmp_path: Path) -> None:
    write_day(day(), tmp_path)

    known = days_known(tmp_path, None)

    (drill,) = known.drills
    assert drill == RestoreDrill(
        id="20261103T090000Z-restore-aa/bring-back",
        scheduled=datetime.datetime(2026, 11, 3, 10, tzinfo=UTC),
        held=datetime.datetime(2026, 11, 3, 10, tzinfo=UTC),
        service="", rto_s=40.0, rto_target_s=60.0, integrity="pass", environment="staging",
        drill="restore/bring-back", outcome="pass", tries=1,
    )  # fmt: skip
    assert drill.passed, "no target of RPO was asked"
    (held,) = known.days
    assert held.due == datetime.datetime(2026, 11, 11, tzinfo=UTC)
    assert not held.on_time


@pytest.mark.parametrize("outcome", ["fail", "inconclusive", "skip"])
def test_only_a_drill_that_passed_has_passed(tmp_path: Path, outcome: str) -> None:
    """It may fail for more than its times: what it made was not taken away."""
    tried = {**day()["tries"][0], "outcome": outcome}
    write_day(day(tries=[tried]), tmp_path)

    assert not days_known(tmp_path, None).drills[0].passed


@pytest.mark.parametrize(
    ("hours", "told"),
    [(17, ("pass", 1)), (7 * 24 - 1, ("pass", 1)), (7 * 24 + 1, ("inconclusive", 2))],
)
def test_a_drill_that_was_begun_and_can_be_under_way_no_more_did_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, told: tuple[str, int]
) -> None:
    path = write_day(day(ended=""), tmp_path)
    with Journal.reopen(path) as journal:
        journal.append(
            Event(seq=journal.next_seq, at_ms=journal.last_at_ms, kind="day.item",
                  subject="bring-back", phase=Phase.STARTED, data={"item_kind": "drill"})
        )  # fmt: skip
    began = datetime.datetime(2026, 11, 3, 9, tzinfo=UTC).timestamp()
    monkeypatch.setattr(quarter_days, "now_ms", lambda: round((began + hours * 3600) * 1000))

    (drill,) = days_known(tmp_path, None).drills

    assert (drill.outcome, drill.tries) == told


def test_the_service_of_a_drill_is_that_whose_file_names_it(tmp_path: Path) -> None:
    write_day(day(), tmp_path / "reports")
    services = tmp_path / "readiness" / "services"
    services.mkdir(parents=True)
    (services / "shop.yaml").write_text(
        "gameday_service: 1\nservice: shop\nowner: team\ntier: 1\n"
        "drills: {restore: restore/bring-back}\n"
    )
    (services / "other.yaml").write_text("gameday_service: 1\nnonsense: true\n")
    project = tmp_path / "gameday.yaml"
    project.write_text("gameday: 1\nenvironments: {local: {targets: {shop: http://127.0.0.1:1}}}\n")

    assert days_known(tmp_path / "reports", project).drills[0].service == "shop"


def test_a_day_that_was_changed_is_told_and_stops_nothing(tmp_path: Path) -> None:
    write_day(day(), tmp_path)
    path = write_day(day("20261104T090000Z-restore-bb"), tmp_path)
    path.write_text(path.read_text().replace('"pass"', '"fail"'))

    known = days_known(tmp_path, None)

    assert len(known.drills) == len(known.days) == 1
    (line,) = known.unread
    assert "20261104T090000Z-restore-bb" in line


def test_a_day_that_goes_on_or_in_which_nothing_was_begun_owes_no_debrief(tmp_path: Path) -> None:
    write_day(day(ended=""), tmp_path)
    write_day(day("20261104T090000Z-restore-bb", tries=[]), tmp_path)

    assert days_known(tmp_path, None).days == ()


DRILLS = "id,scheduled,service,held,environment,drill\n"


def tried(at: str, outcome: str = "pass", environment: str = "staging") -> RestoreDrill:
    held = datetime.datetime.fromisoformat(at)
    return RestoreDrill(
        id=f"day-{at}/b", scheduled=held, service="", held=held, environment=environment,
        drill="r/b", outcome=outcome,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "tries", "told"),
    [
        ("", ["2026-11-03T10:00:00Z"], {"day-2026-11-03T10:00:00Z/b": True}),
        ("R1,2026-11-02,shop,,,r/b\n", ["2026-11-03T10:00:00Z"], {"R1": True}),
        ("R1,2026-11-02,shop,,staging,r/b\n", ["2026-11-03T10:00:00Z"], {"R1": True}),
        # held before it was planned, or after its quarter: it is one of its own
        ("R1,2026-11-04,shop,,,r/b\n", ["2026-11-03T10:00:00Z"],
         {"R1": False, "day-2026-11-03T10:00:00Z/b": True}),
        ("R1,2026-09-29,shop,,,r/b\n", ["2026-10-03T10:00:00Z"],
         {"R1": False, "day-2026-10-03T10:00:00Z/b": True}),
        # of another drill, or in another environment
        ("R1,2026-11-02,shop,,,r/c\n", ["2026-11-03T10:00:00Z"],
         {"R1": False, "day-2026-11-03T10:00:00Z/b": True}),
        ("R1,2026-11-02,shop,,prod,r/b\n", ["2026-11-03T10:00:00Z"],
         {"R1": False, "day-2026-11-03T10:00:00Z/b": True}),
        # each line has its own try; one that nobody held stays so
        ("R2,2026-12-01,shop,,,r/b\nR1,2026-11-02,shop,,,r/b\n",
         ["2026-11-03T10:00:00Z"], {"R1": True, "R2": False}),
        ("R1,2026-11-02,shop,,,r/b\nR2,2026-12-01,shop,,,r/b\n",
         ["2026-11-03T10:00:00Z", "2026-12-01T00:00:00Z"], {"R1": True, "R2": True}),
        # what people wrote themselves holds, and is not counted twice
        ("R1,2026-11-02,shop,2026-11-03,,r/b\n", ["2026-11-03T10:00:00Z"], {"R1": False}),
        ("R1,2026-11-02,shop,,,\n", ["2026-11-03T10:00:00Z"],
         {"R1": False, "day-2026-11-03T10:00:00Z/b": True}),
    ],
)  # fmt: skip
def test_what_was_planned_is_held_by_the_day_that_held_it(
    lines: str, tries: list[str], told: dict[str, bool]
) -> None:
    planned = read_drills(DRILLS + lines, "d.csv")

    found = joined(planned, [tried(at) for at in tries])

    assert {one.id: one.passed for one in found} == told


def test_the_last_try_of_what_was_planned_holds() -> None:
    planned = read_drills(f"{DRILLS}R1,2026-11-02,shop,,,r/b\n", "d.csv")
    tries = [tried("2026-11-04T10:00:00Z", "fail"), tried("2026-11-03T10:00:00Z")]

    (found,) = joined(planned, tries)

    assert (found.passed, found.service, found.environment) == (False, "shop", "staging")


def test_a_plan_without_an_environment_swallows_no_failure_of_another_environment() -> None:
    planned = read_drills(f"{DRILLS}R1,2026-11-02,shop,,,r/b\n", "d.csv")
    tries = [tried("2026-11-03T10:00:00Z", "fail"), tried("2026-11-04T10:00:00Z", "pass", "local")]

    found = joined(planned, tries)

    assert [(one.id, one.environment, one.passed) for one in found] == [
        ("R1", "local", True),
        ("day-2026-11-03T10:00:00Z/b", "staging", False),
    ]


@pytest.mark.parametrize("text", ["r", "r/", "/b", "r/b/c"])
def test_what_is_no_drill_of_a_day_has_its_place(text: str) -> None:
    with pytest.raises(UsageError, match=r"d\.csv:2:22: `.*` is no drill of a day"):
        read_drills(f"{DRILLS}R1,2026-11-02,shop,,,{text}\n", "d.csv")


def test_drills_of_two_environments_are_never_added_up() -> None:
    drills = (tried("2026-11-03T10:00:00Z"), tried("2026-11-04T10:00:00Z", "fail", "prod"))

    found = quarter_of(History(runs=(), drills=drills), Q4, NOW)

    rates = {n.environment: (n.k, n.n) for n in found.numbers if n.name == "restore_success"}
    assert rates == {"staging": (1, 1), "prod": (0, 1)}
    assert dict(found.headline)["Restore drills passed"].n == 1
    text = render(found)
    assert "| staging | Restore drills passed | 1 of 1" in text
    assert "| prod | Restore drills passed | 0 of 1" in text


def test_where_no_debrief_was_due_the_report_says_so(tmp_path: Path) -> None:
    write_day(day(), tmp_path)
    days = days_known(tmp_path, None).days

    now = datetime.datetime(2026, 11, 5, tzinfo=UTC)

    assert "There was none in the quarter" in render(
        quarter_of(History(runs=(), days=days), Q4, now)
    )
