"""The kinds of values in the project file: engines, containers, and times of the calendar."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Any

from gameday.scenario import fields as f
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import FieldError, Scalar, kind_of, shown

_CONTAINER = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_LABEL = r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}=[^\s=*][^\s*]{0,127}"
_ENGINE = r"unix:///\S+|tcp://[^\s/:@]+:[0-9]{1,5}"
_IMAGE = r"[a-z0-9][A-Za-z0-9_./:@-]{0,254}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)


def _calendar(value: Any, regex: str, code: str, what: str, hint: str) -> str:
    if not isinstance(value, str):
        raise FieldError(code, f"`{shown(value)}` is not {what}", hint)
    return f.matching(regex, code, what, hint)(value)


def _minute(value: Any) -> int:
    text = _calendar(value, _TIME, "value/time", "a time of the day", "write `09:00`")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _date(value: Any) -> str:
    hint = "write `2026-12-20`"
    text = _calendar(value, _DATE, "value/date", "a date", hint)
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise FieldError("value/date", f"`{text}` is not in the calendar", hint) from None


def _zone(value: Any) -> str:
    text = f.TEXT.parse(value)
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(text, zoneinfo.available_timezones()) if len(text) < 80 else ""
        raise FieldError(
            "value/timezone",
            f"`{text}` is not a time zone that is known here",
            near if near.startswith("did") else "write for example `Europe/Berlin` or `UTC`",
        ) from None
    return str(text)


def _days(value: Any) -> list[int]:
    found = re.fullmatch(rf"\s*({_DAY})(?:\s*-\s*({_DAY}))?\s*", str(value))
    if found is None:
        raise FieldError(
            "value/choice",
            f"`{shown(value)}` is {kind_of(value)}; it says no days",
            "write `mon-fri`, or `[mon, wed]`",
        )
    first = DAYS.index(found[1])
    last = DAYS.index(found[2]) if found[2] else first
    return [(first + n) % 7 for n in range((last - first) % 7 + 1)]


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError(
            "value/choice", f"`{shown(value)}` is not possible here", "write `true` or `false`"
        )
    return value


def _engine(value: Any) -> str:
    hint = "write `unix:///var/run/docker.sock`, or `tcp://127.0.0.1:2375`"
    return f.matching(_ENGINE, "value/url", "the address of a Docker engine", hint)(value)


CONTAINER = Scalar(
    f.matching(_CONTAINER, "value/name", "the name of a container", "write its name, in full"),
    f.pattern(_CONTAINER),
)
LABEL = Scalar(
    f.matching(
        _LABEL,
        "value/label",
        "a label with a value",
        "write `app=payments`: a label alone, or a pattern, could mean any container",
    ),
    f.pattern(_LABEL),
)
ENGINE = Scalar(_engine, f.pattern(_ENGINE))
IMAGE = Scalar(
    f.matching(_IMAGE, "value/name", "the name of an image", "write `gameday-helper:1`"),
    f.pattern(_IMAGE),
)
MINUTE = Scalar(_minute, f.pattern(_TIME, examples=["09:00"]))
DATE = Scalar(_date, f.pattern(_DATE, examples=["2026-12-20"]))
ZONE = Scalar(_zone, {"type": "string", "pattern": r"\S", "examples": ["Europe/Berlin", "UTC"]})
DAY = f.choice(DAYS)
DAY_RANGE = Scalar(_days, f.pattern(rf"(?:{_DAY})(?:\s*-\s*(?:{_DAY}))?", examples=["mon-fri"]))
SWITCH = Scalar(_switch, {"type": "boolean"})
