"""Toxics as values: what was asked for, checked, and how it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gameday.model.toxics import KINDS, TOXICS, AttributeSpec, problems_of
from gameday.proxy import body
from gameday.proxy.errors import ApiError

UPSTREAM = "upstream"
DOWNSTREAM = "downstream"
DIRECTIONS = (UPSTREAM, DOWNSTREAM)

Values = Mapping[str, Any]
"""Attributes by name: whole numbers, and for our own types numbers and texts too; all checked."""

SLOW_CONNECT = "slow_connect"
PROXY_BANDWIDTH = "proxy_bandwidth"

_MAX_RATE = (1 << 63) // 100 - 1
_MAX_JITTER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One integer attribute of a toxic type and the range it may have (None: any)."""

    name: str
    low: int | None = None
    high: int | None = None
    go_type: str = "int64"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicType:
    """A kind of toxic: Go's name for it (in error texts) and its attributes in order.

    The real server has no `own` ones; the table of `gameday.model.toxics` says what they are.
    """

    go_name: str
    attributes: tuple[Attribute, ...] = ()
    own: bool = False


def _own(kind: str) -> ToxicType:
    name = "".join(part.capitalize() for part in kind.split("_")) + "Toxic"
    attributes = tuple(Attribute(name=attribute) for attribute in TOXICS[kind])
    return ToxicType(go_name=name, attributes=attributes, own=True)


