"""Sending a trace to a collector that takes it, takes a part of it, or does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from collector_fake import Collector, collector

from gameday.adapters.otlp import checked_endpoint, send_trace
from gameday.errors import CannotSeeError, UsageError
from gameday.secrets import masked

BODY = '{"resourceSpans":[]}\n'


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_HEADERS", raising=False)
    with collector() as found:
        yield found


@pytest.mark.parametrize("end", ["", "/", "/v1/traces", "/v1/traces/"])
def test_it_goes_where_traces_go(fake: Collector, end: str) -> None:
    send_trace(fake.url + end, BODY)

    ((path, headers, body),) = fake.posts
    assert path == "/v1/traces"
    assert headers["content-type"] == "application/json"
    assert body.decode() == BODY


def test_a_path_before_it_is_kept() -> None:
    assert checked_endpoint("https://otlp.test/tenant") == "https://otlp.test/tenant/v1/traces"


def test_headers_are_those_of_every_exporter_and_are_secrets(
    fake: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Authorization=Basic%20c2VjcmV0, X-Scope-OrgID=shop,broken"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", text)
    send_trace(fake.url, BODY)

    ((_, headers, _),) = fake.posts
    assert headers["authorization"] == "Basic c2VjcmV0"
    assert headers["x-scope-orgid"] == "shop"
    assert masked("it said Basic c2VjcmV0") == "it said ***"


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"partialSuccess":{}}', b"thanks", b"[]"])
def test_any_answer_that_takes_it_is_right(fake: Collector, answer: bytes) -> None:
    fake.answer = answer
    send_trace(fake.url, BODY)

    assert len(fake.posts) == 1


def test_what_was_not_taken_is_said(fake: Collector) -> None:
    fake.answer = b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}'
    with pytest.raises(CannotSeeError, match="did not take all: 3 spans rejected: too old"):
        send_trace(fake.url, BODY)
    fake.status = 429
    with pytest.raises(CannotSeeError, match=r"the collector at http://.*/v1/traces answered 429"):
        send_trace(fake.url, BODY)
    with pytest.raises(CannotSeeError):
        send_trace("http://127.0.0.1:9", BODY)


@pytest.mark.parametrize("url", ["collector:4318", "grpc://x:4317", "http://me:pass@x:4318", ""])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(UsageError, match="is the address of a collector"):
        checked_endpoint(url)
