"""A fault in words: what is broken, how strongly, and where it grows."""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.scenario import ActionSpec, FaultSpec, Stage, ToxicSpec
from gameday.model.toxics import TOXICS
from gameday.model.units import format_ms, format_ratio


def describe(fault: FaultSpec) -> str:
    """`latency 800 ms, jitter 50 ms (downstream)`, `container.pause`, … with its stages."""
    first = _strength(fault.toxic, fault.action)
    return "; then ".join([first, *(_stage(stage) for stage in fault.stages)])


def _strength(toxic: ToxicSpec | None, action: ActionSpec | None) -> str:
    if action is not None:
        return _action(action)
    return "down: connections are refused" if toxic is None else _toxic(toxic)


def _toxic(toxic: ToxicSpec) -> str:
    texts = []
    for name, value in sorted(toxic.attributes.items(), key=lambda a: (a[0] != toxic.type, a[0])):
        spec = TOXICS.get(toxic.type, {}).get(name)
        unit = "" if spec is None else spec.unit.replace("bytes", "B")
        texts.append(f"{name.replace('_', ' ')} {value} {unit}".strip())
    share = "" if toxic.toxicity >= 1 else f", on {format_ratio(toxic.toxicity)} of connections"
    head = "" if texts and texts[0].startswith(toxic.type) else f"{toxic.type} "
    return f"{head}{', '.join(texts)} ({toxic.stream}{share})".strip()


def _action(action: ActionSpec) -> str:
    if action.family in GENERIC:
        return f"{action.type}: calls of its own"  # what they carry may be a secret
    options = ", ".join(_options(action))
    return f"{action.family} {action.type}" + (f": {options}" if options else "")


def _options(action: ActionSpec) -> Iterable[str]:
    kind = FAMILIES.get(action.family, {}).get(action.type)
    for name, value in sorted(action.options.items()):
        spec = kind.options.get(name) if kind is not None else None
        unit = spec.unit if spec is not None else ""
        yield f"{name} {_value(value, unit)}"


def _value(value: object, unit: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        match unit:
            case "ms" | "signed ms":
                return format_ms(value)
            case "share":
                return format_ratio(value)
            case "bytes":
                return f"{value:g} B" if value < 1_000_000 else f"{value / 1_000_000:.10g} MB"
            case "KB/s":
                return f"{value:g} KB/s"
    return f"{value}"


def _stage(stage: Stage) -> str:
    if stage.when is not None:
        gate = f"when {stage.when.text}"
    elif stage.gate is not None:
        gate = f"at the gate {stage.gate}"
    else:
        gate = f"after {format_ms(stage.after_ms or 0)}"
    return f"{_strength(stage.toxic, stage.action)} {gate}"
