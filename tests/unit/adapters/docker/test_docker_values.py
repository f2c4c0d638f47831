"""What is worked out without an engine: limits, endpoints, ports, archives, who holds what."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters.docker.actions import TABLE, Mark, action
from gameday.adapters.docker.actions.common import (
    moved,
    refuse_auto_remove,
    refuse_random_ports,
)
from gameday.adapters.docker.actions.endpoint import config_of
from gameday.adapters.docker.actions.limits import as_before, cpu_update, memory_back, processors
from gameday.adapters.docker.engine import Engine, SilentError
from gameday.adapters.docker.execs import _plain
from gameday.adapters.docker.files import pack, unpack
from gameday.adapters.docker.lease import held, who_holds
from gameday.adapters.docker.notes import Place
from gameday.adapters.docker.traffic import sum_of
from gameday.adapters.docker.values import Found
from gameday.errors import NoEffectError
from gameday.model.faults import FAMILIES
from gameday.processes import identity_of


def found(**attrs: Any) -> Found:
    return Found(id="a" * 64, name="box", attrs=attrs)


def test_every_type_of_the_table_of_faults_has_an_action() -> None:
    assert set(TABLE) == set(FAMILIES["container"])
    for kind in TABLE:
        made = action(kind)
        assert all(callable(getattr(made, n)) for n in ("look", "inject", "revert", "present"))


def test_labels_of_what_is_made_say_whose_it_is() -> None:
    assert Mark(run="r", fault="f").labels == {
        "gameday.run": "r",
        "gameday.fault": "f",
        "gameday.role": "helper",
    }


@pytest.mark.parametrize(
    ("limits", "cpus"),
    [
        ({}, None),
        ({"NanoCpus": 0, "CpuQuota": -1, "CpuPeriod": 0}, None),
        ({"NanoCpus": 500_000_000}, 0.5),
        ({"CpuQuota": 20_000}, 0.2),
        ({"CpuQuota": 20_000, "CpuPeriod": 10_000}, 2.0),
    ],
)
def test_processors_of_limits(limits: Mapping[str, int], cpus: float | None) -> None:
    assert processors(limits) == cpus


@given(
    nano=st.integers(0, 8_000_000_000),
    quota=st.one_of(st.just(-1), st.just(0), st.integers(1_000, 800_000)),
    period=st.one_of(st.just(0), st.integers(1_000, 1_000_000)),
    cpus=st.floats(0.1, 4),
)
def test_a_processor_limit_goes_in_and_out(nano: int, quota: int, period: int, cpus: float) -> None:
    before = {
        "NanoCpus": nano,
        "CpuQuota": 0 if nano else quota,
        "CpuPeriod": 0 if nano else period,
    }
    now = {**before, **cpu_update(before, cpus)}
    assert processors(now) == pytest.approx(cpus, rel=0.02)
    assert set(cpu_update(before, cpus)) == ({"NanoCpus"} if nano else {"CpuQuota"})
    back = {**now, **cpu_update(before, processors(before))}
    assert processors(back) == processors(before)


def memory(limit: int, swap: int, *, counts_swap: bool = True) -> dict[str, Any]:
    return {"Memory": limit, "MemorySwap": swap, "total": 1_000, "swap": counts_swap}


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (memory(0, 0), {"Memory": 0}, True),
        (memory(0, 0), {"Memory": 1_000, "MemorySwap": 2_000}, True),
        (memory(0, 0), {"Memory": 999, "MemorySwap": 2_000}, False),
        (memory(100, 200), {"Memory": 100, "MemorySwap": 200}, True),
        (memory(100, 200), {"Memory": 100, "MemorySwap": 100}, False),
        (memory(100, 200), {"Memory": 50, "MemorySwap": 200}, False),
        (memory(100, -1), {"Memory": 100, "MemorySwap": 200}, False),
        (memory(100, 200, counts_swap=False), {"Memory": 100, "MemorySwap": -1}, True),
    ],
)
def test_memory_limits_are_as_before(
    before: dict[str, Any], now: dict[str, int], *, same: bool
) -> None:
    assert as_before(found(HostConfig=now), before) is same


@pytest.mark.parametrize(
    "before", [memory(0, 0), memory(100, 200), memory(100, -1), memory(100, 100)]
)
def test_what_is_sent_ends_with_the_former_memory_limits(before: dict[str, Any]) -> None:
    sent = memory_back(before)
    assert as_before(found(HostConfig=sent[-1]), before)
    # Both together must never be less than memory alone, at no step.
    assert all(s["MemorySwap"] >= s["Memory"] for s in sent[:1])


def test_an_endpoint_is_asked_for_without_what_the_engine_adds() -> None:
    endpoint = {
        "Aliases": ["db", "a" * 12, "primary", "db"],
        "Links": None,
        "IPAMConfig": {"IPv4Address": "10.0.0.9"},
        "IPAddress": "10.0.0.9",
        "MacAddress": "02:42",
        "DriverOpts": {},
        "GwPriority": 0,
    }
    assert config_of(endpoint, "a" * 64) == {
        "Aliases": ["db", "primary"],
        "IPAMConfig": {"IPv4Address": "10.0.0.9"},
    }
    assert config_of({"Aliases": ["a" * 12]}, "a" * 64) == {}
    assert config_of({"Aliases": None}, "a" * 64) == {}


@pytest.mark.parametrize("port", ["", "0", "8000-8010", None])
def test_a_port_that_the_engine_chooses_is_refused(port: str | None) -> None:
    host = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}}
    with pytest.raises(NoEffectError, match="publishes 80/tcp on a port that the engine chooses"):
        refuse_random_ports(found(HostConfig=host))


def test_all_ports_published_at_random_are_refused() -> None:
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "81/tcp": None}
    there = found(HostConfig={"PublishAllPorts": True}, NetworkSettings={"Ports": ports})
    with pytest.raises(NoEffectError, match="publishes 80/tcp on"):
        refuse_random_ports(there)


@pytest.mark.parametrize(
    "bindings", [None, {}, {"80/tcp": [{"HostPort": "8000"}]}, {"80/tcp": None}]
)
def test_fixed_ports_and_none_are_fine(bindings: Any) -> None:
    refuse_random_ports(found(HostConfig={"PortBindings": bindings}))
    refuse_auto_remove(found(HostConfig={"AutoRemove": False}))


def test_what_moved_is_said_with_both_places() -> None:
    there = found(
        NetworkSettings={
            "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9001"}], "81/tcp": None},
            "Networks": {"net": {"IPAddress": "10.0.0.3"}, "new": {"IPAddress": "10.0.1.1"}},
        }
    )
    before = {"ports": {"80/tcp": ["127.0.0.1:9000"]}, "addresses": {"net": "10.0.0.3"}}
    change = {"before": ["127.0.0.1:9000"], "now": ["127.0.0.1:9001"]}
    assert moved(there, before) == {"ports_changed": {"80/tcp": change}}
    before = {"ports": {"80/tcp": ["127.0.0.1:9001"]}, "addresses": {"net": "10.0.0.2"}}
    assert moved(there, before) == {
        "addresses_changed": {"net": {"before": "10.0.0.2", "now": "10.0.0.3"}}
    }
    assert moved(there, {}) == {}


@given(st.dictionaries(st.sampled_from(["a.json", "notes/b.json", "c"]), st.binary(max_size=600)))
def test_files_come_out_as_they_went_in(files: dict[str, bytes]) -> None:
    packed = pack({f"gameday/{name}": content for name, content in files.items()})
    assert unpack(packed) == files


def test_only_plain_files_come_out_of_an_archive() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("x", tarfile.DIRTYPE), ("x/link", tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    assert unpack(buffer.getvalue()) == {}
    with pytest.raises(ValueError, match="not an archive"):
        unpack(b"no tar" * 200)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.text(max_size=50)), max_size=5))
def test_frames_of_an_output_become_its_text(parts: list[tuple[int, str]]) -> None:
    data = b"".join(
        bytes([stream, 0, 0, 0]) + len(text.encode()).to_bytes(4, "big") + text.encode()
        for stream, text in parts
    )
    assert _plain(data) == "".join(text for _, text in parts)
    assert "".join(t for _, t in parts).startswith(_plain(data[: len(data) // 2]).rstrip("\ufffd"))


def test_the_loopback_is_no_traffic() -> None:
    table = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "    lo:    1000       1    0    0    0     0          0         0     1000       1 0 0\n"
        "  eth0:     700       5    0    0    0     0          0         0      300       4 0 0\n"
        "  eth1:12        1    0    0    0     0          0         0      3       1 0 0\n"
    )
    assert sum_of(table) == 1_015
    assert sum_of("") == 0


def place(owner: Mapping[str, Any] | None, ends_in_s: float) -> Place:
    expires = round((time.time() + ends_in_s) * 1000)
    lease = {"run": "r1", "expires_wall_ms": expires, "owner": owner}
    return Place(id="x", container="box", run="r1", lease=lease)


def test_who_holds_a_container() -> None:
    me = identity_of(os.getpid())
    dead, far = {**me, "start_ticks": 1}, {**me, "host": "elsewhere"}
    assert held(place(me, -1))  # a live owner holds it, however late it renews
    assert not held(place(dead, 60))
    assert held(place(far, 60))
    assert not held(place(far, -1))
    assert not held(place(None, -1))
    assert not held(Place(id="x", container="box", run="r1"))
    url = "unix:///x.sock"
    assert "is held by run `r1` on host" in who_holds(url, place(me, 60))
    assert f"`gameday recover --target {url} --force`" in who_holds(url, place(me, 60))
    left = who_holds(url, place(dead, 60))
    assert left.startswith("run `r1` on host `")
    assert f"`gameday recover --target {url}`" in left
    assert "try again" in who_holds(url, None, "box")


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (PermissionError(13, "Permission denied"), "no permission to use .* run as root, or as"),
        (FileNotFoundError(2, "No such file or directory"), "no Docker engine answers .* start it"),
        (TimeoutError("timed out"), "did not answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "went away in the middle"),
        (ValueError("no JSON"), "gave no usable answer .*: no JSON"),
    ],
)
def test_an_engine_that_cannot_be_asked_says_why(error: Exception, match: str) -> None:
    def fail(_api: Any) -> None:
        raise error

    with Engine("nowhere://x") as engine:
        engine._client = SimpleNamespace(close=lambda: None)
        with pytest.raises(SilentError, match=match):
            engine._do("looking", fail)
