"""Reading Prometheus' answers: pure functions from JSON to values, `CannotSeeError` if it is odd.

Times are wall ms on the clock of the server that answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from gameday.adapters.polling import Gap
from gameday.errors import CannotSeeError
from gameday.kpi.durations import prometheus_ms

#: A group is late when its last evaluation is older than this many intervals, and a bit.
LATE_INTERVALS = 2.5
LATE_MS = 2_000

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?")


def time_wall_ms(text: object) -> int | None:
    """Wall ms of an RFC 3339 time (Go writes nanoseconds); None for no time and for Go's zero."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    zone = (found[3] or "Z").replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(found[1] + zone)
        whole = round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1000
    except (ValueError, OverflowError):
        return None
    return whole + int((found[2] or "0").ljust(9, "0")[:3]) if at.year > 1 else None


def duration_of(text: object) -> int | None:
    """Milliseconds of a duration such as `1m30s`, None if it is none or nothing."""
    return prometheus_ms(text) or None


def active_alerts(raw: Any) -> list[dict[str, Any]]:
    """The alerts of `/api/v1/alerts`: labels, annotations, state, active_wall_ms, value."""
    found = _list(raw, "alerts")
    return [
        {
            "labels": strings(alert.get("labels")),
            "annotations": strings(alert.get("annotations")),
            "state": alert["state"],
            "active_wall_ms": time_wall_ms(alert.get("activeAt")),
            "value": str(alert.get("value", "")),
        }
        for alert in found
        if alert.get("state") in ("pending", "firing")
    ]


def rule_rows(raw: Any) -> list[dict[str, Any]]:
    """The alerting rules of `/api/v1/rules`, each with the interval of its group (seconds)."""
    rows: list[dict[str, Any]] = []
    for group in _list(raw, "groups"):
        rules = group.get("rules")
        if not isinstance(rules, list):
            raise CannotSeeError("Prometheus lists a group of rules without `rules`")
        for rule in rules:
            if not isinstance(rule, dict) or rule.get("type") != "alerting":
                continue
            rows.append(
                {
                    "group": str(group.get("name", "")),
                    "name": str(rule.get("name", "")),
                    "query": str(rule.get("query", "")),
                    "duration": _number(rule.get("duration")),
                    "interval": _number(group.get("interval")),
                    "keep_firing_for": _number(rule.get("keepFiringFor")),
                    "labels": strings(rule.get("labels")),
                    "annotations": strings(rule.get("annotations")),
                    "health": str(rule.get("health", "")),
                    "lastError": str(rule.get("lastError", "")),
                    "last_evaluation_wall_ms": time_wall_ms(
                        rule.get("lastEvaluation") or group.get("lastEvaluation")
                    ),
                }
            )
    return rows


def late_groups(rows: Iterable[Mapping[str, Any]], now_ms: float) -> list[int]:
    """For each rule that should have been evaluated by now, when it last was (0: never)."""
    found: set[int] = set()
    for row in rows:
        last = row["last_evaluation_wall_ms"] or 0
        if now_ms - last > LATE_INTERVALS * row["interval"] * 1000 + LATE_MS:
            found.add(last)
    return sorted(found)


def instant_wall_ms(raw: Any) -> float:
    """The wall ms that the query `time()` returned."""
    try:
        return float(raw["data"]["result"][1]) * 1000
    except (TypeError, KeyError, IndexError, ValueError):
        raise CannotSeeError("Prometheus did not answer `time()` with a number") from None


def matrix_of(raw: Any) -> list[dict[str, Any]]:
    """The raw series of a range selector. Raises CannotSeeError for a part of the truth."""
    data = raw.get("data") if isinstance(raw, dict) else None
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        raise CannotSeeError("Prometheus did not answer with a matrix")
    if raw.get("warnings"):
        raise CannotSeeError(f"Prometheus says that its answer is not whole: {raw['warnings'][0]}")
    found: list[dict[str, Any]] = []
    for series in data.get("result") or ():
        try:
            values = [[float(at), str(value)] for at, value in series["values"]]
            found.append({"metric": strings(series["metric"]), "values": values})
        except (TypeError, KeyError, ValueError):
            raise CannotSeeError("Prometheus answered with a series that has no values") from None
    return found


def newest_scrapes(raw: Any) -> list[int]:
    """The distinct values of `max(timestamp(up))` over time: when anything was scraped."""
    times = {round(float(v) * 1000) for series in matrix_of(raw) for _, v in series["values"]}
    return sorted(times)


def shortest_scrape_ms(raw: Any) -> int | None:
    """The shortest scrape interval of all active targets (`/api/v1/targets`), None if unknown."""
    try:
        found = [duration_of(t.get("scrapeInterval")) for t in _list(raw, "activeTargets")]
    except CannotSeeError:
        return None
    return min((f for f in found if f), default=None)


def holes(scrapes: Sequence[int], since_ms: int, until_ms: int, longest_ms: float) -> list[Gap]:
    """Stretches of [since, until] longer than *longest_ms* in which nothing was scraped."""
    edges = [min(since_ms, scrapes[0]) if scrapes[0] <= since_ms else since_ms, *scrapes]
    pairs = [*pairwise(edges), (scrapes[-1], until_ms)]
    return [[a, b] for a, b in pairs if b - a > longest_ms]


def strings(raw: Any) -> dict[str, str]:
    """A mapping of strings, such as labels; an absent one is empty."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise CannotSeeError("an answer has labels or annotations that are no mapping")
    return {str(key): str(value) for key, value in raw.items()}


def _list(raw: Any, key: str) -> list[dict[str, Any]]:
    data = raw.get("data") if isinstance(raw, dict) else None
    found = data.get(key) if isinstance(data, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise CannotSeeError(f"Prometheus' answer has no list `data.{key}`")
    return found


def _number(raw: Any) -> float:
    return float(raw) if isinstance(raw, (int, float)) else 0.0
