"""What people do on the page: it becomes a request at the run's door, or a line of the day."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.app.control import HUMAN, ask_run, is_gone
from gameday.console.feed import Feed
from gameday.errors import GamedayError, UsageError

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
    made: dict[str, str] = {"do": do, "role": role}
    if do == "stop":
        made["reason"] = _text(request, "text", "stopped on the page")
    elif do == "gate":
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
    where = feed.door()
    if where is not None:
        try:
            ask_run(where, {"do": do, "role": role, "text": text})
        except UsageError as error:
            if not is_gone(error):
                raise
        else:
            return "done"
    feed.day.write(HUMAN[do], role, text)
    return "done; no run is under way, so the day has it"


def _door(feed: Feed) -> Path:
    where = feed.door()
    if where is None:
        raise UsageError("no run is under way")
    return where


def _text(request: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value.strip():
        if default is None:
            raise _BadRequestError(f"`{name}` is missing")
        return default
    return value
