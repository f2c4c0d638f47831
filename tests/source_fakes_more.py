"""More fakes of vendors: Opsgenie, JSM, Datadog, New Relic, CloudWatch, Elastic, Splunk."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import quote

from source_fakes import Alert, Asked, FakeVendor, RefusedError, iso, ms_of


class FakeOpsgenie(FakeVendor):
    """Opsgenie's alert API: a query language, pages by address, report times as durations."""

    credentials = "GenieKey og_right"
    path, list_key, paging_key, size_name = "/v2/alerts", "data", "paging", "limit"

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != self.credentials:
            raise RefusedError(401, {"message": "Could not authenticate", "requestId": "r"})

    def respond(self, asked: Asked) -> Any:
        if asked.path != self.path:
            raise RefusedError(404, {"message": "Not found", "requestId": "r"})
        found = self._found(asked)
        limit, offset = int(asked.one(self.size_name, "20")), int(asked.one("offset", "0"))
        if not 1 <= limit <= 100:
            raise RefusedError(422, {"message": "limit must be at most 100", "requestId": "r"})
        page = found[offset : offset + limit]
        links = {}
        if offset + limit < len(found):
            query = quote(asked.one("query"))
            more = f"{self.size_name}={limit}&offset={offset + limit}&sort=createdAt&query={query}"
            links["next"] = f"{self.url}{self.path}?{more}"
        rows = [self._alert(a) for a in page]
        return {self.list_key: rows, self.paging_key: links, "took": 0.01, "requestId": "r"}

    def _found(self, asked: Asked) -> list[Alert]:
        since, until = 0, 2**60
        for part in re.split(r"\s+AND\s+", asked.one("query")) if asked.one("query") else ():
            said = re.fullmatch(r"createdAt\s*(>=|<=)\s*(\d+)", part)
            if said is None:
                raise RefusedError(422, {"message": "query can not be parsed", "requestId": "r"})
            if said[1] == ">=":
                since = int(said[2])
            else:
                until = int(said[2])
        return sorted(self.begun(since, until), key=lambda a: a.firing_ms or 0)

    def _alert(self, a: Alert) -> dict[str, Any]:
        begun = a.firing_ms or 0
        report: dict[str, Any] = {}
        if a.acknowledged_ms is not None:
            report |= {"ackTime": a.acknowledged_ms - begun, "acknowledgedBy": "x@example.org"}
        if a.ended_ms is not None:
            report |= {"closeTime": a.ended_ms - begun, "closedBy": "System"}
        return {
            "id": a.id,
            "tinyId": "1",
            "alias": a.id,
            "message": a.name,
            "status": "open" if a.ended_ms is None else "closed",
            "acknowledged": a.acknowledged_ms is not None,
            "isSeen": False,
            "tags": [],
            "snoozed": False,
            "count": 1,
            "lastOccurredAt": iso(begun, digits="milliseconds"),
            "createdAt": iso(begun, digits="milliseconds"),
            "updatedAt": iso(a.ended_ms or begun, digits="milliseconds"),
            "source": "prometheus",
            "owner": "",
            "priority": "P1",
            "report": report,
        }


class FakeJsm(FakeOpsgenie):
    """The same alerts in Jira Service Management, under a cloud id, by user and password."""

    credentials = "Basic " + base64.b64encode(b"me@example.org:jsm_right").decode()
    path, list_key, paging_key = "/jsm/ops/api/c1/v1/alerts", "values", "links"
    size_name = "size"


