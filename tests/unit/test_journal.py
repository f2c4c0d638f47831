"""The journal: on disk before the world is touched, readable at any prefix, chained."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday import journal as module
from gameday import secrets
from gameday.errors import JournalError
from gameday.journal import GENESIS, Journal, decode, encode, follow, read, verify
from gameday.model.debts import ledger_of
from gameday.model.event import Event, Phase
from gameday.plain import canonical, plain


def event(seq: int, kind: str = "human.note", phase: Phase = Phase.NOTED, **data: Any) -> Event:
    return Event(seq=seq, at_ms=seq * 10, kind=kind, subject="sübject\n", phase=phase, data=data)


def write(path: Path, count: int, *, closed: bool = False) -> list[Event]:
    events = [event(i, text=f"note {i} – ünïcode \u2028") for i in range(count)]
    if closed:
        events.append(event(count, "run.closed", status="completed"))
    with Journal.open(path) as journal:
        for each in events:
            journal.append(each)
    return events


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    events = [
        event(0, "run.opened", origin_wall_ms=1),
        event(1, "fault.inject", Phase.STARTED, undo={"kind": "toxiproxy", "toxics": [1.5, None]}),
        Event(seq=2, at_ms=30, kind="fault.inject", subject="x", phase=Phase.OK, cause=1),
        event(3, "run.closed", status="completed"),
    ]
    with Journal.open(path) as journal:
        for each in events:
            journal.append(each)

    found = read(path)

    assert list(found.events) == events
    assert found.complete
    assert found.problem is None
    assert not found.torn


def test_a_line_is_as_the_contract_says(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 2)
    previous = "0" * 64
    for seq, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1]):
        raw = json.loads(line)
        digest = raw.pop("hash")
        body = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert raw["v"] == 1
        assert raw["seq"] == seq
        assert raw["prev"] == previous
        assert digest == hashlib.sha256((previous + body).encode()).hexdigest()
        previous = digest


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", 1)

    with pytest.raises(JournalError, match="exists already"):
        Journal.open(tmp_path / "journal.jsonl")


@pytest.mark.parametrize("call", [Journal.open, Journal.reopen, read])
def test_a_missing_place_is_told(tmp_path: Path, call: Callable[[Path], object]) -> None:
    with pytest.raises(JournalError, match="No such file"):
        call(tmp_path / "nowhere" / "journal.jsonl")


def test_every_prefix_is_readable_and_can_be_gone_on_from(tmp_path: Path) -> None:
    path, cut = tmp_path / "journal.jsonl", tmp_path / "cut.jsonl"
    events = write(path, 3, closed=True)
    raw = path.read_bytes()
    for size in range(len(raw) + 1):
        cut.write_bytes(raw[:size])
        found = read(cut)
        whole = raw[:size].count(b"\n")
        assert found.problem is None
        assert list(found.events[:whole]) == events[:whole]
        assert len(found.events) - whole in (0, 1), "only a line whose end alone is missing is more"
        assert found.complete == (len(found.events) == len(events))
        go_on(cut, found.events)


def go_on(cut: Path, before: tuple[Event, ...]) -> None:
    with Journal.reopen(cut) as journal:
        assert journal.next_seq == len(before)
        journal.append(event(len(before), "sentinel.took_over", why="gone"))
        journal.append(event(len(before) + 1, "run.closed"))
    after = read(cut)
    assert after.problem is None
    assert after.complete
    assert after.events[:-2] == before
    assert after.events[-2].kind == "sentinel.took_over"


def test_a_torn_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    raw = path.read_bytes()
    path.write_bytes(raw[:-20])

    assert read(path).torn
    with Journal.reopen(path) as journal:
        journal.append(event(2))

    assert read(path).skipped == (3,)
    assert not read(path).torn


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().split(b"\n")[:-1])))


FORGERIES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, int]] = {
    "changed": (lambda x: [*x[:2], x[2].replace(b"note 2", b"note 9"), *x[3:]], "line 3 ", 2),
    "removed": (lambda x: [*x[:2], *x[3:]], "line 3 ", 2),
    "doubled": (lambda x: [*x[:2], x[1], *x[2:]], "line 3 ", 2),
    "swapped": (lambda x: [x[0], x[2], x[1], *x[3:]], "line 2 ", 1),
    "made unreadable": (lambda x: [*x[:2], b"oops", *x[3:]], "line 3 ", 2),
    "no event": (lambda x: [*x[:2], b"[]", *x[3:]], "line 3 is no event", 2),
    "no data": (lambda x: [*x[:2], b'{"hash":"","v":1}', *x[3:]], "line 3 is no event", 2),
    "first removed": (lambda x: x[1:], "line 1 ", 0),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_broken_chain_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "journal.jsonl"
    events = write(path, 5, closed=True)
    change, where, before = FORGERIES[name]
    edit(path, change)

    found = read(path)

    assert where in str(found.problem)
    assert list(found.events) == events[:before]
    assert not found.complete
    assert verify(path) == found.problem
    with pytest.raises(JournalError, match="cannot be appended to"):
        Journal.reopen(path)


def test_a_line_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    line, _ = encode(event(0), GENESIS)
    path.write_bytes(line.replace(b'"v":1', b'"v":2'))

    assert "version 2" in str(verify(path))


def test_events_must_follow_each_other(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.jsonl") as journal:
        journal.append(event(0))
        with pytest.raises(JournalError, match="cannot follow"):
            journal.append(event(2))


def test_a_started_action_is_synced_and_an_observation_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    synced: list[int] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(path.stat().st_size if path.exists() else 0)
        real(fd)

    monkeypatch.setattr(module.os, "fsync", fsync)
    with Journal.open(path) as journal:
        assert synced == [0], "the directory entry is on disk"
        journal.append(event(0))
        assert synced == [0]
        journal.append(event(1, "fault.inject", Phase.STARTED))
        assert synced == [0, path.stat().st_size], "the whole line is on disk when append returns"
        journal.append(event(2), sync=True)
        assert len(synced) == 3


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_journal_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    with Journal.open(tmp_path / "journal.jsonl") as journal, monkeypatch.context() as patch:

        def fail(*_args: object) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(module.os, failing, fail)
        with pytest.raises(JournalError, match="No space left"):
            journal.append(event(0, "fault.inject", Phase.STARTED))


def test_a_line_written_in_part_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with Journal.open(tmp_path / "journal.jsonl") as journal, monkeypatch.context() as patch:
        patch.setattr(module.os, "write", lambda fd, line: real(fd, line[:7]))
        with pytest.raises(JournalError, match="in part only"):
            journal.append(event(0))
    assert read(tmp_path / "journal.jsonl").torn


class Colour(StrEnum):
    RED = "red"


STRANGE = {
    "not a number": (float("nan"), "nan"),
    "infinite": (float("inf"), "inf"),
    "a set": (frozenset({3}), [3]),
    "a tuple": ((1, 2), [1, 2]),
    "an enum": (Colour.RED, "red"),
    "whole keys": ({2: "b", 10: "a"}, {"2": "b", "10": "a"}),
    "half a character": ("\ud800", "\\ud800"),
    "a path": (Path("x"), "x"),
    "an error": (ValueError("no"), "ValueError('no')"),
    "true": (True, True),
}


@pytest.mark.parametrize("name", STRANGE)
def test_data_that_is_no_json_is_written_all_the_same(tmp_path: Path, name: str) -> None:
    value, expected = STRANGE[name]
    with Journal.open(tmp_path / "journal.jsonl") as journal:
        journal.append(event(0, value=value))

    found = read(tmp_path / "journal.jsonl")

    assert found.problem is None
    assert found.events[0].data == {"value": expected}


def test_data_that_contains_itself_is_written_all_the_same() -> None:
    loop: list[object] = []
    loop.append(loop)
    line, _ = encode(event(0, value=loop), GENESIS)

    assert decode(line)[0].kind == "human.note"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(data=st.dictionaries(st.text(), JSON, max_size=4), subject=st.text())
def test_any_data_survives(data: dict[str, Any], subject: str) -> None:
    before = Event(seq=0, at_ms=-5, kind="human.note", subject=subject, data=data)
    line, digest = encode(before, GENESIS)

    after, prev, again = decode(line)

    assert (prev, again) == (GENESIS, digest)
    assert line.count(b"\n") == 1
    assert after.data == plain(data)
    assert canonical(plain(after.data)) == canonical(plain(data))


def test_follow_yields_what_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    seen: list[Event] = []
    half = threading.Event()
    done = threading.Event()

    def watch() -> None:
        for each in follow(path, until=lambda: False, poll_s=0.005):
            seen.append(each)
            if each.seq == 1:
                half.set()
        done.set()

    threading.Thread(target=watch, daemon=True).start()
    with Journal.open(path) as journal:
        journal.append(event(0))
        journal.append(event(1))
        assert half.wait(10)
        journal.append(event(2, "run.closed"))
        assert done.wait(10), "it ends with the run"

    assert [e.seq for e in seen] == [0, 1, 2]


def test_follow_ends_when_told_and_has_read_everything_then(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert list(follow(path, until=lambda: True)) == []
    write(path, 3)
    path.write_bytes(path.read_bytes() + b'{"torn')

    assert [e.seq for e in follow(path, until=lambda: True)] == [0, 1, 2]


@pytest.mark.parametrize(
    "secret", ["undo", "fault.inject", "x1x1", "started", "shop", "0000", "pay"]
)
def test_a_secret_that_is_a_common_word_breaks_nothing_that_is_undone(
    tmp_path: Path, secret: str
) -> None:
    """A password may be the name of a container as well; what is undone is never masked."""
    undo = {"kind": "docker", "container": secret, "facts": {"image": f"{secret}:1"}}
    secrets.remember(secret)
    first = Event(
        seq=0,
        at_ms=0,
        kind="fault.inject",
        subject=secret,
        phase=Phase.STARTED,
        data={"undo": undo, "target": "pay"},
    )
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append(first)
        journal.append(event(1, error=f"denied for {secret}"))

    found = read(path)

    assert found.problem is None
    assert found.events[0].kind == "fault.inject"
    assert found.events[0].subject == secret
    assert found.events[0].data["undo"] == undo
    (debt,) = ledger_of(found.events).owed
    assert debt.undo == undo
    masked = len(secret) >= secrets.SHORTEST
    assert found.events[1].data["error"] == f"denied for {'***' if masked else secret}"


def test_a_digest_with_a_secret_in_it_by_accident_still_fits(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"plan").hexdigest()
    secrets.remember(digest[10:14])
    assert decode(encode(event(0, plan=digest, key=f"sha256:{digest}"), GENESIS)[0].strip())[
        0
    ].data == {"plan": digest, "key": f"sha256:{digest}"}
    secrets.remember(digest)  # a token may be hexadecimal
    told = decode(encode(event(0, plan=digest, text=f"Bearer {digest}"), GENESIS)[0].strip())[0]
    assert told.data == {"plan": "***", "text": "Bearer ***"}


def test_every_line_fits_the_one_before_whatever_the_secret(tmp_path: Path) -> None:
    for number in range(16):  # some of these are in the hashes of a hundred lines
        secrets.remember(f"{number:x}" * 2 + "ab")
        secrets.remember(f"{number:04x}")
    write(tmp_path / "journal.jsonl", 300, closed=True)
    assert verify(tmp_path / "journal.jsonl") is None
