"""What journeys say becomes what the load does."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.model.scenario import Expect, Journey
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
