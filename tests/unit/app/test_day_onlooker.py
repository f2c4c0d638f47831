"""Two views of a day: what those are told who must not know what is broken, and what never."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gameday.app import day_go
from gameday.app.day import Held
from gameday.app.day_journal import PLAN, DayFile, end_day, open_day
from gameday.app.day_onlooker import DayOnlooker
from gameday.errors import RefusedError
from gameday.kpi.day import open_question, state_of
from gameday.model.event import Event, Phase
from gameday.model.project import Project

DAY = """
gameday: 1
day: quiet
title: How we cope
objective: Whether the amber thing comes back.
roles: [owner, coordinator, commander, responder]
knows: [owner, coordinator]
abort: {word: RED LIGHT, who: [owner]}
items:
  - {id: amber-1, title: The amber thing, tabletop: {cards: [{at: 0s, inject: It is amber.}]}}
  - {id: amber-2, tabletop: {cards: [{at: 0s, inject: It is amber.}]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> DayFile:
    items = [{"id": "amber-1", "hypothesis": "amber comes back"}, {"id": "amber-2"}]
    return open_day(
        tmp_path, "quiet", {PLAN: DAY}, blind=True, knows=["owner", "coordinator"], items=items,
        base="../..",
    )  # fmt: skip


def looker(file: DayFile) -> DayOnlooker:
    made = DayOnlooker(file)
    for event in file.events():
        made.see(event)
    return made


def whole_day(file: DayFile) -> None:
    began = [file.append("day.asked", "amber-1", item="amber-1")]
    file.append("day.go", "amber-1", go=True, by="owner", text="amber now", item="amber-1")
    began.append(file.append("day.item", "amber-1", phase=Phase.STARTED))
    file.append("day.run", "20260101T000000Z-amber-00aa", item="amber-1")
    file.say("human.note", "coordinator", "amber is in")
    file.say("human.note", "responder", "we look")
    file.append(
        "day.item", "amber-1", phase=Phase.OK, cause=began[1].seq, outcome="fail",
        reason="amber stayed", exit_code=5, run="20260101T000000Z-amber-00aa",
    )  # fmt: skip
    file.append("day.closed", "quiet", stopped=True, reason="amber everywhere", by="owner")


def test_nothing_of_the_blind_view_names_what_is_done(file: DayFile) -> None:
    whole_day(file)
    made = looker(file)
    told: list[Any] = [made.view(blind=True)]
    told += [made.entry(event, blind=True) for event in file.events()]
    told += [made.texts(now_wall_ms=0, impact="", blind=True)]
    assert "amber" not in json.dumps(told).lower()
    lines = [entry["text"] for entry in told[1:-1] if entry]
    assert lines == [
        "the day began",
        "go or no-go for part 1 was asked",
        "owner: go for part 1",
        "part 1 began",
        "we look",
        "part 1 ended",
        "the day was stopped",
    ]
    assert "MAY STILL BE BROKEN: part 1" in json.dumps(told[-1])


def test_those_who_know_are_told_all(file: DayFile) -> None:
    whole_day(file)
    made = looker(file)
    view = made.view(blind=False)
    assert view is not None
    assert [i["hypothesis"] for i in view["items"]] == ["amber comes back", ""]
    assert (view["items"][0]["outcome"], view["items"][0]["reason"]) == ("fail", "amber stayed")
    assert view["stopped"] == "amber everywhere (owner)"
    text = json.dumps(made.texts(now_wall_ms=0, impact="", blind=False))
    assert "MAY STILL BE BROKEN: amber-1" in text


def test_a_plan_that_cannot_be_read_any_more_tells_nobody_more(file: DayFile) -> None:
    (file.folder / PLAN).write_text("gameday: 1\nday: [")
    made = looker(file)
    assert made.view(blind=False) is None
    assert made.blind_roles is not None
    assert "owner" not in made.blind_roles
    assert {"commander", "responder", "observer"} <= made.blind_roles


def test_a_day_of_before_is_blind_too(tmp_path: Path) -> None:
    """Its journal does not say who knows; its plan does, where it can be read."""
    plain = DAY.replace("knows: [owner, coordinator]", "knows: [owner]")
    made = DayOnlooker(open_day(tmp_path, "quiet", {PLAN: plain}, blind=True))
    assert made.blind_roles is not None
    assert "coordinator" in made.blind_roles
    lost = open_day(tmp_path, "lost", {PLAN: "nothing"}, blind=True)
    assert {"responder", "commander"} <= (DayOnlooker(lost).blind_roles or set())
    everybody = DayOnlooker(open_day(tmp_path, "open", {PLAN: DAY}, blind=False))
    assert everybody.blind_roles == frozenset()
    assert DayOnlooker(open_day(tmp_path, "day", {})).blind_roles is None


def test_a_question_is_open_until_it_is_answered_or_the_day_is_over() -> None:
    asked, other = Event(kind="day.asked", subject="a"), Event(kind="day.go", subject="b")
    assert open_question([asked, other]) is asked
    for end in (
        Event(kind="day.go", subject="a"),
        Event(kind="day.item", subject="a", phase=Phase.STARTED),
        Event(kind="day.closed", subject="day"),
    ):
        assert open_question([asked, end]) is None
    again = Event(kind="day.asked", subject="a")
    assert open_question([asked, again]) is again


def test_a_question_ends_when_another_item_begins() -> None:
    """One item is under way at a time: whoever asked about the first is gone."""
    asked = Event(kind="day.asked", subject="a")
    go = Event(kind="day.go", subject="b", data={"go": True})
    began = Event(kind="day.item", subject="b", phase=Phase.STARTED)
    assert open_question([asked, go, began]) is None
    again = Event(kind="day.asked", subject="a")
    assert open_question([asked, go, began, again]) is again


def test_nobody_is_asked_on_a_day_that_is_over(
    file: DayFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be ended between the look at it and the question."""

    def for_ever(_seconds: float) -> None:
        pytest.fail("it waits for an answer that nobody can give")

    plan = looker(file).day
    assert plan is not None
    project = Project(environments={})
    events = file.events()
    held = Held(day=plan, project=project, file=file, events=events, state=state_of(plan, events))
    assert end_day(file, "the phone rang", by="owner")
    monkeypatch.setattr(day_go, "time", SimpleNamespace(sleep=for_ever))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(RefusedError, match="the day is over"):
        day_go.asked(held, plan.items[0], by="owner", wait=True)
    assert file.events()[-1].kind == "day.closed"


def test_what_was_broken_is_shown_from_then_on(file: DayFile) -> None:
    made = looker(file)
    assert made.revealed_wall_ms < 0
    made.see(file.append("day.revealed", "day", by="coordinator"))
    assert made.revealed_wall_ms >= made.origin_wall_ms
