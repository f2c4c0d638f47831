"""The environments of the project file as people write them, key by key."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from gameday.model.pipeline import PROOF_KINDS
from gameday.model.project import ENVIRONMENT_KINDS
from gameday.scenario import fields as f
from gameday.scenario import fields_places as p
from gameday.scenario.call_docs import Argument, Command, SecretDoc
from gameday.scenario.policy_docs import PolicyDoc
from gameday.scenario.source_docs import HttpSourceDoc
from gameday.scenario.validate import GIVEN, Either, about, document

Text = Annotated[str, f.TEXT]
Name = Annotated[str, f.NAME]


@document
class ContainerDoc:
    """Docker containers. Exactly one of `name` and `label`."""

    name: Annotated[str | None, p.CONTAINER, about("its name")] = None
    label: Annotated[str | None, p.LABEL, about("a label of them, `key=value`")] = None
    pick: Annotated[
        str | None,
        f.choice(("one", "all")),
        about("of several with the label: one that the seed chooses, or all; one unless given"),
    ] = None


@document
class ProcessDoc:
    """A process on this host. Exactly one of `pidfile` and `start`."""

    pidfile: Annotated[str | None, f.TEXT, about("the file that holds its process id")] = None
    start: Annotated[Command, about("the command that gameday starts it with")] = field(
        default_factory=list
    )
    restart: Annotated[Command, about("the command that brings it back")] = field(
        default_factory=list
    )
    clock_file: Annotated[
        str | None, f.TEXT, about("the FAKETIME_TIMESTAMP_FILE under which it was started")
    ] = None
    clock: Annotated[bool, p.SWITCH, about("start it so that its clock can be moved")] = False


@document
class CertificateDoc:
    """The certificate files of a test endpoint."""

    cert: Annotated[str, f.TEXT, about("the file of its certificate")]
    key: Annotated[str, f.TEXT, about("the file of its private key")]
    endpoint: Annotated[str, f.ADDRESS, about("where the certificate is read back")]
    ca: Annotated[str | None, f.TEXT, about("the certificate of the test authority")] = None
    ca_key: Annotated[str | None, f.TEXT, about("the private key of the test authority")] = None
    reload: Annotated[Command, about("the command that makes it read its files again")] = field(
        default_factory=list
    )
    pidfile: Annotated[
        str | None, f.TEXT, about("the process that reads them again when it gets SIGHUP")
    ] = None


@document
class TargetDoc:
    """Something that can be loaded or broken."""

    url: Annotated[str | None, f.URL, about("where the load goes")] = None
    proxy: Annotated[str | None, f.NAME, about("the name of its Toxiproxy proxy")] = None
    listen: Annotated[str | None, f.ADDRESS, about("where the proxy listens")] = None
    upstream: Annotated[str | None, f.ADDRESS, about("where the proxy sends traffic on to")] = None
    probe: Annotated[
        str, f.PROBE, about("how to look at it: `http:/path`, `postgres`, `redis` or `tcp`")
    ] = "tcp"
    address: Annotated[str | None, f.ADDRESS, about("where to look at it when it has no proxy")] = (
        None
    )
    container: Annotated[
        str | ContainerDoc | None, Either(ContainerDoc, p.CONTAINER), about("its Docker container")
    ] = None
    process: Annotated[ProcessDoc | None, GIVEN, about("its process on this host")] = None
    certificate: Annotated[
        CertificateDoc | None, GIVEN, about("its certificate, of a test endpoint")
    ] = None


@document
class ServerDoc:
    """A server's address."""

    url: Annotated[str, f.URL, about("its address")]


@document
class AlertingDoc:
    """Where alerts are read."""

    prometheus: Annotated[ServerDoc | None, GIVEN, about("the Prometheus that fires")] = None
    alertmanager: Annotated[ServerDoc | None, GIVEN, about("the Alertmanager that delivers")] = None
    http_json: Annotated[
        dict[Name, HttpSourceDoc],
        about("other sources that answer with JSON, by the name that they get here"),
    ] = field(default_factory=dict)
    sources: Annotated[
        list[Name],
        about("which of them to use; all unless given"),
    ] = field(default_factory=list)
    pipeline_proof: Annotated[
        str,
        f.choice(PROOF_KINDS),
        about("how it is shown before the baseline that alerts get through"),
    ] = "off"
    watchdog: Annotated[
        str | None, f.TEXT, about("the alert that always fires; `Watchdog` unless given")
    ] = None


@document
class LoadPlaceDoc:
    """Where workers of the load on other hosts come to."""

    listen: Annotated[str, f.ADDRESS, about("where Locust's master listens for them")] = (
        "127.0.0.1:5557"
    )
    token: Annotated[
        SecretDoc | None, GIVEN, about("where the token is that each worker has to know")
    ] = None
    wait: Annotated[
        int, f.between(1_000, 600_000, "`1s` to `10m`"), about("how long they are waited for")
    ] = 30_000


@document
class ReceiverDoc:
    """Our own receiver of notifications."""

    listen: Annotated[str, f.LISTEN, about("where it listens; port 0 is any free one")] = (
        "127.0.0.1:0"
    )
    token: Annotated[
        str | SecretDoc | None,
        Either(SecretDoc, f.NAME),
        about("the last part of its address; random unless given"),
    ] = None
    pagerduty_secret: Annotated[
        SecretDoc | None, GIVEN, about("where the secret is that signs the webhooks of PagerDuty")
    ] = None


@document
class DockerDoc:
    """The Docker engine."""

    url: Annotated[
        str | None, p.ENGINE, about("its address; DOCKER_HOST or the usual socket unless given")
    ] = None
    helper_image: Annotated[
        str | None,
        p.IMAGE,
        about("the image with iptables, tc and stress-ng; it is never pulled"),
    ] = None
    allow: Annotated[
        list[Annotated[str, p.CONTAINER]],
        about("containers that may be broken without the label `gameday.allow=true`"),
    ] = field(default_factory=list)


@document
class EnvironmentDoc:
    """One place to run in."""

    kind: Annotated[
        str | None,
        f.choice(ENVIRONMENT_KINDS),
        about("what it is; by its name unless given, and `staging` when that says nothing"),
    ] = None
    targets: Annotated[dict[Name, TargetDoc], about("what can be loaded or broken")] = field(
        default_factory=dict
    )
    toxiproxy: Annotated[
        ServerDoc | None, GIVEN, about("the server to use; one is started unless given")
    ] = None
    docker: Annotated[DockerDoc, about("the Docker engine, and what may be broken in it")] = field(
        default_factory=DockerDoc
    )
    commands: Annotated[
        list[Argument], about("the programs that faults, restarts and reloads may run")
    ] = field(default_factory=list)
    alerts: Annotated[AlertingDoc, about("where alerts are read; built-in alerts unless given")] = (
        field(default_factory=AlertingDoc)
    )
    load: Annotated[LoadPlaceDoc, about("where workers of the load on other hosts come to")] = (
        field(default_factory=LoadPlaceDoc)
    )
    receiver: Annotated[ReceiverDoc, about("our own receiver of notifications")] = field(
        default_factory=ReceiverDoc
    )
    policy: Annotated[PolicyDoc, about("what is allowed here, when, and with whose approval")] = (
        field(default_factory=PolicyDoc)
    )
