"""What our plugin costs: CPU a request of plain Locust and of ours, from the same locustfile.

The two of a pair are up at the same time, on one core, and take turns: one is held (SIGSTOP) while
the other works for a slice of 0.4 s, so that whatever else the machine does meets both. CPU is the
process's own (all its threads, user and system), requests are counted by the server, both only in
the slices, so that start-up is in neither. The median of the ratios of the pairs is printed:

- `same users`: the same users as fast as they can, without a pacer; this is the plugin alone;
- `same rate`: ours as arrivals, plain Locust with `constant_throughput` users of the same total.
  They are not held, but measured at the same time.

    python benchmarks/plugin_cost.py [--quick] [--pairs N] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench_support import (
    GENERATOR_CORE,
    FastServer,
    busy,
    cpu_s,
    fast_server,
    our_load,
    pinned,
    pinned_python,
)

from gameday.model.scenario import LoadSpec

USERS = 20
SLICE_S = 0.4
#: Per user class: the aim (CPU a request more than plain), and a rate that both can hold.
CLASSES = {"HttpUser": (0.05, 300), "FastHttpUser": (0.15, 1_500)}
FILE = """
from locust import {cls}, constant, constant_throughput, task
class Shopper({cls}):
    wait_time = {wait}
    @task
    def browse(self): self.client.get("/")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 pair of 4 s")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.seconds = 1, 4.0
    results = []
    with tempfile.TemporaryDirectory() as name, fast_server(Path(name)) as server:
        head = f"server {server.kind}; {busy()}"
        print(head, file=sys.stderr)
        for cls, (aim, rate) in CLASSES.items():
            for way in ("same users", "same rate"):
                pair = Pair(cls, rate if way == "same rate" else 0, Path(name), server)
                found = [pair.measure(options.seconds) for _ in range(options.pairs)]
                results.append(summed(cls, way, aim, found))
                print(line(results[-1]), file=sys.stderr)
    print(json.dumps({"measured": head, "after": busy(), "rows": results}, indent=1))
    return 0


class Pair:
    """One user class in one of the two ways. *rate* 0: as fast as the users can."""

    def __init__(self, cls: str, rate: int, directory: Path, server: FastServer) -> None:
        self._rate, self._server = rate, server
        self._directory = directory / f"{cls}-{rate}"
        self._directory.mkdir()
        wait = f"constant_throughput({rate / USERS})" if rate else "constant(0)"
        self._file = self._directory / "shopper.py"
        self._file.write_text(FILE.format(cls=cls, wait=wait))
        self._runs = 0

    def measure(self, seconds: float) -> tuple[float, float]:
        """CPU microseconds a request: plain, ours. *seconds* is for both together."""
        self._runs += 1
        with self._plain() as plain, self._ours() as ours:
            time.sleep(1.0)
            if self._rate:
                return self._together(plain, ours, seconds)
            return self._in_turns(plain, ours, seconds)

    def _in_turns(self, plain: int, ours: int, seconds: float) -> tuple[float, float]:
        used, sent = {plain: 0.0, ours: 0.0}, {plain: 0, ours: 0}
        order = [plain, ours] if self._runs % 2 else [ours, plain]
        try:
            for pid in order:
                os.kill(pid, signal.SIGSTOP)
            for _ in range(max(2, round(seconds / SLICE_S / 2))):
                for pid in order:
                    cpu, requests = cpu_s(pid), self._server.requests()
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(SLICE_S)
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.005)  # the server reads what is still on its way
                    used[pid] += cpu_s(pid) - cpu
                    sent[pid] += self._server.requests() - requests
        finally:
            for pid in order:
                os.kill(pid, signal.SIGCONT)
        return used[plain] * 1e6 / max(1, sent[plain]), used[ours] * 1e6 / max(1, sent[ours])

    def _together(self, plain: int, ours: int, seconds: float) -> tuple[float, float]:
        before, begin = (cpu_s(plain), cpu_s(ours)), time.monotonic()
        requests = self._server.requests()
        time.sleep(seconds)
        used = cpu_s(plain) - before[0], cpu_s(ours) - before[1]
        sent = self._server.requests() - requests
        asked = 2 * self._rate * (time.monotonic() - begin)
        if sent < 0.95 * asked:
            print(f"only {sent} of {asked:.0f} requests: the machine is too busy", file=sys.stderr)
        return used[0] * 2e6 / sent, used[1] * 2e6 / sent

    @contextmanager
    def _plain(self) -> Iterator[int]:
        command = [
            sys.executable, "-m", "locust", "-f", str(self._file), "--headless",
            "-u", str(USERS), "-r", str(USERS), "--host", self._server.url.rstrip("/"),
            "--loglevel", "ERROR", "--only-summary",
        ]  # fmt: skip
        before = self._server.requests()
        child = subprocess.Popen(
            pinned(command, GENERATOR_CORE), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._directory,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 20
            while self._server.requests() < before + 100:
                if time.monotonic() > deadline or child.poll() is not None:
                    raise SystemExit("plain locust sends no requests")
                time.sleep(0.05)
            yield child.pid
        finally:
            child.kill()
            child.wait(10)

    @contextmanager
    def _ours(self) -> Iterator[int]:
        spec = LoadSpec(
            target="s",
            arrivals_per_s=self._rate or None,
            users=None if self._rate else USERS,
            timeout_ms=10_000,
            locustfile=str(self._file),
        )
        python = pinned_python(self._directory, GENERATOR_CORE)
        with our_load(spec, self._server.url, self._directory / str(self._runs), python) as load:
            yield load.pid


def summed(cls: str, way: str, aim: float, found: list[tuple[float, float]]) -> dict[str, object]:
    ratios = sorted(ours / plain for plain, ours in found)
    return {
        "class": cls,
        "way": way,
        "plain_us": round(median(plain for plain, _ in found), 1),
        "ours_us": round(median(ours for _, ours in found), 1),
        "cost": round(median(ratios) - 1, 3),
        "from": round(ratios[0] - 1, 3),
        "to": round(ratios[-1] - 1, 3),
        "aim": aim,
        "pairs": len(found),
    }


def line(row: dict[str, object]) -> str:
    return (
        f"{row['class']:13}{row['way']:11} plain {row['plain_us']:7} us  ours {row['ours_us']:7} us"
        f"  cost {row['cost']:+.1%} ({row['from']:+.1%} to {row['to']:+.1%}), aim {row['aim']:.0%}"
    )


if __name__ == "__main__":
    sys.exit(main())
