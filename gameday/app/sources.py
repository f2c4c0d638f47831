"""The alert sources over HTTP of a plan: made for a run, and looked at before it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.errors import GamedayError, RefusedError
from gameday.model.plan import Plan
from gameday.model.units import format_ms

if TYPE_CHECKING:
    from gameday.adapters.sources.source import HttpJsonSource

#: A clock may be off by as much as a second where no rule says how often it is evaluated.
CLOCK_MS = 1_000.0
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def http_sources(plan: Plan, *, now_wall_ms: NowWallMs = wall_ms) -> dict[str, HttpJsonSource]:
    """Each source, by name. The first name of the environment says when alerts fire."""
    from gameday.adapters.sources.source import HttpJsonSource

    alerting = plan.environment.alerting
    return {
        spec.name: HttpJsonSource(
            spec,
            base=Path(plan.directory),
            judged=alerting.names[0] == spec.name,
            now_wall_ms=now_wall_ms,
        )
        for spec in alerting.http_json
    }


def quiet_now(plan: Plan, source: HttpJsonSource) -> tuple[str, list[str]]:
    """That no expected alert fires already there, and warnings. Raises what there is against."""
    now_ms = round(time.time() * 1000)
    read = source.read(now_ms - 1_000, now_ms, now=True)
    expected = {alert.alert for alert in plan.scenario.expect.alerts}
    problems = list(_against(read, expected))
    if problems:
        raise RefusedError("\n".join(problems))
    warnings = []
    if "rules" in read["can"]:
        known = {row["name"] for row in read["rules"]}
        missing = sorted(expected - known)
        warnings = [f"alerts: no rule is called `{name}`: it cannot fire" for name in missing]
    return f"{len(expected)} expected, none of them is firing", warnings


def _against(read: Mapping[str, Any], expected: set[str]) -> Iterator[str]:
    firing = {
        one["alert"]
        for one in read["episodes"]
        if one["firing_wall_ms"] is not None and one["ended_wall_ms"] is None
    }
    for row in read["rules"]:
        if row["name"] in expected and row["health"] == "err":
            yield f"the rule of `{row['name']}` is in error: {row['lastError']}"
    for name in sorted(expected & firing):
        yield f"`{name}` fires already, so that it could not show the fault"
    if off := clock_problem(read["offset_ms"], read["error_ms"]):
        yield f"its clock is {off}"


def clock_problem(
    offset_ms: float | None, error_ms: float | None, *, allowed_ms: float = CLOCK_MS
) -> str:
    """By how much a clock is too far off; empty if it may not be, or if that is not known."""
    if offset_ms is None or abs(offset_ms) - (error_ms or 0) <= allowed_ms:
        return ""
    off = f"{format_ms(offset_ms)} ± {format_ms(error_ms or 0)}"
    return f"off by {off}, allowed is {format_ms(allowed_ms)}"


def explained(error: GamedayError) -> str:
    """The error, and that a proxy of the environment is not used, where there is one."""
    text = str(error)
    proxy = next((name for name in _PROXIES if os.environ.get(name)), None)
    unreachable = any(
        word in text for word in ("refused", "no answer", "cannot be resolved", "broke off")
    )
    if proxy is not None and unreachable:
        text += f"; `{proxy}` is set, and gameday asks its sources without a proxy"
    return text
