"""Workers on other hosts, through Locust's own master: who is used, who is not, how they end."""

# ruff: noqa: SIM117 - a worker is there before the run, and after it
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hosts_support import TOKEN, loads_of, until, worker
from load_support import Recorder, Server, alive, journey
from ports_support import free_port

from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.hosts import Hosts
from gameday.errors import NoEffectError
from gameday.model.scenario import LoadSpec

SPEC = LoadSpec(
    target="shop",
    arrivals_per_s=80.0,
    timeout_ms=1_000,
    journeys=(journey("browse", "/a", "/b", weight=3), journey("buy", "/c")),
    workers=2,
)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


class Started:
    def __init__(self, load: LocustLoad, heard: Recorder, facts: Any) -> None:
        self.load, self.heard, self.facts = load, heard, facts

    def notes(self, state: str) -> list[tuple[str, Any]]:
        return [
            (e.subject, e.data)
            for e in self.heard.events
            if e.kind == "load.worker" and e.data["state"] == state
        ]


@contextlib.contextmanager
def started(
    address: str, url: str, directory: Path, spec: LoadSpec = SPEC, **how: Any
) -> Iterator[Started]:
    hosts = Hosts(listen=address, token=TOKEN, wait_ms=how.pop("wait_ms", 20_000))
    load, heard = LocustLoad(spec, url, directory, hosts=hosts), Recorder()
    now_ns = time.monotonic_ns()
    try:
        facts = load.start(heard, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=now_ns)
        yield Started(load, heard, facts)
    finally:
        load.stop()


@pytest.mark.parametrize("plain", [False, True], ids=["gameday load worker", "locust --worker"])
def test_what_is_counted_is_what_was_sent(
    server: Server, tmp_path: Path, address: str, plain: bool
) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(address, plain=plain)) for _ in range(2)]
        with started(address, server.url, tmp_path) as run:
            begin = run.facts["first_second"]
            run.heard.wait_second(begin + 1)
            facts = run.load.stop()
        codes = [one.ended() for one in workers]
    assert not run.heard.lost
    assert not run.notes("lost")
    assert facts["exit_code"] == 0
    assert run.heard.counts("outcome").keys() == {"ok"}
    assert run.heard.counts("name") == server.seen
    assert facts["asked"] == facts["started"] == server.seen["/a"] + server.seen["/c"]
    names = [one["worker"] for one in run.facts["workers"]]
    assert len({t.worker for t in run.heard.ticks}) == len(set(names)) == 2
    assert all(0 <= one["clock"]["error_ms"] < 500 for one in run.facts["workers"])
    assert all(abs(one["clock"]["offset_ms"]) < 500 for one in run.facts["workers"])
    first = run.heard.counts("second", "name")
    assert first[begin, "/a"] + first[begin, "/c"] == 80
    assert codes == [0, 0], [one.text for one in workers]
    assert all("arrivals asked" in one.text for one in workers)


def test_a_wrong_token_is_refused_and_the_run_not_disturbed(
    server: Server, tmp_path: Path, address: str
) -> None:
    spec = SPEC.__class__(**{**_fields(SPEC), "workers": 1})
    with worker(address, token="another one") as wrong, ExitStack() as stack:
        heard: list[str] = []

        def then_the_right_one() -> None:
            wrong.wait_said("the master does not know our token")
            heard.append("refused")
            stack.enter_context(worker(address))

        import threading

        thread = threading.Thread(target=then_the_right_one)
        thread.start()
        with started(address, server.url, tmp_path, spec) as run:
            thread.join()
            run.heard.wait_second(run.facts["first_second"])
            run.load.stop()
        assert wrong.ended() == 2
    assert heard == ["refused"]
    ((_, note),) = run.notes("refused")
    assert "token" in note["why"]
    assert note["refused"] == 1
    assert run.heard.counts("name") == server.seen


def _fields(spec: LoadSpec) -> dict[str, Any]:
    from dataclasses import fields

    return {f.name: getattr(spec, f.name) for f in fields(spec)}


def test_a_master_that_is_not_ours_can_do_nothing_with_a_worker(
    server: Server, tmp_path: Path, address: str
) -> None:
    file = tmp_path / "theirs.py"
    file.write_text(LOCUSTFILE.replace("Shopper", "GamedayWorker"))
    host, _, port = address.rpartition(":")
    args = [
        sys.executable, "-m", "locust", "--master", "--headless", "-f", str(file), "-u", "3", "-r",
        "3", "-t", "2s", "--expect-workers", "1", "-H", server.url, "--master-bind-host", host,
        "--master-bind-port", port, "--exit-code-on-error", "0", "--stop-timeout", "0",
    ]  # fmt: skip
    with worker(address, plain=True):
        done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    assert "All users spawned" in done.stderr, done.stderr
    assert not server.seen


def test_a_late_worker_is_told_so_and_not_used(
    server: Server, tmp_path: Path, address: str
) -> None:
    with worker(address), worker(address), started(address, server.url, tmp_path) as run:
        with worker(address) as late:
            assert late.ended() == 2
            assert "too late" in late.text
        run.heard.wait(lambda r: run.notes("late"))
        run.load.stop()
    assert len({t.worker for t in run.heard.ticks}) == 2
    assert run.heard.counts("name") == server.seen


