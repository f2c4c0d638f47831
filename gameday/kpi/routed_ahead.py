"""Before a run: who an expected alert would reach, and what would swallow it on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gameday.kpi.foresee import Route
from gameday.kpi.muting import intervals_of, mutings
from gameday.kpi.outlook_words import Finding, Level
from gameday.kpi.routing import ALL_LABELS, RouteNode, Routing, RoutingError, matching_silences


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAlertmanager:
    """What Alertmanager says now: its routing, silences, the labels of active alerts, its groups.

    `groups` are pairs of a receiver and the labels by which it groups, `times` the definitions of
    its time intervals as they are configured, `now_wall_ms` when it was asked (wall ms).
    """

    routing: Routing
    silences: Sequence[Mapping[str, Any]] = ()
    active: Sequence[Mapping[str, str]] = ()
    groups: Sequence[tuple[str, Mapping[str, str]]] = ()
    times: Mapping[str, Any] = field(default_factory=dict)
    now_wall_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Where it goes. `route` is that to the receiver that is meant, or the first."""

    receivers: tuple[str, ...] = ()
    route: Route | None = None
    findings: tuple[Finding, ...] = ()


def routes_ahead(
    receiver: str | None, labels: Mapping[str, str], there: LiveAlertmanager, *, run_ms: int = 0
) -> Routed:
    """Follow the routes with the labels that are known of the alert, for a run of *run_ms*."""
    try:
        nodes = there.routing.root.follow(labels)
        findings = [*_swallowed(labels, there), *_unknown(labels, there.routing.root)]
    except RoutingError as error:
        said = f"its route cannot be followed: {error}"
        note = Finding(code="route-unknown", level=Level.NOTE, text=said)
        return Routed(findings=(note,))
    receivers = tuple(dict.fromkeys(node.receiver for node in nodes))
    meant = next((n for n in nodes if receiver in (None, n.receiver)), None)
    if meant is None:
        text = _elsewhere(str(receiver), receivers, nodes, there.routing)
        findings.append(Finding(code="wrong-receiver", level=Level.ERROR, text=text))
        return Routed(receivers=receivers, findings=tuple(findings))
    findings += _muted([n for n in nodes if receiver in (None, n.receiver)], there, run_ms)
    return Routed(receivers=receivers, route=_route(meant, labels, there), findings=tuple(findings))


def _route(node: RouteNode, labels: Mapping[str, str], there: LiveAlertmanager) -> Route:
    group = {n: labels[n] for n in node.group_by if n in labels}
    is_there = ALL_LABELS not in node.group_by and any(
        name == node.receiver and dict(of) == group for name, of in there.groups
    )
    return Route(
        group_wait_ms=node.group_wait_ms,
        group_interval_ms=node.group_interval_ms,
        group_is_there=is_there,
    )


def _elsewhere(
    receiver: str, receivers: tuple[str, ...], nodes: Sequence[RouteNode], routing: Routing
) -> str:
    names = ", ".join(f"`{name}`" for name in receivers)
    if receiver not in routing.receivers:
        return f"Alertmanager has no receiver `{receiver}`; the alert would reach {names}"
    text = f"it would reach {names}, not `{receiver}`"
    taken = nodes[-1]
    if receiver == routing.root.receiver and not taken.is_root:
        text += f": {taken.text} takes it from the root"
        if taken.goes_on:
            text += (
                ", for `continue: true` goes on to the next route, never back to the root; "
                f"repeat `{receiver}` as the last route"
            )
    return text


def _swallowed(labels: Mapping[str, str], there: LiveAlertmanager) -> Iterator[Finding]:
    for silence in matching_silences(there.silences, labels):
        text = f"the silence {silence} would hold it back"
        yield Finding(code="silenced", level=Level.ERROR, text=text)
    for rule in there.routing.inhibit:
        source = next((one for one in there.active if rule.holds_back(one, labels)), None)
        if source is not None:
            text = f"`{source.get('alertname', '?')}`, which is active now, would inhibit it"
            yield Finding(code="inhibited", level=Level.ERROR, text=text)


def _muted(nodes: Sequence[RouteNode], there: LiveAlertmanager, run_ms: int) -> Iterator[Finding]:
    """Whether time intervals keep all the routes that are meant silent from now to the end."""
    now_ms, end_ms = there.now_wall_ms, there.now_wall_ms + run_ms
    try:
        found = mutings(nodes, intervals_of(there.times), now_ms, end_ms)
    except RoutingError as error:
        text = f"whether {nodes[0].text} is muted cannot be told: {error}"
        yield Finding(code="muted-unknown", level=Level.NOTE, text=text)
        return
    whys = " and ".join(dict.fromkeys(one.why for one in found))
    if sum(one.end_ms - one.start_ms for one in found) >= run_ms and found:
        text = f"{nodes[0].text} is {whys}{' for all of a run that begins now' if run_ms else ''}"
        yield Finding(code="muted", level=Level.ERROR, text=text)
    elif found:
        when = ", ".join(f"{_utc(one.start_ms)} to {_utc(one.end_ms)}" for one in found)
        text = f"{nodes[0].text} is {whys} for a part of a run that begins now: {when} UTC"
        yield Finding(code="muted-partly", level=Level.WARNING, text=text)


def _utc(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%H:%M:%S")


def _unknown(labels: Mapping[str, str], root: RouteNode) -> Iterator[Finding]:
    missing = sorted(root.labels_used() - labels.keys())
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        text = (
            f"the routes ask for {names}, which neither the rule nor the expectation gives; "
            "it is taken as absent"
        )
        yield Finding(code="label-unknown", level=Level.NOTE, text=text)
