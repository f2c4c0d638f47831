"""Does a run notice what changed in the shop since the runs before, and is it silent otherwise?

Runs one scenario against the sample shop again and again. The first five runs are only a history;
each of the next ten (`--pairs`) is compared with the runs before it, and nothing was changed: all
should say "no change shown". Then changes are planted, each for `--planted` runs, which are taken
out of the history again: 30 % more p95 of a checkout (payments answers later by that much), and 2
points more errors (the balancer answers 503 to 4 % of checkouts, which are half of all requests).
Both should be found worse, for that reason alone.

Prints a line a run and a summary; exit code 0 if all were as they should be. About 50 s a run, so
20 minutes; `--quick` is two pairs and one planted run each, and proves little. Run it on a machine
that does nothing else: what it says of noise is said of the machine too.

    python benchmarks/compare_shop.py [--quick] [--pairs 10] [--planted 3] [--reports DIR]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import requests

from gameday.app.check import PlanRequest, make_plan
from gameday.app.demo import DemoRequest, Stand, standing
from gameday.app.run import RunRequest, run_one
from gameday.kpi.compare import RUNS_MIN

#: What payments takes when nothing is planted: a service whose time is its dependency's.
USUAL_MS = 60.0
MORE_P95, MORE_ERRORS = 0.30, 0.02
#: Half of the requests are checkouts.
FAILING = {
    "name": "planted",
    "type": "http_status",
    "attributes": {
        "status": 503, "method": "POST", "path": "/checkout", "share": 2 * MORE_ERRORS,
    },
}  # fmt: skip

SCENARIO = """\
gameday: 1
id: compared
title: Payments answers 200 ms late
service: shop
owner: team-checkout
hypothesis: Checkouts take as much longer and none fails.
load:
  target: shop
  arrivals: 60/s
  timeout: 5s
  journeys:
    browse: {steps: [{get: /products, name: browse, expect: {status: 200}}]}
    checkout:
      steps: [{post: /checkout, name: checkout, json: {sku: A1}, expect: {json: {status: paid}}}]
phases: {baseline: 20s, fault: 10s, recovery: 10s}
faults:
  - {id: late, target: payments, toxic: {type: latency, latency: 200ms}}
expect:
  baseline: [errors < 50%]
  fault: [errors < 50%]
  recovery: [errors < 50%]
stop_when: ["errors > 90% for 10s"]
"""


def main() -> int:
    """Run all of it; 0 if the unchanged runs were silent and the planted changes found."""
    options = _options()
    reports = options.reports or Path(tempfile.mkdtemp(prefix="gameday-compare-"))
    print(f"load average {os.getloadavg()[0]:.1f}; reports in {reports}", flush=True)
    wrong: list[str] = []
    with standing(DemoRequest(reports=reports), _say) as stand:
        (stand.directory / "scenarios" / "compared.yaml").write_text(SCENARIO, encoding="utf-8")
        plant(stand, delay_ms=USUAL_MS)
        p95s = []
        for number in range(RUNS_MIN + options.pairs):
            result = run(stand, reports, f"unchanged {number + 1}")
            p95s.append(_p95(result))
            expected = "not_compared" if number < RUNS_MIN else "no_change_shown"
            if result["comparison"]["change"] not in (expected, "better"):
                wrong.append(f"unchanged run {number + 1}")
        more_ms = MORE_P95 * median(p95s)
        for number in range(options.planted):
            plant(stand, delay_ms=USUAL_MS + more_ms)
            result = run(stand, reports, f"planted p95 {number + 1}", keep=False)
            plant(stand, delay_ms=USUAL_MS)
            if {row["metric"] for row in _worse(result)} != {"p95"}:
                wrong.append(f"planted p95 {number + 1}")
            toxics = f"{stand.toxiproxy_url}/proxies/shop/toxics"
            requests.post(toxics, json=FAILING, timeout=5).raise_for_status()
            result = run(stand, reports, f"planted errors {number + 1}", keep=False)
            requests.delete(f"{toxics}/planted", timeout=5).raise_for_status()
            if {row["metric"] for row in _worse(result)} != {"errors"}:
                wrong.append(f"planted errors {number + 1}")
    print(f"as it should be: {'all' if not wrong else 'not ' + ', '.join(wrong)}")
    print(f"load average {os.getloadavg()[0]:.1f}")
    return 1 if wrong else 0


def plant(stand: Stand, **change: float) -> None:
    """Set how payments answers from now on."""
    address = stand.shop.settings.topology.direct("payments")
    requests.post(f"http://{address}/admin/fault", json=change, timeout=5).raise_for_status()
    time.sleep(6)  # the shop's windows of five seconds forget what was before


def run(stand: Stand, reports: Path, what: str, *, keep: bool = True) -> dict[str, Any]:
    """One run; its result. With *keep* it is history for the next ones."""
    path = PlanRequest(path=stand.directory / "scenarios" / "compared.yaml")
    request = RunRequest(scenario=path, reports=reports, server_process=stand.server_process)
    done = run_one(request, make_plan(path), quiet=True, stream=io.StringIO())
    result: dict[str, Any] = json.loads((done.where.path / "result.json").read_text())
    comparison = result["comparison"]
    worse = ", ".join(
        f"{row['phase']} {row['subject']} {row['metric']} {row['by']:+.3f} "
        f"({row['by_low']:+.3f} to {row['by_high']:+.3f})"
        for row in _worse(result)
    )
    print(
        f"{what:<20} {result['verdict']['outcome']:<13} checkout p95 {_p95(result):6.1f} ms  "
        f"{comparison['change']} {worse}",
        flush=True,
    )
    if not keep:
        shutil.rmtree(done.where.path)
    return result


def _worse(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in result["comparison"]["numbers"] if row["change"] == "worse"]


def _p95(result: dict[str, Any]) -> float:
    """Of the checkouts in the baseline, in milliseconds."""
    for row in result["phases"]:
        if (row["phase"], row["subject"]) == ("baseline", "checkout"):
            return float(row["p95_ms"])
    raise SystemExit("the run has no p95 of checkouts in its baseline")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--planted", type=int, default=3)
    parser.add_argument("--reports", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.planted = 2, 1
    return options


def _say(text: str) -> None:
    print(f"- {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
