"""Whatever dies, in whatever order: the faults are taken out, and that is read back.

A run with two toxics, a container pause and a network disconnect, against a real toxiproxy-server
and a real Docker engine. Something happens to the runner at every action line of its journal, and
while each call that changes something is in flight. All of it is in `nox -s full`; here runs a
sample, chosen by a seed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_support import wait_until
from docker_support import DockerLab
from matrix_runner import CALLS
from matrix_support import CALL_S, FAULTS, Stage, stage_in, stays
from promise_support import OFF_WITHIN_S

from gameday.model.verdict import ExitCode

pytestmark = pytest.mark.real

#: Action lines of an undisturbed run, and its requests that change something; a test counts them.
#: A run of more than 8 s renews its leases besides: three requests more each time.
LINES = 40
TOXIPROXY_REQUESTS = 36
DOCKER_REQUESTS = 14
#: A call under way when the signal came may land a moment later, and is taken out again.
SETTLED_S = 1.0
SIGNALS = ("KILL", "STOP", "TERM", "INT", "HUP")
SAMPLE_SEED = 20261122
#: A busy machine may take long to start a run; that says nothing about its safety.
SLOW_S = 90.0


def sample(cases: list[Any], n: int, *always: Any) -> list[Any]:
    """*n* of the cases run always, and these; the others only in `nox -s full`."""
    chosen = set(random.Random(SAMPLE_SEED).sample(range(len(cases)), n))
    chosen |= {cases.index(case) for case in always}
    slow = pytest.mark.slow
    return [
        pytest.param(*case, marks=() if i in chosen else slow, id="-".join(map(str, case)))
        for i, case in enumerate(cases)
    ]


@pytest.fixture
def staged(
    tmp_path: Path, docker_engine: DockerLab, real_server: Callable[..., str]
) -> Iterator[Callable[..., Stage]]:
    """Makes the stage of one case."""
    real_server("toxiproxy-server")
    opened: list[Any] = []

    def make(**more: Any) -> Stage:
        manager = stage_in(tmp_path, docker_engine, **more)
        opened.append(manager)
        return manager.__enter__()

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)


def check_off(stage: Stage) -> None:
    """All faults are off soon, and still off when no call can be on its way any more."""
    began = off_since = time.monotonic()
    while time.monotonic() - off_since < SETTLED_S:
        if not stage.off():  # also: it went off, and another call landed a moment later
            off_since = time.monotonic()
            assert off_since - began < OFF_WITHIN_S, f"in place: {stage.in_place()}\n{stage.said}"
        time.sleep(0.05)
    stays("faults off", stage.off, 2 * CALL_S)


def check_spotless(stage: Stage) -> None:
    """In the end nothing of the run is left, and the containers are what they were."""
    if not _soon(stage.spotless, 2 * CALL_S + 15.0):  # it died before there was a sentinel
        done = stage.gameday("recover", "last", "--reports", str(stage.reports))
        assert done.returncode == 0, done.stdout + done.stderr
    assert stage.spotless(), stage.said
    assert stage.as_before()


def _soon(condition: Callable[[], bool], within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def check_end(stage: Stage, name: str) -> None:
    """A runner that can still act ends by itself, clean."""
    if name == "STOP" and stage.sentinel() is None:
        stage.hit("KILL")  # it stood still before it had touched anything; nobody ends it for that
    if name in ("KILL", "STOP"):
        wait_until("the runner is gone", lambda: not stage.alive, SLOW_S)
        return
    code = stage.ended(SLOW_S)
    if code == ExitCode.DIRTY:
        assert any(fault in stage.said for fault in FAULTS), stage.said
    # what reaches it before it listens ends it as any process; nothing is in place then
    fine = {ExitCode.INTERRUPTED, ExitCode.DIRTY, -1, -2, -15}
    closed = [e for e in stage.events() if e.kind == "run.closed"]
    if closed and closed[0].data["status"] == "completed":
        fine.add(ExitCode.INCONCLUSIVE)  # it came when the run was over: its verdict stands
    assert code in fine, stage.said


# --- the run itself


def test_undisturbed_it_ends_clean_and_has_so_many_lines_and_requests(
    staged: Callable[..., Stage],
) -> None:
    stage = staged()
    stage.start({})
    stage.ended(SLOW_S)
    assert len(stage.actions()) == LINES, [
        (e.kind, e.subject, e.phase.value) for e in stage.actions()
    ]
    for relay, least in (
        (stage.toxiproxy, TOXIPROXY_REQUESTS),
        (stage.docker, DOCKER_REQUESTS),
    ):
        renewed = 6  # a slow machine renews leases
        assert least <= len(relay.requests) <= least + renewed, "\n".join(relay.requests)
    check_spotless(stage)


# --- at every line


@pytest.mark.parametrize(
    ("line", "name"), sample([(n, s) for n in range(1, LINES + 1) for s in SIGNALS], 5)
)
def test_a_signal_at_a_line(staged: Callable[..., Stage], line: int, name: str) -> None:
    stage = staged()
    stage.start({"at": line, "signal": name})
    wait_until("the signal", lambda: f"hit {name}" in stage.said or not stage.alive, SLOW_S)
    assert f"hit {name}" in stage.said, stage.said
    check_off(stage)
    check_end(stage, name)
    check_spotless(stage)


@pytest.mark.parametrize("line", sample([(n,) for n in range(1, LINES + 1)], 1))
def test_a_full_disk_at_a_line(staged: Callable[..., Stage], line: int) -> None:
    stage = staged()
    stage.start({"at": line, "disk": "full"})
    code = stage.ended(SLOW_S)
    assert code in (ExitCode.INTERNAL, ExitCode.DIRTY), stage.said
    check_off(stage)
    check_spotless(stage)


@pytest.mark.parametrize(
    ("call", "when"), sample([(c, w) for c in CALLS for w in ("before", "after")], 2)
)
def test_an_adapter_that_fails_as_none_should(
    staged: Callable[..., Stage], call: str, when: str
) -> None:
    stage = staged()
    stage.start({"call": call, "raise": when})
    code = stage.ended(SLOW_S)
    if f"broke {call}" not in stage.said:
        assert call == "toxiproxy.renew", "the call was never made"  # a short run may not renew
    assert code != ExitCode.PASS or call.startswith(("load.edge", "probe", "toxiproxy.renew"))
    assert code != ExitCode.DIRTY, stage.said
    check_off(stage)
    check_spotless(stage)


# --- while a call is in flight

HELD = [
    (server, number, name, early)
    for server, total in (("toxiproxy", TOXIPROXY_REQUESTS), ("docker", DOCKER_REQUESTS))
    for number in range(total)
    for name, early in (
        ("KILL", "answer"), ("STOP", "answer"), ("TERM", "answer"), ("KILL", "request"),
    )
]  # fmt: skip


#: While it takes its lease: the server has heard that, and the runner does not know.
LEASE = ("toxiproxy", 0, "TERM", "answer")


@pytest.mark.parametrize(("server", "number", "name", "what"), sample(HELD, 4, LEASE))
def test_a_call_in_flight(
    staged: Callable[..., Stage], server: str, number: int, name: str, what: str
) -> None:
    """The server holds its answer, or the request is on its way and lands after the death."""
    early = what == "request"
    stage = staged(**{f"hold_{server}": number}, early=early)
    relay = stage.toxiproxy if server == "toxiproxy" else stage.docker
    stage.start({})
    wait_until("the call", lambda: relay.held.is_set() or not stage.alive, SLOW_S)
    assert relay.held.is_set(), stage.said
    stage.hit(name)
    if early:
        wait_until("the runner is gone", lambda: not stage.alive, SLOW_S)
        relay.release.set()
    check_off(stage)
    check_end(stage, name)
    check_spotless(stage)


# --- without a sentinel


@pytest.mark.parametrize("line", sample([(n,) for n in range(1, LINES + 1)], 2))
def test_the_sentinel_is_killed_too_and_recover_does_it(
    staged: Callable[..., Stage], line: int
) -> None:
    stage = staged()
    stage.start({"at": line, "signal": "KILL", "sentinel": True})
    wait_until("the end", lambda: not stage.alive, SLOW_S)
    left = stage.in_place()

    again = stage.run_again()  # refused, and says what to do: somebody's lease is on the places
    assert again.returncode == ExitCode.USAGE, again.stdout + again.stderr
    assert "gameday recover" in again.stderr
    if left:
        assert stage.run_dir.name in again.stderr
    assert stage.in_place() == left

    done = stage.gameday("recover", stage.run_dir.name, "--reports", str(stage.reports))
    assert done.returncode == 0, done.stdout + done.stderr
    assert stage.spotless(), done.stdout
    assert stage.as_before()
    stays("faults off", stage.off, 2 * CALL_S)
