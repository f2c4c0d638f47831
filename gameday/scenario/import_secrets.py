"""What looks like a secret in a recording, and the place that is written instead. Careful."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gameday.scenario.import_openapi import value_name
from gameday.scenario.import_yaml import tame, text_of

_NAME = re.compile(
    r"pass(word|wd|phrase|code)|^pass$|pwd|secret|token|api[-_.]?key|access[-_.]?key|auth|session"
    r"|^sid$|sig(nature)?$|credential|^otp$|^pin$|cvv|cvc|iban|card|private|jwt|csrf|xsrf|^code$"
    r"|nonce|ticket",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"eyJ[\w-]+\.[\w-]+|^(bearer|basic|token) \S|sk_live_|sk-\w{8}|gh[pousr]_\w{8}|xox[abprs]-"
    r"|AKIA[0-9A-Z]{12}|AIza[\w-]{20}|-----BEGIN",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_RANDOM = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9+/_=.~-]{32,}")


class Secrets:
    """Masks values; `found` has the names of the places that stand for them, in order."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def is_secret(self, name: str, value: str) -> bool:
        """Whether the value of this name looks like one."""
        if not value:
            return False
        if name and _NAME.search(name):
            return True
        if _VALUE.search(value):
            return True
        return _RANDOM.fullmatch(value) is not None and _UUID.fullmatch(value) is None

    def mentioned_in(self, text: str) -> bool:
        """Whether a body of some kind speaks of secrets."""
        words = re.findall(r"[\w.~+/=-]+", text)
        return bool(_VALUE.search(text)) or any(
            _NAME.search(word) or self.is_secret("", word) for word in words
        )

    def masked(self, name: str, value: str, *, quoted: bool = False) -> str:
        """The value, or the place of one; with *quoted* as it stands in an address."""
        if self.is_secret(name, value):
            return self.place(name or "secret")
        kept = value.encode("utf-8", "replace")
        return quote(kept, safe="") if quoted else text_of(value)

    def masked_json(self, name: str, value: Any) -> Any:
        """JSON with the places of secrets."""
        if isinstance(value, Mapping):
            secret = name if name and _NAME.search(name) else ""  # all below it is one, too
            return {text_of(k): self.masked_json(secret or k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.masked_json(name, part) for part in value]
        if isinstance(value, str):
            return self.masked(name, value)
        if value is not None and not isinstance(value, bool) and _NAME.search(name):
            return self.place(name)  # a number may be one, too
        return tame(value)

    def place(self, name: str) -> str:
        """Where the value is to be filled in."""
        made = value_name(name)
        self.found[made] = None
        return f"{{{{ {made} }}}}"
