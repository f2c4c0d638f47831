"""What others are told: always marked, and in brief nothing that they must not know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gameday.model.event import Event
from gameday.model.notices import (
    BODY_MAX,
    MARK,
    Exercise,
    NoticeMoment,
    NoticeSpec,
    Told,
    is_asked,
    key_of,
    one_line,
    trial_message,
)
from gameday.model.secret import SecretRef

RUN = "20260314T150000Z-payments-slow-1a2b"
EXERCISE = Exercise(
    run=RUN,
    scenario="payments-slow",
    title="Payments answers 800 ms late",
    service="shop",
    environment="production",
    length_ms=180_000,
    faults=("slow on payments",),
    notices=(
        NoticeSpec(name="all", url=SecretRef(env="A")),
        NoticeSpec(name="safety", url=SecretRef(env="B"), at=("dirty", "clear")),
    ),
)
FACTS = Told(
    moment=NoticeMoment.START, reason="operator: `gameday stop`", dirty=("slow",), by="sentinel"
)


@pytest.mark.parametrize("detail", ["brief", "full"])
@pytest.mark.parametrize("moment", NoticeMoment)
def test_the_mark_is_always_in_front(moment: NoticeMoment, detail: str) -> None:
    message = EXERCISE.message(replace(FACTS, moment=moment), detail)
    assert message.title.startswith(f"{MARK} ")
    assert message.body.startswith("This is an exercise.")
    assert trial_message().title.startswith(f"{MARK} ")


@pytest.mark.parametrize("moment", [NoticeMoment.START, NoticeMoment.STOP, NoticeMoment.CLEAR])
def test_in_brief_nobody_learns_what_is_broken(moment: NoticeMoment) -> None:
    told = replace(FACTS, moment=moment, dirty=())
    brief, full = (EXERCISE.message(told, detail) for detail in ("brief", "full"))
    text = f"{brief.title}\n{brief.body}"
    assert "payments" not in text.lower()
    assert "slow" not in text
    assert RUN not in text, "the name of a run has that of its scenario"
    assert "payments-slow: Payments answers 800 ms late" in full.body


def test_faults_are_named_at_the_start_to_those_who_may_know() -> None:
    assert "Faults: slow on payments" in EXERCISE.message(FACTS, "full").body


def test_dirty_says_what_and_how_to_clean_up_to_everybody() -> None:
    told = replace(FACTS, moment=NoticeMoment.DIRTY)
    message = EXERCISE.message(told, "brief")
    assert message.title == "[EXERCISE] gameday on shop (production) is over, but NOT CLEAN"
    assert "MAY STILL BE BROKEN: slow." in message.body
    assert f"gameday recover {RUN}" in message.body


def test_who_cleaned_up_is_said() -> None:
    words = {"": "read back.", "sentinel": "by the sentinel", "recover": "by hand"}
    for by, word in words.items():
        told = Told(moment=NoticeMoment.CLEAR, by=by)
        assert word in EXERCISE.message(told, "brief").body


def test_no_text_breaks_out_of_its_line() -> None:
    nasty = replace(EXERCISE, service="shop\r\nBcc: x@example.org\x00", environment="e" * 5_000)
    message = nasty.message(replace(FACTS, moment=NoticeMoment.STOP, reason="r\n" * 9_000), "full")
    assert "\n" not in message.title
    assert "\r" not in message.title
    assert len(message.title) == 150
    assert len(message.body) <= BODY_MAX
    assert one_line("a\tb\n c", 4) == "a b…"


def test_each_is_told_only_what_it_asked_for() -> None:
    assert [one.name for one in EXERCISE.to(NoticeMoment.START)] == ["all"]
    assert [one.name for one in EXERCISE.to(NoticeMoment.DIRTY)] == ["all", "safety"]


def test_a_moment_is_asked_once() -> None:
    events = [Event(kind="notice.asked", subject="start"), Event(kind="run.phase", subject="stop")]
    assert is_asked(events, NoticeMoment.START)
    assert not is_asked(events, NoticeMoment.STOP)
    assert key_of(RUN, NoticeMoment.STOP) == f"{RUN}/stop"
