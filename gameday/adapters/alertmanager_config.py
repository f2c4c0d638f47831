"""The routes of Alertmanager out of its live configuration. Pure; nothing else of it is kept."""

from __future__ import annotations

import json
from typing import Any

import yaml

#: A configuration longer than this is not read, and routes larger than this are not kept.
MAX_CHARS = 1_000_000
MAX_ROUTE_CHARS = 200_000


def route_of(original: object) -> dict[str, Any] | None:
    """The tree under `route`, as plain JSON; None if it cannot be read.

    Receivers, templates and credentials stay out: they are no matter of when and to whom.
    """
    if not isinstance(original, str) or len(original) > MAX_CHARS:
        return None
    try:
        config = yaml.safe_load(original)
        route = config.get("route") if isinstance(config, dict) else None
        text = json.dumps(route, allow_nan=False)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return route if isinstance(route, dict) and len(text) <= MAX_ROUTE_CHARS else None
