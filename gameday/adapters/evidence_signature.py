"""Signatures of bundles: of their manifest, by `ssh-keygen -Y`, as approvals have them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gameday.adapters.ssh_keygen import BEGINS, VERIFY_S, regular, sign_text, ssh_keygen
from gameday.errors import RefusedError

NAMESPACE = "gameday-evidence"
_LARGEST = 64 * 1024


def sign_manifest(text: bytes, key: Path) -> bytes:
    """The signature of a manifest. Raises `RefusedError`; may ask for a passphrase."""
    return sign_text(text, key, namespace=NAMESPACE)


def prove_manifest(
    text: bytes, signature: bytes, *, signers: Path | None, signer: str | None = None
) -> str | None:
    """Prove that *text* is what was signed, and by whom of *signers* (as *signer*, if given).

    The signer's name; None where no *signers* are given, so that it is only certain that somebody
    signed exactly this. Raises `RefusedError` where the signature does not fit, or where none of
    the signers may have made it.
    """
    if not signature.startswith(BEGINS) or len(signature) > _LARGEST:
        raise RefusedError("it is no signature of `ssh-keygen`")
    if signers is not None:
        regular(signers, f"the file of allowed signers `{signers.name}`")
    with tempfile.TemporaryDirectory(prefix="gameday-") as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        base = ["-n", NAMESPACE, "-s", str(path)]
        code, _, said = ssh_keygen(["-Y", "check-novalidate", *base], text, within_s=VERIFY_S)
        if code != 0:
            raise RefusedError(f"it does not fit the manifest: {said or 'one of them is altered'}")
        if signers is None:
            return None
        allowed = str(signers.absolute())
        names = [signer] if signer else _principals(text, path, allowed)
        for name in names:
            command = ["-Y", "verify", "-f", allowed, "-I", name, *base]
            code, _, said = ssh_keygen(command, text, within_s=VERIFY_S)
            if code == 0:
                return name
    why = f": {said.replace(allowed, signers.name)}" if said else ""
    who = f" for `{signer}`" if signer else ""
    raise RefusedError(f"it is not by a key that `{signers.name}` allows{who}{why}")


def _principals(text: bytes, signature: Path, signers: str) -> list[str]:
    """Who may have signed, as the file has them: one a line, none if the key is not in it."""
    command = ["-Y", "find-principals", "-s", str(signature), "-f", signers]
    code, out, _ = ssh_keygen(command, text, within_s=VERIFY_S)
    return out.decode("utf-8", "replace").splitlines() if code == 0 else []
