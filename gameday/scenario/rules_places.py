"""Rules about the place of each fault: its target has what the fault needs, and may run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gameday.model.diagnostics import Diagnostic
from gameday.model.faults import CALLS
from gameday.model.project import Environment, Target
from gameday.model.scenario import ActionSpec, FaultSpec
from gameday.scenario.node import Path
from gameday.scenario.places import leaves, outside
from gameday.scenario.scope import Scope, rule

#: What is done to a container from a helper container beside it.
HELPED = ("stress", "drop", "reset", "loss", "dns", "blackhole", "disk", "netem")
#: Which part of a target an action's family needs, and how it is written.
_PARTS: Mapping[str, tuple[str, str]] = {
    "container": ("container", "container: payments-1"),
    "process": ("process", "process: {pidfile: run/shop.pid}"),
    "certificate": ("certificate", "certificate: {cert: …, key: …, endpoint: …}"),
    "clock": ("process", "process: {start: [./shop], clock: true}"),
}


def parts_of_targets(scope: Scope) -> Iterator[Diagnostic]:
    """The target of a fault has the part that the fault breaks."""
    for path, fault, target in _faults(scope):
        if fault.action is None:
            if fault.toxic is None and not fault.down:
                continue  # nothing that could be read
            if target.proxy is None or target.listen is None or target.upstream is None:
                yield _missing(
                    scope,
                    "target/no-proxy",
                    path,
                    f"the target `{fault.target}` has no proxy, so nothing can be broken there",
                    f"add `proxy`, `listen` and `upstream` to `{fault.target}`",
                )
        elif fault.action.family in _PARTS:
            part, example = _PARTS[fault.action.family]
            if getattr(target, part) is None:
                yield _missing(
                    scope,
                    f"target/no-{part}",
                    path,
                    f"the target `{fault.target}` has no `{part}`, "
                    f"so no `{fault.kind}` can be put in there",
                    f"add `{example}` to `{fault.target}`",
                )


def ways_back(scope: Scope) -> Iterator[Diagnostic]:
    """What a fault of a process or certificate needs beyond the part itself is there."""
    for path, fault, target in _faults(scope):
        action, process, certificate = fault.action, target.process, target.certificate
        if action is None:
            continue
        kind = (action.family, action.type)
        if kind == ("process", "kill") and process and not (process.restart or process.start):
            yield _missing(
                scope,
                "target/no-restart",
                path,
                f"nothing would bring the process of `{fault.target}` back",
                f"add `restart: […]` to the `process` of `{fault.target}`",
            )
        if action.family == "clock" and process and not (process.clock_file or process.clock):
            yield _missing(
                scope,
                "target/no-clock",
                path,
                f"the process of `{fault.target}` has no clock that could be moved",
                "add `clock: true` beside `start`, or the `clock_file` under which it was started,",
            )
        issued = action.family == "certificate" and action.type != "untrusted"
        if issued and certificate and not (certificate.ca and certificate.ca_key):
            yield _missing(
                scope,
                "target/no-ca",
                path,
                f"a certificate for `{fault.kind}` has to be issued by a test authority, "
                f"and `{fault.target}` has none",
                f"add `ca` and `ca_key` to the `certificate` of `{fault.target}`",
            )


def helper_image(scope: Scope) -> Iterator[Diagnostic]:
    """What is done from a helper container has its image."""
    if scope.environment is None or scope.environment.docker.helper_image is not None:
        return
    for position, fault in enumerate(scope.scenario.faults):
        action = fault.action
        if action is not None and action.family == "container" and action.type in HELPED:
            yield scope.marks.problem(
                "docker/no-helper",
                ("faults", position, "container", "type"),
                f"`{action.type}` is put in from a helper container, and its image is not named",
                f"add `docker: {{helper_image: …}}` to the environment `{scope.environment.name}`",
            )


def commands(scope: Scope) -> Iterator[Diagnostic]:
    """Programs are run only when the environment lists them."""
    environment = scope.environment
    if environment is None:
        return
    for position, fault in enumerate(scope.scenario.faults):
        at: Path = ("faults", position)
        for path, program in (*_called(fault, at), *_of_target(fault, at, environment)):
            if program not in environment.commands:
                yield scope.marks.problem(
                    "command/not-allowed",
                    path,
                    f"`{program}` may not be run in the environment `{environment.name}`",
                    f"add it to `commands` of `{environment.name}`, as it is written here",
                )


def _called(fault: FaultSpec, path: Path) -> Iterator[tuple[Path, str]]:
    """Programs that the calls of a `command` fault run."""
    if fault.action is not None and fault.action.family == "command":
        for name in CALLS:
            if name in fault.action.options:
                program = fault.action.options[name]["run"][0]
                yield (*path, "command", name, "run", 0), program


def _of_target(
    fault: FaultSpec, path: Path, environment: Environment
) -> Iterator[tuple[Path, str]]:
    """Programs that start, restart or reload what a fault breaks."""
    target = environment.targets.get(fault.target)
    if target is None:
        return
    found = []
    if target.process is not None:
        found += [target.process.start, target.process.restart]
    if target.certificate is not None and fault.action and fault.action.family == "certificate":
        found.append(target.certificate.reload)
    for words in found:
        if words:
            yield (*path, "target"), words[0]


def inside_the_project(scope: Scope) -> Iterator[Diagnostic]:
    """Commands are run in folders of the project."""
    if scope.project is None:
        return
    for position, fault in enumerate(scope.scenario.faults):
        if fault.action is None or fault.action.family != "command":
            continue
        for name, folder in _folders(fault.action):
            if leaves(scope.project.directory, folder):
                path = ("faults", position, "command", name, "cwd")
                yield outside(folder, path, scope.marks)


def _folders(action: ActionSpec) -> Iterator[tuple[str, str]]:
    for name in CALLS:
        folder = action.options.get(name, {}).get("cwd")
        if folder is not None:
            yield name, folder


def _faults(scope: Scope) -> Iterator[tuple[Path, FaultSpec, Target]]:
    """Faults whose targets are there, with the place of the target's name."""
    for position, fault in enumerate(scope.scenario.faults):
        target = scope.environment.targets.get(fault.target) if scope.environment else None
        if target is not None:
            yield ("faults", position, "target"), fault, target


def _missing(scope: Scope, code: str, path: Path, summary: str, hint: str) -> Diagnostic:
    name = scope.environment.name if scope.environment else ""
    return scope.marks.problem(code, path, summary, f"{hint} in the environment `{name}`")


RULES = (
    rule(
        parts_of_targets,
        "target/no-proxy",
        "target/no-container",
        "target/no-process",
        "target/no-certificate",
        needs=("faults",),
        linked=True,
    ),
    rule(
        ways_back,
        "target/no-restart",
        "target/no-clock",
        "target/no-ca",
        needs=("faults",),
        linked=True,
    ),
    rule(helper_image, "docker/no-helper", needs=("faults",), linked=True),
    rule(commands, "command/not-allowed", needs=("faults",), linked=True),
    rule(inside_the_project, "path/outside", needs=("faults",), linked=True),
)
