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
#: Where time intervals are defined, today and in older configurations.
TIMES = ("time_intervals", "mute_time_intervals")


def config_of(text: object) -> Any:
    """A configuration; None for none and for one that is too long. Raises CannotSeeError."""
    if not isinstance(text, str) or len(text) > MAX_CHARS:
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotSeeError(f"a configuration cannot be read: {type(error).__name__}") from None


def routes_of(text: object) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The tree under `route` (None if it cannot be read) and `times_of`, for the journal.

    Receivers, templates and credentials stay out: they are no matter of when and to whom.
    """
    if isinstance(text, str) and len(text) > MAX_CHARS_FOR_ROUTES:
        return None, {}
    try:
        config = config_of(text)
    except CannotSeeError:
        return None, {}
    route = config.get("route") if isinstance(config, dict) else None
    times = times_of(config)
    return (
        route if isinstance(route, dict) and _is_small(route) else None,
        times if _is_small(times) else {},
    )


def times_of(config: Any) -> dict[str, Any]:
    """The definitions of time intervals in a configuration of Alertmanager, by their key."""
    if not isinstance(config, dict):
        return {}
    return {key: config[key] for key in TIMES if config.get(key)}


def _is_small(value: object) -> bool:
    """Whether it can stand in the journal."""
    try:
        return len(json.dumps(value, allow_nan=False)) <= MAX_ROUTE_CHARS
    except (ValueError, TypeError, RecursionError):
        return False
