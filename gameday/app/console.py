"""`console`: the web page of a day, as a program of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gameday.app.rundir import RunDir, all_runs, find
from gameday.errors import UsageError


def console_command(arguments: Sequence[str]) -> int:
    """Become the console: this process is replaced, so signals reach it directly."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "gameday.console", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter; the module checks them


def followed(what: str) -> tuple[Path, RunDir | None]:
    """The directory of runs that *what* means, and the one run if it means one.

    Raises `UsageError` if it means neither.
    """
    path = Path(what)
    if (path / "journal.jsonl").is_file():
        run = find(what, path.parent)
        return run.path.parent, run
    if path.is_dir() or what == "reports":
        return path, None  # a directory of reports may be made by the first run
    try:
        run = find(what, Path("reports"))
    except UsageError as error:
        raise UsageError(f"`{what}` is no directory, and {error}") from None
    return run.path.parent, run


def door_of(reports: Path, only: RunDir | None, shown: RunDir | None) -> RunDir | None:
    """The run that takes what people say: the one that is *shown*, else the newest with a door.

    Looked up on the disk: a run that began a moment ago is not shown yet, and can be stopped.
    """
    from gameday.engine.control import CONTROL_FILE

    found = [only] if only is not None else [*all_runs(reports), *([shown] if shown else [])]
    for run in reversed(found):
        if (run.path / CONTROL_FILE).exists():
            return run
    return None
