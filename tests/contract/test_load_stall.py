"""A server that stands still: what the load says of it is the truth, which can be computed.

Visitors come evenly over T seconds; in the stall of L seconds nothing is answered, at its end
everything. Waits are then spread evenly between 0 and L over a share L/T of all, so that a quantile
q above 1 - L/T is L - (1 - q) T (benchmarks/stall.py has the derivation, and other tools).

A measurement is judged by the generator's own words: one in which it says that it was late, or in
which the server was, says nothing and is made again, twice at most; any other is within 5 %.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from load_support import Recorder, Server, journey

from gameday.adapters.locust.driver import LocustLoad
from gameday.kpi.generator import saturated
from gameday.model.histogram import count, merged, quantile_ms
from gameday.model.scenario import LoadSpec

TOLERANCE = 0.05
QUANTILES = (0.9, 0.95, 0.99)
#: A generator later than this cannot measure three seconds to 5 %.
BEARABLE_MS = 50.0
MEASUREMENTS = 3
FILE = """
from locust import {cls}, constant_throughput, task
class Shopper({cls}):
    wait_time = constant_throughput(1)
    @task(3)
    def browse(self): self.client.get("/a")
    @task(1)
    def buy(self): self.client.get("/b")
"""
POOL = """
from gameday.adapters.locust import agent, agent_run
agent_run.EARLY_POOL = agent_run.MAX_POOL = {users}
raise SystemExit(agent.main())
"""


@dataclass(frozen=True)
class Case:
    """A stall, in seconds, at so many arrivals a second."""

    rate: int
    window: int
    begin: int
    length: int

    def truth_ms(self, q: float) -> float:
        return (self.length - (1 - q) * self.window) * 1000


@dataclass
class Load:
    """One load in front of the server, and what it told."""

    load: LocustLoad
    heard: Recorder
    first: int = 0


SHORT = Case(rate=25, window=8, begin=2, length=4)
WHOLE = Case(rate=100, window=20, begin=5, length=5)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def spec_of(kind: str, case: Case, directory: Path) -> LoadSpec:
    """A journey, or a locustfile that knows nothing of us."""
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=case.rate,
        timeout_ms=2 * case.length * 1000,
        journeys=(journey("all", "/c"),),
    )
    if kind == "journey":
        return spec
    file = directory / f"{kind.lower()}.py"
    file.write_text(FILE.format(cls=kind))
    return replace(spec, journeys=(), locustfile=str(file))


def python_of(pool: int | None, directory: Path) -> str:
    """The interpreter; or one whose load has a pool of so many users, and no more."""
    if pool is None:
        return sys.executable
    program, command = directory / "pool.py", directory / "python"
    program.write_text(POOL.format(users=pool))
    command.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    command.chmod(0o755)
    return str(command)


def measure(
    server: Server, case: Case, kinds: dict[str, int | None], directory: Path
) -> dict[str, Load]:
    """Loads side by side in one stall; kind -> size of the pool."""
    origin_ns = time.monotonic_ns() + 300_000_000
    server.seen.clear()
    server.stall, server.late_s = (0.0, 0.0), 0.0
    made: dict[str, Load] = {}
    with contextlib.ExitStack() as stack:
        for kind, pool in kinds.items():
            place = directory / kind
            place.mkdir(parents=True)
            load = LocustLoad(
                spec_of(kind, case, place), server.url, place, python=python_of(pool, place)
            )
            made[kind] = Load(load, Recorder())
            stack.callback(load.stop)
            facts = load.start(
                made[kind].heard, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=origin_ns
            )
            made[kind].first = int(facts["first_second"])
        begin = max(one.first for one in made.values()) + case.begin
        server.stall = (origin_ns / 1e9 + begin, origin_ns / 1e9 + begin + case.length)
        for one in made.values():
            # each has its own window of T seconds around the one stall
            one.first = begin - case.begin
            one.heard.wait(
                lambda r, end=one.first + case.window: any(t.second >= end for t in r.ticks), 60
            )
        for one in made.values():
            facts = one.load.stop()
            assert (facts["unserved"], one.heard.lost) == (0, [])
    sent: Counter[str] = Counter()
    for one in made.values():
        sent += one.heard.counts("name")
    assert sent == server.seen  # whatever else: none lost, none doubled
    return made


def valid(server: Server, case: Case, attempt: Callable[[int], dict[str, Load]]) -> dict[str, Load]:
    """The first measurement that the generators themselves stand by; a loud skip without any."""
    reasons = []
    for number in range(MEASUREMENTS):
        made = attempt(number)
        why = [w for one in made.values() if (w := unfit(one, case))]
        if server.late_s * 1000 > BEARABLE_MS:
            why.append(f"the server answered {server.late_s * 1000:.0f} ms late")
        if not why:
            return made
        reasons += why
    pytest.skip(f"the machine was too busy in all measurements, as load and server say: {reasons}")


def unfit(one: Load, case: Case) -> str:
    """Why the generator says that it was late: besides the stall, or at its end; else empty."""
    end = one.first + case.begin + case.length
    # during the stall, and in the second in which all is answered, the service holds the users
    aside = [t for t in one.heard.ticks if t.second not in range(end - case.length, end + 1)]
    if why := saturated(aside, BEARABLE_MS):
        return why
    lag_ms = max(t.loop_lag_ms for t in one.heard.ticks if t.second in (end - 1, end))
    allowed_ms = 2 * BEARABLE_MS  # hundreds of answers at once are work
    return f"its loop ran {lag_ms:.0f} ms late when all was answered" * (lag_ms > allowed_ms)


def assert_true(kind: str, one: Load, case: Case) -> None:
    """All arrivals, and p90, p95 and p99 within 5 % of the truth."""
    cells = [
        c
        for c in one.heard.cells
        if one.first <= c.second < one.first + case.window and c.outcome == "ok"
    ]
    seen = merged(c.response for c in cells)
    assert count(seen) == case.rate * case.window, kind
    for q in QUANTILES:
        found = quantile_ms(seen, q)
        assert found == pytest.approx(case.truth_ms(q), rel=TOLERANCE), (kind, q)


def test_a_stall_is_seen_as_it_is(server: Server, tmp_path: Path) -> None:
    """By a journey and by unmodified locustfiles, also with ten users for a hundred visitors."""
    kinds: dict[str, int | None] = {"journey": None, "HttpUser": None, "FastHttpUser": 10}
    found = valid(server, SHORT, lambda n: measure(server, SHORT, kinds, tmp_path / str(n)))

    for kind, one in found.items():
        assert_true(kind, one, SHORT)
        # while it lasts, what waits is counted with its age, be it under way or without a user
        deep = next(t for t in one.heard.ticks if t.second == one.first + SHORT.begin + 1)
        waiting = deep.in_flight + deep.queued
        assert waiting == pytest.approx(2 * SHORT.rate, abs=8), kind
        assert waiting == count(merged(o.ages for o in deep.open))
        assert 1_900 < deep.oldest_ms < 2_300
    assert max(t.in_flight for t in found["FastHttpUser"].heard.ticks) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("pool", [None, 10, 100, 800])
@pytest.mark.parametrize("kind", ["journey", "HttpUser", "FastHttpUser"])
def test_five_of_twenty_seconds(
    server: Server, tmp_path: Path, kind: str, pool: int | None
) -> None:
    found = valid(server, WHOLE, lambda n: measure(server, WHOLE, {kind: pool}, tmp_path / str(n)))

    assert_true(kind, found[kind], WHOLE)
