"""What journeys say becomes what the load does."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.model.scenario import Capture, Expect, Journey
from gameday.model.template import filled, filled_text
from gameday.scenario.build import read_document
from gameday.scenario.load import load_text
from tests.unit.scenario.samples import SCENARIO, a_scenario, changed, text_of

LOAD = {"target": "shop", "arrivals": "100/s"}


def scenario(journey: Any, **load: Any) -> dict[str, Any]:
    return changed(SCENARIO, "load", {**LOAD, **load, "journeys": {"browse": journey}})


def journey_of(data: Any) -> Journey:
    (journey,) = a_scenario(scenario(data)).load.journeys
    return journey


def said(data: Any, **load: Any) -> list[tuple[str, str]]:
    """Codes and summaries of a journey that is wrong, each with the line it is on."""
    document = load_text(text_of(scenario(data, **load)), "s.yaml")
    return [(d.code, d.summary) for d in read_document(document).diagnostics]


def test_everything_that_an_answer_can_be_expected_to_be() -> None:
    wanted = {
        "status": 201,
        "under": "0.8s",
        "header": {"X-Kind": "list"},
        "json": {"items[0].sku": "A1", "length(items) > `0`": True, "error": None, "n": [1, {}]},
        "text": " ok",
    }
    (step,) = journey_of({"steps": [{"get": "/", "expect": wanted}]}).steps
    assert step.expect == Expect(
        status=201,
        under_ms=800,
        headers={"X-Kind": "list"},
        json={"items[0].sku": "A1", "length(items) > `0`": True, "error": None, "n": [1, {}]},
        text=" ok",
    )


@pytest.mark.parametrize(
    ("text", "think_ms"),
    [("1s", (1000, 1000)), ("0.5s..2s", (500, 2000)), (" 1s .. 1m ", (1000, 60_000)), (0, (0, 0))],
)
def test_a_pause_is_one_time_or_between_two(text: Any, think_ms: tuple[int, int]) -> None:
    assert journey_of({"think": text, "steps": [{"get": "/"}]}).think_ms == think_ms


@pytest.mark.parametrize(
    "text", ["2s..1s", "1..2s", 1, "1s...2s", "11m", "..2s", "x", None, "1s.."]
)
def test_what_is_no_pause_is_said(text: Any) -> None:
    assert [code for code, _ in said({"think": text, "steps": [{"get": "/"}]})] == [
        "value/duration"
    ]


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"json": {"a ==": 1}}, "value/match"),
        ({"json": {"no_such(a)": 1}}, "value/match"),
        ({"under": 0}, "value/duration"),
        ({"under": 800}, "value/duration"),
        ({"text": ""}, "value/empty"),
        ({"text": 5}, "document/wrong-type"),
        ({"header": {"X": 1}}, "document/wrong-type"),
        ({"headers": {}}, "document/unknown-key"),
    ],
)
def test_what_cannot_be_expected_is_said(expect: Any, code: str) -> None:
    assert [found for found, _ in said({"steps": [{"get": "/", "expect": expect}]})] == [code]


PASSED_ON = {
    "steps": [
        {"post": "/order", "capture": {"order": {"json": "id"}, "t": {"regex": "a(b)"}}},
        {
            "get": "/orders/{{ order }}?t={{t}}",
            "name": "GET /orders/[id]",
            "headers": {"X-T": "{{ t }}"},
            "json": {"a": ["{{ order }}", "{", "{{", "a }} b", {"{{ key }}": 1}]},
            "expect": {"json": {"id": "{{ order }}"}},
        },
    ]
}


def test_values_are_passed_on() -> None:
    first, second = journey_of(PASSED_ON).steps
    assert first.capture == {"order": Capture(json="id"), "t": Capture(regex="a(b)")}
    assert second.path == "/orders/{{ order }}?t={{t}}"
    assert second.name == "GET /orders/[id]"


@pytest.mark.parametrize(
    ("path", "value", "code", "summary"),
    [
        ("1.get", "/{{ a }}", "load/value", "there is no value `a` at this step"),
        ("1.get", "/{{ a b }}", "value/path", "is not the path of a request"),
        ("0.body", "{{ order }}", "load/value", "there is no value `order` at this step"),
        ("1.json", {"a": ["{{ x }}"]}, "load/value", "there is no value `x` at this step"),
        ("1.headers", {"X": "{{ order.id }}"}, "load/value", "is no place for a value"),
        ("1.expect", {"text": "{{ x }}"}, "load/value", "there is no value `x`"),
        ("1.expect", {"json": {"a": "{{ x }}"}}, "load/value", "there is no value `x`"),
        ("1.expect", {"header": {"a": "{{ x }}"}}, "load/value", "there is no value `x`"),
        ("1.name", ..., "load/unbounded-name", "a path with a value in it needs a `name`"),
        ("1.name", "GET {{ order }}", "load/unbounded-name", "a name with a value in it"),
        ("0.capture.t", {}, "load/capture", "has no place to take it from"),
        ("0.capture.t", {"json": "a", "regex": "b"}, "load/capture", "has `json` and `regex`"),
        ("0.capture", {"a-b": {"json": "id"}}, "value/name", "is not the name of a value"),
        ("0.capture.t", {"regex": "("}, "value/regex", "is not a regular expression"),
    ],
)
def test_what_is_wrong_with_a_value_is_said(path: str, value: Any, code: str, summary: str) -> None:
    found = said(changed(PASSED_ON, f"steps.{path}", value))
    assert any(one == code and summary in text for one, text in found), found


def test_a_value_becomes_itself_or_text() -> None:
    values = {"n": 17, "t": "a b", "l": [1, True]}
    assert filled({"{{ n }}": "{{ n }}", "b": ["{{n}} {{ t }}", "{{ l }}", 3]}, values) == {
        "{{ n }}": 17,
        "b": ["17 a b", [1, True], 3],
    }
    assert filled_text("{{ l }}{{ x", values) == "[1,true]{{ x"
    with pytest.raises(KeyError):
        filled("{{ none }}", values)
