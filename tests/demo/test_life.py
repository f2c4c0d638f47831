"""Starting, and ending: no part outlives its owner, whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shop_support import Relays, wait_until

from gameday.demo.settings import read_settings, read_status
from gameday.demo.shop import Shop, ShopError
from gameday.demo.topology import HOST, free_topology

pytestmark = pytest.mark.demo

OWNER = """
import json, os, sys, threading, time
from pathlib import Path
from gameday.demo.shop import Shop
from gameday.demo.topology import free_topology

shop = Shop(free_topology(), Path(sys.argv[1]), proxied=False)
starter = threading.Thread(target=shop.start)  # the parts must outlive the thread that asked
starter.start()
starter.join()
if os.fork() == 0:  # a sibling that holds a copy of all pipes, and stays
    os.setsid()
    time.sleep(60)
    os._exit(0)
print(json.dumps(shop.processes()), flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def children_in_session_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text("utf-8").rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def test_a_killed_owner_takes_every_part_along(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    sibling: list[int] = []
    try:
        assert owner.stdout is not None
        processes = json.loads(owner.stdout.readline())
        owner.stdout.close()
        assert len(processes) == 8
        children = children_in_session_of(owner.pid)
        sibling = [pid for pid in children if os.getsid(pid) == pid and b"gameday.demo.part" not in
                   Path(f"/proc/{pid}/cmdline").read_bytes()]  # fmt: skip
        assert len(sibling) == 1
        time.sleep(0.3)  # longer than the starting thread took to end: all must still be there
        assert not any(gone(pid) for pid in processes.values())
        data = Path(read_status(read_settings(tmp_path / "shop.json"), "postgres")["data"])
        assert data.is_dir()
        os.kill(processes["gateway-3"], signal.SIGSTOP)  # one that cannot read its pipe
        owner.kill()
        wait_until(
            "all parts are gone",
            lambda: all(
                gone(pid) for pid in (*processes.values(), *children) if pid not in sibling
            ),
        )
        wait_until("the data of the database is gone", lambda: not data.exists())
    finally:
        for pid in sibling:
            os.kill(pid, signal.SIGKILL)
        owner.kill()
        owner.wait()


def test_a_part_that_cannot_start_is_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    topology = free_topology()
    with socket.create_server((HOST, topology.part("inventory").port)):
        shop = Shop(topology, tmp_path, proxied=False)
        with pytest.raises(ShopError) as caught:
            shop.start()
    message = str(caught.value)
    assert "the part `inventory` of the shop did not start: it ended with exit code 1" in message
    assert "address already in use" in message
    assert str(tmp_path / "log" / "inventory.log") in message
    assert shop.processes() == {}
    for part in topology.parts:
        with socket.create_server((HOST, part.port)):
            pass  # nothing listens any more


def test_missing_proxies_are_named_at_once(tmp_path: Path) -> None:
    topology = free_topology()
    with socket.create_server((HOST, topology.part("shop").via_port)):
        shop = Shop(topology, tmp_path, proxied=True)
        with pytest.raises(ShopError) as caught:
            shop.start()
    assert f"nothing answers at {topology.via('gateway-1')}" in str(caught.value)
    assert "create the proxies before the shop starts" in str(caught.value)
    assert shop.processes() == {}


@pytest.mark.slow
def test_a_dependency_that_stays_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All proxies listen, but that of the cache leads nowhere."""
    monkeypatch.setattr("gameday.demo.shop.START_WITHIN_S", 20.0)
    topology = free_topology()
    relays = Relays(topology, wrong={"redis": topology.part("redis").via_port + 1})
    try:
        shop = Shop(topology, tmp_path, proxied=True)
        with pytest.raises(ShopError, match=r"`gateway-1`.*it waits for redis at 127\.0\.0\.1"):
            shop.start()
    finally:
        relays.close()


def test_the_secret_is_for_the_owner_alone(tmp_path: Path) -> None:
    settings = Shop(free_topology(), tmp_path).settings
    settings.write()
    assert settings.file.stat().st_mode & 0o077 == 0
    assert len(settings.secret) == 32
    assert read_settings(settings.file) == settings
