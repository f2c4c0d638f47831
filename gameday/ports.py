"""What the engine needs of the outside world: small protocols, implemented in `gameday.adapters`.

An adapter is only ever called from one thread at a time. Every call must end in bounded time. It
raises `NoEffectError` if it is certain that nothing changed, `CannotSeeError` if it could not look;
anything else leaves the effect in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from gameday.model.event import Event
from gameday.model.finding_record import FindingRecord
from gameday.model.tickets import NewTicket, Ticket

#: Plain JSON data, enough to take a fault out from another process, without the journal's code.
Undo: TypeAlias = Mapping[str, Any]
#: Where adapters that watch put what they saw; thread-safe, never blocks for long.
Emit: TypeAlias = Callable[[Event], None]


class Fault(Protocol):
    """Something we can break and mend."""

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record.

        The record has a key `kind`, the name under which `registry.undoer` finds `revert`, and
        `target`. A key `facts` holds what was seen and is not needed for the undo: counters that
        show traffic (`traffic_bytes`, `connections`), what an image or a version was.
        """
        ...

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Break it, and read back that it is broken. Returns facts for the journal.

        Where traffic can be counted, `traffic_bytes` or `connections` as they were just before.
        """
        ...


class Undoer(Protocol):
    """Takes faults of one kind out, from their undo records alone, in any process."""

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Mend it. Idempotent. Returns facts for the journal."""
        ...

    def present(self, undo: Undo) -> bool:
        """Read back: is the fault (or half of it) still in place? Raises CannotSeeError."""
        ...


class Opener(Protocol):
    """Makes a target ready before the load starts: a proxy is created, a process started.

    What it opened is closed by the undoer of its record.
    """

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        ...

    def open(self, undo: Undo) -> Mapping[str, Any]:
        """Do it, and read back. Returns facts for the journal."""
        ...


class Lease(Protocol):
    """A run's hold on a place in which it breaks something: one run at a time there.

    It lives in that place, with what is needed to clean up there without a journal.
    """

    @property
    def undo(self) -> Undo:
        """The record with which it is given back from any process."""
        ...

    def take(self) -> Undo:
        """Take it. Raises `RefusedError` naming who has it."""
        ...

    def renew(self) -> None:
        """Hold it on. Raises `RefusedError` when another run has taken it."""
        ...

    def release(self) -> None:
        """Give it back. Idempotent; another run's lease is left alone."""
        ...


class Watcher(Protocol):
    """Observes something from a thread of its own, and emits NOTED events."""

    def start(self, emit: Emit) -> None:
        """Begin. Returns at once."""
        ...

    def stop(self) -> None:
        """End, within a second or two. Idempotent."""
        ...


class AlertSource(Protocol):
    """Where alerts can be read after the fact."""

    name: str

    def read(self, since_wall_ms: int, until_wall_ms: int) -> Mapping[str, Any]:
        """All it knows of that time, for the journal. Complete, or CannotSeeError."""
        ...


class Load(Protocol):
    """The traffic. Emits `load.window` events while it runs, `load.lost` if it dies."""

    def start(self, emit: Emit, *, origin_wall_ms: int, origin_mono_ns: int) -> Mapping[str, Any]:
        """Start the traffic; returns when requests are being made.

        Run seconds are counted from the origin, given on both clocks of this machine.
        """
        ...

    def edge(self, opening: bool) -> None:
        """Announce that connections are about to be cut (True), or no longer (False)."""
        ...

    def set_rate(self, per_s: float) -> None:
        """Change the arrival rate from now on, instead of the rest of a shape (open model)."""
        ...

    def stop(self) -> Mapping[str, Any]:
        """Stop asking, wait for what is under way (at most the timeout), end the process."""
        ...


class TicketSystem(Protocol):
    """Where tickets of findings are made. Raises `CannotSeeError` where it cannot be asked."""

    #: How it is called in messages.
    name: str

    def find(self, mark: str) -> tuple[Ticket, ...]:
        """The tickets with this mark, the oldest first; open or closed."""
        ...

    def make(self, new: NewTicket) -> Ticket:
        """Make one. `NoEffectError`: surely not made; `CannotSeeError`: not known."""
        ...

    def tell(self, ticket: Ticket, text: str, told: str) -> None:
        """Add *text* and the mark *told*, both or neither. Raises as `make`."""
        ...


class FindingStore(Protocol):
    """Where the findings register lies. Safe for several processes at once.

    Raises `UsageError` for a place that cannot be used, or that holds something else.
    """

    #: How it is called in messages.
    name: str

    def exists(self) -> bool:
        """Whether there is a register: one that was never made is not one without findings."""
        ...

    def all(self) -> tuple[FindingRecord, ...]:
        """Every finding, the most urgent first."""
        ...

    def change(
        self,
        ids: Collection[str],
        update: Callable[[Mapping[str, FindingRecord]], Iterable[FindingRecord]],
    ) -> tuple[FindingRecord, ...]:
        """Store what *update* makes of the findings with these *ids*, those that there are.

        Nobody else changes the register meanwhile. What *update* raises leaves everything as it
        was. Records only get longer (`continues`), and new ones have one of the *ids*. Returns what
        was stored.
        """
        ...
