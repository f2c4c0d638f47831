"""What master and workers on other hosts agree on: who is who, what was said, what time it is."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters.locust.clocks import Asked, Offset, measured
from gameday.adapters.locust.handshake import ForgedError, Seal, nonce, proof, proves
from gameday.adapters.locust.hosts import Hosts, name_for, split_address, translated
from gameday.adapters.locust.protocol import Edge, Rate, Start, parse_command, write_command

MS = 1_000_000


def test_a_proof_holds_for_one_token_one_role_and_one_conversation() -> None:
    shown = proof("secret", "master", "m", "w")
    assert proves("secret", "master", "m", "w", shown)
    for token, own, other, proved in (
        ("another", "m", "w", shown),
        ("secret", "x", "w", shown),
        ("secret", "m", "x", shown),
        ("secret", "w", "m", shown),
        ("secret", "m", "w", None),
        ("secret", "m", "w", ""),
        ("secret", "m", "w", "ü"),
    ):
        assert not proves(token, "master", own, other, proved)
    assert not proves("secret", "worker", "m", "w", shown)  # what one shows is of no use to another
    assert "secret" not in shown
    assert nonce() != nonce()


def seals(token: str = "t", other: str = "t") -> tuple[Seal, Seal]:
    return (
        Seal(token, "master", master="m", worker="w"),
        Seal(other, "worker", master="m", worker="w"),
    )


def test_what_is_sealed_is_opened_in_order_and_once() -> None:
    master, worker = seals()
    first, second = master.seal("one"), master.seal("two")
    assert worker.open(json.loads(json.dumps(first))) == "one"
    assert worker.open(second) == "two"
    assert master.open(worker.seal("ü")) == "ü"
    for again in (first, second):
        with pytest.raises(ForgedError):
            worker.open(again)
    with pytest.raises(ForgedError):
        master.open(master.seal("mine"))  # thrown back


@pytest.mark.parametrize(
    "change", [{"text": "x"}, {"n": 2}, {"mac": "x"}, {"mac": None}, {"n": "1"}, {"text": 1}]
)
def test_a_changed_frame_is_not_opened(change: dict[str, object]) -> None:
    master, worker = seals()
    with pytest.raises(ForgedError):
        worker.open({**master.seal("one"), **change})


def test_another_token_opens_nothing() -> None:
    master, worker = seals(other="u")
    with pytest.raises(ForgedError):
        worker.open(master.seal("one"))


@given(
    offset_ns=st.integers(-(10**15), 10**15),
    trips=st.lists(
        st.tuples(st.integers(0, 50 * MS), st.integers(0, 50 * MS)), min_size=10, max_size=30
    ),
)
def test_the_error_of_an_offset_is_never_too_small(
    offset_ns: int, trips: list[tuple[int, int]]
) -> None:
    samples, now_ns = [], 10**9
    for there, back in trips:
        theirs_ns = now_ns + there + offset_ns
        samples.append(
            Asked(sent_ns=now_ns, theirs_ns=theirs_ns, received_ns=now_ns + there + back)
        )
        now_ns += 100 * MS
    found = measured(samples)
    assert abs(found.offset_ns - offset_ns) <= found.error_ns + 1
    assert found.error_ns == (min(a + b for a, b in trips) + 1) // 2
    assert found.ours(found.theirs(12345)) == 12345


def test_one_quick_answer_among_slow_ones_is_enough() -> None:
    rng = random.Random(1)
    samples = [
        Asked(sent_ns=0, theirs_ns=7_000 * MS + there, received_ns=there + rng.randint(1, 90) * MS)
        for there in (rng.randint(20, 90) * MS for _ in range(9))
    ]
    samples.append(Asked(sent_ns=0, theirs_ns=7_000 * MS + MS // 10, received_ns=MS // 5))
    found = measured(samples)
    assert found.facts() == {"offset_ms": 7_000.0, "error_ms": 0.1}
    with pytest.raises(ValueError, match="asking"):
        measured([])


def test_times_of_the_runner_are_told_in_the_time_of_the_worker() -> None:
    clock = Offset(offset_ns=5_000, error_ns=1)
    start = Start(origin_wall_ms=1, origin_mono_ns=100, second=3)
    assert parse_command(translated(write_command(start), clock)) == Start(
        origin_wall_ms=1, origin_mono_ns=5_100, second=3
    )
    rate = Rate(per_s=2.0, at_mono_ns=7)
    assert parse_command(translated(write_command(rate), clock)) == Rate(
        per_s=2.0, at_mono_ns=5_007
    )
    for line in (
        write_command(Rate(per_s=2.0)),
        write_command(Edge(opening=True)),
        b'{"cmd":"x"}\n',
    ):
        assert translated(line, clock) == line


@pytest.mark.parametrize(
    ("text", "two"),
    [
        ("10.0.0.5:5557", ("10.0.0.5", 5557)),
        ("runner.example:1", ("runner.example", 1)),
        ("[::1]:5557", ("::1", 5557)),
    ],
)
def test_addresses(text: str, two: tuple[str, int]) -> None:
    assert split_address(text) == two


@pytest.mark.parametrize("text", ["", "host", "host:", ":5557", "host:0", "host:65536", "a b:1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no address; write `HOST:PORT`"):
        split_address(text)


def test_workers_are_called_by_their_hosts() -> None:
    assert name_for("box", []) == "box"
    assert name_for("box", ["box", "box-2"]) == "box-3"
    assert name_for("a b/ü", []) == "a-b--"
    assert name_for("", []) == "worker"


def test_the_bridge_is_told_where_to_listen() -> None:
    told = json.loads(Hosts(listen="[::1]:5557", token="t").told(3))
    assert told == {"host": "::1", "port": 5557, "token": "t", "workers": 3}
