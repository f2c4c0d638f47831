"""The kinds of toxics, their attributes with units and bounds, and what is wrong with a given one.

A Toxiproxy server checks almost nothing: a negative bandwidth or a slicer without a size ends the
whole server, every proxy with it. So everything is checked here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeGuard

STREAMS = ("downstream", "upstream")

#: A day. Longer times are mistakes in the unit, and near 2^62 they end the server.
MAX_MS = 86_400_000
MAX_US = MAX_MS * 1000
MAX_BYTES = 2**40
MAX_KB_PER_S = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSpec:
    """One attribute of a toxic. `unit` is that of the Toxiproxy API: ms, us, bytes or KB/s.

    All values are whole numbers from `minimum` to `maximum`. `default` is what is sent when an
    attribute that is not `required` is left out.
    """

    unit: str
    minimum: int
    maximum: int
    default: int = 0
    required: bool = False
    help: str = ""


def _ms(text: str, *, required: bool = False) -> AttributeSpec:
    return AttributeSpec(unit="ms", minimum=0, maximum=MAX_MS, required=required, help=text)


_LATENCY = {
    "latency": _ms("each piece of data arrives this much later", required=True),
    "jitter": _ms("the delay varies by up to this much, up and down"),
}
_BANDWIDTH = {
    "rate": AttributeSpec(
        unit="KB/s",
        minimum=1,
        maximum=MAX_KB_PER_S,
        required=True,
        help="of 1000 bytes, for each connection and direction",
    )
}
_SLICER = {
    "average_size": AttributeSpec(
        unit="bytes", minimum=1, maximum=MAX_BYTES, required=True, help="of one slice"
    ),
    "size_variation": AttributeSpec(
        unit="bytes", minimum=0, maximum=MAX_BYTES, help="less than the average size"
    ),
    "delay": AttributeSpec(unit="us", minimum=0, maximum=MAX_US, help="after each slice"),
}
_LIMIT_DATA = {
    "bytes": AttributeSpec(
        unit="bytes",
        minimum=0,
        maximum=MAX_BYTES,
        required=True,
        help="a connection is closed after so many",
    )
}

#: Kind of toxic -> attribute -> what it may be. `down` is no toxic; it has no attributes.
TOXICS: Mapping[str, Mapping[str, AttributeSpec]] = MappingProxyType(
    {
        "latency": _LATENCY,
        "bandwidth": _BANDWIDTH,
        "slow_close": {"delay": _ms("the end of a connection arrives later", required=True)},
        "timeout": {"timeout": _ms("of silence until the close; 0 is never", required=True)},
        "reset_peer": {"timeout": _ms("from the first data to the reset")},
        "slicer": _SLICER,
        "limit_data": _LIMIT_DATA,
    }
)


def problems_of(
    kind: str, attributes: Mapping[str, object], toxicity: object = 1.0, stream: object = STREAMS[0]
) -> tuple[str, ...]:
    """Everything that makes this toxic impossible, one text each; empty when it may be sent."""
    problems = []
    if stream not in STREAMS:
        problems.append(f"`{stream}` is not a stream; write `downstream` or `upstream`")
    if not _number(toxicity) or not 0 <= toxicity <= 1:
        problems.append(f"toxicity `{toxicity}` is not a share; it lies between 0 and 1")
    specs = TOXICS.get(kind)
    if specs is None:
        return (f"`{kind}` is not a toxic; there are {', '.join(TOXICS)}", *problems)
    for name in attributes:
        if name not in specs:
            problems.append(f"`{kind}` has no attribute `{name}`; there are {', '.join(specs)}")
    for name, spec in specs.items():
        if name in attributes:
            problems.extend(_problems_of_value(f"{kind}.{name}", attributes[name], spec))
        elif spec.required:
            problems.append(f"`{kind}` needs the attribute `{name}` ({spec.unit}): {spec.help}")
    return (*problems, *_problems_together(kind, attributes))


def warnings_of(
    kind: str, attributes: Mapping[str, object], toxicity: float = 1.0
) -> tuple[str, ...]:
    """What is possible but hardly meant, one text each."""
    warnings = []
    jitter, latency = attributes.get("jitter", 0), attributes.get("latency", 0)
    if _whole(jitter) and _whole(latency) and jitter > latency:
        warnings.append(
            f"jitter {jitter} ms is more than latency {latency} ms: "
            "part of the data is not delayed at all"
        )
    if toxicity == 0:
        warnings.append("toxicity 0 touches no connection: the fault cannot bite")
    if kind == "latency" and not latency and not jitter:
        warnings.append("a latency of 0 ms delays nothing: the fault cannot bite")
    return tuple(warnings)


def with_defaults(
    kind: str, attributes: Mapping[str, int | float | str]
) -> dict[str, int | float | str]:
    """All attributes of *kind* as they are sent, those left out at their default."""
    return {name: attributes.get(name, spec.default) for name, spec in TOXICS[kind].items()}


def _problems_of_value(name: str, value: object, spec: AttributeSpec) -> list[str]:
    if not _whole(value):
        return [f"`{name}` is `{value}`; it has to be a whole number of {spec.unit}"]
    if not spec.minimum <= value <= spec.maximum:
        return [
            f"`{name}` is {value} {spec.unit}; "
            f"it has to lie between {spec.minimum} and {spec.maximum} {spec.unit}"
        ]
    return []


def _problems_together(kind: str, attributes: Mapping[str, object]) -> tuple[str, ...]:
    size, variation = attributes.get("average_size"), attributes.get("size_variation", 0)
    if kind != "slicer" or not _whole(size) or not _whole(variation) or size < 1:
        return ()
    if variation < size:
        return ()
    return (
        f"`slicer.size_variation` is {variation} bytes; "
        f"it has to be less than the average size of {size} bytes",
    )


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
