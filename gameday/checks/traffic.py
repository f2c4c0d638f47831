"""Whether the service's own traffic goes through a fault's proxy; half of the check fault/bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from gameday.checks.bite import Answer
from gameday.checks.case import Case
from gameday.kpi.spans import FaultSpan, Window
from gameday.kpi.stats import Stats, cells_between, stats
from gameday.model.event import Event, Phase
from gameday.model.scenario import FaultSpec

#: What one probe is taken to ask with when its sample does not say.
PROBE_BYTES = 1_024
#: More than this beyond our own probes is somebody else's traffic.
SOME_BYTES = 512
#: What one probe moves in both directions, with the packets around it, as an interface counts.
PROBE_PACKETS_BYTES = 4_096
#: How long a closed connection of a probe can still be seen.
TIME_WAIT_MS = 60_000
#: More connections than this beyond our own probes are somebody else's.
SOME_CONNECTIONS = 3
#: The client's numbers differ if goodput falls, or the median or p95 grows, by so much.
GOODPUT_DROP = 0.01
SLOWER = 1.25
SLOWER_MS = 5.0

#: Run time (ms), bytes from clients so far, connections so far.
_Total: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beyond:
    moved: int
    connections: int


def traffic_of(case: Case, span: FaultSpan, spec: FaultSpec) -> Answer:
    """Whether anybody but our probes uses what the fault is in."""
    if spec.on_proxy:
        return _through_proxy(case, span)
    return _without_proxy(case, span)


def _without_proxy(case: Case, span: FaultSpan) -> Answer:
    """By the user's `effect` call, counters of the place, a proxy of the target, or the load."""
    prepared = case.timeline.first("fault.prepare", span.id, phase=Phase.OK)
    injected = case.timeline.first("fault.inject", span.id, phase=Phase.OK)
    if prepared is None or injected is None:
        return Answer(shown=False, said=f"`{span.id}` was never in place")
    if injected.data.get("effect"):
        return Answer(shown=True, said="that is taken for its use too")
    seen = prepared.data.get("undo", {}).get("facts", {})
    if (answer := _by_counters(case, span, seen, prepared, injected)) is not None:
        return answer
    if felt := _felt(case):
        said = f"nothing there counts, but the load felt the fault: {felt}"
        return Answer(shown=True, said=said)
    proxied = _through_proxy(case, span) if _has_totals(case, span.target) else None
    if proxied is not None and proxied.shown:
        return proxied
    said = (
        f"whether the service uses `{span.target}` is not known: nothing there counts its traffic "
        "and the load felt nothing; give the fault an `effect` call, or a target with a proxy"
    )
    return Answer(shown=False, said=said)


def _by_counters(
    case: Case, span: FaultSpan, seen: Mapping[str, Any], prepared: Event, injected: Event
) -> Answer | None:
    """What was counted between the look before the load and the inject, less our own probes."""
    probes = [
        e
        for e in case.timeline.of("probe.sample", span.target)
        if prepared.at_ms <= e.at_ms <= injected.at_ms
    ]
    if "traffic_bytes" in seen and "traffic_bytes" in injected.data:
        moved = int(injected.data["traffic_bytes"]) - int(seen["traffic_bytes"])
        moved -= len(probes) * PROBE_PACKETS_BYTES
        facts = {"traffic_bytes_before": moved}
        if moved > SOME_BYTES:
            said = f"{_size(moved)} of traffic reached `{span.target}` before the fault"
            return Answer(shown=True, said=said, facts=facts)
        said = (
            f"no traffic of the service reached `{span.target}` before the fault, so the fault "
            "could hurt nobody; is it the one that the service uses?"
        )
        return Answer(shown=False, said=said, facts=facts)
    if "connections" in injected.data:
        ours = sum(1 for e in probes if injected.at_ms - e.at_ms < TIME_WAIT_MS)
        others = int(injected.data["connections"]) - ours
        if others > 0:
            said = f"{others} connections to `{span.target}` were there when the fault came"
            return Answer(shown=True, said=said, facts={"connections": others})
    return None


def _has_totals(case: Case, target: str) -> bool:
    names = _proxy_names(case, target)
    return any(
        name in (event.data.get("proxies") or {})
        for event in case.timeline.of("proxy.health")
        for name in names
    )


