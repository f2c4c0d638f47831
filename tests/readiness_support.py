"""A service of tier 1 that has shown everything, from which tests take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gameday.model.alerting import AlertWord
from gameday.model.project import Slo
from gameday.model.proof import ProofWord
from gameday.model.readiness import Readiness, ReadyPart
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness_evidence import (
    AlertSeen,
    BaselineSeen,
    BudgetNow,
    CapacitySeen,
    FailureMode,
    FindingNow,
    ProofSeen,
    ReadyEvidence,
    ReadyService,
    Record,
    RunbookNow,
    RunSeen,
    Waiver,
)
from gameday.model.readiness_policy import MODES_1, ReadyPolicy
from gameday.model.verdict import Outcome, RunStatus
from gameday.programme.readiness import assess

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
VERSION = "2.4.1"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def run(scenario: str, days: float = 1, **more: Any) -> RunSeen:
    """A run in which everything held."""
    values: dict[str, Any] = {
        "id": f"{scenario}-{days:g}",
        "where": f"reports/{scenario}-{days:g}",
        "scenario": scenario,
        "environment": "staging",
        "kind": "staging",
        "profile": "",
        "version": VERSION,
        "ended": days_ago(days),
        "outcome": Outcome.PASS,
        "status": RunStatus.COMPLETED,
        "clean": True,
        "control": False,
        "sound": True,
        "reason": "everything held",
        "baseline": BaselineSeen(
            n=2000, good=2000, complete=True, p50_ms=20.0, p95_ms=80.0, p99_ms=120.0
        ),
        "alerts": (alert(f"{scenario}-alert"),),
        "targets": ("payments",),
        "undone_ms": 4_000,
    }
    return RunSeen(**{**values, **more})


def alert(name: str, word: AlertWord = AlertWord.CAUGHT, after_ms: int | None = 8_000) -> AlertSeen:
    return AlertSeen(alert=name, word=word, after_ms=after_ms, reason="as it was seen")


def proof(path: str, word: ProofWord = ProofWord.PROVEN, sha256: str = "now") -> ProofSeen:
    return ProofSeen(path=path, word=word, content_sha256=sha256)


def record(item: Item, days: int = 10, **more: Any) -> Record:
    values: dict[str, Any] = {
        "item": item,
        "on": days_ago(days).date(),
        "passed": True,
        "role": "sre",
        "evidence": "OPS-1",
        "where": "readiness/services/shop.yaml:40",
    }
    return Record(**{**values, **more})


def waiver(item: Item, **more: Any) -> Waiver:
    values: dict[str, Any] = {
        "item": item,
        "reason": "it is planned",
        "owner": "team-checkout",
        "approver": "business-owner",
        "expires": date(2026, 12, 1),
        "where": "readiness/waivers.yaml:3",
    }
    return Waiver(**{**values, **more})


def finding(severity: str = "critical", state: str = "open", **more: Any) -> FindingNow:
    values: dict[str, Any] = {"id": "F-1", "title": "an order was lost"}
    return FindingNow(severity=severity, state=state, **{**values, **more})


def service(**more: Any) -> ReadyService:
    values: dict[str, Any] = {
        "name": "shop",
        "owner": "team-checkout",
        "tier": 1,
        "slos": (
            Slo(name="availability", share=0.999),
            Slo(name="latency", share=0.99, latency_ms=500),
        ),
        "dependencies": ("payments",),
        "modes": {
            name: FailureMode(name=name, scenario=name, alert=f"{name}-alert", within_ms=60_000)
            for name in MODES_1
        },
        "alerts": {f"{name}-alert": f"runbooks/{name}.md" for name in MODES_1},
        "peak_per_s": 100.0,
        "capacity": "breakpoint",
        "rollback": "bad-deploy",
        "records": (record(Item.RESTORE), record(Item.ESCALATION)),
        "file": "readiness/services/shop.yaml",
    }
    return ReadyService(**{**values, **more})


def runs() -> list[RunSeen]:
    """Each required scenario, the breakpoint, and a rollback, of yesterday."""
    found = [run(name, proofs=(proof(f"runbooks/{name}.md"),)) for name in MODES_1]
    capacity = CapacitySeen(highest_per_s=200.0, broke_per_s=220.0)
    return [*found, run("breakpoint", capacity=capacity, alerts=()), run("bad-deploy", alerts=())]


def evidence(**more: Any) -> ReadyEvidence:
    values: dict[str, Any] = {
        "version": VERSION,
        "now": NOW,
        "runs": tuple(runs()),
        "runbooks": {
            f"runbooks/{name}.md": RunbookNow(path=f"runbooks/{name}.md", content_sha256="now")
            for name in MODES_1
        },
        "findings": (),
        "budget": BudgetNow(left=0.6, where="file budget", at=NOW),
        "scenario_files": {name: f"scenarios/{name}.yaml" for name in MODES_1},
    }
    return ReadyEvidence(**{**values, **more})


def answer(
    of: ReadyService | None = None,
    on: ReadyEvidence | None = None,
    policy: ReadyPolicy | None = None,
) -> Readiness:
    return assess(of or service(), policy or ReadyPolicy(), on or evidence(), gameday="1")


def part(found: Readiness, item: Item) -> ReadyPart:
    return next(one for one in found.items if one.item is item)


def with_run(scenario: str, *instead: RunSeen, **more: Any) -> ReadyEvidence:
    """The evidence with other runs of one scenario; or with the usual one changed."""
    kept = [one for one in runs() if one.scenario != scenario]
    usual = next(one for one in runs() if one.scenario == scenario)
    return evidence(runs=(*kept, *(instead or (replace(usual, **more),))))


def changed(of: Mapping[str, FailureMode], name: str, **more: Any) -> dict[str, FailureMode]:
    return {**of, name: replace(of[name], **more)}
