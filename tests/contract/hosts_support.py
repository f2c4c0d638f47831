"""Workers of a load in processes of their own, as they run on other hosts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

TOKEN = "a token that both know"
PLUGIN = "gameday.adapters.locust.agent_worker"


class Worker:
    """One worker, with all that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_said(self, words: str, within_s: float = 120) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.text, within_s), self.text

    def ended(self, within_s: float = 120) -> int:
        """Its exit code."""
        code = self.process.wait(within_s)
        self._thread.join(5)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()


def command(master: str, *, plain: bool = False) -> list[str]:
    """What starts a worker: ours, or Locust's own command with our file."""
    if not plain:
        return [sys.executable, "-m", PLUGIN]
    from importlib.util import find_spec

    found = find_spec(PLUGIN)
    assert found is not None
    assert found.origin is not None
    host, _, port = master.rpartition(":")
    return [
        sys.executable, "-m", "locust", "--worker", "-f", found.origin,
        "--master-host", host, "--master-port", port,
    ]  # fmt: skip


@contextlib.contextmanager
def worker(
    master: str,
    *,
    token: str = TOKEN,
    plain: bool = False,
    locustfile: str = "",
    before: Sequence[str] = (),
) -> Iterator[Worker]:
    """A worker that comes to *master*; *before* is put in front of its command."""
    variables = {"GAMEDAY_LOAD_TOKEN": token, "GAMEDAY_LOAD_FILE": locustfile}
    if not plain:
        variables["GAMEDAY_LOAD_MASTER"] = master
    process = subprocess.Popen(
        [*before, *command(master, plain=plain)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    one = Worker(process)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(10)
        one._thread.join(10)
        assert process.stdout is not None
        process.stdout.close()


def loads_of(pid: int) -> list[int]:
    """The load processes that a worker has started, at once or further down."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        with contextlib.suppress(OSError):
            tasks = Path(f"/proc/{parent}/task")
            for task in tasks.iterdir():
                children = [int(c) for c in (task / "children").read_text().split()]
                found += children
                todo += children
    return found


def until(true: object, within_s: float = 120, why: str = "it did not happen") -> float:
    """Wait for it; when it was, on the monotonic clock."""
    deadline = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, why
        time.sleep(0.02)
    return time.monotonic()
