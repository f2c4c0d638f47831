"""How journeys, and the data for them, travel to the load process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gameday.model.scenario import Capture, Expect, Feeder, Journey, RequestStep, Upload


def journey_to_json(journey: Journey) -> dict[str, Any]:
    """Plain JSON of a journey."""
    return {
        "name": journey.name,
        "weight": journey.weight,
        "think_ms": list(journey.think_ms),
        "steps": [step_to_json(step) for step in journey.steps],
    }


def journey_from_json(raw: Mapping[str, Any]) -> Journey:
    """Read it. What is not there has its default; raises KeyError, TypeError or ValueError."""
    low, high = raw.get("think_ms", (0, 0))
    return Journey(
        name=raw["name"],
        weight=raw["weight"],
        think_ms=(low, high),
        steps=tuple(step_from_json(step) for step in raw["steps"]),
    )


def data_to_json(data: Mapping[str, Feeder]) -> dict[str, Any]:
    """Plain JSON of the columns of `data`, with their values."""
    return {name: {**asdict(one), "values": list(one.values)} for name, one in data.items()}


def data_from_json(raw: Mapping[str, Any]) -> dict[str, Feeder]:
    """Read it. Raises KeyError, TypeError or ValueError."""
    return {name: Feeder(**{**one, "values": tuple(one["values"])}) for name, one in raw.items()}


def step_to_json(step: RequestStep) -> dict[str, Any]:
    """Plain JSON of a step."""
    expect = asdict(step.expect)
    return {
        "method": step.method,
        "path": step.path,
        "name": step.name,
        "json": step.json,
        "body": step.body,
        "form": dict(step.form),
        "files": {name: asdict(one) for name, one in step.files.items()},
        "headers": dict(step.headers),
        "status": expect.pop("status"),
        "expect": expect,
        "capture": {name: asdict(one) for name, one in step.capture.items()},
    }


def step_from_json(raw: Mapping[str, Any]) -> RequestStep:
    """Read it. Raises KeyError, TypeError or ValueError."""
    return RequestStep(
        method=raw["method"],
        path=raw["path"],
        name=raw["name"],
        json=raw["json"],
        body=raw["body"],
        form=raw.get("form", {}),
        files={name: Upload(**one) for name, one in raw.get("files", {}).items()},
        headers=raw["headers"],
        expect=Expect(status=raw["status"], **raw.get("expect", {})),
        capture={name: Capture(**one) for name, one in raw.get("capture", {}).items()},
    )
