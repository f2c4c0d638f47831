"""What people do on the page: it becomes a request at the run's door, or a line of the day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gameday.app.control import HUMAN, NotUnderWayError, ask_run, say_in_run
from gameday.app.day_go import answer
from gameday.app.day_journal import end_day, still_open, today_or_new
from gameday.console.feed import Feed
from gameday.errors import GamedayError, UsageError
from gameday.kpi.day import ROLE

_ANSWERS = ("done", "changed", "failed")
#: Errors tell names of runs, gates and runbooks; those who must not know the fault read this.
_BLIND_ERROR = "it was not taken: what you named is not what waits now, or nothing is under way"


def act(feed: Feed, role: str, request: Mapping[str, Any], *, blind: bool) -> str:
    """Do it, and say what was done. *role* is that of the session; the right to do it is checked.

    *blind* says that this role must not know the fault. Raises `UsageError`. Blocks for seconds.
    """
    try:
        said = _act(feed, role, request)
    except GamedayError as error:
        if blind and not isinstance(error, _BadRequestError):
            raise UsageError(_BLIND_ERROR) from None
        raise
    return "done" if blind else said


class _BadRequestError(UsageError):
    """The request itself is wrong; its text tells nothing of the run."""


def _act(feed: Feed, role: str, request: Mapping[str, Any]) -> str:
    do = str(request.get("do"))
    if do in HUMAN:
        return _say(feed, role, do, _text(request, "text"))
    if do in _DOES:
        return _DOES[do](feed, role, request)
    made: dict[str, str] = {"do": do, "role": role}
    if do == "gate":
        made["name"] = _text(request, "name")
        if request.get("answer") == "no-go":
            why = _text(request, "text", "no reason given")
            return _say(feed, role, "decide", f"no go at gate `{made['name']}`: {why}")
    elif do == "step":
        made |= {"answer": _text(request, "answer"), "name": _text(request, "name")}
        made["text"] = _text(request, "text", " ")
        if made["answer"] == "note":
            return _say(feed, role, "note", f"step `{made['name']}`: {made['text']}")
        if made["answer"] not in _ANSWERS:
            raise _BadRequestError(f"`answer` must be one of {', '.join(_ANSWERS)}, note")
    elif do == "opened":
        made["runbook"] = _text(request, "name")
    else:
        raise _BadRequestError(f"`{do[:40]}` is nothing that can be done here")
    return str(ask_run(_door(feed), made).get("text", "done"))


def _say(feed: Feed, role: str, do: str, text: str) -> str:
    """On disk when this ends: in the run's journal, or in the day's where no run takes it."""
    for where in feed.doors()[:1]:
        try:
            say_in_run(where, {"do": do, "role": role, "text": text})
        except NotUnderWayError as error:
            text = error.said or text
        else:
            return "done"
    today_or_new(feed.reports).say(HUMAN[do], role, text)
    return "done; no run is under way, so the day has it"


def _stop(feed: Feed, role: str, request: Mapping[str, Any]) -> str:
    """Stop every run that is under way; with `day` the day is over too.

    An item of the day whose run does not listen yet, a drill and a tabletop end with their day.
    """
    reason = _text(request, "text", "stopped on the page")
    day = feed.day_under_way()
    told, errors = 0, []
    for where in feed.doors():
        try:
            ask_run(where, {"do": "stop", "role": role, "reason": reason})
            told += 1
        except UsageError as error:
            errors.append(error)
    ends = day is not None and (request.get("day") is True or (not told and day.item_under_way))
    if day is not None and ends:
        end_day(day.file, reason, by=role)
    if errors and not (told or ends):
        raise errors[0]
    if not told and not ends:
        raise UsageError(feed.nothing_to_stop())
    said = (["the run is being stopped"] if told else []) + (["the day is over"] if ends else [])
    return "; ".join([*said, *(str(error) for error in errors)])


def _go(feed: Feed, role: str, request: Mapping[str, Any]) -> str:
    day, word = feed.day_under_way(), request.get("answer")
    seq = request.get("seq")
    if day is None:
        raise _BadRequestError("nobody waits for a go")
    if not isinstance(seq, int) or word not in ("go", "no-go"):
        raise _BadRequestError("`answer` is `go` or `no-go`, `seq` the number of the question")
    answer(day.file, seq, go=word == "go", by=role, text=_text(request, "text", " "))
    return str(word)


def _take(feed: Feed, role: str, request: Mapping[str, Any]) -> str:
    """Take a role of the plan, or give it back: one's own, of the coordinator anybody's."""
    day, name = feed.day_under_way(), _text(request, "name", role)
    if day is None or day.day is None:
        raise _BadRequestError("no day with a plan is under way")
    if role not in (name, "coordinator"):
        raise _BadRequestError("one takes one's own role; the coordinator takes those of others")
    if name not in day.day.roles:
        raise _BadRequestError(f"the plan has no role `{name[:40]}`")
    taken = request.get("answer") != "back"
    day.file.append(ROLE, name, look=still_open, taken=taken)
    return f"{name} is {'taken' if taken else 'given back'}"


_DOES: Mapping[str, Callable[[Feed, str, Mapping[str, Any]], str]] = {
    "stop": _stop,
    "go": _go,
    "take": _take,
}


def _door(feed: Feed) -> Path:
    for where in feed.doors():
        return where
    raise UsageError("no run is under way")


def _text(request: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value.strip():
        if default is None:
            raise _BadRequestError(f"`{name}` is missing")
        return default
    return value
