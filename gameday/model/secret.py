"""A secret is never in a file of the project: only where it is to be found."""

from __future__ import annotations

from dataclasses import dataclass

#: Headers whose values are secrets, whatever they hold.
SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is: the environment variable `env`, or the first line of `file`.

    Exactly one of the two is set. `prefix` is put in front of it (`Bearer `).
    """

    env: str | None = None
    file: str | None = None
    prefix: str = ""

    @property
    def where(self) -> str:
        """The place, for messages; never the secret."""
        return f"environment variable {self.env}" if self.env else f"file {self.file}"
