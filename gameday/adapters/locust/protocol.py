"""The load protocol, version 1: JSON lines between the runner and a load generator.

Pure: reading, writing and checking of lines, no socket and no Locust. `docs/load-protocol.md` is
the contract; whatever passes `Conversation` can stand in Locust's place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

from gameday.adapters.locust.journey_json import (
    data_from_json,
    data_to_json,
    journey_from_json,
    journey_to_json,
    step_from_json,
    step_to_json,
)
from gameday.model.histogram import Histogram
from gameday.model.scenario import Auth, LoadSpec
from gameday.model.shape import Stretch
from gameday.model.window import OUTCOMES, Tick, tick_from_json, tick_to_json

VERSION = 1
#: The longest line either side accepts, in bytes.
MAX_LINE = 4 * 1024 * 1024
#: How much of an answer's body travels back from `once`, in characters.
MAX_BODY = 2048
#: The load process that speaks it with Locust.
AGENT = "gameday.adapters.locust.agent"
#: Environment variables by which the child finds the runner.
SOCKET_VAR, TOKEN_VAR, PARENT_VAR, WORKER_VAR = (
    "GAMEDAY_LOAD_SOCKET",
    "GAMEDAY_LOAD_TOKEN",
    "GAMEDAY_LOAD_PARENT",
    "GAMEDAY_LOAD_WORKER",
)


class ProtocolError(ValueError):
    """A line that is no message, or one that must not come now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First line of a worker. `host` and `clock` are of one that runs on another host."""

    T: ClassVar[str] = "hello"
    v: int
    token: str
    pid: int
    worker: str
    generator: str
    mono_ns: int
    host: str = ""
    clock: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Users are up and wait for `start`."""

    T: ClassVar[str] = "ready"
    worker: str
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The load has begun, at run second `second`."""

    T: ClassVar[str] = "running"
    worker: str
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edged:
    """An edge is marked: `marked` requests were under way when it was."""

    T: ClassVar[str] = "edged"
    worker: str
    opening: bool
    marked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """One second of the load."""

    T: ClassVar[str] = "tick"
    tick: Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back to one request of `once`. `status` is 0 when nothing did."""

    T: ClassVar[str] = "answer"
    journey: str
    request: str
    method: str
    path: str
    status: int
    body: str
    ms: float
    outcome: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """Last line of the child: everything has been sent."""

    T: ClassVar[str] = "bye"
    worker: str
    asked: int
    started: int
    unserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The child cannot go on, and says why in words for the user; it exits afterwards."""

    T: ClassVar[str] = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something about a worker that the run should know. May come at any time after `hello`."""

    T: ClassVar[str] = "note"
    worker: str
    what: str
    data: dict[str, Any] = field(default_factory=dict)


