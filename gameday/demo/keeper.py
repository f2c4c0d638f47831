"""Child processes that cannot outlive their owner, and can be ended in good order."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

_STOP_WITHIN_S = 6.0
_TAIL_LINES = 15
#: A server that ends writes of its parts last, and of the reason before.
_ERROR_LINES = 3


class Keeper:
    """Starts Python modules as children by name. Not thread-safe.

    The kernel ends a child with the *thread* that made it, so they are all made by one thread that
    lives until `close`. Each child also holds the end of a pipe, for the case that we are killed.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="demo-keeper")
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        log: Path,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Run `python -m module arguments`, its output added to *log*; *more* is environment."""
        self.children[name] = self._thread.submit(_spawn, module, arguments, log, more).result()

    def end(self, name: str) -> None:
        """End one child, if it is there: asked first, then not."""
        child = self.children.pop(name, None)
        if child is not None:
            _end_all([child])

    def close(self) -> None:
        """End all children. Idempotent."""
        _end_all(list(self.children.values()))
        self.children.clear()
        self._thread.shutdown()


def tail(file: Path) -> str:
    """The last lines of a log and the last errors before them, indented, for an error message."""
    try:
        found = file.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        found = []
    lines = [line for line in found[:-_TAIL_LINES] if "level=error" in line][-_ERROR_LINES:]
    lines += found[-_TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"


def _spawn(
    module: str, arguments: Sequence[str], log: Path, more: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,  # its end tells the child that we are gone
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; we end the children in good order
            env={**os.environ, "PYTHONUNBUFFERED": "1", **more},
        )


def _end_all(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    end = time.monotonic() + _STOP_WITHIN_S
    for child in children:
        try:
            child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
