"""What a run breaks, made from its plan: faults, targets to open, and leases on the places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gameday.adapters.toxiproxy.server import ServerChoice
from gameday.model.plan import Plan
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Fault, Lease, Opener
from gameday.scenario.compile import opened_targets, proxied_targets


class Places:
    """Makes the adapters of one run. Nothing is touched by making them.

    `server` is the Toxiproxy of the run, None when the plan needs none.
    """

    def __init__(self, plan: Plan, run_id: str, server: ServerChoice | None) -> None:
        self._plan, self._run, self._server = plan, run_id, server
        self._directory = Path(plan.directory)
        self._commands = plan.environment.commands

    def faults(self) -> Mapping[tuple[str, int], Fault]:
        """By fault and stage; stage 0 is the first strength."""
        found: dict[tuple[str, int], Fault] = {}
        for spec in self._plan.scenario.faults:
            for stage, one in enumerate(spec.strengths):
                found[spec.id, stage] = self.fault(one)
        return found

    def openers(self, evidence: Path | None) -> Mapping[str, Opener]:
        """What makes each target ready; started processes write their output to *evidence*."""
        proxied = proxied_targets(self._plan.scenario, self._plan.environment)
        found: dict[str, Opener] = {}
        for name in opened_targets(self._plan.scenario, self._plan.environment):
            parts: list[Opener] = []
            target = self._target(name)
            if target.is_started:
                parts.append(self._started(target, evidence))
            if name in proxied:
                parts.append(self._proxy(target))
            found[name] = parts[0] if len(parts) == 1 else _several(name, parts)
        return found

    def leases(self) -> list[Lease]:
        """On every place that the run breaks something in."""
        found: list[Lease] = []
        if self._server is not None:
            from gameday.adapters.toxiproxy.lease import Lease as ToxiproxyLease

            found.append(ToxiproxyLease(self._server.url, self._run, server=self._server.process))
        actions = [spec for spec in self._plan.scenario.faults if spec.action is not None]
        broken = {spec.target for spec in actions if _family(spec) == "container"}
        found += [lease for name in sorted(broken) for lease in self._on_containers(name)]
        opened = opened_targets(self._plan.scenario, self._plan.environment)
        hosts = {spec.target for spec in actions if _family(spec) != "container"}
        hosts |= {name for name in opened if self._target(name).is_started}
        found += [self._on_host(name) for name in sorted(hosts)]
        return found

    def fault(self, spec: FaultSpec) -> Fault:
        """One fault, in its first strength."""
        action, target = spec.action, self._target(spec.target)
        if action is None:
            from gameday.adapters.toxiproxy.fault import ToxiproxyFault

            assert self._server is not None  # noqa: S101 - a plan with such a fault needs one
            url, process = self._server.url, self._server.process
            return ToxiproxyFault(url, self._run, target, spec, server=process)
        match action.family:
            case "container":
                from gameday.adapters.docker.fault import ContainerFault

                docker, seed = self._plan.environment.docker, self._plan.seed
                return ContainerFault(docker, self._run, target, spec, seed=seed)
            case "process" | "certificate" | "clock":
                return self._host_fault(action.family, target, spec)
            case _:
                from gameday.adapters.generic.fault import GenericFault

                return GenericFault(
                    self._directory, self._run, target, spec, commands=self._commands
                )

    def _host_fault(self, family: str, target: Target, spec: FaultSpec) -> Fault:
        where, commands = self._directory, self._commands
        if family == "process":
            from gameday.adapters.host.process import ProcessFault

            return ProcessFault(where, self._run, target, spec, commands=commands)
        if family == "clock":
            from gameday.adapters.host.clock import ClockFault

            return ClockFault(where, self._run, target, spec)
        from gameday.adapters.host.certificate import CertificateFault

        return CertificateFault(where, self._run, target, spec, commands=commands)

    def _proxy(self, target: Target) -> Opener:
        from gameday.adapters.toxiproxy.fault import TargetProxy

        assert self._server is not None  # noqa: S101 - a plan with such a target needs one
        return TargetProxy(self._server.url, self._run, target, server=self._server.process)

    def _started(self, target: Target, evidence: Path | None) -> Opener:
        from gameday.adapters.host.started import HostTarget

        return HostTarget(
            self._directory, self._run, target, commands=self._commands, logs=evidence
        )

    def _on_containers(self, name: str) -> list[Lease]:
        from gameday.adapters.docker.lease import leases_on

        docker, seed = self._plan.environment.docker, self._plan.seed
        return list(leases_on(docker, self._run, self._target(name), seed=seed))

    def _on_host(self, name: str) -> Lease:
        from gameday.adapters.host.lease import HostLease

        return HostLease(self._directory, self._run, self._target(name))

    def _target(self, name: str) -> Target:
        return self._plan.environment.targets[name]


def needs_toxiproxy(plan: Plan) -> bool:
    """Whether any traffic of the run goes through a proxy."""
    return bool(proxied_targets(plan.scenario, plan.environment))


def _family(spec: FaultSpec) -> str:
    """Where it breaks something: `container`; all others on this host, or by a call from here."""
    return spec.action.family if spec.action is not None else ""


def _several(name: str, parts: list[Opener]) -> Opener:
    from gameday.adapters.several import SeveralOpeners

    return SeveralOpeners(name, parts)
