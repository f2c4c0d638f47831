"""Drills of days as evidence: only what their journals tell, and only if those are whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gameday.app.readiness_drills import drills_of
from gameday.journal import Journal
from gameday.model.event import Event, Phase
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness_policy import ReadyPolicy
from tests.readiness_support import answer, days_ago, part, service

DRILLS = {Item.RESTORE: "shop-restore/restore-orders"}


def a_day(folder: Path, name: str, *outcomes: str, day: str = "shop-restore") -> Path:
    """The journal of a day that was three days ago."""
    (folder / "days").mkdir(exist_ok=True)
    path = folder / "days" / f"{name}.jsonl"
    origin = int(days_ago(3).timestamp() * 1000)
    events = [Event(seq=0, at_ms=0, kind="day.opened", subject=day,
                    data={"origin_wall_ms": origin, "environment": "staging"})]  # fmt: skip
    ends = {"unknown": Phase.UNKNOWN, "refused": Phase.FAILED, "begun": None}
    for outcome in outcomes:
        begun = len(events)
        events.append(
            Event(seq=begun, at_ms=begun, kind="day.item", subject="restore-orders",
                  phase=Phase.STARTED, data={"item_kind": "drill"}),
        )  # fmt: skip
        phase = ends.get(outcome, Phase.OK)
        if phase is not None:
            data = {"outcome": outcome} if phase is Phase.OK else {}
            events.append(
                Event(seq=begun + 1, at_ms=begun + 1, kind="day.item", subject="restore-orders",
                      phase=phase, cause=begun, data=data),
            )  # fmt: skip
    with Journal.open(path) as journal:
        for event in events:
            journal.append(event)
    return path


def test_a_drill_that_passed_is_a_restore_that_was_tested(tmp_path: Path) -> None:
    a_day(tmp_path, "20261117T120000Z-shop-restore", "pass")

    found = drills_of(service(drills=DRILLS), [tmp_path, tmp_path])

    (one,) = found.records
    assert (one.item, one.on, one.passed) == (Item.RESTORE, date(2026, 11, 17), True)
    assert one.evidence == ("day 20261117T120000Z-shop-restore, item restore-orders, in staging")
    assert not found.notes
    shown = part(answer(service(records=(one,))), Item.RESTORE)
    assert shown.state.value == "met"


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [(("fail",), [False]), (("inconclusive",), []), (("fail", "pass"), [False, True]), ((), [])],
)
def test_what_says_nothing_is_no_record(
    tmp_path: Path, outcomes: tuple[str, ...], passed: list[bool]
) -> None:
    a_day(tmp_path, "d", *outcomes)

    found = drills_of(service(drills=DRILLS), [tmp_path])

    assert [one.passed for one in found.records] == passed


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("pass", "unknown"), "not_measured"),
        (("pass", "begun"), "not_measured"),
        (("unknown", "pass"), "met"),
        (("pass", "refused"), "met"),
        (("fail", "begun"), "not_met"),
    ],
)
def test_one_of_which_nobody_knows_how_it_ended_casts_doubt_on_what_passed_before(
    tmp_path: Path, outcomes: tuple[str, ...], state: str
) -> None:
    a_day(tmp_path, "d", *outcomes)
    records = drills_of(service(drills=DRILLS), [tmp_path]).records

    found = part(answer(service(records=records)), Item.RESTORE)

    assert found.state.value == state
    if state == "not_measured":
        assert "was begun, and did not end" in found.reason


def test_a_drill_that_passed_later_on_the_same_day_counts(tmp_path: Path) -> None:
    a_day(tmp_path, "d", "fail", "pass")
    records = drills_of(service(drills=DRILLS), [tmp_path]).records

    assert part(answer(service(records=records)), Item.RESTORE).state.value == "met"
    assert part(answer(service(records=records[:1])), Item.RESTORE).state.value == "not_met"


@pytest.mark.parametrize(
    ("policy", "kinds", "state"),
    [
        (("staging",), {}, "met"),
        (("production",), {}, "not_measured"),
        (("production",), {"staging": "production"}, "met"),
    ],
)
def test_drills_in_an_environment_that_does_not_count_say_nothing(
    tmp_path: Path, policy: tuple[str, ...], kinds: dict[str, str], state: str
) -> None:
    a_day(tmp_path, "d", "pass")
    records = drills_of(service(drills=DRILLS), [tmp_path], kinds).records

    found = part(
        answer(service(records=records), policy=ReadyPolicy(environments=policy)), Item.RESTORE
    )

    assert found.state.value == state, found.reason
    assert ("drills in staging say nothing here" in found.reason) == (state != "met")


def test_other_days_and_services_without_drills_tell_nothing(tmp_path: Path) -> None:
    a_day(tmp_path, "d", "pass", day="another")

    assert not drills_of(service(drills=DRILLS), [tmp_path]).records
    assert not drills_of(service(), [tmp_path]).records


def test_a_journal_that_was_changed_counts_for_nothing(tmp_path: Path) -> None:
    path = a_day(tmp_path, "d", "fail")
    path.write_text(path.read_text().replace('"fail"', '"pass"'))

    found = drills_of(service(drills=DRILLS), [tmp_path])

    assert not found.records
    assert "counts for nothing" in found.notes[0]
