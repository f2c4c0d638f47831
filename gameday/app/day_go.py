"""Go or no-go for an item of a day: asked at the terminal and on the page, answered once."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence

from gameday.app.day import Held
from gameday.app.day_journal import ROLE_MAX, TEXT_MAX, DayFile, said, still_open
from gameday.errors import RefusedError
from gameday.kpi.day import ASKED, CLOSED, GO, open_question
from gameday.model.day import DayItem
from gameday.model.event import Event
from gameday.processes import Life

_POLL_S = 0.3


def asked(held: Held, item: DayItem, *, by: str, wait: bool) -> bool:
    """Ask, and wait until somebody has answered, here or on the page.

    Raises `RefusedError` if nobody can be asked here and *wait* does not say to wait for the page,
    or if the day is over before somebody answers.
    """
    here = sys.stdin.isatty()
    if not here and not wait:
        raise RefusedError(
            f"nobody can be asked whether `{item.id}` is to begin; say so with `--go` or "
            "`--no-go`, or wait for the page with `--wait`"
        )
    question = held.file.append(ASKED, item.id, look=still_open, item=item.id)
    sys.stdout.write(f"go or no-go for `{item.id}`? {'' if here else '(on the page) '}")
    sys.stdout.write("" if here else "\n")
    sys.stdout.flush()
    while (given := _given(held.file, question)) is None:
        if not here:
            time.sleep(_POLL_S)
        elif select.select([sys.stdin], [], [], _POLL_S)[0]:
            _at_the_terminal(held.file, item, question, by)
    word = "go" if given.data.get("go") else "no-go"
    sys.stdout.write(f"{given.data.get('by')}: {word} for `{item.id}`\n")
    return bool(given.data.get("go"))


def answer(file: DayFile, seq: int, *, go: bool, by: str, text: str) -> None:
    """Answer the question of that number. Raises `RefusedError` if it does not wait any more."""
    checked = said(text, "the reason", TEXT_MAX) if text.strip() else ""

    def waits(events: Sequence[Event]) -> None:
        question = open_question(events)
        if question is None or question.seq != seq:
            raise RefusedError("this was answered already, or nobody waits for it any more")

    if file.runner() is Life.GONE:
        raise RefusedError("whoever asked is gone; `gameday day next` asks again")
    events = file.events()
    waits(events)
    item, role = events[seq].subject, said(by, "the role", ROLE_MAX)
    file.append(GO, item, look=waits, go=go, by=role, text=checked, item=item)


def _given(file: DayFile, question: Event) -> Event | None:
    """The answer; None while there is none. Raises `RefusedError` once the day is over."""
    for event in file.events()[question.seq + 1 :]:
        if event.kind == GO and event.subject == question.subject:
            return event
        if event.kind == CLOSED:
            raise RefusedError(f"the day is over: {event.data.get('reason')}")
    return None


def _at_the_terminal(file: DayFile, item: DayItem, question: Event, by: str) -> None:
    line = sys.stdin.readline()
    if not line:
        raise RefusedError(f"nobody answered whether `{item.id}` is to begin")
    word, _, text = line.strip().partition(" ")
    if word not in ("go", "no-go"):
        sys.stdout.write("write `go`, or `no-go` and why\n")
        sys.stdout.write(f"go or no-go for `{item.id}`? ")
        sys.stdout.flush()
        return
    try:
        answer(file, question.seq, go=word == "go", by=by, text=text)
    except RefusedError as error:  # the page was faster; what counts is in the journal
        sys.stdout.write(f"{error}\n")
