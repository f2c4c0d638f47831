"""What Alertmanager said of an expected alert: to whom it was routed, and what held it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gameday.kpi.muting import intervals_of, mutings
from gameday.kpi.routing import RoutingError, routing_of
from gameday.kpi.seen import is_expected
from gameday.kpi.spans import run_ms
from gameday.model.event import Event, Phase, Timeline
from gameday.model.scenario import AlertExpectation

SOURCE = "alertmanager"
_HELD = "suppressed"  # a state of an alert there


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """One expected alert as Alertmanager had it. Empty where nothing is known.

    `receivers` are those to whom it was routed; `silenced_by` and `inhibited_by` the ids that ever
    held it back, `held_from_ms` the first run time at which it was seen held back. `muted` says
    which time interval kept its routes silent while it was there, from `muted_from_ms` on.
    """

    receivers: tuple[str, ...] = ()
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    held_from_ms: int | None = None
    muted: str = ""
    muted_from_ms: int = 0
    known_receivers: tuple[str, ...] = ()  # all that Alertmanager has
    evidence: tuple[int, ...] = ()

    def held_by(self, at_ms: int) -> str:
        """What held it back, seen up to run time *at_ms*, with the id; empty if nothing did."""
        if self.held_from_ms is None or self.held_from_ms <= at_ms:
            if self.silenced_by:
                return "silenced by " + ", ".join(self.silenced_by)
            if self.inhibited_by:
                return "inhibited by " + ", ".join(self.inhibited_by)
        return self.muted if self.muted_from_ms <= at_ms else ""

    def elsewhere(self, receiver: str) -> tuple[str, ...]:
        """To whom it was routed instead of *receiver*, of which Alertmanager knows; else empty."""
        if receiver in self.receivers or receiver not in self.known_receivers:
            return ()
        return self.receivers


def routed_of(timeline: Timeline, expected: AlertExpectation, *, since_ms: int) -> Routed:
    """What Alertmanager said of *expected*, of alerts that were there from *since_ms* on."""
    read = timeline.last("alert.read", SOURCE, phase=Phase.OK)
    if read is None:
        return Routed()
    mine = [
        row
        for row in read.data.get("alerts", ())
        if is_expected(expected, str(row.get("labels", {}).get("alertname", "")), row["labels"])
        and _there_after(timeline, row, since_ms)
    ]
    held = [at for row in mine for at in _held(timeline, row)]
    muted = [one for row in mine for one in _muted(timeline, expected, read, row)]
    muted_from_ms, why = min(muted, default=(0, ""))
    return Routed(
        receivers=_names(mine, "receivers"),
        silenced_by=_names(mine, "silencedBy"),
        inhibited_by=_names(mine, "inhibitedBy"),
        held_from_ms=min(held, default=None),
        muted=why,
        muted_from_ms=muted_from_ms,
        known_receivers=tuple(str(name) for name in read.data.get("receivers", ())),
        evidence=(read.seq,) if mine else (),
    )


def _there_after(timeline: Timeline, row: Mapping[str, Any], since_ms: int) -> bool:
    last = row.get("last_seen_wall_ms")
    return last is None or run_ms(timeline, float(last)) >= since_ms


def _held(timeline: Timeline, row: Mapping[str, Any]) -> list[int]:
    """When it was first seen held back. Polls are stamped by our own clock."""
    seen = [run_ms(timeline, float(at)) for at, state in row.get("states", ()) if state == _HELD]
    return seen[:1]


def _muted(
    timeline: Timeline, expected: AlertExpectation, read: Event, row: Mapping[str, Any]
) -> list[tuple[int, str]]:
    """From when on time intervals kept all its routes to the receiver silent, and which.

    By the definitions in the configuration, from when it was first seen there to the last time;
    Alertmanager itself does not say it of an alert. Nothing where they cannot be followed.
    """
    first, last = row.get("first_seen_wall_ms"), row.get("last_seen_wall_ms")
    if first is None or last is None or not read.data.get("route"):
        return []
    shift = float(read.data.get("offset_ms") or 0)  # it asks its own clock
    try:
        nodes = routing_of({"route": read.data["route"]}).root.follow(row["labels"])
        known = expected.receiver in read.data.get("receivers", ())
        meant = [node for node in nodes if not known or node.receiver == expected.receiver]
        times = intervals_of(read.data.get("times") or {})
        found = mutings(meant, times, float(first) + shift, float(last) + shift)
    except RoutingError:
        return []
    return [(run_ms(timeline, one.start_ms - shift), one.why) for one in found[:1]]


def _names(rows: list[Mapping[str, Any]], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for row in rows for name in row.get(key) or ()))
