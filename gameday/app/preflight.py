"""Everything that is looked at before anything is touched; all problems at once."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.app.places import Places, needs_toxiproxy
from gameday.app.sources import clock_problem, http_sources, quiet_now
from gameday.app.upstreams import look_upstream, own_proxy
from gameday.errors import (
    AdapterError,
    CannotSeeError,
    GamedayError,
    NoEffectError,
    RefusedError,
)
from gameday.model.plan import Plan
from gameday.model.secret import SecretRef
from gameday.scenario.compile import proxied_targets
from gameday.secrets import resolve

if TYPE_CHECKING:
    from gameday.adapters.sources.source import HttpJsonSource

#: What a journal may need; an hour at 100 requests a second takes a few MB.
ROOM_BYTES = 100_000_000
#: Where no rule tells how often it is evaluated.
INTERVAL_MS = 1_000.0
_NAME = "preflight"


@dataclass(slots=True, kw_only=True)
class Preflight:
    """What a look around found. With any problem there must be no run.

    `refused` says that some problem is more than a server that does not answer.
    """

    looked_at: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: bool = False

    def ask(self, what: str, look: Callable[[], str]) -> None:
        """One look: a line for what was found, or a problem."""
        try:
            self.looked_at.append(f"{what}: {look()}")
        except GamedayError as error:
            self.problem(what, error)

    def problem(self, what: str, error: GamedayError) -> None:
        """A look that says that there must be no run."""
        self.refused |= not _is_silence(error)
        self.problems.extend(f"{what}: {line}" for line in str(error).splitlines())


def _is_silence(error: BaseException | None) -> bool:
    """Whether all of it is that somebody does not answer, and nothing that must not be."""
    while error is not None:
        if isinstance(error, AdapterError) and not isinstance(error, NoEffectError):
            return True
        error = error.__cause__
    return False


def look_around(plan: Plan, *, toxiproxy: str | None = None, reports: Path) -> Preflight:
    """Look at every place of the plan, its alert sources, its receiver and the disk.

    Changes nothing (a generic fault's `present` is called). Raises nothing but bugs.
    """
    found = Preflight()
    server = _server(plan, toxiproxy, found) if needs_toxiproxy(plan) else None
    _places(plan, server, found)
    _upstreams(plan, toxiproxy, found)
    _sources(plan, found)
    _signals(plan, found)
    found.ask("secrets", lambda: _secrets(plan))
    found.ask("receiver", lambda: _receiver(plan.environment.receiver_listen))
    found.ask("journal", lambda: _room(reports))
    return found


def _server(plan: Plan, toxiproxy: str | None, found: Preflight) -> ServerChoice | None:
    """The Toxiproxy that is there already. One that the run will start has to find free ports."""
    if not own_proxy(plan, toxiproxy):
        given = plan.environment.toxiproxy_url
        try:
            server = choose_server(given, log_dir=Path(), force_kind=toxiproxy)
        except GamedayError as error:
            found.problem("toxiproxy", error)
            return None
        found.looked_at.append(f"toxiproxy: {server.version} at {server.url}")
        return server
    for name in proxied_targets(plan.scenario, plan.environment):
        listen = plan.environment.targets[name].listen
        if listen is not None:
            found.ask(f"proxy of {name}", lambda at=listen: _free(at))  # type: ignore[misc]
    return None


def _places(plan: Plan, server: ServerChoice | None, found: Preflight) -> None:
    places = Places(plan, _NAME, server)
    for spec in plan.scenario.faults:
        if spec.on_proxy and server is None:
            continue
        found.ask(f"fault {spec.id}", lambda one=spec: _prepared(places.fault(one).prepare()))  # type: ignore[misc]
    if server is not None:
        for name, opener in places.openers(None).items():
            found.ask(f"target {name}", lambda one=opener: _prepared(one.prepare()))  # type: ignore[misc]
    for lease in _leases(places, found):
        blocked = getattr(lease, "blocked", None)
        if blocked is not None and (why := blocked()):
            found.problem("lease", RefusedError(why))


def _upstreams(plan: Plan, toxiproxy: str | None, found: Preflight) -> None:
    """A proxy of ours whose upstream is silent: a service without it is not what is tested."""
    looked = look_upstream(plan, toxiproxy)
    found.looked_at += looked.there
    for name, why in looked.silent.items():
        if looked.certain:
            found.problem(f"target {name}", CannotSeeError(why))
        else:
            found.warnings.append(f"target {name}: {why}")


def _leases(places: Places, found: Preflight) -> Iterator[Any]:
    try:
        yield from places.leases()
    except GamedayError as error:
        if not any(str(error) in problem for problem in found.problems):
            found.problem("lease", error)


def _prepared(undo: Mapping[str, Any]) -> str:
    """What would be touched, from an undo record."""
    match undo.get("kind"):
        case "toxiproxy":
            proxy = undo["proxy"]
            how = {"created": ", which the run creates"}.get(str(undo.get("mode")), "")
            return f"proxy `{proxy['name']}` ({proxy['listen']} -> {proxy['upstream']}){how}"
        case "docker":
            names = ", ".join(f"`{c['name']}`" for c in undo.get("containers", ()))
            return f"container {names}"
        case "several":
            return "; ".join(_prepared(part) for part in undo["parts"])
        case "command" | "http" | "python":
            calls = undo.get("facts") or {}
            return "; ".join(f"{name}: {what}" for name, what in sorted(calls.items()))
        case kind:
            what = (undo.get("facts") or {}).get("what") or undo.get("mode") or kind
            return f"{what}, not in place"


def _sources(plan: Plan, found: Preflight) -> None:
    alerting = plan.environment.alerting
    if alerting.prometheus_url:
        from gameday.adapters.prometheus import PrometheusSource

        prometheus = PrometheusSource(alerting.prometheus_url)
        found.ask("prometheus", lambda: prometheus.check().text)
        now_ms = round(time.time() * 1000)
        found.ask("alerts", lambda: _quiet(plan, prometheus.read(now_ms - 1_000, now_ms), found))
        _ahead(plan, found)
    if alerting.alertmanager_url:
        from gameday.adapters.alertmanager import AlertmanagerSource

        alertmanager = AlertmanagerSource(alerting.alertmanager_url)
        found.ask("alertmanager", lambda: alertmanager.check().text)
    for name, source in http_sources(plan).items():
        found.ask(name, lambda one=source: one.check().text)  # type: ignore[misc]
        if alerting.names[0] == name:
            found.ask("alerts", lambda one=source: _quiet_there(plan, one, found))  # type: ignore[misc]


def _quiet_there(plan: Plan, source: HttpJsonSource, found: Preflight) -> str:
    text, warnings = quiet_now(plan, source)
    found.warnings += warnings
    return text


def _ahead(plan: Plan, found: Preflight) -> None:
    """Alerts that can certainly not fire in time refuse the run; what else is seen is a warning."""
    from gameday.app.online import online_lines

    try:
        refused, warned = online_lines(plan)
    except CannotSeeError as error:
        if not found.problems:  # or it has been said that it does not answer
            found.warnings.append(f"alerts: it cannot be told whether they can fire: {error}")
        return
    found.warnings += [f"alert {line}" for line in warned]
    for line in refused:
        found.problem("alert", RefusedError(line))


def _signals(plan: Plan, found: Preflight) -> None:
    """Stop conditions that are asked: a run that one of them would stop at once is no run."""
    from gameday.adapters.signals import ask

    url = plan.environment.alerting.prometheus_url
    for signal in plan.scenario.stop_signals:
        if signal.kind == "alert":
            continue
        what = f"stop condition `{signal.text}`"
        sample = ask(signal, prometheus_url=url)
        if sample.bad:
            said = sample.error or f"it is {sample.value} now"
            found.problem(what, RefusedError(f"{said}, so the run would be stopped at once"))
        elif not sample.ok:
            said = f"{what}: cannot be read: {sample.error}"
            (found.warnings if plan.environment.lenient else found.problems).append(said)
        else:
            found.looked_at.append(f"{what}: can be read")


def _quiet(plan: Plan, read: Mapping[str, Any], found: Preflight) -> str:
    """Expected alerts have healthy rules, are not firing, and the clocks agree."""
    expected = {alert.alert for alert in plan.scenario.expect.alerts}
    rows = [row for row in read["rules"] if row["name"] in expected]
    missing = sorted(expected - {row["name"] for row in rows})
    found.warnings += [f"alerts: no rule is called `{name}`: it cannot fire" for name in missing]
    problems = [
        f"the rule of `{row['name']}` is in error: {row['lastError']}"
        for row in rows
        if row["health"] == "err"
    ]
    firing = {
        series["metric"].get("alertname")
        for series in read["matrix"]
        if series["metric"].get("alertstate") == "firing"
    }
    problems += [
        f"`{name}` fires already, so that it could not show the fault"
        for name in sorted(expected & firing)
    ]
    off_ms, error_ms = float(read["offset_ms"]), float(read["error_ms"] or 0)
    allowed_ms = max([INTERVAL_MS, *(1000 * float(row["interval"] or 0) for row in rows)])
    if off := clock_problem(off_ms, error_ms, allowed_ms=allowed_ms):
        problems.append(f"its clock is {off}")
    if problems:
        raise RefusedError("\n".join(problems))
    return f"{len(expected)} expected, none of them is firing"


def _free(listen: str) -> str:
    """Whether a proxy could listen there."""
    host, _, port = listen.rpartition(":")
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((name, int(port)))
    except OSError as error:
        raise RefusedError(
            f"`{listen}` cannot be listened on: {error.strerror}; "
            "end what uses it, or choose another `listen`"
        ) from error
    return f"`{listen}` is free"


def _secrets(plan: Plan) -> str:
    """Whether every secret of the load and of the receiver is where it should be."""
    from gameday.app.check import load_of

    token, signs = plan.environment.receiver_token, plan.environment.pagerduty_secret
    for secret in (token, signs):
        if isinstance(secret, SecretRef):
            resolve(secret, base=Path(plan.directory))
    load_of(plan)
    headers = [value for step in plan.scenario.load.steps for value in step.headers.values()]
    n = sum(isinstance(value, SecretRef) for value in [*headers, *_of_auth(plan), token, signs])
    return f"{n} needed, all there" if n else "none needed"


def _of_auth(plan: Plan) -> list[object]:
    auth = plan.scenario.load.auth
    return [] if auth is None else [auth.bearer, auth.password]


def _receiver(listen: str) -> str:
    if listen.rpartition(":")[2] == "0":
        return "any free port"
    return _free(listen)


def _room(reports: Path) -> str:
    """Whether the journal has room: a run that cannot write its journal has to stop."""
    there = next((p for p in (reports, *reports.absolute().parents) if p.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "cannot be written" if there.is_dir() else "is a file"
        raise RefusedError(
            f"run directories cannot be made below `{reports}`: `{there}` {why}; "
            "choose another place with `--reports`"
        )
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise RefusedError(f"`{reports}` cannot be looked at: {error.strerror}") from error
    if free < ROOM_BYTES:
        raise RefusedError(
            f"only {free // 1_000_000} MB are free for `{reports}`; "
            f"make room for {ROOM_BYTES // 1_000_000} MB"
        )
    return f"{free // 1_000_000} MB free for `{reports}`"
