"""`ssh-keygen -Y`: signing and proving, without a shell and bounded in time."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gameday.errors import RefusedError

VERIFY_S = 10.0
#: Somebody may have to type the passphrase of the key, or touch it.
SIGN_S = 120.0
BEGINS = b"-----BEGIN SSH SIGNATURE-----"
_LARGEST = 1024 * 1024


def sign_text(text: bytes, key: Path, *, namespace: str) -> bytes:
    """The signature of *text* by the private *key* (or by the agent, given a public one).

    May ask for a passphrase on the terminal. Raises `RefusedError` with what ssh-keygen said.
    """
    command = ["-Y", "sign", "-f", str(key), "-n", namespace]
    code, out, said = ssh_keygen(command, text, within_s=SIGN_S)
    if code != 0 or not out.startswith(BEGINS):
        raise RefusedError(
            f"nothing was signed with `{key}`: {said or 'ssh-keygen gave no reason'}"
        )
    return out


def regular(path: Path, what: str, *, largest: int = _LARGEST) -> None:
    """Refuse what is no plain file: a pipe or a device would be waited for, or never end."""
    try:
        found = path.stat()
    except OSError as error:
        raise RefusedError(f"{what} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
        raise RefusedError(f"{what} cannot be read: it is no file of a sensible size")


def ssh_keygen(arguments: Sequence[str], text: bytes, *, within_s: float) -> tuple[int, bytes, str]:
    """Exit code, output, and its last word on the error stream that says something."""
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed program and arguments, no shell
            ["ssh-keygen", *arguments],  # noqa: S607 - whichever OpenSSH is on PATH
            input=text,
            capture_output=True,
            timeout=within_s,
            check=False,
        )
    except FileNotFoundError:
        raise RefusedError(
            "signatures need `ssh-keygen`, which is not on PATH: install the OpenSSH client"
        ) from None
    except subprocess.TimeoutExpired:
        raise RefusedError(f"`ssh-keygen` did not end within {within_s:g} s") from None
    lines = ended.stderr.decode("utf-8", errors="replace").splitlines()
    said = [s for line in lines if (s := line.strip()) and not s.startswith("Signing data")]
    return ended.returncode, ended.stdout, said[-1][:300] if said else ""
