"""Both ends of the load protocol as `docs/load-protocol.md` has it, each against a stranger."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from load_support import Server, closed_port, journey

from gameday.adapters.locust.process import LoadProcess
from gameday.adapters.locust.protocol import (
    Bye,
    Conversation,
    Edge,
    Edged,
    Hello,
    Message,
    Prepare,
    Ready,
    Running,
    Start,
    Stop,
    Ticked,
    parse,
    spec_to_json,
    write_command,
)
from gameday.errors import NoEffectError
from gameday.model.scenario import LoadSpec

#: A generator in a dozen lines, written from the document alone.
GENERATOR = """
import json, os, socket, sys, time
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["GAMEDAY_LOAD_SOCKET"])
lines = link.makefile("rw")
def say(t, **fields):
    lines.write(json.dumps({"t": t, "more": "ignored", **fields}) + "\\n")
    lines.flush()
say("hello", v=1, token=os.environ["GAMEDAY_LOAD_TOKEN"] + MISTAKE, pid=os.getpid(), worker="7",
    generator="own 0.1", mono_ns=time.monotonic_ns())
for line in lines:
    command = json.loads(line)
    if command["cmd"] == "prepare":
        say("ready", worker="7", users=1)
    elif command["cmd"] == "start":
        say("running", worker="7", second=4)
        cells = [[4, "all", "/a", "ok", 0, [[900, 3]], [[900, 3]]]]
        say("tick", second=4, worker="7", cells=cells, open=[], in_flight=0, oldest_ms=0, users=1,
            asked=3, started=3, queued=0, start_lag=[[1, 3]], loop_lag_ms=0.1, cpu_share=0.1)
    elif command["cmd"] == "stop":
        say("bye", worker="7", asked=3, started=3, unserved=0)
        sys.exit(0)
"""


@contextmanager
def agent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket, BinaryIO]]:
    """A load process that speaks with this test: the process, its link, and the lines from it."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(20)
        env = {**os.environ, "GAMEDAY_LOAD_SOCKET": path, "GAMEDAY_LOAD_TOKEN": "secret"}
        args = [sys.executable, "-m", "gameday.adapters.locust.agent"]
        child = subprocess.Popen(args, env=env, start_new_session=True)
        try:
            link, _ = listener.accept()
            link.settimeout(20)
            with link, link.makefile("rb") as lines:
                yield child, link, lines
        finally:
            child.kill()
            child.wait()


def prepare(link: socket.socket, spec: LoadSpec, url: str) -> None:
    link.sendall(write_command(Prepare(base_url=url, seed=1, spec=spec_to_json(spec))))


def begin(link: socket.socket) -> None:
    link.sendall(write_command(Start(origin_wall_ms=0, origin_mono_ns=time.monotonic_ns())))


def test_the_lines_that_locust_speaks(tmp_path: Path) -> None:
    server = Server()
    try:
        with agent(tmp_path) as (child, link, lines):
            heard = _talk(link, lines, server.url)
            assert child.wait(10) == 0
    finally:
        server.close()

    conversation = Conversation()
    for message in heard:
        conversation.feed(message)
    kinds = [type(m) for m in heard]
    assert [k for k in kinds if k is not Ticked] == [Hello, Ready, Running, Edged, Edged, Bye]
    ticks = [m.tick for m in heard if isinstance(m, Ticked)]
    begun = next(m for m in heard if isinstance(m, Running))
    assert [t.second for t in ticks] == [begun.second, begun.second + 1]
    bye = heard[-1]
    assert isinstance(bye, Bye)
    assert bye.asked == bye.started == ticks[-1].asked == sum(server.seen.values()) > 20
    assert isinstance(heard[0], Hello)
    assert heard[0].token == "secret"


