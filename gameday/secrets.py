"""Secrets: read from where they are when they are needed, and masked wherever text goes out.

Whatever was read here once is known to `masked` for the life of the process, so that an error text
of some library that repeats a header does not carry it into a journal or onto a terminal.
"""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from typing import Any

from gameday.errors import RefusedError
from gameday.model.secret import SecretRef

MASK = "***"
#: A shorter secret would be found in innocent text everywhere.
SHORTEST = 4
_MAX_BYTES = 64 * 1024
_known: tuple[str, ...] = ()  # the longest first: one secret may be a part of another
_lock = threading.Lock()


def resolve(secret: SecretRef | str, *, base: Path | None = None) -> str:
    """The secret itself, with its prefix; a plain text is returned as it is.

    A relative file is looked for under *base*. Raises `RefusedError` naming the place (never the
    value) when nothing is there.
    """
    if isinstance(secret, str):
        return secret
    value = _from_env(secret.env) if secret.env else _from_file(secret, base)
    remember(value)
    return secret.prefix + value


def basic_credentials(user: str, password: str) -> str:
    """What stands behind `Basic ` in a header."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def from_json(value: Any) -> SecretRef | str:
    """A text, or the reference in `{"env": …}` or `{"file": …}` (as undo records hold it)."""
    if isinstance(value, str):
        return value
    return SecretRef(
        env=value.get("env"), file=value.get("file"), prefix=str(value.get("prefix") or "")
    )


def remember(value: str) -> None:
    """Mask *value* from now on."""
    global _known  # noqa: PLW0603 - replaced whole, so that `masked` needs no lock
    if len(value) >= SHORTEST:
        with _lock:
            _known = tuple(sorted({*_known, value}, key=len, reverse=True))


def masked(text: str, *, whole: bool = False) -> str:
    """*text* with every known secret replaced; with *whole* only if it is one altogether."""
    known = _known
    if whole:
        return MASK if text in known else text
    for value in known:
        if value in text:
            text = text.replace(value, MASK)
    return text


def _from_env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RefusedError(f"the secret in `{name}` is missing: set that environment variable")
    return value


def _from_file(secret: SecretRef, base: Path | None) -> str:
    path = (base or Path()) / str(secret.file)
    try:
        with path.open("rb") as file:
            first = file.read(_MAX_BYTES).decode("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise RefusedError(
            f"the secret in the file `{secret.file}` cannot be read: {why}"
        ) from None
    if not first:
        raise RefusedError(f"the file `{secret.file}` should hold a secret, and is empty")
    return first
