"""What a run showed of its alerts: one verdict for each expected one, a word for every other.

The words stand in `result.json`; like its fields they are never renamed or given another meaning.
"""

# ruff: noqa: RUF009 - `_doc` makes a dataclass field; it is no shared default
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class AlertWord(StrEnum):
    """The verdict of an expected alert: the first of these that applies, in this order.

    Only `CAUGHT` is good, and only `CAUGHT` rests on both firing and (where a receiver is named)
    delivery in time.
    """

    INCONCLUSIVE = "inconclusive"
    ALREADY_FIRING = "already_firing"
    SUPPRESSED = "suppressed"
    MISROUTED = "misrouted"
    UNDELIVERED = "undelivered"
    TOO_EARLY = "too_early"
    LATE = "late"
    CAUGHT = "caught"
    WRONG_TARGET = "wrong_target"
    MISSED = "missed"

    @property
    def text(self) -> str:
        """For people."""
        return self.value.replace("_", " ")


class MissReason(StrEnum):
    """Why an alert was missed, the first that applies; `NONE` for every other verdict."""

    NONE = ""
    NO_SUCH_RULE = "no_such_rule"
    PENDING_ONLY = "pending_only"
    SERIES_ABSENT = "series_absent"
    NEVER_TRUE = "never_true"


class AlertNote(StrEnum):
    """What else is to be said of an alert that fired."""

    FLAPPED = "flapped"
    STUCK = "stuck"
    RESOLVED_EARLY = "resolved_too_early"
    WRONG_SEVERITY = "wrong_severity"
    NO_RUNBOOK = "no_runbook"
    DEAD_RUNBOOK = "dead_runbook"
    HELD_BACK = "held_back"

    @property
    def text(self) -> str:
        """For people."""
        return self.value.replace("_", " ")


class OtherWord(StrEnum):
    """What an episode of an alert that nobody expected was; the first that applies."""

    BASELINE = "baseline"
    FORBIDDEN = "forbidden"
    TOLERATED = "tolerated"
    UNEXPECTED = "unexpected"


def _doc(text: str) -> Any:
    return field(metadata={"doc": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """One note on an alert that fired."""

    note: AlertNote = _doc("which")
    text: str = _doc("what exactly")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertVerdict:
    """Whether one expected alert caught its fault."""

    alert: str = _doc("name of the alert")
    labels: Mapping[str, str] = _doc("matchers of its labels, as expected")
    fault: str = _doc("id of the fault; empty if the plan has none")
    receiver: str = _doc("the receiver that was named; empty if none")
    verdict: AlertWord = _doc("one word; docs/alert-verdicts.md")
    missed: MissReason = _doc("of `missed`: why; else empty")
    reason: str = _doc("one sentence")
    notes: tuple[NoteRow, ...] = _doc("on an alert that fired")
    within_ms: int = _doc("in which it had to fire, and to be delivered where a receiver is named")
    firing_after_ms: int | None = _doc("since the fault was confirmed on; null if it did not fire")
    firing_error_ms: int | None = _doc("how much earlier it may really have fired")
    delivered_after_ms: int | None = _doc("the same to the receiver that was named, or any of ours")
    reset_ms: int | None = _doc("from the fault confirmed off to the end of its last firing")
    reset_error_ms: int | None = _doc("how far that may be off")
    firings: int = _doc("how many times it fired from the fault on")
    evidence: tuple[int, ...] = _doc("lines of the journal (`seq`) it rests on")
    acknowledged_after_ms: int | None = field(
        default=None,
        metadata={"doc": "since the fault was confirmed on, by whoever told it first; or null"},
    )
    acknowledged_by: str = field(
        default="", metadata={"doc": "who told it: a source, a receiver or `by hand`; or empty"}
    )

    @property
    def name(self) -> str:
        """As people write it: `PaymentsSlow{severity=page}`."""
        inside = ", ".join(f"{k}={v}" for k, v in sorted(self.labels.items()))
        return f"{self.alert}{{{inside}}}" if inside else self.alert


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNumber:
    """One number over all alerts of the run; docs/alert-verdicts.md has its definition."""

    name: str = _doc(
        "precision, recall_…, noise_ratio, storm_factor, ttd_…; of a control run false_pages"
    )
    unit: str = _doc("share, ms, per fault or count")
    value: float | None = _doc("shares between 0 and 1, times as medians; null without cases")
    n: int = _doc("how many cases it rests on")
    low: float | None = _doc("lower end of the 95 % interval; null where there is none")
    high: float | None = _doc("upper end of it")
    text: str = _doc("what was counted, what is left out, and why there is no interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEpisode:
    """One firing of an alert that nobody expected, from the first fault to the end of recovery."""

    alert: str = _doc("name of the alert")
    labels: Mapping[str, str] = _doc("all of them")
    word: OtherWord = _doc("baseline, forbidden, tolerated or unexpected")
    firing_ms: int = _doc("run time at which it fired")
    ended_ms: int | None = _doc("run time of its end; null if it was still firing when last read")
    error_ms: int = _doc("how much earlier it may really have begun")
    delivered: int = _doc("notifications of it that reached a receiver of ours while it fired")
    evidence: tuple[int, ...] = _doc("lines of the journal (`seq`) it rests on")