TYPES: Mapping[str, ToxicType] = {
    "bandwidth": ToxicType(
        go_name="BandwidthToxic", attributes=(Attribute(name="rate", low=0, high=_MAX_RATE),)
    ),
    "latency": ToxicType(
        go_name="LatencyToxic",
        attributes=(Attribute(name="latency"), Attribute(name="jitter", high=_MAX_JITTER)),
    ),
    "limit_data": ToxicType(go_name="LimitDataToxic", attributes=(Attribute(name="bytes"),)),
    "noop": ToxicType(go_name="NoopToxic"),
    "reset_peer": ToxicType(go_name="ResetToxic", attributes=(Attribute(name="timeout"),)),
    "slicer": ToxicType(
        go_name="SlicerToxic",
        attributes=(
            Attribute(name="average_size", low=1, go_type="int"),
            Attribute(name="size_variation", low=0, go_type="int"),
            Attribute(name="delay", go_type="int"),
        ),
    ),
    "slow_close": ToxicType(go_name="SlowCloseToxic", attributes=(Attribute(name="delay"),)),
    "timeout": ToxicType(go_name="TimeoutToxic", attributes=(Attribute(name="timeout"),)),
    **{kind: _own(kind) for kind, about in KINDS.items() if about.embedded},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """One toxic of a proxy. `stream` is kept as it was written, `direction` is what it means.

    `revision` counts the updates: an update draws a new lot for every connection. `ordinal` tells
    the toxics of one type on one proxy apart: names do not count for lots, as those of gameday name
    the run.
    """

    name: str
    type: str
    stream: str
    direction: str
    toxicity: float
    attributes: Values
    revision: int = 0
    ordinal: int = 0

    @property
    def http(self) -> bool:
        """Whether it acts on requests and answers, not on bytes."""
        return self.type.startswith("http_")

    def shown(self) -> dict[str, object]:
        """Return the JSON value of the API."""
        return {
            "attributes": dict(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": body.shortest_float32(self.toxicity),
        }


def parse_new(raw: bytes, taken: set[str]) -> Toxic:
    """Return the toxic that the body of a creation asks for.

    `taken` are the names the proxy has already. Raises `ApiError` 400 or 409, in the order in which
    the real server looks at the parts.
    """
    fields = body.as_object(body.decode(raw), "toxics.ToxicWrapper")
    owner = "ToxicWrapper"
    name = body.text_field(fields, owner, "name", "")
    type_ = body.text_field(fields, owner, "type", "")
    stream = body.text_field(fields, owner, "stream", DOWNSTREAM)
    toxicity = body.float32_field(fields, owner, "toxicity", 1.0)
    given = _attribute_object(fields, owner, "NoopToxic")
    direction = stream.lower()
    if direction not in DIRECTIONS:
        raise ApiError("stream was invalid, can be either upstream or downstream", 400)
    kind = TYPES.get(type_)
    if kind is None:
        raise ApiError("invalid toxic type", 400)
    name = name or f"{type_}_{stream}"
    if name in taken:
        raise ApiError("toxic already exists", 409)
    toxic = Toxic(
        name=name,
        type=type_,
        stream=stream,
        direction=direction,
        toxicity=toxicity,
        attributes=_attributes(type_, given, {}),
    )
    return _checked(toxic)


def parse_update(raw: bytes, toxic: Toxic) -> Toxic:
    """Return `toxic` with the attributes and the toxicity of the body; the rest is ignored.

    Raises `ApiError` 400, and then nothing has changed.
    """
    go_type = (
        'struct { Attributes interface {} "json:\\"attributes\\""; '
        'Toxicity float32 "json:\\"toxicity\\"" }'
    )
    fields = body.as_object(body.decode(raw), go_type)
    kind = TYPES[toxic.type]
    given = _attribute_object(fields, "", kind.go_name)
    attributes = _attributes(toxic.type, given, toxic.attributes)
    toxicity = body.float32_field(fields, "", "toxicity", toxic.toxicity)
    return _checked(
        replace(toxic, attributes=attributes, toxicity=toxicity, revision=toxic.revision + 1)
    )


def _attribute_object(fields: Mapping[str, object], owner: str, go_name: str) -> dict[str, object]:
    value = fields.get("attributes")
    if value is not None and not isinstance(value, dict):
        body.wrong_type(value, f"{owner}.attributes", f"toxics.{go_name}")
    return body.as_object(value, go_name)


def _checked(toxic: Toxic) -> Toxic:
    """Return the toxic; raises `ApiError` 400 if it is one of our own and cannot be."""
    if TYPES[toxic.type].own:
        stream = toxic.direction
        problems = problems_of(toxic.type, toxic.attributes, toxic.toxicity, stream)
        if problems:
            raise _invalid("; ".join(problems))
    return toxic


def _attributes(type_: str, given: Mapping[str, object], before: Values) -> dict[str, Any]:
    kind = TYPES[type_]
    owner = f"{kind.go_name}.attributes"
    if kind.own:
        return {
            name: _own_value(given, owner, name, spec, before.get(name))
            for name, spec in TOXICS[type_].items()
        }
    values = {
        item.name: body.int_field(given, owner, item.name, before.get(item.name, 0), item.go_type)
        for item in kind.attributes
    }
    for item in kind.attributes:
        _check_range(item, values[item.name])
    if values.get("size_variation", 0) > values.get("average_size", 0):
        raise _invalid(
            f"size_variation must not be above average_size ({values['average_size']}), "
            f"got {values['size_variation']}"
        )
    return values


def _own_value(
    given: Mapping[str, object], owner: str, name: str, spec: AttributeSpec, before: Any
) -> int | float | str:
    default = spec.default if before is None else before
    if spec.unit == "text":
        return body.text_field(given, owner, name, str(default))
    if spec.unit == "share":
        return body.float64_field(given, owner, name, float(default))
    return body.int_field(given, owner, name, int(default))


def _check_range(item: Attribute, value: int) -> None:
    if item.low is not None and value < item.low:
        raise _invalid(f"{item.name} must be at least {item.low}, got {value}")
    if item.high is not None and value > item.high:
        raise _invalid(f"{item.name} must be at most {item.high}, got {value}")


def _invalid(reason: str) -> ApiError:
    return ApiError(f"invalid attribute: {reason}", 400)


def lot(seed: int, *parts: object) -> int:
    """Return 64 random bits that depend on `seed` and `parts` alone, the same in every process."""
    text = "\x1f".join(str(part) for part in (seed, *parts))
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def parts_of(toxic: Toxic, proxy: str) -> tuple[object, ...]:
    """Return what the lots of a toxic depend on, beside the seed and the number of what is hit."""
    return proxy, toxic.direction, toxic.type, toxic.ordinal, toxic.revision


def takes_part(toxic: Toxic, seed: int, proxy: str, connection: int) -> bool:
    """Say whether `toxic` acts on the n-th connection of `proxy` (drawn once a revision)."""
    if toxic.toxicity >= 1:
        return True
    if toxic.toxicity <= 0:
        return False
    drawn = lot(seed, "toxicity", *parts_of(toxic, proxy), connection)
    return drawn < toxic.toxicity * float(1 << 64)
