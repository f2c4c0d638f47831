"""Vendors' official clients read our fakes, so that the fakes speak as their vendors do.

The clients are in the extra `test`.
PagerDuty's client is asked in test_source_pagerduty.py.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import warnings
from typing import Any

import pytest
from source_fakes import now_ms
from source_fakes_more import FakeCloudWatch, FakeDatadog, FakeElastic, FakeOpsgenie

from gameday.adapters.sources.sigv4 import Keys, signed


def test_botocore_reads_the_fake_of_cloudwatch() -> None:
    session = importlib.import_module("botocore.session").get_session()
    with FakeCloudWatch() as fake:
        for n in range(120):
            fake.fire(name=f"A{n:03}")
        client = session.create_client(
            "cloudwatch",
            region_name=fake.region,
            endpoint_url=fake.url,
            aws_access_key_id=fake.key_id,
            aws_secret_access_key=fake.key,
        )
        pages = client.get_paginator("describe_alarm_history").paginate(
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            HistoryItemType="StateUpdate",
            StartDate=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1),
            EndDate=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1),
            ScanBy="TimestampAscending",
            PaginationConfig={"PageSize": 100},
        )
        items = [item for page in pages for item in page["AlarmHistoryItems"]]
        client.close()
    assert sorted(item["AlarmName"] for item in items) == [f"A{n:03}" for n in range(120)]
    assert {item["HistoryItemType"] for item in items} == {"StateUpdate"}
    assert json.loads(items[0]["HistoryData"])["newState"]["stateValue"] == "ALARM"
    age = dt.datetime.now(dt.UTC) - items[0]["Timestamp"]
    assert abs(age) < dt.timedelta(minutes=2)


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize("body", [b"{}", '{"AlarmName":"ü"}'.encode()])
def test_botocore_signs_as_we_do(token: str | None, body: bytes) -> None:
    """The same request, the same moment: the same signature."""
    auth = importlib.import_module("botocore.auth")
    awsrequest = importlib.import_module("botocore.awsrequest")
    credentials = importlib.import_module("botocore.credentials").Credentials("AK", "SK", token)
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "T.Do"}
    request = awsrequest.AWSRequest(
        "POST", "https://monitoring.eu-central-1.amazonaws.com/", headers=headers, data=body
    )
    auth.SigV4Auth(credentials, "monitoring", "eu-central-1").add_auth(request)
    at = dt.datetime.strptime(request.headers["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    ours = signed(
        Keys(access_key="AK", secret_key="SK", session_token=token),
        host="monitoring.eu-central-1.amazonaws.com",
        path="/",
        headers=headers,
        body=body,
        region="eu-central-1",
        service="monitoring",
        now_wall_ms=round(at.timestamp() * 1000),
    )
    assert ours["Authorization"] == request.headers["Authorization"]


def test_datadogs_client_reads_the_fake() -> None:
    datadog = importlib.import_module("datadog_api_client")
    from datadog_api_client.v1.api.monitors_api import MonitorsApi

    with FakeDatadog() as fake:
        for n in range(3):
            fake.fire(name=f"A{n}")
        configuration = datadog.Configuration(host=fake.url)
        configuration.api_key = {"apiKeyAuth": "dd_right", "appKeyAuth": "dd_app"}
        with datadog.ApiClient(configuration) as client:
            found = MonitorsApi(client).search_monitor_groups(
                query="status:alert", page=0, per_page=2
            )
    assert not found._unparsed
    assert [(g.monitor_name, str(g.status)) for g in found.groups] == [
        ("A0", "Alert"), ("A1", "Alert"),
    ]  # fmt: skip
    assert not any(group._unparsed for group in found.groups)
    assert (found.metadata.page_count, found.metadata.total_count) == (2, 3)


def test_elasticsearchs_client_reads_the_fake() -> None:
    elasticsearch = importlib.import_module("elasticsearch")
    with FakeElastic() as fake:
        fake.fire(id="u1")
        client = elasticsearch.Elasticsearch(fake.url, api_key="es_right")
        now = dt.datetime.now(dt.UTC)
        within = {
            "gte": (now - dt.timedelta(hours=1)).isoformat(),
            "lte": (now + dt.timedelta(minutes=1)).isoformat(),
        }
        found = client.search(
            index=".alerts-*", size=10, query={"range": {"kibana.alert.start": within}}
        )
        client.close()
    [hit] = found["hits"]["hits"]
    assert hit["_source"]["kibana.alert.status"] == "active"


def test_opsgenies_client_reads_the_fake() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is of 2021
        sdk: Any = importlib.import_module("opsgenie_sdk")
    with FakeOpsgenie() as fake:
        alert = fake.fire(at_ms=now_ms() - 60_000)
        alert.acknowledged_ms = (alert.firing_ms or 0) + 30_000
        configuration = sdk.configuration.Configuration()
        configuration.host = fake.url
        configuration.api_key["Authorization"] = "og_right"
        configuration.api_key_prefix["Authorization"] = "GenieKey"
        client = sdk.AlertApi(api_client=sdk.ApiClient(configuration=configuration))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = client.list_alerts(limit=10, query=f"createdAt >= {now_ms() - 3_600_000}")
    [one] = found.data
    assert (one.message, one.status, one.acknowledged) == ("BackSlow", "open", True)
    assert one.report.ack_time == 30_000
