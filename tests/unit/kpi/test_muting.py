"""Time intervals as Alertmanager means them, and the stretches in which routes are silent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gameday.kpi.muting import Muted, intervals_of, muted_now, mutings
from gameday.kpi.routing import RouteNode, RoutingError

MINUTE = 60_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def holds(part: dict[str, Any], at: str) -> bool:
    (made,) = intervals_of({"time_intervals": [{"name": "n", "time_intervals": [part]}]})["n"]
    return made.holds(ms(at))


def times(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"times": [{"start_time": a, "end_time": b} for a, b in pairs]}


# 2026-11-22 is a Sunday, 2024-02-29 a Thursday
@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        ({}, ["2026-11-22 00:00", "1999-01-01 12:00"], []),
        (times(("09:00", "17:00")), ["2026-11-22 09:00", "2026-11-22 16:59:59"],
         ["2026-11-22 08:59:59", "2026-11-22 17:00"]),
        (times(("00:00", "06:00"), ("22:00", "24:00")), ["2026-11-22 23:59:59", "2026-11-22 00:00"],
         ["2026-11-22 06:00", "2026-11-22 21:59"]),
        ({"weekdays": ["monday:friday"]}, ["2026-11-23 12:00", "2026-11-27 12:00"],
         ["2026-11-22 12:00", "2026-11-28 12:00"]),
        ({"weekdays": ["Sunday", "saturday"]}, ["2026-11-22 12:00", "2026-11-28 12:00"],
         ["2026-11-23 12:00"]),
        ({"weekdays": ["sunday:tuesday"]}, ["2026-11-22 12:00", "2026-11-24 12:00"],
         ["2026-11-25 12:00"]),
        ({"days_of_month": ["1:5"]}, ["2026-11-01 00:00", "2026-11-05 23:59"],
         ["2026-11-06 00:00", "2026-11-30 00:00"]),
        ({"days_of_month": ["-1"]}, ["2024-02-29 12:00", "2023-02-28 12:00", "2026-11-30 12:00"],
         ["2024-02-28 12:00", "2026-11-29 12:00"]),
        ({"days_of_month": ["-3:-1"]}, ["2026-11-28 12:00", "2026-12-29 12:00"],
         ["2026-11-27 12:00", "2026-12-28 12:00"]),
        ({"days_of_month": ["28:-1"]}, ["2026-11-28 12:00", "2026-11-30 12:00"],
         ["2026-11-27 12:00"]),
        ({"days_of_month": ["29:31"]}, ["2026-11-30 12:00", "2024-02-29 12:00"],
         ["2023-02-28 12:00"]),
        ({"days_of_month": ["-31:2"]}, ["2023-02-01 12:00", "2023-02-02 12:00"],
         ["2023-02-03 12:00"]),
        ({"days_of_month": ["7", "10:12"]}, ["2026-11-07 12:00", "2026-11-11 12:00"],
         ["2026-11-08 12:00"]),
        ({"months": ["1:3", "May", "june:august", "12"]},
         ["2026-02-01 12:00", "2026-05-01 12:00", "2026-07-01 12:00", "2026-12-31 12:00"],
         ["2026-04-30 12:00", "2026-09-01 12:00"]),
        ({"years": ["2020:2022", "2030"]}, ["2021-06-01 12:00", "2030-01-01 00:00"],
         ["2023-01-01 00:00", "2029-12-31 23:59"]),
        ({**times(("09:00", "10:00")), "weekdays": ["monday"]}, ["2026-11-23 09:30"],
         ["2026-11-22 09:30", "2026-11-23 10:30"]),
        # Berlin is an hour ahead of UTC in winter, two in summer
        ({**times(("09:00", "10:00")), "location": "Europe/Berlin"},
         ["2026-11-22 08:30", "2026-07-22 07:30"], ["2026-11-22 09:30", "2026-07-22 08:30"]),
        ({"weekdays": ["monday"], "location": "Australia/Sydney"}, ["2026-11-22 14:00"],
         ["2026-11-22 12:59", "2026-11-23 13:01"]),
        ({**times(("02:00", "03:00")), "location": "Europe/Berlin"},  # which is there twice
         ["2026-10-25 00:30", "2026-10-25 01:30"], ["2026-10-25 02:00"]),
        ({**times(("09:00", "10:00")), "location": "UTC"}, ["2026-11-22 09:30"], []),
        ({"times": [], "weekdays": None}, ["2026-11-22 09:30"], []),
    ],
)  # fmt: skip
def test_a_part_holds(part: dict[str, Any], inside: list[str], outside: list[str]) -> None:
    assert [at for at in inside if not holds(part, at)] == []
    assert [at for at in outside if holds(part, at)] == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"time_intervals": "x"}, "`time_intervals` cannot be read"),
        ({"time_intervals": ["x"]}, "`time_intervals` has an entry"),
        ({"time_intervals": [{"name": "n", "time_intervals": ["x"]}]}, "`n` has an entry"),
        ({"time_intervals": [{"name": "n", "time_intervals": [times(("9", "10:00"))]}]}, "a time"),
        ({"time_intervals": [{"name": "n", "time_intervals": [{"times": [7]}]}]}, "a time"),
        (
            {"time_intervals": [{"name": "n", "time_intervals": [{"weekdays": ["funday"]}]}]},
            "`funday` of the time interval `n`",
        ),
        (
            {"mute_time_intervals": [{"name": "n", "time_intervals": [{"years": ["a:b"]}]}]},
            "`a:b` of the time interval `n`",
        ),
    ],
)
def test_what_cannot_be_read_is_said(config: dict[str, Any], words: str) -> None:
    with pytest.raises(RoutingError, match=words):
        intervals_of(config)


@pytest.mark.parametrize("zone", ["Local", "Mars/Olympus", "../etc/passwd"])
def test_a_zone_that_is_not_known_is_no_answer(zone: str) -> None:
    with pytest.raises(RoutingError, match="time zone"):
        holds({**times(("09:00", "10:00")), "location": zone}, "2026-11-22 09:30")


NAMED = intervals_of(
    {
        "mute_time_intervals": [{"name": "old", "time_intervals": [{"years": ["2001"]}]}],
        "time_intervals": [
            {
                "name": "nights",
                "time_intervals": [times(("22:00", "24:00")), times(("00:00", "06:00"))],
            },
            {"name": "office", "time_intervals": [{**times(("09:00", "17:00"))}]},
            {"name": "empty", "time_intervals": []},
        ],
    }
)  # fmt: skip


def route(mute: tuple[str, ...] = (), active: tuple[str, ...] = ()) -> RouteNode:
    return RouteNode(receiver="pager", mute=mute, active=active)


def test_a_route_is_muted_in_one_of_its_intervals_or_outside_of_all_active_ones() -> None:
    def said(node: RouteNode, at: str) -> str:
        return muted_now(node, NAMED, ms(at))

    night, noon = "2026-11-22 23:00", "2026-11-22 12:00"
    both = route(mute=("old", "nights"))
    assert said(both, night) == "muted by the time interval `nights`"
    assert said(both, noon) == ""
    day = route(active=("office", "old"))
    assert said(day, night) == "muted outside of its active time interval `office`, `old`"
    assert said(day, noon) == ""
    assert said(route(active=("empty",)), noon).startswith("muted outside")
    assert said(route(mute=("empty",)), noon) == ""
    assert said(route(), night) == ""
    with pytest.raises(RoutingError, match="no time interval `weekends`"):
        said(route(mute=("weekends",)), noon)


def test_the_stretches_of_a_run() -> None:
    night, day = route(mute=("nights",)), route(active=("office",))
    start, end = ms("2026-11-22 21:58:30"), ms("2026-11-22 22:01:10")
    ten = ms("2026-11-22 22:00")
    why = "muted by the time interval `nights`"
    assert mutings([night], NAMED, start, end) == (Muted(start_ms=ten, end_ms=end, why=why),)
    assert mutings([night], NAMED, start, ten) == ()
    assert mutings([night], NAMED, ten, ten) == (Muted(start_ms=ten, end_ms=ten + 1, why=why),)
    assert mutings([night, route()], NAMED, start, end) == (), "another route tells"
    assert mutings([night, day], NAMED, start, end) == (Muted(start_ms=ten, end_ms=end, why=why),)
    six = ms("2026-11-23 06:00")
    (whole,) = mutings([night], NAMED, ten, six + MINUTE)
    assert (whole.start_ms, whole.end_ms) == (ten, six)
    weeks = mutings([day], NAMED, ten, ten + 100 * 24 * 60 * MINUTE)
    assert sum(m.end_ms - m.start_ms for m in weeks) <= 8 * 24 * 60 * MINUTE, "bounded"
