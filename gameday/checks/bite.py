"""What our own probe through the proxy saw of a fault; half of the check fault/bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from gameday.checks.case import Case
from gameday.kpi.spans import FaultSpan
from gameday.model.event import Event, Phase
from gameday.model.scenario import FaultSpec
from gameday.model.units import format_ms

_GONE = ("refused", "reset", "closed", "timeout")
_SILENT = ("timeout", "closed", "reset")
#: How a probe ends when the fault of this kind touches it. Kinds that are not here, and are no
#: latency, cannot be shown by a small probe.
ENDS = {
    "down": ("refused", "reset", "closed"),
    "timeout": _SILENT,
    "reset_peer": ("reset", "closed", "refused"),
    "container.kill": _GONE,
    "container.stop": _GONE,
    "container.pause": _SILENT,
    "container.disconnect": _GONE,
    "container.drop": _GONE,
    "container.reset": _GONE,
    "process.stop": _SILENT,
    "process.kill": _GONE,
}
#: Toxics that make every probe later, and the attribute that says by how much.
DELAYS = {"latency": "latency", "slow_connect": "delay"}
#: Faults that only some traffic feels: our probe may be among the rest.
_FILTERS = ("port", "peer", "direction")
#: A probe that only connects is answered by the proxy itself: it sees a refusal and nothing else.
ONLY_CONNECTS = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether something was shown, in words, with the numbers behind it."""

    shown: bool
    said: str
    facts: Mapping[str, object] = field(default_factory=dict)


def bite_of(case: Case, span: FaultSpan, spec: FaultSpec) -> Answer:
    """Whether the probes differ from the baseline in the way in which this fault must differ."""
    if spec.action is not None:
        return _bite_of_action(case, span, spec)
    kind = "down" if spec.toxic is None else spec.toxic.type
    if kind.startswith("http_"):
        return _bite_of_requests(case, span)
    toxicity = 1.0 if spec.toxic is None else spec.toxic.toxicity
    before, during = _samples(case, span)
    blunt = _probe_of(case, span.target, during).startswith(ONLY_CONNECTS)
    slow = kind in DELAYS
    if not (slow or kind in ENDS) or (blunt and kind != "down"):
        why = "its probe only connects" if slow or kind in ENDS else "a probe cannot show it"
        return Answer(shown=True, said=f"`{span.id}` was read back from the server ({why})")
    if not during:
        return _no_probe(span)
    if len(during) * toxicity < 3 and toxicity < 1:
        said = f"`{span.id}` was read back; {len(during)} probes are too few for its toxicity"
        return Answer(shown=True, said=said)
    if slow:
        latency = _weakest_latency_ms(spec)
        return _slower(span, before, during, latency_ms=latency, toxicity=toxicity)
    return _broken(span, before, during, ends=ENDS[kind], toxicity=toxicity)


def _weakest_latency_ms(spec: FaultSpec) -> int:
    """The smallest latency of a fault and its stages: from the first one on it must be felt."""
    toxics = [one.toxic for one in spec.strengths if one.toxic is not None]
    return min((int(t.attributes.get(DELAYS.get(t.type, ""), 0)) for t in toxics), default=0)


def _bite_of_requests(case: Case, span: FaultSpan) -> Answer:
    """Of HTTP faults: the embedded proxy counts the requests that it has hit, since the inject."""
    on_ms = span.on_ms or 0
    off_ms = case.timeline.end_ms if span.off_asked_ms is None else span.off_asked_ms
    counts = [
        (int(one.get("matched", 0)), int(one.get("hit", 0)), int(http.get("not_http", 0)))
        for event in case.timeline.of("proxy.health")
        if on_ms <= event.at_ms <= off_ms
        for http in _http_of(event, case, span.target)
        for name, one in http.get("faults", {}).items()
        if name.endswith(f"-{span.id}")
    ]
    if not counts:
        said = f"the proxy of `{span.target}` told nothing of the requests that `{span.id}` hit"
        return Answer(shown=False, said=said)
    matched, hit, not_http = (max(column) for column in zip(*counts, strict=True))
    facts = {"requests_matched": matched, "requests_hit": hit, "not_http": not_http}
    if hit:
        said = f"`{span.id}` hit {hit} of {matched} requests that it means"
        return Answer(shown=True, said=said, facts=facts)
    why = f"none of {matched} requests that it means" if matched else "no request that it means"
    also = f"; {not_http} connections were no plain HTTP/1.1" if not_http else ""
    said = f"fault `{span.id}` did not bite: {why} was hit{also}"
    return Answer(shown=False, said=said, facts=facts)


def _http_of(event: Event, case: Case, target: str) -> list[Mapping[str, Any]]:
    """What the proxy of a target has counted of HTTP, at one look."""
    found = case.plan.environment.targets.get(target)
    names = {target} if found is None or found.proxy is None else {found.proxy}
    proxies = event.data.get("proxies") or {}
    return [http for name in names if isinstance(http := proxies.get(name, {}).get("http"), dict)]


