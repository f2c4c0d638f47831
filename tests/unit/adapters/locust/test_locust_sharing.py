"""Shares of a load: all together are exactly, arrival for arrival, what one worker would make."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.adapters.locust.agent_feeds import Feeds
from gameday.adapters.locust.pacing import Schedule
from gameday.adapters.locust.sharing import (
    AUTO,
    Arrivals,
    Share,
    processes_for,
    processes_here,
)
from gameday.model.scenario import Feeder, LoadSpec
from gameday.model.shape import Stretch

SECOND = 1_000_000_000
Change = tuple[int, float]  # at ns, per second
Row = tuple[int, int, Any]  # due ns, journey, rows

rates = st.floats(0.5, 200)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Stretch, ...]:
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        low, high = draw(st.floats(0, 200)), draw(rates)
        length = draw(st.integers(1, 3_000))
        parts.append(Stretch(from_per_s=low, to_per_s=high, length_ms=length))
    last = draw(rates)
    return (*parts, Stretch(from_per_s=last, to_per_s=last))


weights = st.one_of(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.lists(st.floats(0.1, 9), min_size=1, max_size=4),
    st.just([9_999, 5_000]),
)


def walked(
    shape: tuple[Stretch, ...],
    weighing: list[float],
    share: Share,
    *,
    spread: str = "even",
    change: Change | None = None,
    told_ns: int = 0,
    data: dict[str, Feeder] | None = None,
    until: int = 200,
) -> list[Row]:
    """What a worker with *share* starts of the first *until* arrivals."""
    schedule = Schedule(shape, start_ns=SECOND, spread=spread, rng=random.Random(4))  # type: ignore[arg-type]
    feeds = Feeds(data or {}, 4)
    names = [[name for name in data or {} if (number + len(name)) % 2] for number in range(9)]
    rows = (lambda journey: feeds.rows(names[journey])) if data else None
    own = Arrivals(schedule, weighing, share, rows)
    found: list[Row] = []
    number = share.index
    while number < until:
        if change is not None and own.due_ns > told_ns:
            own.change(change[1], change[0])
            change = None
            continue
        found.append((own.due_ns, own.journey, own.rows))
        own.advance()
        number += share.of
    return found


@settings(max_examples=150, deadline=None)
@given(
    shape=shapes(),
    weighing=weights,
    of=st.integers(1, 7),
    spread=st.sampled_from(["even", "poisson"]),
    change=st.none() | st.tuples(st.integers(SECOND, 5 * SECOND), rates),
    told=st.lists(st.floats(0, 1), min_size=8, max_size=8),
    fed=st.booleans(),
)
def test_all_shares_are_what_one_worker_would_do(  # noqa: PLR0917 - drawn
    shape: tuple[Stretch, ...],
    weighing: list[float],
    of: int,
    spread: str,
    change: Change | None,
    told: list[float],
    fed: bool,
) -> None:
    values = tuple(str(n) for n in range(50))
    data = {
        "a": Feeder(csv="a.csv", column="a", pick="unique", values=values),
        "bb": Feeder(csv="b.csv", column="b", pick="random", values=values),
        "c": Feeder(csv="a.csv", column="c", pick="sequential", values=values),
    } if fed else None  # fmt: skip
    at = change[0] if change else 0

    def by(index: int, of: int) -> list[Row]:
        # each is told at a time of its own, before the change is due
        return walked(
            shape, weighing, Share(index=index, of=of), spread=spread, change=change,
            told_ns=int(at * told[index]), data=data,
        )  # fmt: skip

    whole = by(0, 1)
    shared = [by(index, of) for index in range(of)]
    assert sum(map(len, shared)) == len(whole) == 200
    for number, arrival in enumerate(whole):
        assert shared[number % of][number // of] == arrival


@given(n=st.integers(0, 1_000), of=st.integers(1, 50))
def test_users_are_divided(n: int, of: int) -> None:
    parts = [Share(index=index, of=of).users(n) for index in range(of)]
    assert sum(parts) == n
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


@pytest.mark.parametrize("pick", ["unique", "sequential"])
def test_closed_users_of_several_workers_never_draw_the_same_row(pick: str) -> None:
    data = {"a": Feeder(csv="a.csv", column="a", pick=pick, values=tuple("0123456"))}
    feeds = [Feeds(data, 1, Share(index=index, of=3)) for index in range(3)]
    drawn = [one.draw(["a"])["a"] for _ in range(2) for one in feeds]
    assert drawn == list("012345")


def test_a_share_is_read() -> None:
    assert Share.read(None) == Share(index=0, of=1)
    assert Share.read({"index": 2, "of": 3, "later": 1}) == Share(index=2, of=3)
    for wrong in (
        {"index": 3, "of": 3},
        {"index": -1, "of": 3},
        {"index": 0},
        {"index": True, "of": 2},
    ):
        with pytest.raises(ValueError, match="share"):
            Share.read(wrong)


@pytest.mark.parametrize(
    ("spec", "by_rate", "on_two_cores", "on_eight"),
    [
        ({"arrivals_per_s": 100.0}, 1, 1, 1),
        ({"arrivals_per_s": 4_000.0}, 1, 1, 1),
        ({"arrivals_per_s": 4_001.0}, 2, 1, 2),
        ({"arrivals_per_s": 600.0, "locustfile": "x.py"}, 2, 1, 2),
        ({"arrivals_per_s": 60_000.0}, 15, 1, 7),
        ({"users": 50}, 1, 1, 1),
        ({"shape": (Stretch(from_per_s=0, to_per_s=9_000, length_ms=1_000),)}, 3, 1, 3),
        ({"arrivals_per_s": 10.0, "processes": 3}, 3, 3, 3),
    ],
)
def test_processes(spec: dict[str, Any], by_rate: int, on_two_cores: int, on_eight: int) -> None:
    load = LoadSpec(target="x", **{"processes": AUTO, **spec})
    assert processes_for(load) == by_rate
    assert processes_here(load, cores=2) == on_two_cores
    assert processes_here(load, cores=8) == on_eight
