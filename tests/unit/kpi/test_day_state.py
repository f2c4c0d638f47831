"""A day is what its journal says: the fold, and whether the next item may begin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gameday.kpi.day import DayState, ItemStatus, state_of
from gameday.kpi.day_rules import not_now
from gameday.model.day import Card, Day, DayItem, Tabletop, Window
from gameday.model.event import Event, Phase
from gameday.report.day_text import message

CARDS = Tabletop(cards=(Card(id="card-1", at_ms=0, inject="x"),))
DAY = Day(
    id="d",
    title="t",
    objective="o",
    items=(
        DayItem(id="slow", scenario="slow.yaml"),
        DayItem(id="talk", tabletop=CARDS),
    ),
    roles=("owner", "coordinator", "commander", "responder", "scribe"),
    window=Window(first="2026-12-01 09:00", last="2026-12-01 12:00", timezone="Europe/Berlin"),
)
ALL = ("owner", "coordinator", "commander", "responder", "scribe")


def journal(*rows: tuple[str, str, Phase, dict[str, Any]]) -> DayState:
    first = ("day.opened", "d", Phase.NOTED, {"origin_wall_ms": 1_000})
    events = [
        Event(seq=seq, at_ms=seq * 10, kind=kind, subject=subject, phase=phase, data=data)
        for seq, (kind, subject, phase, data) in enumerate([first, *rows])
    ]
    return state_of(DAY, events)


def began(item: str) -> tuple[str, str, Phase, dict[str, Any]]:
    return ("day.item", item, Phase.STARTED, {})


def ended(item: str, phase: Phase = Phase.OK, **data: Any) -> tuple[str, str, Phase, Any]:
    return ("day.item", item, phase, data)


def taken(*roles: str) -> list[tuple[str, str, Phase, dict[str, Any]]]:
    return [("day.role", role, Phase.NOTED, {"taken": True}) for role in roles]


def test_a_new_day_waits_for_its_first_item() -> None:
    state = journal()

    assert state.next_id == "slow"
    assert state.under_way is None
    assert not state.roles


def test_an_item_that_was_begun_is_under_way_and_knows_its_run() -> None:
    state = journal(began("slow"), ("day.run", "r1", Phase.NOTED, {"item": "slow"}))

    assert state.under_way is not None
    assert (state.under_way.run, state.under_way.tries) == ("r1", 1)


@pytest.mark.parametrize(
    ("rows", "status", "then"),
    [
        ([began("slow"), ended("slow", outcome="fail")], ItemStatus.DONE, "talk"),
        ([began("slow"), ended("slow", Phase.FAILED, error="x")], ItemStatus.NOT_STARTED, "slow"),
        ([began("slow"), ended("slow", Phase.UNKNOWN)], ItemStatus.UNKNOWN, "talk"),
        ([("day.go", "slow", Phase.NOTED, {"go": False})], ItemStatus.NO_GO, "talk"),
        ([("day.go", "slow", Phase.NOTED, {"go": True})], ItemStatus.WAITING, "slow"),
        ([("day.go", "slow", Phase.NOTED, {"go": False}), began("slow"),
          ended("slow", outcome="pass")], ItemStatus.DONE, "talk"),
    ],
)  # fmt: skip
def test_what_became_of_an_item_says_what_comes_next(
    rows: list[Any], status: ItemStatus, then: str
) -> None:
    state = journal(*rows)

    assert state.items["slow"].status is status
    assert state.next_id == then


def test_a_second_try_forgets_the_first_and_a_role_may_be_given_back() -> None:
    state = journal(
        began("slow"), ended("slow", outcome="fail", reason="r"), began("slow"),
        *taken("owner", "scribe"), ("day.role", "owner", Phase.NOTED, {"taken": False}),
    )  # fmt: skip

    assert state.items["slow"].tries == 2
    assert state.items["slow"].outcome == ""
    assert state.roles == {"scribe"}


RUN = ("day.run", "r1", Phase.NOTED, {"item": "slow"})
RUN_2 = ("day.run", "r2", Phase.NOTED, {"item": "slow"})
DIRTY = [began("slow"), RUN, ended("slow", outcome="inconclusive", exit_code=5)]
REFUSED = ended("slow", Phase.FAILED, error="an earlier run left something", exit_code=2)
LEFT = {
    "a clean run": ([began("slow"), RUN, ended("slow", outcome="pass", exit_code=0)], "", "r1"),
    "a dirty run": (DIRTY, "dirty", "r1"),
    "it is under way again": ([*DIRTY, began("slow")], "dirty", None),
    "and was refused": ([*DIRTY, began("slow"), REFUSED], "dirty", None),
    "and was interrupted before it had a run": (
        [*DIRTY, began("slow"), ended("slow", Phase.UNKNOWN, exit_code=130)], "dirty", None,
    ),
    "and nobody wanted it any more": (
        [*DIRTY, ("day.go", "slow", Phase.NOTED, {"go": False})], "dirty", "r1",
    ),
    "a clean run after it": (
        [*DIRTY, began("slow"), RUN_2, ended("slow", outcome="pass", exit_code=0)], "", "r2",
    ),
    "a run that was killed": (
        [began("slow"), RUN, ended("slow", Phase.UNKNOWN, exit_code=3)], "unknown", "r1",
    ),
    "a run that was forgotten": ([began("slow"), RUN, REFUSED], "", None),
    "a run of which nothing can be told": (
        [began("slow"), RUN, ended("slow", Phase.FAILED, exit_code=70, run="r1")], "unknown", "r1",
    ),
    "a dirty one of which nothing can be told": (
        [began("slow"), RUN, ended("slow", Phase.FAILED, exit_code=5, run="r1")], "dirty", "r1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_an_item_may_have_left_is_not_forgotten_by_another_try(name: str) -> None:
    rows, left, run = LEFT[name]
    item = journal(*rows).items["slow"]

    assert (item.left, item.run) == (left, run)


OUT = {
    "MAY STILL BE BROKEN: slow": ("a dirty run", "it is under way again", "and was refused"),
    "Not known yet whether faults are out: slow": (
        "a run that was killed", "a run of which nothing can be told",
    ),
    "Every fault is out; that was read back.": ("a clean run", "a clean run after it"),
    "No fault was put in.": ("a run that was forgotten",),
}  # fmt: skip


@pytest.mark.parametrize(("says", "names"), OUT.items())
@pytest.mark.parametrize("moment", ["abort", "all-clear"])
def test_others_are_told_no_more_than_is_known(
    moment: str, says: str, names: tuple[str, ...]
) -> None:
    for name in names:
        rows, _, run = LEFT[name]
        told = message(DAY, moment, journal(*rows), now_ms=0).splitlines()

        assert says in told, name
        if moment == "all-clear":
            reports = [line for line in told if line.startswith("Reports:")]
            assert reports == ([f"Reports: {run}/report.html"] if run else []), name


def asked(state: DayState, at: str, *, item: int = 0, takes_s: int = 60, env: str | None = None):  # type: ignore[no-untyped-def]
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return not_now(DAY, state, DAY.items[item], now=now, takes_ms=takes_s * 1000, environment=env)


@pytest.mark.parametrize(
    ("at", "takes_s", "says"),
    [
        ("2026-12-01T08:00", 60, ""),  # 09:00 in Berlin
        ("2026-12-01T07:59", 60, "it is 2026-12-01 08:59 there"),
        ("2026-12-01T10:58", 120, ""),  # it ends with the window
        ("2026-12-01T10:58", 121, "it would go on until 12:00:01"),
        ("2026-12-01T11:00", 0, "it is 2026-12-01 12:00 there"),
        ("2026-12-02T08:00", 60, "it is 2026-12-02 09:00 there"),
    ],
)
def test_an_item_begins_and_ends_within_the_window(at: str, takes_s: int, says: str) -> None:
    found = asked(journal(*taken(*ALL)), at, takes_s=takes_s)

    assert bool(found) == bool(says)
    assert says in "".join(found)


def test_every_reason_is_told_at_once() -> None:
    found = asked(journal(*taken("owner")), "2026-12-01T07:00", env="production")

    assert len(found) == 3
    assert "not for `production`" in found[0]
    assert "`coordinator`, `responder`, `commander`, `scribe`" in found[2]


@pytest.mark.parametrize(("stopped", "word"), [(True, "was stopped"), (False, "is over")])
def test_after_the_end_nothing_begins(stopped: bool, word: str) -> None:
    state = journal(*taken(*ALL), ("day.closed", "d", Phase.NOTED, {"stopped": stopped}))

    assert word in asked(state, "2026-12-01T09:00")[0]
