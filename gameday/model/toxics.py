"""The kinds of toxics, their attributes with units and bounds, and what is wrong with a given one.

A Toxiproxy server checks almost nothing: a negative bandwidth or a slicer without a size ends the
whole server, every proxy with it. So everything is checked here, before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeGuard

from gameday.model.toxic_table import (
    KINDS,
    MAX_BYTES,
    MAX_KB_PER_S,
    MAX_MS,
    MAX_TEXT,
    MAX_US,
    STREAMS,
    TOXICS,
    AttributeSpec,
    ToxicKind,
)

__all__ = [
    "KINDS", "MAX_BYTES", "MAX_KB_PER_S", "MAX_MS", "MAX_TEXT", "MAX_US", "STREAMS", "TOXICS",
    "AttributeSpec", "ToxicKind", "embedded_only", "problems_of", "show_value", "warnings_of",
    "with_defaults",
]  # fmt: skip

#: Headers without which nobody knows where an answer ends: `http_header` leaves them alone.
FRAMING_HEADERS = ("content-length", "transfer-encoding")
_BODILESS = (204, 205, 304)


def embedded_only(kind: str) -> bool:
    """Whether only gameday's embedded server has this kind of toxic."""
    return kind in KINDS and KINDS[kind].embedded


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
    problems.extend(_not_offered(kind, toxicity, stream))
    for name in attributes:
        if name not in specs:
            problems.append(f"`{kind}` has no attribute `{name}`; there are {', '.join(specs)}")
    for name, spec in specs.items():
        if name in attributes:
            problems.extend(_problems_of_value(f"{kind}.{name}", attributes[name], spec))
        elif spec.required:
            problems.append(f"`{kind}` needs the attribute `{name}` ({spec.unit}): {spec.help}")
    return (*problems, *_problems_together(kind, attributes))


def _not_offered(kind: str, toxicity: object, stream: object) -> Iterator[str]:
    if not KINDS[kind].streams and stream == STREAMS[1]:
        yield f"`{kind}` has no stream to choose; leave `stream` out"
    if not KINDS[kind].toxicity and toxicity != 1:
        yield f"`{kind}` has no toxicity; `share` says which share of the requests"


def warnings_of(
    kind: str, attributes: Mapping[str, object], toxicity: float = 1.0
) -> tuple[str, ...]:
    """What is possible but hardly meant, one text each."""
    warnings = []
    about = "delay" if kind == "http_delay" else "latency"
    jitter, latency = attributes.get("jitter", 0), attributes.get(about, 0)
    if _whole(jitter) and _whole(latency) and jitter > latency:
        what = "answers" if kind == "http_delay" else "data"
        warnings.append(
            f"jitter {jitter} ms is more than {about} {latency} ms: "
            f"part of the {what} is not delayed at all"
        )
    if toxicity == 0:
        warnings.append("toxicity 0 touches no connection: the fault cannot bite")
    if kind == "latency" and not latency and not jitter:
        warnings.append("a latency of 0 ms delays nothing: the fault cannot bite")
    if kind in ("http_delay", "slow_connect") and not attributes.get("delay") and not jitter:
        warnings.append("a delay of 0 ms delays nothing: the fault cannot bite")
    for name in ("share", "loss"):
        if attributes.get(name, 1) == 0:
            warnings.append(f"{name} 0 touches nothing: the fault cannot bite")
    return tuple(warnings)


def with_defaults(
    kind: str, attributes: Mapping[str, int | float | str]
) -> dict[str, int | float | str]:
    """All attributes of *kind* as they are sent, those left out at their default."""
    return {name: attributes.get(name, spec.default) for name, spec in TOXICS[kind].items()}


def show_value(spec: AttributeSpec, value: float | str) -> str:
    """A value with its unit for people: `800 ms`, `20 %`, `503`, `/pay*`."""
    if spec.unit == "share":
        return f"{float(value) * 100:.2f}".rstrip("0").rstrip(".") + " %"
    return str(value) if spec.unit in ("text", "count", "status") else f"{value} {spec.unit}"


def _problems_of_value(name: str, value: object, spec: AttributeSpec) -> list[str]:
    if spec.unit == "text":
        return _problems_of_text(name, value, spec)
    if spec.unit == "share":
        if _number(value) and spec.minimum <= value <= spec.maximum:
            return []
        most = f"{spec.maximum:g} ({spec.maximum * 100:g} %)"
        return [f"`{name}` is `{value}`; it has to be a share from {spec.minimum:g} to {most}"]
    what = _NOUNS.get(spec.unit, f"whole number of {spec.unit}")
    unit = "" if spec.unit in _NOUNS else f" {spec.unit}"
    if not _whole(value):
        return [f"`{name}` is `{value}`; it has to be a {what}"]
    if not spec.minimum <= value <= spec.maximum:
        return [
            f"`{name}` is {value}{unit}; "
            f"it has to lie between {spec.minimum} and {spec.maximum}{unit}"
        ]
    return []


_NOUNS = {"count": "whole number", "status": "status of HTTP, such as 503"}


def _problems_of_text(name: str, value: object, spec: AttributeSpec) -> list[str]:
    if not isinstance(value, str):
        return [f"`{name}` is `{value}`; it has to be text"]
    if not spec.minimum <= len(value) <= spec.maximum:
        return [f"`{name}` has {len(value)} characters, not {spec.minimum} to {spec.maximum}"]
    if spec.pattern and not re.fullmatch(spec.pattern, value):
        return [f"`{name}` is `{value}`, which cannot be; write for example `{spec.example}`"]
    return []


def _problems_together(kind: str, attributes: Mapping[str, object]) -> tuple[str, ...]:
    check = _TOGETHER.get(kind)
    return () if check is None else check(attributes)


def _slicer_together(attributes: Mapping[str, object]) -> tuple[str, ...]:
    size, variation = attributes.get("average_size"), attributes.get("size_variation", 0)
    if not _whole(size) or not _whole(variation) or size < 1 or variation < size:
        return ()
    return (
        f"`slicer.size_variation` is {variation} bytes; "
        f"it has to be less than the average size of {size} bytes",
    )


def _corrupt_together(attributes: Mapping[str, object]) -> tuple[str, ...]:
    count, portion = attributes.get("count", 0), attributes.get("portion", 0)
    if not _number(count) or not _number(portion) or bool(count) != bool(portion):
        return ()
    return ("`http_corrupt.count` or `http_corrupt.portion` says how much; give exactly one",)


def _header_together(attributes: Mapping[str, object]) -> tuple[str, ...]:
    name = attributes.get("remove")
    if not isinstance(name, str) or name.lower() not in FRAMING_HEADERS:
        return ()
    return (
        f"`http_header.remove` is `{name}`, without which nobody knows where an answer ends; "
        "use `http_truncate` for an answer that ends too early",
    )


def _status_together(attributes: Mapping[str, object]) -> tuple[str, ...]:
    status, body = attributes.get("status"), attributes.get("body")
    if status not in _BODILESS or not body:
        return ()
    return (f"`http_status.body` cannot be sent with status {status}; leave `body` out",)


_TOGETHER: Mapping[str, Callable[[Mapping[str, object]], tuple[str, ...]]] = MappingProxyType(
    {
        "slicer": _slicer_together,
        "http_corrupt": _corrupt_together,
        "http_header": _header_together,
        "http_status": _status_together,
    }
)


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
