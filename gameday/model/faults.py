"""The kinds of faults beside toxics: their families, actions and options, with units and bounds.

A family is the key under which a fault stands in a scenario (`container: {type: pause}`), an action
its `type`. `command`, `http` and `python` are families with one action of the same name: their
options are calls (`inject`, `revert`, `present`, and where given `effect`), see `CALLS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_MB = 1_000_000
_TIB = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSpec:
    """One option of an action.

    `unit` says what is written and what is kept: `ms` and `signed ms` (whole milliseconds),
    `bytes`, `KB/s`, `share` (0 to 1), `count` (a whole number), `number`, `text`, `choice`.
    """

    unit: str
    help: str
    required: bool = False
    default: Any = None  # None: nothing is sent unless given
    minimum: float = 0
    maximum: float = float(_TIB)
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKind:
    """One way to break something.

    `staged` ones can be put in again with other options while they are in.
    """

    help: str
    options: Mapping[str, OptionSpec] = field(default_factory=dict)
    staged: bool = False


def _grace(text: str) -> OptionSpec:
    return OptionSpec(unit="ms", help=text, default=2_000, maximum=5_000)


_SIGNALS = ("KILL", "TERM", "INT", "QUIT", "HUP")
_SIGNAL = OptionSpec(unit="choice", help="the signal", default="KILL", choices=_SIGNALS)
_DIRECTION = OptionSpec(
    unit="choice",
    help="packets to the container, from it, or both",
    default="both",
    choices=("in", "out", "both"),
)
_PORT = OptionSpec(
    unit="count",
    help="only TCP packets with this port on either side",
    minimum=1,
    maximum=65_535,
)
_PEER = OptionSpec(unit="text", help="only packets of this peer: an IPv4 address or network")
_FILTER = {"direction": _DIRECTION, "port": _PORT, "peer": _PEER}

_CONTAINER = {
    "kill": ActionKind(help="its main process gets a signal", options={"signal": _SIGNAL}),
    "stop": ActionKind(
        help="it is stopped", options={"grace": _grace("how long it has before it is killed")}
    ),
    "restart": ActionKind(
        help="it is restarted once, when the fault begins",
        options={"grace": _grace("how long it has before it is killed")},
    ),
    "pause": ActionKind(help="all its processes are frozen; connections stay open"),
    "disconnect": ActionKind(
        help="it is taken off a network",
        options={
            "network": OptionSpec(unit="text", help="which one; its only network unless given")
        },
    ),
    "cpu": ActionKind(
        help="it gets no more than so many processors",
        options={
            "cpus": OptionSpec(
                unit="number",
                help="processors, such as 0.1",
                required=True,
                minimum=0.01,
                maximum=1_024,
            )
        },
        staged=True,
    ),
    "memory": ActionKind(
        help="it gets no more than so much memory, swap included",
        options={
            "limit": OptionSpec(
                unit="bytes", help="memory and swap together", required=True, minimum=6 * 2**20
            )
        },
        staged=True,
    ),
    "stress": ActionKind(
        help="stress-ng runs beside it, in its control group",
        options={
            "cpu": OptionSpec(
                unit="count", help="workers that burn processor time", minimum=1, maximum=64
            ),
            "memory": OptionSpec(unit="bytes", help="memory that is written", minimum=_MB),
            "io": OptionSpec(unit="count", help="workers that sync", minimum=1, maximum=64),
        },
    ),
    "drop": ActionKind(help="packets vanish", options=_FILTER),
    "reset": ActionKind(help="TCP packets are answered with a reset", options=_FILTER),
    "loss": ActionKind(
        help="a share of packets vanishes",
        options={
            "share": OptionSpec(
                unit="share", help="of packets, in each direction", required=True, maximum=1
            ),
            **_FILTER,
        },
    ),
    "dns": ActionKind(
        help="it cannot look up names",
        options={
            "how": OptionSpec(
                unit="choice",
                help="`refuse` fails at once, `drop` lets it wait",
                default="refuse",
                choices=("refuse", "drop"),
            )
        },
    ),
    "blackhole": ActionKind(
        help="packets to and from one peer vanish",
        options={
            "peer": OptionSpec(
                unit="text", help="an IPv4 address or network, or a container", required=True
            )
        },
    ),
    "disk": ActionKind(
        help="a volume or tmpfs of it is filled",
        options={
            "path": OptionSpec(unit="text", help="where it is mounted", required=True),
            "reserve": OptionSpec(
                unit="bytes", help="what is left free", default=64 * _MB, minimum=16_000
            ),
        },
    ),
    "netem": ActionKind(
        help="its network is late, lossy or slow; only where the kernel can",
        options={
            "delay": OptionSpec(unit="ms", help="each packet leaves this much later"),
            "jitter": OptionSpec(unit="ms", help="the delay varies by up to this much"),
            "loss": OptionSpec(unit="share", help="of the packets that leave", maximum=1),
            "rate": OptionSpec(unit="KB/s", help="of what leaves", minimum=1),
        },
    ),
}
_PROCESS = {
    "stop": ActionKind(help="SIGSTOP; SIGCONT takes it out"),
    "kill": ActionKind(
        help="a signal; the target's `restart` command takes it out", options={"signal": _SIGNAL}
    ),
}
_CERTIFICATE = {
    "expired": ActionKind(help="the endpoint serves a certificate that expired yesterday"),
    "wrong_host": ActionKind(help="the endpoint serves a certificate for another name"),
    "untrusted": ActionKind(help="the endpoint serves a certificate of an unknown issuer"),
}
_CLOCK = {
    "skew": ActionKind(
        help="the process sees another time",
        options={
            "offset": OptionSpec(
                unit="signed ms",
                help="how far it is ahead (`+1h`) or behind (`-5m`)",
                required=True,
                minimum=-10.0 * 365 * 86_400_000,
                maximum=10.0 * 365 * 86_400_000,
            )
        },
        staged=True,
    )
}
_CALLED = ActionKind(help="three calls of yours: inject, revert, and present, which reads back")

#: Family -> action -> what it is.
FAMILIES: Mapping[str, Mapping[str, ActionKind]] = MappingProxyType(
    {
        "container": _CONTAINER,
        "process": _PROCESS,
        "certificate": _CERTIFICATE,
        "clock": _CLOCK,
        "command": {"command": _CALLED},
        "http": {"http": _CALLED},
        "python": {"python": _CALLED},
    }
)
#: Families whose options are calls.
GENERIC = ("command", "http", "python")
#: The calls of a generic fault; `effect`, where given, shows that the fault does something.
CALLS = ("inject", "revert", "present", "effect")
CALL_TIMEOUT_MS = 5_000
#: How long one inject or revert may take where the scenario says nothing else.
CALL_LIMIT_MS = 10_000
#: What one of our own adapters needs around the calls.
CALL_MARGIN_MS = 2_000


def call_limit_ms(
    family: str, kind: str, options: Mapping[str, Any], *, base_ms: int = CALL_LIMIT_MS
) -> int:
    """How long an inject, or a revert with its read-back, of this action may take.

    A time that the action itself waits (`grace`, given or by default) comes on top of *base_ms*,
    twice: for the wait, and for what was waited for. Calls of a generic fault have their own times.
    """
    if family not in GENERIC:
        spec = FAMILIES[family][kind].options.get("grace")
        return base_ms + 2 * int(options.get("grace", spec.default if spec else 0))
    times = {name: int(options[name]["timeout_ms"]) for name in CALLS if name in options}
    present = times.get("present", 0)
    longest = max(times.get("inject", 0) + times.get("effect", 0), times.get("revert", 0))
    return longest + present + CALL_MARGIN_MS


#: Kind of fault -> how it is taken out, in words. Kinds that are not here are toxics.
UNDONE: Mapping[str, str] = MappingProxyType(
    {
        "container.kill": "starting it again",
        "container.stop": "starting it again",
        "container.restart": "making sure that it runs",
        "container.pause": "unpausing it",
        "container.disconnect": "connecting it again as it was: aliases, address, links",
        "container.cpu": "the processor limits of before",
        "container.memory": "the memory limits of before",
        "container.stress": "removing the helper container",
        "container.drop": "deleting exactly our packet rules",
        "container.reset": "deleting exactly our packet rules",
        "container.loss": "deleting exactly our packet rules",
        "container.dns": "deleting exactly our packet rules",
        "container.blackhole": "deleting exactly our packet rules",
        "container.disk": "deleting exactly our file",
        "container.netem": "deleting exactly our queueing rule",
        "process.stop": "SIGCONT",
        "process.kill": "its `restart` command, unless it has come back by itself",
        "certificate.expired": "the files of before, read again by the endpoint",
        "certificate.wrong_host": "the files of before, read again by the endpoint",
        "certificate.untrusted": "the files of before, read again by the endpoint",
        "clock.skew": "the offset of before",
        "command": "its `revert` call, read back by `present`",
        "http": "its `revert` call, read back by `present`",
        "python": "its `revert` call, read back by `present`",
    }
)
