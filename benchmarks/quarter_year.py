"""What a quarter's report costs with a year behind it: 500 runs, 20 services, 80 findings.

The history is that of the tests (seeded). `gameday quarter 2026Q4` runs as anybody would run it,
in a process of its own, with the index and the findings register in SQLite, then in a PostgreSQL
of its own: first with an empty index, then again. Wall time is that of this machine, whatever
else it does; the CPU time of all its processes is what the report itself takes. Memory is that of
the largest process. It ends with 1 if one of them takes 10 s of CPU time, or 500 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/contract")]

from findings_postgres import database, postgres  # noqa: E402
from quarter_support import Year, make_year, write_runs  # noqa: E402

from gameday.app.finding_store import store_at  # noqa: E402

CPU_MAX_S, MEMORY_MAX_MB = 10.0, 500.0


def main() -> int:
    """Both databases."""
    year = make_year()
    fine = True
    with tempfile.TemporaryDirectory(prefix="gameday-quarter-") as folder:
        home = Path(folder)
        write_runs(year, home / "reports")
        for name in ("incidents", "deployments", "drills"):
            (home / f"{name}.csv").write_text(getattr(year, name), encoding="utf-8")
        fine &= measured("SQLite", home, year, "sqlite:runs.db", "sqlite:findings.db")
        with postgres() as server:
            url = database(server)
            fine &= measured("PostgreSQL", home, year, url, url)
    return 0 if fine else 1


def measured(name: str, home: Path, year: Year, index: str, findings: str) -> bool:
    """Report with an empty index, and again; whether all stayed within the limits."""
    records = {one.id: one for one in year.findings}
    store_at(findings, home).change(list(records), lambda _found: list(records.values()))
    fine = True
    for which in ("empty index", "known runs"):
        wall, cpu, memory = report(home, index, findings)
        size = sum(p.stat().st_size for p in (home / "reports/2026Q4").iterdir()) / 1e6
        print(
            f"{name}, {which}: {wall:.1f} s wall, {cpu:.1f} s CPU, {memory:.0f} MB, "
            f"files {size:.1f} MB"
        )
        fine &= cpu < CPU_MAX_S and memory < MEMORY_MAX_MB
    return fine


def report(home: Path, index: str, findings: str) -> tuple[float, float, float]:
    """Seconds of wall time and of CPU time, and MB, of one report."""
    command = [
        sys.executable, "-m", "gameday", "quarter", "2026Q4", "--as-of", "2027-01-02",
        "--index", index, "--findings", findings, "--incidents", "incidents.csv",
        "--deployments", "deployments.csv", "--drills", "drills.csv",
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=home, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"gameday quarter ended with {process.returncode}")
    wall = time.perf_counter() - started
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
