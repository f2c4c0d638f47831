"""One directory a run: its name, its files, and how they are found again."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import UsageError

REPORTS = Path("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDir:
    """The files of one run. Judging needs `journal` and `plan`; comparing also `history`."""

    path: Path

    @property
    def run_id(self) -> str:
        """The directory's name is the run's name."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The record."""
        return self.path / "journal.jsonl"

    @property
    def plan(self) -> Path:
        """The resolved plan as it was run."""
        return self.path / "plan.json"

    @property
    def history(self) -> Path:
        """The numbers of earlier runs that this one is compared with."""
        return self.path / "history.json"

    @property
    def evidence(self) -> Path:
        """Raw payloads and logs."""
        return self.path / "evidence"


def create(reports: Path, scenario_id: str) -> RunDir:
    """A new, empty run directory. Raises `UsageError` if it cannot be made."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = reports / f"{stamp}-{scenario_id}-{secrets.token_hex(2)}"
    try:
        path.mkdir(parents=True)
        (path / "evidence").mkdir()
    except OSError as error:
        raise UsageError(
            f"the run directory `{path}` cannot be made: {error.strerror}; "
            "choose another place with `--reports`"
        ) from None
    return RunDir(path=path.resolve())


def all_runs(reports: Path) -> list[RunDir]:
    """Every run directory below *reports*, oldest first."""
    if not reports.is_dir():
        return []
    found = (p for p in reports.iterdir() if (p / "journal.jsonl").is_file())
    return [RunDir(path=p) for p in sorted(found)]


def find(text: str, reports: Path) -> RunDir:
    """The run that *text* means: a path, a run id, the start or end of one, or `last`."""
    direct = Path(text)
    if (direct / "journal.jsonl").is_file():
        return RunDir(path=direct.resolve())
    runs = all_runs(reports)
    if text == "last" and runs:
        return runs[-1]
    close = [r for r in runs if r.run_id == text]
    close = close or [r for r in runs if r.run_id.startswith(text) or r.run_id.endswith(text)]
    if len(close) == 1:
        return RunDir(path=close[0].path.resolve())
    if close:
        names = ", ".join(r.run_id for r in close[:5])
        raise UsageError(f"`{text}` means several runs ({names}); write more of the name")
    known = ", ".join(r.run_id for r in runs[-3:]) or "none"
    raise UsageError(
        f"there is no run `{text}` in `{reports}`; the latest are: {known}. "
        "Give a run id, a directory, or `last`"
    )
