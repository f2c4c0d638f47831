"""A switch that can be thrown by a program, over HTTP and by a function, and that can misbehave.

The switch is a file in a project directory. What it does next stands in the file `mood` beside it.
"""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gameday.adapters.generic.fault import GenericFault
from gameday.model.project import Target
from gameday.model.scenario import ActionSpec, FaultSpec

RUN = "run-1"
SECRET = "s3cr3t/tok en"
#: Short, as tests wait for it; still enough for a busy machine to start a process.
HURRY_MS = 2_000

SCRIPT = """#!/bin/sh
# flag.sh on|off|is-on: throws the switch. Prints its token, as careless programs do.
mood=$(cat "mood-$1" 2>/dev/null || cat mood 2>/dev/null)
echo "token $FLAG_TOKEN of run $GAMEDAY_RUN fault $GAMEDAY_FAULT" >> calls.log
case "$mood" in
  hang) trap '' TERM INT; echo "still here $FLAG_TOKEN"; while :; do sleep 30; done ;;
  fail) echo "it went wrong with $FLAG_TOKEN" >&2; exit 3 ;;
  later) (sleep 0.4; touch switch) >/dev/null 2>&1 & exit 0 ;;
  lazy) [ "$1" = is-on ] || exit 0 ;;
esac
case "$1" in
  on) touch switch ;;
  off) rm -f switch ;;
  is-on) test -e switch ;;
  *) exit 9 ;;
esac
"""

FAKE_KUBECTL = """#!/bin/sh
# A cluster of one deployment in files: set image, rollout undo --to-revision, get -o jsonpath.
[ -e cluster ] || { echo "The connection to the server was refused" >&2; exit 1; }
case "$1 $2" in
  "set image") echo "${4#*=}" > cluster/wanted ;;
  "rollout undo") echo shop:1.0 > cluster/wanted ;;
  "get deployment") cat cluster/now ;;
  *) echo "unknown command" >&2; exit 1 ;;
esac
[ "$1" = get ] || (sleep 0.3; cp cluster/wanted cluster/now) > cluster/log 2>&1 &
"""

MODULE = '''"""Throws the switch, in the manner of an extension of the Chaos Toolkit."""

import os
import sys
import threading
import time
from pathlib import Path


def _mood(name, secrets):
    here = Path(__file__).parent
    for file in (here / f"mood-{name}", here / "mood"):
        if file.exists():
            break
    mood = file.read_text() if file.exists() else ""
    token = (secrets or {}).get("token", "")
    with (here / "calls.log").open("a") as log:
        log.write(f"token {token} of run {os.environ['GAMEDAY_RUN']} ")
        log.write(f"fault {os.environ['GAMEDAY_FAULT']}\\n")
    print("printed", token)
    if mood == "hang":
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if mood == "fail":
        raise RuntimeError(f"it went wrong with {token}")
    return here / "switch", mood


def on(configuration, secrets=None):
    switch, mood = _mood("on", secrets)
    if mood == "later":
        time.sleep(0.3)
    if mood != "lazy":
        switch.touch()


def off(configuration=None, secrets=None):
    switch, mood = _mood("off", secrets)
    if mood != "lazy":
        switch.unlink(missing_ok=True)


def is_on(secrets=None):
    switch, mood = _mood("is-on", secrets)
    return switch.exists()
'''


@dataclass
class Kit:
    """One way to throw the switch in *directory*."""

    family: str
    directory: Path
    calls: Mapping[str, Any]
    commands: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def switch(self) -> Path:
        return self.directory / "switch"

    @property
    def log(self) -> str:
        return (self.directory / "calls.log").read_text()

    def mood(self, mood: str, call: str = "") -> None:
        """What all calls, or one of `on`, `off`, `is-on`, do from now on."""
        name = f"mood-{call}" if call else "mood"
        (self.directory / name).write_text(mood)

    def fault(self, timeout_ms: int = 10_000, **more: Any) -> GenericFault:
        """With *more* calls, or with keys of calls replaced: `present={...}`."""
        calls = {name: {**call, "timeout_ms": timeout_ms} for name, call in self.calls.items()}
        for name, call in more.items():
            calls[name] = {**calls.get(name, {"timeout_ms": timeout_ms}), **call}
        action = ActionSpec(family=self.family, type=self.family, options=calls)
        spec = FaultSpec(id="flag", target="shop", action=action)
        target = Target(name="shop")
        return GenericFault(self.directory, RUN, target, spec, commands=self.commands)

    def notes(self) -> list[Path]:
        return sorted((self.directory / ".gameday" / "host").glob("undo-*.json"))

    def tree(self) -> dict[str, bytes]:
        """All files of the project but those of our own log."""
        return {
            str(p.relative_to(self.directory)): p.read_bytes()
            for p in self.directory.rglob("*")
            if p.is_file() and p.name != "calls.log" and "__pycache__" not in p.parts
        }


