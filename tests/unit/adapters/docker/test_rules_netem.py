"""What `tc` is told, and what is read out of its listing."""

from __future__ import annotations

import pytest

from gameday.adapters.docker.actions.netem import (
    add_script,
    delete_script,
    disciplines,
    handle_of,
    words_of,
)

LISTING = """\
qdisc noqueue 0: dev lo root refcnt 2
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0)
 backlog 0b 0p requeues 0
qdisc tbf 8f3a: dev eth0 root refcnt 3 rate 800Kbit burst 32Kb lat 400ms
 Sent 1234 bytes 7 pkt (dropped 2, overlimits 5 requeues 0)
 backlog 0b 0p requeues 0
qdisc noop 0: dev tunl0 root refcnt 2
 Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0)
qdisc mq 0: dev eth1@if7 root
 Sent 5 bytes 1 pkt (dropped 0, overlimits 0 requeues 0)
qdisc fq_codel 0: dev eth1 parent :1 limit 10240p
 Sent 999 bytes 9 pkt (dropped 9, overlimits 0 requeues 0)
"""


def test_the_root_disciplines_with_their_counters_are_read() -> None:
    eth0, eth1 = disciplines(LISTING)

    assert (eth0.device, eth0.kind, eth0.handle, eth0.default) == ("eth0", "tbf", "8f3a:", False)
    assert (eth0.bytes, eth0.packets, eth0.dropped) == (1234, 7, 2)
    assert (eth1.device, eth1.kind, eth1.default, eth1.bytes) == ("eth1", "mq", True, 5)
    assert disciplines("") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delay": 100}, "netem limit 10000 delay 100ms"),
        ({"delay": 100, "jitter": 20}, "netem limit 10000 delay 100ms 20ms"),
        ({"loss": 0.00001}, "netem limit 10000 loss random 0.001000%"),
        (
            {"delay": 5, "loss": 0.5, "rate": 100},
            "netem limit 10000 delay 5ms loss random 50.000000% rate 800kbit",
        ),
        ({"rate": 100}, "tbf rate 800kbit burst 32768 latency 1000ms"),
        ({"rate": 10_000}, "tbf rate 80000kbit burst 200000 latency 1000ms"),
    ],
)
def test_options_become_words(options: dict[str, float], words: str) -> None:
    assert words_of(options) == words.split()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "needs"),
        ({"delay": 0}, "needs"),
        ({"loss": 0.1, "jitter": 5}, "`jitter` needs"),
        ({"delay": 5, "jitter": 6}, "above"),
    ],
)
def test_options_that_say_nothing_are_refused(options: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        words_of(options)


def test_a_handle_is_of_one_fault_and_never_the_kernels() -> None:
    handles = {handle_of("run-1", f"f{n}") for n in range(50)}

    assert len(handles) > 45
    assert handle_of("run-1", "f1") == handle_of("run-1", "f1")
    assert all(0x1000 <= int(h.rstrip(":"), 16) < 0xF000 for h in handles)


def test_only_our_handle_is_deleted_and_nothing_is_replaced() -> None:
    put_in = add_script(["eth0", "eth1"], "8f3a:", ["netem", "delay", "5ms"])
    taken_out = delete_script(["eth0", "eth1"], "8f3a:")

    for line in (*put_in.splitlines(), *taken_out.splitlines()):
        if line.startswith("tc qdisc del"):
            assert "root handle 8f3a:" in line
        assert "replace" not in line
        assert "tc qdisc change" not in line
