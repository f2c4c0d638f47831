"""The three files of readiness as people write them, key by key: policy, service and waivers."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from gameday.model.project import Slo
from gameday.scenario import fields as f
from gameday.scenario import fields_places as p
from gameday.scenario import fields_readiness as r
from gameday.scenario.validate import GIVEN, about, document

Text = Annotated[str, f.TEXT]
Name = Annotated[str, f.NAME]


@document
class RuleDoc:
    """One item of the matrix."""

    required: Annotated[bool | None, p.SWITCH, about("whether it is asked at all")] = None
    waivable: Annotated[bool | None, p.SWITCH, about("whether a waiver may stand for it")] = None


@document
class DatedDoc(RuleDoc):
    """An item that people show, in a drill."""

    fresh: Annotated[int | None, r.DAYS, about("older evidence does not count")] = None


@document
class RunsDoc(DatedDoc):
    """An item that runs show."""

    version: Annotated[
        str | None,
        r.SAME,
        about("`same` version, the same `major` version, or `any`"),
    ] = None
    smoke: Annotated[bool | None, p.SWITCH, about("whether runs of the profile `smoke` count")] = (
        None
    )


@document
class ModesDoc(RunsDoc):
    """An item that is asked of each failure mode."""

    modes: Annotated[
        list[Name] | None, GIVEN, about("failure modes that every service of the tier needs")
    ] = None


@document
class RollbackDoc(RunsDoc):
    """The rollback."""

    within: Annotated[int | None, f.DURATION, about("how long it may take")] = None


@document
class CapacityDoc(RunsDoc):
    """The peak."""

    factor: Annotated[float | None, r.FACTOR, about("so many times the peak has to hold")] = None
    headroom: Annotated[float | None, f.SHARE, about("so much more than the peak has to hold")] = (
        None
    )


@document
class CoverageDoc(RuleDoc):
    """Runbooks of the alerts that page."""

    at_least: Annotated[float | None, f.SHARE, about("the share of alerts that need one")] = None


@document
class ProofDoc(RunsDoc):
    """Runbooks that were shown to work."""

    at_least: Annotated[float | None, f.SHARE, about("the share of runbooks that need it")] = None


@document
class OpenDoc(RuleDoc):
    """Findings that are open."""

    severities: Annotated[
        list[Annotated[str, r.SEVERITY]] | None, GIVEN, about("those that stand against a launch")
    ] = None


@document
class LeftDoc(DatedDoc):
    """The error budget."""

    at_least: Annotated[float | None, f.SHARE, about("the share that has to be left")] = None


@document
class TierDoc:
    """What services of one tier have to show. What is not written is as usual."""

    slo: Annotated[RunsDoc | None, GIVEN, about("objectives are defined, and hold")] = None
    alerts: Annotated[ModesDoc | None, GIVEN, about("failures are noticed in time")] = None
    runbook_coverage: Annotated[CoverageDoc | None, GIVEN, about("alerts have runbooks")] = None
    runbook_proof: Annotated[ProofDoc | None, GIVEN, about("runbooks work")] = None
    scenarios: Annotated[ModesDoc | None, GIVEN, about("required scenarios pass")] = None
    capacity: Annotated[CapacityDoc | None, GIVEN, about("the peak, with headroom")] = None
    rollback: Annotated[RollbackDoc | None, GIVEN, about("a release was rolled back")] = None
    restore: Annotated[DatedDoc | None, GIVEN, about("a restore was tested")] = None
    escalation: Annotated[DatedDoc | None, GIVEN, about("escalation was drilled")] = None
    findings: Annotated[OpenDoc | None, GIVEN, about("no severe finding is open")] = None
    budget: Annotated[LeftDoc | None, GIVEN, about("error budget is left")] = None
    tabletop: Annotated[DatedDoc | None, GIVEN, about("the loss of a region")] = None


@document
class TiersDoc:
    """By tier."""

    tier_0: Annotated[TierDoc | None, GIVEN, about("the most important services", key="tier-0")] = (
        None
    )
    tier_1: Annotated[TierDoc | None, GIVEN, about("important services", key="tier-1")] = None
    tier_2: Annotated[TierDoc | None, GIVEN, about("all others", key="tier-2")] = None


@document
class ReadinessDoc:
    """The policy of readiness: what has to be shown before a launch."""

    gameday_readiness: Annotated[
        int, r.version("gameday_readiness"), about("version of the format")
    ]
    tiers: Annotated[TiersDoc, about("what is asked, by tier")] = field(default_factory=TiersDoc)
    environments: Annotated[
        list[Annotated[str, r.KIND]] | None,
        GIVEN,
        about("kinds of environments whose runs count; all unless given"),
    ] = None
    approvers: Annotated[
        list[Annotated[str, r.ROLE]] | None, GIVEN, about("roles that may approve a waiver")
    ] = None
    fail_from: Annotated[
        str | None,
        r.FAIL_FROM,
        about("the answer from which on the command does not end with 0"),
    ] = None


@document
class ModeDoc:
    """One failure mode, and how it is tested."""

    scenario: Annotated[str | None, f.NAME, about("the id of the scenario that tests it")] = None
    alert: Annotated[str | None, f.TEXT, about("the alert that has to catch it")] = None
    within: Annotated[
        int | None, f.DURATION, about("in which it has to; as the scenario says unless given")
    ] = None
    no_alert: Annotated[str | None, f.TEXT, about("why no alert is expected")] = None
    not_applicable: Annotated[str | None, f.TEXT, about("why it cannot fail this way")] = None


@document
class RecordDoc:
    """Something that people did, and wrote down."""

    item: Annotated[str, r.RECORDED, about("of the matrix")]
    on: Annotated[str, p.DATE, about("the day")]
    result: Annotated[str, r.RESULT, about("`passed` or `failed`")]
    role: Annotated[str, r.ROLE, about("who observed it: a role, never a name")]
    evidence: Annotated[str, f.TEXT, about("where more is written")]
    runbook: Annotated[
        str | None, f.TEXT, about("the runbook that was followed, for `runbook_proof`")
    ] = None
    took: Annotated[int | None, f.DURATION, about("how long it took")] = None
    within: Annotated[int | None, f.DURATION, about("how long it might take")] = None


@document
class LeftFromDoc:
    """Where the error budget is read. Exactly one of `query` and `file`."""

    query: Annotated[
        str | None, f.TEXT, about("a PromQL query that gives the share that is left")
    ] = None
    file: Annotated[str | None, f.TEXT, about("a file that holds the share that is left")] = None


@document
class ServiceFileDoc:
    """A service, and how its readiness is shown."""

    gameday_service: Annotated[int, r.version("gameday_service"), about("version of the format")]
    service: Annotated[str, f.NAME, about("its name, as in scenarios")]
    owner: Annotated[str, f.TEXT, about("the team that answers for it")]
    tier: Annotated[
        int | None, f.whole(0, 9, "a tier"), about("0 is the most important; else gameday.yaml's")
    ] = None
    slos: Annotated[
        dict[Name, Annotated[Slo, f.SLO]], about("its objectives; else those of gameday.yaml")
    ] = field(default_factory=dict)
    dependencies: Annotated[list[Name], about("what it needs, by the names of targets")] = field(
        default_factory=list
    )
    failure_modes: Annotated[dict[Name, ModeDoc], about("how it can fail, by name")] = field(
        default_factory=dict
    )
    alerts: Annotated[
        dict[Text, Annotated[str, r.RUNBOOK]],
        about("alerts that page, each with its runbook, or `none`"),
    ] = field(default_factory=dict)
    peak: Annotated[float | None, f.RATE, about("the arrivals that are expected at most")] = None
    capacity: Annotated[
        str | None, f.NAME, about("the scenario that searches the breakpoint; any unless given")
    ] = None
    rollback: Annotated[
        str | None, f.NAME, about("the scenario in which a release is rolled back")
    ] = None
    drills: Annotated[
        dict[Annotated[str, r.DRILLED], Annotated[str, r.DAY_ITEM]],
        about("drills of days, as `DAY/ITEM`, by the item of the matrix that they show"),
    ] = field(default_factory=dict)
    budget: Annotated[LeftFromDoc | None, GIVEN, about("where the error budget is read")] = None
    not_applicable: Annotated[
        dict[Annotated[str, r.LEFT_OUT], Text], about("items that do not apply, each with why")
    ] = field(default_factory=dict)
    records: Annotated[list[RecordDoc], about("drills that people held")] = field(
        default_factory=list
    )


@document
class WaiverDoc:
    """Leave to launch without an item, or a part of it."""

    service: Annotated[str, f.NAME, about("for which service")]
    item: Annotated[str, r.ITEM, about("of the matrix")]
    subject: Annotated[
        str | None, f.TEXT, about("the row, such as a failure mode; the whole item unless given")
    ] = None
    version: Annotated[str | None, f.TEXT, about("for this version alone")] = None
    reason: Annotated[str, f.TEXT, about("why")]
    owner: Annotated[str, r.ROLE, about("the role or team that closes it")]
    approver: Annotated[str, r.ROLE, about("the role that allows it")]
    expires: Annotated[str, p.DATE, about("the last day on which it holds")]


@document
class WaiversDoc:
    """Waivers."""

    gameday_waivers: Annotated[int, r.version("gameday_waivers"), about("version of the format")]
    waivers: Annotated[list[WaiverDoc], about("each of them")] = field(default_factory=list)
