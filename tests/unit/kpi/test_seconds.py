"""Whole seconds of a load that several workers make."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.kpi.seconds import WholeSeconds
from gameday.model.window import Tick


def told(whole: WholeSeconds, *ticks: tuple[int, str]) -> list[tuple[int, str]]:
    """The seconds given out, with the names of their workers."""
    return [
        (second, "".join(sorted(t.worker for t in found)))
        for second, worker in ticks
        for second, found in whole.feed(Tick(second=second, worker=worker))
    ]


def test_of_one_worker_a_second_is_whole_with_the_next() -> None:
    assert told(WholeSeconds(), (3, "a"), (4, "a"), (5, "a")) == [(3, "a"), (4, "a")]


def test_a_second_waits_for_the_slower_worker() -> None:
    ticks = [(0, "a"), (0, "b"), (1, "a"), (2, "a"), (1, "b"), (2, "b"), (3, "b"), (3, "a")]
    assert told(WholeSeconds(), *ticks) == [(0, "ab"), (1, "ab"), (2, "ab")]


def test_a_worker_that_falls_behind_is_not_waited_for() -> None:
    ticks = [(0, "a"), (0, "b"), (1, "a"), (2, "a"), (3, "a"), (1, "b"), (4, "a")]
    assert told(WholeSeconds(), *ticks) == [(0, "ab"), (1, "a"), (2, "a")]


def test_a_worker_that_is_gone_holds_nothing_up() -> None:
    ticks = [(0, "a"), (0, "b"), *((second, "a") for second in range(1, 9))]
    assert told(WholeSeconds(), *ticks)[-1] == (7, "a")


def test_now_is_the_newest_of_each() -> None:
    whole = WholeSeconds()
    told(whole, (0, "a"), (0, "b"), (0, "c"), (1, "a"), (2, "a"), (1, "b"))
    assert sorted((t.worker, t.second) for t in whole.now()) == [("a", 2), ("b", 1)]


@settings(max_examples=60, deadline=None)
@given(workers=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_no_second_comes_twice_or_without_a_worker_that_is_a_little_late(
    workers: int, seed: int
) -> None:
    rng = random.Random(seed)
    names = "abcde"[:workers]
    # each tick comes up to 0.9 s after its second has ended
    sent = sorted((second + rng.uniform(0, 0.9), second, n) for second in range(12) for n in names)
    found = told(WholeSeconds(), *((second, name) for _, second, name in sent))
    assert found == [(second, names) for second in range(len(found))]
    assert len(found) >= 10