def _bite_of_action(case: Case, span: FaultSpan, spec: FaultSpec) -> Answer:
    """Of faults that are no toxics: the user's own `effect` call, our probe, or the read-back."""
    action = spec.action
    injected = case.timeline.first("fault.inject", span.id, phase=Phase.OK)
    effect = injected.data.get("effect") if injected is not None else None
    if effect is not None:
        said = f"the `effect` call of `{span.id}` {'shows' if effect else 'does not show'} it"
        return Answer(shown=bool(effect), said=said, facts={"effect": bool(effect)})
    read_back = Answer(shown=True, said=f"`{span.id}` was read back as in place")
    ends = ENDS.get(spec.kind)
    partial = action is not None and any(name in action.options for name in _FILTERS)
    found = case.plan.environment.targets.get(span.target)
    if ends is None or partial or found is None or found.probed_at is None:
        return read_back
    before, during = _samples(case, span)
    answer = _broken(span, before, during, ends=ends, toxicity=1.0)
    blunt = _probe_of(case, span.target, during).startswith(ONLY_CONNECTS)
    compared = "probe_n" in answer.facts  # a kernel that takes connections says nothing against it
    return read_back if blunt and compared and not answer.shown else answer


def _slower(
    span: FaultSpan,
    before: Sequence[Event],
    during: Sequence[Event],
    *,
    latency_ms: int,
    toxicity: float,
) -> Answer:
    good = [float(e.data["ms"]) for e in before if e.data.get("ok")]
    if not good:
        return _nothing_to_compare(span)
    usual = median(good)
    times = [_time(e) for e in during]
    slow = [t for t in times if t >= usual + latency_ms / 2]
    share, typical = len(slow) / len(times), median(times)
    facts = {"probe_baseline_ms": usual, "probe_slow_share": share, "probe_n": len(times)}
    shown = f"{_ms(typical)} (before: {_ms(usual)})"
    enough = typical >= usual + latency_ms / 2 if toxicity >= 1 else share >= toxicity / 2
    if enough:
        said = f"our probe through `{span.target}` took {shown}"
        if toxicity < 1:
            said = f"{len(slow)} of {len(times)} probes through `{span.target}` were slow"
        return Answer(shown=True, said=said, facts=facts)
    said = (
        f"fault `{span.id}` did not bite: our probe through `{span.target}` took {shown}, "
        f"{format_ms(latency_ms)} more was injected"
    )
    return Answer(shown=False, said=said, facts=facts)


def _broken(
    span: FaultSpan,
    before: Sequence[Event],
    during: Sequence[Event],
    *,
    ends: tuple[str, ...],
    toxicity: float,
) -> Answer:
    if not during:
        return _no_probe(span)
    if not any(e.data.get("ok") for e in before):
        return _nothing_to_compare(span)
    hit = [e for e in during if not e.data.get("ok") and e.data.get("error") in ends]
    share = len(hit) / len(during)
    facts = {"probe_broken_share": share, "probe_n": len(during)}
    how = ", ".join(sorted({str(e.data["error"]) for e in hit})) or "none broken"
    said = f"{len(hit)} of {len(during)} probes through `{span.target}` broke ({how})"
    if share >= toxicity / 2 and hit:
        return Answer(shown=True, said=said, facts=facts)
    return Answer(shown=False, said=f"fault `{span.id}` did not bite: {said}", facts=facts)


def _no_probe(span: FaultSpan) -> Answer:
    said = f"no probe went through `{span.target}` during the fault"
    return Answer(shown=False, said=said)


def _nothing_to_compare(span: FaultSpan) -> Answer:
    said = f"no probe through `{span.target}` succeeded in the baseline to compare with"
    return Answer(shown=False, said=said)


def _samples(case: Case, span: FaultSpan) -> tuple[list[Event], list[Event]]:
    """Probes of the target before the fault, and those begun and ended while it was in."""
    on_ms, asked_ms = span.on_ms or 0, span.asked_ms or 0
    off_ms = case.timeline.end_ms if span.off_asked_ms is None else span.off_asked_ms
    samples = case.timeline.of("probe.sample", span.target)
    baseline = case.windows.get("baseline")
    start_ms = 0 if baseline is None else baseline.start_ms
    before = [e for e in samples if start_ms <= e.at_ms <= asked_ms]
    during = [e for e in samples if on_ms <= e.at_ms - _took(e) and e.at_ms <= off_ms]
    return before, during


def _probe_of(case: Case, target: str, samples: Sequence[Event]) -> str:
    if samples and samples[-1].data.get("kind"):
        return str(samples[-1].data["kind"])
    found = case.plan.environment.targets.get(target)
    return found.probe if found is not None else ONLY_CONNECTS


def _took(event: Event) -> float:
    return float(event.data.get("ms") or 0)


def _time(event: Event) -> float:
    """How long a probe took; one that ended otherwise than well counts as never answered."""
    if event.data.get("ok"):
        return _took(event)
    return float("inf") if event.data.get("error") == "timeout" else 0.0


def _ms(value: float) -> str:
    return "no answer" if value == float("inf") else format_ms(value)
