"""From the documents of environments and targets to the values of the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as FilePath

from gameday.model.diagnostics import Diagnostic
from gameday.model.pipeline import WATCHDOG
from gameday.model.project import (
    AlertingSpec,
    CertificateRef,
    ContainerRef,
    DockerSpec,
    Environment,
    LoadPlace,
    ProcessRef,
    Target,
    kind_of_environment,
)
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.place_docs import (
    AlertingDoc,
    CertificateDoc,
    ContainerDoc,
    EnvironmentDoc,
    ProcessDoc,
    TargetDoc,
)
from gameday.scenario.policies import policy_of
from gameday.scenario.secret_rules import secret_ref, unclear
from gameday.scenario.sources import source_of, wrong_source
from gameday.scenario.suggest import did_you_mean


def environment_of(
    name: str, doc: EnvironmentDoc, path: Path, marks: Marks, *, directory: FilePath
) -> tuple[Environment, list[Diagnostic]]:
    """The environment, and what is wrong in it."""
    kind = doc.kind or kind_of_environment(name)
    policy, found = policy_of(doc, kind, (*path, "policy"), marks)
    token = doc.receiver.token
    found.extend(unclear(token, (*path, "receiver", "token"), marks))
    signs = doc.receiver.pagerduty_secret
    found.extend(unclear(signs, (*path, "receiver", "pagerduty_secret"), marks))
    found.extend(unclear(doc.load.token, (*path, "load", "token"), marks))
    environment = Environment(
        name=name,
        kind=kind,
        targets={key: _target(key, target) for key, target in doc.targets.items()},
        toxiproxy_url=doc.toxiproxy.url if doc.toxiproxy else None,
        alerting=_alerting(doc.alerts),
        load=LoadPlace(
            listen=doc.load.listen,
            token=None if doc.load.token is None else secret_ref(doc.load.token),
            wait_ms=doc.load.wait,
        ),
        receiver_listen=doc.receiver.listen,
        receiver_token=secret_ref(token) if isinstance(token, SecretDoc) else token,
        pagerduty_secret=None if signs is None else secret_ref(signs),
        docker=DockerSpec(
            url=doc.docker.url,
            helper_image=doc.docker.helper_image,
            allow=tuple(doc.docker.allow),
        ),
        commands=tuple(doc.commands),
        policy=policy,
    )
    found.extend(_wrong_sources(doc, path, marks))
    found.extend(_wrong_proof(doc, environment.alerting, (*path, "alerts"), marks))
    for key, target in doc.targets.items():
        found.extend(_wrong_target(key, target, (*path, "targets", key), marks))
    found.extend(_shared(environment, path, marks))
    found.extend(_outside(doc, path, marks, directory))
    return environment, found


def leaves(directory: str | FilePath, written: str) -> bool:
    """Whether a path as written in the files leads out of the project's folder."""
    base = os.path.normpath(directory)
    path = os.path.normpath(os.path.join(base, written))  # noqa: PTH118 - lexical on purpose
    return path != base and not path.startswith(base.rstrip(os.sep) + os.sep)


def outside(written: str, path: Path, marks: Marks) -> Diagnostic:
    """The diagnostic for a path that leads out of the project."""
    return marks.problem(
        "path/outside",
        path,
        f"`{written}` is outside of the project's folder",
        "write a path in the folder of `gameday.yaml`, relative to it",
    )


def _target(name: str, doc: TargetDoc) -> Target:
    return Target(
        name=name,
        url=doc.url,
        proxy=doc.proxy,
        listen=doc.listen,
        upstream=doc.upstream,
        probe=doc.probe,
        address=doc.address,
        container=_container(doc.container),
        process=_process(doc.process),
        certificate=_certificate(doc.certificate),
    )


def _container(doc: str | ContainerDoc | None) -> ContainerRef | None:
    if doc is None or isinstance(doc, str):
        return ContainerRef(name=doc) if doc else None
    return ContainerRef(name=doc.name, label=doc.label, pick=doc.pick or "one")


