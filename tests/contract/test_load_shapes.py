"""Arrivals whose rate changes, started by a real load process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from load_support import Server, journey, running

from gameday.model.scenario import LoadSpec
from gameday.model.shape import Stretch, arrivals_between


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def spec(**rate: object) -> LoadSpec:
    whole: dict[str, object] = {
        "target": "shop", "timeout_ms": 3_000, "journeys": (journey("all", "/a"),), **rate,
    }  # fmt: skip
    return LoadSpec(**whole)  # type: ignore[arg-type]


def test_arrivals_follow_ramps_and_spikes_second_by_second(server: Server, tmp_path: Path) -> None:
    shape = (
        Stretch(from_per_s=0, to_per_s=120, length_ms=2_000),
        Stretch(from_per_s=300, to_per_s=300, length_ms=500),
        Stretch(from_per_s=120, to_per_s=30, length_ms=1_500),
        Stretch(from_per_s=30, to_per_s=30),
    )
    with running(spec(shape=shape), server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        server.stall = (run.mono_s(begin + 1.5), run.mono_s(begin + 2.2))  # changes nothing
        run.heard.wait_second(begin + 4)
        facts = run.load.stop()

    by_second = run.heard.counts("second")
    for second in range(5):  # by the intended start, which no stall moves
        asked = arrivals_between(shape, second * 1_000, (second + 1) * 1_000)
        assert abs(by_second[begin + second] - asked) <= 1, (second, by_second)
    total = sum(by_second[begin + second] for second in range(5))
    assert total == pytest.approx(arrivals_between(shape, 0, 5_000), rel=0.01)
    assert facts["asked"] == facts["started"] == sum(by_second.values())
    assert server.seen["/a"] == facts["asked"]


def test_being_told_a_rate_again_and_again_loses_and_doubles_nothing(
    server: Server, tmp_path: Path
) -> None:
    with running(spec(arrivals_per_s=40), server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        for second in range(begin, begin + 3):
            for _ in range(20):
                run.load.set_rate(40)
            run.heard.wait_second(second)
        run.load.stop()

    by_second = run.heard.counts("second")
    assert sum(by_second[begin + second] for second in range(3)) == pytest.approx(120, abs=1)


def test_a_rate_from_outside_takes_the_place_of_the_rest_of_the_shape(
    server: Server, tmp_path: Path
) -> None:
    end = Stretch(from_per_s=10, to_per_s=10)
    shape = (Stretch(from_per_s=10, to_per_s=20, length_ms=2_500), end)
    with running(spec(shape=shape), server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        run.load.set_rate(80)
        run.heard.wait_second(begin + 3)
        run.load.stop()

    by_second = run.heard.counts("second")
    assert 11 <= by_second[begin] <= 13  # 10 to 14 a second
    assert by_second[begin + 2] == pytest.approx(80, abs=1)
    assert by_second[begin + 3] == pytest.approx(80, abs=1)


def test_poisson_arrivals_are_uneven_and_the_seed_decides_where_they_are(
    server: Server, tmp_path: Path
) -> None:
    asked = spec(arrivals_per_s=100, spread="poisson")
    seconds = []
    for name in ("first", "again"):
        with running(asked, server.url, tmp_path / name) as run:
            begin = run.facts["first_second"]
            run.heard.wait_second(begin + 3)
            facts = run.load.stop()
        by_second = run.heard.counts("second")
        assert facts["asked"] == sum(by_second.values())
        seconds.append([by_second[begin + second] for second in range(4)])

    assert seconds[0] == seconds[1]
    assert len(set(seconds[0])) > 1
    assert 300 < sum(seconds[0]) < 500  # five standard deviations around 400
