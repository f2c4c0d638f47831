"""The presets of alert sources: for each vendor what is asked and how its answer is read.

Only data. Each has a page in docs/sources with what it can say and what it was checked against.
`needs` names the headers (or `aws`) with which requests have to authenticate, `options` what has
to be said besides (None: it must be given).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

_OPSGENIE_MAP = {
    "id": "id",
    "name": "message",
    "state": "status",
    "started": "createdAt",
    "ended_after": "report.closeTime",
    "acknowledged_after": "report.ackTime",
    "labels": "{priority: priority, source: source, owner: owner}",
}

_OPSGENIE = Preset(
    title="Opsgenie",
    needs=("Authorization",),
    spec=SourceSpec(
        name="opsgenie",
        url="https://api.opsgenie.com",
        request=SourceRequest(
            path="/v2/alerts",
            query={
                "query": "createdAt >= {{ since_ms }} AND createdAt <= {{ until_ms }}",
                "sort": "createdAt",
                "order": "asc",
                "limit": "100",
            },
        ),
        paging=SourcePaging(kind="next", read="paging.next"),
        rows="data",
        map=_OPSGENIE_MAP,
        states={"open": "firing", "closed": "ended"},
        name_pattern=TITLE,
        delivered=True,
        every_ms=10_000,
        lookback_ms=7 * _DAY_MS,
    ),
)

_JSM = Preset(
    title="Jira Service Management",
    needs=("Authorization",),
    options={"cloud": None},
    spec=replace(  # the API of Opsgenie under another roof
        _OPSGENIE.spec,
        name="jsm",
        url="https://api.atlassian.com",
        request=SourceRequest(
            path="/jsm/ops/api/{{ cloud }}/v1/alerts",
            query={
                "query": "createdAt >= {{ since_ms }} AND createdAt <= {{ until_ms }}",
                "sort": "createdAt",
                "order": "asc",
                "size": "100",
            },
        ),
        paging=SourcePaging(kind="next", read="links.next"),
        rows="values",
    ),
)

_DATADOG = Preset(
    title="Datadog",
    needs=("DD-API-KEY", "DD-APPLICATION-KEY"),
    options={"filter": "status:alert"},
    spec=SourceSpec(
        name="datadog",
        url="https://api.datadoghq.com",
        request=SourceRequest(
            path="/api/v1/monitor/groups/search",
            query={"query": "{{ filter }}", "per_page": "100"},
        ),
        paging=SourcePaging(kind="page", param="page", size=100),
        rows="groups",
        map={
            "id": "join(' ', [to_string(monitor_id), to_string(group)])",
            "name": "monitor_name",
            "state": "status",
            "started": "last_triggered_ts",
            "labels": "group_tags",
        },
        states={
            "Alert": "firing",
            "Warn": "ended",
            "OK": "ended",
            "No Data": "ended",
            "Ignored": "ended",
            "Skipped": "ended",
            "Unknown": "ended",
        },
        keeps="live",
        every_ms=10_000,
        error_ms=60_000,
    ),
)

_NEWRELIC = Preset(
    title="New Relic",
    needs=("API-Key",),
    options={"account": None},
    spec=SourceSpec(
        name="newrelic",
        url="https://api.newrelic.com",
        request=SourceRequest(
            method="POST",
            path="/graphql",
            body={
                "query": (
                    "query($since: EpochMilliseconds!, $until: EpochMilliseconds!, "
                    "$cursor: String) { actor { account(id: {{ account }}) { aiIssues { issues("
                    "timeWindow: {startTime: $since, endTime: $until}, cursor: $cursor) "
                    "{ issues { issueId title priority state createdAt activatedAt "
                    "acknowledgedAt closedAt policyName conditionName entityNames } "
                    "nextCursor } } } } }"
                ),
                "variables": {
                    "since": "{{ since_ms }}",
                    "until": "{{ until_ms }}",
                    "cursor": None,
                },
            },
        ),
        paging=SourcePaging(
            kind="cursor",
            read="data.actor.account.aiIssues.issues.nextCursor",
            param="variables.cursor",
            in_body=True,
        ),
        rows="data.actor.account.aiIssues.issues.issues",
        map={
            "id": "issueId",
            "name": "conditionName[0] || title[0]",
            "state": "state",
            "started": "activatedAt || createdAt",
            "pending": "createdAt",
            "ended": "closedAt",
            "acknowledged": "acknowledgedAt",
            "labels": "{priority: priority, policy: policyName[0], entity: entityNames[0]}",
        },
        states={
            "CREATED": "pending",
            "ACTIVATED": "firing",
            "DEACTIVATED": "ended",
            "CLOSED": "ended",
        },
        problem="errors[0].message",
        every_ms=15_000,
        lookback_ms=2 * _DAY_MS,
        delay_ms=10_000,
        error_ms=60_000,
    ),
)

_CHANGE = "Alarm updated from {} to {}"
_CLOUDWATCH = Preset(
    title="Amazon CloudWatch",
    needs=("aws",),
    options={"region": None, "service": "monitoring"},
    spec=SourceSpec(
        name="cloudwatch",
        url="",
        request=SourceRequest(
            method="POST",
            path="/",
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarmHistory",
            },
            body={
                "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
                "HistoryItemType": "StateUpdate",
                "StartDate": "{{ since_s }}",
                "EndDate": "{{ until_s }}",
                "ScanBy": "TimestampAscending",
                "MaxRecords": 100,
            },
        ),
        paging=SourcePaging(kind="cursor", read="NextToken", param="NextToken", in_body=True),
        rows="AlarmHistoryItems",
        map={
            "id": "AlarmName",
            "name": "AlarmName",
            "state": "HistorySummary",
            "started": "Timestamp",
        },
        states={
            _CHANGE.format("OK", "ALARM"): "firing",
            _CHANGE.format("INSUFFICIENT_DATA", "ALARM"): "firing",
            _CHANGE.format("ALARM", "OK"): "ended",
            _CHANGE.format("ALARM", "INSUFFICIENT_DATA"): "ended",
            _CHANGE.format("OK", "INSUFFICIENT_DATA"): "ignored",
            _CHANGE.format("INSUFFICIENT_DATA", "OK"): "ignored",
        },
        keeps="changes",
        every_ms=10_000,
        lookback_ms=7 * _DAY_MS,
        delay_ms=10_000,
        error_ms=60_000,
    ),
)

_ELASTIC = Preset(
    title="Elastic (Kibana alerting)",
    needs=("Authorization",),
    options={"index": ".alerts-*"},
    spec=SourceSpec(
        name="elastic",
        url="",
        request=SourceRequest(
            method="POST",
            path="/{{ index }}/_search",
            body={
                "size": 100,
                "sort": [{"kibana.alert.start": "asc"}, {"kibana.alert.uuid": "asc"}],
                "query": {
                    "range": {
                        "kibana.alert.start": {"gte": "{{ since_iso }}", "lte": "{{ until_iso }}"}
                    }
                },
            },
        ),
        paging=SourcePaging(
            kind="cursor", read="hits.hits[-1].sort", param="search_after", in_body=True
        ),
        rows="hits.hits[]._source",
        map={
            "id": '"kibana.alert.uuid"',
            "name": '"kibana.alert.rule.name"',
            "state": '"kibana.alert.status"',
            "started": '"kibana.alert.start"',
            "ended": '"kibana.alert.end"',
            "severity": '"kibana.alert.severity"',
            "labels": '{instance: "kibana.alert.instance.id", group: "kibana.alert.action_group"}',
            "url": '"kibana.alert.url"',
        },
        states={"active": "firing", "recovered": "ended", "untracked": "ended"},
        problem="timed_out && 'the search timed out' || (_shards.failed > `0` && 'a shard failed')"
        " || (_shards.total == `0` && 'no such index is there, or may be read')",
        every_ms=10_000,
        lookback_ms=2 * _DAY_MS,
        delay_ms=5_000,
        error_ms=60_000,
    ),
)

_SPLUNK = Preset(
    title="Splunk Enterprise",
    needs=("Authorization",),
    spec=SourceSpec(
        name="splunk",
        url="",
        request=SourceRequest(
            path="/services/alerts/fired_alerts/-",
            query={"output_mode": "json", "count": "100"},
        ),
        paging=SourcePaging(kind="offset", param="offset", size=100),
        rows="entry",
        map={
            "id": "content.sid",
            "name": "content.savedsearch_name",
            "started": "content.trigger_time",
            "severity": "content.severity",
            "labels": "{app: acl.app}",
        },
        every_ms=10_000,
        lookback_ms=10 * 60_000,
        delay_ms=5_000,
        error_ms=60_000,
    ),
)

#: Name -> preset.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "grafana": _GRAFANA,
        "pagerduty": _PAGERDUTY,
        "opsgenie": _OPSGENIE,
        "jsm": _JSM,
        "datadog": _DATADOG,
        "newrelic": _NEWRELIC,
        "cloudwatch": _CLOUDWATCH,
        "elastic": _ELASTIC,
        "splunk": _SPLUNK,
    }
)
