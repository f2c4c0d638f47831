"""What Prometheus and Alertmanager say now of rules, series, targets, routes and silences.

Read-only: nothing is sent but questions. `gameday.kpi.outlook` says what it means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gameday.adapters.alertmanager import alert_rows
from gameday.adapters.http import Http
from gameday.adapters.prometheus_answers import (
    duration_of,
    instant_wall_ms,
    rule_rows,
    strings,
    time_wall_ms,
)
from gameday.adapters.server_config import config_of, times_of
from gameday.errors import CannotSeeError
from gameday.kpi.foresee import inlined
from gameday.kpi.outlook import LivePrometheus, Record, SeriesNow
from gameday.kpi.promql import Node, PromqlError, Selector, parse, selectors
from gameday.kpi.routed_ahead import LiveAlertmanager
from gameday.kpi.routing import RoutingError, routing_of
from gameday.kpi.shares import UnpredictableError

#: Rules that read more series than this are asked about the first of them only.
MAX_SELECTORS = 60


def ask_prometheus(url: str, names: Collection[str]) -> LivePrometheus:
    """All that matters for alerts with these *names*. Raises CannotSeeError."""
    with Http(url, what="Prometheus") as http:
        raw, _ = http.get_json("/api/v1/rules")
        rows = [row for row in rule_rows(raw) if row["name"] in names]
        records = dict(_records(raw))
        asked = list(dict.fromkeys(_selectors(rows, records)))[:MAX_SELECTORS]
        scrapes, top = _scrapes(http), global_of(http)
        return LivePrometheus(
            rows=rows,
            records=records,
            series={s.text: _series(http, s, scrapes) for s in asked},
            grown={(s.text, s.range_ms): _grown(http, s) for s in asked if s.range_ms is not None},
            bounds={s.metric: _bounds(http, s) for s in asked if s.metric.endswith("_bucket")},
            external_labels=strings(top.get("external_labels")),
            scrape_ms=duration_of(top.get("scrape_interval")),
            started_wall_ms=_started(http),
            now_wall_ms=instant_wall_ms(http.get_json("/api/v1/query", {"query": "time()"})[0]),
        )


def ask_alertmanager(url: str) -> LiveAlertmanager:
    """Its routing, silences, active alerts and groups. Raises CannotSeeError."""
    with Http(url, what="Alertmanager") as http:
        status, answer = http.get_json("/api/v2/status")
        silences, _ = http.get_json("/api/v2/silences")
        alerts = alert_rows(http.get_json("/api/v2/alerts")[0])
        groups, _ = http.get_json("/api/v2/alerts/groups")
    try:
        config = config_of(((status or {}).get("config") or {}).get("original"))
        routing = routing_of(config)
    except (RoutingError, AttributeError) as error:
        raise CannotSeeError(
            f"the configuration of Alertmanager cannot be followed: {error}"
        ) from None
    return LiveAlertmanager(
        routing=routing,
        silences=[one for one in _rows(silences) if isinstance(one, dict)],
        active=[row["labels"] for row in alerts],
        groups=[
            (str((one.get("receiver") or {}).get("name")), strings(one.get("labels")))
            for one in _rows(groups)
        ],
        times=times_of(config),
        now_wall_ms=answer.answered_wall_ms,
    )


def _rows(raw: Any) -> list[dict[str, Any]]:
    if not isinstance(raw, list):
        raise CannotSeeError("Alertmanager did not answer with a list")
    return [one for one in raw if isinstance(one, dict)]


def _records(raw: Any) -> Iterator[tuple[str, Record]]:
    for group in raw["data"]["groups"]:  # `rule_rows` has looked at its form
        for rule in group.get("rules") or ():
            if isinstance(rule, dict) and rule.get("type") == "recording":
                made = Record(
                    expr=str(rule.get("query", "")),
                    group=str(group.get("name", "")),
                    interval_ms=1000 * float(group.get("interval") or 0),
                )
                yield str(rule.get("name", "")), made


def _selectors(
    rows: Collection[Mapping[str, Any]], records: Mapping[str, Record]
) -> Iterator[Selector]:
    """The series behind the rules; what cannot be read is said by `look_ahead`."""
    for row in rows:
        try:
            yield from selectors(inlined(parse(row["query"]), _trees(records)))
        except (PromqlError, UnpredictableError):
            continue


def _trees(records: Mapping[str, Record]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for name, record in records.items():
        try:
            found[name] = parse(record.expr)
        except PromqlError:
            continue
    return found


def _scrapes(http: Http) -> dict[tuple[str, str], int]:
    """How often each active target is scraped, by job and instance."""
    raw, _ = http.get_json("/api/v1/targets", {"state": "active"})
    found: dict[tuple[str, str], int] = {}
    data = raw.get("data") if isinstance(raw, dict) else None
    for target in (data or {}).get("activeTargets") or ():
        labels = strings(target.get("labels"))
        every = duration_of(target.get("scrapeInterval"))
        if every is not None:
            found[labels.get("job", ""), labels.get("instance", "")] = every
    return found


def _series(http: Http, selector: Selector, scrapes: Mapping[tuple[str, str], int]) -> SeriesNow:
    """How many series a selector has, and how often the slowest of their targets is scraped."""
    found = _vector(http, f"count by (job, instance) ({selector.text})")
    places = [(labels.get("job", ""), labels.get("instance", "")) for labels, _ in found]
    known = [scrapes[place] for place in places if place in scrapes]
    return SeriesNow(
        count=round(sum(value for _, value in found)),
        scrape_ms=float(max(known)) if known else None,
    )


def _grown(http: Http, selector: Selector) -> float:
    query = f"sum(increase({selector.text}[{selector.range_ms}ms]))"
    return sum(value for _, value in _vector(http, query))


def _bounds(http: Http, selector: Selector) -> tuple[float, ...]:
    """The upper bounds of buckets, without the last one, which has none."""
    found = _vector(http, f"count by (le) ({selector.metric})")
    bounds = {labels.get("le", "") for labels, _ in found} - {"", "+Inf"}
    try:
        return tuple(sorted(float(bound) for bound in bounds))
    except ValueError:
        return ()


def _vector(http: Http, query: str) -> list[tuple[dict[str, str], float]]:
    """The samples of an instant query."""
    raw, _ = http.get_json("/api/v1/query", {"query": query})
    try:
        return [(strings(one["metric"]), float(one["value"][1])) for one in raw["data"]["result"]]
    except (TypeError, KeyError, IndexError, ValueError):
        raise CannotSeeError("Prometheus did not answer with samples") from None


def global_of(http: Http) -> dict[str, Any]:
    """The settings of Prometheus for everything; none where its configuration is not told."""
    try:
        raw, _ = http.get_json("/api/v1/status/config")
    except CannotSeeError:
        return {}
    config = config_of(((raw or {}).get("data") or {}).get("yaml"))
    top = config.get("global") if isinstance(config, dict) else None
    return top if isinstance(top, dict) else {}


def _started(http: Http) -> float | None:
    try:
        raw, _ = http.get_json("/api/v1/status/runtimeinfo")
    except CannotSeeError:
        return None
    return time_wall_ms(((raw or {}).get("data") or {}).get("startTime"))
