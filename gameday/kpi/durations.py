"""Durations as Prometheus and Alertmanager write them: `1m30s`."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_UNIT_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}


def prometheus_ms(text: object) -> int | None:
    """Milliseconds of a duration, None if it is none. A plain `0` has no unit, and is none."""
    if not isinstance(text, str) or not _WHOLE.fullmatch(text):
        return None
    return sum(int(n) * _UNIT_MS[unit] for n, unit in _PART.findall(text))
