"""The lease: one run at a time on a server; and cleaning a server up without any journal.

The lease is a note on the server. Creating it is atomic, so it locks between hosts too. It says
until when it holds and which process renews it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gameday.adapters.toxiproxy.change import look, replace_proxy
from gameday.adapters.toxiproxy.client import ToxiproxyClient, ToxiproxyRefusedError
from gameday.adapters.toxiproxy.state import (
    LEASE,
    NOTE_LISTEN,
    Note,
    ProxyState,
    Snapshot,
    note_of,
)
from gameday.adapters.toxiproxy.undo import UNDOER
from gameday.errors import AdapterError, RefusedError
from gameday.model.recovery import RecoveryReport
from gameday.ports import Undo
from gameday.processes import Life, life_of, own_identity

TTL_S = 30.0
CALLS_S = 6.0


class Lease:
    """A run's hold on a server. Renew it at least every third of *ttl_s*, from one thread."""

    def __init__(
        self,
        url: str,
        run_id: str,
        *,
        server: Mapping[str, Any] | None = None,
        ttl_s: float = TTL_S,
    ) -> None:
        self._client = ToxiproxyClient(url)
        self._run, self._server, self._ttl_s = run_id, server, ttl_s

    @property
    def undo(self) -> Undo:
        """The record with which the lease is given back from any process."""
        return {
            "kind": "toxiproxy",
            "mode": "lease",
            "url": self._client.url,
            "run": self._run,
            "server": self._server,
        }

    def blocked(self) -> str | None:
        """Who has the server, in words; None if it could be taken. Changes nothing."""
        there = _lease_of(look(self._client.within(CALLS_S)))
        if there is None or there.run == self._run:
            return None
        return _who_holds(self._client.url, there)

    def take(self) -> Undo:
        """Take the server for this run. Raises `RefusedError` naming the run that has it."""
        client = self._client.within(CALLS_S)
        try:
            client.create(LEASE, listen=NOTE_LISTEN, upstream=self._text(), enabled=False)
        except ToxiproxyRefusedError as error:
            if error.status != 409:
                raise
            there = _lease_of(look(client))
            if there is not None and there.run == self._run:
                client.set_upstream(LEASE, self._text())
                return self.undo
            raise RefusedError(_who_holds(client.url, there)) from None
        return self.undo

    def renew(self) -> None:
        """Hold it for another *ttl_s*; a server that was restarted is taken again.

        Raises `RefusedError` when another run has taken it.
        """
        client = self._client.within(CALLS_S)
        found = client.proxy(LEASE)
        note = note_of(found) if found else None
        if note is not None and note.run == self._run:
            client.set_upstream(LEASE, self._text())
        else:
            self.take()

    def release(self) -> None:
        """Give it back. Idempotent; another run's lease is left alone."""
        UNDOER.revert(self.undo)

    def _text(self) -> str:
        data = {
            "mode": "lease",
            "run": self._run,
            "expires_wall_ms": round((time.time() + self._ttl_s) * 1000),
            "owner": own_identity(),
        }
        return Note(name=LEASE, data=data).text


def recover_target(url: str, *, force: bool = False) -> RecoveryReport:
    """Take everything of gameday off the server at *url*, without a journal, and read that back.

    What is not gameday's is not touched. Raises `RefusedError` while a run holds the server,
    unless *force* is given, and `AdapterError` when the server cannot be asked.
    """
    client = ToxiproxyClient(url)
    snapshot = look(client.within(CALLS_S))
    lease = _lease_of(snapshot)
    if lease is not None and _held(lease) and not force:
        raise RefusedError(_who_holds(client.url, lease))
    lines: list[str] = []
    failed: list[str] = []
    for step in (_revert_faults, _finish_replacements, _sweep_toxics, _remove_targets):
        try:
            step(client, lines)
        except AdapterError as error:
            failed.append(str(error))
    _drop_rest(client, lines, failed)
    dirty = _left(look(client.within(CALLS_S)))
    lines.extend(f"failed: {text}" for text in failed)
    return RecoveryReport(lines=tuple(lines) or ("nothing of gameday was there",), dirty=dirty)