def _through_proxy(case: Case, span: FaultSpan) -> Answer:
    """Whether anybody but our probes goes through the proxy of the fault's target.

    Traffic before and after the fault counts too: a proxy that is down, or a service whose circuit
    breaker is open, carries nothing while the fault is in, and is on the path all the same; and
    some servers count the bytes of a connection only when it is closed.
    """
    names = _proxy_names(case, span.target)
    totals = [
        (event.at_ms, *_total(event.data["proxies"], names))
        for event in case.timeline.of("proxy.health")
        if isinstance(event.data.get("proxies"), Mapping)
    ]
    if len(totals) < 2:
        return _by_sli(case, span)
    end_ms = case.timeline.end_ms
    off_ms = end_ms if span.off_asked_ms is None else span.off_asked_ms
    baseline = case.windows.get("baseline")
    start_ms = 0 if baseline is None else baseline.start_ms
    during = _beyond_probes(case, span.target, totals, (span.on_ms or 0, off_ms))
    whole = _beyond_probes(case, span.target, totals, (start_ms, end_ms))
    facts = {"traffic_bytes_fault": during.moved, "traffic_bytes_run": whole.moved}
    for found, when in ((during, "the fault"), (whole, "the run")):
        if found.moved > SOME_BYTES:
            said = f"{_size(found.moved)} of traffic went through `{span.target}` during {when}"
            return Answer(shown=True, said=said, facts=facts)
        if found.connections > SOME_CONNECTIONS:
            said = f"{found.connections} connections went through `{span.target}` during {when}"
            return Answer(shown=True, said=said, facts=facts)
    said = (
        f"no traffic of the service went through the proxy of `{span.target}`, so the fault "
        "could hurt nobody; point the service at the proxy's `listen` address"
    )
    return Answer(shown=False, said=said, facts=facts)


def _by_sli(case: Case, span: FaultSpan) -> Answer:
    """Without counters the client's own numbers must differ."""
    if case.windows.get("baseline") is None or case.windows.get("fault") is None:
        said = "there is no baseline and fault phase to compare"
        return Answer(shown=False, said=said)
    if felt := _felt(case):
        said = f"the proxy's counters cannot be read, but the load felt the fault: {felt}"
        return Answer(shown=True, said=said)
    said = (
        f"whether traffic went through the proxy of `{span.target}` is not known: its counters "
        "cannot be read and the load felt nothing"
    )
    return Answer(shown=False, said=said)


def _felt(case: Case) -> str:
    """What the load felt of the fault; empty if nothing, or if that cannot be said."""
    baseline, fault = case.windows.get("baseline"), case.windows.get("fault")
    if baseline is None or fault is None:
        return ""
    return _changed(_stats(case, baseline), _stats(case, fault))


def _changed(before: Stats, during: Stats) -> str:
    good_before, good_during = before.goodput_ratio, during.goodput_ratio
    if good_before is None or good_during is None:
        return ""
    if good_before - good_during > GOODPUT_DROP:
        return "more requests failed"
    for q, name in ((0.5, "the median"), (0.95, "p95")):
        a, b = before.percentile_ms(q), during.percentile_ms(q)
        if a is not None and b is not None and b > max(a * SLOWER, a + SLOWER_MS):
            return f"{name} grew from {a:.1f} ms to {b:.1f} ms"
    return ""


def _stats(case: Case, window: Window) -> Stats:
    return stats(cells_between(case.ticks, window.start_ms, window.end_ms))


def _proxy_names(case: Case, target: str) -> tuple[str, ...]:
    found = case.plan.environment.targets.get(target)
    proxy = None if found is None else found.proxy
    return (target,) if proxy is None else (proxy, target)


def _beyond_probes(
    case: Case, target: str, totals: Sequence[_Total], between: tuple[int, int]
) -> _Beyond:
    """What went through between the readings in a stretch of time, less our own probes.

    Counters start again from nothing when a proxy is replaced, so a fall is a new beginning.
    """
    inside = [reading for reading in totals if between[0] <= reading[0] <= between[1]]
    if len(inside) < 2:
        return _Beyond(moved=0, connections=0)
    moved = sum(_rise(a[1], b[1]) for a, b in pairwise(inside))
    accepted = sum(_rise(a[2], b[2]) for a, b in pairwise(inside))
    first_ms, last_ms = inside[0][0], inside[-1][0]
    probes = [
        e
        for e in case.timeline.of("probe.sample", target)
        if e.at_ms >= first_ms and e.at_ms - float(e.data.get("ms") or 0) <= last_ms
    ]
    ours = sum(int(e.data.get("sent_bytes", PROBE_BYTES)) for e in probes)
    return _Beyond(moved=moved - ours, connections=accepted - len(probes))


def _rise(earlier: int, later: int) -> int:
    return later - earlier if later >= earlier else later


def _total(proxies: Mapping[str, Any], names: Sequence[str]) -> tuple[int, int]:
    """Bytes from clients and connections so far; a proxy that is not there has had none.

    Only what clients sent is counted: of an answer it depends on the fault how much of it arrives,
    so that what our own probes moved could not be told from it.
    """
    counters: Mapping[str, Any] = next((proxies[name] for name in names if name in proxies), {})
    return int(counters.get("from_clients_bytes", 0)), int(counters.get("accepted", 0))


def _size(count: int) -> str:
    return f"{count / 1000:.0f} kB" if count >= 1000 else f"{count} B"
