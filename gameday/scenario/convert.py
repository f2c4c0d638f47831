"""From documents to the values of `gameday.model`, with the rules inside one part of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from gameday.model.answers import AnswerExpectation
from gameday.model.criteria import Criterion
from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.model.project import (
    BuiltinAlert,
    Project,
    Service,
)
from gameday.model.scenario import (
    AlertExpectation,
    Expectations,
    LoadSpec,
    Phases,
    RunbookExpectation,
    Scenario,
)
from gameday.scenario.documents import (
    AlertDoc,
    ExpectDoc,
    LoadDoc,
    ProjectDoc,
    ScenarioDoc,
)
from gameday.scenario.fault_parts import faults_of
from gameday.scenario.findings_docs import findings_of
from gameday.scenario.journeys import (
    aside_of,
    auth_of,
    drawn_twice,
    feeders_of,
    journeys_of,
    wrong_auth,
)
from gameday.scenario.node import Marks, Path
from gameday.scenario.notice_docs import notices_of
from gameday.scenario.places import environment_of
from gameday.scenario.shapes import breakpoint_of, rates_of
from gameday.scenario.signals import signals_of
from gameday.scenario.ticket_docs import tickets_of


def scenario_of(
    doc: ScenarioDoc, marks: Marks, *, profile: str, broken: frozenset[str] = frozenset()
) -> tuple[Scenario, list[Diagnostic], frozenset[str]]:
    """The scenario, what is wrong in one of its parts, and the names of these parts.

    *broken* parts of *doc* are stand-ins, from which nothing is concluded.
    """
    phases = Phases(
        warmup_ms=doc.phases.warmup,
        baseline_ms=doc.phases.baseline,
        fault_ms=doc.phases.fault,
        recovery_ms=doc.phases.recovery,
    )
    load, load_wrong = _load(doc.load, phases if "phases" not in broken else None, marks)
    faults, faults_wrong = faults_of(doc.faults, marks)
    signals, stop_wrong = signals_of(doc.stop_when, marks)
    scenario = Scenario(
        id=doc.id,
        title=doc.title,
        service=doc.service,
        owner=doc.owner,
        hypothesis=" ".join(doc.hypothesis.split()),
        tags=tuple(doc.tags),
        needs=tuple(dict.fromkeys(doc.needs)),
        load=load,
        phases=phases,
        faults=faults,
        expect=_expect(doc.expect, doc.load.target),
        stop_when=tuple(one for one in doc.stop_when if isinstance(one, Criterion)),
        stop_signals=signals,
        call_limit_ms=doc.call_limit,
        revert_for_ms=doc.revert_for,
        profile=profile,
        file=marks.file,
    )
    wrongs = {"load": load_wrong, "faults": faults_wrong, "stop_when": stop_wrong}
    parts = {part for part, wrong in wrongs.items() if has_errors(wrong)}
    return scenario, [one for wrong in wrongs.values() for one in wrong], frozenset(parts)


def project_of(
    doc: ProjectDoc, marks: Marks, *, directory: FilePath
) -> tuple[Project, list[Diagnostic]]:
    """The project, and what is wrong in one of its parts."""
    found: list[Diagnostic] = []
    environments = {}
    for name, environment in doc.environments.items():
        path = ("environments", name)
        environments[name], wrong = environment_of(
            name, environment, path, marks, directory=directory
        )
        found.extend(wrong)
    if not environments:
        found.append(
            marks.problem(
                "project/no-environment",
                ("environments",),
                "there is no environment in `environments`",
                "add one, for example `local:` with `targets:`",
                key=True,
            )
        )
    services = {
        name: Service(
            name=name,
            tier=service.tier,
            slos=tuple(replace(slo, name=key) for key, slo in service.slos.items()),
        )
        for name, service in doc.services.items()
    }
    alerts = tuple(
        BuiltinAlert(
            name=name,
            when=alert.when,
            labels=alert.labels,
            runbook=alert.runbook,
            receiver=alert.receiver,
        )
        for name, alert in doc.alerts.items()
    )
    notices, wrong_notices = notices_of(doc.notices, doc.environments, marks)
    tickets, wrong_tickets = tickets_of(doc.tickets, marks)
    found.extend([*wrong_notices, *wrong_tickets])
    project = Project(
        environments=environments,
        services=services,
        alerts=alerts,
        runbooks=tuple(doc.runbooks),
        findings=findings_of(doc.findings),
        notices=notices,
        tickets=tickets,
        runbook_hosts=tuple(host.lower() for host in doc.runbook_hosts),
        runbook_commands=tuple(doc.runbook_commands),
        file=marks.file,
        directory=str(directory),
    )
    return project, found


def _load(doc: LoadDoc, phases: Phases | None, marks: Marks) -> tuple[LoadSpec, list[Diagnostic]]:
    per_s, shape, wrong = rates_of(doc.arrivals, phases, marks)
    found = [*_wrong_load(doc, marks), *wrong]
    setup, captured, wrong = aside_of("setup", doc.setup, (), marks)
    teardown, _, wrong_after = aside_of("teardown", doc.teardown, captured, marks)
    found.extend([*wrong, *wrong_after, *drawn_twice(doc.setup, doc.data, marks)])
    journeys, wrong = journeys_of(doc.journeys, {*doc.data, *captured}, marks)
    found.extend([*wrong, *wrong_auth(doc.auth, marks)])
    load = LoadSpec(
        target=doc.target,
        arrivals_per_s=per_s,
        shape=shape,
        spread=doc.spread or "even",
        breakpoint=breakpoint_of(doc.arrivals),
        users=doc.users,
        think_ms=doc.think or 0,
        timeout_ms=doc.timeout,
        journeys=journeys,
        locustfile=doc.locustfile,
        classes=tuple(doc.classes),
        data=feeders_of(doc.data),
        auth=auth_of(doc.auth),
        setup=setup,
        teardown=teardown,
        processes=doc.processes,
        workers=doc.workers,
    )
    return load, found


def _wrong_load(doc: LoadDoc, marks: Marks) -> Iterator[Diagnostic]:
    at: Path = ("load",)
    if (doc.arrivals is None) == (doc.users is None):
        how = (
            "neither `arrivals` nor `users`" if doc.users is None else "both `arrivals` and `users`"
        )
        yield marks.problem(
            "load/model",
            at,
            f"the load has {how}",
            "write `arrivals: 100/s` (open model), or `users: 20` (closed)",
            key=True,
        )
    if doc.think is not None and doc.users is None:
        yield marks.problem(
            "load/think", (*at, "think"), "`think` without `users`", "remove it", key=True
        )
    if doc.spread is not None and doc.arrivals is None:
        yield marks.problem(
            "load/spread",
            (*at, "spread"),
            "`spread` without `arrivals`",
            "remove it; users come when they have thought",
            key=True,
        )
    if bool(doc.journeys) == (doc.locustfile is not None):
        how = "both `journeys` and" if doc.journeys else "neither `journeys` nor"
        yield marks.problem(
            "load/journeys",
            at,
            f"the load has {how} `locustfile`",
            "write journeys here, or name your own locustfile",
            key=True,
        )
    if doc.classes and doc.locustfile is None:
        yield marks.problem(
            "load/classes",
            (*at, "classes"),
            "`classes` without `locustfile`",
            "remove it",
            key=True,
        )
    of_journeys = (
        ("data", doc.data), ("auth", doc.auth), ("setup", doc.setup), ("teardown", doc.teardown),
    )  # fmt: skip
    for name, given in of_journeys:
        if given and doc.locustfile is not None:
            yield marks.problem(
                "load/journeys-only",
                (*at, name),
                f"`{name}` without `journeys`",
                "remove it; a locustfile opens its own files, and authenticates itself",
                key=True,
            )
    if doc.timeout < 1:
        yield marks.problem(
            "value/duration", (*at, "timeout"), "`timeout` is nothing", "write for example `5s`"
        )


def _expect(doc: ExpectDoc, load_target: str) -> Expectations:
    return Expectations(
        baseline=tuple(doc.baseline),
        fault=tuple(doc.fault),
        recovery=tuple(doc.recovery),
        alerts=tuple(_alert(alert) for alert in doc.alerts),
        quiet=tuple(doc.quiet),
        tolerate=tuple(doc.tolerate),
        runbooks=tuple(
            RunbookExpectation(
                path=runbook.path,
                restores_within_ms=runbook.restores_within,
                prove=runbook.prove,
                fault=runbook.fault,
                params=runbook.params,
            )
            for runbook in doc.runbooks
        ),
        answers=tuple(
            AnswerExpectation(
                name=name,
                target=asked.target or load_target,
                path=asked.get,
                json=asked.json,
                within_ms=asked.within,
            )
            for name, asked in doc.answers.items()
        ),
    )


def _alert(doc: AlertDoc) -> AlertExpectation:
    return AlertExpectation(
        alert=doc.alert,
        labels=doc.labels,
        fires_within_ms=doc.fires_within,
        resolves_within_ms=doc.resolves_within,
        receiver=doc.receiver,
        runbook=doc.runbook,
        fault=doc.fault,
        effect=doc.effect,
    )


def authority(url: str) -> str:
    """`host:port` of an address, the port filled in."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}"
