"""How much load one process on one core can make honestly, and that it says so when it cannot.

The generator has one core, a fast local server (nginx where it is installed) the other, with our
reading of the ticks. `HttpUser` is asked for 500 arrivals a second, `FastHttpUser` for 4,000, ten
times each; a run is valid if the 99th percentile of its start lag (arrival due to arrival taken up)
is below 10 ms and every arrival was sent. The aim is 8 valid runs of 10. Then each is asked for
four times as much, and the check load/generator of a verdict has to call that saturated. In the
same run the capacity of `wrk` and `hey` (Debian packages) is measured for the ratio.

    python benchmarks/load_capacity.py [--quick] [--runs N] [--seconds S]

Prints a table and one JSON object. Run it on a quiet machine, for what others do on the generator's
core is start lag; or under `chrt -f 10`, which comes before them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from bench_support import (
    GENERATOR_CORE,
    SERVER_CORE,
    FastServer,
    busy,
    fast_server,
    our_load,
    pinned,
    pinned_python,
)

from gameday.checks import load_generator
from gameday.model.histogram import count, merged, quantile_ms
from gameday.model.scenario import LoadSpec
from gameday.model.window import Tick

LIMIT_MS = 10.0
#: User class, and the arrivals a second that it must be able to make.
ASKED = {"HttpUser": 500, "FastHttpUser": 4_000}
BEYOND = 4
FILE = """
from locust import {cls}, task
class Shopper({cls}):
    @task
    def browse(self): self.client.get("/")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 runs of 3 s")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=6)
    options = parser.parse_args()
    if options.quick:
        options.runs, options.seconds = 2, 3
    os.sched_setaffinity(0, {SERVER_CORE})
    with tempfile.TemporaryDirectory() as name, fast_server(Path(name)) as server:
        head = f"server {server.kind}; {busy()}"
        print(head, file=sys.stderr)
        rows = []
        for cls, rate in ASKED.items():
            bench = Bench(cls, server, Path(name), options.seconds)
            runs = [bench.run(rate) for _ in range(options.runs)]
            rows.append(summed(cls, rate, runs, bench.run(rate * BEYOND)))
        others = {"wrk": wrk_per_s(server.url), "hey": hey_per_s(server.url)}
    for row in rows:
        for tool, per_s in others.items():
            row[f"ratio_to_{tool}"] = round(row["asked_per_s"] / per_s, 4) if per_s else None
        print(line(row), file=sys.stderr)
    result = {"measured": head, "after": busy(), "limit_ms": LIMIT_MS, "others_per_s": others}
    print(json.dumps({**result, "rows": rows}, indent=1))
    return 0


class Bench:
    """Loads of one user class, from an ordinary locustfile."""

    def __init__(self, cls: str, server: FastServer, directory: Path, seconds: int) -> None:
        self._server, self._seconds = server, seconds
        self._directory = directory / cls
        self._directory.mkdir()
        self._file = self._directory / "shopper.py"
        self._file.write_text(FILE.format(cls=cls))
        self._python = pinned_python(self._directory, GENERATOR_CORE)
        self._runs = 0

    def run(self, rate: int) -> dict[str, Any]:
        """One run; its first second is warm-up."""
        self._runs += 1
        spec = LoadSpec(
            target="s", arrivals_per_s=rate, timeout_ms=2_000, locustfile=str(self._file)
        )
        place = self._directory / str(self._runs)
        with our_load(spec, self._server.url, place, self._python) as load:
            load.sleep_until(self._seconds + 1.2)
            ticks = load.ticks[1 : self._seconds + 1]
        lag_ms = quantile_ms(merged(t.start_lag for t in ticks), 0.99)
        good = merged(c.response for t in ticks for c in t.cells if c.good)
        done = count(good) / max(1, len(ticks))
        return {
            "done_per_s": round(done),
            "start_lag_p99_ms": lag_ms,
            "response_p99_ms": quantile_ms(good, 0.99),
            "cpu_share": round(sum(t.cpu_share for t in ticks) / max(1, len(ticks)), 2),
            "valid": lag_ms is not None and lag_ms < LIMIT_MS and done >= 0.98 * rate,
            "check": checked(ticks),
            "load_average": round(os.getloadavg()[0], 2),
        }


def checked(ticks: list[Tick]) -> str:
    """What the check load/generator of a verdict says of these seconds, as of a baseline."""
    window = SimpleNamespace(
        start_ms=ticks[0].second * 1000, end_ms=(ticks[-1].second + 1) * 1000, evidence=()
    )
    plan = SimpleNamespace(scenario=SimpleNamespace(load=SimpleNamespace(rates=True)))
    case: Any = SimpleNamespace(
        windows={"baseline": window}, ticks=ticks, slack_ms=LIMIT_MS, plan=plan
    )
    (finding,) = load_generator.check(case)
    return f"{finding.outcome}: {finding.summary}"


def summed(
    cls: str, rate: int, runs: list[dict[str, Any]], beyond: dict[str, Any]
) -> dict[str, Any]:
    valid = sum(run["valid"] for run in runs)
    return {
        "class": cls,
        "asked_per_s": rate,
        "valid": valid,
        "of": len(runs),
        "aim_met": valid >= 0.8 * len(runs),
        "start_lag_p99_ms": [run["start_lag_p99_ms"] for run in runs],
        "cpu_share": median(run["cpu_share"] for run in runs),
        "beyond_per_s": rate * BEYOND,
        "beyond_done_per_s": beyond["done_per_s"],
        "beyond_check": beyond["check"],
        "beyond_is_called_saturated": "saturated" in beyond["check"],
        "runs": runs,
    }


def wrk_per_s(url: str) -> float | None:
    """Requests a second of `wrk` on the generator's core."""
    return _per_s(["wrk", "-t1", "-c10", "-d4s", url])


def hey_per_s(url: str) -> float | None:
    """Requests a second of `hey` on the generator's core."""
    return _per_s(["hey", "-c", "10", "-z", "4s", "-cpus", "1", url])


def _per_s(command: list[str]) -> float | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(
        pinned(command, GENERATOR_CORE), capture_output=True, text=True, timeout=30, check=True
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found else None


def line(row: dict[str, Any]) -> str:
    lags = " ".join(f"{lag:.1f}" for lag in row["start_lag_p99_ms"])
    return (
        f"{row['class']:13}{row['asked_per_s']:>6,}/s  valid {row['valid']} of {row['of']}"
        f"  start lag p99 {lags} ms  CPU {row['cpu_share']:.0%} of a core"
        f"  to wrk {row['ratio_to_wrk']}  to hey {row['ratio_to_hey']}\n"
        f"{'':13}{row['beyond_per_s']:>6,}/s  {row['beyond_check']}"
    )


if __name__ == "__main__":
    sys.exit(main())
