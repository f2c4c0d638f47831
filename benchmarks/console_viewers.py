"""Whether people who look on delay the thread that decides: `python benchmarks/console_viewers.py`.

The real loop plays a run in which a step is due every 50 ms; the lag is how much later than due
its event stands in the journal. Measured in turn without a console, with one that nobody looks at,
and with 200 connections to its stream, which get an entry for each step. Prints each, and the
ratios. A viewer that was lost, or did not see the run, is a failure; a slow machine is none.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path[:0] = [
    str(Path(__file__).parents[1] / "tests" / name) for name in ("console", "checks", "")
]

from checks_support import tick  # noqa: E402
from console_support import Server, console, run_plan  # noqa: E402

from gameday.engine.clock import RunClock  # noqa: E402
from gameday.engine.loop import Loop  # noqa: E402
from gameday.journal import Journal, read  # noqa: E402
from gameday.model.event import Event  # noqa: E402
from gameday.model.plan import Limits, Schedule, Step, When  # noqa: E402
from gameday.model.window import tick_to_json  # noqa: E402
from gameday.scenario.planfile import dump_plan  # noqa: E402
from gameday.sentinel import owner  # noqa: E402

VIEWERS = 200
STEP_MS, STEPS, TURNS = 50, 400, 2
_VIEWER = """
import asyncio, sys
port, cookie, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
got = 0
async def one():
    global got
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ["GET /events HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Cookie: {cookie}", "", ""]
    writer.write("\\r\\n".join(lines).encode())
    assert b" 200 " in await reader.readline()
    while piece := await reader.read(65536):
        got += len(piece)
async def main():
    every = [asyncio.create_task(one()) for _ in range(n)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(got, sum(t.done() for t in every), flush=True)
    sys.stdout.flush()
    import os; os._exit(0)
asyncio.run(main())
"""


def schedule() -> Schedule:
    """A step every 50 ms that touches nothing: it is noted when the loop gets to it."""
    steps = tuple(
        Step(
            id=f"mark-{number}",
            verb="run.phase",
            subject="baseline",
            lane="phase",
            mark=True,
            when=(When(delay_ms=number * STEP_MS),),
        )
        for number in range(1, STEPS + 1)
    )
    return Schedule(steps=steps, limits=Limits(deadline_ms=600_000))


def play(where: Path) -> list[int]:
    """One run, with a second of load every second; by how much each step came too late (ms)."""
    made = schedule()
    (where / "plan.json").write_text(dump_plan(replace(run_plan(), schedule=made)))
    owner.claim(where)
    with Journal.open(where / "journal.jsonl") as journal:
        clock = RunClock.start()
        loop = Loop(made, _Nothing(), clock, journal)
        opened = {"origin_wall_ms": clock.origin_wall_ms, "scenario": "bench"}
        loop.note(Event(kind="run.opened", subject=where.name, data=opened), sync=True)
        over = threading.Event()

        def load() -> None:
            second = 0
            while not over.wait(1.0):
                loop.emit(Event(kind="load.window", subject="0", data=tick_to_json(tick(second))))
                second += 1

        threading.Thread(target=load, daemon=True).start()
        loop.run()
        over.set()
        loop.note(Event(kind="run.closed", subject=where.name, data={"status": "completed"}))
    marks = [e for e in read(where / "journal.jsonl").events if e.kind == "run.phase"]
    late = [e.at_ms - STEP_MS * n for n, e in enumerate(marks, start=1)]
    return sorted(one - min(late) for one in late)


class _Nothing:
    """No step of the schedule touches anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"`{name}` was asked for")


@contextlib.contextmanager
def viewers(server: Server, n: int) -> Iterator[list[int]]:
    """So many connections to the stream, in a process of their own; what they got, at the end."""
    got: list[int] = []
    cookie = server.browser("observer").cookie
    child = subprocess.Popen(
        [sys.executable, "-c", _VIEWER, str(server.port), cookie, str(n)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield got
        told, _ = child.communicate("", timeout=30)
        got += [int(word) for word in told.split()]
    finally:
        child.kill()
        child.wait(10)


def main() -> int:
    """Print the lags of each way, and the ratios to that without a console."""
    found: dict[str, list[int]] = {"no console": [], "a console": [], f"{VIEWERS} viewers": []}
    for turn in range(TURNS):
        for name, lags in found.items():
            with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
                where = Path(folder) / "reports" / f"20991122T10000{turn}Z-bench-00aa"
                where.mkdir(parents=True)
                got: list[int] = []
                if name != "no console":
                    server = stack.enter_context(console(cwd=Path(folder)))
                    time.sleep(12)  # it has the chart library made, which is no part of looking on
                if name.endswith("viewers"):
                    got = stack.enter_context(viewers(server, VIEWERS))
                    time.sleep(2)
                lags.extend(play(where))
                stack.close()
            if name.endswith("viewers"):
                size, lost = got
                print(
                    f"turn {turn + 1}: {VIEWERS} viewers got {size / 1e6:.1f} MB, {lost} were lost"
                )
                assert lost == 0, "a viewer was lost"
                assert size > VIEWERS * STEPS * 50, "the viewers did not see the run"
    shares = {name: quantiles(sorted(lags), n=100) for name, lags in found.items()}
    for name, cut in shares.items():
        n, most = len(found[name]), max(found[name])
        print(f"{name:>12}: lag p50 {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms, p99 {cut[98]:.1f} ms, "
              f"most {most} ms (n={n})")  # fmt: skip
    base = shares["no console"]
    for name, cut in shares.items():
        p95, p99 = (cut[i] / max(1.0, base[i]) for i in (94, 98))
        print(f"{name:>12}: ratio p95 {p95:.2f}, p99 {p99:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
