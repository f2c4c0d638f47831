"""The flake rate of a pack of scenarios, from the runs of the same plans that lie beside it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from gameday.app.run_json import read_json
from gameday.kpi.flakes import FlakeRate, flake_rate
from gameday.model.plan import Plan
from gameday.model.verdict import Outcome, RunStatus

RUNS_MAX = 100  # of one scenario, the newest
WITHIN_S = 5.0


def flakes_of(plans: Iterable[Plan], reports: Path) -> FlakeRate:
    """How often valid runs of these very plans (by hash) below *reports* flaked."""
    from gameday.app.stored import without_secrets
    from gameday.scenario.planfile import plan_sha256

    until = time.monotonic() + WITHIN_S
    found: dict[str, list[Outcome]] = {}
    for plan in plans:
        sha = plan_sha256(without_secrets(plan))
        found[sha] = _outcomes(reports, plan.scenario.id, sha, until)
    return flake_rate(found)


def _outcomes(reports: Path, scenario: str, sha: str, until: float) -> list[Outcome]:
    """Of the valid runs, oldest first: names begin with the time."""
    found: list[Outcome] = []
    names = (p for p in reports.glob(f"*-{scenario}-*") if (p / "result.json").is_file())
    for path in sorted(names, reverse=True)[:RUNS_MAX]:
        if time.monotonic() > until:
            break
        outcome = _outcome(path / "result.json", sha)
        if outcome is not None:
            found.append(outcome)
    return found[::-1]


def _outcome(path: Path, sha: str) -> Outcome | None:
    """Pass or fail of a valid run of that plan; None for any other."""
    raw = read_json(path) or {}
    verdict = raw.get("verdict")
    if raw.get("plan_sha256") != sha or not isinstance(verdict, dict):
        return None
    if verdict.get("status") != RunStatus.COMPLETED or verdict.get("clean") is not True:
        return None
    known = {one.value: one for one in (Outcome.PASS, Outcome.FAIL)}
    return known.get(str(verdict.get("outcome")))
