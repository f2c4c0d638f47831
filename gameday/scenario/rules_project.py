"""Rules about a scenario in its project: targets, services, alerts and runbooks are there."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gameday.model.diagnostics import Diagnostic
from gameday.model.project import BuiltinAlert, Target
from gameday.model.scenario import AlertExpectation
from gameday.scenario.convert import authority
from gameday.scenario.node import Marks, Path
from gameday.scenario.sample import subjects
from gameday.scenario.scope import Scope, rule
from gameday.scenario.suggest import did_you_mean


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
    """A fault is in a target with a proxy."""
    for position, fault in enumerate(scope.scenario.faults):
        path = ("faults", position, "target")
        target = _target(scope, fault.target)
        if target is None:
            yield _unknown_target(scope, fault.target, path)
        elif target.proxy is None or target.listen is None or target.upstream is None:
            yield scope.marks.problem(
                "target/no-proxy",
                path,
                f"the target `{fault.target}` has no proxy, so nothing can be broken there",
                f"add `proxy`, `listen` and `upstream` to `{fault.target}` "
                f"in the environment `{_environment(scope)}`",
            )


def load_takes_the_proxy(scope: Scope) -> Iterator[Diagnostic]:
    """Load on a target with a fault goes through the proxy, not around it."""
    target = _target(scope, scope.scenario.load.target)
    if target is None or target.url is None or target.upstream is None:
        return
    broken = {fault.target for fault in scope.scenario.faults}
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
    if name is not None and not _is_file(scope, name):
        yield scope.marks.problem(
            "load/locustfile",
            ("load", "locustfile"),
            f"there is no file `{name}`",
            "write its path relative to the folder of `gameday.yaml`",
        )


def builtin_alerts(scope: Scope) -> Iterator[Diagnostic]:
    """Where the built-in alerts are used, an expected alert is one of them, as it is expected."""
    if scope.project is None or scope.environment is None:
        return
    alerting = scope.environment.alerting
    if alerting.prometheus_url is not None or alerting.alertmanager_url is not None:
        return
    builtin = {alert.name: alert for alert in scope.project.alerts}
    for position, expected in enumerate(scope.scenario.expect.alerts):
        path = ("expect", "alerts", position)
        alert = builtin.get(expected.alert)
        if alert is None:
            yield scope.marks.problem(
                "alert/unknown",
                (*path, "alert"),
                f"there is no built-in alert `{expected.alert}`",
                did_you_mean(expected.alert, builtin, what="in `gameday.yaml` there is"),
            )
        else:
            yield from _as_expected(scope, alert, expected, path)


def _as_expected(
    scope: Scope, alert: BuiltinAlert, expected: AlertExpectation, path: Path
) -> Iterator[Diagnostic]:
    has = {**alert.labels, "alertname": alert.name}
    for label, value in expected.labels.items():
        if has.get(label) != value:
            now = f"has `{label}: {has[label]}`" if label in has else f"has no label `{label}`"
            yield scope.marks.problem(
                "alert/labels-differ",
                (*path, "labels", label),
                f"the built-in alert `{alert.name}` {now}",
                f"write `{label}: {value}` in `gameday.yaml`, or expect what it has",
            )
    if expected.receiver not in (None, alert.receiver):
        yield scope.marks.problem(
            "alert/receiver-differs",
            (*path, "receiver"),
            f"the built-in alert `{alert.name}` goes to `{alert.receiver}`",
            f"write `receiver: {expected.receiver}` in `gameday.yaml`, or expect what it has",
        )
    known = subjects(scope.scenario.load) if "load" not in scope.broken else None
    subject = alert.when.subject
    if known is not None and subject is not None and subject not in known:
        yield scope.marks.problem(
            "alert/cannot-fire",
            (*path, "alert"),
            f"`{alert.name}` looks at `{subject}`, which is neither a journey "
            "nor a request of this load",
            did_you_mean(subject, known),
        )


def expected_runbooks(scope: Scope) -> Iterator[Diagnostic]:
    """Every runbook that a scenario names is there."""
    if "expect.alerts" not in scope.broken:
        for position, alert in enumerate(scope.scenario.expect.alerts):
            if alert.runbook is not None:
                path: Path = ("expect", "alerts", position, "runbook")
                yield from _runbook(scope, alert.runbook, path, scope.marks)
    if "expect.runbooks" not in scope.broken:
        for position, runbook in enumerate(scope.scenario.expect.runbooks):
            path = ("expect", "runbooks", position, "path")
            yield from _runbook(scope, runbook.path, path, scope.marks)


def project_runbooks(scope: Scope) -> Iterator[Diagnostic]:
    """Every runbook and folder that the project names is there."""
    if scope.project is None:
        return
    for alert in scope.project.alerts:
        if alert.runbook is not None:
            path = ("alerts", alert.name, "runbook")
            yield from _runbook(scope, alert.runbook, path, scope.project_marks)
    for position, folder in enumerate(scope.project.runbooks):
        written = scope.project_marks.root is not None and scope.project_marks.root.child(
            "runbooks"
        )
        if written and not _is_folder(scope, folder):
            yield scope.project_marks.problem(
                "runbook/folder",
                ("runbooks", position),
                f"there is no folder `{folder}`",
                "make it, or remove it from the list",
            )


def _runbook(scope: Scope, name: str, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if name.startswith(("http://", "https://")):
        allowed = scope.project.runbook_hosts if scope.project else ()
        host = _host(name)
        if host not in allowed:
            yield marks.problem(
                "runbook/host",
                path,
                f"runbooks may not be fetched from `{host}`",
                "add the host to `runbook_hosts` in `gameday.yaml`",
            )
    elif not _is_file(scope, name):
        yield marks.problem(
            "runbook/missing",
            path,
            f"there is no runbook `{name}`",
            "write its path relative to the folder of `gameday.yaml`",
        )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return url


def _is_file(scope: Scope, name: str) -> bool:
    try:
        return scope.file_of(name).is_file()
    except (OSError, ValueError):  # a name that no file could have
        return False


def _is_folder(scope: Scope, name: str) -> bool:
    try:
        return scope.file_of(name).is_dir()
    except (OSError, ValueError):
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
    rule(fault_targets, "target/unknown", "target/no-proxy", needs=("faults",), linked=True),
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
#: Rules of the project alone; a scenario's scope is needed only for the paths.
PROJECT_RULES = (
    rule(project_runbooks, "runbook/missing", "runbook/host", "runbook/folder", linked=True),
)
