"""What `gameday --version` and `--help` cost, as a multiple of a bare interpreter start.

Paired in one run: each round starts the bare interpreter and both commands one after the other.
Budgets: `--version` at most 8 times, `--help` at most 20 times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
GAMEDAY = str(Path(sys.executable).with_name("gameday"))
COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "version": [GAMEDAY, "--version"],
    "help": [GAMEDAY, "--help"],
}


def main() -> int:
    """Print the ratios; exit 1 when a budget is broken."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - begin)
    bare = statistics.median(times["bare"])
    broken = False
    for name, budget in (("version", 8), ("help", 20)):
        ratio = statistics.median(times[name]) / bare
        broken |= ratio > budget
        print(f"{name}: {ratio:.1f} times a bare interpreter start (budget {budget})")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
