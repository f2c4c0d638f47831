"""What each rung waited for: bounds that always hold the gap, the slowest, and the floor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.kpi.ladder_gaps import NOTICED, Settings, as_it_was, with_gaps
from gameday.model.report import Rung, State

KNOWN = Settings(
    scrape_ms=15_000, evaluation_ms=15_000, for_ms=60_000, group_wait_ms=20_000, window_ms=300_000
)


def rung(name: str, since_ms: int | None) -> Rung:
    state = State.NOT_MEASURED if since_ms is None else State.MEASURED
    return Rung(name=name, state=state, since_ms=since_ms, error_ms=0, why="")


def ladder(**times: int | None) -> dict[str, Rung]:
    rungs = [rung("on", 0), *(rung(name, at) for name, at in times.items())]
    return {r.name: r for r in with_gaps(rungs, KNOWN)}


def parts(one: Rung) -> dict[str, tuple[int, int]]:
    return {p.name: (p.least_ms, p.most_ms) for p in one.parts}


def test_each_gap_is_split_by_the_settings() -> None:
    found = ladder(pending=50_000, firing=110_000, delivered=130_040, acknowledged=150_000)

    assert (found["pending"].after, found["pending"].gap_ms) == ("on", 50_000)
    assert parts(found["pending"]) == {
        "scrape": (0, 15_000), "window": (20_000, 50_000), "evaluation": (0, 15_000),
    }  # fmt: skip
    assert parts(found["firing"]) == {"for": (60_000, 60_000)}
    assert parts(found["delivered"]) == {"group_wait": (20_000, 20_000), "sending": (40, 40)}
    assert [r.name for r in found.values() if r.slowest] == ["firing"]


def test_a_group_that_was_there_already_was_not_waited_for() -> None:
    found = ladder(pending=1_000, firing=61_000, delivered=64_000)

    assert parts(found["delivered"]) == {"group_interval": (0, 3_000), "sending": (0, 3_000)}
    assert as_it_was(KNOWN, list(found.values())).floor_ms == 60_000
    waited = ladder(pending=1_000, firing=61_000, delivered=81_000)
    assert as_it_was(KNOWN, list(waited.values())).floor_ms == 80_000


def test_what_was_not_measured_has_no_gap_and_breaks_the_chain() -> None:
    found = ladder(pending=1_000, firing=None, delivered=64_000)

    assert found["firing"].gap_ms is None
    assert (found["delivered"].gap_ms, found["delivered"].after) == (None, "")


def test_what_is_not_known_is_not_split() -> None:
    rungs = [rung("on", 0), rung("pending", 5_000), rung("firing", 9_000), rung("delivered", 9_100)]

    assert all(not r.parts for r in with_gaps(rungs, Settings()))
    assert Settings().floor_ms is None
    assert Settings().floor_text == ""


def test_the_floor_is_what_the_settings_make_certain() -> None:
    assert KNOWN.floor_ms == 80_000
    assert KNOWN.floor_text == (
        "cannot be faster than 1 min 20 s: 1 min `for`, 20 s group wait; on top up to 15 s until "
        "the next scrape and 15 s until the next evaluation; its query looks back over 5 min"
    )
    at_once = replace(KNOWN, for_ms=0, group_wait_ms=0, scrape_ms=None, window_ms=None)
    assert at_once.floor_text == "no set delay; on top up to 15 s until the next evaluation"


@given(st.lists(st.integers(0, 500_000), min_size=4, max_size=4), st.data())
def test_the_parts_of_a_gap_can_always_make_it_up(times: list[int], data: Any) -> None:
    ms = st.none() | st.integers(0, 120_000)
    settings = Settings(
        scrape_ms=data.draw(ms), evaluation_ms=data.draw(ms), for_ms=data.draw(ms),
        group_wait_ms=data.draw(ms),
    )  # fmt: skip
    rungs = [rung("on", 0), *map(rung, NOTICED, sorted(times))]
    found = with_gaps(rungs, settings)

    for one in found:
        if one.parts:
            least = sum(p.least_ms for p in one.parts)
            assert least <= (one.gap_ms or 0) <= sum(p.most_ms for p in one.parts)
            assert all(0 <= p.least_ms <= p.most_ms for p in one.parts)
    assert sum(r.gap_ms or 0 for r in found) == max(times)
    assert any(r.slowest for r in found) == (max(times) > 0)


@pytest.mark.parametrize("name", ["steady", "resolved"])
def test_recovery_is_counted_from_the_fault_off(name: str) -> None:
    found = ladder(off=20_000, **{name: 26_000})

    assert (found[name].after, found[name].gap_ms, found[name].slowest) == ("off", 6_000, False)
