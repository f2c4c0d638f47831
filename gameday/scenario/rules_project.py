"""Rules about a scenario in its project: targets, services, alerts and runbooks are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from gameday.model.diagnostics import Diagnostic
from gameday.model.project import Project, Target
from gameday.model.scenario import AlertExpectation
from gameday.scenario.convert import authority
from gameday.scenario.node import Marks, Path
from gameday.scenario.sample import subjects
from gameday.scenario.scope import Scope, rule
from gameday.scenario.suggest import did_you_mean

#: The burn-rate alerts that gameday evaluates for each SLO: of availability, and of latency.
BURN_ALERTS = ("SLOFastBurnAvailability", "SLOFastBurnLatency")
BURN_RECEIVER = "gameday"


def known_service(scope: Scope) -> Iterator[Diagnostic]:
    """The service under test is one of the project's, if it lists any."""
    services = scope.project.services if scope.project else {}
    if services and scope.scenario.service not in services:
        yield scope.marks.problem(
            "service/unknown",
            ("service",),
            f"there is no service `{scope.scenario.service}` in the project",
            did_you_mean(scope.scenario.service, services),
        )


def load_target(scope: Scope) -> Iterator[Diagnostic]:
    """The load goes to a target with an address."""
    name, path = scope.scenario.load.target, ("load", "target")
    target = _target(scope, name)
    if target is None:
        yield _unknown_target(scope, name, path)
    elif target.url is None:
        yield scope.marks.problem(
            "target/no-url",
            path,
            f"the target `{name}` has no `url`, so no load can go there",
            f'add `url: "http://…"` to `{name}` in the environment `{_environment(scope)}`',
        )


def fault_targets(scope: Scope) -> Iterator[Diagnostic]:
    """The target of a fault is one of the environment's."""
    for position, fault in enumerate(scope.scenario.faults):
        if _target(scope, fault.target) is None:
            yield _unknown_target(scope, fault.target, ("faults", position, "target"))


def load_takes_the_proxy(scope: Scope) -> Iterator[Diagnostic]:
    """Load on a target with a fault goes through the proxy, not around it."""
    target = _target(scope, scope.scenario.load.target)
    if target is None or target.url is None or target.upstream is None:
        return
    broken = {fault.target for fault in scope.scenario.faults if fault.on_proxy}
    if target.name in broken and authority(target.url) == target.upstream:
        yield scope.marks.problem(
            "target/bypasses-proxy",
            ("load", "target"),
            f"the load goes to `{target.url}`, around the proxy in which the fault is",
            f"let `url` be the proxy's own address, `http://{target.listen}`",
        )


