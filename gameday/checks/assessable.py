"""Whether a question about an alert could be answered by the source that was asked.

A finding that needs what its source cannot say is inconclusive, whatever the check concluded from
what it saw: neither silence nor an absent label is an answer there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gameday.checks.case import Case
from gameday.kpi.assess import not_assessable
from gameday.kpi.seen import Delivery, rule_source, sight_of
from gameday.model.scenario import AlertExpectation
from gameday.model.verdict import Finding, Outcome


def assessed(case: Case, finding: Finding, expected: AlertExpectation | None = None) -> Finding:
    """*finding* as it is, or inconclusive with the reason that it cannot be answered.

    *expected* is the alert that it is about, if it is about one: names alone may be the same.
    """
    if finding.outcome not in (Outcome.PASS, Outcome.FAIL):
        return finding
    why = next(_why_not(case, finding, expected), "")
    if not why:
        return finding
    return replace(finding, outcome=Outcome.INCONCLUSIVE, summary=f"{finding.subject}: {why}")


def _why_not(case: Case, finding: Finding, expected: AlertExpectation | None) -> Iterator[str]:
    rules = rule_source(case.plan)
    match finding.check:
        case "alert/fired" | "alert/resolved":
            needs = ["labels"] if expected is not None and expected.labels else []
            needs += ["ended"] if finding.check == "alert/resolved" else []
            yield not_assessable(case.timeline, rules, needs)
        case "alert/delivered" if expected is not None:
            yield from _delivered(case, finding, expected)
        case "alert/quiet":
            names = {part.partition("=")[0] for part in finding.subject.split(", ")}
            if names - {"alertname"}:
                yield not_assessable(case.timeline, rules, ["labels"])


def _delivered(case: Case, finding: Finding, expected: AlertExpectation) -> Iterator[str]:
    """A receiver that is a source of alerts has to have been readable, and to know of people."""
    receiver = expected.receiver or ""
    if receiver not in {s.name for s in case.plan.environment.alerting.http_json}:
        return
    if why := not_assessable(case.timeline, receiver, ["delivered"]):
        yield why
    elif finding.outcome is Outcome.FAIL:
        sight, fault = sight_of(case.timeline, receiver), case.fault_for(expected)
        due_ms = (fault.on_ms or 0) + expected.fires_within_ms
        if blind := sight.blind_in(fault.asked_ms or 0, due_ms):
            yield f"it cannot be said whether it reached `{receiver}`: {blind}"
        elif sight.until_ms < due_ms:
            yield f"`{receiver}` was not watched until the delivery was due"
        elif any(_by_name(case, d, expected, receiver) for d in case.deliveries):
            yield f"not assessable: `{receiver}` lists it without the labels that tell which it is"


def _by_name(case: Case, one: Delivery, expected: AlertExpectation, receiver: str) -> bool:
    """Whether *one* may be the expected alert, as far as its labels are listed."""
    since_ms = case.fault_for(expected).asked_ms or 0
    unknown = set(expected.labels) - set(one.labels)
    return (
        (one.alert, one.receiver, one.status) == (expected.alert, receiver, "firing")
        and one.at_ms >= since_ms
        and bool(unknown)
    )
