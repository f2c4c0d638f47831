"""Rules about what is broken: targets, kinds, shares, lengths, how many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from gameday.model.faults import FAMILIES, OptionSpec
from gameday.model.scenario import ActionSpec, FaultSpec, ToxicSpec
from gameday.model.toxics import TOXICS, AttributeSpec
from gameday.model.units import format_ms, format_ratio
from gameday.policy.spans import fault_spans_ms, most_at_once
from gameday.policy.values import Case, Refusal, names

_Default = TypeVar("_Default", float, None)


def targets(case: Case) -> Iterator[Refusal]:
    """Only targets that are listed are broken or loaded."""
    allowed = case.policy.targets
    if allowed is None:
        return
    scenario = case.plan.scenario
    used = {fault.target: f"the fault `{fault.id}` breaks" for fault in scenario.faults}
    kept = (*scenario.control.proxies, *scenario.control.started) if scenario.control else ()
    used |= dict.fromkeys(kept, "a control run makes ready")
    used.setdefault(scenario.load.target, "the load goes to")
    for target, what in used.items():
        if target not in allowed:
            yield Refusal(
                rule="policy.targets",
                text=f"{what} `{target}`",
                hint=f"allowed are {names(allowed)}",
            )


def faults(case: Case) -> Iterator[Refusal]:
    """Only kinds that are listed, in every stage."""
    allowed = case.policy.faults
    if allowed is None:
        return
    for fault in case.plan.scenario.faults:
        for kind in dict.fromkeys(strength.kind for strength in fault.strengths):
            if not any(fnmatchcase(kind, pattern) for pattern in allowed):
                yield Refusal(
                    rule="policy.faults",
                    text=f"the fault `{fault.id}` is of the kind `{kind}`",
                    hint=f"allowed are {names(allowed)}",
                )


def max_share(case: Case) -> Iterator[Refusal]:
    """No fault hits more of its target than this."""
    largest = case.policy.max_share
    if largest is None:
        return
    for fault in case.plan.scenario.faults:
        share = share_of(fault)
        if share is not None and share > largest:
            yield Refusal(
                rule="policy.max_share",
                text=f"the fault `{fault.id}` hits {format_ratio(share)}",
                hint=f"at most {format_ratio(largest)} is allowed",
            )


def max_duration(case: Case) -> Iterator[Refusal]:
    """No fault is planned to be in for longer."""
    longest = case.policy.max_duration_ms
    if longest is None:
        return
    for name, (start, end) in fault_spans_ms(case.plan).items():
        if end - start > longest:
            yield Refusal(
                rule="policy.max_duration",
                text=f"the fault `{name}` is in for {format_ms(end - start)}",
                hint=f"at most {format_ms(longest)} is allowed",
            )


def max_faults(case: Case) -> Iterator[Refusal]:
    """No more faults are planned to be in at once."""
    most = case.policy.max_faults
    if most is None:
        return
    together = most_at_once(fault_spans_ms(case.plan))
    if len(together) > most:
        yield Refusal(
            rule="policy.max_faults",
            text=f"{len(together)} faults are in at once: {names(together)}",
            hint=f"at most {most} at a time" if most else "no fault is allowed here",
        )


def share_of(fault: FaultSpec) -> float | None:
    """Of how much it hits at its strongest; None where no strength of it has a share."""
    return max((s for s in map(_share, fault.strengths) if s is not None), default=None)


def _share(strength: FaultSpec) -> float | None:
    """Of how much one strength hits; None for an action that has no share."""
    if strength.action is not None:
        return _share_of_action(strength.action)
    return 1.0 if strength.toxic is None else _share_of_toxic(strength.toxic)


def _share_of_toxic(toxic: ToxicSpec) -> float:
    """Of the connections, and within them of the requests or pieces where it says so."""
    return toxic.toxicity * _largest(toxic.attributes, TOXICS.get(toxic.type, {}), default=1.0)


def _share_of_action(action: ActionSpec) -> float | None:
    kind = FAMILIES.get(action.family, {}).get(action.type)
    return _largest(action.options, {} if kind is None else kind.options, default=None)


def _largest(
    values: Mapping[str, object],
    known: Mapping[str, AttributeSpec] | Mapping[str, OptionSpec],
    *,
    default: _Default,
) -> float | _Default:
    """The largest share among the values, by the table of their units."""
    shares = [
        float(value)
        for name, value in values.items()
        if isinstance(value, int | float)
        and (name == "share" or (name in known and known[name].unit == "share"))
    ]
    return max(shares, default=default)
