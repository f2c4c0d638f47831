"""Servers that are there, hang, are wedged or are something else; the lease; our probes."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest
from ports_support import free_port
from toxiproxy_support import (
    RUN,
    Lab,
    down,
    http_service,
    silent_server,
    toxic,
    wait_until,
)

from gameday.adapters.probe import HealthWatcher, ProbeWatcher, probe_once
from gameday.adapters.toxiproxy import client as client_module
from gameday.adapters.toxiproxy.client import (
    ToxiproxyClient,
    ToxiproxyUnavailableError,
    ToxiproxyWedgedError,
)
from gameday.adapters.toxiproxy.lease import Lease, recover_target
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server, what_would_be_used
from gameday.adapters.toxiproxy.state import LEASE
from gameday.adapters.toxiproxy.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError, RefusedError, UsageError
from gameday.model.event import Event
from gameday.model.project import Target
from gameday.processes import Life, life_of, own_identity

UNDO = {
    "kind": "toxiproxy",
    "run": RUN,
    "server": None,
    "mode": "toxic",
    "fault": "slow",
    "target": "pay",
    "proxy": {
        "name": "payments",
        "listen": "127.0.0.1:1",
        "upstream": "127.0.0.1:2",
        "enabled": True,
        "toxics": [],
    },
    "toxic": "gameday-run-1-slow",
    "created": False,
}
SLOW = toxic("slow", "latency", latency=300)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_S", 0.3)


# -- silence ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({}, ToxiproxyUnavailableError),
        ({"version": True}, ToxiproxyWedgedError),
        ({"version": True, "status": 503}, ToxiproxyWedgedError),
        ({"status": 503}, ToxiproxyUnavailableError),
    ],
)
def test_a_hanging_server_is_told_from_a_hanging_control_plane(
    answers: dict[str, object], error: type[AdapterError]
) -> None:
    with silent_server(**answers) as url:  # type: ignore[arg-type]
        with pytest.raises(error, match=url):
            ToxiproxyClient(url).proxies()
        assert not ToxiproxyClient(url).alive()


def assert_every_call_ends(url: str) -> None:
    lab = Lab(
        server=ServerChoice(kind="given", url=url, version="?"),
        target=Target(name="pay", proxy="p", listen="127.0.0.1:1", upstream="127.0.0.1:2"),
        upstream=2,
    )
    undo = {**UNDO, "url": url}
    with pytest.raises(NoEffectError):
        lab.fault(SLOW).prepare()
    with pytest.raises(NoEffectError):
        lab.fault(SLOW).inject(undo)
    with pytest.raises(AdapterError):
        UNDOER.revert(undo)
    with pytest.raises(CannotSeeError):
        UNDOER.present(undo)
    with pytest.raises(AdapterError):
        Lease(url, RUN).take()
    with pytest.raises(AdapterError):
        recover_target(url)


@pytest.mark.usefixtures("hasty")
def test_every_call_to_a_hanging_server_ends() -> None:
    with silent_server() as url:
        assert_every_call_ends(url)


@pytest.mark.slow
def test_every_call_to_a_hanging_server_ends_in_real_time() -> None:
    with silent_server() as url:
        began = time.monotonic()
        assert_every_call_ends(url)
        assert time.monotonic() - began < 6 * 10


def test_all_calls_of_one_action_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_server() as url:
        client = ToxiproxyClient(url, within_s=0.5)
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(AdapterError):
                client.proxies()
        assert time.monotonic() - began < 5.0  # and not three times the 5 s of a call


def test_nobody_there_says_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ToxiproxyUnavailableError, match="start it, or correct the address"):
        ToxiproxyClient(url).proxies()
    with pytest.raises(ToxiproxyUnavailableError, match=url):
        choose_server(url, log_dir=Path("unused"))


def test_something_else_than_a_toxiproxy_is_told() -> None:
    with http_service() as port, pytest.raises(AdapterError, match="does not answer like a Tox"):
        ToxiproxyClient(f"http://127.0.0.1:{port}").proxies()


def test_the_companys_http_proxy_is_not_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert lab.client.proxies() == {}


def test_two_servers_at_once(lab: Lab, tmp_path: Path) -> None:
    other = choose_server(None, log_dir=tmp_path, force_kind="embedded")
    try:
        one, two = lab.client, ToxiproxyClient(other.url)
        one.create("here", listen="127.0.0.1:0", upstream="127.0.0.1:1", enabled=False)
        assert (set(one.proxies()), set(two.proxies())) == ({"here"}, set())
    finally:
        other.stop()


# -- which server -----------------------------------------------------------------------------


def test_an_embedded_server_lives_as_long_as_anybody_holds_its_pipe(tmp_path: Path) -> None:
    choice = choose_server(None, log_dir=tmp_path, force_kind="embedded")
    assert choice.keep_fd is not None
    held = os.dup(choice.keep_fd)  # as the sentinel does
    os.close(choice.keep_fd)
    choice.keep_fd = None
    try:
        assert ToxiproxyClient(choice.url).alive()
        assert choice.process is not None
        assert life_of(choice.process) is Life.ALIVE
        os.close(held)
        process = choice.process
        wait_until("it ended", lambda: life_of(process) is Life.GONE)
    finally:
        choice.stop()


def test_the_choice(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    given = choose_server(lab.url, log_dir=tmp_path)
    assert (given.kind, given.url, given.pid) == ("given", lab.url, None)
    given.stop()  # not ours to end
    assert lab.client.alive()
    assert choose_server(None, log_dir=tmp_path, force_kind=lab.url).kind == "given"
    assert lab.url in what_would_be_used(lab.url)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "embedded" in what_would_be_used(None)
    without = choose_server(None, log_dir=tmp_path)
    without.stop()
    assert without.kind == "embedded"
    with pytest.raises(UsageError, match="on PATH"):
        choose_server(None, log_dir=tmp_path, force_kind="started")
    with pytest.raises(UsageError, match="not the address"):
        choose_server(None, log_dir=tmp_path, force_kind="ftp://x/y")


def test_a_program_that_is_no_toxiproxy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "toxiproxy-server"
    program.write_text("#!/bin/sh\necho what am I >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(AdapterError, match="does not start; its words are in"):
        choose_server(None, log_dir=tmp_path, force_kind="started")
    assert "what am I" in (tmp_path / "toxiproxy.log").read_text()


# -- the lease --------------------------------------------------------------------------------


def test_one_run_at_a_time(lab: Lab) -> None:
    lease = Lease(lab.url, RUN)
    undo = lease.take()
    assert UNDOER.present(undo)
    with pytest.raises(RefusedError, match="held by run `run-1`"):
        Lease(lab.url, "run-2").take()
    with pytest.raises(RefusedError, match="held by run `run-1`"):
        recover_target(lab.url)
    Lease(lab.url, "run-2").release()  # another run's is left alone
    assert UNDOER.present(undo)
    lease.renew()
    lease.release()
    lease.release()
    assert not UNDOER.present(undo)
    Lease(lab.url, "run-2").take()


def test_only_one_of_many_gets_it(lab: Lab) -> None:
    got: list[str] = []
    start = threading.Barrier(8)

    def race(run: str) -> None:
        start.wait(10)
        try:
            Lease(lab.url, run).take()
        except RefusedError:
            return
        got.append(run)

    threads = [threading.Thread(target=race, args=(f"run-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(got) == 1


def test_renewing_moves_the_end_and_notices_a_loss(lab: Lab) -> None:
    lease = Lease(lab.url, RUN, ttl_s=5)
    lease.take()
    first = lab.client.proxies()[LEASE].upstream
    wait_until(
        "the clock moved", lambda: lease.renew() or lab.client.proxies()[LEASE].upstream != first
    )  # type: ignore[func-returns-value]
    lab.client.delete(LEASE)  # the server was restarted
    lease.renew()
    assert LEASE in lab.client.proxies()
    lab.client.delete(LEASE)
    Lease(lab.url, "run-2").take()
    with pytest.raises(RefusedError, match="run-2"):
        lease.renew()


def test_the_lease_of_a_dead_run_is_not_taken_over_in_silence(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = {**own_identity(), "start_ticks": 1}
    monkeypatch.setattr("gameday.adapters.toxiproxy.lease.own_identity", lambda: dead)
    Lease(lab.url, "dead-run").take()
    fault = lab.fault(down("dead"), run="dead-run")
    lab.create()
    fault.inject(fault.prepare())
    with pytest.raises(RefusedError, match=r"left the Toxiproxy .* with `gameday recover --target"):
        Lease(lab.url, RUN).take()
    report = recover_target(lab.url)
    assert report.clean
    assert set(lab.client.proxies()) == {"payments"}
    assert lab.client.proxies()["payments"].enabled
    Lease(lab.url, RUN).take()


@pytest.mark.parametrize(("expired", "refused"), [(False, True), (True, False)])
def test_the_lease_of_another_host_counts_until_it_expires(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, expired: bool, refused: bool
) -> None:
    elsewhere = {**own_identity(), "host": "elsewhere"}
    monkeypatch.setattr("gameday.adapters.toxiproxy.lease.own_identity", lambda: elsewhere)
    Lease(lab.url, "far", ttl_s=-1 if expired else 60).take()
    if refused:
        with pytest.raises(RefusedError, match="on host `elsewhere`"):
            recover_target(lab.url)
        assert recover_target(lab.url, force=True).clean
    else:
        assert recover_target(lab.url).clean
    assert lab.client.proxies() == {}


def test_recovery_sweeps_toxics_without_a_note(lab: Lab) -> None:
    lab.create()
    fault = lab.fault(SLOW)
    undo = fault.prepare()
    fault.inject(undo)
    for name in lab.client.proxies():
        if name.startswith("gameday-"):
            lab.client.delete(name)
    assert recover_target(lab.url).clean
    found = lab.payments()
    assert found is not None
    assert (found.enabled, found.toxics) == (True, ())


def test_recovery_of_a_server_without_anything_of_ours(lab: Lab) -> None:
    lab.create()
    before = lab.client.proxies()
    assert recover_target(lab.url).lines == ("nothing of gameday was there",)
    assert lab.client.proxies() == before


# -- probes -----------------------------------------------------------------------------------


class Events:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.seen.append(event)


def test_a_probe_watcher_sees_the_fault_come_and_go(lab: Lab) -> None:
    lab.create()
    events = Events()
    watcher = ProbeWatcher(lab.target, f"127.0.0.1:{lab.port}", 20)
    watcher.start(events)
    try:
        wait_until("it is well", lambda: len(events.seen) > 2)
        fault = lab.fault(down("dead"))
        undo = fault.prepare()
        fault.inject(undo)
        wait_until("it is refused", lambda: events.seen[-1].data["error"] == "refused")
        UNDOER.revert(undo)
        wait_until("it is well again", lambda: events.seen[-1].data["ok"])
    finally:
        watcher.stop()
    first = events.seen[0]
    assert (first.kind, first.subject) == ("probe.sample", "pay")
    assert first.data["ok"] is True
    assert first.data["kind"] == "http:/"
    count = len(events.seen)
    watcher.stop()
    assert len(events.seen) == count


def test_health_counts_what_went_through(lab: Lab) -> None:
    lab.create()
    watcher = HealthWatcher(lab.url, 20)
    before = (watcher.read() or {"proxies": {}})["proxies"].get("payments", {}).get("sent_bytes", 0)
    events = Events()
    watcher.start(events)
    try:
        assert probe_once("http:/", "127.0.0.1", lab.port).ok
        wait_until(
            "the bytes are counted",
            lambda: (
                bool(events.seen)
                and events.seen[-1].data["proxies"].get("payments", {}).get("sent_bytes", 0)
                >= before + 3000
            ),
        )
    finally:
        watcher.stop()
    data = events.seen[-1].data
    assert set(data["proxies"]) == {"payments"} | set(data["proxies"])
    if lab.server.kind == "embedded":
        assert data["lag_p99_ms"] >= data["lag_p50_ms"] >= 0
        assert data["proxies"]["payments"]["accepted"] >= 1


def test_health_of_a_server_that_tells_nothing() -> None:
    with http_service() as port:
        assert HealthWatcher(f"http://127.0.0.1:{port}").read() is None
    assert HealthWatcher(f"http://127.0.0.1:{free_port()}").read() is None


def test_a_tcp_probe_sees_a_peer_that_closes_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def accept_and_close() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=accept_and_close, daemon=True)
        thread.start()
        assert probe_once("tcp", "127.0.0.1", port).error == "closed"
        thread.join(5)
        assert probe_once("tcp", "127.0.0.1", port).ok
