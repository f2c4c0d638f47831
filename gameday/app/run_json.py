"""Reading the JSON documents of a run directory: whatever lies there, nothing is raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: No document that gameday writes comes near it.
BYTES_MAX = 20_000_000


def read_json(path: Path) -> Mapping[str, Any] | None:
    """The object in *path*; None where there is none, or none of a size that is ours."""
    try:
        if path.stat().st_size > BYTES_MAX:
            return None
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def measured(raw: Any) -> float | None:
    """A number that was measured, such as milliseconds, or None where it was withheld.

    Raises TypeError or ValueError for what cannot be one: it is negative, endless, or no number.
    """
    if raw is None:
        return None
    value = float(raw)
    if not 0 <= value < float("inf"):
        raise ValueError("no number that could have been measured")
    return value
