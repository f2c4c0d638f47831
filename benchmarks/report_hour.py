"""What an hour at 100 requests a second costs to judge and to draw: 360,000 samples, 3,600 ticks.

The run is written as a runner writes it (journal and plan, from the starter project), then
`gameday judge` and `gameday report` read it as anybody would, each in a process of its own. Latency
is drawn from a log-normal distribution, with a slow dependency for the middle third, so the
histograms are as wide as real ones. Times are given in seconds and as multiples of a bare start of
the interpreter, which hold on any machine; memory is that of the largest process. The page is
opened in a cold Chromium, where there is one, until its figure stands: seconds of its main thread.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gameday.app.check import PlanRequest, make_plan
from gameday.journal import Journal
from gameday.model.event import Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.window import Cell, Tick, tick_to_json
from gameday.scenario.planfile import dump_plan
from gameday.scenario.starter import starter_files

SECONDS, RATE = 3_600, 100
FAULT_S, RECOVERY_S = 1_200, 2_400
ORIGIN_MS = 1_795_345_000_000
#: What may be used: seconds as multiples of a bare start, megabytes, bytes.
START_RATIO, MEMORY_MB, FILE_BYTES, OPEN_S = 1_000, 600, 3_000_000, 2
CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
"""


def main() -> int:
    """Print what it cost; exit 1 when a budget is broken."""
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder))
        bare_s = statistics.median(timed([sys.executable, "-c", "pass"])[1] for _ in range(7))
        gameday = str(Path(sys.executable).with_name("gameday"))
        judged = timed([gameday, "judge", str(run)])
        wall_s, cpu_s, report_mb = timed([gameday, "report", str(run)])
        sizes = {name: (run / name).stat().st_size for name in ("report.html", "overview.svg")}
        sizes["overview.png"] = (run / "overview.png").stat().st_size
        samples = sum(1 for _ in (run / "journal.jsonl").open())
        open_s = opened(run / "report.html")
    print(
        f"{SECONDS * RATE:,} samples in {samples} lines; a bare start uses {bare_s * 1000:.0f} ms"
    )
    print(f"judge alone      {judged[0]:.1f} s, {judged[1]:.1f} s of CPU, {judged[2]} MB")
    text = f"{wall_s:.1f} s, {cpu_s:.1f} s of CPU, {cpu_s / bare_s:.0f} bare starts"
    page, svg, png = (size / 1e6 for size in sizes.values())
    rows = [
        ("judge and render", cpu_s / bare_s, START_RATIO, text),
        ("memory", report_mb, MEMORY_MB, f"{report_mb} MB"),
        ("report.html", sizes["report.html"], FILE_BYTES, f"{page:.2f} MB"),
    ]
    if open_s is None:
        print("there is no Chromium or no Playwright here: the page was not opened")
    else:
        rows.append(("open the page", open_s, OPEN_S, f"{open_s:.2f} s of the main thread"))
    for name, used, budget, said in rows:
        print(f"{name:16} {said} ({used / budget:.2f} of the budget of {budget:,})")
    print(f"overview.svg {svg:.2f} MB, overview.png {png:.2f} MB")
    return int(any(used > budget for _, used, budget, _ in rows))


def opened(page: Path) -> float | None:
    """Seconds of the main thread of a browser that was just started, until the figure stands."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if program is None:
        return None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        told = tab.context.new_cdp_session(tab)
        told.send("Performance.enable", {"timeDomain": "threadTicks"})
        tab.goto(page.resolve().as_uri(), timeout=120_000)
        tab.wait_for_selector("html[data-figure=drawn]", state="attached", timeout=120_000)
        metrics = told.send("Performance.getMetrics")["metrics"]
        browser.close()
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def timed(command: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of CPU and megabytes of *command*; its largest process, all their CPU."""
    begin = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, *command], check=True, capture_output=True, text=True
    )
    cpu_s, megabytes = ended.stdout.split()
    return time.perf_counter() - begin, float(cpu_s), int(megabytes)


