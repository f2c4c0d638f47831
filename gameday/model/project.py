"""The project file (`gameday.yaml`): where things are. One environment is chosen for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gameday.model.criteria import Criterion

#: Environments in which a stop signal that cannot be read only warns.
LENIENT_ENVIRONMENTS = ("local", "ci")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that can be loaded or broken.

    `url` is where load goes; `proxy`, `listen` and `upstream` describe its Toxiproxy proxy. `probe`
    says how gameday looks through the proxy: `http:/path`, `postgres`, `redis` or `tcp`.
    """

    name: str
    url: str | None = None
    proxy: str | None = None
    listen: str | None = None
    upstream: str | None = None
    probe: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingSpec:
    """Where alerts are read. With no source the built-in alerts are used."""

    prometheus_url: str | None = None
    alertmanager_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One place to run in."""

    name: str
    targets: Mapping[str, Target] = field(default_factory=dict)
    toxiproxy_url: str | None = None
    alerting: AlertingSpec = AlertingSpec()
    receiver_listen: str = "127.0.0.1:0"
    receiver_token: str | None = None  # a fixed token, when something outside must know the address


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective of a service: `share` of requests good; good in time if `latency_ms` is set."""

    name: str
    share: float
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service, its tier and its objectives."""

    name: str
    tier: int | None = None
    slos: tuple[Slo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinAlert:
    """An alert that gameday itself evaluates each second on the load's own windows."""

    name: str
    when: Criterion
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook: str | None = None
    receiver: str = "gameday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The whole file. `directory` is where it lies: paths in it are relative to that."""

    environments: Mapping[str, Environment] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    alerts: tuple[BuiltinAlert, ...] = ()
    runbooks: tuple[str, ...] = ("runbooks",)
    runbook_hosts: tuple[str, ...] = ()  # hosts from which a runbook link may be fetched
    file: str = ""
    directory: str = ""
