"""Quarters, imports, findings as they stood, and what a run is taken for."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from quarter_support import make_year

from gameday.errors import UsageError
from gameday.model.quarter import (
    Change,
    Deployment,
    FindingSeen,
    History,
    Restored,
    RunKind,
    RunSeen,
)
from gameday.model.quarter_report import Trend
from gameday.programme.quarter_build import frame_at, quarter_of
from gameday.programme.quarter_findings import dues_in, standing
from gameday.programme.quarter_frame import trend_of
from gameday.programme.quarter_imports import (
    read_deployments,
    read_drills,
    read_incidents,
    read_scope,
)
from gameday.programme.quarter_next import candidates
from gameday.programme.quarter_period import Period, parse_period, period_of
from gameday.programme.quarter_run import run_seen

UTC = datetime.UTC
Q4 = Period(year=2026, quarter=4)
NOW = datetime.datetime(2026, 11, 30, tzinfo=UTC)


def a_run(**changes: Any) -> RunSeen:
    """A valid run that the service passed, with what *changes* say of the raw result."""
    year = make_year(seed=3, runs=1, services=1, findings=0)
    result, plan = dict(year.results[0]), dict(year.plans[0])
    result["control"] = False
    result["scenario"] = {**result["scenario"], "service": "shop", "id": "slow", "profile": ""}
    result["verdict"] = {**result["verdict"], "outcome": "pass", "status": "completed",
                         "clean": True}  # fmt: skip
    result["validity"] = []
    result["faults"] = [{"id": "one", "target": "payments", "what": "latency 800 ms",
                         "on_ms": 1, "on_error_ms": 1, "off_ms": 2, "off_error_ms": 1}]  # fmt: skip
    result |= {name: [] for name in ("alerts", "ladders", "other_alerts", "expectations")}
    result |= {"environment": "staging", "started": "2026-11-01T10:00:00Z", "run_id": "r1"}
    plan["environment"] = {"kind": "staging"}
    plan["scenario"] = {"faults": [], "expect": {"alerts": []}}
    for path, value in changes.items():
        part, _, name = path.partition("__")
        if name:
            result[part] = {**result[part], name: value}
        else:
            result[part] = value
    return run_seen(result, plan)


@pytest.mark.parametrize(
    ("text", "name"), [("2026Q4", "2026Q4"), ("2026-q1", "2026Q1"), (" 2027Q2 ", "2027Q2")]
)
def test_a_quarter_is_read(text: str, name: str) -> None:
    found = parse_period(text)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", ["2026Q5", "2026", "Q4", "26Q4", "2026Q4x", "0000Q1", ""])
def test_what_is_no_quarter_is_none(text: str) -> None:
    assert parse_period(text) is None


def test_quarters_meet_without_a_gap() -> None:
    assert Q4.start == datetime.datetime(2026, 10, 1, tzinfo=UTC)
    assert Q4.end == Period(year=2027, quarter=1).start
    assert Q4.before.end == Q4.start
    assert period_of(Q4.end - datetime.timedelta(microseconds=1)) == Q4
    assert not Q4.has(Q4.end)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, RunKind.GAMEDAY),
        ({"scenario__profile": "smoke"}, RunKind.SMOKE),
        ({"scenario__tags": ["drill"]}, RunKind.DRILL),
        ({"scenario__tags": ["smoke"]}, RunKind.GAMEDAY),
        ({"control": True, "scenario__profile": "smoke"}, RunKind.CONTROL),
    ],
)
def test_what_a_run_was_for(changes: dict[str, Any], kind: RunKind) -> None:
    assert a_run(**changes).kind is kind


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"verdict__status": "stopped"}, True),
        ({"verdict__status": "interrupted"}, False),
        ({"verdict__status": "errored"}, False),
        ({"verdict__clean": False}, False),
        ({"validity": [{"outcome": "skip"}]}, True),
        ({"validity": [{"outcome": "pass"}, {"outcome": "fail"}]}, False),
        ({"validity": [{"outcome": "inconclusive"}]}, False),
    ],
)
def test_only_what_could_show_something_is_valid(changes: dict[str, Any], valid: bool) -> None:
    assert a_run(**changes).valid is valid


@pytest.mark.parametrize(
    ("environment", "plan", "kind", "what"),
    [
        ("ci", {}, "ci", RunKind.SMOKE),
        ("prod", {}, "production", RunKind.GAMEDAY),
        ("blue", {}, "staging", RunKind.GAMEDAY),
        ("blue", {"environment": {"kind": "ci"}}, "ci", RunKind.SMOKE),
    ],
)
def test_without_a_plan_the_environment_is_of_the_kind_that_its_name_says(
    environment: str, plan: dict[str, Any], kind: str, what: RunKind
) -> None:
    year = make_year(seed=3, runs=1, services=1, findings=0)
    result = {**year.results[0], "control": False, "environment": environment}
    result["scenario"] = {**result["scenario"], "profile": ""}

    run = run_seen(result, plan)

    assert (run.environment_kind, run.kind) == (kind, what)


def rungs(**states: tuple[str, int | None]) -> list[dict[str, Any]]:
    found = [{"name": n, "state": s, "since_ms": ms} for n, (s, ms) in states.items()]
    return [{"fault": "one", "alert": "A", "receiver": "", "rungs": found}]


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ({"impact": ("censored", 9)}, Restored.ABSORBED),
        ({"impact": ("measured", 1), "mitigated": ("measured", 9)}, Restored.SELF),
        (
            {"impact": ("measured", 1), "mitigated": ("measured", 9),
             "acknowledged": ("measured", 5)},
            Restored.RESPONDER,
        ),
        (
            {"impact": ("measured", 1), "mitigated": ("censored", 9), "steady": ("measured", 12)},
            Restored.RUNNER,
        ),
        (
            {"impact": ("measured", 1), "mitigated": ("censored", 9), "steady": ("censored", 12)},
            Restored.NEVER,
        ),
        ({"impact": ("measured", 1), "mitigated": ("not_measured", None)}, Restored.UNKNOWN),
        ({}, Restored.UNKNOWN),
    ],
)  # fmt: skip
def test_how_users_were_well_again(states: dict[str, Any], word: Restored) -> None:
    assert a_run(ladders=rungs(**states)).faults[0].restored is word


def test_the_proof_of_a_runbook_is_what_restored() -> None:
    proof = {"check": "runbook/proven", "subject": "r.md", "outcome": "pass", "summary": "",
             "facts": {"verdict": "proven"}}  # fmt: skip
    ladders = rungs(impact=("measured", 1), mitigated=("measured", 9))
    assert a_run(ladders=ladders, expectations=[proof]).faults[0].restored is Restored.RUNBOOK


@pytest.mark.parametrize("missing", ["verdict", "scenario", "safety", "alerts"])
def test_what_is_no_result_is_refused(missing: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        a_run(**{missing: None})


def finding(*changes: Change) -> FindingSeen:
    return FindingSeen(id="F-1", title="t", service="shop", mode="payments.latency",
                       kind="detection_gap", changes=changes)  # fmt: skip


RAISED = Change(at="2026-10-05T00:00:00Z", what="raised", state="open", severity="critical",
                owner="team", due="2026-10-12")  # fmt: skip


def test_an_acceptance_that_is_over_is_none() -> None:
    accepted = Change(at="2026-10-06T00:00:00Z", what="accepted", state="risk_accepted",
                      until="2026-11-01")  # fmt: skip
    one = finding(RAISED, accepted)
    then = standing(one, datetime.datetime(2026, 11, 1, 23, tzinfo=UTC))
    later = standing(one, datetime.datetime(2026, 11, 2, tzinfo=UTC))
    assert then is not None
    assert later is not None
    assert (then.is_active, later.is_active) == (False, True)
    assert standing(one, datetime.datetime(2026, 10, 1, tzinfo=UTC)) is None


def test_a_run_counts_in_the_quarter_in_which_it_ended() -> None:
    night = a_run(started="2026-09-30T23:59:00Z", duration_ms=120_000)
    frame = frame_at(History(runs=(night,)), Q4, NOW)
    assert (len(frame.now), len(frame.before)) == (1, 0)
    short = a_run(started="2026-09-30T23:59:00Z", duration_ms=30_000)
    frame = frame_at(History(runs=(short,)), Q4, NOW)
    assert (len(frame.now), len(frame.before)) == (0, 1)


def test_a_due_day_that_was_moved_before_it_came_does_not_count() -> None:
    moved = Change(at="2026-10-10T00:00:00Z", what="assigned", state="assigned", due="2026-11-12")
    later = datetime.datetime(2026, 12, 31, tzinfo=UTC)
    days = [one.due.isoformat() for one in dues_in(finding(RAISED, moved), Q4, later)]
    assert days == ["2026-11-12"]
    assert list(dues_in(finding(RAISED), Q4, later))
    early = datetime.datetime(2026, 10, 12, 12, tzinfo=UTC)
    assert not list(dues_in(finding(RAISED), Q4, early)), "the day is not over"


@pytest.mark.parametrize(
    ("now", "before", "word"),
    [
        ((4, 4), (0, 20), Trend.TOO_FEW),
        ((19, 20), (2, 20), Trend.BETTER),
        ((2, 20), (19, 20), Trend.WORSE),
        ((12, 20), (10, 20), Trend.NOT_SHOWN),
    ],
)
def test_a_change_is_said_only_where_intervals_part(
    now: tuple[int, int], before: tuple[int, int], word: Trend
) -> None:
    assert trend_of(now, before, up=True) is word


def test_what_was_not_given_is_not_measured_and_never_zero() -> None:
    quarter = quarter_of(History(runs=(a_run(),)), Q4, NOW)
    four = dict(quarter.headline)
    assert four["Failure modes tested"].value == 1
    assert [one.state for one in four.values()].count("not_measured") == 3
    assert not any(n.name in ("exposure", "restore_success") for n in quarter.numbers)
    assert any("no findings were given" in note for note in quarter.notes)
    assert quarter.running


def test_a_run_after_the_day_that_is_asked_for_is_not_there_yet() -> None:
    late = a_run(started="2026-12-20T10:00:00Z")
    assert frame_at(History(runs=(late,)), Q4, NOW).every == ()
    assert frame_at(History(runs=(late,)), Q4, datetime.datetime(2027, 2, 1, tzinfo=UTC)).now


def test_a_smoke_run_covers_nothing_of_gamedays() -> None:
    smoke = a_run(scenario__profile="smoke")
    quarter = quarter_of(History(runs=(smoke,)), Q4, NOW)
    assert [one.kind for one in quarter.maps] == ["smoke"]
    (found,) = candidates(History(runs=(smoke,)), frame_at(History(runs=(smoke,)), Q4, NOW))
    assert "tested by smoke runs only" in [reason.text for reason in found.reasons]


def test_next_is_what_was_never_tested_had_an_incident_and_has_an_open_finding() -> None:
    history = History(
        runs=(a_run(),),
        findings=(
            finding(RAISED),
            finding(RAISED, Change(at="2026-11-02T00:00:00Z", what="claimed",
                                   state="fix_claimed")),
        ),
        incidents=read_incidents(
            "id,started,service,severity,failure_mode\nI1,2026-11-10,shop,sev1,db.down\n", "i.csv"
        ),
        scope=read_scope(
            "service,failure_mode,tier\nshop,payments.latency,1\nshop,db.down,1\npay,x.y,3\n", "s"
        ),
    )  # fmt: skip
    found = candidates(history, frame_at(history, Q4, NOW))
    assert [(c.service, c.mode) for c in found] == [
        ("shop", "db.down"), ("shop", "payments.latency"), ("pay", "x.y"),
    ]  # fmt: skip
    assert [reason.points for reason in found[0].reasons] == [40, 25, 20]
    assert any("waits for a run" in reason.text for reason in found[1].reasons)


def test_quoted_cells_and_places_survive_line_ends() -> None:
    text = 'id,time,service,outcome\n"D,1",2026-10-01,"a ""b""",ok\n"D\n2",2026-10-02,c,bad\n'
    with pytest.raises(UsageError) as caught:
        read_deployments(text, "d.csv")
    told = str(caught.value).splitlines()
    assert told[0].startswith("d.csv:3:1: a text")
    assert told[1] == "d.csv:4:17: `bad` is none of `ok`, `failed`, `rolled_back`"
    good = text.replace('"D\n2"', "D2").replace("bad", "rolled back")
    assert read_deployments(good, "d.csv")[0] == Deployment(
        id="D,1", at=datetime.datetime(2026, 10, 1, tzinfo=UTC), service='a "b"', outcome="ok"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "d.csv:1:1: there is no first line; write `id,scheduled"),
        ("id,scheduled\n", "d.csv:1:1: there is no column `service`; needed are"),
        ("id,scheduled,servise\n", "d.csv:1:14: no column `servise`; did you mean `service`?"),
        ("id,id,scheduled,service\n", "d.csv:1:4: column `id` is there twice"),
        ('id,scheduled,service\n"x,2026-01-01,s\n', "d.csv:2:1: a quote that does not end"),
        ('id,scheduled,service\n"x"y,1,s\n', "d.csv:2:4: after a quote comes a comma"),
        ("id,scheduled,service,rto_s\na,2026-01-01,s,-1\n", "d.csv:2:16: `-1` is no number of"),
        ("id,scheduled,service\na,2026-01-01\n", "d.csv:2:1: `service` is empty"),
        ("id,scheduled,service\na,2026-01-01,s\na,2026-01-02,s\n", "two different lines have"),
        ("id,scheduled,service,integrity\na,2026-01-01,s,good\n", "2:16: `good` is none of"),
    ],
)
def test_a_wrong_table_says_where(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_drills(text, "d.csv")
    assert told in str(caught.value)


def test_no_more_than_twenty_problems_are_told() -> None:
    lines = "\n".join(f"d{n},soon,s" for n in range(50))
    with pytest.raises(UsageError) as caught:
        read_drills(f"id,scheduled,service\n{lines}\n", "d.csv")
    told = str(caught.value).splitlines()
    assert len(told) == 21
    assert told[-1] == "… and 30 more"


def test_a_drill_that_was_not_measured_has_not_passed() -> None:
    text = (
        "id,scheduled,service,held,rto_s,rto_target_s,rpo_s,rpo_target_s,integrity\n"
        "a,2026-10-01,s,2026-10-01,100,900,5,60,pass\n"
        "b,2026-10-01,s,2026-10-01,100,900,,60,pass\n"
        "c,2026-10-01,s,2026-10-01,1000,900,5,60,pass\n"
        "d,2026-10-01,s,2026-10-01,100,900,5,60,\n"
        "e,2026-10-01,s,,,900,,60,\n"
    )
    assert [one.passed for one in read_drills(text, "d.csv")] == [True, *[False] * 4]
