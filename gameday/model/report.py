"""All that a report says about one run, as plain values; writers only put them into a form.

`result.json` is this, field by field: its schema and its page in the docs are made from here. So a
field is never renamed or given another meaning within one `SCHEMA`; new ones may be added.

Times named `…_ms` are milliseconds; `at_ms` is run time, `since_ms` counts from the fault confirmed
on. A number that is not known is null, never 0, and says why.
"""

# ruff: noqa: RUF009 - `_doc` makes a dataclass field; it is no shared default
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gameday.model.alerting import AlertNumber, AlertVerdict, OtherEpisode
from gameday.model.verdict import ExitCode, Finding, Outcome, RunStatus

#: The version of `result.json`.
SCHEMA = 1


class State(StrEnum):
    """What is known of a moment: when it was, that it had not come by then, or nothing."""

    MEASURED = "measured"
    CENSORED = "censored"  # had not happened when we last looked
    NOT_MEASURED = "not_measured"


def _doc(text: str) -> Any:
    return field(metadata={"doc": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class GapPart:
    """What a part of a gap went into. Least and most are equal where that is certain."""

    name: str = _doc("scrape, window, evaluation, for, group_wait, group_interval or sending")
    least_ms: int = _doc("it took at least so long")
    most_ms: int = _doc("and at most so long")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One moment of the detection ladder."""

    name: str = _doc(
        "on, impact, pending, firing, delivered, acknowledged, runbook_opened, resolved, "
        "mitigated, off or steady"
    )
    state: State = _doc("measured, censored (not yet when last looked at) or not_measured")
    since_ms: int | None = _doc("since the fault was confirmed on; if censored, a lower bound")
    error_ms: int | None = _doc("how much earlier it may really have been")
    why: str = _doc("why it is censored or not measured; else empty")
    after: str = field(default="", metadata={"doc": "the rung that it waits for; empty if none"})
    gap_ms: int | None = field(
        default=None, metadata={"doc": "since that rung; null unless both were measured"}
    )
    parts: tuple[GapPart, ...] = field(
        default=(), metadata={"doc": "what the gap went into, as far as settings are known"}
    )
    slowest: bool = field(default=False, metadata={"doc": "the longest gap of what noticing took"})
    source: str = field(
        default="",
        metadata={"doc": "of what people do: who told it (a source, `by hand`); or empty"},
    )
    what: str = field(
        default="", metadata={"doc": "by which sign: an incident, a silence, a role, a runbook"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How one fault was noticed by one expected alert, moment by moment."""

    fault: str = _doc("id of the fault")
    alert: str = _doc("name of the alert; empty if none is expected")
    receiver: str = _doc("the receiver that was named; empty if none")
    rungs: tuple[Rung, ...] = _doc("in order of cause, not of time")
    floor_ms: int | None = _doc("the least time that `for` and group wait allow; null if unknown")
    floor: str = _doc("the same in words, with what may come on top; empty if unknown")
    reference: str = _doc("the built-in burn-rate alert it is compared with; empty if none")
    reference_ms: int | None = _doc("when that fired, since the fault was confirmed on; or null")
    behind_reference_ms: int | None = _doc("how much later the alert fired; negative: earlier")
    compared: str = _doc("the comparison in words, or why there is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the set-up as it was used."""

    name: str = _doc("what it is for: toxiproxy, load, alerts, receiver")
    text: str = _doc("which one it was")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """What the load saw of one subject in one phase."""

    phase: str = _doc("baseline, fault or recovery")
    subject: str = _doc("`all`, or the name of a journey or request")
    seconds: int = _doc("whole seconds that were judged")
    complete: bool = _doc("whether the phase ended as planned")
    n: int = _doc("requests judged")
    good: int = _doc("of these, good ones")
    failures: Mapping[str, int] = _doc("failed ones by kind")
    edge: int = _doc("under way while a connection was being cut: counted, never judged")
    error_ratio: float | None = _doc("failed over judged; null without requests")
    goodput_ratio: float | None = _doc("good over judged; null without requests")
    p50_ms: float | None = _doc("of good answers from the intended start; null if withheld")
    p95_ms: float | None = _doc("null if withheld (n below 200)")
    p99_ms: float | None = _doc("null if withheld (n below 1000)")
    p95_low_ms: float | None = _doc("lower end of the 95 % interval of p95 by order statistics")
    p95_high_ms: float | None = _doc("upper end of that; chance within this run alone")


class Change(StrEnum):
    """What comparing with earlier runs showed."""

    WORSE = "worse"
    BETTER = "better"
    NOT_SHOWN = "no_change_shown"  # which is less than: nothing changed
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One number against the same number of earlier runs; null where it was not compared."""

    phase: str = _doc("baseline, fault or recovery")
    subject: str = _doc("`all`, or the name of a journey")
    metric: str = _doc("p95 (ms) or errors (failed over judged)")
    change: Change = _doc("worse, better, no_change_shown or not_compared")
    now: float | None = _doc("this run's: ms for p95, a share for errors")
    before: float | None = _doc("mean of the earlier runs (p95: geometric), in the same unit")
    by: float | None = _doc("p95: share of before (0.3 is 30 % more); errors: difference of shares")
    by_low: float | None = _doc("lower end of the interval of `by`")
    by_high: float | None = _doc("upper end of it")
    n: int = _doc("requests judged in this run")
    runs: int = _doc("earlier runs that had enough samples")
    n_least: int = _doc("requests judged in that of them with the fewest")
    why: str = _doc("why it was not compared; else empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The run against its last valid runs; it has no part in the verdict."""

    change: Change = _doc("the worst of all numbers that were compared")
    why: str = _doc("why nothing, or not everything, was compared; else empty")
    runs: tuple[str, ...] = _doc("the earlier runs, newest first")
    false_alarms: float = _doc("chance that, without a change, any of the intervals misses")
    coverage: float | None = _doc("of each interval alone; null if nothing was compared")
    numbers: tuple[Compared, ...] = _doc("p95 and errors of each phase and subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault as it was."""

    id: str = _doc("as in the scenario")
    target: str = _doc("what was broken")
    what: str = _doc("kind and attributes")
    on_ms: int | None = _doc("run time at which it was read back as in")
    on_error_ms: int | None = _doc("how much earlier it may have been in")
    off_ms: int | None = _doc("run time at which it was read back as gone")
    off_error_ms: int | None = _doc("how much earlier it may have been gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoTime:
    """How long one fault took to be taken out."""

    fault: str = _doc("id of the fault")
    state: State = _doc("measured, censored (never confirmed off) or not_measured (never put in)")
    took_ms: int | None = _doc("asked off to read back as gone; if censored, a lower bound")
    tries: int = _doc("how many reverts were begun")
    why: str = _doc("why it is censored or not measured; else empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """How a run was stopped, and how fast everything was safe again."""

    stopped_by: str = _doc("condition, `operator`, `deadline`, …; empty if it was not stopped")
    reason: str = _doc("why it was stopped; empty if it was not")
    stopped_ms: int | None = _doc("run time of the stop")
    in_place: tuple[str, ...] = _doc("faults that were in at the stop, or may have been")
    n: int = _doc("how many these are")
    state: State = _doc("measured, censored (one was never confirmed off) or not_measured")
    time_to_safe_ms: int | None = _doc(
        "from the stop until the last of them was read back as gone; if censored, a lower bound"
    )
    why: str = _doc("why it is censored or not measured; else empty")
    undos: tuple[UndoTime, ...] = _doc("each fault, however the run ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the timeline."""

    at_ms: int = _doc("run time")
    what: str = _doc("kind of the event")
    text: str = _doc("what happened")
    seq: int | None = _doc("line of the journal; null if made from raw samples of an alert source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that could not be shown to be gone."""

    subject: str = _doc("fault or target")
    text: str = _doc("what may still be broken")
    command: str = _doc("how to undo it")
    undo: Mapping[str, Any] = _doc("the undo record, as the journal has it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPart:
    """What was run."""

    id: str = _doc("of the scenario")
    title: str = _doc("of the scenario")
    service: str = _doc("the service under test")
    owner: str = _doc("the team that owns it")
    hypothesis: str = _doc("what was believed before the run")
    profile: str = _doc("empty for none")
    file: str = _doc("where it was read")
    tags: tuple[str, ...] = _doc("of the scenario")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The verdict, in words and for machines."""

    outcome: Outcome = _doc("pass, fail or inconclusive")
    status: RunStatus = _doc("how the machinery fared, whatever the service did")
    exit_code: ExitCode = _doc("with which the command ends")
    reason: str = _doc("one sentence: why")
    facts: tuple[str, ...] = _doc("up to three facts that matter most")
    clean: bool = _doc("every fault was shown to be gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many alerting rules have what they need of runbooks: `count` of `n`."""

    name: str = _doc("linked, fired_linked, valid or proven")
    count: int = _doc("how many have it")
    n: int = _doc("of how many rules")
    text: str = _doc("what was counted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a writer may print about one run."""

    schema: int = _doc("version of this document, 1")
    gameday: str = _doc("version of gameday that made the run")
    run_id: str = _doc("name of the run directory")
    environment: str = _doc("of the project file")
    service_version: str = field(
        default="",
        metadata={"doc": "of the service under test, as told to the run; empty if it was not told"},
    )
    started: str = _doc("wall time of run time 0, RFC 3339, UTC; empty if the journal is too short")
    duration_ms: int = _doc("run time of the last event")
    seed: int = _doc("of the plan")
    control: bool = _doc("a control run: no fault was injected")
    plan_sha256: str = _doc("of the plan as run; empty if the journal is too short")
    scenario: ScenarioPart = _doc("what was run")
    verdict: Answer = _doc("read this first")
    leftovers: tuple[Leftover, ...] = _doc("what may still be broken, and how to undo it")
    expectations: tuple[Finding, ...] = _doc("one entry an expectation")
    validity: tuple[Finding, ...] = _doc("whether the run could have shown anything")
    safety: Safety = _doc("how it was stopped, and how fast it was safe again")
    alerts: tuple[AlertVerdict, ...] = _doc("one verdict an expected alert")
    other_alerts: tuple[OtherEpisode, ...] = _doc("every other firing, with a word for each")
    alert_numbers: tuple[AlertNumber, ...] = _doc("over all of them, each with n and interval")
    runbook_coverage: tuple[Coverage, ...] = _doc("of the rules; empty where they are not known")
    ladders: tuple[Ladder, ...] = _doc("from the fault to steady, one an expected alert")
    faults: tuple[FaultRow, ...] = _doc("as they were confirmed")
    phases: tuple[PhaseRow, ...] = _doc("what the load saw")
    parts: tuple[Part, ...] = _doc("which parts were used")
    timeline: tuple[Moment, ...] = _doc("what happened, in order")
    comparable: str = _doc("SHA-256 of what must be equal for runs to be compared; may be empty")
    comparison: Comparison = _doc("against the last valid runs like this one")
    notes: tuple[str, ...] = _doc("how we know: gaps, offsets, sample sizes, what was not measured")
