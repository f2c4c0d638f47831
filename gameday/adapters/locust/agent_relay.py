"""A worker on a host of its own: between the master, over Locust, and the load process here.

The load process is the one that runs on the runner's host too. It is a process of its own, so that
however busy it is, this one hears in time that the master is gone, and then ends it at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from time import monotonic_ns
from typing import Any, NoReturn

import gevent
from gevent import monkey

from gameday.adapters.locust.child import environment
from gameday.adapters.locust.handshake import ForgedError, Seal, nonce, proof, proves
from gameday.adapters.locust.hosts import BEATLESS_S, FILE_VAR, KIND, VERSION
from gameday.adapters.locust.protocol import AGENT, PARENT_VAR, SOCKET_VAR, TOKEN_VAR, WORKER_VAR

_COME_S = 1.0
#: Exit codes: served, refused, the master is gone.
SERVED, REFUSED, ORPHANED = 0, 2, 3


class Relay:
    """One worker. *runner* is Locust's, connected to its master."""

    def __init__(self, runner: Any, *, token: str, locustfile: str) -> None:
        self._runner, self._token, self._locustfile = runner, token, locustfile
        self._own, self._theirs = nonce(), ""
        self._seal: Seal | None = None
        self._name = ""
        self._beat_at: float | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._bye: dict[str, Any] = {}
        self._left = False
        self.code: int | None = None  # set when there is nothing more to do

    def start(self) -> None:
        """Begin to listen, and say that a worker has come."""
        self._runner.register_message(KIND, self._heard)
        monkey.get_original("_thread", "start_new_thread")(self._watch, ())
        gevent.spawn(self._come)

    def end(self) -> None:
        """End the load process and all that it started."""
        child = self._child
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)

    def _come(self) -> None:
        while not self._theirs and self.code is None:
            host = socket.gethostname()
            self._tell({"do": "come", "v": VERSION, "nonce": self._own, "host": host})
            gevent.sleep(_COME_S)

    def _watch(self) -> None:
        """A real thread: nothing in this process can delay it."""
        sleep = monkey.get_original("time", "sleep")
        while True:
            sleep(0.1)
            beat_at = self._beat_at
            if beat_at is not None and time.monotonic() - beat_at > BEATLESS_S:
                self.end()
                os.write(2, b"gameday: the master is gone; all load of this worker was ended\n")
                os._exit(ORPHANED)

    def _heard(self, environment: Any, msg: Any, **_: object) -> None:
        del environment
        data = msg.data if isinstance(msg.data, dict) else {}
        try:
            match data.get("do"):
                case "prove" if self._seal is None:
                    self._prove(data)
                case "refused" if self._seal is None or not self._name:
                    self._leave(REFUSED, f"refused by the master: {str(data.get('why'))[:200]}")
                case "frame" if self._seal is not None:
                    self._frame(json.loads(self._seal.open(data)))
        except (ForgedError, ValueError, KeyError, TypeError) as error:
            _say(f"a message of the master was ignored: {error}")

    def _prove(self, data: dict[str, Any]) -> None:
        self._theirs = str(data["nonce"])
        if not proves(self._token, "master", self._theirs, self._own, data.get("proof")):
            self._tell({"do": "refuse"})
            gevent.sleep(0.3)  # until it has been sent
            self._leave(REFUSED, "the master does not know our token: it does nothing here")
            return
        self._seal = Seal(self._token, "worker", master=self._theirs, worker=self._own)
        self._tell({"do": "proof", "proof": proof(self._token, "worker", self._own, self._theirs)})

    def _frame(self, said: dict[str, Any]) -> None:
        self._beat_at = time.monotonic()
        match said["k"]:
            case "ping":
                self._sealed({"k": "pong", "n": said["n"], "mono_ns": monotonic_ns()})
            case "late":
                self._beat_at = None
                self._leave(REFUSED, "too late: the run has its workers already")
            case "go" if self._child is None:
                self._name = str(said["worker"])
                _say(f"this is worker {self._name} of the run")
                gevent.spawn(self._serve)
            case "line" if self._link is not None:
                with contextlib.suppress(OSError):
                    self._link.sendall(str(said["line"]).encode())
            case "leave":
                self._left = True
                self._hang_up()

    def _serve(self) -> None:
        """Run the load process, and pass on what it says, until it ends."""
        with tempfile.TemporaryDirectory(prefix="gameday-worker-") as private:
            path = str(Path(private, "socket"))
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                listener.listen(1)
                listener.settimeout(30)
                child = self._child = self._spawn(path, private)
                try:
                    self._link, _ = listener.accept()
                except TimeoutError:
                    _say("the load process did not come up")
            if self._link is not None:
                self._pass_on(self._link)
                self._hang_up()
            patience = time.monotonic() + 1
            while child.poll() is None and time.monotonic() < patience:
                gevent.sleep(0.02)
            self.end()
            code = child.wait()
        self._sealed({"k": "end", "code": code})
        deadline = time.monotonic() + 2
        while not self._left and time.monotonic() < deadline:
            gevent.sleep(0.05)
        self._beat_at = None
        self._leave(SERVED if self._bye else ORPHANED, self._summary(code))

    def _spawn(self, path: str, directory: str) -> subprocess.Popen[bytes]:
        variables = {
            SOCKET_VAR: path,
            TOKEN_VAR: secrets.token_hex(16),  # nobody else reaches the socket
            PARENT_VAR: str(os.getpid()),
            WORKER_VAR: self._name,
            FILE_VAR: self._locustfile,
        }
        return subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-m", AGENT],
            cwd=directory,
            env={**environment(os.environ), **variables, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _pass_on(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link.makefile("rb") as lines:
            for line in lines:
                text = line.decode().rstrip("\n")
                if '"t":"bye"' in text[:12]:
                    self._bye = json.loads(text)
                self._sealed({"k": "line", "line": text})

    def _hang_up(self) -> None:
        link = self._link
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _summary(self, code: int) -> str:
        if self._bye:
            asked, started = self._bye.get("asked"), self._bye.get("started")
            return f"done: {asked} arrivals asked, {started} started"
        if self._left:
            return "the run has let go of this worker before the end; all its load was ended"
        return f"the load process ended before the load did (exit code {code})"

    def _leave(self, code: int, why: str) -> None:
        _say(why)
        self.code = code

    def _sealed(self, said: dict[str, Any]) -> None:
        if self._seal is not None:
            self._tell({"do": "frame", **self._seal.seal(json.dumps(said))})

    def _tell(self, data: dict[str, Any]) -> None:
        try:
            self._runner.send_message(KIND, data)
        except Exception as error:  # noqa: BLE001 - out of reach; the beats will be missing
            _say(f"the master cannot be told: {error}")


def served(relay: Relay) -> NoReturn:
    """Wait for the end of the relay's work, and end the process with its code."""
    while relay.code is None:
        gevent.sleep(0.05)
    gevent.sleep(0.2)  # what was said last is still on its way
    sys.stdout.flush()
    os._exit(relay.code)


def _say(text: str) -> None:
    sys.stdout.write(f"gameday: {text}\n")
    sys.stdout.flush()
