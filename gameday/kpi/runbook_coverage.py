"""How far runbooks cover the alerts, in four numbers: linked, fired and linked, valid, proven.

A link alone is easily had; only the last number says that somebody was helped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gameday.kpi.proof import proof_of
from gameday.kpi.seen import deliveries_of, rule_source, rules_of, sightings_of
from gameday.model.event import Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.proof import ProofWord
from gameday.model.report import Coverage

LINK = "runbook_url"


def coverage_of(plan: Plan, timeline: Timeline) -> tuple[Coverage, ...]:
    """The four numbers; none where the source did not tell its alerting rules."""
    rules = [rule for rule in rules_of(timeline, rule_source(plan)) if rule.get("name")]
    if not rules:
        return ()
    linked = {str(rule["name"]) for rule in rules if _has_link(rule)}
    linked |= {d.alert for d in deliveries_of(timeline) if d.annotations.get(LINK)}
    names = {str(rule["name"]) for rule in rules}
    fired = {s.alert for s in sightings_of(timeline)} & names
    valid, proven = set(_valid(plan, timeline)) & names, set(_proven(plan, timeline)) & names
    n = len(names)
    return (
        Coverage(name="linked", count=len(linked & names), n=n, text="rules link to a runbook"),
        Coverage(
            name="fired_linked",
            count=len(linked & fired),
            n=len(fired),
            text="rules that fired link to one",
        ),
        Coverage(
            name="valid", count=len(valid), n=n, text="lead to one that was read and is valid"
        ),
        Coverage(name="proven", count=len(proven), n=n, text="lead to one that this run proved"),
    )


def _has_link(rule: Mapping[str, Any]) -> bool:
    annotations = rule.get("annotations")
    link = annotations.get(LINK) if isinstance(annotations, Mapping) else None
    return bool(link or rule.get("runbook"))


def _valid(plan: Plan, timeline: Timeline) -> Iterator[str]:
    """Expected alerts whose runbook was read and has what it needs."""
    expected = {alert.alert for alert in plan.scenario.expect.alerts}
    for event in timeline.of("runbook.read"):
        if event.phase is Phase.OK and event.subject in expected and event.data.get("valid"):
            yield event.subject


def _proven(plan: Plan, timeline: Timeline) -> Iterator[str]:
    for runbook in plan.runbooks:
        if proof_of(plan, runbook, timeline).word is ProofWord.PROVEN:
            yield from runbook.alerts
