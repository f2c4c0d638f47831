"""Workers behind real network interfaces: two network namespaces, and a cable that is pulled."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hosts_support import TOKEN, loads_of, until, worker
from load_support import Recorder, Server, journey

from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.hosts import Hosts
from gameday.model.scenario import LoadSpec

SPEC = LoadSpec(
    target="shop",
    arrivals_per_s=120.0,
    timeout_ms=1_000,
    journeys=(journey("browse", "/a", "/b", weight=2), journey("buy", "/c")),
    workers=2,
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


class Net:
    """Three namespaces: `host` (runner and service, 10.x.0.1 and 10.x.1.1), and two others."""

    def __init__(self) -> None:
        tag = uuid.uuid4().hex[:6]
        self.host, self.others = f"gdh{tag}", [f"gda{tag}", f"gdb{tag}"]
        self.cables = [f"gc{tag}0", f"gc{tag}1"]

    def up(self) -> None:
        for name in (self.host, *self.others):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for number, (other, cable) in enumerate(zip(self.others, self.cables, strict=True)):
            ip("-n", self.host, "link", "add", cable, "type", "veth", "peer", "name", "eth0")
            ip("-n", self.host, "link", "set", "eth0", "netns", other)
            ip("-n", self.host, "addr", "add", f"10.213.{number}.1/24", "dev", cable)
            ip("-n", other, "addr", "add", f"10.213.{number}.2/24", "dev", "eth0")
            ip("-n", self.host, "link", "set", cable, "up")
            ip("-n", other, "link", "set", "eth0", "up")
            ip("-n", other, "route", "add", "default", "via", f"10.213.{number}.1")

    def down(self) -> None:
        for name in (self.host, *self.others):
            subprocess.run(
                ["ip", "netns", "del", name], capture_output=True, timeout=20, check=False
            )


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    try:
        if not shutil.which("ip"):
            raise PermissionError("there is no `ip`")
        if not hasattr(os, "setns") and not shutil.which("nsenter"):
            raise PermissionError("namespaces cannot be entered")
        made.up()
    except (OSError, subprocess.CalledProcessError) as error:
        made.down()
        said = getattr(error, "stderr", b"") or str(error)
        if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
            pytest.fail(f"network namespaces are needed here: {said!r}")
        pytest.skip(f"NOT TESTED: workers in network namespaces: {said!r}")
    try:
        yield made
    finally:
        made.down()


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread, and what it starts, in a namespace. Not the others."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        with Path(path).open() as file:
            if libc.setns(file.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), f"setns {path}")

    here = f"/proc/self/task/{__import__('threading').get_native_id()}/ns/net"
    with Path(here).open() as home:
        enter(f"/run/netns/{name}")
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), 0x40000000) == 0


def serve(net: Net) -> Server:
    with inside(net.host):  # its thread begins here, and stays
        return Server(host="0.0.0.0")


def test_counts_are_exact_with_workers_in_two_namespaces(net: Net, tmp_path: Path) -> None:
    server = serve(net)
    try:
        with (
            worker("10.213.0.1:5557", before=("ip", "netns", "exec", net.others[0])) as one,
            worker("10.213.1.1:5557", before=("ip", "netns", "exec", net.others[1])) as two,
        ):
            with inside(net.host):
                hosts = Hosts(listen="0.0.0.0:5557", token=TOKEN)
                url = f"http://10.213.0.1:{server.port}"
                load, heard = LocustLoad(SPEC, url, tmp_path, hosts=hosts), Recorder()
                facts = load.start(
                    heard,
                    origin_wall_ms=int(time.time() * 1000),
                    origin_mono_ns=time.monotonic_ns(),
                )
            try:
                heard.wait_second(facts["first_second"] + 2)
            finally:
                ended = load.stop()
            assert one.ended() == two.ended() == 0, one.text + two.text
        assert heard.counts("outcome").keys() == {"ok"}
        assert heard.counts("name") == server.seen
        assert ended["asked"] == ended["started"] == server.seen["/a"] + server.seen["/c"]
        by_second = heard.counts("second", "name")
        for second in range(facts["first_second"], facts["first_second"] + 2):
            assert by_second[second, "/a"] + by_second[second, "/c"] == 120
        assert len(server.peers) == 2  # both hosts really asked
    finally:
        server.close()


def test_a_worker_whose_network_is_cut_ends_and_the_rest_goes_on(net: Net, tmp_path: Path) -> None:
    server = serve(net)
    try:
        with (
            worker("10.213.0.1:5557", before=("ip", "netns", "exec", net.others[0])) as one,
            worker("10.213.1.1:5557", before=("ip", "netns", "exec", net.others[1])),
        ):
            with inside(net.host):
                hosts = Hosts(listen="0.0.0.0:5557", token=TOKEN)
                url = f"http://10.213.0.1:{server.port}"
                spec = replace(SPEC, arrivals_per_s=60.0)
                load, heard = LocustLoad(spec, url, tmp_path, hosts=hosts), Recorder()
                facts = load.start(
                    heard,
                    origin_wall_ms=int(time.time() * 1000),
                    origin_mono_ns=time.monotonic_ns(),
                )
            try:
                heard.wait_second(facts["first_second"])
                pids = loads_of(one.process.pid)
                assert pids
                ip("-n", net.host, "link", "set", net.cables[0], "down")
                cut_at = time.monotonic()
                gone_at = until(lambda: one.process.poll() is not None, 15)
                heard.wait(lambda r: any(
                    e.kind == "load.worker" and e.data["state"] == "lost" for e in r.events
                ))  # fmt: skip
                second = heard.ticks[-1].second + 2
                heard.wait_second(second)
            finally:
                load.stop()
        assert gone_at - cut_at < 4.0
        assert not heard.lost
        assert "the master is gone" in one.text
    finally:
        server.close()
