"""Which class a failed expectation belongs to, and how severe it is unless people say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gameday.model.alerting import AlertWord
from gameday.model.finding_record import FindingClass as Kind
from gameday.model.finding_record import FindingSeverity as Severity
from gameday.model.proof import ProofWord
from gameday.model.report import Report
from gameday.model.verdict import Finding

#: Tiers of the most important services.
TOP_TIER = 1
#: Check -> class. `alert/fired`, `slo/criterion` and `runbook/proven` depend on what was found.
CLASSES: Mapping[str, Kind] = MappingProxyType(
    {
        "alert/fired": Kind.DETECTION_GAP,
        "alert/delivered": Kind.ALERT_ROUTING,
        "alert/resolved": Kind.ALERT_NOISE,
        "alert/quiet": Kind.ALERT_NOISE,
        "control/quiet": Kind.ALERT_NOISE,
        "slo/criterion": Kind.RESILIENCE_DEFECT,
        "slo/steady": Kind.RECOVERY_DEFECT,
        "answer/right": Kind.RESILIENCE_DEFECT,
        "load/breakpoint": Kind.CAPACITY,
        "runbook/linked": Kind.RUNBOOK_MISSING,
        "runbook/proven": Kind.RUNBOOK_WRONG,
    }
)
#: Class -> severity for services of the top tiers, and for others.
SEVERITIES: Mapping[Kind, tuple[Severity, Severity]] = MappingProxyType(
    {
        Kind.DETECTION_GAP: (Severity.CRITICAL, Severity.HIGH),
        Kind.DETECTION_LATE: (Severity.HIGH, Severity.MEDIUM),
        Kind.ALERT_NOISE: (Severity.MEDIUM, Severity.LOW),
        Kind.ALERT_ROUTING: (Severity.HIGH, Severity.MEDIUM),
        Kind.RUNBOOK_MISSING: (Severity.HIGH, Severity.MEDIUM),
        Kind.RUNBOOK_WRONG: (Severity.HIGH, Severity.MEDIUM),
        Kind.RUNBOOK_SLOW: (Severity.MEDIUM, Severity.LOW),
        Kind.RESILIENCE_DEFECT: (Severity.HIGH, Severity.MEDIUM),
        Kind.RECOVERY_DEFECT: (Severity.HIGH, Severity.MEDIUM),
        Kind.CAPACITY: (Severity.HIGH, Severity.MEDIUM),
        Kind.SAFETY: (Severity.CRITICAL, Severity.HIGH),
        Kind.PROCESS_COMMS: (Severity.MEDIUM, Severity.LOW),
        Kind.KNOWLEDGE: (Severity.MEDIUM, Severity.LOW),
        Kind.TOOLING: (Severity.MEDIUM, Severity.LOW),
    }
)
#: What was found of an alert that did not fire as expected, where it is no gap.
_OF_ALERTS = {
    AlertWord.LATE: Kind.DETECTION_LATE,
    AlertWord.TOO_EARLY: Kind.ALERT_NOISE,
    AlertWord.WRONG_TARGET: Kind.ALERT_ROUTING,
    AlertWord.SUPPRESSED: Kind.ALERT_ROUTING,
    AlertWord.MISROUTED: Kind.ALERT_ROUTING,
    AlertWord.UNDELIVERED: Kind.ALERT_ROUTING,
}


def class_of(found: Finding, report: Report) -> Kind:
    """The class of a failed expectation; one that nobody has put into the table is `tooling`."""
    if found.check == "alert/fired":
        word = _alert_word(found, report)
        return Kind.DETECTION_GAP if word is None else _OF_ALERTS.get(word, Kind.DETECTION_GAP)
    if found.check == "slo/criterion" and found.subject == "recovery":
        return Kind.RECOVERY_DEFECT
    if found.check == "runbook/proven" and found.facts.get("verdict") == ProofWord.TOO_SLOW:
        return Kind.RUNBOOK_SLOW
    return CLASSES.get(found.check, Kind.TOOLING)


def severity_of(found: Finding, report: Report, tier: int | None) -> Severity:
    """By class and tier. Books that do not agree afterwards are critical anywhere: data was lost.

    A service without a tier counts as one below the top.
    """
    if found.check == "answer/right":
        return Severity.CRITICAL
    return usual_severity(class_of(found, report), tier)


def usual_severity(kind: Kind, tier: int | None) -> Severity:
    """What a class means for a service of this tier."""
    top, other = SEVERITIES[kind]
    return top if tier is not None and tier <= TOP_TIER else other


def _alert_word(found: Finding, report: Report) -> AlertWord | None:
    """The verdict on the alert that an `alert/fired` is about."""
    named = [a for a in report.alerts if found.expectation.startswith(f"{a.name} fires within")]
    return named[0].verdict if named else None
