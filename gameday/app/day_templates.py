"""What `gameday init --with templates` writes beside the starter project."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

#: A plan is announced a week before, and prepared a week before that.
_AHEAD_DAYS = 14
#: A program that is written out, and no module of ours.
_PROGRAM = ".in"
_COMMANDS = "    commands: [python3]             # programs that faults and drills may run\n"
_BEFORE = "    # Without `toxiproxy` gameday starts"


def template_files(now: datetime | None = None) -> dict[str, str]:
    """Relative path -> text. The window of the plan lies two weeks ahead."""
    day = (now or datetime.now(UTC)) + timedelta(days=_AHEAD_DAYS)
    folder = Path(__file__).with_name("starter_templates")
    window = {"@FROM@": f"{day:%Y-%m-%d} 09:00", "@TO@": f"{day:%Y-%m-%d} 12:00"}
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".md", _PROGRAM):
            text = path.read_text(encoding="utf-8")
            for word, moment in window.items():
                text = text.replace(word, moment)
            found[str(path.relative_to(folder)).removesuffix(_PROGRAM)] = text
    return found


def with_commands(project: str) -> str:
    """The starter's project file, with the program that the drill of the templates runs."""
    return project.replace(_BEFORE, f"{_COMMANDS}\n{_BEFORE}", 1)