def _process(doc: ProcessDoc | None) -> ProcessRef | None:
    if doc is None:
        return None
    return ProcessRef(
        pidfile=doc.pidfile,
        start=tuple(doc.start),
        restart=tuple(doc.restart),
        clock_file=doc.clock_file,
        clock=doc.clock,
    )


def _certificate(doc: CertificateDoc | None) -> CertificateRef | None:
    if doc is None:
        return None
    return CertificateRef(
        cert=doc.cert,
        key=doc.key,
        endpoint=doc.endpoint,
        ca=doc.ca,
        ca_key=doc.ca_key,
        reload=tuple(doc.reload),
        pidfile=doc.pidfile,
    )


def _alerting(doc: AlertingDoc) -> AlertingSpec:
    used = doc.sources or ["prometheus", "alertmanager", *doc.http_json]
    return AlertingSpec(
        prometheus_url=doc.prometheus.url if doc.prometheus and "prometheus" in used else None,
        alertmanager_url=(
            doc.alertmanager.url if doc.alertmanager and "alertmanager" in used else None
        ),
        http_json=tuple(
            source_of(name, source) for name, source in doc.http_json.items() if name in used
        ),
        proof=doc.pipeline_proof,
        watchdog=doc.watchdog or WATCHDOG,
    )


def _wrong_sources(doc: EnvironmentDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    known = ("prometheus", "alertmanager", *doc.alerts.http_json)
    for position, source in enumerate(doc.alerts.sources):
        at = (*path, "alerts", "sources", position)
        if source not in known:
            hint = did_you_mean(source, known)
            yield marks.problem("alerting/source", at, f"there is no source `{source}`", hint)
        elif source not in doc.alerts.http_json and getattr(doc.alerts, source) is None:
            yield marks.problem(
                "alerting/source",
                at,
                f"the source `{source}` has no address",
                f'add `{source}: {{url: "http://…"}}`',
            )
    for name, one in doc.alerts.http_json.items():
        yield from wrong_source(name, one, (*path, "alerts", "http_json", name), marks)


def _wrong_proof(
    doc: EnvironmentDoc, alerting: AlertingSpec, path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    """A proof needs the server that it asks; the name of a watchdog needs that proof."""
    kind = doc.alerts.pipeline_proof
    if doc.alerts.watchdog is not None and kind != "watchdog":
        yield marks.problem(
            "alerting/proof",
            (*path, "watchdog"),
            "`watchdog` names an alert that nothing asks for",
            "write `pipeline_proof: watchdog`, or remove it",
            key=True,
        )
    needs = {"watchdog": "prometheus", "synthetic": "alertmanager"}.get(kind)
    if needs is not None and getattr(alerting, f"{needs}_url") is None:
        yield marks.problem(
            "alerting/proof",
            (*path, "pipeline_proof"),
            f"`{kind}` needs a source `{needs}`, and this environment uses none",
            f'add `{needs}: {{url: "http://…"}}`, or write `pipeline_proof: off`',
        )


def _wrong_target(name: str, doc: TargetDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    parts = {"proxy": doc.proxy, "listen": doc.listen, "upstream": doc.upstream}
    missing = [part for part, value in parts.items() if value is None]
    if missing and len(missing) < 3:
        yield marks.problem(
            "target/incomplete-proxy",
            path,
            f"the target `{name}` has no {' and no '.join(f'`{part}`' for part in missing)}",
            "a proxy needs its name, where it listens, and its upstream",
            key=True,
        )
    if isinstance(doc.container, ContainerDoc):
        yield from _wrong_container(doc.container, (*path, "container"), marks)
    if doc.process is not None:
        yield from _wrong_process(doc.process, (*path, "process"), marks)
    certificate = doc.certificate
    if certificate is not None and (certificate.ca is None) != (certificate.ca_key is None):
        there, other = ("ca", "ca_key") if certificate.ca_key is None else ("ca_key", "ca")
        yield marks.problem(
            "target/certificate",
            (*path, "certificate", there),
            f"`{there}` without `{other}`",
            "a test authority needs its certificate and its private key",
            key=True,
        )


def _wrong_container(doc: ContainerDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if (doc.name is None) == (doc.label is None):
        how = "both `name` and" if doc.name is not None else "neither `name` nor"
        yield marks.problem(
            "target/container",
            path,
            f"the container has {how} `label`",
            "write `{name: payments-1}`, or `{label: app=payments, pick: one}`",
            key=True,
        )
    elif doc.pick is not None and doc.label is None:
        yield marks.problem(
            "target/container",
            (*path, "pick"),
            "`pick` without `label`: a name means one container",
            "remove it",
            key=True,
        )


def _wrong_process(doc: ProcessDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    for part in ("start", "restart"):
        words = getattr(doc, part)
        if marks.has((*path, part)) and not (words and words[0].strip()):
            yield marks.problem(
                "value/empty", (*path, part), f"the command `{part}` is empty", "write one"
            )
    if (doc.pidfile is None) == (not doc.start):
        how = "both `pidfile` and" if doc.start else "neither `pidfile` nor"
        yield marks.problem(
            "target/process",
            path,
            f"the process has {how} `start`",
            "write `pidfile: run/shop.pid` for one that runs, or `start: [./shop]` for one of ours",
            key=True,
        )
    elif doc.clock and not doc.start:
        yield marks.problem(
            "target/process",
            (*path, "clock"),
            "`clock` without `start`: only a process that gameday starts gets a clock of its own",
            "write `start`, or name the `clock_file` under which it was started",
            key=True,
        )


def _shared(environment: Environment, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    """Nothing belongs to two targets: one undo could not know of the other's fault."""
    taken: dict[tuple[str, str], str] = {}
    for name, target in environment.targets.items():
        for steps, value, what in _belongings(target):
            owner = taken.setdefault((what, value), name)
            if owner != name:
                proxy = what in ("proxy", "listen")
                yield marks.problem(
                    "target/same-proxy" if proxy else "target/same-place",
                    (*path, "targets", name, *steps),
                    f"`{steps[-1]}: {value}` is also that of the target `{owner}`",
                    "give each target a proxy of its own" if proxy else "keep one of the targets",
                )


def _belongings(target: Target) -> Iterator[tuple[Path, str, str]]:
    """What may belong to one target only: where it stands, its value, and what it is."""
    for part in ("proxy", "listen"):
        if (value := getattr(target, part)) is not None:
            yield (part,), value, part
    if (container := target.container) is not None:
        for part in ("name", "label"):
            if (value := getattr(container, part)) is not None:
                yield ("container", part), value, f"container {part}"
    if target.process is not None and target.process.pidfile is not None:
        yield ("process", "pidfile"), target.process.pidfile, "pidfile"
    if target.certificate is not None:
        yield ("certificate", "cert"), os.path.normpath(target.certificate.cert), "cert"


def _outside(
    doc: EnvironmentDoc, path: Path, marks: Marks, directory: FilePath
) -> Iterator[Diagnostic]:
    for at, written in _paths(doc):
        if leaves(directory, written):
            yield outside(written, (*path, *at), marks)


def _paths(doc: EnvironmentDoc) -> Iterator[tuple[Path, str]]:
    """Paths that have to be in the project. A pidfile, an engine's socket and a secret need not."""
    for name, target in doc.targets.items():
        at: Path = ("targets", name)
        if target.process is not None and target.process.clock_file is not None:
            yield (*at, "process", "clock_file"), target.process.clock_file
        for part in ("cert", "key", "ca", "ca_key"):
            written = getattr(target.certificate, part, None)
            if written is not None:
                yield (*at, "certificate", part), written
    policy = doc.policy
    if policy.budget is not None and policy.budget.file is not None:
        yield ("policy", "budget", "file"), policy.budget.file
    if policy.approvals.signers is not None:
        yield ("policy", "approvals", "signers"), policy.approvals.signers
    yield ("policy", "approvals", "folder"), policy.approvals.folder
