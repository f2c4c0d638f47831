"""The table of toxics: their kinds, attributes, units and bounds. `toxics` has the rules on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STREAMS = ("downstream", "upstream")

#: A day. Longer times are mistakes in the unit, and near 2^62 they end the server.
MAX_MS = 86_400_000
MAX_US = MAX_MS * 1000
MAX_BYTES = 2**40
MAX_KB_PER_S = 10_000_000


#: The longest text of an attribute: a path or a body to answer with.
MAX_TEXT = 8192
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSpec:
    """One attribute of a toxic, in the unit of the API of the server.

    `ms`, `us`, `bytes`, `KB/s`, `count` and `status` (of HTTP) are whole numbers from `minimum` to
    `maximum`, `share` is a number between them, `text` has so many characters and fits `pattern`.
    `default` is what is sent when an attribute that is not `required` is left out. `example` is
    how people write it.
    """

    unit: str
    minimum: float
    maximum: float
    default: int | float | str = 0
    required: bool = False
    help: str = ""
    pattern: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicKind:
    """What a kind of toxic does, who can do it, and what may be said beside its attributes.

    `embedded`: only gameday's own server has it. `streams`: it acts on one direction, which may be
    chosen. `toxicity`: it acts on a share of the connections, which may be chosen.
    """

    help: str
    embedded: bool = False
    streams: bool = True
    toxicity: bool = True


def _ms(text: str, *, required: bool = False, minimum: int = 0, default: int = 0) -> AttributeSpec:
    return AttributeSpec(
        unit="ms", minimum=minimum, maximum=MAX_MS, default=default, required=required, help=text
    )


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

_MATCHERS = {
    "method": AttributeSpec(
        unit="text",
        minimum=0,
        maximum=200,
        default="",
        pattern=r"(?:[A-Z][A-Z0-9_-]{0,31}(?: *, *[A-Z][A-Z0-9_-]{0,31})*)?",
        help="only requests with this method, or one of several with commas between them",
        example="POST",
    ),
    "path": AttributeSpec(
        unit="text",
        minimum=0,
        maximum=MAX_TEXT,
        default="",
        pattern=r"(?:[/*][!-~]*)?",
        help="only requests whose path, without the query, is this; `*` stands for any characters",
        example="/pay*",
    ),
    "share": AttributeSpec(
        unit="share",
        minimum=0,
        maximum=1,
        default=1.0,
        help="of the requests that match, drawn for each",
        example="20%",
    ),
}
_HTTP_STATUS = {
    "status": AttributeSpec(
        unit="status",
        minimum=200,
        maximum=599,
        required=True,
        help="the answer's status; the upstream is not asked",
        example="503",
    ),
    "body": AttributeSpec(
        unit="text", minimum=0, maximum=MAX_TEXT, default="", help="the answer's body"
    ),
    **_MATCHERS,
}
_HTTP_DELAY = {
    "delay": _ms("the answer is held back for so long", required=True),
    "jitter": _ms("the delay varies by up to this much, up and down"),
    **_MATCHERS,
}
_HTTP_TRUNCATE = {
    "bytes": AttributeSpec(
        unit="bytes",
        minimum=0,
        maximum=MAX_BYTES,
        required=True,
        help="of the body pass, then the connection is closed",
    ),
    **_MATCHERS,
}
_HTTP_CORRUPT = {
    "count": AttributeSpec(
        unit="count", minimum=0, maximum=1000, help="bytes of each body that are changed"
    ),
    "portion": AttributeSpec(
        unit="share", minimum=0, maximum=1, default=0.0, help="of the bytes of each body"
    ),
    **_MATCHERS,
}
_HTTP_HEADER = {
    "remove": AttributeSpec(
        unit="text",
        minimum=1,
        maximum=100,
        default="",
        required=True,
        pattern=_HEADER_NAME,
        help="the name of the header that is taken out of answers",
        example="Cache-Control",
    ),
    **_MATCHERS,
}
_STALL = {
    "loss": AttributeSpec(
        unit="share",
        minimum=0,
        maximum=0.9,
        default=0.0,
        required=True,
        help="of the pieces of data, each of which waits as a lost packet does",
        example="5%",
    ),
    "pause": _ms(
        "the first wait; it doubles each time the same piece is lost again", minimum=1, default=200
    ),
    "longest": _ms("no single wait is longer", minimum=1, default=3000),
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
        "http_status": _HTTP_STATUS,
        "http_delay": _HTTP_DELAY,
        "http_truncate": _HTTP_TRUNCATE,
        "http_corrupt": _HTTP_CORRUPT,
        "http_header": _HTTP_HEADER,
        "stall": _STALL,
        "slow_connect": {
            "delay": _ms("a new connection is accepted, but not served for so long", required=True)
        },
        "proxy_bandwidth": {
            "rate": AttributeSpec(
                unit="KB/s",
                minimum=1,
                maximum=MAX_KB_PER_S,
                required=True,
                help="of 1000 bytes, for all connections together",
            )
        },
    }
)


def _http(text: str) -> ToxicKind:
    return ToxicKind(help=text, embedded=True, streams=False, toxicity=False)


#: Kind of toxic -> what it does, and who can do it.
KINDS: Mapping[str, ToxicKind] = MappingProxyType(
    {
        "latency": ToxicKind(help="each piece of data arrives late"),
        "bandwidth": ToxicKind(help="each connection is slow"),
        "slow_close": ToxicKind(help="the end of a connection is late"),
        "timeout": ToxicKind(help="no data passes"),
        "reset_peer": ToxicKind(help="connections are reset"),
        "slicer": ToxicKind(help="data arrives in small pieces"),
        "limit_data": ToxicKind(help="a connection is closed after some bytes"),
        "http_status": _http("requests are answered by the proxy with a status"),
        "http_delay": _http("answers are held back"),
        "http_truncate": _http("the bodies of answers are cut"),
        "http_corrupt": _http("bytes of the bodies of answers are changed"),
        "http_header": _http("a header is taken out of answers"),
        "stall": ToxicKind(help="data stops now and then, as when packets are lost", embedded=True),
        "slow_connect": ToxicKind(
            help="new connections are served late", embedded=True, streams=False
        ),
        "proxy_bandwidth": ToxicKind(help="all connections together are slow", embedded=True),
    }
)