def _revert_faults(client: ToxiproxyClient, lines: list[str]) -> None:
    for note in _notes(client, "toxic", "down"):
        UNDOER.revert(_record(note, client.url))
        what = f"fault `{note.data.get('fault')}` of run `{note.run}`"
        lines.append(f"took {what} off the proxy `{note.proxy}`")


def _finish_replacements(client: ToxiproxyClient, lines: list[str]) -> None:
    """Proxies that were being replaced by a run whose other notes are gone."""
    for note in _notes(client, "backup"):
        snapshot = look(client.within(CALLS_S))
        wanted = ProxyState.from_json(note.data["proxy"]).without_ours()
        replace_proxy(client.within(CALLS_S), snapshot, wanted, note.run)
        lines.append(f"put the proxy `{wanted.name}` back")


def _sweep_toxics(client: ToxiproxyClient, lines: list[str]) -> None:
    """Toxics that carry our name but have no note."""
    snapshot = look(client.within(CALLS_S))
    for proxy in snapshot.proxies.values():
        ours = [t.name for t in proxy.toxics if t.ours]
        if ours:
            replace_proxy(client.within(CALLS_S), snapshot, proxy.without_ours(), "recover")
            lines.append(f"took {', '.join(ours)} off the proxy `{proxy.name}`")


def _remove_targets(client: ToxiproxyClient, lines: list[str]) -> None:
    for note in _notes(client, "created"):
        UNDOER.revert(_record(note, client.url))
        lines.append(f"removed the proxy `{note.proxy}`, created by run `{note.run}`")


def _drop_rest(client: ToxiproxyClient, lines: list[str], failed: list[str]) -> None:
    """Whatever notes are left, and the lease."""
    if failed:
        return
    try:
        for name in look(client.within(CALLS_S)).notes:
            client.within(CALLS_S).delete(name)
            if name == LEASE:
                lines.append("gave the lease back")
    except AdapterError as error:
        failed.append(str(error))


def _left(snapshot: Snapshot) -> tuple[str, ...]:
    toxics = [f"{p.name}: {t.name}" for p in snapshot.proxies.values() for t in p.toxics if t.ours]
    return (*snapshot.notes, *toxics)


def _notes(client: ToxiproxyClient, *modes: str) -> list[Note]:
    found = look(client.within(CALLS_S)).notes.values()
    return [note for note in found if note.mode in modes]


def _record(note: Note, url: str) -> Undo:
    """The undo record in a note, for the address at which the server was found now."""
    return {**note.data, "url": url, "server": None}


def _lease_of(snapshot: Snapshot) -> Note | None:
    note = snapshot.notes.get(LEASE)
    if note is None and LEASE in snapshot.proxies:
        return Note(name=LEASE, data={})
    return note


def _life(lease: Note) -> Life:
    owner = lease.data.get("owner")
    return life_of(owner) if isinstance(owner, Mapping) else Life.UNKNOWN


def _expires_ms(lease: Note) -> float:
    value = lease.data.get("expires_wall_ms")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _held(lease: Note) -> bool:
    """Whether a run still has the server: its process lives, or may live and has renewed."""
    life = _life(lease)
    if life is Life.UNKNOWN:
        return _expires_ms(lease) > time.time() * 1000
    return life is Life.ALIVE


def _who_holds(url: str, lease: Note | None) -> str:
    if lease is None:
        return f"the Toxiproxy at {url} was held by another run a moment ago; try again"
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(_expires_ms(lease) / 1000))
    owner = lease.data.get("owner")
    host = owner.get("host", "?") if isinstance(owner, Mapping) else "?"
    who = f"run `{lease.run or '?'}` on host `{host}`"
    if _held(lease):
        return (
            f"the Toxiproxy at {url} is held by {who} until {until}, and it renews that; wait for "
            f"its end, or clean up over its head with `gameday recover --target {url} --force`"
        )
    return (
        f"{who} left the Toxiproxy at {url} without cleaning up (lease until {until}); "
        f"take out what it left with `gameday recover --target {url}`"
    )
