from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters.locust.protocol import (
    MAX_LINE,
    Answer,
    Bye,
    Command,
    Conversation,
    Edge,
    Edged,
    Failed,
    Hello,
    Message,
    Noted,
    Once,
    Prepare,
    ProtocolError,
    Rate,
    Ready,
    Running,
    Start,
    Stop,
    Ticked,
    Users,
    parse,
    parse_command,
    spec_from_json,
    spec_to_json,
    write,
    write_command,
)
from gameday.model.scenario import Expect, Journey, LoadSpec, RequestStep
from gameday.model.shape import Stretch
from gameday.model.window import Cell, OpenCell, Tick, tick_to_json

HELLO = Hello(v=1, token="t", pid=1, worker="0", generator="x 1", mono_ns=5)
READY, RUNNING = Ready(worker="0", users=3), Running(worker="0", second=2)
BYE = Bye(worker="0", asked=3, started=2, unserved=1)
CELL = Cell(second=2, journey="j", name="ä", outcome="ok", response={5: 1}, service={4: 1})


def tick(second: int = 2, **more: Any) -> Ticked:
    return Ticked(tick=Tick(second=second, **more))


MESSAGES: list[Message] = [
    HELLO, READY, RUNNING, BYE,
    tick(cells=(CELL,), open=(OpenCell(journey="j", name="n", ages={9: 2}),), start_lag={1: 1}),
    Edged(worker="0", opening=True, marked=4), Failed(message="no"),
    Noted(worker="0", what="late", data={"a": 1}),
    Hello(v=1, token="t", pid=1, worker="b", generator="x 1", mono_ns=5, host="b", clock={"a": 1}),
    Answer(journey="j", request="r", method="GET", path="/", status=200, body="b", ms=1.5,
           outcome="ok", error=""),
]  # fmt: skip
COMMANDS: list[Command] = [
    Prepare(base_url="http://x", seed=1, spec={"a": [1]}),
    Prepare(base_url="http://x", seed=1, spec={}, share={"index": 1, "of": 2}, sha256="ab"),
    Start(origin_wall_ms=1, origin_mono_ns=2), Start(origin_wall_ms=1, origin_mono_ns=2, second=3),
    Rate(per_s=2.5, at_mono_ns=7),
    Rate(per_s=2.5), Rate(per_s=2), Users(n=3), Edge(opening=False), Stop(drain_ms=1),
    Once(limit_ms=5),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.T)
def test_messages_survive_the_journey(message: Message) -> None:
    line = write(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse(line) == message
    assert parse(json.dumps({**json.loads(line), "later": 1}).encode()) == message


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.T)
def test_commands_survive_the_journey(command: Command) -> None:
    assert parse_command(write_command(command)) == command


def test_a_later_command_is_ignored() -> None:
    assert parse_command(b'{"cmd":"dance"}') is None
    assert parse_command(b"{}") is None


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.T)
def test_no_field_may_be_missing(message: Message) -> None:
    raw = json.loads(write(message))
    for name in raw.keys() - {"host", "clock", "data"}:  # of later versions
        with pytest.raises(ProtocolError):
            parse(json.dumps({k: v for k, v in raw.items() if k != name}).encode())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"t":1}', "no message is called `1`"),
        (b'{"t":"ready","worker":"0","users":true}', "`users` of `ready`: True"),
        (b'{"t":"ready","worker":0,"users":1}', "`worker` of `ready`: 0"),
        (b" " * (MAX_LINE + 1), "at most 4194304 are read"),
    ],
)
def test_what_is_no_message(line: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        parse(line)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cells": [[1, "j", "n", "splendid", 0, [], []]]}, "no outcome is called `splendid`"),
        ({"cells": [[1, "j", "n"]]}, "no tick: ValueError"),
        ({"cells": [[1, "j", "n", "ok", 0, [[-1, 1]], []]]}, "negative bucket"),
        ({"start_lag": [[1, 0]]}, "negative bucket or an empty one"),
        ({"start_lag": 3}, "no tick: TypeError"),
        ({"second": "two"}, "no tick: ValueError"),
    ],
)
def test_what_is_no_tick(change: dict[str, Any], why: str) -> None:
    raw = {"t": "tick", **tick_to_json(Tick(second=1)), **change}
    with pytest.raises(ProtocolError, match=why):
        parse(json.dumps(raw).encode())


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_line_brings_anything_but_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(line)


