"""The configuration that a Prometheus or an Alertmanager tells, which is YAML. Pure."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gameday.errors import CannotSeeError

#: A configuration of more characters is not read.
MAX_CHARS = 4_000_000
#: Of one of which only the routes are kept, longer than this is not read, nor are larger routes.
MAX_CHARS_FOR_ROUTES = 1_000_000
MAX_ROUTE_CHARS = 200_000


def config_of(text: object) -> Any:
    """A configuration; None for none and for one that is too long. Raises CannotSeeError."""
    if not isinstance(text, str) or len(text) > MAX_CHARS:
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotSeeError(f"a configuration cannot be read: {type(error).__name__}") from None


def route_of(text: object) -> dict[str, Any] | None:
    """The tree under `route`, as plain JSON for the journal; None if it cannot be read.

    Receivers, templates and credentials stay out: they are no matter of when and to whom.
    """
    if isinstance(text, str) and len(text) > MAX_CHARS_FOR_ROUTES:
        return None
    try:
        config = config_of(text)
        route = config.get("route") if isinstance(config, dict) else None
        size = len(json.dumps(route, allow_nan=False))
    except (CannotSeeError, ValueError, TypeError, RecursionError):
        return None
    return route if isinstance(route, dict) and size <= MAX_ROUTE_CHARS else None
