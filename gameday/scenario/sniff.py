"""Whether a YAML file is one of ours, from its first bytes; nothing heavy is imported for it."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT_FILE = "gameday.yaml"
_OURS = re.compile(r"""(?:^|\A\s*\{\s*)["']?gameday["']?[ \t]*:""", re.MULTILINE)
_A_PROJECT = re.compile(r"""^["']?environments["']?[ \t]*:""", re.MULTILINE)
_A_DAY = re.compile(r"""^["']?day["']?[ \t]*:""", re.MULTILINE)
_SNIFFED = 64 * 1024


def is_ours(path: Path) -> bool:
    """Whether a YAML file in a searched directory is a scenario, or the project file."""
    if path.name == PROJECT_FILE:
        return True
    try:
        with path.open("rb") as file:
            text = file.read(_SNIFFED).decode("utf-8", errors="replace")
    except OSError:
        return True  # checking it says why it cannot be read
    return bool(_OURS.search(text)) and not _A_PROJECT.search(text)


def is_day_file(path: Path) -> bool:
    """Whether a file is the plan of a day: it has the key `day`."""
    if path.name == PROJECT_FILE:
        return False
    try:
        with path.open("rb") as file:
            return bool(_A_DAY.search(file.read(_SNIFFED).decode("utf-8", errors="replace")))
    except OSError:
        return False  # whoever reads it says why it cannot be read


def is_scenario_file(path: Path) -> bool:
    """Whether a file looks like a scenario; a copy in a run's own directory is none."""
    if path.suffix not in (".yaml", ".yml") or path.name == PROJECT_FILE:
        return False
    if not is_ours(path) or is_day_file(path):
        return False
    return not (path.parent / "journal.jsonl").exists()