def test_too_few_workers_are_named(tmp_path: Path, address: str) -> None:
    import socket

    with worker(address), pytest.raises(NoEffectError) as caught:
        with started(address, "http://127.0.0.1:9", tmp_path, wait_ms=8_000):
            pass
    message = str(caught.value)
    assert f"1 of 2 workers came to {address} within 8 s: `{socket.gethostname()}`" in message
    assert f"`gameday load worker --master {address}`" in message


def test_a_port_that_is_taken_is_said(tmp_path: Path, server: Server) -> None:
    address = f"127.0.0.1:{server.port}"
    with pytest.raises(NoEffectError, match=f"workers cannot come to `{address}`"):
        with started(address, server.url, tmp_path):
            pass


LOCUSTFILE = """from locust import HttpUser, task
class Shopper(HttpUser):
    @task
    def browse(self):
        self.client.get("/a")
"""


def test_each_host_needs_the_same_locustfile(server: Server, tmp_path: Path, address: str) -> None:
    ours, same, other = (tmp_path / name for name in ("shop.py", "copy.py", "other.py"))
    ours.write_text(LOCUSTFILE)
    same.write_text(LOCUSTFILE)
    other.write_text(LOCUSTFILE + "# changed\n")
    changed = {"journeys": (), "locustfile": str(ours), "workers": 1, "arrivals_per_s": 30.0}
    spec = LoadSpec(**{**_fields(SPEC), **changed})
    with worker(address, locustfile=str(same)):
        with started(address, server.url, tmp_path / "run", spec) as run:
            run.heard.wait_second(run.facts["first_second"])
            run.load.stop()
    assert run.heard.counts("name") == server.seen
    for file, words in ((str(other), "is not the `shop.py` of the run"), ("", "without one")):
        with worker(address, locustfile=file), pytest.raises(NoEffectError, match=words):
            with started(address, server.url, tmp_path / "run", spec):
                pass


def test_the_rest_goes_on_without_a_worker_that_died(
    server: Server, tmp_path: Path, address: str
) -> None:
    with worker(address) as one, worker(address), started(address, server.url, tmp_path) as run:
        begin = run.facts["first_second"]
        run.heard.wait_second(begin)
        one.process.kill()
        run.heard.wait(lambda r: run.notes("lost"))
        last = run.heard.ticks[-1].second + 2
        run.heard.wait_second(last)
        run.load.stop()
    assert not run.heard.lost
    ((name, data),) = run.notes("lost")
    assert name in {one["worker"] for one in run.facts["workers"]}
    assert data["second"] >= begin


RUNNER = """
import sys, time
from pathlib import Path
from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.hosts import Hosts
from gameday.model.scenario import Journey, LoadSpec, RequestStep
url, directory, address, token = sys.argv[1:]
steps = (RequestStep(method="GET", path="/a", name="/a"),)
spec = LoadSpec(target="shop", arrivals_per_s=100, workers=2,
                journeys=(Journey(name="all", steps=steps),))
load = LocustLoad(spec, url, Path(directory), hosts=Hosts(listen=address, token=token))
facts = load.start(
    lambda event: None, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=time.monotonic_ns()
)
print(*facts["pids"], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("who", ["runner", "bridge"])
def test_all_load_elsewhere_stops_when_the_runner_is_gone(
    server: Server, tmp_path: Path, address: str, who: str
) -> None:
    args = [sys.executable, "-c", RUNNER, server.url, str(tmp_path), address, TOKEN]
    with worker(address) as one, worker(address) as two:
        with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as runner:
            try:
                assert runner.stdout is not None
                (bridge,) = (int(pid) for pid in runner.stdout.readline().split())
                until(lambda: server.seen["/a"] >= 60)
                pids = [pid for w in (one, two) for pid in loads_of(w.process.pid)]
                assert len(pids) >= 2
                os.kill(runner.pid if who == "runner" else bridge, signal.SIGKILL)
                killed_at = time.monotonic()
                until(lambda: not any(alive(pid) for pid in pids), 15)
            finally:
                runner.kill()
        assert one.ended() == two.ended() == 3
    assert "the master is gone" in one.text or "let go of this worker" in one.text
    assert server.last_at - killed_at < 4.0  # by the request log of the server


@pytest.mark.parametrize("busy", [False, True], ids=["idle loop", "busy loop"])
def test_a_worker_ends_its_load_with_it(
    server: Server, tmp_path: Path, address: str, busy: bool
) -> None:
    file = tmp_path / "shop.py"
    more = "        while True: pass\n" if busy else ""
    file.write_text(LOCUSTFILE + more)
    changed = {"journeys": (), "locustfile": str(file), "workers": 1}
    spec = LoadSpec(**{**_fields(SPEC), **changed})
    with worker(address, locustfile=str(file)) as one:
        with started(address, server.url, tmp_path / "run", spec) as run:
            until(lambda: server.seen["/a"] >= 1)
            pids = loads_of(one.process.pid)
            one.process.kill()
            until(lambda: not any(alive(pid) for pid in pids), 5)
            run.heard.wait(lambda r: r.lost)
