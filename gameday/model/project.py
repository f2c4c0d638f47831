"""The project file (`gameday.yaml`): where things are. One environment is chosen for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gameday.model.criteria import Criterion
from gameday.model.finding_record import FindingsPolicy
from gameday.model.notices import NoticeSpec
from gameday.model.pipeline import WATCHDOG
from gameday.model.policy import Policy
from gameday.model.secret import SecretRef
from gameday.model.sources import SourceSpec, judging
from gameday.model.tickets import TicketSpec

#: Kinds of environments in which a stop signal that cannot be read only warns.
LENIENT_ENVIRONMENTS = ("local", "ci")
#: All kinds. An environment with another name is of the kind `staging` unless it says otherwise.
ENVIRONMENT_KINDS = (*LENIENT_ENVIRONMENTS, "staging", "production")
_MEANT = {"prod": "production", "live": "production", **{k: k for k in ENVIRONMENT_KINDS}}


def kind_of_environment(name: str) -> str:
    """The kind that a name stands for: `prod` is production, an unknown one is staging."""
    return _MEANT.get(name.lower(), "staging")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRef:
    """Docker containers: by `name`, or all with a `label` (`key=value`) that are running.

    With `pick` `one` the seed chooses among several, with `all` all of them are meant.
    """

    name: str | None = None
    label: str | None = None
    pick: str = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRef:
    """A process on this host: named by its `pidfile`, or started by us with `start`.

    `restart` is the command that brings it back. `clock_file` is the FAKETIME_TIMESTAMP_FILE under
    which it was started (with libfaketime and FAKETIME_NO_CACHE=1); `clock` starts it that way.
    """

    pidfile: str | None = None
    start: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    clock_file: str | None = None
    clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRef:
    """The certificate files of a test endpoint, and how it is made to read them again.

    `ca` and `ca_key` are the test authority that issued it; only `untrusted` does without. After a
    change `reload` is run, or the process in `pidfile` gets SIGHUP; `endpoint` (`host:port`) is
    where the certificate is read back.
    """

    cert: str
    key: str
    endpoint: str
    ca: str | None = None
    ca_key: str | None = None
    reload: tuple[str, ...] = ()
    pidfile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSpec:
    """The Docker engine. Without a `url`, DOCKER_HOST or the usual socket of this host.

    `helper_image` has iptables, tc and stress-ng; it is never pulled. `allow` lists containers that
    may be broken without carrying the label `gameday.allow=true`.
    """

    url: str | None = None
    helper_image: str | None = None
    allow: tuple[str, ...] = ()


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
    address: str | None = None  # `host:port` to look at where there is no proxy
    container: ContainerRef | None = None
    process: ProcessRef | None = None
    certificate: CertificateRef | None = None

    @property
    def is_started(self) -> bool:
        """Whether the run itself starts (and ends) its process."""
        return self.process is not None and bool(self.process.start)

    @property
    def probed_at(self) -> str | None:
        """Where our probe looks at it: through its proxy, or else at its own address."""
        return self.listen or self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingSpec:
    """Where alerts are read. With no source the built-in alerts are used.

    Of the sources over HTTP (`http_json`) the first that can says when alerts fire, unless there
    is a Prometheus. `proof` is how it is shown before the baseline that alerts get through.
    """

    prometheus_url: str | None = None
    alertmanager_url: str | None = None
    http_json: tuple[SourceSpec, ...] = ()
    proof: str = "off"
    watchdog: str = WATCHDOG

    @property
    def says_firing(self) -> bool:
        """Whether one of its sources can say when an alert fired."""
        return self.prometheus_url is not None or judging(self.http_json) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its sources, those that say when alerts fire first."""
        given = (("prometheus", self.prometheus_url), ("alertmanager", self.alertmanager_url))
        first = judging(self.http_json) if self.prometheus_url is None else None
        http = sorted(self.http_json, key=lambda source: source is not first)
        named = [name for name, url in given if url]
        if first is not None:
            return (*(source.name for source in http), *named)
        return (*named, *(source.name for source in http))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlace:
    """Where workers of the load on other hosts come to, and the token that they have to know."""

    listen: str = "127.0.0.1:5557"
    token: str | SecretRef | None = None
    wait_ms: int = 30_000  # how long they are waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One place to run in."""

    name: str
    targets: Mapping[str, Target] = field(default_factory=dict)
    toxiproxy_url: str | None = None
    alerting: AlertingSpec = AlertingSpec()
    receiver_listen: str = "127.0.0.1:0"
    receiver_token: str | SecretRef | None = None  # fixed, when something outside must know it
    pagerduty_secret: SecretRef | None = None  # with which PagerDuty signs what it sends to us
    kind: str = "local"
    docker: DockerSpec = DockerSpec()
    load: LoadPlace = LoadPlace()
    commands: tuple[str, ...] = ()  # programs that faults and restarts may run
    policy: Policy = field(default_factory=Policy)

    @property
    def lenient(self) -> bool:
        """Whether a stop signal that cannot be read only warns here."""
        return self.kind in LENIENT_ENVIRONMENTS


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
    runbook_commands: tuple[str, ...] = ()  # programs that exist where runbooks are followed
    findings: FindingsPolicy = field(default_factory=FindingsPolicy)
    notices: tuple[NoticeSpec, ...] = ()
    tickets: TicketSpec | None = None
    file: str = ""
    directory: str = ""
