"""What time it is, for adapters. A run gives them its own clock, which wall steps do not move."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

#: Says what time it is, in wall ms since the epoch.
NowWallMs: TypeAlias = Callable[[], int]


def wall_ms() -> int:
    """The machine's own wall time, in ms since the epoch: for uses outside of a run."""
    return time.time_ns() // 1_000_000
