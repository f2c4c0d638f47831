"""Whether the load's requests really pass the proxies: sent once, and counted on each proxy."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.adapters.locust.once import once
from gameday.adapters.probe import HealthWatcher
from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.fault import TargetProxy
from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.app.check import load_of
from gameday.errors import GamedayError
from gameday.model.plan import Plan
from gameday.model.project import Target
from gameday.ports import Undo
from gameday.registry import undoer

#: How long the proxies are looked at without our requests: health checks pass them too.
RESTING_S = 1.5
#: What one request moves at least, both ways.
SOME_BYTES = 100
#: State 01 in /proc/net/tcp.
_ESTABLISHED = "01"
_TCP_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """What was seen on one target's proxy. `ok` None means that it cannot be told."""

    subject: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of one proxy at one moment."""

    at_s: float
    size_bytes: int | None
    connections: int


def passing(plan: Plan) -> Iterator[Passing]:
    """Send each journey once, and say for each target with a proxy whether it was passed.

    A target that the scenario breaks must be passed; others are only told. A server that a run
    would start for itself is started here too, with the proxies, and ended again.
    """
    proxied = [t for t in plan.environment.targets.values() if t.proxy]
    broken = {fault.target for fault in plan.scenario.faults}
    with contextlib.ExitStack() as stack:
        try:
            server = _server(plan, stack)
            there = _opened(server, proxied, stack)
        except GamedayError as error:
            yield Passing(subject="traffic", ok=False, text=str(error))
            return
        resting = _look(server.url, there)
        threading.Event().wait(RESTING_S)
        before = _look(server.url, there)
        yield _send(plan)
        after = _look(server.url, there)
    for target in proxied:
        if target not in there:
            yield _absent(target, server, needed=target.name in broken)
        else:
            seen = (resting[target.name], before[target.name], after[target.name])
            yield passed(target, seen, needed=target.name in broken)


@contextlib.contextmanager
def proxies_open(plan: Plan, *, toxiproxy: str | None = None) -> Iterator[list[str]]:
    """The proxies of a run, without any fault, as long as the context lasts; names of missing ones.

    On a server that is given nothing is created. Raises `AdapterError` where it does not answer.
    """
    proxied = [t for t in plan.environment.targets.values() if t.proxy]
    with contextlib.ExitStack() as stack:
        server = _server(plan, stack, toxiproxy)
        there = _opened(server, proxied, stack)
        yield [t.name for t in proxied if t not in there]


def _server(plan: Plan, stack: contextlib.ExitStack, force_kind: str | None = None) -> ServerChoice:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-doctor-"))
    given = plan.environment.toxiproxy_url
    server = choose_server(given, log_dir=Path(folder), force_kind=force_kind)
    stack.callback(server.stop)
    return server


def _opened(
    server: ServerChoice, proxied: list[Target], stack: contextlib.ExitStack
) -> list[Target]:
    """The targets whose proxy is there; on a server of our own they are created for the trial."""
    if server.kind == "given":
        names = set(ToxiproxyClient(server.url).proxies())
        return [t for t in proxied if t.proxy in names]
    for target in proxied:
        proxy = TargetProxy(server.url, "doctor", target, server=server.process)
        undo = proxy.prepare()
        proxy.open(undo)
        stack.callback(_close, undo)
    return proxied


def _close(undo: Undo) -> None:
    with contextlib.suppress(GamedayError):  # the server ends anyway, and its proxies with it
        undoer(str(undo["kind"])).revert(undo)


def _send(plan: Plan) -> Passing:
    base_url = plan.environment.targets[plan.scenario.load.target].url or ""
    try:
        answers = once(load_of(plan), base_url)
    except GamedayError as error:
        return Passing(subject="load", ok=False, text=str(error))
    bad = [a for a in answers if a.error]
    said = "; ".join(f"{a.method} {a.path}: {a.error}" for a in bad[:3])
    text = f"{len(answers)} requests sent to {base_url}, {len(bad)} failed"
    return Passing(
        subject="load", ok=bool(answers) and not bad, text=f"{text}: {said}" if said else text
    )


def _look(url: str, targets: list[Target]) -> dict[str, Counts]:
    health = HealthWatcher(url).read() or {}
    counters: Mapping[str, Any] = health.get("proxies", {})
    seen = {}
    for target in targets:
        found = counters.get(target.proxy or "")
        size = None
        if found is not None:
            size = int(found["received_bytes"])  # of both directions, so each byte once
        seen[target.name] = Counts(
            at_s=time.monotonic(),
            size_bytes=size,
            connections=_connections(target.listen or ""),
        )
    return seen


def _connections(listen: str) -> int:
    """Connections that are open on *listen*, by this machine's own tables; 0 if it is elsewhere."""
    port = listen.rpartition(":")[2]
    if not port.isdigit():
        return 0
    wanted, count = f"{int(port):04X}", 0
    for table in _TCP_TABLES:
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                count += fields[1].endswith(f":{wanted}") and fields[3] == _ESTABLISHED
    return count


def passed(target: Target, seen: tuple[Counts, Counts, Counts], *, needed: bool) -> Passing:
    """What the counts at rest, before and after the load's requests say."""
    resting, before, after = seen
    where = f"{target.listen}"
    rest, begun, ended = resting.size_bytes, before.size_bytes, after.size_bytes
    if rest is not None and begun is not None and ended is not None:
        usual = (begun - rest) / (before.at_s - resting.at_s)
        moved = ended - begun - usual * (after.at_s - before.at_s)
        if moved > SOME_BYTES:
            text = f"{where}: traffic passes ({moved:.0f} bytes more than at rest)"
            return Passing(subject=target.name, ok=True, text=text)
    elif after.connections:
        text = f"{where}: traffic passes ({after.connections} connections are open)"
        return Passing(subject=target.name, ok=True, text=text)
    text = f"{where}: NO TRAFFIC: none of the load's requests passed this proxy"
    if needed:
        text += "; point its client at the proxy's `listen` address (docs/traffic.md)"
    return Passing(subject=target.name, ok=False if needed else None, text=text)


def _absent(target: Target, server: ServerChoice, *, needed: bool) -> Passing:
    text = (
        f"there is no proxy `{target.proxy}` at {server.url} yet; a run would create it on "
        f"{target.listen}, so whether traffic passes cannot be told before"
    )
    return Passing(subject=target.name, ok=False if needed else None, text=text)