def locustfile(scope: Scope) -> Iterator[Diagnostic]:
    """The user's own locustfile is there."""
    name = scope.scenario.load.locustfile
    if scope.project is None or name is None:
        return
    if not _there(scope.project, name, FilePath.is_file):
        yield scope.marks.problem(
            "load/locustfile",
            ("load", "locustfile"),
            f"there is no file `{name}`",
            "write its path relative to the folder of `gameday.yaml`",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAlert:
    """A built-in alert as far as a scenario can expect it; `subject` None is the whole load."""

    labels: Mapping[str, str]
    receiver: str
    subject: str | None = None


def builtin_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """Where the built-in alerts are used, an expected alert is one of them, as it is expected."""
    if scope.project is None or scope.environment is None:
        return
    if scope.environment.alerting.names:
        return
    known = known_alerts(scope.project, scope.scenario.service)
    for position, expected in enumerate(scope.scenario.expect.alerts):
        path = ("expect", "alerts", position)
        if expected.alert not in known:
            yield scope.marks.problem(
                "alert/unknown",
                (*path, "alert"),
                f"there is no built-in alert `{expected.alert}`",
                did_you_mean(expected.alert, known, what="in `gameday.yaml` there is"),
            )
            continue
        alternatives = known[expected.alert]
        fitting = [one for one in alternatives if expected.labels.items() <= one.labels.items()]
        if not fitting:
            yield from _other_labels(scope, expected, alternatives[0], path)
        yield from _as_expected(scope, expected, (fitting or alternatives)[0], path)


def known_alerts(project: Project, service: str) -> dict[str, list[KnownAlert]]:
    """What gameday evaluates itself: the project's alerts, and burn rates of the SLOs."""
    known = {
        alert.name: [
            KnownAlert(
                labels={**alert.labels, "alertname": alert.name},
                receiver=alert.receiver,
                subject=alert.when.subject,
            )
        ]
        for alert in project.alerts
    }
    for slo in project.services[service].slos if service in project.services else ():
        name = BURN_ALERTS[slo.latency_ms is not None]
        labels = {"alertname": name, "severity": "page", "slo": slo.name, "service": service}
        known.setdefault(name, []).append(KnownAlert(labels=labels, receiver=BURN_RECEIVER))
    return known


def _other_labels(
    scope: Scope, expected: AlertExpectation, alert: KnownAlert, path: Path
) -> Iterator[Diagnostic]:
    for label, value in expected.labels.items():
        has = alert.labels.get(label)
        if has != value:
            now = f"has no label `{label}`" if has is None else f"has `{label}: {has}`"
            yield scope.marks.problem(
                "alert/labels-differ",
                (*path, "labels", label),
                f"the built-in alert `{expected.alert}` {now}",
                f"write `{label}: {value}` in `gameday.yaml`, or expect what it has",
            )


def _as_expected(
    scope: Scope, expected: AlertExpectation, alert: KnownAlert, path: Path
) -> Iterator[Diagnostic]:
    if expected.receiver not in (None, alert.receiver):
        yield scope.marks.problem(
            "alert/receiver-differs",
            (*path, "receiver"),
            f"the built-in alert `{expected.alert}` goes to `{alert.receiver}`",
            f"write `receiver: {expected.receiver}` in `gameday.yaml`, or expect what it has",
        )
    known = subjects(scope.scenario.load) if "load" not in scope.broken else None
    if known is not None and alert.subject is not None and alert.subject not in known:
        yield scope.marks.problem(
            "alert/cannot-fire",
            (*path, "alert"),
            f"`{expected.alert}` looks at `{alert.subject}`, which is neither a journey "
            "nor a request of this load",
            did_you_mean(alert.subject, known),
        )


def expected_runbooks(scope: Scope) -> Iterator[Diagnostic]:
    """Every runbook that a scenario names is there."""
    if scope.project is None:
        return
    if "expect.alerts" not in scope.broken:
        for position, alert in enumerate(scope.scenario.expect.alerts):
            if alert.runbook is not None:
                path: Path = ("expect", "alerts", position, "runbook")
                yield from _runbook(scope.project, alert.runbook, path, scope.marks)
    if "expect.runbooks" not in scope.broken:
        for position, runbook in enumerate(scope.scenario.expect.runbooks):
            path = ("expect", "runbooks", position, "path")
            yield from _runbook(scope.project, runbook.path, path, scope.marks)


def alert_servers_of(project: Project, marks: Marks) -> Iterator[Diagnostic]:
    """An Alertmanager tells what it was sent; when an alert began to fire only Prometheus knows."""
    for name, environment in project.environments.items():
        alerting = environment.alerting
        if alerting.says_firing or not alerting.names:
            continue
        if alerting.http_json:
            names = ", ".join(f"`{source.name}`" for source in alerting.http_json)
            yield marks.problem(
                "alerting/no-firing",
                ("environments", name, "alerts", "http_json"),
                f"the environment `{name}` has no source that can say when an alert fired: {names}",
                "map `started`, or add `prometheus: {url: ...}`",
                key=True,
            )
        else:
            yield marks.problem(
                "project/alertmanager-alone",
                ("environments", name, "alerts"),
                f"the environment `{name}` has an Alertmanager and no Prometheus",
                "add `prometheus: {url: ...}`, or leave out `alerts` to use the built-in ones",
                key=True,
            )


def project_runbooks(project: Project, marks: Marks) -> Iterator[Diagnostic]:
    """Every runbook and folder that the project names is there."""
    for alert in project.alerts:
        if alert.runbook is not None:
            yield from _runbook(project, alert.runbook, ("alerts", alert.name, "runbook"), marks)
    if marks.root is None or marks.root.child("runbooks") is None:
        return  # the folder meant by default need not be there
    for position, folder in enumerate(project.runbooks):
        if not _there(project, folder, FilePath.is_dir):
            yield marks.problem(
                "runbook/folder",
                ("runbooks", position),
                f"there is no folder `{folder}`",
                "make it, or remove it from the list",
            )


def _runbook(project: Project, name: str, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if name.startswith(("http://", "https://")):
        host, port = _host(name)
        if not {host, f"{host}:{port}"} & {one.lower() for one in project.runbook_hosts}:
            yield marks.problem(
                "runbook/host",
                path,
                f"runbooks may not be fetched from `{host}`",
                "add the host to `runbook_hosts` in `gameday.yaml`",
            )
    elif not _there(project, name, FilePath.is_file):
        yield marks.problem(
            "runbook/missing",
            path,
            f"there is no runbook `{name}`",
            "write its path relative to the folder of `gameday.yaml`",
        )


def _host(url: str) -> tuple[str, int | None]:
    """Host and port of a link, as they may stand in `runbook_hosts`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url, None
    return f"[{host}]" if ":" in host else host, port


def _there(project: Project, name: str, is_right: Callable[[FilePath], bool]) -> bool:
    """Whether a path as written in the files, relative to the project, is what it should be."""
    try:
        return is_right(FilePath(project.directory) / name)
    except (OSError, ValueError):  # a name that no file could have
        return False


def _target(scope: Scope, name: str) -> Target | None:
    return scope.environment.targets.get(name) if scope.environment else None


def _environment(scope: Scope) -> str:
    return scope.environment.name if scope.environment else ""


def _unknown_target(scope: Scope, name: str, path: Path) -> Diagnostic:
    known = scope.environment.targets if scope.environment else {}
    return scope.marks.problem(
        "target/unknown",
        path,
        f"there is no target `{name}` in the environment `{_environment(scope)}`",
        did_you_mean(name, known),
    )


RULES = (
    rule(known_service, "service/unknown", needs=("service",), linked=True),
    rule(load_target, "target/unknown", "target/no-url", needs=("load",), linked=True),
    rule(fault_targets, "target/unknown", needs=("faults",), linked=True),
    rule(load_takes_the_proxy, "target/bypasses-proxy", needs=("load", "faults"), linked=True),
    rule(locustfile, "load/locustfile", needs=("load",), linked=True),
    rule(
        builtin_alerts,
        "alert/unknown",
        "alert/labels-differ",
        "alert/receiver-differs",
        "alert/cannot-fire",
        needs=("expect.alerts",),
        linked=True,
    ),
    rule(expected_runbooks, "runbook/missing", "runbook/host", linked=True),
)
