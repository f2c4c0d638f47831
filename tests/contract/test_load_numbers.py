"""The numbers of the load are the truth: against a server that counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from load_support import Recorder, Server, journey, running

from gameday.model.histogram import count, quantile_ms
from gameday.model.scenario import Journey, LoadSpec, RequestStep


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def test_every_request_is_counted_once_where_it_belongs(server: Server, tmp_path: Path) -> None:
    buy = RequestStep(method="POST", path="/c", name="pay", json={"sku": "A1"})
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=120,
        timeout_ms=5_000,
        journeys=(
            journey("browse", "/a", weight=3),
            Journey(name="buy", steps=(*journey("", "/b").steps, buy)),
        ),
    )
    with running(spec, server.url, tmp_path) as run:
        first = run.facts["first_second"]
        run.heard.wait_second(first + 1)
        facts = run.load.stop()
        assert run.load.stop() == facts

    heard = run.heard
    assert heard.counts("name") == {
        "/a": server.seen["/a"], "/b": server.seen["/b"], "pay": server.seen["/c"],
    }  # fmt: skip
    assert set(heard.counts("outcome", "edge")) == {("ok", False)}
    # exactly the asked rate in each whole second, split exactly by weight; a second step begins
    # when the first is answered, on a busy machine in the next second
    by_second = heard.counts("second", "journey", "name")
    for second in (first, first + 1):
        assert by_second[second, "browse", "/a"] == 90
        assert by_second[second, "buy", "/b"] == 30
    assert server.seen["/b"] == server.seen["/c"]
    arrivals = server.seen["/a"] + server.seen["/b"]
    assert facts == {"asked": arrivals, "started": arrivals, "unserved": 0, "exit_code": 0}
    assert not heard.lost
    assert set(server.bodies) == {b'{"sku":"A1"}'}
    assert [t.second for t in heard.ticks] == list(range(first, first + len(heard.ticks)))
    assert sum(count(t.start_lag) for t in heard.ticks) == arrivals
    assert server.connections < 60  # of 670 users: the last idle one comes first
    assert all(0 < t.cpu_share < 2 for t in heard.ticks)
    assert run.facts["version"].startswith("locust 2.")


def test_closed_users_wait_for_the_answer_and_spread_their_start(
    server: Server, tmp_path: Path
) -> None:
    spec = LoadSpec(
        target="shop",
        users=10,
        think_ms=200,
        timeout_ms=3_000,
        journeys=(journey("browse", "/a", weight=3), journey("buy", "/b")),
    )
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin + 1)
        run.load.set_users(15)
        server.stall = (0.0, run.mono_s(begin + 3.8))
        stalled = run.heard.wait_second(begin + 2)
        run.load.stop()

    assert stalled.in_flight == stalled.users == 15
    assert run.heard.ticks[0].asked == 0
    names = run.heard.counts("name")
    assert names == Counter(server.seen)
    assert names["/a"] / names["/b"] == pytest.approx(3, rel=0.2)
    # ten users, one request each 0.2 s, the first ones spread over a second
    first = sum(n for (s, _), n in run.heard.counts("second", "name").items() if s == begin)
    assert 10 <= first <= 45


def test_requests_at_an_edge_are_marked(server: Server, tmp_path: Path) -> None:
    spec = LoadSpec(
        target="shop", arrivals_per_s=50, timeout_ms=3_000, journeys=(journey("all", "/a"),)
    )
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        server.stall = (run.mono_s(begin + 0.5), run.mono_s(begin + 1.9))
        run.heard.wait_second(begin)
        run.load.edge(opening=True)  # what is under way now, some of it begun a second ago
        run.load.edge(opening=True)
        run.load.edge(opening=False)
        run.heard.wait_second(begin + 1)
        run.load.edge(opening=False)  # edges nest: only now is the last one closed
        run.heard.wait_second(begin + 3)
        run.load.stop()

    marked = run.heard.counts("second", "edge")
    assert marked[begin, False] == pytest.approx(25, abs=10)  # answered before the stall
    assert marked[begin, True] == 50 - marked[begin, False]
    assert marked[begin + 1, False] == 0
    assert marked[begin + 1, True] == 50
    assert marked[begin + 3, True] == 0
    assert marked[begin + 3, False] == 50


@pytest.mark.slow
def test_the_rate_can_be_changed(server: Server, tmp_path: Path) -> None:
    spec = LoadSpec(
        target="shop", arrivals_per_s=0.5, timeout_ms=1_000, journeys=(journey("all", "/a"),)
    )
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        run.load.set_rate(100)
        run.heard.wait_second(begin + 1)
        run.load.stop()
    by_second = run.heard.counts("second")
    assert by_second[begin] == 1
    assert 80 <= by_second[begin + 1] <= 100


def test_what_is_not_answered_at_the_end_is_not_forgotten(server: Server, tmp_path: Path) -> None:
    spec = LoadSpec(
        target="shop", arrivals_per_s=20, timeout_ms=500, journeys=(journey("all", "/slow"),)
    )
    with running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        facts = run.load.stop()
    heard: Recorder = run.heard
    assert heard.counts("outcome") == {"timeout": facts["asked"]}
    assert quantile_ms(heard.response(outcome="timeout"), 0.5) == pytest.approx(500, abs=150)
