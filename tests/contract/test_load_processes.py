"""One load made by several processes: what one would do, and what happens when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from load_support import Recorder, Server, alive, journey, running

from gameday.adapters.locust.driver import LocustLoad
from gameday.errors import NoEffectError
from gameday.model.histogram import count
from gameday.model.scenario import Feeder, LoadSpec, RequestStep
from gameday.model.shape import Stretch

SHAPE = (Stretch(from_per_s=40, to_per_s=200, length_ms=1_500), Stretch(from_per_s=90, to_per_s=90))
SPEC = LoadSpec(
    target="shop",
    shape=SHAPE,
    timeout_ms=2_000,
    journeys=(journey("browse", "/a", "/b", weight=3), journey("buy", "/c", weight=2)),
)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def by_second(heard: Recorder) -> Counter[tuple[int, str]]:
    """First requests of visits by intended second and journey: what the schedule alone decides."""
    found: Counter[tuple[int, str]] = Counter()
    for cell in heard.cells:
        if cell.name in ("/a", "/c"):
            found[cell.second, cell.journey] += count(cell.response)
    return found


@pytest.mark.parametrize("processes", [1, 4])
def test_counts_streamed_are_counts_sent(server: Server, tmp_path: Path, processes: int) -> None:
    spec = replace(SPEC, processes=processes)
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin + 2)
        facts = run.load.stop()
    heard = run.heard
    assert not heard.lost
    assert facts["exit_code"] == 0
    assert {t.worker for t in heard.ticks} == {str(n) for n in range(processes)}
    assert len(run.facts["workers"]) == len(run.facts["pids"]) == processes
    assert heard.counts("outcome").keys() == {"ok"}
    assert heard.counts("name") == server.seen
    assert facts["asked"] == facts["started"] == server.seen["/a"] + server.seen["/c"]
    # the arrivals of each whole second, journey for journey, are those of the one schedule
    alone = Counter({"browse": 3, "buy": 2})
    first = by_second(heard)
    for second in range(3):
        found = {name: first[begin + second, name] for name in alone}
        total = sum(found.values())
        for name, weight in alone.items():
            assert abs(found[name] - total * weight / 5) <= 1, (second, found)
    assert first[begin + 2, "browse"] + first[begin + 2, "buy"] == 90


def test_each_row_is_used_once_by_all_processes_together(server: Server, tmp_path: Path) -> None:
    step = RequestStep(method="GET", path="/{{ user }}", name="/user")
    other = journey("other", "/a")
    rows = tuple(f"u{n}" for n in range(400))
    spec = replace(
        SPEC,
        shape=(),
        arrivals_per_s=80.0,
        processes=3,
        journeys=(replace(other, name="login", steps=(step,)), other),
        data={"user": Feeder(csv="users.csv", column="name", pick="unique", values=rows)},
    )
    with running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        run.load.stop()
    used = {path[1:]: n for path, n in server.seen.items() if path.startswith("/u")}
    assert len(used) >= 80
    assert set(used.values()) == {1}
    assert sorted(used, key=rows.index) == list(rows[: len(used)])  # no row is left out


def test_closed_users_are_divided(server: Server, tmp_path: Path) -> None:
    spec = replace(SPEC, shape=(), users=7, think_ms=50, processes=3)
    with running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        users = {t.worker: t.users for t in run.heard.ticks}
        run.load.set_users(4)
        run.heard.wait(lambda r: {t.worker: t.users for t in r.ticks} == {"0": 2, "1": 1, "2": 1})
        run.load.stop()
    assert users == {"0": 3, "1": 2, "2": 2}
    assert run.heard.counts("name") == server.seen


def test_nobody_is_started_without_a_user(tmp_path: Path) -> None:
    with running(
        replace(SPEC, shape=(), users=2, processes=4), "http://127.0.0.1:9", tmp_path
    ) as r:
        assert r.facts["users"] == len(r.facts["pids"]) == 2


def test_a_new_rate_is_one_for_all(server: Server, tmp_path: Path) -> None:
    spec = replace(SPEC, shape=(), arrivals_per_s=60.0, processes=3)
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        run.load.set_rate(120)
        changed = run.heard.ticks[-1].second + 2
        run.heard.wait_second(changed + 1)
        facts = run.load.stop()
    first = Counter[int]()
    for (second, _), n in by_second(run.heard).items():
        first[second] += n
    assert first[begin] == 60
    assert first[changed] == first[changed + 1] == 120
    assert facts["asked"] == sum(first.values())


def test_an_edge_is_marked_by_all(server: Server, tmp_path: Path) -> None:
    spec = replace(SPEC, shape=(), arrivals_per_s=80.0, processes=2)
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        run.load.edge(opening=True)
        run.heard.wait_second(begin + 1)
        run.load.edge(opening=False)
        run.load.edge(opening=True)
        run.load.edge(opening=False)
        run.load.stop()
    marked = {t.worker for t in run.heard.ticks if any(c.edge for c in t.cells)}
    assert marked == {"0", "1"}


def test_the_rest_goes_on_without_a_worker_that_died(server: Server, tmp_path: Path) -> None:
    spec = replace(SPEC, shape=(), arrivals_per_s=90.0, processes=3)
    with running(spec, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        os.kill(run.facts["workers"][1]["pid"], signal.SIGKILL)
        run.heard.wait(lambda r: any(e.kind == "load.worker" for e in r.events))
        last = run.heard.ticks[-1].second + 2
        run.heard.wait(lambda r: {t.worker for t in r.ticks if t.second >= last} >= {"0", "2"})
        run.load.edge(opening=True)
        facts = run.load.stop()
    assert not run.heard.lost
    (gone,) = [e for e in run.heard.events if e.kind == "load.worker"]
    assert gone.subject == "1"
    assert gone.data["state"] == "lost"
    assert gone.data["why"] == "it ended by signal 9"
    assert abs(gone.data["second"] - begin) <= 2
    assert facts["exit_code"] == -9
    assert facts["asked"] > 90
    first = Counter[int]()
    for (second, _), n in by_second(run.heard).items():
        first[second] += n
    assert first[last] == 60  # two thirds, in their own turns


@pytest.mark.slow
def test_a_worker_that_falls_silent_is_lost_and_ended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.locust.process.SILENCE_S", 1.7)
    with running(replace(SPEC, processes=2), server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"])
        os.kill(run.facts["workers"][0]["pid"], signal.SIGSTOP)
        run.heard.wait(lambda r: any(e.kind == "load.worker" for e in r.events))
        run.load.stop()
    (gone,) = [e for e in run.heard.events if e.kind == "load.worker"]
    assert (gone.subject, gone.data["why"]) == ("0", "it has not been heard of for 1.7 s")
    assert not any(alive(pid) for pid in run.facts["pids"])


def test_a_load_without_any_worker_is_lost(server: Server, tmp_path: Path) -> None:
    with running(replace(SPEC, processes=2), server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"])
        for pid in run.facts["pids"]:
            os.kill(pid, signal.SIGKILL)
        run.heard.wait(lambda r: r.lost)
        run.load.stop()
    assert len([e for e in run.heard.events if e.kind == "load.worker"]) == 2
    assert "the last worker of the load" in run.heard.lost[0]
    assert "ended by signal 9" in run.heard.lost[0]


def test_what_is_wrong_is_said_when_one_cannot_begin(tmp_path: Path) -> None:
    spec = replace(SPEC, journeys=(), locustfile=str(tmp_path / "none.py"), processes=2)
    heard = Recorder()
    load = LocustLoad(spec, "http://127.0.0.1:9", tmp_path)
    with pytest.raises(NoEffectError, match="there is no locustfile"):
        load.start(heard, origin_wall_ms=0, origin_mono_ns=time.monotonic_ns())
    load.stop()
    assert not heard.events


RUNNER = """
import sys, time
from pathlib import Path
from gameday.adapters.locust.driver import LocustLoad
from gameday.model.scenario import Journey, LoadSpec, RequestStep
url, directory, processes = sys.argv[1:]
steps = (RequestStep(method="GET", path="/a", name="/a"),)
spec = LoadSpec(
    target="shop", arrivals_per_s=200, processes=int(processes),
    journeys=(Journey(name="all", steps=steps),),
)
load = LocustLoad(spec, url, Path(directory))
facts = load.start(
    lambda event: None, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=time.monotonic_ns()
)
print(*facts["pids"], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("processes", [1, 4])
def test_all_load_stops_with_the_runner(server: Server, tmp_path: Path, processes: int) -> None:
    args = [sys.executable, "-c", RUNNER, server.url, str(tmp_path), str(processes)]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as runner:
        try:
            assert runner.stdout is not None
            pids = [int(pid) for pid in runner.stdout.readline().split()]
            assert len(pids) == processes
            deadline = time.monotonic() + 10
            while server.seen["/a"] < 50 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert server.seen["/a"] >= 50
        finally:
            runner.kill()
            killed_at = time.monotonic()
    deadline = killed_at + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "the load goes on without its runner"
        time.sleep(0.02)
    assert server.last_at - killed_at < 1.0  # by the request log of the server