@pytest.mark.parametrize(
    "messages",
    [
        [HELLO, READY, RUNNING, tick(2), tick(3), BYE],
        [HELLO, READY, tick(2), RUNNING, Edged(worker="0", opening=True, marked=0), BYE],
        [HELLO, Failed(message="no")],
        [HELLO, READY, MESSAGES[-1], BYE],
    ],
)
def test_conversations_that_are_in_order(messages: list[Message]) -> None:
    conversation = Conversation()
    for message in messages:
        assert not conversation.over
        conversation.feed(message)
    assert conversation.over


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([READY], "`hello` must be the first"),
        ([HELLO, HELLO], "`hello` must be the first line, once"),
        ([HELLO, RUNNING], "`running` before `ready`"),
        ([HELLO, tick()], "`tick` before `ready`"),
        ([HELLO, READY, READY], "`ready` twice"),
        ([HELLO, READY, BYE, tick()], "`tick` after the last line"),
        ([HELLO, READY, tick(2), tick(4)], "tick of second 4 after second 2"),
        ([HELLO, READY, tick(2), tick(2)], "tick of second 2 after second 2"),
        ([HELLO, READY, tick(2, asked=5), tick(3, asked=4)], "went back"),
        ([HELLO, READY, tick(2, started=5), tick(3, started=4)], "went back"),
    ],
)
def test_conversations_that_are_not(messages: list[Message], why: str) -> None:
    conversation = Conversation()
    for message in messages[:-1]:
        conversation.feed(message)
    with pytest.raises(ProtocolError, match=why):
        conversation.feed(messages[-1])


def test_another_version_is_refused() -> None:
    hello = Hello(v=2, token="t", pid=1, worker="0", generator="x", mono_ns=0)
    with pytest.raises(ProtocolError, match="version 2 of the load protocol"):
        Conversation().feed(hello)


def test_a_specification_survives_the_journey() -> None:
    step = RequestStep(
        method="POST", path="/p", name="p", json={"a": [1, None]}, headers={"X": "y"},
        expect=Expect(status=201),
    )  # fmt: skip
    spec = LoadSpec(
        target="t", arrivals_per_s=2.5, think_ms=4, timeout_ms=7,
        journeys=(Journey(name="j", steps=(step,), weight=3),), classes=("A", "B"),
    )  # fmt: skip
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec
    ramp = Stretch(from_per_s=0.0, to_per_s=9.5, length_ms=300)
    changing = LoadSpec(target="t", shape=(ramp, Stretch(from_per_s=9.5, to_per_s=9.5)))
    assert spec_from_json(json.loads(json.dumps(spec_to_json(changing)))) == changing
    own = LoadSpec(target="t", users=3, locustfile="/f.py")
    assert spec_from_json(json.loads(json.dumps(spec_to_json(own)))) == own


NO_STRETCH = {"from_per_s": 1, "to_per_s": 0, "length_ms": 1}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"classes": [], "journeys": [{}]},
        {"classes": 3},
        {"target": "t", "classes": [], "journeys": [], "shape": [{"to_per_s": 1}]},
        {"target": "t", "classes": [], "journeys": [], "shape": [NO_STRETCH]},
        {"target": "t", "classes": [], "journeys": [], "shape": 3},
    ],
)
def test_what_is_no_specification(raw: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="no load specification"):
        spec_from_json(raw)
