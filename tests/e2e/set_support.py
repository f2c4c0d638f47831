"""Scenarios of a few seconds, to be run as a set; and one that lasts until it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lab_support import Lab

#: As short as a run can be that still proves something.
QUICK: Mapping[str, Any] = {
    "phases": {"warmup": "0s", "baseline": "2s", "fault": "4s", "recovery": "1s"},
    "load": {"arrivals": "20/s"},
}


def quick_scenario(name: str, *, fails: bool = False, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    """One that passes, or fails: 200 ms late, and how late is allowed."""
    limit = "p50 < 100ms" if fails else "p50 < 1s"
    return {
        "gameday": 1,
        "id": name,
        "title": "The back service answers 200 ms late",
        "service": "front",
        "owner": "team-front",
        "tags": ["smoke", *tags],
        "hypothesis": "When back answers 200 ms late, front still answers.",
        "load": {
            "target": "front",
            "arrivals": "40/s",
            "timeout": "2s",
            "journeys": {"work": {"steps": [{"get": "/work", "expect": {"status": 200}}]}},
        },
        "phases": {"baseline": "30s", "fault": "30s", "recovery": "30s"},
        "faults": [
            {"id": "late", "target": "back", "toxic": {"type": "latency", "latency": "200ms"}}
        ],
        "expect": {
            "baseline": ["errors < 5%", "p50 < 500ms"],
            "fault": ["errors < 5%", limit],
        },
        "stop_when": ["errors > 80% for 2s"],
        "profiles": {"smoke": dict(QUICK)},
    }


#: Nothing of it ends before somebody ends it, however busy the machine is.
_LONG: Mapping[str, Any] = {
    "phases": {"warmup": "600s", "baseline": "20s", "fault": "10s", "recovery": "10s"},
    "stop_when": ["errors > 95% for 60s"],
    "expect": {"baseline": ["errors < 50%"], "fault": ["errors < 60%"]},
    "profiles": {},
}


def long_scenario(name: str) -> dict[str, Any]:
    """The same with a warm-up of 10 minutes and little load: to be stopped, or killed."""
    made = quick_scenario(name)
    return {**made, **_LONG, "load": {**made["load"], "arrivals": "2/s", "timeout": "10s"}}


def as_wanted(wanted: int, verdict: Mapping[str, Any]) -> bool:
    """Whether a run ended so; on a machine that was too busy for the load, that it says so."""
    busy = any(word in verdict["reason"] for word in ("saturated", "overloaded", "arrivals"))
    return verdict["exit_code"] == wanted or (verdict["exit_code"] == 3 and busy)


def write_set(lab: Lab, scenarios: Mapping[str, Mapping[str, Any]]) -> Path:
    """The project of *lab*, and a folder of scenarios in it: name -> arguments."""
    lab.write().unlink()
    folder = lab.directory / "scenarios"
    folder.mkdir()
    for name, how in scenarios.items():
        text = yaml.safe_dump(quick_scenario(name, **how), sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)
    return folder