def program(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def command_kit(directory: Path) -> Kit:
    program(directory / "bin" / "flag.sh", SCRIPT)
    env = {"FLAG_TOKEN": {"env": "FLAG_TOKEN_SECRET"}}
    words = {"inject": "on", "revert": "off", "present": "is-on"}
    calls = {n: {"run": ["./bin/flag.sh", w], "env": env} for n, w in words.items()}
    return Kit(family="command", directory=directory, calls=calls, commands=("./bin/flag.sh",))


def python_kit(directory: Path) -> Kit:
    (directory / "switches.py").write_text(MODULE)
    secrets = {"token": {"env": "FLAG_TOKEN_SECRET"}}
    words = {"inject": "on", "revert": "off", "present": "is_on"}
    calls = {n: {"module": "switches", "func": w, "secrets": secrets} for n, w in words.items()}
    return Kit(family="python", directory=directory, calls=calls, commands=("python:switches",))


class _Flags(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _FlagsHandler)
        self.directory, self.over = directory, threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients give up: that is no error here."""


class _FlagsHandler(BaseHTTPRequestHandler):
    server: _Flags

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal of the tests."""

    def do_GET(self) -> None:
        if self._well("is-on"):
            self._answer(200, {"on": (self.server.directory / "switch").exists()})

    def do_PUT(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        on = json.loads(self.rfile.read(size))["on"]
        switch = self.server.directory / "switch"
        if self._well("on" if on else "off"):
            if self._mood("on" if on else "off") == "later":
                threading.Timer(0.4, switch.touch).start()
            elif self._mood("on" if on else "off") != "lazy":
                switch.touch() if on else switch.unlink(missing_ok=True)
            self._answer(200, {"on": on})

    def _mood(self, word: str) -> str:
        for name in (f"mood-{word}", "mood"):
            file = self.server.directory / name
            if file.exists():
                return file.read_text()
        return ""

    def _well(self, word: str) -> bool:
        token = self.headers.get("Authorization", "")
        with (self.server.directory / "calls.log").open("a") as log:
            log.write(f"token {token} of run - fault -\n")
        match self._mood(word):
            case "hang":
                self.server.over.wait(60)
            case "drip":
                self._drip()
            case "fail":
                self._answer(500, {"error": f"it went wrong with {token}"})
            case "redirect":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.2:9/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                return True
        return False

    def _drip(self) -> None:
        """A byte of the header now and then: no timeout of a socket ever comes."""
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.over.wait(0.1):
                return

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def http_kit(directory: Path) -> Iterator[Kit]:
    with _Flags(directory) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield _http_kit(directory, server.server_address[1])
        finally:
            server.over.set()
            server.shutdown()
            thread.join(5)


def _http_kit(directory: Path, port: int) -> Kit:
    headers = {"Authorization": {"env": "FLAG_TOKEN_SECRET", "prefix": "Bearer "}}
    url = f"http://127.0.0.1:{port}/flags/slow"
    calls = {
        "inject": {"method": "PUT", "url": url, "json": {"on": True}, "headers": headers},
        "revert": {"method": "PUT", "url": url, "json": {"on": False}, "headers": headers},
        "present": {"method": "GET", "url": url, "match": "on", "headers": headers},
    }
    return Kit(family="http", directory=directory, calls=calls, extra={"port": port})


def hurried(undo: Mapping[str, Any]) -> dict[str, Any]:
    """The record with calls that may take only HURRY_MS."""
    calls = {name: {**call, "timeout_ms": HURRY_MS} for name, call in undo["calls"].items()}
    return {**undo, "calls": calls}


@contextmanager
def takes_at_most(limit_s: float) -> Iterator[None]:
    """With room for a busy machine; what it guards against takes a minute or for ever."""
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert took_s < limit_s + 5, f"took {took_s:.1f} s"
