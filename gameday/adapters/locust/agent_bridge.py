"""The bridge: Locust's own master, which carries the load protocol to workers on other hosts.

A child of the runner, started by `driver`. Each worker that has shown that it knows the token gets
a connection of its own to the runner; what the worker says goes there as it is, but for `hello`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from time import monotonic_ns
from typing import Any

import gevent
from locust.env import Environment

from gameday.adapters.locust.agent import cannot, die_with
from gameday.adapters.locust.clocks import SAMPLES, Asked, Offset, measured
from gameday.adapters.locust.handshake import ForgedError, Seal, nonce, proof, proves
from gameday.adapters.locust.hosts import (
    BEAT_S,
    CLOCK_EVERY_S,
    GATHER_VAR,
    KIND,
    VERSION,
    name_for,
    translated,
)
from gameday.adapters.locust.protocol import (
    PARENT_VAR,
    SOCKET_VAR,
    TOKEN_VAR,
    Hello,
    Noted,
    ProtocolError,
    parse,
    write,
)

_PING_S = 0.02
_ANSWER_S = 2.0
#: Strangers that are remembered at most.
MOST_PEERS = 1_000


class Peer:
    """Somebody who has come. It has a `seal` from when it has proved that it knows the token."""

    def __init__(self, client: str, host: str, theirs: str) -> None:
        self.client, self.host, self.theirs = client, host, theirs
        self.own = nonce()
        self.name = ""
        self.seal: Seal | None = None
        self.link: socket.socket | None = None
        self.clock = Offset(offset_ns=0, error_ns=0)
        self.asked: dict[int, int] = {}
        self.samples: list[Asked] = []


class Bridge:
    """Master on one side, runner on the other."""

    def __init__(self, *, path: str, token: str, told: dict[str, Any]) -> None:
        self._path, self._runner_token = path, token
        self._token, self._wanted = str(told["token"]), int(told["workers"])
        self._peers: dict[str, Peer] = {}
        self._refused = 0
        self._came = 0
        self._spoke = False
        self._pings = 0
        self._notes: list[Noted] = []  # for whom nobody speaks yet
        self._master: Any = Environment(user_classes=[]).create_master_runner(
            told["host"], told["port"]
        )
        self._master.register_message(KIND, self._heard)

    def run(self) -> None:
        """Until the runner has nothing more to say."""
        gevent.spawn(self._beat)
        gevent.spawn(self._clocks)
        while not self._spoke or any(p.link is not None for p in self._peers.values()):
            gevent.sleep(0.1)
        gevent.sleep(0.3)  # what was said last is still on its way

    def _heard(self, environment: Any, msg: Any, **_: object) -> None:
        del environment
        data = msg.data if isinstance(msg.data, dict) else {}
        peer = self._peers.get(msg.node_id)
        try:
            if data.get("do") == "come":
                self._come(str(msg.node_id), data)
            elif peer is None:
                return
            elif data.get("do") == "refuse":
                self._refuse(peer, "it says that our token is not the one that it knows")
            elif data.get("do") == "proof" and peer.seal is None:
                self._proved(peer, data)
            elif data.get("do") == "frame" and peer.seal is not None:
                self._frame(peer, json.loads(peer.seal.open(data)))
        except (ForgedError, ValueError, KeyError, TypeError) as error:
            _say(f"a message of {msg.node_id!r:.80} was ignored: {error}")

    def _come(self, client: str, data: dict[str, Any]) -> None:
        if client in self._peers or len(self._peers) >= MOST_PEERS:
            return
        peer = self._peers[client] = Peer(
            client, str(data.get("host", ""))[:80], str(data["nonce"])
        )
        if data.get("v") != VERSION:
            self._refuse(
                peer, f"it speaks version {data.get('v')!r:.20}, and this gameday {VERSION}"
            )
            return
        shown = proof(self._token, "master", peer.own, peer.theirs)
        self._tell(peer, {"do": "prove", "nonce": peer.own, "proof": shown})

    def _proved(self, peer: Peer, data: dict[str, Any]) -> None:
        if not proves(self._token, "worker", peer.theirs, peer.own, data.get("proof")):
            self._refuse(peer, "its token is not ours")
            return
        peer.seal = Seal(self._token, "master", master=peer.own, worker=peer.theirs)
        if self._came >= self._wanted:
            self._sealed(peer, {"k": "late"})
            self._note(peer.host, "late", {"why": "the run had its workers already"})
            return
        self._came += 1
        peer.name = name_for(peer.host, (p.name for p in self._peers.values()))
        gevent.spawn(self._welcome, peer)

    def _welcome(self, peer: Peer) -> None:
        if not self._measure(peer):
            self._came -= 1
            peer.name = ""
            return
        _say(f"worker {peer.name} has come")
        self._sealed(peer, {"k": "go", "worker": peer.name})

    def _refuse(self, peer: Peer, why: str) -> None:
        self._refused += 1
        self._tell(peer, {"do": "refused", "why": why})
        self._note(peer.host, "refused", {"why": why, "refused": self._refused})

    def _frame(self, peer: Peer, said: dict[str, Any]) -> None:
        match said["k"]:
            case "pong":
                sent_ns = peer.asked.pop(int(said["n"]))
                peer.samples.append(
                    Asked(
                        sent_ns=sent_ns,
                        theirs_ns=int(said["mono_ns"]),
                        received_ns=monotonic_ns(),
                    )
                )
            case "line":
                self._line(peer, str(said["line"]).encode())
            case "end":
                self._close(peer)

    def _line(self, peer: Peer, line: bytes) -> None:
        if peer.link is None:
            hello = parse(line)
            if not isinstance(hello, Hello):
                raise ProtocolError("`hello` must be the first line")
            peer.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            peer.link.connect(self._path)
            self._spoke = True
            ours = Hello(
                v=hello.v,
                token=self._runner_token,
                pid=hello.pid,
                worker=peer.name,
                generator=hello.generator,
                mono_ns=peer.clock.ours(hello.mono_ns),
                host=peer.host,
                clock=peer.clock.facts(),
            )
            self._to_runner(peer, write(ours))
            notes, self._notes = self._notes, []
            for note in notes:
                self._note(note.worker, note.what, dict(note.data))
            gevent.spawn(self._from_runner, peer)
            return
        self._to_runner(peer, line + b"\n")

    def _from_runner(self, peer: Peer) -> None:
        link = peer.link
        if link is None:
            return
        with contextlib.suppress(OSError), link.makefile("rb") as lines:
            for line in lines:
                self._sealed(peer, {"k": "line", "line": translated(line, peer.clock).decode()})
        self._sealed(peer, {"k": "leave"})
        self._close(peer)

    def _to_runner(self, peer: Peer, line: bytes) -> None:
        try:
            if peer.link is not None:
                peer.link.sendall(line)
        except OSError:
            self._close(peer)

    def _close(self, peer: Peer) -> None:
        link, peer.link = peer.link, None
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _beat(self) -> None:
        while True:
            for peer in list(self._peers.values()):
                if peer.name:
                    self._sealed(peer, {"k": "beat"})
            gevent.sleep(BEAT_S)

    def _clocks(self) -> None:
        while True:
            gevent.sleep(CLOCK_EVERY_S)
            for peer in [p for p in self._peers.values() if p.link is not None]:
                before = peer.clock
                if self._measure(peer):
                    facts, peer.clock = peer.clock.facts(), before  # a running load is not moved
                    self._note(peer.name, "clock", facts)

    def _measure(self, peer: Peer) -> bool:
        """Ask for the time often enough; False if the worker does not answer."""
        peer.samples = []
        deadline = time.monotonic() + _ANSWER_S
        while len(peer.samples) < SAMPLES and time.monotonic() < deadline:
            self._pings += 1
            peer.asked[self._pings] = monotonic_ns()
            self._sealed(peer, {"k": "ping", "n": self._pings})
            gevent.sleep(_PING_S)
        peer.asked.clear()
        if len(peer.samples) < SAMPLES:
            return False
        peer.clock = measured(peer.samples)
        return True

    def _note(self, worker: str, what: str, data: dict[str, Any]) -> None:
        """Tell the run of somebody who has no connection of its own, or of a clock."""
        if what != "clock":
            _say(f"worker {worker}: {what}: {data.get('why', '')}")
        spoken = next((p for p in self._peers.values() if p.link is not None), None)
        note = Noted(worker=worker, what=what, data=data)
        if spoken is None:
            self._notes = [*self._notes, note][:100]
        else:
            self._to_runner(spoken, write(note))

    def _sealed(self, peer: Peer, said: dict[str, Any]) -> None:
        if peer.seal is not None:
            self._tell(peer, {"do": "frame", **peer.seal.seal(json.dumps(said))})

    def _tell(self, peer: Peer, data: dict[str, Any]) -> None:
        try:
            self._master.send_message(KIND, data, peer.client)
        except Exception as error:  # noqa: BLE001 - a worker out of reach; it is missed by its ticks
            _say(f"worker {peer.name or peer.client} cannot be told: {error}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Until the runner has nothing more to say, or is gone. Returns the exit code."""
    path, token = os.environ.pop(SOCKET_VAR, ""), os.environ.pop(TOKEN_VAR, "")
    told = json.loads(os.environ.pop(GATHER_VAR, "{}"))
    if not path or not token or not told:
        sys.stderr.write("gameday: this process is started by gameday, not by hand\n")
        return 2
    die_with(int(os.environ.pop(PARENT_VAR, "0")))
    try:
        made = Bridge(path=path, token=token, told=told)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - Locust exits where a port is taken
        where = f"{told['host']}:{told['port']}"
        why = f"workers cannot come to `{where}`: {error or 'the port is taken'}"
        cannot(path, token, "0", why, generator="bridge")
        return 2
    made.run()
    sys.stdout.flush()
    os._exit(0)  # without Locust's farewells: nobody is left who waits for them


if __name__ == "__main__":
    sys.exit(main())
