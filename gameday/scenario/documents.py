"""The two files as people write them, key by key: the one definition behind parser and schema."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from gameday.model.criteria import Criterion, Steady
from gameday.model.effect import Effect
from gameday.model.needs import NEEDS
from gameday.model.project import Slo
from gameday.scenario import fields as f
from gameday.scenario import fields_alerts as a
from gameday.scenario import fields_answers as n
from gameday.scenario import fields_calls as c
from gameday.scenario import fields_load as w
from gameday.scenario.fault_docs import FaultDoc
from gameday.scenario.findings_docs import FindingsDoc
from gameday.scenario.journey_docs import AuthDoc, FeederDoc, JourneyDoc, StepDoc
from gameday.scenario.notice_docs import NoticeDoc
from gameday.scenario.place_docs import EnvironmentDoc
from gameday.scenario.shape_docs import ARRIVALS, Written
from gameday.scenario.signals import Stop
from gameday.scenario.ticket_docs import TicketsDoc
from gameday.scenario.validate import GIVEN, about, document

Text = Annotated[str, f.TEXT]
Name = Annotated[str, f.NAME]
Labels = dict[Text, Text]


@document
class LoadDoc:
    """The traffic."""

    target: Annotated[str, f.NAME, about("where it goes: a target with a `url`")]
    arrivals: Annotated[
        Written | None,
        ARRIVALS,
        about("open model: so many visitors come, whatever the service does"),
    ] = None
    spread: Annotated[
        str | None,
        f.choice(("even", "poisson")),
        about("`even`, or `poisson`: arrivals that know nothing of one another"),
    ] = None
    users: Annotated[
        int | None,
        f.whole(1, 100_000, "a number of users"),
        about("closed model: so many users, each waits for its answer"),
    ] = None
    think: Annotated[int | None, f.DURATION, about("a user's pause between two journeys")] = None
    timeout: Annotated[int, f.DURATION, about("a request that takes longer has failed")] = 10_000
    journeys: Annotated[dict[Text, JourneyDoc], about("what visitors do, by name")] = field(
        default_factory=dict
    )
    setup: Annotated[
        list[StepDoc], about("requests before the first visitor, once in each load process")
    ] = field(default_factory=list)
    teardown: Annotated[list[StepDoc], about("requests after the last visitor, likewise")] = field(
        default_factory=list
    )
    locustfile: Annotated[
        str | None, f.TEXT, about("your own locustfile, relative to the project")
    ] = None
    classes: Annotated[list[Text], about("the user classes of it; all unless given")] = field(
        default_factory=list
    )
    data: Annotated[
        dict[Annotated[str, w.VALUE], FeederDoc],
        about("values from CSV files, which steps use as `{{ name }}`"),
    ] = field(default_factory=dict)
    auth: Annotated[
        AuthDoc | None, GIVEN, about("how all requests of the journeys authenticate")
    ] = None
    processes: Annotated[
        int,
        w.PROCESSES,
        about("so many processes make it on this host; `auto`: as many as the rate needs"),
    ] = 1
    workers: Annotated[
        int,
        f.whole(1, 1_000, "a number of workers"),
        about("so many workers on other hosts make it, instead of processes on this one"),
    ] = 0


@document
class PhasesDoc:
    """How long each part of the run takes."""

    warmup: Annotated[int, f.SECONDS_FROM_0, about("before the baseline, never judged")] = 3_000
    baseline: Annotated[int, f.SECONDS, about("the service as it is")]
    fault: Annotated[int, f.SECONDS_FROM_0, about("with the fault")]
    recovery: Annotated[int, f.SECONDS, about("after the fault")]


@document
class AlertDoc:
    """An alert that should catch the fault."""

    alert: Annotated[str, f.TEXT, about("its name")]
    labels: Annotated[Labels, about("labels that it must have")] = field(default_factory=dict)
    fires_within: Annotated[int, f.DURATION, about("after the fault was confirmed on")]
    resolves_within: Annotated[
        int | None, f.DURATION, about("after the fault was confirmed off")
    ] = None
    receiver: Annotated[str | None, f.TEXT, about("who must be told")] = None
    runbook: Annotated[str | None, f.TEXT, about("the runbook that it must link to")] = None
    fault: Annotated[
        str | None, f.NAME, about("the fault it should catch; the first one unless given")
    ] = None
    effect: Annotated[
        Effect | None, a.EFFECT, about("what requests feel of it; used to look ahead only")
    ] = None


@document
class RunbookDoc:
    """A runbook that must be there and have its sections."""

    path: Annotated[str, f.TEXT, about("file, relative to the project, or link")]
    restores_within: Annotated[int | None, f.DURATION, about("how long following it may take")] = (
        None
    )
    prove: Annotated[
        bool, f.YES, about("run its steps: healthy, with the fault in, and afterwards")
    ] = False
    fault: Annotated[
        str | None, f.NAME, about("the fault it should mitigate; the first one unless given")
    ] = None
    params: Annotated[
        dict[str, Annotated[str, f.TEXT]], about("values of the `params` of its front matter")
    ] = field(default_factory=dict)


@document
class AskedDoc:
    """A question to a target once the load has stopped, and the answer that is right."""

    get: Annotated[str, n.ASKED_PATH, about("the path to GET, from the target's `url`")]
    json: Annotated[
        dict[Annotated[str, c.MATCH], Annotated[Any, f.JSON]],
        about("JMESPath expressions on its JSON, each with the value that it must give"),
    ]
    target: Annotated[
        str | None, f.NAME, about("a target with a `url`; that of the load unless given")
    ] = None
    within: Annotated[
        int, n.WITHIN, about("it is asked again until the answer is right, at most so long")
    ] = 10_000


@document
class ExpectDoc:
    """What should hold, and be noticed."""

    baseline: Annotated[
        list[Annotated[Criterion, f.EXPECTED]], about("conditions before the fault")
    ] = field(default_factory=list)
    fault: Annotated[
        list[Annotated[Criterion, f.EXPECTED]], about("conditions while the fault is in")
    ] = field(default_factory=list)
    recovery: Annotated[
        list[Annotated[Criterion | Steady, f.EXPECTED_AFTER]], about("conditions after the fault")
    ] = field(default_factory=list)
    alerts: Annotated[list[AlertDoc], about("alerts that should catch it")] = field(
        default_factory=list
    )
    quiet: Annotated[
        list[Labels], about("labels of alerts that must not fire, but for those expected")
    ] = field(default_factory=list)
    tolerate: Annotated[
        list[Labels], about("labels of alerts that may fire, and are no noise if they do")
    ] = field(default_factory=list)
    runbooks: Annotated[list[RunbookDoc], about("runbooks that must be usable")] = field(
        default_factory=list
    )
    answers: Annotated[
        dict[Name, AskedDoc], about("what the service must answer once the load has stopped")
    ] = field(default_factory=dict)


@document
class ScenarioDoc:
    """A gameday scenario: what breaks, under which load, and what should be noticed."""

    gameday: Annotated[int, f.VERSION, about("version of the format")]
    id: Annotated[str, f.NAME, about("its name for machines")]
    title: Annotated[str, f.TEXT, about("one line")]
    service: Annotated[str, f.NAME, about("the service under test")]
    owner: Annotated[str, f.TEXT, about("the team that answers for it")]
    tags: Annotated[list[Text], about("words to choose by")] = field(default_factory=list)
    needs: Annotated[
        list[Annotated[str, f.choice(NEEDS)]],
        about("what has to be there; where it is not, the scenario is skipped with the reason"),
    ] = field(default_factory=list)
    hypothesis: Annotated[str, f.TEXT, about("what we believe will happen, in full sentences")]
    load: Annotated[LoadDoc, about("the traffic")]
    phases: Annotated[PhasesDoc, about("how long each part of the run takes")]
    faults: Annotated[list[FaultDoc], about("what breaks")]
    expect: Annotated[ExpectDoc, about("what should hold, and be noticed")]
    stop_when: Annotated[
        list[Stop], about("any of these ends the run at once: conditions, or other signals")
    ] = field(default_factory=list)
    call_limit: Annotated[
        int, f.between(500, 60_000, "`500ms` to `60s`"), about("how long one inject may take")
    ] = 10_000
    revert_for: Annotated[int, f.SECONDS, about("how long taking the fault out is tried again")] = (
        60_000
    )
    profiles: Annotated[
        dict[Name, Annotated[dict[str, Any], f.PROFILE]],
        about("variants: each overrides parts of the scenario"),
    ] = field(default_factory=dict)


@document
class ServiceDoc:
    """A service."""

    tier: Annotated[int | None, f.whole(0, 9, "a tier"), about("0 or 1 is the most important")] = (
        None
    )
    slos: Annotated[dict[Name, Annotated[Slo, f.SLO]], about("its objectives, by name")] = field(
        default_factory=dict
    )


@document
class BuiltinAlertDoc:
    """An alert that gameday itself evaluates on the load."""

    when: Annotated[Criterion, f.CONDITION, about("it fires while this holds")]
    labels: Annotated[Labels, about("its labels")] = field(default_factory=dict)
    runbook: Annotated[str | None, f.TEXT, about("its runbook: file or link")] = None
    receiver: Annotated[str, f.TEXT, about("who is told")] = "gameday"


@document
class ProjectDoc:
    """A gameday project: where things are."""

    gameday: Annotated[int, f.VERSION, about("version of the format")]
    environments: Annotated[dict[Name, EnvironmentDoc], about("the places to run in, by name")]
    services: Annotated[dict[Name, ServiceDoc], about("services, their tiers and objectives")] = (
        field(default_factory=dict)
    )
    alerts: Annotated[dict[Text, BuiltinAlertDoc], about("built-in alerts, by name")] = field(
        default_factory=dict
    )
    runbooks: Annotated[list[Text], about("folders of runbooks")] = field(
        default_factory=lambda: ["runbooks"]
    )
    runbook_hosts: Annotated[
        list[Annotated[str, f.HOST]], about("hosts from which a runbook may be fetched")
    ] = field(default_factory=list)
    runbook_commands: Annotated[
        list[Text], about("programs that exist where runbooks are followed, for their lint")
    ] = field(default_factory=list)
    findings: Annotated[FindingsDoc, about("the register of what runs showed to be wrong")] = field(
        default_factory=FindingsDoc
    )
    notices: Annotated[
        dict[Name, NoticeDoc], about("who is told when exercises begin and end, by name")
    ] = field(default_factory=dict)
    tickets: Annotated[
        TicketsDoc | None, GIVEN, about("where tickets of findings are made when asked for")
    ] = None
