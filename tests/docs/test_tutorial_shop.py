"""docs/tutorial-shop.md: its files and commands as they stand, and what they print."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from page_support import FENCE, assert_shown, environment, printed_by

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial-shop.md").read_text(encoding="utf-8")
#: What needs the shop, and the better part of a minute each.
SLOW = ("gameday demo", "gameday run", "gameday report", "kill ")
SHOWN = 8


def test_what_needs_no_shop_as_printed(tmp_path: Path) -> None:
    """The files, and every `check` and `plan`, in a project as `gameday demo --serve` writes it."""
    from gameday.demo.project import project_yaml
    from gameday.demo.topology import free_topology

    demo = tmp_path / "reports" / "demo"
    demo.mkdir(parents=True)
    text = project_yaml(free_topology(), toxiproxy_url=None)
    (demo / "gameday.yaml").write_text(text, encoding="utf-8")
    (demo / "runbooks").symlink_to(ROOT / "scenarios" / "runbooks")
    printed: str | None = None
    compared = 0
    for name, language, block in FENCE.findall(PAGE):
        if name:
            (tmp_path / name).write_text(block, encoding="utf-8")
        elif language == "console":
            commands = [line for line in block.splitlines() if not line.startswith(SLOW)]
            printed = "".join(printed_by(c, tmp_path) for c in commands) if commands else None
        elif language == "text" and printed is not None:
            assert_shown(block, printed)
            compared += 1
    assert compared == 4


@pytest.mark.slow
@pytest.mark.demo
def test_the_page_as_printed(tmp_path: Path) -> None:
    printed = ""
    compared = 0
    with shops(tmp_path) as (start, stop):
        for name, language, block in FENCE.findall(PAGE):
            if name:
                (tmp_path / name).write_text(block, encoding="utf-8")
            elif language == "console":
                printed = ""
                for command in block.splitlines():
                    if command.endswith(" &"):
                        start(command.removesuffix(" &"))
                    elif command.startswith("kill %1"):
                        stop()
                    else:
                        printed += printed_by(command, tmp_path, within_s=240)
            elif language == "text":
                assert_shown(block, printed)
                compared += 1
    assert compared == SHOWN


@contextmanager
def shops(folder: Path) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Starts a shop and waits until it serves; stops it; none outlives the block."""
    running: list[subprocess.Popen[bytes]] = []
    leash = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []

    def start(command: str) -> None:
        log = folder / f"shop-{len(running)}.log"
        with log.open("wb") as out:
            argv = [*leash, "bash", "-c", f"exec {command}"]
            child = subprocess.Popen(
                argv,
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        running.append(child)
        deadline = time.monotonic() + 90
        while "Ctrl-C ends it" not in log.read_text():
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def stop() -> None:
        running[-1].terminate()
        running[-1].wait(60)

    try:
        yield start, stop
    finally:
        for child in running:
            if child.poll() is None:
                child.terminate()
                child.wait(60)