class FakeDatadog(FakeVendor):
    """Datadog's search of monitor groups: what is in alert now, by numbered pages."""

    def admit(self, asked: Asked) -> None:
        keys = (asked.headers.get("dd-api-key"), asked.headers.get("dd-application-key"))
        if keys != ("dd_right", "dd_app"):
            raise RefusedError(403, {"errors": ["Forbidden"]})

    def respond(self, asked: Asked) -> Any:
        if asked.path != "/api/v1/monitor/groups/search":
            raise RefusedError(404, {"errors": ["Not found"]})
        wanted = asked.one("query")
        if wanted not in ("", "status:alert"):
            raise RefusedError(400, {"errors": ["the fake knows no such query"]})
        rows = [self._group(n, a) for n, a in enumerate(self.alerts) if a.firing_ms is not None]
        found = [row for row in rows if not wanted or row["status"] == "Alert"]
        page, size = int(asked.one("page", "0")), int(asked.one("per_page", "30"))
        counts = {"status": [{"count": len(found), "name": "Alert"}], "type": []}
        return {
            "groups": found[page * size : (page + 1) * size],
            "counts": counts,
            "metadata": {
                "page": page,
                "page_count": -(-len(found) // size),
                "per_page": size,
                "total_count": len(found),
            },
        }

    def _group(self, number: int, a: Alert) -> dict[str, Any]:
        return {
            "group": f"service:{a.labels.get('service', '')}",
            "group_tags": [f"{k}:{v}" for k, v in a.labels.items()],
            "last_nodata_ts": 0,
            "last_triggered_ts": (a.firing_ms or 0) // 1000,
            "monitor_id": 1_000 + number,
            "monitor_name": a.name,
            "scopes": ["service:front"],
            "status": "OK" if a.ended_ms is not None else "Alert",
        }


class FakeNewRelic(FakeVendor):
    """NerdGraph's issues: errors come with status 200, pages by a cursor."""

    size = 100

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("api-key") != "NRAK-right":
            raise RefusedError(401, {"errors": [{"message": "Invalid API key"}]})

    def respond(self, asked: Asked) -> Any:
        if (asked.method, asked.path) != ("POST", "/graphql"):
            raise RefusedError(404, {"errors": [{"message": "not found"}]})
        body = asked.json
        given = body["variables"]
        if "account(id: 1234567)" not in body["query"]:
            data = {"actor": {"account": {"aiIssues": None}}}
            return {"data": data, "errors": [{"message": "Access denied to that account"}]}
        if not isinstance(given["since"], int) or not isinstance(given["until"], int):
            raise RefusedError(400, {"errors": [{"message": "expected EpochMilliseconds"}]})
        found = sorted(self._in(given["since"], given["until"]), key=lambda a: a.id)
        at = int(base64.b64decode(given["cursor"])) if given["cursor"] else 0
        more = at + self.size < len(found)
        following = base64.b64encode(str(at + self.size).encode()).decode() if more else None
        issues = [self._issue(a) for a in found[at : at + self.size]]
        answer = {"issues": {"issues": issues, "nextCursor": following}}
        return {"data": {"actor": {"account": {"aiIssues": answer}}}}

    def _in(self, since: int, until: int) -> list[Alert]:
        begun = ((a, a.pending_ms or a.firing_ms or 0) for a in self.alerts)
        return [a for a, at in begun if since <= at <= until]

    def _issue(self, a: Alert) -> dict[str, Any]:
        state = {"pending": "CREATED", "ended": "CLOSED"}.get(a.state, "ACTIVATED")
        return {
            "issueId": a.id,
            "title": [f"{a.name} is too slow"],
            "priority": "CRITICAL",
            "state": state,
            "createdAt": a.pending_ms or a.firing_ms,
            "activatedAt": a.firing_ms,
            "acknowledgedAt": a.acknowledged_ms,
            "closedAt": a.ended_ms,
            "policyName": ["front"],
            "conditionName": [a.name],
            "entityNames": [a.labels.get("service", "")],
        }


class FakeCloudWatch(FakeVendor):
    """CloudWatch in its JSON protocol: the history of states, signed requests, pages by a token."""

    region, key_id, key = "eu-central-1", "AKIDEXAMPLE", "cw_right"

    def content_type(self) -> str:
        return "application/x-amz-json-1.0"

    def admit(self, asked: Asked) -> None:
        """Check the signature as AWS does: from the request as it came."""
        said = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/(\w+)/aws4_request, ?"
            r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})",
            asked.headers.get("authorization", ""),
        )
        if said is None:
            raise self._no(400, "MissingAuthenticationToken", "Missing Authentication Token")
        key_id, day, region, service, names, signature = said.groups()
        if (key_id, region, service) != (self.key_id, self.region, "monitoring"):
            raise self._no(403, "UnrecognizedClientException", "The security token is invalid")
        lines = "".join(f"{n}:{asked.headers[n].strip()}\n" for n in names.split(";"))
        body = hashlib.sha256(asked.raw).hexdigest()
        canonical = f"{asked.method}\n{asked.path}\n\n{lines}\n{names}\n{body}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        scope = f"{day}/{region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{asked.headers['x-amz-date']}\n{scope}\n{digest}"
        key = f"AWS4{self.key}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if key.hex() != signature:
            raise self._no(403, "InvalidSignatureException", "The signature does not match")

    def _no(self, status: int, kind: str, message: str) -> RefusedError:
        return RefusedError(status, {"__type": f"com.amazon#{kind}", "message": message})

    def respond(self, asked: Asked) -> Any:
        if asked.headers.get("x-amz-target") != (
            "GraniteServiceVersion20100801.DescribeAlarmHistory"
        ):
            raise self._no(400, "UnknownOperationException", "unknown operation")
        body = asked.json
        items = [
            (at, a.name, old, new)
            for a in self.alerts
            for at, old, new in (
                (a.firing_ms, "OK", "ALARM"), (a.ended_ms, "ALARM", "OK"),
            )
            if at is not None and body["StartDate"] * 1000 <= at <= body["EndDate"] * 1000
        ]  # fmt: skip
        items.sort(reverse=body.get("ScanBy") != "TimestampAscending")
        at, size = int(body.get("NextToken") or 0), int(body.get("MaxRecords", 100))
        found: dict[str, Any] = {"AlarmHistoryItems": [_item(*i) for i in items[at : at + size]]}
        if at + size < len(items):
            found["NextToken"] = str(at + size)
        return found


def _item(at: int, name: str, old: str, new: str) -> dict[str, Any]:
    data = {"oldState": {"stateValue": old}, "newState": {"stateValue": new}}
    return {
        "AlarmName": name,
        "AlarmType": "MetricAlarm",
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {old} to {new}",
        "HistoryData": json.dumps(data),
        "Timestamp": at / 1000,
    }


class FakeElastic(FakeVendor):
    """Elasticsearch with the alerts of Kibana's rules: a search with `search_after`.

    A pattern that fits no index, or none that may be read, is answered as an empty one is.
    """

    shards = 1

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != "ApiKey es_right":
            kind = {"type": "security_exception", "reason": "unable to authenticate"}
            raise RefusedError(401, {"error": kind, "status": 401})

    def headers(self) -> dict[str, str]:
        return {"X-Elastic-Product": "Elasticsearch"}

    def content_type(self) -> str:
        return "application/json"

    def respond(self, asked: Asked) -> Any:
        if asked.path != "/.alerts-*/_search":
            kind = {"type": "index_not_found_exception", "reason": "no such index"}
            raise RefusedError(404, {"error": kind, "status": 404})
        body = asked.json
        within = body["query"]["range"]["kibana.alert.start"]
        begun = self.begun(ms_of(within["gte"]), ms_of(within["lte"]))
        found, shards = begun if self.shards else [], self.shards
        hits = sorted(([a.firing_ms, a.id], a) for a in found)  # type: ignore[type-var]
        after = body.get("search_after")
        left = [(key, a) for key, a in hits if after is None or key > after]
        page = left[: body.get("size", 10)]
        return {
            "took": 1,
            "timed_out": False,
            "_shards": {"total": shards, "successful": shards, "skipped": 0, "failed": 0},
            "hits": {
                "total": {"value": len(hits), "relation": "eq"},
                "hits": [
                    {"_index": ".alerts", "_id": a.id, "_source": _document(a), "sort": key}
                    for key, a in page
                ],
            },
        }


def _document(a: Alert) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kibana.alert.uuid": a.id,
        "kibana.alert.rule.name": a.name,
        "kibana.alert.status": "active" if a.ended_ms is None else "recovered",
        "kibana.alert.workflow_status": "open",
        "kibana.alert.start": iso(a.firing_ms, digits="milliseconds"),
        "kibana.alert.instance.id": "front",
        "kibana.alert.action_group": "threshold met",
        "kibana.alert.severity": a.labels.get("severity"),
        "kibana.alert.url": "/app/observability/alerts",
    }
    if a.ended_ms is not None:
        found["kibana.alert.end"] = iso(a.ended_ms, digits="milliseconds")
    return found


class FakeSplunk(FakeVendor):
    """Splunk's fired alerts: triggers without an end, by offset."""

    def admit(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != "Bearer sp_right":
            said = {"type": "WARN", "text": "call not properly authenticated"}
            raise RefusedError(401, {"messages": [said]})

    def respond(self, asked: Asked) -> Any:
        if asked.path != "/services/alerts/fired_alerts/-" or asked.one("output_mode") != "json":
            raise RefusedError(404, {"messages": [{"type": "FATAL", "text": "Not Found"}]})
        found = [a for a in self.alerts if a.firing_ms is not None]
        size, at = int(asked.one("count", "30")), int(asked.one("offset", "0"))
        return {
            "links": {},
            "entry": [self._entry(a) for a in found[at : at + size]],
            "paging": {"total": len(found), "perPage": size, "offset": at},
        }

    def _entry(self, a: Alert) -> dict[str, Any]:
        return {
            "name": f"rt_scheduler__{a.id}",
            "acl": {"app": "search", "owner": "nobody"},
            "content": {
                "savedsearch_name": a.name,
                "severity": 5,
                "sid": f"sid_{a.id}",
                "trigger_time": (a.firing_ms or 0) // 1000,
                "triggered_alerts": 1,
            },
        }
