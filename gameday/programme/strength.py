"""Whether a run asked at least as much of a service as the one in which it failed.

A claimed fix is only verified by a run that would have shown the weakness. Every option of every
kind of fault has a row in `WAYS`, which says when one value of it is at least as hard as another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from gameday.model.finding_record import Evidence, FaultStrength, Scalar
from gameday.model.project import ENVIRONMENT_KINDS
from gameday.model.units import format_ms


class Way(Enum):
    """When a value of an option is at least as hard as that of the run that failed.

    Where nothing is given: of `MORE` and `LESS` that is the weakest, of `WIDER` the hardest.
    """

    MORE = "more is harder"
    LESS = "less is harder"
    SAME = "only the same will do"
    WIDER = "the same, or everything"
    FURTHER = "the same sign, and further from zero"
    ENDLESS = "more is harder, and 0 is never"
    ANY = "makes it no harder"


_M, _L, _S, _W = Way.MORE, Way.LESS, Way.SAME, Way.WIDER
_MATCH = {"method": _W, "path": _W, "share": _M}
_PACKETS = {"direction": _W, "port": _W, "peer": _W}
#: What every toxic has beside its attributes.
_TOXIC = {"stream": _S, "toxicity": _M}

#: Kind of fault -> option -> way. Kinds without a row of their own have no options.
WAYS: Mapping[str, Mapping[str, Way]] = MappingProxyType(
    {
        "latency": {**_TOXIC, "latency": _M, "jitter": _M},
        "bandwidth": {**_TOXIC, "rate": _L},
        "slow_close": {**_TOXIC, "delay": _M},
        "timeout": {**_TOXIC, "timeout": Way.ENDLESS},
        "reset_peer": {**_TOXIC, "timeout": _L},
        "slicer": {**_TOXIC, "average_size": _L, "size_variation": Way.ANY, "delay": _M},
        "limit_data": {**_TOXIC, "bytes": _L},
        "http_status": {**_TOXIC, "status": _S, "body": Way.ANY, **_MATCH},
        "http_delay": {**_TOXIC, "delay": _M, "jitter": _M, **_MATCH},
        "http_truncate": {**_TOXIC, "bytes": _L, **_MATCH},
        "http_corrupt": {**_TOXIC, "count": _M, "portion": _M, **_MATCH},
        "http_header": {**_TOXIC, "remove": _S, **_MATCH},
        "stall": {**_TOXIC, "loss": _M, "pause": _M, "longest": _M},
        "slow_connect": {**_TOXIC, "delay": _M},
        "proxy_bandwidth": {**_TOXIC, "rate": _L},
        "container.kill": {"signal": _S},
        "container.stop": {"grace": _L},
        "container.restart": {"grace": _L},
        "container.disconnect": {"network": _S},
        "container.cpu": {"cpus": _L},
        "container.memory": {"limit": _L},
        "container.stress": {"cpu": _M, "memory": _M, "io": _M},
        "container.drop": _PACKETS,
        "container.reset": _PACKETS,
        "container.loss": {"share": _M, **_PACKETS},
        "container.dns": {"how": _S},
        "container.blackhole": {"peer": _S},
        "container.disk": {"path": _S, "reserve": _L},
        "container.netem": {"delay": _M, "jitter": _M, "loss": _M, "rate": _L},
        "process.kill": {"signal": _S},
        "clock.skew": {"offset": Way.FURTHER},
        "command": {"calls": _S},
        "http": {"calls": _S},
        "python": {"calls": _S},
    }
)
#: Values that mean everything, for `WIDER`.
_EVERYTHING = (None, "", "both")


def weaker(than: Evidence, run: Evidence) -> tuple[str, ...]:
    """Why *run* asked less than the run that failed; empty if it asked at least as much."""
    return tuple(_weaker(than, run))


def _weaker(than: Evidence, run: Evidence) -> Iterator[str]:
    if run.scenario != than.scenario:
        yield f"it ran the scenario `{run.scenario}`, not `{than.scenario}`"
        return
    if run.control != than.control:
        yield "it was a control run" if run.control else "it was not a control run"
    if _rank(run) < _rank(than):
        yield (
            f"it ran in an environment of the kind `{run.environment_kind}`, which shows less than "
            f"`{than.environment_kind}`"
        )
    yield from _weaker_limit(than, run)
    if not than.run:
        return  # raised by hand: nothing is known of how hard it was tried
    yield from _weaker_faults(than.faults, run.faults)
    yield from _weaker_load(than, run)


def _rank(evidence: Evidence) -> int:
    """How much a run there shows; a kind that is not known shows least."""
    kind = evidence.environment_kind
    return ENVIRONMENT_KINDS.index(kind) if kind in ENVIRONMENT_KINDS else -1


def _weaker_limit(than: Evidence, run: Evidence) -> Iterator[str]:
    if than.limit is None:
        return
    fine = run.limit is not None and (
        run.limit <= than.limit if than.least else run.limit >= than.limit
    )
    if not fine:
        yield f"it asked for less: `{run.expectation}` instead of `{than.expectation}`"


def _weaker_load(than: Evidence, run: Evidence) -> Iterator[str]:
    if run.load_model != than.load_model:
        yield f"its load was {run.load_model or 'none'}, not {than.load_model}"
    elif run.load_peak < than.load_peak:
        unit = "/s" if than.load_model == "open" else " users"
        yield f"its load was {run.load_peak:g}{unit}, not {than.load_peak:g}{unit}"
    if not than.faults and run.fault_ms < than.fault_ms:
        yield f"its load lasted {format_ms(run.fault_ms)}, not {format_ms(than.fault_ms)}"


def _weaker_faults(
    than: tuple[FaultStrength, ...], run: tuple[FaultStrength, ...]
) -> Iterator[str]:
    """Each fault of then needs one of its own now: two on one target add up."""
    left = list(run)
    for old in than:
        candidates = [f for f in left if (f.target, f.kind) == (old.target, old.kind)]
        if not candidates:
            yield f"`{old.target}` had no fault `{old.kind}`"
            continue
        reasons = [(list(_weaker_fault(old, new)), new) for new in candidates]
        why, used = min(reasons, key=lambda pair: len(pair[0]))
        left.remove(used)
        yield from why


def _weaker_fault(old: FaultStrength, new: FaultStrength) -> Iterator[str]:
    if new.length_ms < old.length_ms:
        yield (
            f"the {old.kind} of `{old.target}` was planned for {format_ms(new.length_ms)}, "
            f"not {format_ms(old.length_ms)}"
        )
    for strength in old.strengths:
        each = [list(_weaker_options(old, strength, one)) for one in new.strengths]
        if not each:
            yield f"the {old.kind} of `{old.target}` was not put in"
        elif all(each):
            yield from min(each, key=len)


def _weaker_options(
    old: FaultStrength, then: Mapping[str, Scalar], now: Mapping[str, Scalar]
) -> Iterator[str]:
    ways = WAYS.get(old.kind, {})
    for name in sorted({*then, *now}):
        way = ways.get(name, Way.SAME)
        if not at_least(way, then.get(name), now.get(name)):
            yield (
                f"`{name}` of the {old.kind} of `{old.target}` was {_shown(now.get(name))}, "
                f"not {_shown(then.get(name))}"
            )


def at_least(way: Way, then: Scalar, now: Scalar) -> bool:
    """Whether *now* is at least as hard as *then*, for an option of this *way*."""
    return now == then or _HARDER[way](then, now)


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _more(then: Scalar, now: Scalar) -> bool:
    """Nothing given is the weakest."""
    if then is None:
        return True
    old, new = _number(then), _number(now)
    return old is not None and new is not None and new >= old


def _less(then: Scalar, now: Scalar) -> bool:
    if then is None:
        return True
    old, new = _number(then), _number(now)
    return old is not None and new is not None and new <= old


def _further(then: Scalar, now: Scalar) -> bool:
    old, new = _number(then), _number(now)
    return old is not None and new is not None and old * new > 0 and abs(new) >= abs(old)


def _endless(then: Scalar, now: Scalar) -> bool:
    return now == 0 or (then != 0 and _more(then, now))


_HARDER: Mapping[Way, Callable[[Scalar, Scalar], bool]] = {
    Way.MORE: _more,
    Way.LESS: _less,
    Way.SAME: lambda _then, _now: False,  # equal values were taken before
    Way.WIDER: lambda _then, now: now in _EVERYTHING,
    Way.FURTHER: _further,
    Way.ENDLESS: _endless,
    Way.ANY: lambda _then, _now: True,
}


def _shown(value: Scalar) -> str:
    return "not given" if value in (None, "") else f"{value}"
