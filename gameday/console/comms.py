"""What people outside are told: texts to copy, which never say what was broken. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

MARK = "[EXERCISE]"


def texts(
    service: str,
    *,
    began_wall_ms: int,
    now_wall_ms: int,
    firing: Sequence[str],
    over: bool,
    every_ms: int,
) -> list[dict[str, str]]:
    """The announcement, the update and the all-clear of an exercise, each with its name.

    They go to channels that responders read too, so that they are the same in blind mode.
    """
    began, now = _clock(began_wall_ms), _clock(now_wall_ms)
    next_at = _clock(now_wall_ms + every_ms)
    alerts = ", ".join(firing) or "none"
    state = "is over" if over else "is under way"
    return [
        {
            "name": "start",
            "text": f"{MARK} A GameDay on {service} began at {began}. Alerts of {service} may be "
            f"part of it; respond to them as usual. Next update by {next_at}.",
        },
        {
            "name": "update",
            "text": f"{MARK} {now}: the GameDay on {service} {state} (since {began}). "
            f"Alerts firing: {alerts}. Next update by {next_at}.",
        },
        {
            "name": "real incident",
            "text": f"{MARK} {now}: the GameDay on {service} is being stopped because of a real "
            "problem. Treat every alert as real from now on.",
        },
        {
            "name": "all-clear",
            "text": f"{MARK} {now}: the GameDay on {service} that began at {began} is over. "
            "From now on every alert is real.",
        },
    ]


def _clock(wall_ms: int) -> str:
    return time.strftime("%H:%M UTC", time.gmtime(wall_ms / 1000))
