"""What load tools say of a service that stands still for 5 of 20 seconds, at 100 requests a second.

The truth can be computed. Visitors come evenly over T seconds and do not wait for one another; in
the window [b, b + L) the server answers nothing, at its end everything. Who comes at t within the
window waits (b + L - t), so waits are spread evenly between 0 and L, over a share L/T of all;
everybody else waits for the service time s alone. A quantile q above 1 - L/T is therefore

    truth(q) = L - (1 - q) * T + s

(with L=5, T=20: p90 3 s, p95 4 s, p99 4.8 s). That is the cumulative distribution of a uniform wait
turned round; Gil Tene calls what closed loops make of it "coordinated omission" ("How NOT to
Measure Latency"). s, less than a millisecond here, is left out.

Rows: plain Locust with users of constant throughput; wrk; ours from a journey and from the very
locustfiles of plain Locust, unmodified. Our pool of users is sized by us (rate x timeout), so that
"with 10, 100, 800 users" means two things, and both are done: the locustfile made for so many
users, and the pool held down to so many. A row of ours is within if p90, p95 and p99 are within 5 %
of the truth, and invalid, whatever it says, if its generator was late besides the stall, or if the
server itself was: the truth holds for a server that answers when the stall is over.

    python benchmarks/stall.py [--quick] [--only PATTERN] [--plots DIRECTORY] [--json]

Where others work on the machine, `chrt -f 10 python benchmarks/stall.py` comes before them.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench_support import (
    GENERATOR_CORE,
    SERVER_CORE,
    OurLoad,
    busy,
    free_port,
    our_load,
    pinned,
    pinned_python,
    wait_for_port,
)
from stall_plots import Seen, write_plots

from gameday.kpi.generator import saturated
from gameday.model.histogram import Histogram, bucket_of, count, merged, quantile_ms
from gameday.model.scenario import Journey, LoadSpec, RequestStep

RATE = 100
QUANTILES = (0.5, 0.9, 0.95, 0.99)
JUDGED = (0.9, 0.95, 0.99)
TOLERANCE = 0.05
#: Generators that are later than this besides the stall have nothing to say of it.
LATE_MS = 10.0
#: As are servers that hold back answers for so long after it: half of what p90 can bear.
SERVER_LATE_MS = 75.0
POOLS = (10, 100, 800)
SERVER = """
import asyncio, sys, time
length, begin, late = float(sys.argv[2]), [0.0], [0.0]
class Stalling(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        if data.startswith(b"GET /stall-at/"):
            begin[0], late[0] = float(data.split(b" ")[1].split(b"/")[2]), 0.0
            self.answer(data)
        elif data.startswith(b"GET /late "):
            said = b"%.6f" % late[0]
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b"
                % (len(said), said))
        elif 0 <= (now := time.monotonic()) - begin[0] < length:
            loop.call_later(begin[0] + length - now, self.held, data)
        else:
            self.answer(data)
    def held(self, data):
        late[0] = max(late[0], time.monotonic() - begin[0] - length)
        self.answer(data)
    def answer(self, data):
        ok = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
        self.transport.write(ok * data.count(b"\\r\\n\\r\\n"))
async def main():
    global loop
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stalling, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""
FILE = """
from locust import {cls}, constant_throughput, task
class Shopper({cls}):
    wait_time = constant_throughput({each})
    @task
    def browse(self): self.client.get("/")
"""
#: Plain Locust, told to write down when each request began and how long it took.
DIARY = """
from locust import events
@events.test_start.add_listener
def _(**_):
    global diary
    diary = open({path!r}, "w")
    import time
    print(time.time(), 0, file=diary, flush=True)
@events.request.add_listener
def _(start_time, response_time, exception, **_):
    if exception is None: print(start_time, response_time, file=diary)
@events.quitting.add_listener
def _(**_): diary.close()
"""
CAPPED = """
from gameday.adapters.locust import agent, agent_run
agent_run.EARLY_POOL = agent_run.MAX_POOL = {pool}
raise SystemExit(agent.main())
"""
WRK_DONE = """
done = function(summary, latency, requests)
  io.write(string.format("p95 %.3f ms\\n", latency:percentile(95) / 1000))
end
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A stall of `stall_s`, which begins `begin_s` into a window of `window_s`."""

    window_s: int = 20
    begin_s: int = 5
    stall_s: int = 5

    @property
    def arrivals(self) -> int:
        return RATE * self.window_s

    def truth_ms(self, q: float) -> float:
        """The exact quantile by nearest rank of what even arrivals wait."""
        return max(0.0, self.stall_s - (1 - q) * self.window_s) * 1000


