"""Toxics of the embedded server as people write them, and their JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import ToxicSpec
from gameday.scenario.load import load_text
from gameday.scenario.toxic import read_toxic, toxic_schema

SCHEMA = jsonschema.Draft202012Validator(toxic_schema())


def data_of(text: str) -> Any:
    document = load_text(f"toxic: {text}", "x.yaml")
    assert document.root is not None
    assert document.diagnostics == ()
    return document.root.plain()["toxic"]


def read(text: str) -> tuple[ToxicSpec | None, list[Diagnostic]]:
    marks = load_text(f"toxic: {text}", "x.yaml").marks
    return read_toxic(data_of(text), ("toxic",), marks)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        (
            "{type: http_status, status: 503, method: POST, path: /pay*, share: 20%}",
            {"status": 503, "method": "POST", "path": "/pay*", "share": 0.2},
        ),
        (
            "{type: http_status, status: 429, body: 'slow down', method: 'POST, PUT', path: '*'}",
            {"status": 429, "body": "slow down", "method": "POST, PUT", "path": "*"},
        ),
        ("{type: http_delay, delay: 2s, jitter: 500ms}", {"delay": 2000, "jitter": 500}),
        ("{type: http_truncate, bytes: 1KB}", {"bytes": 1000}),
        ("{type: http_corrupt, count: 3}", {"count": 3}),
        ("{type: http_corrupt, portion: 0.1%}", {"portion": 0.001}),
        ("{type: http_header, remove: Cache-Control}", {"remove": "Cache-Control"}),
        (
            "{type: stall, loss: 5%, pause: 200ms, longest: 3s}",
            {"loss": 0.05, "pause": 200, "longest": 3000},
        ),
        ("{type: slow_connect, delay: 2s, toxicity: 50%}", {"delay": 2000}),
        ("{type: proxy_bandwidth, rate: 1MB/s, stream: upstream}", {"rate": 1000}),
    ],
)
def test_they_get_the_units_of_the_api(text: str, attributes: dict[str, Any]) -> None:
    toxic, found = read(text)
    assert found == []
    assert toxic is not None
    assert toxic.attributes == attributes
    assert [type(v) for v in toxic.attributes.values()] == [type(v) for v in attributes.values()]
    SCHEMA.validate(data_of(text))


@pytest.mark.parametrize(
    ("text", "code", "words", "in_schema"),
    [
        ("{type: http_status}", "document/missing-key", "`status` is missing", True),
        ("{type: http_status, status: 600}", "fault/attribute", "between 200 and 599", True),
        ("{type: http_status, status: '503'}", "value/number", "not a whole number", True),
        ("{type: http_status, status: 503.5}", "value/number", "not a whole number", True),
        ("{type: http_status, status: true}", "value/number", "`status: true`", True),
        ("{type: http_status, status: 503, share: 0.2}", "value/share", "no unit", True),
        ("{type: http_status, status: 503, share: 120%}", "value/share", "the whole", True),
        ("{type: http_status, status: 503, body: 5}", "document/wrong-type", "be text", True),
        ("{type: http_status, status: 503, path: ''}", "document/wrong-type", "be text", True),
        ("{type: http_status, status: 503, path: pay}", "fault/attribute", "cannot be", True),
        ("{type: http_status, status: 503, method: post}", "fault/attribute", "cannot be", True),
        ("{type: http_status, status: 204, body: x}", "fault/attribute", "with status 204", False),
        ("{type: http_corrupt}", "fault/attribute", "count", False),
        ("{type: http_corrupt, count: 1, portion: 1%}", "fault/attribute", "count", False),
        ("{type: http_header, remove: 'a b'}", "fault/attribute", "cannot be", True),
        ("{type: http_header, remove: Content-Length}", "fault/attribute", "answer ends", False),
        ("{type: http_delay, delay: 1s, toxicity: 50%}", "document/unknown-key", "toxicity", True),
        ("{type: http_delay, delay: 1s, stream: upstream}", "document/unknown-key", "stream", True),
        ("{type: slow_connect, delay: 1s, stream: upstream}", "document/unknown-key", "key", True),
        ("{type: stall, loss: 95%}", "fault/attribute", "share from 0 to 0.9 (90 %)", False),
        ("{type: http_stat, status: 503}", "fault/unknown-toxic", "not a type of toxic", True),
        ("{type: http_delay, delay: 0ms}", "fault/doubtful-toxic", "cannot bite", False),
        ("{type: http_status, status: 503, share: 0%}", "fault/doubtful-toxic", "bite", False),
    ],
)
def test_what_is_wrong_is_said(text: str, code: str, words: str, in_schema: bool) -> None:
    _, (problem,) = read(text)
    assert problem.code == code
    assert words in f"{problem.summary}; {problem.hint}"
    assert problem.hint
    assert SCHEMA.is_valid(data_of(text)) is not in_schema


def test_the_share_is_pointed_to_where_toxicity_is_meant() -> None:
    _, (problem,) = read("{type: http_status, status: 503, toxicity: 20%}")
    assert problem.hint == "write `share: 20%`, the share of the requests"
    assert problem.mark is not None