def _talk(link: socket.socket, lines: BinaryIO, url: str) -> list[Message]:
    spec = LoadSpec(
        target="shop", arrivals_per_s=20, timeout_ms=500, journeys=(journey("all", "/a"),)
    )
    heard: list[Message] = []
    for line in lines:
        message = parse(line)
        heard.append(message)
        match message:
            case Hello():
                link.sendall(b'{"cmd":"of a later version"}\n')
                prepare(link, spec, url)
            case Ready():
                begin(link)
            case Ticked() if len([m for m in heard if isinstance(m, Ticked)]) == 1:
                link.sendall(write_command(Edge(opening=True)))
                link.sendall(write_command(Edge(opening=False)))
            case Edged(opening=False):
                link.sendall(write_command(Stop(drain_ms=1000)))
    return heard


BUSY = """
from locust import HttpUser, task
class Busy(HttpUser):
    @task
    def spin(self):
        print("spinning", flush=True)
        while True:
            pass
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle loop", "busy loop"])
def test_the_end_of_the_socket_ends_the_load(tmp_path: Path, busy: bool) -> None:
    file = tmp_path / "busy.py"
    file.write_text(BUSY)
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=10,
        timeout_ms=500,
        journeys=(journey("all", "/a"),),
        locustfile=str(file) if busy else None,
    )
    with agent(tmp_path) as (child, link, lines):
        for line in lines:
            match parse(line):
                case Hello():
                    prepare(link, spec, f"http://127.0.0.1:{closed_port()}")
                case Ready():
                    begin(link)
                case Running():
                    break
        if busy:
            link.settimeout(1.2)
            with pytest.raises(TimeoutError):  # the loop is so busy that no tick comes
                link.recv(1)
        lines.close()
        link.shutdown(socket.SHUT_RDWR)
        link.close()
        assert child.wait(60) != 0


def generator(tmp_path: Path, text: str, mistake: str = "''") -> tuple[LoadProcess, list[Message]]:
    script = tmp_path / "generator.py"
    script.write_text(text.replace("MISTAKE", mistake))
    heard: list[Message] = []
    return LoadProcess(
        command=(sys.executable, str(script)),
        directory=tmp_path / "load",
        heard=heard.append,
        lost=heard.append,  # type: ignore[arg-type]
    ), heard


def test_another_generator_can_stand_in_its_place(tmp_path: Path) -> None:
    process, heard = generator(tmp_path, GENERATOR)
    assert process.start(20).generator == "own 0.1"
    process.send(Prepare(base_url="http://127.0.0.1:9", seed=0, spec={}))
    assert process.wait_for(Ready, 10).users == 1
    process.send(Start(origin_wall_ms=0, origin_mono_ns=0))
    assert process.wait_for(Running, 10).second == 4
    process.send(Stop(drain_ms=0))
    assert process.wait_for(Bye, 10).asked == 3
    assert process.join(10)
    assert process.exit_code == 0
    assert [type(m) for m in heard] == [Hello, Ready, Running, Ticked, Bye]


def test_a_stranger_is_not_listened_to(tmp_path: Path) -> None:
    process, heard = generator(tmp_path, GENERATOR, mistake="'x'")
    with pytest.raises(NoEffectError, match="the load process ended"):
        process.start(20)
    process.join(0)
    assert not [m for m in heard if not isinstance(m, str)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"t": "tick"}, "`tick` before `ready`|no tick: KeyError"),
        ({"t": "ready", "worker": "7", "users": "many"}, "`users` of `ready`: 'many'"),
        ({"t": "greetings"}, "no message is called `greetings`"),
    ],
)
def test_nonsense_ends_the_load(tmp_path: Path, line: dict[str, object], message: str) -> None:
    loop = "for line in lines:"
    process, heard = generator(tmp_path, GENERATOR.replace(loop, f"say(**{line!r})\n{loop}"))
    process.start(20)
    with pytest.raises(NoEffectError, match=message):
        process.wait_for(Ready, 10)
    process.join(0)
    assert process.exit_code is not None
    assert isinstance(heard[-1], str)
