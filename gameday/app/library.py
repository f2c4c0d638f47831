"""Where the scenarios that come with gameday are: in the repository, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

import gameday
from gameday.errors import UsageError


def scenario_folder() -> Path:
    """The folder of the shop's scenarios. Raises `UsageError` if it did not come along."""
    package = Path(gameday.__file__).parent
    for folder in (package.parent / "scenarios", package / "scenario_files"):
        if (folder / "payments-slow.yaml").is_file():
            return folder
    raise UsageError("the shop's scenarios did not come with this installation; install it again")
