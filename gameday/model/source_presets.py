"""The presets of alert sources: for each vendor what is asked and how its answer is read.

Only data. Each has a page in docs/sources with what it can say and what it was checked against.
`needs` names the headers (or `aws`) with which requests have to authenticate, `options` what has
to be said besides (None: it must be given).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gameday.model.sources import SourcePaging, SourceRequest, SourceSpec

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: The titles of Alertmanager and Grafana: `[FIRING:1] PaymentsSlow (payments page)`.
TITLE = r"^\[(?:FIRING|RESOLVED)(?::\d+)?(?:, RESOLVED:\d+)?\]\s+([^\s(]+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One vendor. `spec` holds everything but the name, the address and the credentials."""

    title: str
    spec: SourceSpec
    needs: tuple[str, ...] = ()
    options: Mapping[str, str | None] = field(default_factory=dict)


_GRAFANA = Preset(
    title="Grafana alerting",
    needs=("Authorization",),
    spec=SourceSpec(
        name="grafana",
        url="",
        request=SourceRequest(path="/api/prometheus/grafana/api/v1/rules"),
        rows="data.groups[].rules[].alerts[]",
        map={
            "name": "labels.alertname",
            "state": "state",
            "started": "activeAt",
            "labels": "labels",
            "annotations": "annotations",
        },
        states={
            "Alerting": "firing",
            "Pending": "pending",
            "Recovering": "firing",
            "Normal": "ended",
            "NoData": "ignored",
            "Error": "ignored",
        },
        rules="data.groups[].rules[]",
        rule_map={
            "name": "name",
            "health": "health",
            "error": "lastError",
            "labels": "labels",
            "annotations": "annotations",
        },
        problem="status == 'error' && (error || errorType || 'error')",
        keeps="live",
        every_ms=2_000,
        lookback_ms=_DAY_MS,
        error_ms=10_000,
    ),
)

_PAGERDUTY = Preset(
    title="PagerDuty",
    needs=("Authorization",),
    spec=SourceSpec(
        name="pagerduty",
        url="https://api.pagerduty.com",
        request=SourceRequest(
            path="/incidents",
            query={
                "since": "{{ since_iso }}",
                "until": "{{ until_iso }}",
                "time_zone": "UTC",
                "statuses[]": ("triggered", "acknowledged", "resolved"),
                "sort_by": "created_at:asc",
                "limit": "100",
            },
            headers={"Accept": "application/vnd.pagerduty+json;version=2"},
        ),
        paging=SourcePaging(kind="offset", param="offset", size=100, more="more"),
        rows="incidents",
        map={
            "id": "id",
            "name": "title",
            "state": "status",
            "started": "created_at",
            "ended": "status == 'resolved' && (resolved_at || last_status_change_at) || `null`",
            "acknowledged": "acknowledgements[0].at",
            "labels": "{service: service.summary, urgency: urgency, priority: priority.summary}",
            "url": "html_url",
        },
        states={"triggered": "firing", "acknowledged": "firing", "resolved": "ended"},
        name_pattern=TITLE,
        delivered=True,
        every_ms=5_000,
        lookback_ms=7 * _DAY_MS,
        error_ms=1_000,
    ),
)

#: Name -> preset.
PRESETS: Mapping[str, Preset] = MappingProxyType({"grafana": _GRAFANA, "pagerduty": _PAGERDUTY})
