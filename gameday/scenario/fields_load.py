"""The kinds of values in journeys: pauses, limits, and text of answers."""

from __future__ import annotations

from typing import Any

from gameday.model.template import VALUE_NAME
from gameday.model.units import UnitError, duration_ms
from gameday.scenario import fields as f
from gameday.scenario.validate import FieldError, Scalar, kind_of, shown

_TIME = r"(?:[0-9]+(?:\.[0-9]+)?(?:us|ms|s|m|h|d))+"
#: Nobody thinks longer, and a pool of users stands by for it.
LONGEST_THINK_MS = 600_000
#: A limit on everything: so many processes may make the load on one host.
MOST_PROCESSES = 64


def _under(value: Any) -> int:
    ms = int(f.DURATION.parse(value))
    if ms < 1:
        raise FieldError("value/duration", f"`{value}` is nothing", "write for example `800ms`")
    return ms


def _think(value: Any) -> tuple[int, int]:
    low, dots, high = value.partition("..") if isinstance(value, str) else (value, "", "")
    try:
        least = duration_ms(low)
        most = duration_ms(high) if dots else least
    except (UnitError, OverflowError):
        raise FieldError(
            "value/duration",
            f"`{shown(value)}` is not a pause",
            "write `1s`, or `0.5s..2s` for one between the two",
        ) from None
    if least > most:
        raise FieldError(
            "value/duration", f"`{value}` ends before it begins", "write the shorter time first"
        )
    if most > LONGEST_THINK_MS:
        raise FieldError("value/duration", f"`{value}` is too long", "write at most `10m`")
    return least, most


def _contained(value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(
            "document/wrong-type",
            f"`{shown(value)}` is {kind_of(value)}; it must be text",
            "put it in quotes" if isinstance(value, (bool, int, float)) else "write text",
        )
    if not value:
        raise FieldError("value/empty", "the text is empty", "write something, or remove the key")
    return value


_HOLE = rf"\{{\{{\s*{VALUE_NAME}\s*\}}\}}"
_STEP_PATH = rf"/(?:{_HOLE}|[^\s{{]|\{{(?!\{{\s*{VALUE_NAME}\s*\}}\}}))*"
STEP_PATH = Scalar(
    f.matching(_STEP_PATH, "value/path", "the path of a request", "write `/products`"),
    f.pattern(_STEP_PATH),
)
VALUE = Scalar(
    f.matching(
        VALUE_NAME, "value/name", "the name of a value", "write letters, digits and `_`: `order`"
    ),
    f.pattern(VALUE_NAME),
)


def _processes(value: Any) -> int:
    if value == "auto":
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PROCESSES:
        raise FieldError(
            "value/number",
            f"`{shown(value)}` is not a number of processes",
            f"write a whole number from 1 to {MOST_PROCESSES}, or `auto`",
        )
    return value


PROCESSES = Scalar(
    _processes,
    {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": MOST_PROCESSES}]},
)
UNDER = Scalar(_under, f.DURATION.schema)
THINK = Scalar(
    _think,
    {
        "anyOf": [
            {"type": "string", "pattern": rf"^\s*{_TIME}\s*(?:\.\.\s*{_TIME}\s*)?$"},
            {"const": 0},
        ],
        "examples": ["1s", "0.5s..2s"],
    },
)
CONTAINED = Scalar(_contained, {"type": "string", "minLength": 1})
