"""A plan as a file: canonical JSON that gives back the same plan, and its hash."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from gameday.errors import UsageError
from gameday.model.plan import Plan
from gameday.scenario.validate import Codec


@cache
def _codec() -> Codec[Plan]:
    return Codec(Plan)


def dump_plan(plan: Plan) -> str:
    """Canonical JSON (sorted keys, one line): equal plans give equal text.

    `notices` stands in it only where there are some: a plan that tells nobody has the hash that it
    always had.
    """
    data = _codec().dump(plan)
    if not plan.notices:
        del data["notices"]
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def load_plan(text: str) -> Plan:
    """Read what `dump_plan` wrote. Raises UsageError if it is something else."""
    try:
        return _codec().load(text)
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"this is not a plan of gameday: {first}") from None


def plan_sha256(plan: Plan) -> str:
    """SHA-256 (hex) of the plan's canonical JSON: what a run's journal names."""
    return hashlib.sha256(dump_plan(plan).encode()).hexdigest()
