"""`console`: the web page of a day, as a program of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gameday.app.day_journal import FOLDER
from gameday.app.rundir import RunDir, all_runs, find
from gameday.errors import UsageError
from gameday.processes import Life

_SESSIONS_MAX = 1024 * 1024


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


def doors_of(reports: Path, only: RunDir | None, shown: RunDir | None) -> list[RunDir]:
    """The runs under way that take what people say, the newest first, with the one *shown*.

    Looked up on the disk: a run that began a moment ago is not shown yet, and can be stopped.
    """
    from gameday.engine.control import CONTROL_FILE
    from gameday.sentinel.owner import runner_life

    found = [only] if only is not None else [*([shown] if shown else []), *all_runs(reports)]
    known = {run.path.resolve(): run for run in found}
    return [
        run
        for run in reversed(known.values())
        if (run.path / CONTROL_FILE).exists() and runner_life(run.path) is not Life.GONE
    ]


def sessions_file(reports: Path, port: int) -> Path:
    """Where the console on *port* keeps who is in, for when it is started again."""
    return reports / FOLDER / f".console-{port}.json"


def sessions_of(path: Path) -> str:
    """What is kept there; nothing unless the file is ours alone."""
    try:
        with path.open(encoding="utf-8") as file:
            about = os.fstat(file.fileno())
            ours = about.st_uid == os.getuid() and not about.st_mode & 0o077
            return file.read(_SESSIONS_MAX) if ours else ""
    except (OSError, UnicodeDecodeError):
        return ""


def keep_sessions(path: Path, text: str) -> None:
    """Keep who is in. Where that cannot be written, they enter again after a restart."""
    from gameday.engine.control import write_private

    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text)