def write_run(folder: Path) -> Path:
    """A run directory with an hour of load, one fault, and the alert that catches it."""
    for name, text in starter_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    plan = make_plan(PlanRequest(path=folder / "scenarios" / "first.yaml"))
    run = folder / "reports" / "hour"
    run.mkdir(parents=True)
    (run / "plan.json").write_text(dump_plan(plan) + "\n", encoding="utf-8")
    fault = plan.scenario.faults[0]
    lines = sorted([*frame(fault.id, fault.target), *ticks()], key=lambda e: e.at_ms)
    with Journal.open(run / "journal.jsonl") as journal:
        causes: dict[tuple[str, str], int] = {}
        for seq, event in enumerate(lines):
            key = (event.kind, event.subject)
            cause = None
            if event.phase is Phase.STARTED:
                causes[key] = seq
            elif event.phase is Phase.OK:
                cause = causes[key]
            journal.append(
                Event(
                    seq=seq,
                    at_ms=event.at_ms,
                    kind=event.kind,
                    subject=event.subject,
                    phase=event.phase,
                    cause=cause,
                    data=event.data,
                )
            )
    return run


def frame(fault: str, target: str) -> Iterator[Event]:
    """Everything but the load."""

    def note(at_ms: int, kind: str, subject: str, **data: object) -> Event:
        return Event(at_ms=at_ms, kind=kind, subject=subject, data=data)

    def act(at_ms: int, kind: str, subject: str, **data: object) -> Iterator[Event]:
        undo = {"undo": {"kind": "toxiproxy", "target": subject}} if kind != "fault.revert" else {}
        yield Event(at_ms=at_ms, kind=kind, subject=subject, phase=Phase.STARTED, data=undo)
        yield Event(at_ms=at_ms + 30, kind=kind, subject=subject, phase=Phase.OK, data=data)

    on, off, end = FAULT_S * 1000, RECOVERY_S * 1000, SECONDS * 1000
    yield note(
        -50, "run.opened", "hour", origin_wall_ms=ORIGIN_MS, gameday="0", plan_sha256="0" * 64
    )
    yield from act(-30, "target.open", target)
    for at_ms, phase in ((0, "baseline"), (on, "fault"), (off + 100, "recovery"), (end, "end")):
        yield note(at_ms, "run.phase", phase)
    yield from act(on + 1, "fault.inject", fault, confirmed_ms=on + 30)
    yield from act(off + 1, "fault.revert", fault, confirmed_ms=off + 30, read_back=True)
    for at_ms, kind in (
        (on + 5_000, "alert.pending"),
        (on + 10_000, "alert.firing"),
        (off + 9_000, "alert.resolved"),
    ):
        data = {
            "source": "builtin",
            "labels": {"severity": "page"},
            "at_wall_ms": ORIGIN_MS + at_ms,
        }
        yield note(at_ms, kind, "CheckoutSlow", **data)
    yield from act(end + 100, "alert.read", "builtin", rules=[], gaps=[])
    yield from act(end + 200, "target.close", target, read_back=True)
    yield note(end + 300, "run.closed", "hour", status="completed", dirty=[], reason="")


def ticks() -> Iterator[Event]:
    """One tick a second, 100 requests in it, each in its bucket."""
    source = random.Random(1)
    for second in range(SECONDS):
        slow = FAULT_S <= second < RECOVERY_S
        cells = [
            cell(source, second, "browse", n=75, middle_s=0.012),
            cell(source, second, "checkout", n=24, middle_s=0.9 if slow else 0.04),
            cell(
                source,
                second,
                "checkout",
                n=1,
                middle_s=5.0 if slow else 0.05,
                outcome="timeout" if slow else "ok",
            ),
        ]
        done = (second + 1) * RATE
        tick = Tick(
            second=second, cells=tuple(cells), in_flight=40 if slow else 4,
            oldest_ms=5_000 if slow else 60, users=200, asked=done, started=done,
            start_lag={bucket_of(800): RATE}, loop_lag_ms=0.4, cpu_share=0.2,
        )  # fmt: skip
        data = json.loads(json.dumps(tick_to_json(tick)))
        yield Event(at_ms=(second + 1) * 1000 + 20, kind="load.window", subject="0", data=data)


def cell(
    source: random.Random,
    second: int,
    journey: str,
    *,
    n: int,
    middle_s: float,
    outcome: str = "ok",
) -> Cell:
    """*n* requests, log-normal around *middle_s*."""
    histogram: dict[int, int] = {}
    for _ in range(n):
        bucket = bucket_of(round(middle_s * math.exp(source.gauss(0, 0.4)) * 1e6))
        histogram[bucket] = histogram.get(bucket, 0) + 1
    name = "/checkout" if journey == "checkout" else "/products"
    return Cell(
        second=second, journey=journey, name=name, outcome=outcome,
        response=histogram, service=histogram,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
