"""The console as people meet it: its process, browsers that hold a cookie, and runs to look at."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
if str(TESTS / "checks") not in sys.path:
    sys.path.insert(0, str(TESTS / "checks"))

from checks_support import FAULT_S, ORIGIN, Journal, good_run, plan  # noqa: E402

from gameday.model.event import Event  # noqa: E402
from gameday.model.plan import Plan, Schedule, Step, Trigger, When  # noqa: E402
from gameday.scenario.planfile import dump_plan  # noqa: E402

RUN_ID = "20991122T100000Z-payments-slow-00aa"  # later than every day, so that it is of today
#: Words that tell what is broken in the run below, or what is expected of it.
FAULT_WORDS = (
    "payments", "latency", "toxi", "confirmed", "inject", "revert", "fault", "scenario",
    "hypothesis", "baseline", "recovery", "warmup", "strong", "stop_when", "limit_ms", "expected",
)  # fmt: skip
FAULT = "slow-payments"
ALERT = "CheckoutLate"


def wait_until(what: str, condition: Callable[[], Any], within_s: float = 120.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return found


def run_plan() -> Plan:
    """A run with one fault, one alert that is expected, and a gate."""
    made = plan()
    scenario = made.scenario
    fault = replace(scenario.faults[0], id=FAULT)
    alerts = tuple(replace(a, alert=ALERT) for a in scenario.expect.alerts)
    expect = replace(scenario.expect, alerts=alerts)
    when = When(all_of=(Trigger(kind="gate.opened", subject="strong"),))
    limits = made.schedule.limits
    steps = (Step(id="strong", verb="fault.inject", subject=FAULT, lane="payments", when=(when,)),)
    return replace(
        made,
        scenario=replace(scenario, faults=(fault,), expect=expect),
        schedule=Schedule(steps=steps, limits=limits),
    )


def run_events() -> list[Event]:
    """What happens in it; a step of a runbook waits for a person while the fault is in."""
    journal: Journal = good_run(fault=FAULT)
    journal.note(
        (FAULT_S + 9) * 1000, "runbook.asked", "call-the-owner", name="call-the-owner",
        what="step", text="Call whoever owns the card gateway.", limit_ms=600_000,
        runbook="runbooks/checkout.md",
    )  # fmt: skip
    return [
        replace(e, subject=ALERT) if e.subject == "PaymentsSlow" else e for e in journal.events()
    ]


def place_of(events: Sequence[Event], kind: str) -> int:
    """How many events there are up to the first of *kind*, with it."""
    return next(i for i, e in enumerate(events, start=1) if e.kind == kind)


@dataclass
class Runner:
    """A run under way, whose events come when the test says so."""

    where: Path
    events: list[Event]
    process: subprocess.Popen[str]

    def play(self, until: int | str) -> None:
        self._do(str(place_of(self.events, until) if isinstance(until, str) else until))

    def knows(self, secret: str) -> None:
        """It read *secret* from where it is, as for a password of its load."""
        self._do(f"secret {secret}")

    def note(self, event: Event) -> None:
        """Write an event that is not among those to come."""
        row = {"kind": event.kind, "subject": event.subject, "data": dict(event.data)}
        self._do(f"note {json.dumps(row)}")

    def _do(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "played\n"

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(x) for x in (self.where / "journal.jsonl").read_text().splitlines()]


@contextlib.contextmanager
def runner(reports: Path, run_id: str = RUN_ID) -> Iterator[Runner]:
    """A run that has begun; its fault is in once `fault.inject` was played."""
    where = reports / run_id
    where.mkdir(parents=True)
    events = run_events()
    shift = time.time_ns() // 1_000_000 - (FAULT_S + 8) * 1000
    for number, event in enumerate(events):
        walls = {k: v - ORIGIN + shift for k, v in event.data.items() if k.endswith("wall_ms")}
        events[number] = replace(event, data={**event.data, **walls})
    (where / "plan.json").write_text(dump_plan(run_plan()))
    with (where / "events.jsonl").open("w") as file:
        for event in events:
            row = {name: getattr(event, name) for name in ("kind", "subject", "cause", "at_ms")}
            file.write(json.dumps({**row, "phase": event.phase, "data": dict(event.data)}) + "\n")
    command = [sys.executable, str(Path(__file__).with_name("stand_in_runner.py")), str(where)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield Runner(where, events, child)
    finally:
        child.kill()
        child.wait(10)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


@dataclass
class Server:
    """A console that runs."""

    port: int
    links: dict[str, str]
    process: subprocess.Popen[str]
    origin: str

    def browser(self, role: str) -> Browser:
        """One that entered by the link of its role."""
        made = Browser(self)
        answer = made.post("/api/enter", {"token": self.links.pop(role)})
        assert answer.status == 200, answer.text
        return made

    def more(self, coordinator: Browser, role: str) -> Browser:
        """One more, by a link that the coordinator made."""
        link = coordinator.do("invite", name=role).json()["link"]
        made = Browser(self)
        assert made.post("/api/enter", {"token": link.partition("#")[2]}).status == 200
        return made


@contextlib.contextmanager
def console(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The command as people call it, on a free port."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gameday", "console", "--port", "0", *arguments],
        cwd=cwd, env={**os.environ, **(environment or {})}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        links: dict[str, str] = {}
        port, told = 0, ""
        assert child.stdout is not None
        for line in child.stdout:
            told += line
            if line.startswith("gameday console: "):
                port = int(line.rstrip("/\n").rpartition(":")[2])
            elif "/#" in line:
                role, url = line.split()
                links[role] = url.partition("#")[2]
            elif line.startswith("Ctrl-C"):
                break
        assert port, told
        yield Server(port, links, child, f"http://127.0.0.1:{port}")
    finally:
        child.kill()
        child.wait(10)
        if child.stdout is not None:
            child.stdout.close()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Browser:
    """Asks as a page of the console does, and keeps the cookie."""

    server: Server
    cookie: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        mine = {"Content-Type": "application/json", "Origin": self.server.origin}
        return self.ask("POST", path, raw, {**mine, **headers})

    def do(self, what: str, **request: str) -> Answer:
        return self.post("/api/do", {"do": what, **request})

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
            if self.cookie:
                sent["Cookie"] = self.cookie
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            given = answer.headers.get("Set-Cookie", "")
            if given:
                self.cookie = given.partition(";")[0]
            return Answer(answer.status, dict(answer.headers.items()), text)
        finally:
            connection.close()

    def listen(self, last: str = "") -> Listener:
        return Listener(self, last)


@dataclass
class Listener:
    """One connection to the stream; `entries` and `state` are what came."""

    browser: Browser
    last: str = ""
    raw: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None
    resets: int = 0

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self.browser.server.port, timeout=30
        )
        headers = {"Cookie": self.browser.cookie}
        if self.last:
            headers["Last-Event-ID"] = self.last
        self._connection.request("GET", "/events", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        kind, number = "", ""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self._answer.readline().decode():
                self.raw += line
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    number = value
                elif name == "data" and kind == "entry":
                    self.last = number
                    self.entries.append(json.loads(value))
                elif name == "data" and kind == "state":
                    self.state = json.loads(value)
                elif name == "data" and kind == "reset":
                    self.resets += 1

    def until(self, what: str, fits: Callable[[Listener], Any]) -> None:
        wait_until(f"{what}; got {self.raw[-1500:]}", lambda: fits(self))

    def saw(self, text: str) -> bool:
        return any(text in entry["text"] for entry in self.entries)

    def texts(self) -> list[str]:
        return [entry["text"] for entry in self.entries]

    def close(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self._thread.join(5)
        self._answer.close()
        self._connection.close()


@contextlib.contextmanager
def listening(browser: Browser, last: str = "") -> Iterator[Listener]:
    made = browser.listen(last)
    try:
        yield made
    finally:
        made.close()
