"""What two plans do differently: the first thing to know before their runs are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gameday.model.plan import Plan
from gameday.model.report import Report
from gameday.report.describe import describe
from gameday.report.json_ import plain

_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+|\[[0-9a-f:]+\]:\d+")
#: What no plan says.
ABSENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same; `-` where one of them has none."""

    what: str
    before: str
    now: str


def differences(before: tuple[Plan, Report], now: tuple[Plan, Report]) -> tuple[Difference, ...]:
    """Everything that was done, asked or used differently; the seed and texts are none of it."""
    was, new = dict(_told(*before)), dict(_told(*now))
    return tuple(
        Difference(what=what, before=was.get(what, ABSENT), now=new.get(what, ABSENT))
        for what in dict.fromkeys([*was, *new])
        if was.get(what, ABSENT) != new.get(what, ABSENT)
    )


def _told(plan: Plan, report: Report) -> Iterator[tuple[str, str]]:
    scenario = plan.scenario
    yield "profile", scenario.profile or ABSENT
    yield "control run", "yes" if report.control else "no"
    yield "environment", f"{plan.environment.name} ({plan.environment.kind})"
    yield from _leaves("load", plain(scenario.load))
    yield from _leaves("phases", plain(scenario.phases))
    for fault in scenario.faults:
        yield f"fault {fault.id}", f"{describe(fault)}, on {fault.target}"
        yield from _leaves(f"fault {fault.id}", plain(fault))
    yield from _leaves("expect", plain(scenario.expect))
    yield from _leaves("stop when", [c.text for c in scenario.stop_when])
    yield from _leaves("objectives", plain(plan.service.slos))
    for part in report.parts:
        yield f"part {part.name}", _without_address(part.text)
    yield "gameday", report.gameday or ABSENT


def _without_address(text: str) -> str:
    """Where a part listens is another port each time; what it adds was measured."""
    return _ADDRESS.sub("an address", text.partition(", at ")[0].partition("; adds ")[0])


def _leaves(path: str, value: Any) -> Iterable[tuple[str, str]]:
    """Path -> text of each plain value in *value*; what has a name is called by it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            name = inner.get("name") or inner.get("alert") if isinstance(inner, Mapping) else None
            if isinstance(inner, Mapping) and "text" in inner:
                yield f"{path} `{inner['text']}`", "asked"
            elif name:
                yield from _leaves(f"{path}.{name}", inner)
            else:
                yield from _leaves(f"{path}[{place}]", inner)
    elif value not in (None, "", {}, []):
        yield path, str(value)