@dataclass(slots=True)
class Row:
    """What one tool says, in milliseconds; `spoken` are quantiles that it can say."""

    name: str
    n: int
    spoken: dict[float, float | None]
    ours: bool = False
    invalid: str = ""
    seconds: dict[int, Histogram] = field(default_factory=dict)

    def within(self, case: Case) -> bool:
        return all(
            (said := self.spoken.get(q)) is not None
            and abs(said / case.truth_ms(q) - 1) <= TOLERANCE
            for q in JUDGED
        )

    def verdict(self, case: Case) -> str:
        if self.invalid:
            return f"invalid: {self.invalid}"
        if self.within(case) and self.n >= case.arrivals:
            return "within 5 %"
        return "NOT within 5 %" if self.ours else "no"


class Lab:
    """The stalling server, and each tool in front of it."""

    def __init__(self, case: Case, directory: Path, url: str) -> None:
        self.case, self.directory, self.url = case, directory, url
        self._runs = 0

    def plain(self, users: int, cls: str = "HttpUser") -> Row:
        """Plain Locust: *users* which together would make the rate."""
        place = self._place()
        source = FILE.format(cls=cls, each=RATE / users)
        diary = place / "diary.txt"
        (place / "shopper.py").write_text(source + DIARY.format(path=str(diary)))
        command = [
            sys.executable, "-m", "locust", "-f", str(place / "shopper.py"), "--headless",
            "-u", str(users), "-r", "100", "--host", self.url, "--loglevel", "ERROR",
            "-t", f"{self.case.window_s + 1}s", "--stop-timeout", f"{self.case.stall_s + 2}",
            "--only-summary",
        ]  # fmt: skip
        child = subprocess.Popen(
            pinned(command, GENERATOR_CORE), stdin=subprocess.DEVNULL, cwd=place,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: diary.exists() and diary.read_text().endswith("\n"))
            began = float(diary.read_text().split()[0])
            begin = time.monotonic() + (began - time.time())
            self._stall_at(begin + self.case.begin_s)
            child.wait(self.case.window_s * 2 + 20)
        finally:
            child.kill()
            child.wait(10)
        lines = [line.split() for line in diary.read_text().splitlines()[1:]]
        timed = [(float(at) - began, float(ms)) for at, ms in lines]
        timed = [(at, ms) for at, ms in timed if at < self.case.window_s]
        seen = sorted(ms for _, ms in timed)
        seconds = by_second(timed)
        spoken: dict[float, float | None] = {q: nearest(seen, q) for q in QUANTILES}
        return Row(f"Locust, {users} users", len(seen), spoken, seconds=seconds)

    def wrk(self) -> Row | None:
        """wrk asks as fast as it can: it has no rate. p95 needs a script."""
        wrk = shutil.which("wrk")
        if wrk is None:
            return None
        script = self._place() / "done.lua"
        script.write_text(WRK_DONE)
        command = [wrk, "-t1", "-c10", f"-d{self.case.window_s}s", "--latency",
                   f"--timeout={self.case.stall_s * 2}s", "-s", str(script), self.url]  # fmt: skip
        self._stall_at(time.monotonic() + self.case.begin_s)
        done = subprocess.run(
            pinned(command, GENERATOR_CORE), capture_output=True, text=True, check=True,
            timeout=self.case.window_s * 2 + 20,
        )  # fmt: skip
        n = int((re.search(r"(\d+) requests in", done.stdout) or [0, 0])[1])
        spoken: dict[float, float | None] = {
            q: wrk_ms(done.stdout, rf"{q * 100:.0f}%\s+") for q in (0.5, 0.9, 0.99)
        }
        spoken[0.95] = wrk_ms(done.stdout, r"p95 ")
        return Row("wrk, 10 connections", n, spoken)

    def ours(self, name: str, *, file: str = "", pool: int = 0) -> Row:
        """Ours: a journey, or a locustfile as it is; *pool* holds our users down to so many."""
        place = self._place()
        journeys: tuple[Journey, ...] = ()
        if file:
            (place / "shopper.py").write_text(file)
        else:
            step = RequestStep(method="GET", path="/", name="/")
            journeys = (Journey(name="all", steps=(step,)),)
        spec = LoadSpec(
            target="s",
            arrivals_per_s=RATE,
            timeout_ms=self.case.stall_s * 2_000,
            journeys=journeys,
            locustfile=str(place / "shopper.py") if file else None,
        )
        program = CAPPED.format(pool=pool) if pool else ""
        python = pinned_python(place, GENERATOR_CORE, program)
        with our_load(spec, self.url, place, python) as load:
            self._stall_at(load.mono_s(self.case.begin_s))
            load.sleep_until(self.case.window_s + 0.05)
        return self._row(name, load)

    def _row(self, name: str, load: OurLoad) -> Row:
        first, ticks = load.first_second, load.ticks
        window = range(first, first + self.case.window_s)
        cells = [c for t in ticks for c in t.cells if c.good and c.second in window]
        stalled = range(
            first + self.case.begin_s, first + self.case.begin_s + self.case.stall_s + 1
        )
        aside = [t for t in ticks if t.second not in stalled]
        late = saturated(aside, LATE_MS)
        server_ms = self._server_late_s() * 1000
        if not late and server_ms > SERVER_LATE_MS:
            late = f"the server answered {server_ms:.0f} ms late"
        total = merged(c.response for c in cells)
        return Row(
            name,
            count(total),
            {q: quantile_ms(total, q) for q in QUANTILES},
            ours=True,
            invalid=late,
            seconds={
                s: merged(c.response for c in cells if c.second == first + s)
                for s in range(self.case.window_s)
            },
        )

    def _server_late_s(self) -> float:
        """How long after the stall the last answer that it had held back was sent."""
        with urllib.request.urlopen(f"{self.url}/late", timeout=5) as answer:
            return float(answer.read())

    def _place(self) -> Path:
        self._runs += 1
        place = self.directory / str(self._runs)
        place.mkdir()
        return place

    def _stall_at(self, mono_s: float) -> None:
        with urllib.request.urlopen(f"{self.url}/stall-at/{mono_s:.6f}", timeout=5) as answer:
            answer.read()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 s in 8 s, five rows")
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose name has this")
    parser.add_argument("--plots", type=Path, metavar="DIRECTORY")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    case = Case(8, 2, 2) if options.quick else Case()
    rows, head = [], busy()
    print(f"{case.stall_s} s of {case.window_s} s at {RATE}/s; {head}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name, stalling(case) as url:
        lab = Lab(case, Path(name), url)
        print(line("truth", case.arrivals, {q: case.truth_ms(q) for q in QUANTILES}, ""))
        for title, make in tools(lab, quick=options.quick):
            if not re.search(options.only, title):
                continue
            row = make()
            if row is None:
                print(f"{title:40} is not installed")
                continue
            row.name = title
            rows.append(row)
            print(line(title, row.n, row.spoken, row.verdict(case)), flush=True)
    if options.plots:
        write_plots(options.plots, case, [Seen(r.name, r.ours, r.seconds) for r in rows])
    if options.json:
        print(json.dumps({"measured": head, "after": busy(), "rows": [
            {"name": r.name, "n": r.n, "invalid": r.invalid, "within": r.within(case),
             **{f"p{q * 100:g}_ms": ms for q, ms in r.spoken.items()}} for r in rows
        ]}, indent=1))  # fmt: skip
    return 0


def tools(lab: Lab, *, quick: bool) -> Iterator[tuple[str, Callable[[], Row | None]]]:
    """The rows of the table."""
    for users in POOLS[:1] if quick else POOLS:
        yield f"Locust, {users} users", lambda users=users: lab.plain(users)
    yield "wrk, 10 connections", lab.wrk
    yield "gameday, journey", lambda: lab.ours("")
    for cls in ("HttpUser", "FastHttpUser"):
        for users in POOLS[1:2] if quick else POOLS:
            file = FILE.format(cls=cls, each=RATE / users)
            title = f"gameday, {cls} file for {users} users"
            yield title, lambda file=file: lab.ours("", file=file)
            if not quick:
                title = f"gameday, {cls} pool of {users} users"
                yield title, lambda file=file, users=users: lab.ours("", file=file, pool=users)


def line(name: str, n: int, spoken: dict[float, float | None], verdict: str) -> str:
    told = {q: "-" if ms is None else f"{ms:,.0f}" for q, ms in sorted(spoken.items())}
    values = "".join(f"  p{q * 100:g} {ms:>6} ms" for q, ms in told.items())
    return f"{name:40}{n:>9,} requests{values}  {verdict}"


def by_second(requests: list[tuple[float, float]]) -> dict[int, Histogram]:
    """Histograms of (begin in s, duration in ms) by the second of the beginning."""
    found: dict[int, dict[int, int]] = {}
    for at, ms in requests:
        bucket = bucket_of(max(0, int(ms * 1000)))
        histogram = found.setdefault(int(at), {})
        histogram[bucket] = histogram.get(bucket, 0) + 1
    return dict(found)


def nearest(values: list[float], q: float) -> float | None:
    """Nearest rank of sorted *values*."""
    return values[max(0, math.ceil(len(values) * q - 1e-9) - 1)] if values else None


def wrk_ms(text: str, before: str) -> float | None:
    found = re.search(before + r"([\d.]+)\s*(us|ms|s|m)\b", text)
    if found is None:
        return None
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[found[2]]


def wait_until(true: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"it did not begin within {within_s:g} s")
        time.sleep(0.01)


@contextmanager
def stalling(case: Case) -> Iterator[str]:
    """The server, on a core of its own."""
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), str(case.stall_s)]
    child = subprocess.Popen(pinned(command, SERVER_CORE))
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(10)


if __name__ == "__main__":
    sys.exit(main())
