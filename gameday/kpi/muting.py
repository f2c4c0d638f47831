"""When a route of Alertmanager tells nobody: its time intervals, evaluated here. Pure.

As Alertmanager does: a named interval holds where any of its parts holds, a part where each of its
fields does, and a field that is not there holds always. Without a `location` times are UTC.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gameday.kpi.routing import RouteNode, RoutingError

MINUTE_MS = 60_000
#: Longer than this nothing is looked ahead; every interval of hours and weekdays is met in it.
MAX_MINUTES = 8 * 24 * 60

#: From and to, both in it. Days of a month may count from its end, which is -1.
_Range: TypeAlias = tuple[int, int]
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a named interval; None holds always. `times` are minutes, the end not in it."""

    times: tuple[_Range, ...] | None = None
    weekdays: tuple[_Range, ...] | None = None  # Sunday is 0
    days: tuple[_Range, ...] | None = None
    months: tuple[_Range, ...] | None = None
    years: tuple[_Range, ...] | None = None
    zone: str = "UTC"

    def holds(self, at_wall_ms: float) -> bool:
        """Whether this moment is in it. Raises `RoutingError` for a zone that is not known here."""
        at = datetime.fromtimestamp(at_wall_ms / 1000, _zone(self.zone))
        minute = at.hour * 60 + at.minute
        length = monthrange(at.year, at.month)[1]
        return (
            (self.times is None or any(a <= minute < b for a, b in self.times))
            and (self.days is None or any(_on_day(one, at.day, length) for one in self.days))
            and _in(self.months, at.month)
            and _in(self.weekdays, at.isoweekday() % 7)
            and _in(self.years, at.year)
        )


#: Name -> its parts.
Intervals: TypeAlias = Mapping[str, tuple[Part, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """A stretch [start, end) in which a route tells nobody, and why; wall ms."""

    start_ms: int
    end_ms: int
    why: str


def intervals_of(config: Mapping[str, Any]) -> Intervals:
    """The named intervals of a configuration, read from YAML. Raises `RoutingError`.

    They stand under `time_intervals`, and in older configurations under `mute_time_intervals`.
    """
    found: dict[str, tuple[Part, ...]] = {}
    for key in ("mute_time_intervals", "time_intervals"):
        for one in _list(config.get(key), key):
            if not isinstance(one, Mapping):
                raise RoutingError(f"`{key}` has an entry that is no mapping")
            name = str(one.get("name"))
            parts = _list(one.get("time_intervals"), name)
            found[name] = tuple(_part(part, name) for part in parts)
    return found


def muted_now(node: RouteNode, intervals: Intervals, at_wall_ms: float) -> str:
    """Why the route tells nobody at this moment; empty if it does. Raises `RoutingError`."""
    if node.active and not any(_holds(name, intervals, at_wall_ms) for name in node.active):
        return f"muted outside of its active time interval {_names(node.active)}"
    held = [name for name in node.mute if _holds(name, intervals, at_wall_ms)]
    return f"muted by the time interval {_names(held[:1])}" if held else ""


def mutings(
    nodes: Sequence[RouteNode], intervals: Intervals, start_ms: float, end_ms: float
) -> tuple[Muted, ...]:
    """The stretches of [start, end] in which none of the routes tells anybody, in order.

    Intervals and the offsets of zones change on whole minutes, so one look a minute is exact.
    Raises `RoutingError` where an interval or its zone is not known.
    """
    if not any(node.mute or node.active for node in nodes):
        return ()
    found: list[Muted] = []
    for at, until in _minutes(start_ms, end_ms):
        said = [muted_now(node, intervals, at) for node in nodes]
        if not all(said):
            continue
        goes_on = found and (found[-1].end_ms, found[-1].why) == (at, said[0])
        begun = found.pop().start_ms if goes_on else at
        found.append(Muted(start_ms=begun, end_ms=until, why=said[0]))
    return tuple(found)


def _minutes(start_ms: float, end_ms: float) -> Iterator[tuple[int, int]]:
    """The stretch in pieces that end on whole minutes; one piece where it has no length."""
    at, end = int(start_ms), max(int(end_ms), int(start_ms) + 1)
    for _ in range(MAX_MINUTES):
        until = min(at - at % MINUTE_MS + MINUTE_MS, end)
        yield at, until
        if until == end:
            return
        at = until


def _holds(name: str, intervals: Intervals, at_wall_ms: float) -> bool:
    if name not in intervals:
        raise RoutingError(f"there is no time interval `{name}`")
    return any(part.holds(at_wall_ms) for part in intervals[name])


def _in(ranges: tuple[_Range, ...] | None, value: int) -> bool:
    return ranges is None or any(a <= value <= b for a, b in ranges)


def _on_day(one: _Range, day: int, length: int) -> bool:
    first, last = (length + at + 1 if at < 0 else at for at in one)
    return first <= day <= last


def _zone(name: str) -> Any:
    """`Local` is the zone of the machine on which Alertmanager runs, of which nothing is known."""
    if name in ("", "UTC"):
        return UTC
    try:
        if name == "Local":
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RoutingError(f"the time zone `{name}` of a time interval is not known here") from None


def _part(raw: Any, name: str) -> Part:
    if not isinstance(raw, Mapping):
        raise RoutingError(f"the time interval `{name}` has an entry that is no mapping")

    def ranges(key: str, read: Callable[[str], int]) -> tuple[_Range, ...] | None:
        return tuple(_range(str(one), read, name) for one in _list(raw.get(key), name)) or None

    return Part(
        times=tuple(_times(one, name) for one in _list(raw.get("times"), name)) or None,
        weekdays=ranges("weekdays", _named(_DAYS, from_=0)),
        days=ranges("days_of_month", int),
        months=ranges("months", _named(_MONTHS, from_=1)),
        years=ranges("years", int),
        zone=str(raw.get("location") or "UTC"),
    )


def _list(raw: Any, what: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise RoutingError(f"the time interval `{what}` cannot be read")
    return raw


def _range(text: str, read: Callable[[str], int], name: str) -> _Range:
    """`1:5`, or one value for both ends."""
    first, _, last = text.strip().lower().partition(":")
    try:
        return read(first), read(last or first)
    except ValueError:
        raise RoutingError(f"`{text}` of the time interval `{name}` cannot be read") from None


def _named(names: Sequence[str], *, from_: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        return names.index(text) + from_ if text in names else int(text)

    return read


def _times(raw: Any, name: str) -> _Range:
    ends = (raw.get("start_time"), raw.get("end_time")) if isinstance(raw, Mapping) else ()
    minutes = [_minute_of(str(one)) for one in ends]
    if len(minutes) != 2 or None in minutes:
        raise RoutingError(f"a time of the time interval `{name}` cannot be read")
    return minutes[0] or 0, minutes[1] or 0


def _minute_of(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    return 24 * 60 if found[1] is None else 60 * int(found[1]) + int(found[2])


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
