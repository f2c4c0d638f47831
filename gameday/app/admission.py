"""Whether a run may begin: policy, earlier runs, and a look around; every refusal at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.app.planview import show_plan
from gameday.app.policy_gate import Gate, PolicyRequest, check_policy
from gameday.app.preflight import Preflight, look_around
from gameday.errors import AdapterError, RefusedError, UsageError
from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.policy.people import breaks_nothing
from gameday.recovery import find_dirty_runs

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A run may begin. `opened` is data for `run.opened`, `notes` are events to begin with."""

    opened: Mapping[str, Any]
    notes: tuple[Event, ...]


def admit(
    plan: Plan, policy: PolicyRequest, *, toxiproxy: str | None = None, reports: Path
) -> Admission:
    """Ask everything. Raises `RefusedError` with all that speaks against the run.

    Where that is only that servers do not answer, it is an `AdapterError`.
    """
    version = _version(policy)
    gate = check_policy(plan, policy)
    looked = look_around(plan, toxiproxy=toxiproxy, reports=reports)
    dirty = _dirty_words(reports)
    problems = [*dirty, *gate.lines, *looked.problems]
    if problems:
        shown = f"{show_plan(plan)}\n" if _is_dry_run(gate) else ""
        text = f"{shown}this run is refused:\n" + "\n".join(f"  {p}" for p in problems)
        refused = looked.refused or dirty or gate.refusals
        raise RefusedError(text) if refused else AdapterError(text)
    return Admission(
        opened={
            "environment": plan.environment.name,
            "change_id": policy.change_id,
            **gate.opened,
            **version,
        },
        notes=tuple(_notes(plan, gate, looked)),
    )


def _version(asked: PolicyRequest) -> dict[str, str]:
    """Which version of the service is tested, if that was told. Raises `UsageError`."""
    if not asked.service_version:
        return {}
    if VERSION.fullmatch(asked.service_version) is None:
        raise UsageError(
            f"`--service-version {asked.service_version}` is no version: "
            "write letters, digits and `. _ + - /`, such as `2.4.1` or a commit"
        )
    return {"service_version": asked.service_version}


def _dirty_words(reports: Path) -> list[str]:
    """What earlier runs left in place, and how to take it out."""
    return [
        f"an earlier run left something in place: run `{run.path.name}`, {', '.join(run.dirty)}; "
        f"take it out first with `{run.how} --reports {reports}`"
        for run in find_dirty_runs(reports)
    ]


def _is_dry_run(gate: Gate) -> bool:
    return any(refusal.rule == "policy.go" for refusal in gate.refusals)


def _notes(plan: Plan, gate: Gate, looked: Preflight) -> list[Event]:
    if breaks_nothing(plan):
        looked.looked_at.append("control run: nothing is broken, so no approval was asked for")
    data = {"looked_at": list(looked.looked_at), "warnings": list(looked.warnings)}
    notes = [Event(kind="preflight.passed", subject="preflight", data=data)]
    if gate.budget is not None:
        budget = {**gate.budget, "when": "start"}
        notes.append(Event(kind="budget.read", subject=plan.service.name, data=budget))
    return notes
