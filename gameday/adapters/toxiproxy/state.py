"""What a Toxiproxy server holds, and the notes that gameday leaves on it.

A note is a disabled proxy whose `upstream` is a line of JSON. It is the memory of a run on the
server itself: with it every fault can be taken out when the runner, the sentinel and the journal
are gone together. The name begins with `gameday-`, and so do all toxics of ours; nothing else on
the server is ever touched.

    gameday-lease                     the run that holds the server, and until when
    gameday-fault-<run>-<fault>       the undo record of a fault that may be in place
    gameday-target-<run>-<target>     the undo record of a proxy that the run created
    gameday-backup-<run>-<proxy>      a proxy as it has to become again, while it is being replaced
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PREFIX = "gameday-"
LEASE = "gameday-lease"
#: Where a note would listen if somebody enabled it: on loopback, on any free port.
NOTE_LISTEN = "127.0.0.1:0"
_TOXICITY_STEP = 1e-6  # the real server keeps toxicity in 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicState:
    """One toxic as the server shows it."""

    name: str
    type: str
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether gameday put it there."""
        return self.name.startswith(PREFIX)

    def same_as(self, other: ToxicState) -> bool:
        """Whether both do the same; attributes that only one side knows do not count."""
        known = self.attributes.keys() & other.attributes.keys()
        return (
            (self.name, self.type, self.stream.lower())
            == (other.name, other.type, other.stream.lower())
            and abs(self.toxicity - other.toxicity) < _TOXICITY_STEP
            and all(self.attributes[key] == other.attributes[key] for key in known)
        )

    def to_json(self) -> dict[str, Any]:
        """The form of the Toxiproxy API."""
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ToxicState:
        """Read the form of the Toxiproxy API."""
        return cls(
            name=str(raw["name"]),
            type=str(raw["type"]),
            stream=str(raw.get("stream") or "downstream"),
            toxicity=float(raw.get("toxicity", 1.0)),
            attributes=dict(raw.get("attributes") or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyState:
    """One proxy as the server shows it."""

    name: str
    listen: str
    upstream: str
    enabled: bool = True
    toxics: tuple[ToxicState, ...] = ()

    def toxic(self, name: str) -> ToxicState | None:
        """The toxic of that name."""
        return next((t for t in self.toxics if t.name == name), None)

    def without_ours(self) -> ProxyState:
        """As somebody else left it: without gameday's toxics."""
        return replace(self, toxics=tuple(t for t in self.toxics if not t.ours))

    def same_as(self, other: ProxyState) -> bool:
        """Whether both do the same; where they listen and lead is not compared."""
        theirs = {t.name: t for t in other.toxics}
        return (
            self.enabled == other.enabled
            and {t.name for t in self.toxics} == theirs.keys()
            and all(t.same_as(theirs[t.name]) for t in self.toxics)
        )

    def to_json(self) -> dict[str, Any]:
        """The form of undo records and notes."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [t.to_json() for t in self.toxics],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ProxyState:
        """Read the form of the Toxiproxy API or of an undo record."""
        return cls(
            name=str(raw["name"]),
            listen=str(raw["listen"]),
            upstream=str(raw["upstream"]),
            enabled=bool(raw["enabled"]),
            toxics=tuple(ToxicState.from_json(t) for t in raw.get("toxics") or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note: the name of the disabled proxy, and what it says."""

    name: str
    data: Mapping[str, Any]

    @property
    def mode(self) -> str:
        """`toxic` or `down` (faults), `created` (targets), `backup` or `lease`."""
        return str(self.data.get("mode", ""))

    @property
    def run(self) -> str:
        """The run that left it."""
        return str(self.data.get("run", ""))

    @property
    def proxy(self) -> str:
        """The name of the proxy it is about, or an empty string."""
        about = self.data.get("proxy")
        return str(about.get("name", "")) if isinstance(about, Mapping) else ""

    @property
    def text(self) -> str:
        """The `upstream` that carries it."""
        return json.dumps({"gameday": 1, **self.data}, separators=(",", ":"), sort_keys=True)


def note_of(proxy: ProxyState) -> Note | None:
    """The note that a proxy is; None for a real proxy, whatever its name."""
    if not proxy.name.startswith(PREFIX) or not proxy.upstream.startswith("{"):
        return None
    try:
        data = json.loads(proxy.upstream)
    except (ValueError, RecursionError):
        return None
    return Note(name=proxy.name, data=data) if "gameday" in data else None


class Snapshot:
    """All that a server held at one moment."""

    def __init__(self, proxies: Mapping[str, ProxyState]) -> None:
        found = (note_of(p) for p in proxies.values())
        self.notes = {note.name: note for note in found if note is not None}
        self.proxies = {n: p for n, p in proxies.items() if n not in self.notes}

    def backup_of(self, proxy: str) -> Note | None:
        """The note of a replacement of *proxy* that was begun and not finished."""
        return next(
            (n for n in self.notes.values() if n.mode == "backup" and n.proxy == proxy), None
        )

    def trusted(self, proxy: str) -> ProxyState | None:
        """*proxy* as it has to be: of the backup while it is being replaced, else as it is."""
        backup = self.backup_of(proxy)
        if backup is not None:
            return ProxyState.from_json(backup.data["proxy"])
        return self.proxies.get(proxy)

    def faults_on(self, proxy: str) -> tuple[Note, ...]:
        """The notes of the faults that may be in place on *proxy*."""
        return tuple(
            n for n in self.notes.values() if n.mode in ("toxic", "down") and n.proxy == proxy
        )

    def held_down(self, proxy: str, *, but: str) -> bool:
        """Whether a fault other than that of the note *but* keeps *proxy* down."""
        return any(n.mode == "down" and n.name != but for n in self.faults_on(proxy))
