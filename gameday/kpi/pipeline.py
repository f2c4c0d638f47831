"""Whether an alert of our own may be sent to Alertmanager, and how long it takes. Pure.

It may be sent only where the routes show that it reaches our receiver and nobody else. Whatever
cannot be shown is a reason not to send it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gameday.kpi.routed_ahead import LiveAlertmanager, routes_ahead
from gameday.kpi.routing import RouteNode, RoutingError
from gameday.model.event import Event, Timeline
from gameday.model.pipeline import LONGEST_WAIT_MS, PROOF_ALERT, RUN_LABEL
from gameday.model.units import format_ms

_LOOPBACK = {"localhost": "127.0.0.1"}
#: Findings on a route that keep the alert from coming.
_HELD = ("silenced", "inhibited", "muted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where it would go. It may be sent only if `why_not` is empty; then it waits for `wait_ms`."""

    receivers: tuple[str, ...] = ()
    wait_ms: int = 0
    why_not: str = ""


def proof_labels(run_id: str) -> dict[str, str]:
    """The labels of the alert that a run sends."""
    return {
        "alertname": PROOF_ALERT,
        RUN_LABEL: run_id,
        "exercise": "true",
        "severity": "none",
    }


def way_of(labels: Mapping[str, str], there: LiveAlertmanager, our_url: str) -> Way:
    """Follow the routes of an alert with *labels*; *our_url* is the address of our receiver."""
    try:
        nodes = there.routing.root.follow(labels)
        why = next(_reasons(labels, nodes, there, our_url), "")
    except RoutingError as error:
        return Way(why_not=f"its route cannot be followed: {error}")
    receivers = tuple(dict.fromkeys(node.receiver for node in nodes))
    wait_ms = max(_wait_ms(node, labels, there) for node in nodes)
    if not why and wait_ms > LONGEST_WAIT_MS:
        why = (
            f"the group of the alert waits for {format_ms(wait_ms)}; "
            f"a proof may take {format_ms(LONGEST_WAIT_MS)} at most"
        )
    return Way(receivers=receivers, wait_ms=wait_ms, why_not=why)


def proof_of(timeline: Timeline) -> Event | None:
    """The answer of the proof, if there is one."""
    return timeline.last("pipeline.proven")


def proof_alerts(timeline: Timeline) -> frozenset[str]:
    """The names of alerts that stand for the pipeline and say nothing of the service."""
    event = proof_of(timeline)
    named = str(event.data.get("alert", "")) if event is not None else ""
    return frozenset({PROOF_ALERT, named} - {""})


def is_ours(url: str, our_url: str) -> bool:
    """Whether a webhook with this address comes to our receiver, which may have a name in it."""
    try:
        a, b = urlsplit(url), urlsplit(our_url)
        same = (a.scheme, _host(a.hostname), a.port) == (b.scheme, _host(b.hostname), b.port)
    except ValueError:
        return False
    path = a.path.rstrip("/")
    return same and (path == b.path or path.startswith(f"{b.path}/"))


def _host(name: str | None) -> str:
    return _LOOPBACK.get(name or "", name or "")


def _reasons(
    labels: Mapping[str, str], nodes: tuple[RouteNode, ...], there: LiveAlertmanager, our_url: str
) -> Iterator[str]:
    """Why it must not be sent, the gravest first."""
    for node in nodes:
        yield from _strangers(node, there, our_url)
    for rule in there.routing.inhibit:
        if rule.source and all(matcher.matches(labels) for matcher in rule.source):
            yield "an inhibit rule would let it hold other alerts back"
    for node in nodes:
        if not node.group_by:
            yield (
                f"{node.text} puts all alerts in one group: "
                "the proof would change when the next one is told"
            )
        for finding in routes_ahead(node.receiver, labels, there).findings:
            if finding.code in _HELD:
                yield finding.text


def _strangers(node: RouteNode, there: LiveAlertmanager, our_url: str) -> Iterator[str]:
    """Whether the receiver of a route is our own and nothing else."""
    name = f"`{node.receiver}`"
    url = there.routing.only_webhook(node.receiver)
    if url is None:
        yield f"{name}, which would get it too, is not one webhook alone"
    elif "://" not in url:
        yield f"Alertmanager does not show the address of {name}, so it may be somebody else's"
    elif not is_ours(url, our_url):
        yield f"{name}, which would get it too, is not the receiver of this run"


def _wait_ms(node: RouteNode, labels: Mapping[str, str], there: LiveAlertmanager) -> int:
    route = routes_ahead(node.receiver, labels, there).route
    if route is not None and route.group_is_there:
        return node.group_interval_ms
    return node.group_wait_ms
