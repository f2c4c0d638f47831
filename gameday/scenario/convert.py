"""From documents to the values of `gameday.model`, with the rules inside one part of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.model.project import (
    AlertingSpec,
    BuiltinAlert,
    Environment,
    Project,
    Service,
    Target,
)
from gameday.model.scenario import (
    AlertExpectation,
    Expect,
    Expectations,
    FaultSpec,
    Journey,
    LoadSpec,
    Phases,
    RequestStep,
    RunbookExpectation,
    Scenario,
)
from gameday.scenario.documents import (
    AlertDoc,
    AlertingDoc,
    EnvironmentDoc,
    ExpectDoc,
    FaultDoc,
    LoadDoc,
    ProjectDoc,
    ScenarioDoc,
    StepDoc,
)
from gameday.scenario.node import Marks, Path
from gameday.scenario.toxic import read_toxic

METHODS = ("get", "post", "put", "patch", "delete", "head")


def scenario_of(
    doc: ScenarioDoc, marks: Marks, *, profile: str
) -> tuple[Scenario, list[Diagnostic], frozenset[str]]:
    """The scenario, what is wrong in one of its parts, and the names of these parts."""
    load, load_wrong = _load(doc.load, marks)
    faults, faults_wrong = _faults(doc.faults, marks)
    scenario = Scenario(
        id=doc.id,
        title=doc.title,
        service=doc.service,
        owner=doc.owner,
        hypothesis=" ".join(doc.hypothesis.split()),
        tags=tuple(doc.tags),
        load=load,
        phases=Phases(
            warmup_ms=doc.phases.warmup,
            baseline_ms=doc.phases.baseline,
            fault_ms=doc.phases.fault,
            recovery_ms=doc.phases.recovery,
        ),
        faults=faults,
        expect=_expect(doc.expect),
        stop_when=tuple(doc.stop_when),
        revert_for_ms=doc.revert_for,
        profile=profile,
        file=marks.file,
    )
    broken = {
        part
        for part, wrong in (("load", load_wrong), ("faults", faults_wrong))
        if has_errors(wrong)
    }
    return scenario, [*load_wrong, *faults_wrong], frozenset(broken)


def project_of(
    doc: ProjectDoc, marks: Marks, *, directory: FilePath
) -> tuple[Project, list[Diagnostic]]:
    """The project, and what is wrong in one of its parts."""
    found: list[Diagnostic] = []
    environments = {}
    for name, environment in doc.environments.items():
        path = ("environments", name)
        environments[name] = _environment(name, environment)
        found.extend(_wrong_environment(environments[name], environment, path, marks))
    if not environments:
        found.append(
            marks.problem(
                "project/no-environment",
                ("environments",),
                "there is no environment",
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
    project = Project(
        environments=environments,
        services=services,
        alerts=alerts,
        runbooks=tuple(doc.runbooks),
        runbook_hosts=tuple(host.lower() for host in doc.runbook_hosts),
        file=marks.file,
        directory=str(directory),
    )
    return project, found


def _load(doc: LoadDoc, marks: Marks) -> tuple[LoadSpec, list[Diagnostic]]:
    found = list(_wrong_load(doc, marks))
    journeys = []
    for name, journey in doc.journeys.items():
        path = ("load", "journeys", name)
        if not journey.steps:
            found.append(
                marks.problem(
                    "value/empty", (*path, "steps"), "a journey without a step", "add one"
                )
            )
        for position, step in enumerate(journey.steps):
            found.extend(_wrong_step(step, (*path, "steps", position), marks))
        steps = tuple(_step(step) for step in journey.steps)
        journeys.append(Journey(name=name, weight=journey.weight, steps=steps))
    load = LoadSpec(
        target=doc.target,
        arrivals_per_s=doc.arrivals,
        users=doc.users,
        think_ms=doc.think or 0,
        timeout_ms=doc.timeout,
        journeys=tuple(journeys),
        locustfile=doc.locustfile,
        classes=tuple(doc.classes),
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
    if doc.timeout < 1:
        yield marks.problem(
            "value/duration", (*at, "timeout"), "`timeout` is nothing", "write for example `5s`"
        )


def _wrong_step(doc: StepDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    given = [method for method in METHODS if getattr(doc, method) is not None]
    if len(given) != 1:
        how = " and ".join(f"`{method}`" for method in given) or "no method"
        yield marks.problem(
            "load/method",
            path if not given else (*path, given[1]),
            f"this step has {how}",
            "write one of `get`, `post`, `put`, `patch`, `delete`, `head` a step",
            key=bool(given),
        )
    if doc.json is not None and doc.body is not None:
        yield marks.problem(
            "load/body", (*path, "body"), "this step has `json` and `body`", "keep one", key=True
        )


def _step(doc: StepDoc) -> RequestStep:
    method, path = next(
        ((name, getattr(doc, name)) for name in METHODS if getattr(doc, name) is not None),
        ("get", "/"),
    )
    return RequestStep(
        method=method.upper(),
        path=path,
        name=doc.name or f"{method.upper()} {path}",
        json=doc.json,
        body=doc.body,
        headers=doc.headers,
        expect=Expect(status=doc.expect.status),
    )


def _faults(docs: list[FaultDoc], marks: Marks) -> tuple[tuple[FaultSpec, ...], list[Diagnostic]]:
    found: list[Diagnostic] = []
    faults = []
    for position, doc in enumerate(docs):
        path: Path = ("faults", position)
        toxic = None
        if (doc.toxic is None) != doc.down:
            how = "both `toxic` and" if doc.down else "neither `toxic` nor"
            found.append(
                marks.problem(
                    "fault/kind",
                    (*path, "down") if doc.down else path,
                    f"the fault `{doc.id}` has {how} `down`",
                    "write `toxic: {type: latency, latency: 800ms}`, or `down: true`",
                    key=True,
                )
            )
        if doc.toxic is not None:
            toxic, wrong = read_toxic(doc.toxic, (*path, "toxic"), marks)
            found.extend(wrong)
        faults.append(
            FaultSpec(
                id=doc.id,
                target=doc.target,
                toxic=toxic,
                down=doc.down,
                start_ms=doc.start,
                length_ms=doc.length,
            )
        )
    return tuple(faults), found


def _expect(doc: ExpectDoc) -> Expectations:
    return Expectations(
        baseline=tuple(doc.baseline),
        fault=tuple(doc.fault),
        recovery=tuple(doc.recovery),
        alerts=tuple(_alert(alert) for alert in doc.alerts),
        quiet=tuple(doc.quiet),
        runbooks=tuple(
            RunbookExpectation(path=runbook.path, restores_within_ms=runbook.restores_within)
            for runbook in doc.runbooks
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
    )


def _environment(name: str, doc: EnvironmentDoc) -> Environment:
    return Environment(
        name=name,
        targets={
            key: Target(
                name=key,
                url=target.url,
                proxy=target.proxy,
                listen=target.listen,
                upstream=target.upstream,
                probe=target.probe,
            )
            for key, target in doc.targets.items()
        },
        toxiproxy_url=doc.toxiproxy.url if doc.toxiproxy else None,
        alerting=_alerting(doc.alerts),
        receiver_listen=doc.receiver.listen,
        receiver_token=doc.receiver.token,
    )


def _alerting(doc: AlertingDoc) -> AlertingSpec:
    used = doc.sources or ["prometheus", "alertmanager"]
    return AlertingSpec(
        prometheus_url=doc.prometheus.url if doc.prometheus and "prometheus" in used else None,
        alertmanager_url=(
            doc.alertmanager.url if doc.alertmanager and "alertmanager" in used else None
        ),
    )


def _wrong_environment(
    environment: Environment, doc: EnvironmentDoc, path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    for position, source in enumerate(doc.alerts.sources):
        if getattr(doc.alerts, source) is None:
            yield marks.problem(
                "alerting/source",
                (*path, "alerts", "sources", position),
                f"the source `{source}` has no address",
                f'add `{source}: {{url: "http://…"}}`',
            )
    taken: dict[tuple[str, str], str] = {}
    for name, target in environment.targets.items():
        at = (*path, "targets", name)
        parts = {"proxy": target.proxy, "listen": target.listen, "upstream": target.upstream}
        missing = [part for part, value in parts.items() if value is None]
        if missing and len(missing) < 3:
            yield marks.problem(
                "target/incomplete-proxy",
                at,
                f"the target `{name}` has no {' and no '.join(f'`{part}`' for part in missing)}",
                "a proxy needs its name, where it listens, and its upstream",
                key=True,
            )
        for part in ("proxy", "listen"):
            value = parts[part]
            if value is not None and (owner := taken.setdefault((part, value), name)) != name:
                yield marks.problem(
                    "target/same-proxy",
                    (*at, part),
                    f"`{part}: {value}` is also that of the target `{owner}`",
                    "give each target a proxy of its own",
                )


def authority(url: str) -> str:
    """`host:port` of an address, the port filled in."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}"
