"""Changing a proxy the one safe way: delete it, create it disabled, add toxics, enable, read back.

A toxic that is removed or changed under load can hang the whole control plane of a Toxiproxy (its
issue 558). A proxy that is deleted never does. While a proxy is away, a note on the server says how
it has to become again.
"""

from __future__ import annotations

import time
from contextlib import suppress

from gameday.adapters.toxiproxy.client import ToxiproxyClient, ToxiproxyRefusedError
from gameday.adapters.toxiproxy.state import NOTE_LISTEN, PREFIX, Note, ProxyState, Snapshot
from gameday.errors import AdapterError

_ENABLE_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.0)


def look(client: ToxiproxyClient) -> Snapshot:
    """All that the server holds now."""
    return Snapshot(client.proxies())


def note_name(mode: str, run: str, subject: str) -> str:
    """The name of the note of a fault, a target or a backup."""
    what = {"toxic": "fault", "down": "fault", "created": "target"}.get(mode, mode)
    return f"{PREFIX}{what}-{run}-{subject}"


def put_note(client: ToxiproxyClient, note: Note) -> None:
    """Leave a note; one of the same name and run is replaced.

    Raises `AdapterError` if another run's stands there.
    """
    try:
        client.create(note.name, listen=NOTE_LISTEN, upstream=note.text, enabled=False)
    except ToxiproxyRefusedError as error:
        if error.status != 409:
            raise
        there = look(client).notes.get(note.name)
        if there is None or there.run != note.run:
            raise AdapterError(
                f"`{note.name}` on {client.url} belongs to another run; "
                f"clean up with `gameday recover --target {client.url}`"
            ) from None
        client.set_upstream(note.name, note.text)


def replace_proxy(
    client: ToxiproxyClient, snapshot: Snapshot, wanted: ProxyState, run: str
) -> None:
    """Make *wanted* of whatever stands under its name, and read back that it is so.

    If this is cut off anywhere, the backup note stays and the proxy counts as broken. Connections
    through the proxy are dropped.
    """
    backup = snapshot.backup_of(wanted.name)
    if backup is None:
        before = snapshot.proxies.get(wanted.name, wanted)
        data = {"mode": "backup", "run": run, "proxy": before.to_json()}
        backup = Note(name=note_name("backup", run, wanted.name), data=data)
        put_note(client, backup)
    client.delete(wanted.name)
    _create(client, wanted)
    for toxic in wanted.toxics:
        client.add_toxic(wanted.name, toxic)
    if wanted.enabled:
        _enable(client, wanted.name)
    found = client.proxy(wanted.name)
    if found is None or not found.same_as(wanted):
        raise AdapterError(
            f"`{wanted.name}` on {client.url} was replaced but does not read back as asked; "
            "somebody else may be changing it at the same time"
        )
    client.delete(backup.name)


def _create(client: ToxiproxyClient, wanted: ProxyState) -> None:
    def create() -> None:
        client.create(wanted.name, listen=wanted.listen, upstream=wanted.upstream, enabled=False)

    try:
        create()
    except ToxiproxyRefusedError as error:
        if error.status != 409:  # a call that was given up has landed in between
            raise
        client.delete(wanted.name)
        create()


def _enable(client: ToxiproxyClient, name: str) -> None:
    """Enable; the port may be taken for a moment by an outgoing connection."""
    for pause_s in _ENABLE_PAUSES_S:
        try:
            client.enable(name, True)
        except ToxiproxyRefusedError as error:
            if error.status != 500 or not pause_s:
                raise
            time.sleep(pause_s)
        else:
            return


def same_address(one: str, other: str) -> bool:
    """Whether two `host:port` mean the same, as far as that can be said without looking up names.

    A server shows `localhost:80` as `127.0.0.1:80`, and a name as the address it found.
    """
    host_a, _, port_a = one.rpartition(":")
    host_b, _, port_b = other.rpartition(":")
    if port_a != port_b:
        return False
    a, b = _plain_host(host_a), _plain_host(host_b)
    return a == b or not (_is_literal(a) and _is_literal(b))


def _plain_host(host: str) -> str:
    host = host.strip("[]").lower()
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - comparing, not binding
        return "::"
    return "127.0.0.1" if host == "localhost" else host


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def drop_quietly(client: ToxiproxyClient, name: str) -> None:
    """Delete a note if that can be done; for ways out of an error."""
    with suppress(AdapterError):
        client.delete(name)
