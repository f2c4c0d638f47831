"""What makes two runs comparable: the same was done to the same service in the same set-up.

Counted: service, environment (its name and kind), profile, the load, the phases, the faults with
their stages, and the parts (which Toxiproxy in which version, which load generator, which alert
sources). Not counted: the seed, addresses, ports and file places, texts for people, tags and owner,
expectations and stop conditions (they ask about a run and do not change it), the policy, and the
version of gameday. Fields that hold their default are left out, so that a new version of gameday
with one more field still finds the runs of the one before. A control run is compared with control
runs of the same faults only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from gameday.model.event import Timeline
from gameday.model.plan import Plan


def comparable_key(plan: Plan, timeline: Timeline) -> str:
    """SHA-256 (hex) of all that must be equal; empty while the parts are not in the journal."""
    event = timeline.last("run.parts")
    if event is None:
        return ""
    scenario = plan.scenario
    done = {
        "scenario": scenario.id,
        "service": plan.service.name,
        "environment": [plan.environment.name, plan.environment.kind],
        "profile": scenario.profile,
        "load": _plain(scenario.load),
        "phases": _plain(scenario.phases),
        "faults": _plain(scenario.faults),
        "parts": _parts(event.data),
    }
    if scenario.control is not None:
        done["control"] = _plain(scenario.control)
    text = json.dumps(done, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _parts(data: Mapping[str, Any]) -> dict[str, Any]:
    toxiproxy = data.get("toxiproxy")
    known = toxiproxy if isinstance(toxiproxy, Mapping) else {}
    return {
        "toxiproxy": [str(known.get("kind", "")), str(known.get("version", ""))],
        "load": str(data.get("load", "")),
        "alerts": [str(name) for name in data.get("alerts") or ()],
    }


def _plain(value: Any) -> Any:
    """JSON data without fields that hold their default."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _plain(getattr(value, f.name))
            for f in fields(value)
            if getattr(value, f.name) != _default(f)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def _default(one: Field[Any]) -> Any:
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING
