"""What an auditor asks first, drawn from the journal of a run: each answer with its events. Pure.

The same journal gives the same bytes, so that a bundle's `about.json` and `series.csv` are checked
by making them again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gameday.kpi.stats import ticks_of
from gameday.model.event import Event, Timeline
from gameday.model.histogram import add, count, measurable, quantile_ms
from gameday.model.plan import Plan
from gameday.plain import plain

_COLUMNS = ("second", "journey", "request", "outcome", "edge", "n", "p50_ms", "p95_ms")
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999
#: Of a part only what says which one it was; processes and addresses are of no use later.
_PART_FIELDS = ("kind", "version")


def about(plan: Plan, timeline: Timeline) -> dict[str, Any]:
    """What was run, under which change, approved by which roles, with which versions, and how."""
    opened = timeline.first("run.opened")
    closed = timeline.last("run.closed")
    data = opened.data if opened else {}
    return {
        "run_id": opened.subject if opened else "",
        "scenario": plan.scenario.id,
        "environment": plan.environment.name,
        "control": plan.scenario.control is not None,
        "started": _wall(data.get("origin_wall_ms")),
        "duration_ms": timeline.end_ms,
        "change_id": data.get("change_id"),
        "plan_sha256": data.get("plan_sha256"),
        "seed": plan.seed,
        "approvals": [_approval(row) for row in approval_rows(timeline)],
        "versions": _versions(timeline),
        "preflight": _preflight(timeline),
        "roles": _roles(timeline),
        "status": plain(closed.data.get("status")) if closed else None,
        "dirty": plain(closed.data.get("dirty", [])) if closed else None,
        "events": len(timeline),
    }


def approval_rows(timeline: Timeline) -> list[Mapping[str, Any]]:
    """What the journal says of each approval that counted."""
    opened = timeline.first("run.opened")
    rows = opened.data.get("approvals") if opened else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def series(timeline: Timeline) -> str:
    """The load second by second as CSV: requests by journey, name and how they ended.

    Times are milliseconds from the intended start; a percentile that its `n` cannot carry is empty.
    """
    cells: dict[tuple[int, str, str, str, bool], dict[int, int]] = {}
    for tick in ticks_of(timeline):
        for cell in tick.cells:
            key = (cell.second, cell.journey, cell.name, cell.outcome, cell.edge)
            add(cells.setdefault(key, {}), cell.response)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for key, histogram in sorted(cells.items()):
        second, journey, name, outcome, edge = key
        n = count(histogram)
        row = [second, journey, name, outcome, int(edge), n]
        writer.writerow([*row, *(_quantile(histogram, n, q) for q in (0.5, 0.95))])
    return out.getvalue()


def _quantile(histogram: Mapping[int, int], n: int, q: float) -> str:
    value = quantile_ms(histogram, q) if measurable(n, q) else None
    return "" if value is None else f"{value:g}"


def _wall(value: object) -> str | None:
    if type(value) is not int or not 0 <= value <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _approval(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": plain(row.get("role")),
        "at": _wall(row.get("at_wall_ms")),
        "expires": _wall(row.get("expires_wall_ms")),
        "sha256": plain(row.get("sha256")),
        "plan_sha256": plain(row.get("plan_sha256")),
    }


def _versions(timeline: Timeline) -> dict[str, Any]:
    """Name of a part -> its version, as the journal has it. What it does not tell is left out."""
    found: dict[str, Any] = {}
    opened = timeline.first("run.opened")
    parts = timeline.last("run.parts")
    load = timeline.last("load.start")
    if opened:
        found |= {name: opened.data.get(name) for name in ("gameday", "python")}
        found["service"] = opened.data.get("service_version")
    if parts and isinstance(parts.data.get("toxiproxy"), Mapping):
        proxy = parts.data["toxiproxy"]
        found["toxiproxy"] = " ".join(str(proxy[k]) for k in _PART_FIELDS if proxy.get(k))
    if load:
        found["load"] = load.data.get("version")
    for read in timeline.of("alert.read"):
        if read.data.get("version"):
            found[f"alerts {read.subject}"] = read.data["version"]
    images = {
        image
        for event in (*timeline.of("fault.inject"), *timeline.of("target.open"))
        for image in _texts(event.data.get("images"))
    }
    found |= {"images": sorted(images)} if images else {}
    return {name: plain(value) for name, value in found.items() if value}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _preflight(timeline: Timeline) -> dict[str, Any] | None:
    event = timeline.last("preflight.passed")
    if event is None:
        return None
    fields = {name: plain(event.data.get(name, [])) for name in ("looked_at", "warnings")}
    return {"event": event.seq, **fields}


def _roles(timeline: Timeline) -> dict[str, list[int]]:
    """Role -> the events in which somebody spoke in it. There are no names in a journal."""
    found: dict[str, list[int]] = {}
    for event in timeline:
        role = _role(event)
        if role:
            found.setdefault(role, []).append(event.seq)
    return dict(sorted(found.items()))


def _role(event: Event) -> str | None:
    if event.kind in ("human.step", "runbook.opened"):
        role = event.data.get("role")
    elif event.kind.startswith("human."):
        return event.subject
    elif event.kind == "gate.opened":
        role = event.data.get("by")
    else:
        return None
    return role if isinstance(role, str) and role != "condition" else None
