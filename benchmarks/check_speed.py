"""What `gameday check` of 500 scenarios costs, as multiples that hold on any machine.

Paired in one run: each round starts a bare interpreter, lets PyYAML alone load the same files, and
checks them with the command, start-up included. Budgets: 250 bare starts (a bare start takes about
15 ms, so that is a few seconds), and 12 times the YAML alone.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gameday.scenario.starter import starter_files

SCENARIOS = 500
ROUNDS = 5
GAMEDAY = str(Path(sys.executable).with_name("gameday"))
LOAD_YAML = """
import pathlib, sys, yaml
for path in pathlib.Path(sys.argv[1]).rglob("*.yaml"):
    yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""


def main() -> int:
    """Print the times and ratios; exit 1 when a budget is broken."""
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        commands = {
            "bare": [sys.executable, "-c", "pass"],
            "yaml": [sys.executable, "-c", LOAD_YAML, folder],
            "check": [GAMEDAY, "check", folder],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                begin = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - begin)
    middle = {name: statistics.median(each) for name, each in times.items()}
    print(f"check of {SCENARIOS} scenarios, each with a profile: {middle['check']:.2f} s")
    broken = False
    for name, budget in (("bare", 250), ("yaml", 12)):
        ratio = middle["check"] / middle[name]
        broken |= ratio > budget
        print(f"{ratio:.1f} times {name} ({middle[name] * 1000:.0f} ms; budget {budget})")
    return int(broken)


def write_project(folder: Path) -> None:
    """The starter project, its scenario 500 times."""
    for name, text in starter_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    first = (folder / "scenarios/first.yaml").read_text(encoding="utf-8")
    for number in range(1, SCENARIOS):
        text = first.replace("id: first", f"id: number-{number}", 1)
        (folder / f"scenarios/number-{number}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
