"""Taking faults out, from their undo records alone, in any process and at any later time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gameday.adapters.toxiproxy.change import look, note_name, replace_proxy, same_address
from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.state import LEASE, ProxyState, Snapshot
from gameday.errors import AdapterError, CannotSeeError
from gameday.ports import Undo
from gameday.processes import Life, life_of

#: Together less than the limit of a call of the engine, which covers both.
REVERT_S = 6.0
PRESENT_S = 2.5


class ToxiproxyUndoer:
    """`registry.undoer("toxiproxy")`: stateless, everything it needs is in the record.

    Modes: `toxic` and `down` (a fault), `created` (a proxy of the run), `kept` (a proxy that was
    there: nothing is owed), `lease`. A server that the run itself started and whose process is
    proven gone took its proxies and toxics with it.
    """

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Mend it. Idempotent; raises `AdapterError` when it could not be done."""
        if _server_gone(undo):
            return {"server_gone": True}
        client = ToxiproxyClient(undo["url"], within_s=REVERT_S)
        match undo["mode"]:
            case "kept":
                return {}
            case "created":
                return _remove(client, undo)
            case "lease":
                return _release(client, undo)
            case _:
                return _mend(client, undo)

    def present(self, undo: Undo) -> bool:
        """Whether the fault, half of it, or its note is still there. Raises `CannotSeeError`."""
        if undo["mode"] == "kept" or _server_gone(undo):
            return False
        try:
            snapshot = look(ToxiproxyClient(undo["url"], within_s=PRESENT_S))
        except AdapterError as error:
            if _server_gone(undo):
                return False
            raise CannotSeeError(str(error)) from error
        match undo["mode"]:
            case "created":
                note = _note_name(undo)
                return note in snapshot.notes or _is_ours(undo, snapshot)
            case "lease":
                return _holds_lease(undo, snapshot)
            case _:
                return _broken(undo, snapshot)


UNDOER = ToxiproxyUndoer()


def _server_gone(undo: Undo) -> bool:
    server = undo.get("server")
    return isinstance(server, Mapping) and life_of(server) is Life.GONE


def _note_name(undo: Undo) -> str:
    subject = undo["target"] if undo["mode"] == "created" else undo["fault"]
    return note_name(undo["mode"], undo["run"], subject)


def _wanted(undo: Undo, snapshot: Snapshot) -> ProxyState:
    """The proxy without this fault: other faults and other people's toxics stay."""
    base = ProxyState.from_json(undo["proxy"])
    now = snapshot.trusted(base.name) or base
    return replace(
        now,
        enabled=base.enabled and not snapshot.held_down(base.name, but=_note_name(undo)),
        toxics=tuple(t for t in now.toxics if t.name != undo["toxic"]),
    )


def _broken(undo: Undo, snapshot: Snapshot) -> bool:
    name = undo["proxy"]["name"]
    if _note_name(undo) in snapshot.notes or snapshot.backup_of(name) is not None:
        return True
    now = snapshot.proxies.get(name)
    if now is None:  # a proxy of the run's own may be closed already; any other is owed a create
        return not undo.get("created")
    return now.toxic(undo["toxic"] or "") is not None or (
        now.enabled != _wanted(undo, snapshot).enabled
    )


def _mend(client: ToxiproxyClient, undo: Undo) -> Mapping[str, Any]:
    snapshot = look(client)
    name = undo["proxy"]["name"]
    wanted = _wanted(undo, snapshot)
    now = snapshot.proxies.get(name)
    whole = snapshot.backup_of(name) is None and now is not None and now.same_as(wanted)
    if not whole:
        replace_proxy(client, snapshot, wanted, undo["run"])
    client.delete(_note_name(undo))
    return {"proxy": name, "replaced": not whole, "enabled": wanted.enabled}


def _is_ours(undo: Undo, snapshot: Snapshot) -> bool:
    """Whether the proxy that stands there is the one the run created (it was not there before)."""
    now = snapshot.proxies.get(undo["proxy"]["name"])
    return (
        now is not None
        and same_address(now.listen, undo["proxy"]["listen"])
        and same_address(now.upstream, undo["proxy"]["upstream"])
    )


def _remove(client: ToxiproxyClient, undo: Undo) -> Mapping[str, Any]:
    snapshot = look(client)
    name = undo["proxy"]["name"]
    ours = _is_ours(undo, snapshot)
    if ours:
        client.delete(name)
    backup = snapshot.backup_of(name)
    if backup is not None and backup.run == undo["run"]:
        client.delete(backup.name)
    client.delete(_note_name(undo))
    return {"proxy": name, "deleted": ours}


def _holds_lease(undo: Undo, snapshot: Snapshot) -> bool:
    note = snapshot.notes.get(LEASE)
    return note is not None and note.run == undo["run"]


def _release(client: ToxiproxyClient, undo: Undo) -> Mapping[str, Any]:
    held = _holds_lease(undo, look(client))
    if held:
        client.delete(LEASE)
    return {"released": held}
