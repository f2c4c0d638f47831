"""A small service behind a proxy, a project around it, and the command as people call it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ports_support import free_port

HERE = Path(__file__).parent
GAMEDAY = [sys.executable, "-m", "gameday"]


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def wait_until(what: str, condition: Callable[[], bool], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


@dataclass
class Lab:
    """One service, one Toxiproxy that outlives the runs, one project directory."""

    directory: Path
    server: ToxiproxyServer
    front: int
    back: int
    via: int
    environment: dict[str, Any] = field(default_factory=dict)
    alerts: dict[str, Any] = field(default_factory=dict)

    @property
    def toxiproxy(self) -> str:
        return self.server.url

    def write(self, scenario: dict[str, Any] | None = None) -> Path:
        """Write project and scenario; *scenario* overrides parts of the usual one."""
        targets = {
            "front": {"url": f"http://127.0.0.1:{self.front}"},
            "back": {
                "proxy": "back",
                "listen": f"127.0.0.1:{self.via}",
                "upstream": f"127.0.0.1:{self.back}",
                "probe": "http:/item",
            },
        }
        local = {"targets": targets, "toxiproxy": {"url": self.toxiproxy}, **self.environment}
        project = {
            "gameday": 1,
            "environments": {"local": local},
            "services": {"front": {"tier": 2, "slos": {"availability": "99%"}}},
            "alerts": self.alerts
            or {
                "BackSlow": {
                    "when": "p50 > 300ms over 2s for 1s",
                    "labels": {"severity": "page", "service": "front"},
                    "runbook": "runbooks/back.md",
                    "receiver": "pager",
                },
            },
            "runbooks": ["runbooks"],
        }
        self._dump("gameday.yaml", project)
        runbooks = self.directory / "runbooks"
        runbooks.mkdir(exist_ok=True)
        text = "\n\n".join(
            f"## {name}\n\nLook at how long the back service takes to answer, then {rest}."
            for name, rest in (
                ("Diagnosis", "compare it with yesterday at the same time of day"),
                ("Mitigation", "switch the front service to its own memory until back is well"),
            )
        )
        (runbooks / "back.md").write_text(f"# Back is slow\n\n{text}\n")
        made = usual_scenario()
        for key, value in (scenario or {}).items():
            if isinstance(value, dict) and isinstance(made.get(key), dict):
                made[key] = {**made[key], **value}
            elif value is None:
                made.pop(key, None)
            else:
                made[key] = value
        return self._dump("scenario.yaml", made)

    def _dump(self, name: str, data: dict[str, Any]) -> Path:
        path = self.directory / name
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    def run(self, *arguments: str, within_s: float = 240.0) -> subprocess.CompletedProcess[str]:
        """`gameday run` on the scenario."""
        return run_gameday(
            "run", "scenario.yaml", *arguments, cwd=self.directory, within_s=within_s
        )

    @property
    def last_run(self) -> Path:
        return max((self.directory / "reports").glob("*/journal.jsonl")).parent

    def result(self) -> dict[str, Any]:
        return json.loads((self.last_run / "result.json").read_text())

    def proxies(self) -> dict[str, Any]:
        found: dict[str, Any] = get_json(f"{self.toxiproxy}/proxies")
        return found

    def faulty(self) -> bool:
        """A toxic is in. While the proxy is being replaced it is neither faulty nor well."""
        return bool(self.proxies().get("back", {}).get("toxics"))

    def well(self) -> bool:
        found = self.proxies().get("back")
        return found is not None and not found["toxics"] and found["enabled"]

    def assert_clean(self) -> None:
        """Nothing of ours on the server, and the proxy as it was."""
        found = self.proxies()
        assert set(found) == {"back"}, found
        assert found["back"]["toxics"] == []
        assert found["back"]["enabled"] is True


def usual_scenario() -> dict[str, Any]:
    return {
        "gameday": 1,
        "id": "back-slow",
        "title": "The back service answers 600 ms late",
        "service": "front",
        "owner": "team-front",
        "hypothesis": "When back answers 600 ms late, front still answers, and BackSlow pages.",
        "load": {
            "target": "front",
            "arrivals": "40/s",
            "timeout": "2s",
            "journeys": {"work": {"steps": [{"get": "/work", "expect": {"status": 200}}]}},
        },
        "phases": {"warmup": "1s", "baseline": "4s", "fault": "7s", "recovery": "6s"},
        "faults": [
            {"id": "late", "target": "back", "toxic": {"type": "latency", "latency": "600ms"}}
        ],
        "expect": {
            "baseline": ["errors < 5%", "p50 < 500ms"],
            "fault": ["errors < 5%", "p50 < 1s"],
            "recovery": ["steady within 4s"],
            "alerts": [
                {
                    "alert": "BackSlow",
                    "labels": {"severity": "page"},
                    "fires_within": "6s",
                    "resolves_within": "5s",
                    "receiver": "pager",
                    "runbook": "runbooks/back.md",
                }
            ],
            "quiet": [{"severity": "ticket"}],
        },
        "stop_when": ["errors > 80% for 5s"],
    }


def run_gameday(
    *arguments: str, cwd: Path, within_s: float = 240.0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GAMEDAY, *arguments],
        cwd=cwd,
        timeout=within_s,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        check=False,
    )


def findings(directory: Path, *words: str, ends: int = 0) -> str:
    """What `gameday findings` says there."""
    ended = run_gameday("findings", *words, cwd=directory)
    assert ended.returncode == ends, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout


def the_finding(directory: Path, expectation: str) -> dict[str, Any]:
    """The one of that expectation."""
    lines = findings(directory, "list", "--all", "--json").splitlines()
    (found,) = [row for row in map(json.loads, lines) if row["expectation"] == expectation]
    return dict(found)


class ToxiproxyServer:
    """A server that outlives the runs, and that a test may kill and start again."""

    def __init__(self, kind: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if kind == "embedded":
            self._command = [sys.executable, "-m", "gameday.proxy", "--host", "127.0.0.1"]
            self._command += ["--port", str(self.port)]
        else:
            server = shutil.which("toxiproxy-server")
            assert server is not None
            self._command = [server, "-host", "127.0.0.1", "-port", str(self.port)]
            self._command += ["-proxy-metrics"]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._child = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        wait_until("the Toxiproxy answers", self._answers)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._child is not None
        return self._child

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)
            self._child = None

    def _answers(self) -> bool:
        try:
            get_json(f"{self.url}/proxies")
        except OSError:
            return False
        return True


@contextlib.contextmanager
def toxiproxy(kind: str) -> Iterator[ToxiproxyServer]:
    """A server that outlives the runs: `embedded` or `real`."""
    server = ToxiproxyServer(kind)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def lab(
    directory: Path, *, kind: str = "embedded", fallback: bool = False, bypass: bool = False
) -> Iterator[Lab]:
    """The service, calling back through the proxy (or, with *bypass*, past it)."""
    front, back, via = free_port(), free_port(), free_port()
    with toxiproxy(kind) as server:
        body = {"name": "back", "listen": f"127.0.0.1:{via}", "upstream": f"127.0.0.1:{back}"}
        request = urllib.request.Request(
            f"{server.url}/proxies", json.dumps(body).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=5).close()
        command = [sys.executable, str(HERE / "service.py")]
        command += ["--front", str(front), "--back", str(back)]
        command += ["--back-via", f"127.0.0.1:{back if bypass else via}"]
        if fallback:
            command += ["--fallback", "--timeout", "0.1"]
        with process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert b"ready" in child.stdout.readline()
            yield Lab(directory=directory, server=server, front=front, back=back, via=via)


@contextlib.contextmanager
def running(lab: Lab, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run under way, with the fault in."""
    runner = subprocess.Popen(
        [*GAMEDAY, "run", "scenario.yaml", *arguments],
        cwd=lab.directory,
        stdout=subprocess.PIPE,
        stderr=None if arguments else subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until("the fault is in", lab.faulty, 60)
        yield runner
    finally:
        runner.kill()
        runner.wait()
