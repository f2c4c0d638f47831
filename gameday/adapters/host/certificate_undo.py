"""Putting certificates back: from the backup files, read back where they are served."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.host import commands
from gameday.adapters.host.files import flush_folder, keep, remove
from gameday.adapters.host.notes import drop_note
from gameday.adapters.host.proc import named_by, send
from gameday.errors import AdapterError, CannotSeeError
from gameday.ports import Undo
from gameday.processes import Life, life_of

#: A look, a reload, looks until it is served, and the look of `present`: less than 10 s together.
HANDSHAKE_S = 1.5
RELOAD_S = 2.0
SERVED_S = 2.0
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def first_of(pem: bytes) -> bytes | None:
    """The first certificate of a file as DER: the one that an endpoint shows; None without one."""
    found = _PEM.search(pem)
    try:
        return ssl.PEM_cert_to_DER_cert(found[0].decode("ascii")) if found else None
    except ValueError:
        return None


def served(endpoint: str, name: str | None) -> bytes | None:
    """The certificate (DER) that is served now, unverified; None when nobody listens there.

    Raises OSError when somebody does but shows none in time.
    """
    host, _, port = endpoint.rpartition(":")
    deadline = time.monotonic() + HANDSHAKE_S
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is looked at, not trusted
    try:
        plain = socket.create_connection((host.strip("[]"), int(port)), timeout=HANDSHAKE_S)
    except ConnectionRefusedError:
        return None
    plain.settimeout(max(0.05, deadline - time.monotonic()))
    with plain, context.wrap_socket(plain, server_hostname=name) as secure:
        return secure.getpeercert(binary_form=True)


def carries(pem: bytes, token: str) -> bool:
    """Whether a file is a planted one: the token is in its first certificate, or in its text."""
    return token.encode() in pem or token.encode() in (first_of(pem) or b"")


def sha256(data: bytes | None) -> str | None:
    """Of some bytes, as hex."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def reload(undo: Undo) -> None:
    """Make the endpoint read its files again. Raises `AdapterError` when that fails."""
    if undo["reload"]:
        commands.run(undo["reload"], directory=Path(undo["directory"]), within_s=RELOAD_S)
    elif undo["pidfile"] is not None and life_of(undo["by"]) is not Life.UNKNOWN:
        try:
            send(named_by(Path(undo["pidfile"])), signal.SIGHUP)
        except PermissionError as error:
            raise AdapterError(f"the endpoint may not be signalled: {error}") from error


def wait_served(undo: Undo, fine: Callable[[bytes | None], bool], within_s: float) -> bytes | None:
    """Look until what is served is *fine*. Raises `AdapterError` when it never is."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            seen = served(undo["endpoint"], undo["name"])
            if fine(seen):
                return seen
            why = "it goes on serving another certificate"
        except OSError as error:
            why = str(error)
        if time.monotonic() > deadline:
            raise AdapterError(f"the endpoint {undo['endpoint']} has not followed: {why}")
        time.sleep(0.05)


def put_back(undo: Undo) -> Mapping[str, Any]:
    """The original files back, and served again. Idempotent; see `HostUndoer.revert`."""
    states = {what: _state(undo, what) for what in undo["files"]}
    try:
        for what, state in states.items():
            if state == "planted":
                _restore(undo["files"][what])
    except OSError as error:
        raise AdapterError(f"the files of the certificate cannot be put back: {error}") from error
    facts: dict[str, Any] = {"restored": [w for w, s in states.items() if s == "planted"]}
    if "foreign" in states.values():
        facts["replaced_by_others"] = [w for w, s in states.items() if s == "foreign"]
    seen = _serve_again(undo)
    facts.update({"gone": True} if seen is None else {"served_sha256": sha256(seen)})
    try:
        for file in undo["files"].values():
            _sweep(Path(file["path"]))
            remove(Path(file["backup"]))
    except OSError as error:
        raise AdapterError(f"a backup of the certificate cannot be removed: {error}") from error
    drop_note(Path(undo["directory"]), undo)
    return facts


def planted(undo: Undo) -> bool:
    """Whether a planted certificate or key lies there or is served. Raises `CannotSeeError`."""
    try:
        if any(_state(undo, what) == "planted" for what in undo["files"]):
            return True
        seen = served(undo["endpoint"], undo["name"])
    except (OSError, AdapterError) as error:
        raise CannotSeeError(
            f"what the endpoint {undo['endpoint']} serves cannot be seen: {error}"
        ) from error
    return seen is not None and undo["token"].encode() in seen


def _serve_again(undo: Undo) -> bytes | None:
    """Have the endpoint serve what lies in its file; None when there is no endpoint any more."""
    path = Path(undo["files"]["cert"]["path"])
    lies = first_of(keep(path).data) if path.exists() else None

    def fine(seen: bytes | None) -> bool:
        return seen is None or seen == lies or (lies is None and _not_ours(undo, seen))

    try:
        return wait_served(undo, fine, 0.0)
    except AdapterError:
        problem: AdapterError | None = None
        try:
            reload(undo)
        except AdapterError as error:  # it may have worked all the same
            problem = error
        try:
            return wait_served(undo, fine, SERVED_S)
        except AdapterError as error:
            raise AdapterError(f"{error}; {problem}" if problem else str(error)) from problem


def _not_ours(undo: Undo, seen: bytes) -> bool:
    return undo["token"].encode() not in seen


def _state(undo: Undo, what: str) -> str:
    """What lies in the place of a file: `original`, `planted`, `foreign`, or `gone`."""
    file = undo["files"][what]
    path, backup = Path(file["path"]), Path(file["backup"])
    try:
        data = keep(path).data
    except FileNotFoundError:
        return "planted" if backup.exists() else "gone"
    if sha256(data) == file["sha256"]:
        return "original"
    return "planted" if carries(data, undo["token"]) else "foreign"


def _restore(file: Mapping[str, Any]) -> None:
    """Move the backup into its place: in one go, and without room on a disk that is full."""
    path, backup = Path(file["path"]), Path(file["backup"])
    if path.exists() and keep(path).sha256 == file["sha256"]:
        return  # one file holds both, and is back already
    if not backup.exists() or keep(backup).sha256 != file["sha256"]:
        raise AdapterError(
            f"`{path}` cannot be put back: its backup `{backup}` is missing or was changed"
        )
    backup.replace(path)
    flush_folder(path.parent)


def _sweep(path: Path) -> None:
    """Drafts of a writer that was cut off: there may be a key in them."""
    for draft in path.parent.glob(f".{path.name}.*.gameday-draft"):
        draft.unlink(missing_ok=True)