Message = Hello | Ready | Running | Edged | Ticked | Answer | Noted | Bye | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """What to run: build the users, and say `ready`. `locustfile` in the spec is absolute.

    `share` says which part of the load this worker makes: `index` and `of`; none: all of it.
    `sha256` is that of the locustfile, for a worker that has a copy of its own.
    """

    T: ClassVar[str] = "prepare"
    base_url: str
    seed: int
    spec: dict[str, Any]
    share: dict[str, Any] | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin at run second `second`, or else at the next whole one."""

    T: ClassVar[str] = "start"
    origin_wall_ms: int
    origin_mono_ns: int
    second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Change the arrival rate (open model), from `at_mono_ns` or else from now on."""

    T: ClassVar[str] = "rate"
    per_s: float
    at_mono_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Change the number of users (closed model)."""

    T: ClassVar[str] = "users"
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Connections are about to be cut, or no longer. Edges nest. Answered by `edged`."""

    T: ClassVar[str] = "edge"
    opening: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """No further arrivals; drain, send the last tick and `bye`, exit."""

    T: ClassVar[str] = "stop"
    drain_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Instead of `start`: run every journey once, send an `answer` a request, then `bye`."""

    T: ClassVar[str] = "once"
    limit_ms: int


Command = Prepare | Start | Rate | Users | Edge | Stop | Once

_MESSAGES: dict[str, type[Any]] = {
    c.T: c for c in (Hello, Ready, Running, Edged, Answer, Noted, Bye, Failed)
}
_COMMANDS: dict[str, type[Any]] = {c.T: c for c in (Prepare, Start, Rate, Users, Edge, Stop, Once)}


def write(message: Message) -> bytes:
    """The line of a message of the child, with its newline."""
    if isinstance(message, Ticked):
        return _line({"t": "tick", **tick_to_json(message.tick)})
    return _line({"t": message.T, **_plain(message)})


def write_command(command: Command) -> bytes:
    """The line of a command of the runner, with its newline."""
    return _line({"cmd": command.T, **_plain(command)})


def parse(line: bytes) -> Message:
    """The message in *line*. Raises `ProtocolError`; unknown fields are ignored."""
    raw = _object(line)
    kind = raw.get("t")
    if kind == Ticked.T:
        return Ticked(tick=_tick(raw))
    cls = _MESSAGES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(f"no message is called `{kind}`; known are {', '.join(_MESSAGES)}")
    message: Message = _read(cls, raw)
    return message


def parse_command(line: bytes) -> Command | None:
    """The command in *line*; None for one of a later version, which is to be ignored."""
    raw = _object(line)
    kind = raw.get("cmd")
    cls = _COMMANDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return None
    command: Command = _read(cls, raw)
    return command


class Conversation:
    """Checks that one worker speaks in the agreed order. Feed it every message."""

    def __init__(self) -> None:
        self._heard: set[type[Any]] = set()
        self._last: Tick | None = None

    @property
    def last_tick(self) -> Tick | None:
        """The newest tick."""
        return self._last

    @property
    def over(self) -> bool:
        """Whether the child has said all it had to say."""
        return bool(self._heard & {Bye, Failed})

    def feed(self, message: Message) -> None:
        """Take one message. Raises `ProtocolError` if it must not come now."""
        kind = type(message)
        if self.over:
            raise ProtocolError(f"`{message.T}` after the last line")
        if (Hello in self._heard) is (kind is Hello):
            raise ProtocolError("`hello` must be the first line, once")
        if isinstance(message, Hello) and message.v != VERSION:
            raise ProtocolError(f"version {message.v} of the load protocol; this runner speaks 1")
        if kind in (Running, Ticked, Edged, Answer) and Ready not in self._heard:
            raise ProtocolError(f"`{message.T}` before `ready`")
        if kind in (Ready, Running) and kind in self._heard:
            raise ProtocolError(f"`{message.T}` twice")
        if isinstance(message, Ticked):
            self._check(message.tick)
        self._heard.add(kind)

    def _check(self, tick: Tick) -> None:
        last = self._last
        if last is not None and tick.second != last.second + 1:
            raise ProtocolError(f"tick of second {tick.second} after second {last.second}")
        if last is not None and (tick.asked < last.asked or tick.started < last.started):
            raise ProtocolError("`asked` or `started` of a tick went back")
        self._last = tick


def spec_to_json(spec: LoadSpec) -> dict[str, Any]:
    """The form in which a load specification travels to the child."""
    return {
        **{f.name: getattr(spec, f.name) for f in fields(spec) if f.name != "journeys"},
        "shape": [_plain(stretch) for stretch in spec.shape],
        "classes": list(spec.classes),
        "journeys": [journey_to_json(journey) for journey in spec.journeys],
        "setup": [step_to_json(step) for step in spec.setup],
        "teardown": [step_to_json(step) for step in spec.teardown],
        "data": data_to_json(spec.data),
        "auth": None if spec.auth is None else asdict(spec.auth),
    }


def spec_from_json(raw: Mapping[str, Any]) -> LoadSpec:
    """Read what `spec_to_json` wrote. Raises `ProtocolError`."""
    try:
        plain = {f.name: raw[f.name] for f in fields(LoadSpec) if f.name in raw}
        plain["classes"] = tuple(raw["classes"])
        plain["shape"] = tuple(Stretch(**stretch) for stretch in raw.get("shape", ()))
        plain["journeys"] = tuple(journey_from_json(one) for one in raw["journeys"])
        for part in ("setup", "teardown"):
            plain[part] = tuple(step_from_json(step) for step in raw.get(part, ()))
        plain["auth"] = Auth(**raw["auth"]) if raw.get("auth") else None
        plain["data"] = data_from_json(raw.get("data", {}))
        return LoadSpec(**plain)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"no load specification: {type(error).__name__}: {error}") from error


def _line(raw: Mapping[str, Any]) -> bytes:
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _plain(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise ProtocolError(f"a line of {len(line)} bytes; at most {MAX_LINE} are read")
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(raw, dict):
        raise ProtocolError(f"not a JSON object: {line[:80]!r}")
    return raw


_T = TypeVar("_T")


def _read(cls: type[_T], raw: Mapping[str, Any]) -> _T:
    values = {}
    hints = get_type_hints(cls)
    for one in fields(cls):  # type: ignore[arg-type]
        name, wanted = one.name, hints[one.name]
        if name not in raw:
            if one.default is not MISSING or one.default_factory is not MISSING:
                continue
            raise ProtocolError(f"`{raw.get('t', raw.get('cmd'))}` without `{name}`")
        if not _fits(raw[name], wanted):
            raise ProtocolError(f"`{name}` of `{raw.get('t', raw.get('cmd'))}`: {raw[name]!r:.80}")
        values[name] = raw[name]
    return cls(**values)


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, UnionType):
        return any(_fits(value, one) for one in get_args(wanted))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted is None or wanted is NoneType:
        return value is None
    return isinstance(value, dict if wanted == dict[str, Any] else wanted)


def _tick(raw: Mapping[str, Any]) -> Tick:
    try:
        tick = tick_from_json(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"no tick: {type(error).__name__}: {error}") from error
    if unknown := {c.outcome for c in tick.cells} - set(OUTCOMES):
        raise ProtocolError(f"no outcome is called `{min(unknown)}`; known: {', '.join(OUTCOMES)}")
    numbers: list[Histogram] = [tick.start_lag, *(o.ages for o in tick.open)]
    numbers += [h for c in tick.cells for h in (c.response, c.service)]
    if any(bucket < 0 or n < 1 for h in numbers for bucket, n in h.items()):
        raise ProtocolError("a histogram with a negative bucket or an empty one")
    return tick
