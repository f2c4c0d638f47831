"""Name -> undoer: how any process, at any later time, finds the code that takes a fault out.

Nothing registers itself on import. The table holds dotted names, so that looking at it costs
nothing, and packages can add kinds through the entry-point group `gameday.undoers`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from gameday.errors import UsageError
from gameday.ports import Undoer

GROUP = "gameday.undoers"
_BUILT_IN = {
    "command": "gameday.adapters.generic.undo:UNDOER",
    "http": "gameday.adapters.generic.undo:UNDOER",
    "python": "gameday.adapters.generic.undo:UNDOER",
    "several": "gameday.adapters.several:UNDOER",
    "toxiproxy": "gameday.adapters.toxiproxy.undo:UNDOER",
    "host": "gameday.adapters.host.undo:UNDOER",
    "docker": "gameday.adapters.docker.undo:UNDOER",
}


def undo_kinds() -> tuple[str, ...]:
    """All known kinds of undo records."""
    return tuple(sorted({*_BUILT_IN, *(e.name for e in entry_points(group=GROUP))}))


def undoer(kind: str) -> Undoer:
    """The undoer of one kind. Raises `UsageError` if there is none."""
    if kind in _BUILT_IN:
        module, _, name = _BUILT_IN[kind].partition(":")
        return cast("Undoer", getattr(import_module(module), name))
    for entry in entry_points(group=GROUP):
        if entry.name == kind:
            return cast("Undoer", entry.load())
    raise UsageError(
        f"no code here takes out a fault of kind `{kind}`; known are {', '.join(undo_kinds())}: "
        "install the package that injected it"
    )
