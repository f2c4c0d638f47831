"""Expired, wrong and untrusted certificates at a test endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gameday.adapters.host import commands
from gameday.adapters.host.certificate_undo import (
    SERVED_S,
    first_of,
    reload,
    served,
    sha256,
    wait_served,
)
from gameday.adapters.host.files import Kept, create, inside, keep, remove, replace
from gameday.adapters.host.notes import checked, drop_note, find_note, put_note, turn
from gameday.adapters.host.proc import named_by, refuse_untouchable, stat_of
from gameday.adapters.host.tls import issue, server_name, token_of
from gameday.errors import AdapterError, NoEffectError
from gameday.model.project import CertificateRef, Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo
from gameday.processes import own_identity


class CertificateFault:
    """`certificate.expired`, `.wrong_host` and `.untrusted`: other files, then a reload."""

    def __init__(
        self,
        directory: Path,
        run_id: str,
        target: Target,
        spec: FaultSpec,
        *,
        commands: tuple[str, ...],
    ) -> None:
        self._directory, self._run = directory.resolve(), run_id
        self._target, self._spec, self._commands = target, spec, commands

    def prepare(self) -> Undo:
        """Look, change nothing, refuse what must not be touched. Returns the undo record."""
        ref = self._ref()
        run, fault = checked(self._run, "run"), checked(self._spec.id, "fault")
        kept = self._kept(ref)
        self._issue(ref, kept["cert"][1].data)  # to see that it can be done
        reload_command = None
        if ref.reload:
            what = f"`reload` of target `{self._target.name}`"
            reload_command = commands.allowed(ref.reload, self._directory, self._commands, what)
        name = server_name(kept["cert"][1].data)
        shown = self._shown(ref, name, kept["cert"][1].data)
        return {
            "kind": "host",
            "mode": "certificate",
            "directory": str(self._directory),
            "run": run,
            "fault": fault,
            "target": self._target.name,
            "by": own_identity(),
            "files": {
                what: {
                    "path": str(path),
                    "sha256": before.sha256,
                    "backup": str(path.with_name(f"{path.name}.gameday-{run}-{fault}")),
                }
                for what, (path, before) in kept.items()
            },
            "token": token_of(run, fault),
            "endpoint": ref.endpoint,
            "name": name,
            "reload": reload_command,
            "pidfile": self._pidfile(ref),
            "served_sha256": sha256(shown),
            "facts": {"served_sha256": sha256(shown)},
        }

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        """Plant another certificate, and read back that it is served."""
        with turn(undo):
            return self._inject(undo)

    def _inject(self, undo: Undo) -> Mapping[str, Any]:
        ref = self._ref()
        kept = self._kept(ref, undo=undo)
        # An endpoint that hangs would read the planted files when it is long over, perhaps while
        # they are being put back, and find a key that does not fit.
        self._shown(ref, undo["name"], kept["cert"][1].data)
        certificate, key = self._issue(ref, kept["cert"][1].data)
        new = {"cert": certificate, "key": key}
        if kept["cert"][0] == kept["key"][0]:
            new = dict.fromkeys(new, key + certificate)
        put_note(self._directory, undo)
        try:
            for what, (_, before) in kept.items():
                create(Path(undo["files"][what]["backup"]), before.data, like=before)
        except OSError as error:
            with suppress(OSError):
                for file in undo["files"].values():
                    remove(Path(file["backup"]))
            drop_note(self._directory, undo)
            raise NoEffectError(f"the certificate cannot be kept: {error}") from error
        try:
            for what, (path, before) in kept.items():
                replace(path, new[what], like=before)
        except OSError as error:
            raise AdapterError(f"the certificate cannot be replaced: {error}") from error
        reload(undo)
        planted = first_of(certificate)
        wait_served(undo, lambda seen: seen == planted, SERVED_S)
        kind = self._spec.action.type if self._spec.action is not None else ""
        return {"read_back": True, "certificate": kind, "served_sha256": sha256(planted)}

    def _ref(self) -> CertificateRef:
        if self._target.certificate is None:
            raise NoEffectError(
                f"target `{self._target.name}` has no `certificate`; give it one, with `cert`, "
                "`key` and `endpoint`"
            )
        return self._target.certificate

    def _kept(
        self, ref: CertificateRef, *, undo: Undo | None = None
    ) -> dict[str, tuple[Path, Kept]]:
        """Both files as they are. Raises `NoEffectError` when they are not to be touched."""
        found = {}
        for what, name in (("key", ref.key), ("cert", ref.cert)):
            path = inside(self._directory, name, f"`{what}` of target `{self._target.name}`")
            try:
                kept = keep(path)
            except (OSError, AdapterError) as error:
                raise NoEffectError(f"`{path}` cannot be read: {error}") from error
            if kept.uid != os.geteuid() and os.geteuid() != 0:
                raise NoEffectError(f"`{path}` belongs to another user: it could not be put back")
            if not os.access(path.parent, os.W_OK):
                raise NoEffectError(f"nothing can be written to the folder of `{path}`")
            if undo is not None and kept.sha256 != undo["files"][what]["sha256"]:
                raise NoEffectError(f"`{path}` was changed since the run looked at it")
            left = sorted(path.parent.glob(f"{path.name}.gameday-*"))
            if left and (undo is None or find_note(self._directory, undo) is None):
                raise NoEffectError(
                    f"`{left[0]}` is the backup of another fault; put it back with "
                    f"`gameday recover --target {self._directory}`"
                )
            found[what] = (path, kept)
        return found

    def _issue(self, ref: CertificateRef, present: bytes) -> tuple[bytes, bytes]:
        kind = self._spec.action.type if self._spec.action is not None else ""
        ca, ca_key = b"", b""
        if kind != "untrusted":
            if not ref.ca or not ref.ca_key:
                raise NoEffectError(
                    f"`{kind}` needs the `ca` and `ca_key` of target `{self._target.name}`: the "
                    "test authority that issues its certificates"
                )
            try:
                what = f"the test authority of target `{self._target.name}`"
                names = (ref.ca, ref.ca_key)
                ca, ca_key = (keep(inside(self._directory, n, what)).data for n in names)
            except NoEffectError:
                raise
            except (OSError, AdapterError) as error:
                raise NoEffectError(f"the test authority cannot be read: {error}") from error
        return issue(kind, present, ca, ca_key, token_of(self._run, self._spec.id))

    def _shown(self, ref: CertificateRef, name: str | None, present: bytes) -> bytes:
        try:
            shown = served(ref.endpoint, name)
        except (OSError, ValueError) as error:
            raise NoEffectError(
                f"the endpoint {ref.endpoint} of target `{self._target.name}` shows no "
                f"certificate: {error}"
            ) from error
        if shown is None:
            raise NoEffectError(f"nobody listens at the endpoint {ref.endpoint}")
        if shown != first_of(present):
            raise NoEffectError(
                f"the endpoint {ref.endpoint} serves another certificate than `{ref.cert}`; it has "
                "to be the one that it reads, and as it read it last"
            )
        return shown

    def _pidfile(self, ref: CertificateRef) -> str | None:
        if ref.pidfile is None:
            return None
        path = self._directory / ref.pidfile
        stat = stat_of(named_by(path)["pid"])
        refuse_untouchable([stat] if stat else [], f"`pidfile` of target `{self._target.name}`")
        return str(path)
